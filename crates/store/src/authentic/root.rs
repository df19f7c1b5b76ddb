//! The root: how many changes there were, what the tree comes to after the last one, and a MAC over both.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::Tampering;
use super::names::{Digest, Macs};

const READ: &str = "SELECT epoch, version, digest, mac FROM authentic_root";
const WRITE: &str =
    "INSERT INTO authentic_root (only_one, epoch, version, digest, mac) VALUES (1, ?1, ?2, ?3, ?4)
    ON CONFLICT (only_one) DO UPDATE SET epoch = excluded.epoch, version = excluded.version,
    digest = excluded.digest, mac = excluded.mac";

/// What stands for all rows at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Root {
    /// How many changes there were.
    pub(super) epoch: u64,
    /// The version of the schema that the tree was built for.
    pub(super) version: u32,
    /// What the tree comes to.
    pub(super) digest: Digest,
}

impl Root {
    /// The root in the database.
    pub(super) fn read(connection: &Connection, macs: &Macs) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(READ)?;
        let parts = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let read: Option<(i64, u32, Digest, [u8; 32])> = statement.query_row([], parts).optional()?;
        let altered = || Tampering::tree("the root of the tree over the rows is not as it was written");
        let (epoch, version, digest, mac) = read.ok_or_else(altered)?;
        let epoch = u64::try_from(epoch).map_err(|_negative| altered())?;
        let root = Self {
            epoch,
            version,
            digest,
        };
        if !is_same(&root.mac(macs), &mac) {
            return Err(altered().into());
        }
        Ok(root)
    }

    /// Puts it into the database.
    pub(super) fn write(&self, connection: &Connection, macs: &Macs) -> rusqlite::Result<()> {
        let epoch = i64::try_from(self.epoch).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(WRITE)?;
        statement.execute(params![epoch, self.version, self.digest, self.mac(macs)])?;
        Ok(())
    }

    /// What comes after it.
    pub(super) fn next(self, digest: Digest) -> Self {
        let epoch = self.epoch.saturating_add(1);
        Self {
            epoch,
            digest,
            ..self
        }
    }

    fn mac(&self, macs: &Macs) -> [u8; 32] {
        let (epoch, version) = (self.epoch.to_be_bytes(), self.version.to_be_bytes());
        macs.root.of(&[&epoch, &version, &self.digest])
    }

    /// Whether something that was seen before goes before this, or is this.
    pub(super) fn is_after(&self, seen: &Seen) -> Result<(), Tampering> {
        let is_other = self.epoch == seen.epoch && self.digest != seen.digest;
        if self.epoch < seen.epoch || is_other {
            return Err(Tampering::RolledBack {
                found: self.epoch,
                expected: seen.epoch,
            });
        }
        Ok(())
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            epoch: self.epoch,
            digest: self.digest,
        }
    }
}

/// A root that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) epoch: u64,
    pub(super) digest: Digest,
}

/// Compares in a time that tells nothing.
pub(super) fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differs = one
        .iter()
        .zip(other)
        .fold(0, |differs, (one, other)| differs | (one ^ other));
    std::hint::black_box(differs) == 0
}
