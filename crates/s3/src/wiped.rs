//! Plaintext that is gathered: what has to move leaves nothing behind, and all of it is wiped in the end.

use bytes::Bytes;
use zeroize::Zeroizing;

/// Bytes that are wiped once nobody has them any more.
pub(crate) struct Gathered(Zeroizing<Vec<u8>>);

impl Gathered {
    /// Nothing yet, with room for so many bytes.
    pub(crate) fn with_room(room: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(room)))
    }

    /// Copies bytes to the end. If there is no room for them, there will be for twice as many, but for no more than `most`.
    pub(crate) fn append(&mut self, bytes: &[u8], most: usize) {
        let length = self.0.len().saturating_add(bytes.len());
        if length > self.0.capacity() {
            let room = length.saturating_mul(2).min(most).max(length);
            let before = std::mem::replace(self, Self::with_room(room));
            self.0.extend_from_slice(&before.0);
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same, to be shared.
    pub(crate) fn freeze(self) -> Bytes {
        if self.is_empty() {
            Bytes::new()
        } else {
            Bytes::from_owner(self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_to_the_most_and_no_further() {
        let mut gathered = Gathered::with_room(4);
        gathered.append(b"abcd", 10);
        assert_eq!(gathered.0.capacity(), 4);
        gathered.append(b"e", 10);
        assert_eq!((gathered.len(), gathered.0.capacity()), (5, 10));
        gathered.append(b"fghij", 10);
        assert_eq!(gathered.0.capacity(), 10);
        assert_eq!(gathered.freeze(), "abcdefghij");
        assert!(Gathered::with_room(7).freeze().is_empty());
    }
}
