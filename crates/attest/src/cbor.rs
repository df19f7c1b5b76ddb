//! CBOR (RFC 8949) as evidence must be written: definite lengths, shortest numbers, no key twice, nothing behind the end.
//!
//! A borrowing reader: what it returns points into the input, so that nothing is allocated by what a length claims.

/// Deepest nesting of an item that is passed over.
const DEEPEST: u8 = 8;

/// Bytes that are not CBOR of the strict form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// They end in the middle of an item.
    #[error("it ends in the middle of an item")]
    CutShort,
    /// A number or length is written longer than it need be.
    #[error("a number is not written in its shortest form")]
    NotShortest,
    /// A string, array or map says its end instead of its length.
    #[error("an item has an indefinite length")]
    Indefinite,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    NotText,
    /// A simple value, a float, or a head that RFC 8949 reserves.
    #[error("an item is of a kind that evidence does not have")]
    Unknown,
    /// An item is nested deeper than any of evidence.
    #[error("items are nested too deeply")]
    TooDeep,
    /// There are bytes behind the end.
    #[error("there are bytes behind its end")]
    Trailing,
    /// The item is of another kind than expected here.
    #[error("there is {0} expected and something else found")]
    Expected(&'static str),
}

/// One item's head, with what it holds if that is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// 0 to 2⁶⁴ − 1.
    Unsigned(u64),
    /// −1 − n.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// So many items follow.
    Array(u64),
    /// So many pairs follow.
    Map(u64),
    /// One item follows.
    Tag(u64),
    Bool(bool),
    Null,
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cbor<'a>(&'a [u8]);

impl<'a> Cbor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next item's head.
    pub(crate) fn item(&mut self) -> Result<Item<'a>, CborError> {
        let (&head, rest) = self.0.split_first().ok_or(CborError::CutShort)?;
        self.0 = rest;
        let (kind, short) = (head >> 5, head & 0x1f);
        if kind == 7 {
            return match short {
                20 => Ok(Item::Bool(false)),
                21 => Ok(Item::Bool(true)),
                22 => Ok(Item::Null),
                31 => Err(CborError::Indefinite),
                _ => Err(CborError::Unknown),
            };
        }
        let number = self.number(short)?;
        Ok(match kind {
            0 => Item::Unsigned(number),
            1 => Item::Negative(number),
            2 => Item::Bytes(self.take(number)?),
            3 => Item::Text(std::str::from_utf8(self.take(number)?).map_err(|_not| CborError::NotText)?),
            4 => Item::Array(number),
            5 => Item::Map(number),
            _ => Item::Tag(number),
        })
    }

    fn number(&mut self, short: u8) -> Result<u64, CborError> {
        let (length, least) = match short {
            0..=23 => return Ok(u64::from(short)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return Err(CborError::Indefinite),
            _ => return Err(CborError::Unknown),
        };
        let number = self
            .take(length)?
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        if number < least {
            return Err(CborError::NotShortest);
        }
        Ok(number)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_too_long| CborError::CutShort)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CborError::CutShort)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let Item::Bytes(bytes) = self.item()? else {
            return Err(CborError::Expected("a byte string"));
        };
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CborError> {
        let Item::Text(text) = self.item()? else {
            return Err(CborError::Expected("text"));
        };
        Ok(text)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, CborError> {
        let Item::Unsigned(number) = self.item()? else {
            return Err(CborError::Expected("a number"));
        };
        Ok(number)
    }

    pub(crate) fn array(&mut self) -> Result<u64, CborError> {
        let Item::Array(count) = self.item()? else {
            return Err(CborError::Expected("an array"));
        };
        Ok(count)
    }

    pub(crate) fn map(&mut self) -> Result<u64, CborError> {
        let Item::Map(count) = self.item()? else {
            return Err(CborError::Expected("a map"));
        };
        Ok(count)
    }

    /// The head of a map of an indefinite length, if one is next: its pairs go on until [`Self::at_break`].
    ///
    /// For the one place where a real issuer writes one; every other is refused by [`Self::item`].
    pub(crate) fn indefinite_map(&mut self) -> bool {
        self.passed(0xbf)
    }

    /// The end of what has an indefinite length, if it is next.
    pub(crate) fn at_break(&mut self) -> bool {
        self.passed(0xff)
    }

    fn passed(&mut self, head: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == head => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// A byte string, or nothing where null stands.
    pub(crate) fn bytes_or_null(&mut self) -> Result<Option<&'a [u8]>, CborError> {
        let item = self.item()?;
        if item == Item::Null {
            return Ok(None);
        }
        let Item::Bytes(bytes) = item else {
            return Err(CborError::Expected("a byte string or null"));
        };
        Ok(Some(bytes))
    }

    /// Passes over one item with everything in it.
    pub(crate) fn skip(&mut self) -> Result<(), CborError> {
        self.skip_within(DEEPEST)
    }

    fn skip_within(&mut self, depth: u8) -> Result<(), CborError> {
        let depth = depth.checked_sub(1).ok_or(CborError::TooDeep)?;
        let inside = match self.item()? {
            Item::Array(count) => count,
            Item::Map(count) => count.checked_mul(2).ok_or(CborError::CutShort)?,
            Item::Tag(_) => 1,
            Item::Unsigned(_)
            | Item::Negative(_)
            | Item::Bytes(_)
            | Item::Text(_)
            | Item::Bool(_)
            | Item::Null => 0,
        };
        for _ in 0..inside {
            self.skip_within(depth)?;
        }
        Ok(())
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Result<(), CborError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(CborError::Trailing)
        }
    }
}

