//! One record as bytes, and the chain that ties each to the one before.
//!
//! ```text
//! {"sequence":7,"previous":"<digest of record 6>","entry":{…},"digest":"<SHA-256, hexadecimal>"}\n
//! ```
//! The digest is that of the line up to the comma before `"digest"`. Anybody can check it with `sha256sum`.

use std::fmt::Write;

use aws_lc_rs::digest;
use moho_attest::log::TreeHash;

/// Longest record, with its line break.
pub(crate) const MAX_RECORD: usize = 64 * 1024;
/// Of the first record, which has none before it.
pub(crate) const GENESIS: Digest = Digest([b'0'; 64]);

const DIGEST_KEY: &[u8] = b",\"digest\":\"";
const END: &[u8] = b"\"}\n";
/// `,"digest":"`, 64 digits, `"}` and the line break.
const TAIL: usize = DIGEST_KEY.len() + 64 + END.len();

/// A SHA-256 in lower-case hexadecimal, as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 64]);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        let mut sum = [0; 32];
        let digest = digest::digest(&digest::SHA256, bytes);
        for (to, from) in sum.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self::from_bytes(sum)
    }

    /// Its 32 bytes.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let value = |digit: u8| match digit {
            b'a'..=b'f' => digit.saturating_sub(b'a').saturating_add(10),
            _ => digit.saturating_sub(b'0') & 15,
        };
        for (byte, pair) in bytes.iter_mut().zip(self.0.chunks_exact(2)) {
            if let [high, low] = pair {
                *byte = value(*high) << 4 | value(*low);
            }
        }
        bytes
    }

    /// The digest of these 32 bytes, as it stands in the file.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut text = [b'0'; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            let digit = |nibble: u8| {
                b"0123456789abcdef"
                    .get(usize::from(nibble))
                    .copied()
                    .unwrap_or(b'0')
            };
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
        }
        Self(text)
    }

    /// The hash of the log's entry that it is.
    pub(crate) fn tree_hash(&self) -> TreeHash {
        TreeHash::of_entry(&self.0)
    }

    pub(crate) fn as_str(&self) -> &str {
        // INVARIANT: only ASCII digits are ever stored by `of`; foreign bytes are only compared, never kept.
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

/// Where the chain stands: the next record's number and the last one's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) next: u64,
    pub(crate) previous: Digest,
}

impl Link {
    /// Before the first record.
    pub(crate) const START: Self = Self {
        next: 1,
        previous: GENESIS,
    };

    /// The record that holds `entry`, which is JSON, and the link after it. `None` if it is too long.
    pub(crate) fn record(&self, entry: &str) -> Option<(Vec<u8>, Self)> {
        let mut line = String::with_capacity(entry.len().saturating_add(256));
        let (next, previous) = (self.next, self.previous.as_str());
        write!(
            line,
            r#"{{"sequence":{next},"previous":"{previous}","entry":{entry}"#
        )
        .ok()?;
        let digest = Digest::of(line.as_bytes());
        let mut record = line.into_bytes();
        record.extend_from_slice(DIGEST_KEY);
        record.extend_from_slice(&digest.0);
        record.extend_from_slice(END);
        (record.len() <= MAX_RECORD).then_some((
            record,
            Self {
                next: self.next.checked_add(1)?,
                previous: digest,
            },
        ))
    }

    /// Checks one whole line, with its line break, and gives the link after it.
    pub(crate) fn check(&self, line: &[u8]) -> Result<Self, &'static str> {
        let record = Record::parse(line)?;
        if record.sequence != self.next {
            return Err("the record's number does not follow the one before");
        }
        if record.previous != self.previous {
            return Err("the record does not continue the one before");
        }
        record.after()
    }
}

/// A line that is sound by itself, whatever is before it.
pub(crate) struct Record {
    sequence: u64,
    previous: Digest,
    digest: Digest,
}

impl Record {
    pub(crate) fn parse(line: &[u8]) -> Result<Self, &'static str> {
        let malformed = "this is not a record";
        if line.len() > MAX_RECORD {
            return Err("the record is too long");
        }
        let (body, tail) = line
            .split_at_checked(line.len().checked_sub(TAIL).ok_or(malformed)?)
            .ok_or(malformed)?;
        let stated = tail
            .strip_prefix(DIGEST_KEY)
            .and_then(|t| t.strip_suffix(END))
            .ok_or(malformed)?;
        let digest = Digest::of(body);
        if stated != digest.0 {
            return Err("the record's digest is not that of its bytes");
        }
        let rest = body.strip_prefix(b"{\"sequence\":").ok_or(malformed)?;
        let comma = rest.iter().position(|b| *b == b',').ok_or(malformed)?;
        let (number, rest) = rest.split_at_checked(comma).ok_or(malformed)?;
        let sequence = std::str::from_utf8(number)
            .ok()
            .and_then(|n| n.parse().ok())
            .ok_or(malformed)?;
        let rest = rest.strip_prefix(b",\"previous\":\"").ok_or(malformed)?;
        let (previous, rest) = rest.split_first_chunk::<64>().ok_or(malformed)?;
        if !rest.starts_with(b"\",\"entry\":") {
            return Err(malformed);
        }
        Ok(Self {
            sequence,
            previous: Digest(*previous),
            digest,
        })
    }

    /// Where the chain stands before this record.
    pub(crate) fn before(&self) -> Link {
        Link {
            next: self.sequence,
            previous: self.previous,
        }
    }

    /// Its number.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What stands for it, and for all before it.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Where it stands after it.
    pub(crate) fn after(&self) -> Result<Link, &'static str> {
        let next = self
            .sequence
            .checked_add(1)
            .ok_or("the record's number is the last there can be")?;
        Ok(Link {
            next,
            previous: self.digest,
        })
    }
}
