//! What each key was last used for, as the journal hears it: names and times, kept in memory since the start.
//!
//! The journal hears of a use before it happens, and also of keys that are nowhere. So what a request to KMS may use waits
//! until it is done, and counts only if it succeeded; whoever names what is not there makes nothing be forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moho_iam::authz::{Entry, Outcome};
use moho_terms::{Arn, RequestId, Timestamp};

/// How many keys of an account are remembered before all of them are forgotten, which is then when tracking began.
const MOST: usize = 1 << 16;

/// One use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastKeyUse {
    /// The operation, as `GetKeyLastUsage` calls it.
    pub(crate) operation: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) request: RequestId,
}

/// What each key was last used for.
pub(crate) struct KeyUse {
    /// When it began.
    start: Timestamp,
    tracked: Mutex<Tracked>,
}

#[derive(Default)]
struct Tracked {
    /// What requests that are not done yet may use.
    begun: HashMap<RequestId, Vec<(Arn, LastKeyUse)>>,
    /// By account.
    accounts: HashMap<String, OfAccount>,
}

struct OfAccount {
    since: Timestamp,
    uses: HashMap<Arn, LastKeyUse>,
}

/// A request to KMS. Dropping it forgets what it would have used.
pub(crate) struct BegunUse<'a> {
    uses: &'a KeyUse,
    request: &'a RequestId,
}

impl KeyUse {
    /// Nothing, since `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            start: now,
            tracked: Mutex::default(),
        }
    }

    /// Since when uses of a key are remembered.
    pub(crate) fn since(&self, key: &Arn) -> Timestamp {
        let tracked = self.tracked();
        let account = tracked.accounts.get(key.account());
        account.map_or(self.start, |account| account.since)
    }

    /// What a key was last used for.
    pub(crate) fn last(&self, key: &Arn) -> Option<LastKeyUse> {
        let tracked = self.tracked();
        tracked.accounts.get(key.account())?.uses.get(key).cloned()
    }

    /// Has what a request to KMS is allowed wait until that succeeded.
    pub(crate) fn begin<'a>(&'a self, request: &'a RequestId) -> BegunUse<'a> {
        self.tracked().begun.insert(request.clone(), Vec::new());
        BegunUse { uses: self, request }
    }

    /// Takes note of an entry that was written down.
    pub(super) fn written(&self, entry: &Entry) {
        let operation = entry.action.and_then(cryptographic);
        let (Some(operation), Some(key)) = (operation, &entry.resource) else {
            return;
        };
        if entry.outcome != Outcome::Allow || entry.reason != "allowed" {
            return;
        }
        let last = LastKeyUse {
            operation,
            at: entry.time,
            request: entry.request_id.clone(),
        };
        let mut tracked = self.tracked();
        if let Some(begun) = tracked.begun.get_mut(&entry.request_id) {
            begun.push((key.clone(), last));
        } else if entry.via_service.is_some() {
            // A key that an account has chosen for what it stores: nobody names it in a request.
            self.note(&mut tracked, key.clone(), last);
        }
    }

    fn note(&self, tracked: &mut Tracked, key: Arn, last: LastKeyUse) {
        let account = tracked.accounts.entry(key.account().to_owned());
        let account = account.or_insert_with(|| OfAccount {
            since: self.start,
            uses: HashMap::new(),
        });
        if account.uses.len() >= MOST && !account.uses.contains_key(&key) {
            account.uses.clear();
            account.since = last.at;
        }
        account.uses.insert(key, last);
    }

    fn tracked(&self) -> MutexGuard<'_, Tracked> {
        self.tracked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BegunUse<'_> {
    /// It did what it was to do.
    pub(crate) fn succeeded(self) {
        let mut tracked = self.uses.tracked();
        for (key, last) in tracked.begun.remove(self.request).unwrap_or_default() {
            self.uses.note(&mut tracked, key, last);
        }
    }
}

impl Drop for BegunUse<'_> {
    fn drop(&mut self) {
        self.uses.tracked().begun.remove(self.request);
    }
}

