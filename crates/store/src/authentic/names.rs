//! What a row is called in the tree, and what its content comes to: both under keys of the store's.

use moho_kms::{KmsError, Macing, StoreCipher, StoreKey, StoreMac};
use rusqlite::types::ValueRef;

use super::tables::{Coverage, Table};

/// Bytes of a name and of a digest: the first of an HMAC-SHA-256.
pub(super) const SHORT: usize = 16;
/// What a row or a node comes to. An empty node comes to zeros.
pub(super) type Digest = [u8; SHORT];
/// What a row is called: half of the tree (1 bit), bucket (15 bits), table (16 bits), row (96 bits).
pub(super) type Name = [u8; SHORT];

/// The keys of the tree.
pub(super) struct Macs {
    name: StoreMac,
    table: StoreMac,
    row: StoreMac,
    pub(super) node: StoreMac,
    pub(super) root: StoreMac,
    pub(super) anchor: StoreMac,
    /// What is no part of the tree: what the keys of transparency logs follow from.
    pub(super) log: StoreMac,
    /// The same of the keys of CloudTrail's records.
    pub(super) records: StoreMac,
    /// What is no part of the tree: it seals the keys that sign digests.
    pub(super) digest_keys: StoreCipher,
}

impl Macs {
    pub(super) fn of(key: &StoreKey) -> Result<Self, KmsError> {
        Ok(Self {
            name: key.mac("tree name")?,
            table: key.mac("tree table")?,
            row: key.mac("tree row")?,
            node: key.mac("tree node")?,
            root: key.mac("tree root")?,
            anchor: key.mac("anchor")?,
            log: key.mac("transparency log")?,
            records: key.mac("audit records")?,
            digest_keys: key.cipher("digest keys")?,
        })
    }

    /// Tells the tables of names apart, for whoever has to say where something is missing.
    pub(super) fn tag(&self, table: &str) -> [u8; 2] {
        let [first, second, ..] = self.table.of(&[table.as_bytes()]);
        [first, second]
    }

    /// The name of the row with this primary key.
    pub(super) fn name<'v>(&self, table: &Table, key: impl Iterator<Item = ValueRef<'v>>) -> Name {
        let mut mac = self.name.begin();
        bytes(&mut mac, table.name.as_bytes());
        key.for_each(|part| value(&mut mac, part));
        let mut name = short(mac.finish());
        let half = match table.coverage {
            Coverage::Opening => 0,
            Coverage::Reading => 0x80,
        };
        if let [first, _, tag @ ..] = name.as_mut_slice() {
            *first = *first & 0x7f | half;
            for (place, byte) in tag.iter_mut().zip(table.tag) {
                *place = byte;
            }
        }
        name
    }

    /// What all columns of a row come to.
    pub(super) fn digest<'v>(&self, table: &Table, values: impl Iterator<Item = ValueRef<'v>>) -> Digest {
        let mut mac = self.row.begin();
        bytes(&mut mac, table.name.as_bytes());
        values.for_each(|column| value(&mut mac, column));
        short(mac.finish())
    }
}

pub(super) fn short(mac: [u8; 32]) -> Digest {
    let mut short = [0; SHORT];
    for (place, byte) in short.iter_mut().zip(mac) {
        *place = byte;
    }
    short
}

/// A value with its type, so that no two rows have the same bytes.
fn value(mac: &mut Macing, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => mac.update(&[0]),
        ValueRef::Integer(number) => {
            mac.update(&[1]);
            mac.update(&number.to_be_bytes());
        }
        ValueRef::Real(number) => {
            mac.update(&[2]);
            mac.update(&number.to_bits().to_be_bytes());
        }
        ValueRef::Text(text) => {
            mac.update(&[3]);
            bytes(mac, text);
        }
        ValueRef::Blob(blob) => {
            mac.update(&[4]);
            bytes(mac, blob);
        }
    }
}

fn bytes(mac: &mut Macing, bytes: &[u8]) {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    mac.update(&length.to_be_bytes());
    mac.update(bytes);
}
