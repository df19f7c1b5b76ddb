//! Requests that were decided on and of which nothing came that was written down: the process was killed, or the disk was full.
//!
//! Nobody was answered on the strength of those decisions, but what they allowed may have been done. Whoever starts next tells of them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;

use moho_terms::{AccessKeyId, AccountId, Arn, RequestId, Timestamp};
use serde::Deserialize;

use crate::error::AuditError;
use crate::replay::{lines_behind, read_time};

/// So many of the newest records are looked through. A call that is open while more than these are written is not found.
const LOOKED_THROUGH: u64 = 1 << 18;
/// The most that are told of, the newest ones: more calls than these are not answered at once.
const MOST: usize = 4096;
/// So much of what was decided about in one request is told; the decisions have it all.
const MOST_DECIDED: usize = 16;

/// The scheme of moho's own services.
const OWN_SERVICE: &str = "own-service";

/// What one principal was doing in a request when it was interrupted, as its decisions tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The request.
    pub request_id: RequestId,
    /// When the first of it was decided.
    pub time: Timestamp,
    /// Who asked.
    pub principal: Arn,
    /// The principal's account.
    pub account: Option<AccountId>,
    /// The public half of its credentials.
    pub access_key_id: Option<AccessKeyId>,
    /// How it proved who it is.
    pub scheme: Option<String>,
    /// Who stands behind the session.
    pub source_identity: Option<String>,
    /// The private endpoint it came by.
    pub endpoint: Option<String>,
    /// From which address.
    pub source_ip: Option<IpAddr>,
    /// What was decided, in that order: at least one.
    pub decided: Vec<DecidedThen>,
}

/// A decision of then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedThen {
    /// On what, such as `kms:CreateKey`.
    pub action: String,
    /// About what.
    pub resource: Option<Arn>,
    /// Why it was denied: the error that would have been told.
    pub error_code: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    entry: Said,
}

#[derive(Deserialize)]
struct Said {
    time: String,
    request_id: RequestId,
    kind: Option<String>,
    #[serde(default)]
    identity: SaidIdentity,
    source: Option<String>,
    outcome: Option<String>,
    principal: Option<String>,
    account: Option<AccountId>,
    access_key_id: Option<String>,
    scheme: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    error_code: Option<String>,
    source_identity: Option<String>,
    endpoint: Option<String>,
    source_ip: Option<IpAddr>,
}

#[derive(Default, Deserialize)]
struct SaidIdentity {
    principal: Option<String>,
}

/// What an event has to tell for a decision to be told of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Needs {
    /// Anything of the request.
    Any,
    /// What this principal did; without one, whoever it is of that has no name.
    By(Option<String>),
    /// What was done at this service.
    At(String),
}

impl Said {
    /// What tells of this decision; `None` if it is none, or nobody's.
    fn needs(&self) -> Option<Needs> {
        let decided = matches!(self.outcome.as_deref(), Some("allow" | "deny"));
        let (principal, action) = self.principal.as_ref().zip(self.action.as_ref())?;
        if self.kind.is_some() || !decided {
            return None;
        }
        Some(if self.scheme.as_deref() != Some(OWN_SERVICE) {
            Needs::By(Some(principal.clone()))
        } else if is_told_with_another(action) {
            Needs::Any
        } else {
            let (service, _) = action.split_once(':')?;
            Needs::At(service.to_owned())
        })
    }

    /// What this tells of, if it is an event.
    fn tells(&self) -> Option<[Needs; 3]> {
        self.kind.as_ref()?;
        let source = self.source.as_deref().unwrap_or_default();
        let (service, _) = source.split_once('.').unwrap_or((source, ""));
        Some([
            Needs::Any,
            Needs::By(self.identity.principal.clone()),
            Needs::At(service.to_owned()),
        ])
    }
}

/// A key that is used, and a role that is passed on, are told of with the call that they are for.
fn is_told_with_another(action: &str) -> bool {
    action.starts_with("kms:") || action == "iam:PassRole"
}

fn read(line: &[u8]) -> Option<Said> {
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(line.entry)
}

