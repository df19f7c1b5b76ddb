//! What is remembered of keys. One key's change makes nothing else forgotten.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use moho_iam::authz::Grants;
use moho_iam::policy::PolicyDocument;
use moho_kms::KeptKey;
use moho_terms::{AccountId, KeyId};

use super::bearing::Bearing;
use crate::fresh::{Changes, Keys};

/// How many keys, absent ones among them, are remembered before all are forgotten.
const KEYS: usize = 1 << 16;
/// How many names that no key has.
const ABSENT: usize = 1000;
/// How many bytes of records.
const BYTES: usize = 128 << 20;
/// How many grants, and callers who have none: whoever has sessions chooses how many callers there are.
const GRANTS: usize = 1 << 16;

/// A key as it was last read.
struct Known {
    kept: Arc<KeptKey>,
    /// Whether it may have changed since. What has not is the same `Arc` afterwards.
    stale: bool,
}

/// What is known of the grants on one key.
enum GrantsOn {
    /// There are none, whoever asks.
    Nothing,
    /// By the names of whom they are to; `None` if those have none.
    To(HashMap<Vec<String>, Option<Arc<Grants>>>),
}

impl GrantsOn {
    fn count(&self) -> usize {
        match self {
            Self::Nothing => 1,
            Self::To(known) => known.values().map(|grants| counted(grants.as_ref())).sum(),
        }
    }
}

#[derive(Default)]
pub(super) struct Remembered {
    /// Counts what was forgotten: what was read before must not be remembered after.
    pub(super) epoch: u64,
    kept: HashMap<String, Known>,
    bytes: usize,
    /// Ids that no key has: asking for them again costs no more than asking for one that is there.
    absent: HashMap<String, ()>,
    pub(super) bearing: HashMap<String, Arc<Bearing>>,
    /// By their key.
    grants: HashMap<String, GrantsOn>,
    grant_count: usize,
    aliases: HashMap<AccountId, HashMap<String, KeyId>>,
    alias_count: usize,
    /// Names that no key has, apart, as everybody may ask for them: that makes no other forgotten.
    absent_aliases: HashMap<AccountId, HashSet<String>>,
    absent_alias_count: usize,
    /// What a key that is not there is judged by, by its account.
    pub(super) defaults: HashMap<AccountId, Arc<PolicyDocument>>,
}

/// What is remembered, for all who look.
#[derive(Default)]
pub(crate) struct KeyCache(RwLock<Remembered>);

impl KeyCache {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Remembered> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To remember something that was read when `epoch` was; `None` if something was forgotten since.
    pub(super) fn since(&self, epoch: u64) -> Option<RwLockWriteGuard<'_, Remembered>> {
        let remembered = self.write();
        (remembered.epoch == epoch).then_some(remembered)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Remembered> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what others have changed.
    pub(crate) fn forget(&self, changes: &Changes) {
        let mut remembered = self.write();
        remembered.epoch = remembered.epoch.wrapping_add(1);
        match &changes.keys {
            Keys::These(keys) => keys.iter().for_each(|key| remembered.forget_key(key)),
            Keys::All => remembered.forget_all_keys(),
        }
        match &changes.aliases {
            Keys::These(keys) => remembered.forget_aliases(keys),
            Keys::All => remembered.forget_all_aliases(),
        }
        match &changes.grants {
            Keys::These(keys) => keys.iter().for_each(|key| remembered.forget_grants(key)),
            Keys::All => remembered.forget_all_grants(),
        }
    }

    /// Forgets a key with everything it has, after this process changed it, or failed to as another had.
    pub(crate) fn forget_key(&self, key: &KeyId) {
        let mut remembered = self.write();
        remembered.epoch = remembered.epoch.wrapping_add(1);
        remembered.forget_key(key.as_str());
        remembered.forget_grants(key.as_str());
    }

    /// Forgets a key with everything it has and all aliases, after it was removed.
    pub(super) fn forget_removed(&self, key: &KeyId) {
        let mut remembered = self.write();
        remembered.epoch = remembered.epoch.wrapping_add(1);
        remembered.forget_key(key.as_str());
        remembered.forget_grants(key.as_str());
        remembered.forget_all_aliases();
    }

