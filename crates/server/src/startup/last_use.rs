//! When roles and users last used which service, gathered from the journal as it is written.
//!
//! It holds names and times only. What is new is in memory; every few seconds it is kept in the store, with how far the journal
//! was gathered. After a crash the rest is gathered from the journal again, so nothing that was written down is forgotten.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use moho_audit::{AuditError, Past};
use moho_iam::authz::{Entry, Permit, Position};
use moho_store::iam::{Access, IamError, LastAccess, TellsLastUse};
use moho_store::{Store, StoreError};
use moho_terms::{Region, Timestamp};

use super::StartupError;
use crate::road::chain;

/// When who last used what.
pub(crate) struct LastUse {
    store: Arc<Store>,
    region: Region,
    gathered: Mutex<Gathered>,
}

/// What the store does not have yet.
#[derive(Default)]
struct Gathered {
    /// By principal and service.
    accesses: HashMap<(String, String), Timestamp>,
    /// The last record of the journal that was gathered.
    position: u64,
}

impl LastUse {
    /// Gathers what the journal in `directory`, of so many `records`, has behind what the store has.
    pub(super) fn open(
        store: Arc<Store>,
        region: Region,
        directory: &Path,
        records: u64,
    ) -> Result<Self, StartupError> {
        // A loss of power may have taken the journal's end; then its numbers begin again before the mark.
        let mark = store.accesses_kept()?.min(records);
        let gathered = Self {
            store,
            region,
            gathered: Mutex::default(),
        };
        if mark < records {
            gathered.again(directory, mark)?;
        }
        Ok(gathered)
    }

    fn again(&self, directory: &Path, after: u64) -> Result<(), AuditError> {
        moho_audit::replay(directory, after, |past: Past| {
            if let (Some(principal), Some(action)) = (&past.principal, &past.action) {
                self.note(principal, action, past.time, past.position);
            }
        })
    }

    /// Takes note of an entry that was written down.
    pub(super) fn written(&self, entry: &Entry, Position(position): Position) {
        if let (Some(principal), Some(action)) = (&entry.principal, entry.action) {
            self.note(principal.as_str(), action, entry.time, position);
        }
    }

    fn note(&self, principal: &str, action: &str, at: Timestamp, position: u64) {
        let key = who(principal).zip(action.split_once(':'));
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.position = gathered.position.max(position);
        if let Some((who, (service, _))) = key {
            let last = gathered.accesses.entry((who, service.to_owned())).or_insert(at);
            *last = (*last).max(at);
        }
    }

    /// Keeps what is new in the store. What cannot be kept is kept the next time.
    pub(super) fn keep_or_say(&self) {
        if let Err(error) = self.keep() {
            tracing::error!(error = %chain(&error), "when services were last used cannot be written down");
        }
    }

    fn keep(&self) -> Result<(), StoreError> {
        let taken = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            let position = gathered.position;
            Gathered {
                accesses: std::mem::take(&mut gathered.accesses),
                position,
            }
        };
        if taken.accesses.is_empty() {
            return Ok(());
        }
        let accesses: Vec<Access> = taken
            .accesses
            .iter()
            .map(|((principal, service), at)| Access {
                principal: principal.clone(),
                last: self.last(service, *at),
            })
            .collect();
        let kept = self.store.keep_accesses(&accesses, taken.position);
        if kept.is_err() {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, at) in taken.accesses {
                let last = gathered.accesses.entry(key).or_insert(at);
                *last = (*last).max(at);
            }
        }
        kept
    }

    fn last(&self, service: &str, at: Timestamp) -> LastAccess {
        LastAccess {
            service: service.to_owned(),
            region: self.region.as_str().to_owned(),
            at,
        }
    }

    /// What a role or user (`role/name`, `user/name`) of the permit's account used when, by the names of services; nothing
    /// from before `since`, when another may have had the name.
    pub(crate) fn of<A: TellsLastUse>(
        &self,
        permit: &Permit<A>,
        whose: &str,
        since: Timestamp,
    ) -> Result<Vec<LastAccess>, IamError> {
        // The journal has whole seconds.
        let since = Timestamp::from_unix_seconds(since.unix_seconds());
        let principal = format!("{}/{}", permit.session().account(), whose.to_ascii_lowercase());
        let mut all = self.store.last_accesses(permit, &principal, since)?;
        let gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        for ((who, service), at) in &gathered.accesses {
            if *who != principal || *at < since {
                continue;
            }
            match all.iter_mut().find(|last| last.service == *service) {
                Some(last) => *last = self.last(service, last.at.max(*at)),
                None => all.push(self.last(service, *at)),
            }
        }
        all.sort_by(|one, two| one.service.cmp(&two.service));
        Ok(all)
    }
}