/// The operation of an action that uses a key's material.
fn cryptographic(action: &'static str) -> Option<&'static str> {
    let operation = action.strip_prefix("kms:")?;
    match operation {
        "ReEncryptFrom" | "ReEncryptTo" => Some("ReEncrypt"),
        "Encrypt"
        | "Decrypt"
        | "GenerateDataKey"
        | "GenerateDataKeyWithoutPlaintext"
        | "GenerateDataKeyPair"
        | "GenerateDataKeyPairWithoutPlaintext"
        | "Sign"
        | "Verify"
        | "GenerateMac"
        | "VerifyMac"
        | "DeriveSharedSecret"
        | "Encapsulate"
        | "Decapsulate" => Some(operation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:moho-local-1:123456789012:key/11111111-2222-4333-8444-555555555555";

    fn entry(action: &'static str, outcome: Outcome, second: u64) -> Entry {
        Entry {
            time: Timestamp::from_unix_seconds(second),
            action: Some(action),
            resource: Some(KEY.parse().unwrap()),
            outcome,
            reason: "allowed",
            ..super::super::watched::tests::entry()
        }
    }

    fn done(uses: &KeyUse, entry: &Entry) {
        let begun = uses.begin(&entry.request_id);
        uses.written(entry);
        begun.succeeded();
    }

    #[test]
    fn the_last_use_is_the_last_that_was_allowed_and_used_the_material() {
        let uses = KeyUse::new(Timestamp::from_unix_seconds(1));
        let key: Arn = KEY.parse().unwrap();
        assert_eq!(uses.last(&key), None);
        done(&uses, &entry("kms:Encrypt", Outcome::Allow, 2));
        done(&uses, &entry("kms:ReEncryptTo", Outcome::Allow, 3));
        done(&uses, &entry("kms:Decrypt", Outcome::Deny, 4));
        done(&uses, &entry("kms:DescribeKey", Outcome::Allow, 5));
        let last = uses.last(&key).unwrap();
        assert_eq!((last.operation, last.at.unix_seconds()), ("ReEncrypt", 3));
        assert_eq!(uses.since(&key).unix_seconds(), 1);
    }

    #[test]
    fn what_fails_was_no_use_and_what_a_service_does_is_one() {
        let uses = KeyUse::new(Timestamp::from_unix_seconds(1));
        let key: Arn = KEY.parse().unwrap();
        let failing = entry("kms:Encrypt", Outcome::Allow, 2);
        let begun = uses.begin(&failing.request_id);
        uses.written(&failing);
        drop(begun);
        uses.written(&failing);
        assert_eq!(uses.last(&key), None);
        assert!(uses.tracked().begun.is_empty());
        uses.written(&Entry {
            via_service: Some("bedrock.r.amazonaws.com".to_owned()),
            ..entry("kms:Decrypt", Outcome::Allow, 3)
        });
        assert_eq!(uses.last(&key).unwrap().operation, "Decrypt");
    }

    #[test]
    fn an_account_with_too_many_keys_forgets_its_own_alone() {
        let uses = KeyUse::new(Timestamp::from_unix_seconds(1));
        let key: Arn = KEY.parse().unwrap();
        done(&uses, &entry("kms:Encrypt", Outcome::Allow, 2));
        let other = |number: usize| -> Arn {
            format!("arn:aws:kms:r:210987654321:key/{number}")
                .parse()
                .unwrap()
        };
        let use_of = |number| Entry {
            resource: Some(other(number)),
            ..entry("kms:Sign", Outcome::Allow, 3)
        };
        (0..=MOST).for_each(|number| done(&uses, &use_of(number)));
        assert_eq!(
            (uses.last(&other(0)), uses.since(&other(0)).unix_seconds()),
            (None, 3)
        );
        assert!(uses.last(&other(MOST)).is_some() && uses.last(&key).is_some());
        assert_eq!(uses.since(&key).unix_seconds(), 1);
    }
}
