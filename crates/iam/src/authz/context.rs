//! What conditions can ask about a request.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::decision::PolicyUnavailable;
use super::later::Later;

/// A condition key. Keys are compared without regard to case, as IAM does.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// Of the name in lower case: two different keys may have the same.
    hash: u64,
    /// As it was written.
    name: Cow<'static, str>,
}

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            hash: hash(name),
            name: Cow::Owned(name.to_owned()),
        }
    }

    /// A key that is known when the program is compiled.
    pub(crate) const fn known(name: &'static str) -> Self {
        Self {
            hash: hash(name),
            name: Cow::Borrowed(name),
        }
    }

    /// As it was written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Of the name in lower case.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether the name begins with `prefix`, whatever the case.
    fn begins_with(&self, prefix: &str) -> bool {
        let start = self.name.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    }

    /// In the order that contexts keep: by hash, then by name.
    fn order(&self, other: &Self) -> Ordering {
        self.hash.cmp(&other.hash).then_with(|| {
            let lower = |key: &'_ Self| key.name.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
            if self.name == other.name || self.name.eq_ignore_ascii_case(&other.name) {
                Ordering::Equal
            } else {
                let (own, others): (Vec<u8>, Vec<u8>) = (lower(self), lower(other));
                own.cmp(&others)
            }
        })
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl Eq for Key {}

/// FNV-1a of the text in lower case.
pub(crate) const fn hash(text: &str) -> u64 {
    let mut sum = HASH_OF_NOTHING;
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        sum = hash_on(sum, byte.to_ascii_lowercase());
        rest = after;
    }
    sum
}