/// The decisions that nothing tells of.
fn untold(directory: &Path, after: u64) -> Result<HashSet<(RequestId, Needs)>, AuditError> {
    let (mut decided, mut told) = (HashSet::new(), HashSet::new());
    lines_behind(directory, after, |line| {
        let Some(said) = read(line) else { return };
        if let Some(needs) = said.needs() {
            decided.insert((said.request_id, needs));
        } else if let Some(tells) = said.tells() {
            told.extend(tells.map(|one| (said.request_id.clone(), one)));
        }
    })?;
    decided.retain(|one| {
        let nameless = (one.0.clone(), Needs::By(None));
        let by_nobody = matches!(one.1, Needs::By(_)) && told.contains(&nameless);
        !told.contains(one) && !by_nobody
    });
    Ok(decided)
}

/// The requests that were interrupted among the newest of so many `records`, in the journal's order: one for each principal that acted
/// in it and, of moho's own services, for each service that it acted at. What is not a whole record is passed over.
///
/// # Errors
/// [`AuditError::Io`] if the journal cannot be read.
pub fn interrupted(directory: &Path, records: u64) -> Result<Vec<Interrupted>, AuditError> {
    let after = records.saturating_sub(LOOKED_THROUGH);
    let untold = untold(directory, after)?;
    if untold.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<Interrupted> = Vec::new();
    let mut places = HashMap::new();
    lines_behind(directory, after, |line| {
        let Some(said) = read(line) else { return };
        let Some(needs) = said.needs() else { return };
        let key = (said.request_id.clone(), needs);
        let is_untold = untold.contains(&key);
        let Some((one, decided)) = is_untold.then(|| Interrupted::begin(said)).flatten() else {
            return;
        };
        let place = *places.entry(key).or_insert(found.len());
        if place == found.len() {
            found.push(one);
        }
        if let Some(one) = found.get_mut(place)
            && one.decided.len() < MOST_DECIDED
        {
            one.decided.push(decided);
        }
    })?;
    let others = found.iter().filter(|one| !one.only_beside_another());
    let others: HashSet<RequestId> = others.map(|one| one.request_id.clone()).collect();
    found.retain(|one| !one.only_beside_another() || !others.contains(&one.request_id));
    found.drain(..found.len().saturating_sub(MOST));
    Ok(found)
}

impl Interrupted {
    fn begin(said: Said) -> Option<(Self, DecidedThen)> {
        let decided = DecidedThen {
            action: said.action?,
            resource: said.resource.and_then(|resource| resource.parse().ok()),
            error_code: said.error_code,
        };
        let one = Self {
            request_id: said.request_id,
            time: read_time(&said.time)?,
            principal: said.principal?.parse().ok()?,
            account: said.account,
            access_key_id: said.access_key_id.and_then(|id| id.parse().ok()),
            scheme: said.scheme,
            source_identity: said.source_identity,
            endpoint: said.endpoint,
            source_ip: said.source_ip,
            decided: Vec::new(),
        };
        Some((one, decided))
    }

    /// Whether a service of moho's own did it.
    #[must_use]
    pub fn by_own_service(&self) -> bool {
        self.scheme.as_deref() == Some(OWN_SERVICE)
    }

    /// Whether a service of moho's own did only what is told of with the call that it is for.
    fn only_beside_another(&self) -> bool {
        let mut decided = self.decided.iter();
        self.by_own_service() && decided.all(|one| is_told_with_another(&one.action))
    }
}

#[cfg(test)]
mod tests {
    use moho_iam::authz::{Entry, Event, EventIdentity, EventKind, Journal as _, Outcome, Position};

    use super::*;
    use crate::FileJournal;
    use crate::tests::{entry, keys};

    const OTHER: &str = "11112233-4455-4677-8899-aabbccddeeff";

    fn of_request(id: &str, action: &'static str) -> Entry {
        Entry {
            request_id: id.parse().unwrap(),
            action: Some(action),
            ..entry(1)
        }
    }

