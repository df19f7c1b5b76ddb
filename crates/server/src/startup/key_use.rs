//! What each key was last used for, as the journal hears it: names and times, kept in memory since the start.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use moho_iam::authz::{Entry, Outcome};
use moho_terms::{Arn, RequestId, Timestamp};

/// How many keys are remembered before all are forgotten, which is then when tracking began.
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
pub(crate) struct KeyUse(Mutex<Tracked>);

struct Tracked {
    since: Timestamp,
    uses: HashMap<Arn, LastKeyUse>,
}

impl KeyUse {
    /// Nothing, since `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Tracked {
            since: now,
            uses: HashMap::new(),
        }))
    }

    /// Since when uses are remembered.
    pub(crate) fn since(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since
    }

    /// What a key was last used for.
    pub(crate) fn last(&self, key: &Arn) -> Option<LastKeyUse> {
        let tracked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tracked.uses.get(key).cloned()
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
        let mut tracked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tracked.uses.get_mut(key) {
            *known = last;
            return;
        }
        if tracked.uses.len() >= MOST {
            tracked.uses.clear();
            tracked.since = entry.time;
        }
        tracked.uses.insert(key.clone(), last);
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

    #[test]
    fn the_last_use_is_the_last_that_was_allowed_and_used_the_material() {
        let uses = KeyUse::new(Timestamp::from_unix_seconds(1));
        let key: Arn = KEY.parse().unwrap();
        assert_eq!(uses.last(&key), None);
        uses.written(&entry("kms:Encrypt", Outcome::Allow, 2));
        uses.written(&entry("kms:ReEncryptTo", Outcome::Allow, 3));
        uses.written(&entry("kms:Decrypt", Outcome::Deny, 4));
        uses.written(&entry("kms:DescribeKey", Outcome::Allow, 5));
        let last = uses.last(&key).unwrap();
        assert_eq!((last.operation, last.at.unix_seconds()), ("ReEncrypt", 3));
        assert_eq!(uses.since().unix_seconds(), 1);
    }
}