/// The hash of no text.
pub(crate) const HASH_OF_NOTHING: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of a text with one byte more, which is in lower case.
pub(crate) const fn hash_on(sum: u64, byte: u8) -> u64 {
    (sum ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

/// One key with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Key,
    values: Values,
}

/// Nearly every key has one value.
#[derive(Debug, Clone)]
enum Values {
    One(String),
    Many(Vec<String>),
}

impl Values {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Values {}

/// What the keys of an encryption context's pairs begin with.
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:";
/// Which keys the pairs have.
const ENCRYPTION_CONTEXT_KEYS: Key = Key::known("kms:EncryptionContextKeys");

/// Whether a key tells of one pair of an encryption context.
fn tells_a_pair(key: &Key) -> bool {
    key.begins_with(ENCRYPTION_CONTEXT)
}

/// An encryption context, and as conditions ask about it.
#[derive(Debug)]
struct EncryptionPairs {
    /// To the letter, which condition keys do not tell.
    letter: Arc<BTreeMap<String, String>>,
    /// As condition keys, once somebody asked for one of them. Few policies do.
    told: OnceLock<Vec<Entry>>,
}

impl EncryptionPairs {
    fn told(&self) -> &[Entry] {
        self.told.get_or_init(|| {
            let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (key, value) in &*self.letter {
                let key = format!("{ENCRYPTION_CONTEXT}{}", key.to_ascii_lowercase());
                values.entry(key).or_default().push(value.clone());
            }
            let of_pair = |(key, values): (String, Vec<String>)| Entry {
                key: Key::new(&key),
                values: Values::Many(values),
            };
            let mut entries: Vec<Entry> = values.into_iter().map(of_pair).collect();
            if !self.letter.is_empty() {
                entries.push(Entry {
                    key: ENCRYPTION_CONTEXT_KEYS,
                    values: Values::Many(self.letter.keys().cloned().collect()),
                });
            }
            entries.sort_by(|one, other| one.key.order(&other.key));
            entries
        })
    }

    fn get(&self, key: &Key) -> Option<&Entry> {
        if !tells_a_pair(key) && *key != ENCRYPTION_CONTEXT_KEYS {
            return None;
        }
        let told = self.told();
        let at = told.binary_search_by(|entry| entry.key.order(key)).ok()?;
        told.get(at)
    }
}

impl PartialEq for EncryptionPairs {
    fn eq(&self, other: &Self) -> bool {
        self.letter == other.letter
    }
}

impl Eq for EncryptionPairs {}

/// Condition keys with their values. Keys are compared without regard to case, as IAM does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    entries: Vec<Entry>,
    /// What the resource is: stronger than the entries.
    resource: Option<Arc<Self>>,
    /// The encryption context: weaker than the entries.
    encryption: Option<Arc<EncryptionPairs>>,
    /// Which of a key's grants the request is about.
    grant: Option<String>,
    /// What is found out if somebody asks.
    later: Option<Arc<Later>>,
}

impl Context {
    /// No keys at all. The keys that every request has are added by the [`Authorizer`](super::Authorizer), which
    /// overwrites what a caller set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With `key` set to one value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.put(Key::new(key), Values::One(value.into()));
        self
    }

    /// With an encryption context: to the letter, for grants, and as conditions ask about it, `kms:EncryptionContext:KEY`
    /// for every pair and `kms:EncryptionContextKeys`. Conditions do not tell keys apart by case: such keys share their
    /// values.
    #[must_use]
    pub fn with_encryption_context(mut self, pairs: Arc<BTreeMap<String, String>>) -> Self {
        let told_by_hand = |key: &Key| tells_a_pair(key) || *key == ENCRYPTION_CONTEXT_KEYS;
        self.entries.retain(|entry| !told_by_hand(&entry.key));
        self.encryption = Some(Arc::new(EncryptionPairs {
            letter: pairs,
            told: OnceLock::new(),
        }));
        self
    }

    /// The encryption context to the letter; `None` if the request has none to speak of.
    #[must_use]
    pub fn encryption_context(&self) -> Option<&BTreeMap<String, String>> {
        self.encryption.as_ref().map(|pairs| &*pairs.letter)
    }

    /// With the keys that begin with `prefix`, by what follows it, which `find` finds out: only if a policy that bears on the
    /// request asks for such a key, and once for all decisions about this context and its copies. If that fails, so does the
    /// request.
    #[must_use]
    pub fn with_if_asked(
        mut self,
        prefix: &'static str,
        find: impl Fn() -> Result<Vec<(String, String)>, PolicyUnavailable> + Send + Sync + 'static,
    ) -> Self {
        self.later = Some(Arc::new(Later::new(prefix, find)));
        self
    }

    /// With what is to be found out, if somebody asks for keys that begin so.
    pub(super) fn found_out(
        &self,
        asks: impl FnOnce(&str) -> bool,
    ) -> Result<Cow<'_, Self>, PolicyUnavailable> {
        let Some(later) = self.later.as_ref().filter(|later| asks(later.prefix())) else {
            return Ok(Cow::Borrowed(self));
        };
        let found = later.found()?;
        let mut context = self.with_room(found.len());
        for (name, value) in found {
            context.put_text(&format!("{}{name}", later.prefix()), value);
        }
        Ok(Cow::Owned(context))
    }

    /// About the grant with this id: who may end it is for that grant to say.
    #[must_use]
    pub fn about_grant(mut self, id: impl Into<String>) -> Self {
        self.grant = Some(id.into());
        self
    }

    /// Which grant it is about.
    #[must_use]
    pub fn grant(&self) -> Option<&str> {
        self.grant.as_deref()
    }

    /// With what the resource is.
    pub(super) fn set_resource(&mut self, resource: Option<&Arc<Self>>) {
        self.resource = resource.cloned();
    }

    /// Sets `key` to its values.
    pub fn set(&mut self, key: &str, values: Vec<String>) {
        self.put(Key::new(key), Values::Many(values));
    }

    /// Sets `key` to one value.
    pub(super) fn put_text(&mut self, key: &str, value: &str) {
        self.put(Key::new(key), Values::One(value.to_owned()));
    }

    /// A copy with room for `more` further keys.
    pub(super) fn with_room(&self, more: usize) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len().saturating_add(more));
        entries.extend_from_slice(&self.entries);
        Self {
            entries,
            resource: self.resource.clone(),
            encryption: self.encryption.clone(),
            grant: self.grant.clone(),
            later: self.later.clone(),
        }
    }

    /// Sets `key` to one value, or to none.
    pub(super) fn replace(&mut self, key: Key, value: Option<String>) {
        match value {
            Some(value) => self.put(key, Values::One(value)),
            None => {
                if let Ok(at) = self.place(&key) {
                    self.entries.remove(at);
                }
            }
        }
    }

    fn put(&mut self, key: Key, values: Values) {
        // What is told of a pair by hand is no encryption context to the letter.
        if self.encryption.is_some() && tells_a_pair(&key) {
            let pairs = self.encryption.take();
            for entry in pairs.iter().flat_map(|pairs| pairs.told()) {
                if self.place(&entry.key).is_err() {
                    self.insert(entry.clone());
                }
            }
        }
        self.insert(Entry { key, values });
    }

    fn insert(&mut self, entry: Entry) {
        match self.place(&entry.key) {
            Ok(at) => {
                if let Some(place) = self.entries.get_mut(at) {
                    *place = entry;
                }
            }
            Err(at) => self.entries.insert(at, entry),
        }
    }

    fn place(&self, key: &Key) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.order(key))
    }

    /// The keys that begin with `prefix`, whatever its case, in lower case, with their values, in an order that depends on
    /// the keys alone.
    pub fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (String, &[String])> {
        let resource = self.resource.as_deref();
        let of_resource = resource.map_or(&[][..], |resource| &resource.entries);
        let of_pairs = self.encryption.as_ref().map_or(&[][..], |pairs| pairs.told());
        let is_weaker =
            move |entry: &&Entry| resource.is_some_and(|resource| resource.place(&entry.key).is_ok());
        let own = self.entries.iter().filter(move |entry| !is_weaker(entry));
        let is_told = |entry: &&Entry| self.place(&entry.key).is_ok();
        let of_pairs = of_pairs
            .iter()
            .filter(move |entry| !is_weaker(entry) && !is_told(entry));
        of_resource
            .iter()
            .chain(own)
            .chain(of_pairs)
            .filter(move |entry| entry.key.begins_with(prefix))
            .map(|entry| (entry.key.name.to_ascii_lowercase(), entry.values.as_slice()))
    }

    /// The values of `key`; `None` if the request has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.values(&Key::new(key))
    }

    /// The values of `key`, likewise.
    pub(crate) fn values(&self, key: &Key) -> Option<&[String]> {
        let resource = self.resource.as_deref();
        let of_resource = resource.and_then(|resource| resource.entry(key));
        let of_pairs = || self.encryption.as_ref()?.get(key);
        let entry = of_resource.or_else(|| self.entry(key)).or_else(of_pairs)?;
        Some(entry.values.as_slice())
    }

    fn entry(&self, key: &Key) -> Option<&Entry> {
        self.place(key).ok().and_then(|at| self.entries.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_by_hand_is_stronger_than_an_encryption_context_and_ends_it() {
        let pairs = Arc::new([("Tenant".to_owned(), "one".to_owned())].into());
        let mut context = Context::new()
            .with_encryption_context(pairs)
            .with("kms:EncryptionContextKeys", "by hand");
        assert_eq!(context.get("kms:encryptioncontext:TENANT").unwrap(), ["one"]);
        assert_eq!(context.get("kms:EncryptionContextKeys").unwrap(), ["by hand"]);
        assert!(context.encryption_context().is_some());
        context.set("kms:EncryptionContext:other", vec!["two".to_owned()]);
        assert_eq!(context.encryption_context(), None);
        let told: Vec<_> = context
            .beginning_with("kms:")
            .map(|(key, values)| (key, values.to_vec()))
            .collect();
        assert_eq!(told.len(), 3);
        for (key, value) in [
            ("kms:EncryptionContext:Tenant", "one"),
            ("kms:EncryptionContext:other", "two"),
            ("kms:EncryptionContextKeys", "by hand"),
        ] {
            assert_eq!(context.get(key).unwrap(), [value], "{key}");
        }
    }

    #[test]
    fn keys_are_found_whatever_their_case() {
        let mut context = Context::new().with("aws:SourceIp", "10.0.0.1");
        context.set("AWS:TAGKEYS", vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(context.get("AWS:sourceip").unwrap(), ["10.0.0.1"]);
        assert_eq!(context.get("aws:TagKeys").unwrap(), ["a", "b"]);
        assert_eq!(context.get("aws:tagkey"), None);
        context.set("aws:sourceIP", vec![]);
        assert_eq!(context.get("aws:SourceIp").unwrap(), [""; 0]);
        context.replace(Key::known("aws:sourceip"), None);
        assert_eq!(context.get("aws:SourceIp"), None);
        let found: Vec<_> = context.beginning_with("aws:t").map(|(key, _)| key).collect();
        assert_eq!(found, ["aws:tagkeys"]);
    }

    #[test]
    fn keys_of_one_hash_are_kept_apart() {
        let collide = |name: &'static str| Key {
            hash: 7,
            name: Cow::Borrowed(name),
        };
        let mut context = Context::new();
        for name in ["b", "a", "C"] {
            context.replace(collide(name), Some(name.to_owned()));
        }
        for name in ["a", "b", "C"] {
            assert_eq!(context.values(&collide(name)).unwrap(), [name]);
        }
        assert_eq!(context.values(&collide("c")).unwrap(), ["C"]);
        assert_eq!(context.values(&collide("d")), None);
    }
}
