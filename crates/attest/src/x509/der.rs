//! DER (X.690), read in place: definite lengths in their shortest form, and tags of one byte, as certificates have them.

use moho_terms::Timestamp;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Bytes that are not DER, or not of the structure expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerError {
    /// They end in the middle of an element.
    #[error("it ends in the middle of an element")]
    CutShort,
    /// A length is indefinite, or longer than it need be.
    #[error("a length is not written in its shortest definite form")]
    Length,
    /// Another element stands where this one must.
    #[error("there is {0} expected and something else found")]
    Expected(&'static str),
    /// There are bytes behind the end.
    #[error("there are bytes behind its end")]
    Trailing,
    /// A value is not in its one encoding.
    #[error("{0} is not in its one encoding")]
    Value(&'static str),
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag, what it holds, and both with the length as they stand.
    fn element(&mut self) -> Result<(u8, &'a [u8], &'a [u8]), DerError> {
        let whole = self.0;
        let (&tag, rest) = whole.split_first().ok_or(DerError::CutShort)?;
        let (&short, rest) = rest.split_first().ok_or(DerError::CutShort)?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest
                    .split_at_checked(usize::from(short & 0x7f))
                    .ok_or(DerError::CutShort)?;
                let length = digits
                    .iter()
                    .fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
                if digits.first() == Some(&0) || length < 0x80 {
                    return Err(DerError::Length);
                }
                (length, rest)
            }
            _ => return Err(DerError::Length),
        };
        let (held, behind) = rest.split_at_checked(length).ok_or(DerError::CutShort)?;
        self.0 = behind;
        let taken = whole.len().saturating_sub(behind.len());
        Ok((tag, held, whole.get(..taken).ok_or(DerError::CutShort)?))
    }

    /// Any element: its tag and what it holds.
    pub(crate) fn any(&mut self) -> Result<(u8, &'a [u8]), DerError> {
        self.element().map(|(tag, held, _)| (tag, held))
    }

    /// What an element of this tag holds.
    pub(crate) fn expect(&mut self, tag: u8, name: &'static str) -> Result<&'a [u8], DerError> {
        match self.element()? {
            (found, held, _) if found == tag => Ok(held),
            _ => Err(DerError::Expected(name)),
        }
    }

    /// An element of this tag, with tag and length: as it was signed, or is to be compared.
    pub(crate) fn whole(&mut self, tag: u8, name: &'static str) -> Result<&'a [u8], DerError> {
        match self.element()? {
            (found, _, whole) if found == tag => Ok(whole),
            _ => Err(DerError::Expected(name)),
        }
    }

    /// What an element of this tag holds, if the next is one.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, DerError> {
        if self.peek() == Some(tag) {
            self.any().map(|(_, held)| Some(held))
        } else {
            Ok(None)
        }
    }

    /// The bytes of a bit string that has whole bytes only.
    pub(crate) fn whole_bits(&mut self, name: &'static str) -> Result<&'a [u8], DerError> {
        match self.expect(BIT_STRING, name)?.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(DerError::Value(name)),
        }
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, DerError> {
        match self.expect(BOOLEAN, "a truth value")? {
            [0xff] => Ok(true),
            [0] => Ok(false),
            _ => Err(DerError::Value("a truth value")),
        }
    }

    /// The digits of a number that is not negative, without the zero that keeps it so.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        const NUMBER: &str = "a number that is not negative";
        match self.expect(INTEGER, NUMBER)? {
            [0] => Ok(&[0]),
            [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
            digits @ [1..=0x7f, ..] => Ok(digits),
            _ => Err(DerError::Value(NUMBER)),
        }
    }

    /// A number below 256.
    pub(crate) fn small(&mut self) -> Result<u8, DerError> {
        match self.unsigned()? {
            [number] => Ok(*number),
            _ => Err(DerError::Value("a small number")),
        }
    }

    /// A moment as RFC 5280, 4.1.2.5 writes it: UTC, with seconds, without fractions.
    pub(crate) fn moment(&mut self) -> Result<Timestamp, DerError> {
        const MOMENT: &str = "a time";
        let (tag, digits) = self.any()?;
        let digits = std::str::from_utf8(digits).map_err(|_not_text| DerError::Value(MOMENT))?;
        let (century, digits) = match (tag, digits.as_bytes()) {
            (UTC_TIME, [b'0'..=b'4', ..]) if digits.len() == 13 => ("20", digits),
            (UTC_TIME, _) if digits.len() == 13 => ("19", digits),
            (GENERALIZED_TIME, _) if digits.len() == 15 => ("", digits),
            (UTC_TIME | GENERALIZED_TIME, _) => return Err(DerError::Value(MOMENT)),
            _ => return Err(DerError::Expected(MOMENT)),
        };
        let text = format!("{century}{digits}");
        let (date, time) = text.split_at_checked(8).ok_or(DerError::Value(MOMENT))?;
        Timestamp::parse_iso8601_basic(&format!("{date}T{time}")).map_err(|_none| DerError::Value(MOMENT))
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Result<(), DerError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(DerError::Trailing)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_form() {
        assert_eq!(Der::new(&[0x04, 0x01, 7]).any(), Ok((4, [7].as_slice())));
        let mut long = vec![0x04, 0x81, 0x80];
        long.resize(0x83, 0);
        assert_eq!(Der::new(&long).any().unwrap().1.len(), 0x80);
        for (bytes, error) in [
            (&[0x04, 0x80, 0, 0][..], DerError::Length),
            (&[0x04, 0x81, 0x01, 7], DerError::Length),
            (&[0x04, 0x82, 0x00, 0x81], DerError::Length),
            (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], DerError::Length),
            (&[0x04, 0x83, 0xff, 0xff, 0xff], DerError::CutShort),
            (&[0x04, 0x02, 7], DerError::CutShort),
            (&[0x04], DerError::CutShort),
            (&[], DerError::CutShort),
        ] {
            assert_eq!(Der::new(bytes).any(), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn numbers_and_truth_values_have_one_form() {
        assert_eq!(Der::new(&[2, 1, 0]).unsigned(), Ok([0].as_slice()));
        assert_eq!(Der::new(&[2, 2, 0, 0x80]).unsigned(), Ok([0x80].as_slice()));
        for bytes in [&[2, 0][..], &[2, 1, 0x80], &[2, 2, 0, 1], &[2, 2, 0, 0]] {
            assert!(Der::new(bytes).unsigned().is_err(), "{bytes:02x?}");
        }
        assert_eq!(Der::new(&[1, 1, 0xff]).boolean(), Ok(true));
        assert!(Der::new(&[1, 1, 1]).boolean().is_err());
    }

    #[test]
    fn moments_are_utc_with_seconds() {
        let moment = |tag: u8, text: &str| {
            let mut bytes = vec![tag, u8::try_from(text.len()).unwrap()];
            bytes.extend_from_slice(text.as_bytes());
            Der::new(&bytes).moment().map(|time| time.to_string())
        };
        assert_eq!(moment(0x17, "491231235959Z").unwrap(), "2049-12-31T23:59:59Z");
        assert_eq!(moment(0x17, "991231235959Z").unwrap(), "1999-12-31T23:59:59Z");
        assert_eq!(moment(0x18, "20500101000000Z").unwrap(), "2050-01-01T00:00:00Z");
        for (tag, text) in [
            (0x17, "4912312359Z"),
            (0x17, "491231235959+0100"),
            (0x18, "20500101000000.5Z"),
            (0x18, "20501301000000Z"),
            (0x17, "49123123595é"),
            (0x0c, "20500101000000Z"),
        ] {
            assert!(moment(tag, text).is_err(), "{text}");
        }
    }
}