/// Writes a byte string.
pub(crate) fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    write_head(2, bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

/// Writes the head of an item of a major type, in its shortest form.
pub(crate) fn write_head(kind: u8, number: u64, to: &mut Vec<u8>) {
    let kind = kind << 5;
    let digits = number.to_be_bytes();
    let (short, length) = match number {
        0..=23 => {
            to.push(kind | digits[7]);
            return;
        }
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    to.push(kind | short);
    to.extend(digits.iter().skip(8 - length));
}

#[cfg(test)]
mod tests {
    use super::*;
    use moho_terms::hex;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Item<'static>, CborError> {
        let bytes = hex::decode_within(text, 64).unwrap().leak();
        let mut cbor = Cbor::new(bytes);
        let item = cbor.item()?;
        cbor.end()?;
        Ok(item)
    }

    #[test]
    fn the_examples_of_rfc_8949_are_read() {
        for (text, item) in [
            ("00", Item::Unsigned(0)),
            ("17", Item::Unsigned(23)),
            ("1818", Item::Unsigned(24)),
            ("1903e8", Item::Unsigned(1000)),
            ("1bffffffffffffffff", Item::Unsigned(u64::MAX)),
            ("3863", Item::Negative(99)),
            ("4401020304", Item::Bytes(&[1, 2, 3, 4])),
            ("6449455446", Item::Text("IETF")),
            ("80", Item::Array(0)),
            ("a0", Item::Map(0)),
            ("d2", Item::Tag(18)),
            ("f4", Item::Bool(false)),
            ("f6", Item::Null),
        ] {
            assert_eq!(read(text), Ok(item), "{text}");
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for (text, error) in [
            ("", CborError::CutShort),
            ("1800", CborError::NotShortest),
            ("190017", CborError::NotShortest),
            ("1a0000ffff", CborError::NotShortest),
            ("1b00000000ffffffff", CborError::NotShortest),
            ("580161", CborError::NotShortest),
            ("5f42010243030405ff", CborError::Indefinite),
            ("7f61616161ff", CborError::Indefinite),
            ("9f01ff", CborError::Indefinite),
            ("bf6161f6ff", CborError::Indefinite),
            ("ff", CborError::Indefinite),
            ("61ff", CborError::NotText),
            ("f7", CborError::Unknown),
            ("f90000", CborError::Unknown),
            ("1c", CborError::Unknown),
            ("5bffffffffffffffff00", CborError::CutShort),
            ("0000", CborError::Trailing),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn passing_over_an_item_is_bounded_in_depth() {
        let mut nested = vec![0x81_u8; 7];
        nested.push(0);
        assert_eq!(Cbor::new(&nested).skip(), Ok(()));
        nested.insert(0, 0x81);
        assert_eq!(Cbor::new(&nested).skip(), Err(CborError::TooDeep));
    }

    proptest! {
        #[test]
        fn heads_are_read_as_they_were_written(kind in 0_u8..7, number: u64, shift in 0_u32..64) {
            let number = number >> shift;
            let mut bytes = Vec::new();
            write_head(kind, number, &mut bytes);
            let head = Cbor(&bytes).item();
            let read = match head {
                Ok(Item::Unsigned(n) | Item::Negative(n) | Item::Array(n) | Item::Map(n) | Item::Tag(n)) => n,
                Ok(Item::Bytes(b"") | Item::Text("")) => 0,
                Err(CborError::CutShort) => number,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(read, number);
        }

        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut cbor = Cbor::new(&bytes);
            let before = cbor.0.len();
            if cbor.skip().is_ok() {
                prop_assert!(cbor.0.len() < before);
            }
        }
    }
}