    /// Forgets the aliases of some keys.
    pub(super) fn forget_aliases(&self, keys: &[&KeyId]) {
        let mut remembered = self.write();
        remembered.epoch = remembered.epoch.wrapping_add(1);
        let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        remembered.forget_aliases(&keys);
    }

    /// Forgets the grants on a key.
    pub(super) fn forget_grants(&self, key: &KeyId) {
        let mut remembered = self.write();
        remembered.epoch = remembered.epoch.wrapping_add(1);
        remembered.forget_grants(key.as_str());
    }
}

impl Remembered {
    /// The key of this id, if that is known: `Some(None)` if there is none.
    pub(super) fn key(&self, id: &str) -> Option<Option<&Arc<KeptKey>>> {
        match self.kept.get(id) {
            Some(known) if !known.stale => Some(Some(&known.kept)),
            Some(_) => None,
            None => self.absent.contains_key(id).then_some(None),
        }
    }

    /// Remembers what was read of a key. What has not changed stays the same.
    pub(super) fn remember_key(&mut self, id: &str, found: Option<KeptKey>) -> Option<Arc<KeptKey>> {
        let was = self.kept.remove(id);
        if let Some(was) = &was {
            self.bytes = self.bytes.saturating_sub(was.kept.record.len());
        }
        let Some(found) = found else {
            if self.absent.len() >= ABSENT {
                self.absent.clear();
            }
            self.absent.insert(id.to_owned(), ());
            return None;
        };
        let kept = match was {
            Some(was) if *was.kept == found => was.kept,
            _ => Arc::new(found),
        };
        if self.kept.len() >= KEYS || self.bytes.saturating_add(kept.record.len()) > BYTES {
            self.forget_all_keys();
        }
        self.bytes = self.bytes.saturating_add(kept.record.len());
        let known = Known {
            kept: Arc::clone(&kept),
            stale: false,
        };
        self.kept.insert(id.to_owned(), known);
        Some(kept)
    }

    pub(super) fn remember_bearing(&mut self, id: &str, bearing: Arc<Bearing>) {
        if self.bearing.len() >= KEYS {
            self.bearing.clear();
        }
        self.bearing.insert(id.to_owned(), bearing);
    }

    /// Whether it is known that there are no grants on a key.
    pub(super) fn has_no_grants(&self, id: &str) -> bool {
        matches!(self.grants.get(id), Some(GrantsOn::Nothing))
    }

    /// The grants on a key to whoever has these names, if they are known: `Some(None)` if there are none.
    pub(super) fn grants(&self, id: &str, names: &[String]) -> Option<Option<&Arc<Grants>>> {
        match self.grants.get(id)? {
            GrantsOn::Nothing => Some(None),
            GrantsOn::To(known) => known.get(names).map(Option::as_ref),
        }
    }

    pub(super) fn remember_no_grants(&mut self, id: &str) {
        self.make_room_for_grants(1);
        self.forget_grants(id);
        self.grants.insert(id.to_owned(), GrantsOn::Nothing);
        self.grant_count = self.grant_count.saturating_add(1);
    }

    pub(super) fn remember_grants(&mut self, id: &str, names: Vec<String>, grants: Option<&Arc<Grants>>) {
        let count = counted(grants);
        self.make_room_for_grants(count);
        let nobody = || GrantsOn::To(HashMap::new());
        if let GrantsOn::To(known) = self.grants.entry(id.to_owned()).or_insert_with(nobody) {
            let was = known.insert(names, grants.cloned());
            let was = was.map_or(0, |grants| counted(grants.as_ref()));
            self.grant_count = self.grant_count.saturating_sub(was).saturating_add(count);
        }
    }

    fn make_room_for_grants(&mut self, count: usize) {
        if self.grant_count.saturating_add(count) > GRANTS {
            self.forget_all_grants();
        }
    }

    /// The key that an alias is of, if that is known: `Some(None)` if there is no such alias.
    pub(super) fn alias(&self, account: AccountId, name: &str) -> Option<Option<&KeyId>> {
        let known = self.aliases.get(&account).and_then(|names| names.get(name));
        let is_absent = || self.absent_aliases.get(&account)?.get(name);
        known.map(Some).or_else(|| is_absent().map(|_| None))
    }