/// `ACCOUNT/role/name` or `ACCOUNT/user/name` of a principal's ARN, in lower case.
fn who(principal: &str) -> Option<String> {
    let mut parts = principal.splitn(6, ':').skip(2);
    let (service, _region, account, resource) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (kind, rest) = resource.split_once('/')?;
    let named = match (service, kind) {
        ("sts", "assumed-role") => format!("{account}/role/{}", rest.split('/').next()?),
        ("iam", "user") => format!("{account}/user/{}", rest.rsplit('/').next()?),
        _ => return None,
    };
    Some(named.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use moho_audit::FileJournal;
    use moho_iam::authz::{Journal as _, Outcome};

    use super::*;

    fn entry(principal: &str, action: &'static str, second: u64) -> Entry {
        Entry {
            time: Timestamp::from_unix_seconds(second),
            principal: Some(principal.parse().unwrap()),
            action: Some(action),
            outcome: Outcome::Deny,
            ..super::super::watched::tests::entry()
        }
    }

    fn pending(last_use: &LastUse) -> Vec<(String, String, u64)> {
        let gathered = last_use.gathered.lock().unwrap();
        let mut all: Vec<_> = gathered
            .accesses
            .iter()
            .map(|((who, service), at)| (who.clone(), service.clone(), at.unix_seconds()))
            .collect();
        all.sort();
        all
    }

    fn opened(directory: &Path, store: &Arc<Store>, records: u64) -> LastUse {
        let region = "moho-local-1".parse().unwrap();
        LastUse::open(Arc::clone(store), region, &directory.join("journal"), records).unwrap()
    }

    const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/Reader/me";

    #[test]
    fn what_was_not_kept_is_gathered_from_the_journal_again() {
        let directory = tempfile::tempdir().unwrap();
        let entropy = crate::system::SystemEntropy::default();
        let root = moho_kms::RootKey::development(&directory.path().join("root.key"), &entropy).unwrap();
        let store = Store::open(&directory.path().join("store"), (&root, &entropy));
        let store = Arc::new(store.unwrap());
        let keys = crate::startup::log_keys(&store, &entropy).unwrap();
        let (journal, _) = FileJournal::open(&directory.path().join("journal"), &keys).unwrap();
        let last_use = opened(directory.path(), &store, 0);
        for (action, second) in [
            ("kms:Decrypt", 10),
            ("bedrock:InvokeModel", 20),
            ("kms:Encrypt", 30),
        ] {
            let entry = entry(ROLE, action, second);
            last_use.written(&entry, journal.record(&entry).unwrap());
        }
        last_use.keep().unwrap();
        assert_eq!(pending(&last_use), []);
        assert_eq!(store.accesses_kept().unwrap(), 3);
        let user = entry("arn:aws:iam::123456789012:user/a/Eve", "sts:AssumeRole", 40);
        last_use.written(&user, journal.record(&user).unwrap());
        let role = entry(ROLE, "kms:Decrypt", 50);
        last_use.written(&role, journal.record(&role).unwrap());
        let lost = pending(&last_use);
        assert_eq!(lost.len(), 2);
        drop((last_use, journal));

        // Nothing of the last two was kept: the journal has them.
        let again = opened(directory.path(), &store, 5);
        assert_eq!(pending(&again), lost);
        again.keep().unwrap();
        assert_eq!(pending(&opened(directory.path(), &store, 5)), []);
        // A journal that lost its end is gathered from there on.
        assert_eq!(pending(&opened(directory.path(), &store, 4)), []);
    }

    #[test]
    fn only_roles_and_users_are_known() {
        assert_eq!(who(ROLE).as_deref(), Some("123456789012/role/reader"));
        assert_eq!(
            who("arn:aws:iam::123456789012:user/a/b/Eve").as_deref(),
            Some("123456789012/user/eve")
        );
        for other in [
            "arn:aws:iam::123456789012:bootstrap",
            "arn:aws:sts::123456789012:federated-user/x",
            "nobody",
        ] {
            assert_eq!(who(other), None, "{other}");
        }
    }
}
