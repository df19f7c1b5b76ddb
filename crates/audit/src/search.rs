//! Looking for records: who did what on what, and when.

use moho_iam::authz::Position;
use moho_terms::{AccountId, Timestamp};
use serde::Deserialize;

use crate::error::AuditError;
use crate::log::TransparencyLog;
use crate::replay::read_time;
use crate::shown::{ShownRecord, View};

/// Clocks go back by less than this: records of so much earlier are looked through as well when a time is looked for.
const SLACK_SECONDS: u64 = 600;
/// Records that are looked at at once.
const SCANNED: u64 = 1024;

/// Records that are looked at together for the next decision, to begin with.
const LOOKED_AT: u64 = 16;
/// The most records that are looked at for the next decision: there can be any number of events in a row.
const MOST_LOOKED_AT: u64 = 4096;

/// What is looked for. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// Only what concerns this account: what its principals did, what was done to what it has, what it is told of.
    pub account: Option<AccountId>,
    /// Whose ARN has this in it.
    pub principal: Option<String>,
    /// On what; its ARN, or the name of its bucket, has this in it.
    pub resource: Option<String>,
    /// Which action or operation, such as `kms:Decrypt`, `kms:*` or `CreateKey`.
    pub action: Option<String>,
    /// `allow`, `deny` or `unauthenticated`; or the kind of an event, such as `call`.
    pub outcome: Option<String>,
    /// In which request.
    pub request: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
}