    pub(super) fn remember_alias(&mut self, account: AccountId, name: &str, key: Option<&KeyId>) {
        let Some(key) = key else {
            if self.absent_alias_count >= ABSENT {
                self.forget_absent_aliases();
            }
            self.absent_alias_count = self.absent_alias_count.saturating_add(1);
            let of_account = self.absent_aliases.entry(account).or_default();
            of_account.insert(name.to_owned());
            return;
        };
        if self.alias_count >= KEYS {
            self.forget_names();
        }
        self.alias_count = self.alias_count.saturating_add(1);
        let of_account = self.aliases.entry(account).or_default();
        of_account.insert(name.to_owned(), key.clone());
    }

    fn forget_key(&mut self, id: &str) {
        if let Some(known) = self.kept.get_mut(id) {
            known.stale = true;
        }
        self.absent.remove(id);
        self.bearing.remove(id);
    }

    fn forget_grants(&mut self, id: &str) {
        let forgotten = self.grants.remove(id).map_or(0, |grants| grants.count());
        self.grant_count = self.grant_count.saturating_sub(forgotten);
    }

    /// An alias is found by its name, and conditions ask which aliases a key has.
    fn forget_aliases(&mut self, keys: &[String]) {
        if keys.is_empty() {
            return;
        }
        self.forget_names();
        for key in keys {
            self.bearing.remove(key);
        }
    }

    fn forget_all_keys(&mut self) {
        self.kept.clear();
        self.bytes = 0;
        self.absent.clear();
        self.bearing.clear();
    }

    fn forget_all_aliases(&mut self) {
        self.forget_names();
        self.bearing.clear();
    }

    fn forget_names(&mut self) {
        self.aliases.clear();
        self.alias_count = 0;
        self.forget_absent_aliases();
    }

    fn forget_absent_aliases(&mut self) {
        self.absent_aliases.clear();
        self.absent_alias_count = 0;
    }

    fn forget_all_grants(&mut self) {
        self.grants.clear();
        self.grant_count = 0;
    }
}

/// How much what is known of a caller's grants counts: that there are none counts, too.
fn counted(grants: Option<&Arc<Grants>>) -> usize {
    grants.map_or(1, |grants| grants.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_absent_grants_is_bounded() {
        let mut remembered = Remembered::default();
        let names = |number: usize| vec![number.to_string()];
        for number in 0..GRANTS {
            remembered.remember_grants("one", names(number), None);
        }
        remembered.remember_grants("one", names(0), None);
        remembered.forget_grants("one");
        assert_eq!(remembered.grant_count, 0);
        for number in 0..=GRANTS {
            remembered.remember_grants("two", names(number), None);
        }
        assert_eq!(remembered.grant_count, 1);
        assert_eq!(remembered.grants("two", &names(GRANTS)), Some(None));
        assert_eq!(remembered.grants("two", &names(0)), None);
        remembered.forget_grants("two");
        for number in 0..=GRANTS {
            remembered.remember_no_grants(&number.to_string());
        }
        assert_eq!((remembered.grants.len(), remembered.grant_count), (1, 1));
        let last = GRANTS.to_string();
        assert!(remembered.has_no_grants(&last) && !remembered.has_no_grants("0"));
        assert_eq!(remembered.grants(&last, &names(0)), Some(None));
        remembered.forget_grants(&last);
        assert_eq!(
            (remembered.has_no_grants(&last), remembered.grant_count),
            (false, 0)
        );
    }

    #[test]
    fn names_that_no_key_has_make_no_other_forgotten() {
        let mut remembered = Remembered::default();
        let account: AccountId = "111122223333".parse().unwrap();
        let key: KeyId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
        remembered.remember_alias(account, "alias/there", Some(&key));
        for number in 0..=2 * ABSENT {
            let name = format!("alias/{number}");
            remembered.remember_alias(account, &name, None);
            assert_eq!(remembered.alias(account, &name), Some(None));
        }
        assert_eq!(remembered.alias(account, "alias/there"), Some(Some(&key)));
        assert!(remembered.absent_alias_count <= ABSENT);
        assert_eq!(remembered.alias(account, "alias/0"), None);
        remembered.forget_aliases(&[key.to_string()]);
        let last = format!("alias/{}", 2 * ABSENT);
        assert_eq!(remembered.alias(account, &last), None, "it may be there now");
        assert_eq!(remembered.alias(account, "alias/there"), None);
    }
}
