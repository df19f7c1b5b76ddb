//! What was made lately and would be made again for the next request: bounded, and forgotten without harm.
//!
//! Keys are digests of everything that the value depends on, secrets included, so that nothing is ever found under
//! somebody else's; and only what was checked is put in, so that strangers push nothing out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;

/// A digest of all that a value depends on.
pub(super) type Key = [u8; 32];

/// SHA-256 of `parts`, each with its length.
pub(super) fn key(parts: &[&[u8]]) -> Key {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    key
}

/// At most twice `capacity` values: those used since half of it last filled up, and those used before that.
pub(super) struct Recent<V> {
    capacity: usize,
    halves: Mutex<Halves<V>>,
}

struct Halves<V> {
    young: HashMap<Key, V>,
    old: HashMap<Key, V>,
}

impl<V: Clone> Recent<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            halves: Mutex::new(Halves {
                young: HashMap::new(),
                old: HashMap::new(),
            }),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<V> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = halves.young.get(key) {
            return Some(value.clone());
        }
        let value = halves.old.remove(key)?;
        self.put(&mut halves, *key, value.clone());
        Some(value)
    }

    pub(super) fn insert(&self, key: Key, value: V) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut halves, key, value);
    }

    fn put(&self, halves: &mut Halves<V>, key: Key, value: V) {
        if halves.young.len() >= self.capacity {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let recent = Recent::new(4);
        let name = |i: u32| key(&[&i.to_be_bytes()]);
        recent.insert(name(0), 0);
        for i in 1..100 {
            recent.insert(name(i), i);
            assert_eq!(recent.get(&name(0)), Some(0), "{i}");
            let halves = recent.halves.lock().unwrap();
            assert!(halves.young.len() <= 4 && halves.old.len() <= 4);
        }
        assert_eq!(recent.get(&name(50)), None);
        assert_eq!(recent.get(&name(99)), Some(99));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
    }
}