    fn by_service(id: &str, action: &'static str) -> Entry {
        Entry {
            principal: Some(
                "arn:aws:sts::123456789012:assumed-role/Logs/Bedrock"
                    .parse()
                    .unwrap(),
            ),
            scheme: Some("own-service"),
            ..of_request(id, action)
        }
    }

    fn event(of: &Entry, source: &'static str) -> Event {
        let mut identity = EventIdentity::of_service("s3.amazonaws.com", None);
        identity.principal.clone_from(&of.principal);
        let mut event = Event::new((EventKind::Call, "Any"), of.request_id.clone(), identity, of.time);
        event.source = Some(source);
        event
    }

    type Written = Box<dyn Fn(&FileJournal) -> Position>;

    fn decision(entry: Entry) -> Written {
        Box::new(move |journal| journal.record(&entry).unwrap())
    }

    fn told(event: Event) -> Written {
        Box::new(move |journal| journal.record_event(&event).unwrap())
    }

    /// What is found in a journal of these: requests, with the actions.
    fn found(written: impl IntoIterator<Item = Written>) -> Vec<(String, Vec<String>)> {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
        let mut records = 0;
        for one in written {
            records = one(&journal).0;
        }
        let found = interrupted(directory.path(), records).unwrap().into_iter();
        let told = |one: Interrupted| {
            let actions = one.decided.into_iter().map(|decided| decided.action);
            (one.request_id.to_string(), actions.collect())
        };
        found.map(told).collect()
    }

    const ID: &str = "00112233-4455-4677-8899-aabbccddeeff";

    #[test]
    fn decisions_without_an_event_of_their_request_are_found_once_each_request() {
        let decided = |id| [of_request(id, "kms:CreateKey"), of_request(id, "kms:TagResource")];
        let [first, second] = decided(ID);
        let [third, fourth] = decided(OTHER);
        let event_of = event(&third, "kms.amazonaws.com");
        let written = [first, third, fourth, second].map(decision);
        let found = found(written.into_iter().chain([told(event_of)]));
        let actions = ["kms:CreateKey", "kms:TagResource"].map(str::to_owned).to_vec();
        assert_eq!(found, [(ID.to_owned(), actions)]);
    }

    #[test]
    fn what_was_told_by_whoever_has_no_name_is_told() {
        let entry = of_request(ID, "sts:AssumeRoleWithWebIdentity");
        let mut event = event(&entry, "sts.amazonaws.com");
        event.identity.principal = None;
        let written = [decision(entry), told(event)];
        assert_eq!(found(written), []);
    }

    #[test]
    fn who_is_nobody_and_what_is_done_by_itself_is_no_call() {
        let nobody = Entry {
            outcome: Outcome::Unauthenticated,
            principal: None,
            ..of_request(ID, "kms:CreateKey")
        };
        assert_eq!(found([decision(nobody)]), []);
    }

    #[test]
    fn what_a_service_did_beside_is_told_by_the_call_that_it_was_for() {
        let call = of_request(ID, "bedrock:InvokeModel");
        let event_of = event(&call, "bedrock.amazonaws.com");
        let beside = || by_service(ID, "kms:GenerateDataKey");
        assert_eq!(
            found([decision(call.clone()), decision(beside()), told(event_of)]),
            []
        );
        let untold = found([decision(call), decision(beside())]);
        assert_eq!(untold, [(ID.to_owned(), vec!["bedrock:InvokeModel".to_owned()])]);
    }

    #[test]
    fn what_a_service_did_at_another_is_told_by_an_event_of_that_one_only() {
        let assumed = by_service(ID, "sts:AssumeRole");
        let event_of = event(&assumed, "sts.amazonaws.com");
        let put = by_service(ID, "logs:PutLogEvents");
        let put_told = event(&put, "logs.amazonaws.com");
        let untold = found([
            decision(assumed.clone()),
            told(event_of.clone()),
            decision(put.clone()),
        ]);
        assert_eq!(untold, [(ID.to_owned(), vec!["logs:PutLogEvents".to_owned()])]);
        let written = [decision(assumed), told(event_of), decision(put), told(put_told)];
        assert_eq!(found(written), []);
    }
}