/// A record as far as it is searched.
#[derive(Debug, Deserialize)]
struct Line {
    entry: Searched,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Searched {
    time: Option<String>,
    request_id: Option<String>,
    kind: Option<String>,
    outcome: Option<String>,
    principal: Option<String>,
    account: Option<String>,
    action: Option<String>,
    event: Option<String>,
    resource: Option<String>,
    identity: Identity,
    subject: Subject,
    answer: Answer,
    recipients: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    error_code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identity {
    principal: Option<String>,
    account: Option<String>,
    invoked_by: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subject {
    bucket: Option<String>,
    bucket_account: Option<String>,
    key: Option<String>,
    copy_source: Option<Place>,
    allowed_on: Vec<String>,
    resource: Option<String>,
    resources: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    bucket: String,
    key: String,
    account: Option<String>,
}

impl Subject {
    /// Whether a caller may know whose buckets it is about: they are its own, or something was allowed on them.
    fn whose_is_known(&self, is_own: &dyn Fn(&Option<String>) -> bool) -> bool {
        let known =
            |bucket: &String, account: &Option<String>| is_own(account) || self.allowed_on.contains(bucket);
        let bucket = self.bucket.as_ref();
        let source = self.copy_source.as_ref();
        bucket.is_none_or(|bucket| known(bucket, &self.bucket_account))
            && source.is_none_or(|source| known(&source.bucket, &source.account))
    }
}

impl Search {
    /// A record that is looked for, as whoever looks is shown it; `None` of any other, and of what cannot be understood. What is not
    /// shown is not looked at either.
    #[must_use]
    pub fn find(&self, record: Vec<u8>) -> Option<ShownRecord> {
        let line: Line = serde_json::from_slice(&record).ok()?;
        let view = match self.account {
            Some(account) if !concerns(&line.entry, account) => return None,
            Some(account) => (view(&line.entry, account), account),
            None => {
                return self
                    .is_for(&line.entry)
                    .then_some(ShownRecord { record, part: None });
            }
        };
        if let (View::Whole, _) = view {
            return self
                .is_for(&line.entry)
                .then_some(ShownRecord { record, part: None });
        }
        let part = view.0.of(&record, view.1)?;
        let line: Line = serde_json::from_slice(&part).ok()?;
        let part = Some(part);
        self.is_for(&line.entry).then_some(ShownRecord { record, part })
    }

    fn is_for(&self, entry: &Searched) -> bool {
        let has = |wanted: &Option<String>, there: &[&Option<String>]| {
            let Some(wanted) = wanted else { return true };
            there
                .iter()
                .any(|text| text.as_ref().is_some_and(|text| text.contains(wanted.as_str())))
        };
        let is =
            |wanted: &Option<String>, there: &[&Option<String>]| wanted.is_none() || there.contains(&wanted);
        let time = entry.time.as_deref().and_then(read_time);
        has(
            &self.principal,
            &[
                &entry.principal,
                &entry.identity.principal,
                &entry.identity.invoked_by,
            ],
        ) && self.resource.as_ref().is_none_or(|wanted| entry.is_about(wanted))
            && self.action.as_ref().is_none_or(|wanted| {
                let there = [&entry.action, &entry.event];
                there
                    .into_iter()
                    .flatten()
                    .any(|action| is_action(wanted, action))
            })
            && is(&self.outcome, &[&entry.outcome, &entry.kind])
            && is(&self.request, &[&entry.request_id])
            && self.from.is_none_or(|from| time.is_some_and(|time| time >= from))
            && self.to.is_none_or(|to| time.is_some_and(|time| time <= to))
    }
}

impl Searched {
    /// Whether something that it is about has this in its ARN.
    fn is_about(&self, wanted: &str) -> bool {
        let subject = &self.subject;
        let of_s3 = |bucket: &str, key: Option<&str>| match key {
            Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
            None => format!("arn:aws:s3:::{bucket}"),
        };
        let bucket = subject.bucket.as_deref();
        let object = bucket.map(|bucket| of_s3(bucket, subject.key.as_deref()));
        let source = subject.copy_source.as_ref();
        let source = source.map(|source| of_s3(&source.bucket, Some(&source.key)));
        let arns = [&self.resource, &subject.resource, &object, &source];
        let mut arns = arns.into_iter().flatten().chain(&subject.resources);
        arns.any(|arn| arn.contains(wanted))
    }
}

/// Whether an account is shown a record. Of calls, those who are told are. Of decisions, the account of whoever asked, but not what
/// was denied on something of another account: whether that is there is not for the caller to know. What nobody asked for is shown
/// to whoever has what it is about.
fn concerns(entry: &Searched, account: AccountId) -> bool {
    let number = account.as_str();
    let is = |text: &Option<String>| text.as_deref() == Some(number);
    if !entry.recipients.is_empty() {
        return entry.recipients.iter().any(|told| told == number);
    }
    let subject = &entry.subject;
    let about = [&entry.resource, &subject.resource].into_iter().flatten();
    let owners = about
        .chain(&subject.resources)
        .map(|arn| arn.split(':').nth(4).unwrap_or_default());
    let owners: Vec<&str> = owners.filter(|owner| !owner.is_empty()).collect();
    match &entry.account {
        Some(_asked) => {
            let anothers = owners.iter().any(|owner| *owner != number);
            is(&entry.account) && !(anothers && entry.outcome.as_deref() == Some("deny"))
        }
        None => is(&entry.identity.account) || is(&subject.bucket_account) || owners.contains(&number),
    }
}

/// How much of a record that concerns an account it is shown.
fn view(entry: &Searched, account: AccountId) -> View {
    let number = account.as_str();
    let is = |text: &Option<String>| text.as_deref() == Some(number);
    let Some(first) = entry.recipients.first() else {
        // A denial that only a bucket's name tells apart is shown in the same way whether that is there or not, and whose it is.
        let of_s3 = entry.resource.as_ref().is_some_and(|arn| arn.starts_with(OF_S3));
        let denied = of_s3 && entry.outcome.as_deref() == Some("deny");
        return if denied { View::ToldDenial } else { View::Whole };
    };
    let by_another = entry.identity.account.is_some() && !is(&entry.identity.account);
    if by_another || first != number {
        return View::AnothersCall;
    }
    // A service acts for whoever has the bucket, and nothing else is in its event.
    let by_service = entry.identity.invoked_by.is_some();
    if by_service || entry.subject.whose_is_known(&is) {
        View::Whole
    } else {
        View::NotWhose
    }
}

/// Names of S3's say of no account.
const OF_S3: &str = "arn:aws:s3:::";

/// Whether an action is the wanted one, which may end in an asterisk. The service may be left out.
fn is_action(wanted: &str, action: &str) -> bool {
    let same = |action: &str| match wanted.strip_suffix('*') {
        Some(begins) => action
            .get(..begins.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(begins)),
        None => action.eq_ignore_ascii_case(wanted),
    };
    same(action) || action.split_once(':').is_some_and(|(_service, name)| same(name))
}

impl TransparencyLog {
    /// A position before which no record is as late as `time`, but for those of a clock that was ten minutes wrong.
    ///
    /// # Errors
    /// [`AuditError`] if records cannot be read, or are not those of the tree.
    pub fn before(&self, time: Timestamp) -> Result<Position, AuditError> {
        let time = Timestamp::from_unix_seconds(time.unix_seconds().saturating_sub(SLACK_SECONDS));
        let (mut low, mut high) = (0, self.checkpoint().checkpoint.size);
        while low < high {
            let middle = low.saturating_add(high.saturating_sub(low) / 2);
            // Decisions are written when they are made; an event of a long call has the time when that began. Where no decision
            // is near, what is asked for may be there already.
            let next = self.next_decision(middle, high)?;
            if next.is_some_and(|at| at < time) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(Position(low))
    }

    /// When the first decision behind record `after` was made; `None` if there is none up to record `end`, or none near.
    fn next_decision(&self, mut after: u64, end: u64) -> Result<Option<Timestamp>, AuditError> {
        let end = end.min(after.saturating_add(MOST_LOOKED_AT));
        let mut together = LOOKED_AT;
        while after < end {
            let lines = self.records(Position(after), together.min(end.saturating_sub(after)))?;
            if lines.is_empty() {
                break;
            }
            for line in &lines {
                let read: Option<Line> = serde_json::from_slice(line).ok();
                let decision = read.filter(|line| line.entry.kind.is_none());
                if let Some(at) = decision.and_then(|line| read_time(line.entry.time.as_deref()?)) {
                    return Ok(Some(at));
                }
            }
            after = after.saturating_add(lines.len() as u64);
            together = together.saturating_mul(2).min(SCANNED);
        }
        Ok(None)
    }

    /// When the first record behind record `after` was written; `None` if none was published, or it does not say.
    ///
    /// # Errors
    /// [`AuditError`] if it cannot be read, or is not that of the tree.
    pub fn written_after(&self, after: Position) -> Result<Option<Timestamp>, AuditError> {
        let lines = self.records(after, 1)?;
        let read: Option<Line> = lines.first().and_then(|line| serde_json::from_slice(line).ok());
        Ok(read.and_then(|line| read_time(line.entry.time.as_deref()?)))
    }

    /// The last position before the first record that is as late as `time`; the end, as far as a checkpoint was published, if
    /// none is.
    ///
    /// # Errors
    /// [`AuditError`] if records cannot be read, or are not those of the tree.
    pub fn since(&self, time: Timestamp) -> Result<Position, AuditError> {
        let Position(mut position) = self.before(time)?;
        loop {
            let lines = self.records(Position(position), SCANNED)?;
            if lines.is_empty() {
                return Ok(Position(position));
            }
            for line in lines {
                let read: Option<Line> = serde_json::from_slice(&line).ok();
                let at = read.and_then(|line| read_time(line.entry.time.as_deref()?));
                if at.is_some_and(|at| at.unix_seconds() >= time.unix_seconds()) {
                    return Ok(Position(position));
                }
                position = position.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECISION: &str = r#"{"sequence":1,"entry":{"time":"2026-11-23T10:00:00Z","request_id":"r","outcome":"deny","principal":"arn:aws:sts::111111111111:assumed-role/A/b","account":"111111111111","action":"kms:Decrypt","resource":"arn:aws:kms:eu:222222222222:key/k"}}"#;
    const CALL: &str = r#"{"sequence":2,"entry":{"kind":"call","time":"2026-11-23T10:00:01Z","request_id":"r","event":"CreateKey","identity":{"account":"111111111111","principal":"arn:aws:iam::111111111111:user/u"},"subject":{"resources":["arn:aws:kms:eu:222222222222:key/k"]},"recipients":["333333333333"]},"digest":"d"}"#;

    fn finds(search: &Search) -> [bool; 2] {
        [DECISION, CALL].map(|line| search.find(line.as_bytes().to_vec()).is_some())
    }

    #[test]
    fn records_are_found_by_who_what_and_when() {
        assert_eq!(finds(&Search::default()), [true, true]);
        assert_eq!(Search::default().find(b"no record".to_vec()), None);
        type Field = fn(&mut Search) -> &mut Option<String>;
        let (principal, resource): (Field, Field) = (|s| &mut s.principal, |s| &mut s.resource);
        let (action, outcome): (Field, Field) = (|s| &mut s.action, |s| &mut s.outcome);
        let request: Field = |s| &mut s.request;
        for (field, text, found) in [
            (principal, "role/A", [true, false]),
            (principal, "user/u", [false, true]),
            (resource, "key/k", [true, true]),
            (resource, "key/z", [false, false]),
            (action, "kms:decrypt", [true, false]),
            (action, "Decrypt", [true, false]),
            (action, "kms:*", [true, false]),
            (action, "create*", [false, true]),
            (outcome, "deny", [true, false]),
            (outcome, "call", [false, true]),
            (request, "r", [true, true]),
            (request, "other", [false, false]),
        ] {
            let mut search = Search::default();
            *field(&mut search) = Some(text.to_owned());
            assert_eq!(finds(&search), found, "{text}");
        }
        let at = |text: &str| Timestamp::parse_iso8601_basic(text).ok();
        let from = Search {
            from: at("20261123T100001Z"),
            ..Search::default()
        };
        assert_eq!(finds(&from), [false, true]);
        let to = Search {
            to: at("20261123T100000Z"),
            ..Search::default()
        };
        assert_eq!(finds(&to), [true, false]);
    }

    #[test]
    fn an_account_sees_what_it_did_and_is_told_of() {
        let of = |account: &str| {
            finds(&Search {
                account: Some(account.parse().unwrap()),
                ..Search::default()
            })
        };
        // What was denied on another account's key the call says, as far as the caller was told.
        assert_eq!(of("111111111111"), [false, false]);
        assert_eq!(of("222222222222"), [false, false]);
        assert_eq!(of("333333333333"), [false, true]);
        assert_eq!(of("444444444444"), [false, false]);
        let allowed = DECISION.replace("deny", "allow");
        let own = DECISION.replace("222222222222", "111111111111");
        let due = DECISION.replace(r#""account":"111111111111","#, "");
        let sees = |account: &str, line: &str| {
            let account = account.parse().ok();
            let search = Search {
                account,
                ..Search::default()
            };
            search.find(line.as_bytes().to_vec()).is_some()
        };
        assert!(sees("111111111111", &allowed) && !sees("222222222222", &allowed));
        assert!(sees("111111111111", &own));
        assert!(sees("222222222222", &due) && !sees("111111111111", &due));
    }
}
