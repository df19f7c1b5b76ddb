//! The keys that digests are signed with: for each region one at a time, and its public half for as long as there are digests.

use moho_iam::action::cloudtrail::ListPublicKeys;
use moho_iam::authz::Permit;
use moho_terms::{Entropy, Region, Secret, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use crate::Store;
use crate::database::{micros, time};
use crate::error::StoreError;

/// A key, as everybody may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKey {
    /// What digests call it.
    pub fingerprint: String,
    /// RSAPublicKey, DER.
    pub public_key: Vec<u8>,
    /// Since when digests are signed with it.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_to: Timestamp,
}

/// A new key, and its private half as PKCS #8.
pub struct NewDigestKey {
    /// What everybody may know.
    pub public: DigestKey,
    /// The private half.
    pub private: Secret,
}

const SELECT: &str = "SELECT fingerprint, public_key, valid_from, valid_to FROM digest_key";

impl Store {
    /// The key of a region that is valid now, with its private half; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or opened.
    pub fn digest_key(
        &self,
        region: &Region,
        now: Timestamp,
    ) -> Result<Option<(DigestKey, Secret)>, StoreError> {
        let select = "SELECT fingerprint, public_key, valid_from, valid_to, sealed FROM digest_key
            WHERE region = ?1 AND valid_from <= ?2 AND valid_to > ?2 ORDER BY valid_from, fingerprint LIMIT 1";
        let found = self.database.find(|connection| {
            connection.query_row(select, params![region.as_str(), micros(now)], |row| {
                let sealed: Vec<u8> = row.get(4)?;
                Ok((key(row)?, sealed))
            })
        })?;
        let Some((key, sealed)) = found else {
            return Ok(None);
        };
        let ciphers = self.database.authentic().digest_keys();
        let private = ciphers.open(key.fingerprint.as_bytes(), &sealed)?;
        Ok(Some((key, private)))
    }

    /// Keeps a key for a region, unless another process was faster.
    ///
    /// # Errors
    /// [`StoreError`]; then it is not kept.
    pub fn keep_digest_key(
        &self,
        region: &Region,
        new: &NewDigestKey,
        entropy: &dyn Entropy,
    ) -> Result<(), StoreError> {
        let public = &new.public;
        let name = public.fingerprint.as_bytes();
        let sealed = self
            .database
            .authentic()
            .digest_keys()
            .seal(name, &new.private, entropy)?;
        let there = "SELECT 1 FROM digest_key WHERE region = ?1 AND valid_from <= ?2 AND valid_to > ?2";
        let insert = "INSERT INTO digest_key (fingerprint, region, public_key, sealed, valid_from, valid_to)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.database.write(|transaction| {
            let valid = params![region.as_str(), micros(public.valid_from)];
            if transaction
                .query_row(there, valid, |_| Ok(()))
                .optional()?
                .is_some()
            {
                return Ok(());
            }
            let values = params![
                public.fingerprint,
                region.as_str(),
                public.public_key,
                sealed,
                micros(public.valid_from),
                micros(public.valid_to),
            ];
            transaction.execute(insert, values).map(|_| ())
        })
    }

    /// The public keys that were valid at some time from `start` to `end`, at most `most` behind a fingerprint, in the order of
    /// their fingerprints.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn public_digest_keys(
        &self,
        _permit: &Permit<ListPublicKeys>,
        (start, end): (Timestamp, Timestamp),
        (after, most): (&str, u32),
    ) -> Result<Vec<DigestKey>, StoreError> {
        let select = format!(
            "{SELECT} WHERE valid_to >= ?1 AND valid_from <= ?2 AND fingerprint > ?3 ORDER BY fingerprint LIMIT ?4"
        );
        self.database.read(|connection| {
            let mut select = connection.prepare(&select)?;
            let found = select.query_map(params![micros(start), micros(end), after, most], key)?;
            found.collect()
        })
    }
}

fn key(row: &Row<'_>) -> rusqlite::Result<DigestKey> {
    Ok(DigestKey {
        fingerprint: row.get(0)?,
        public_key: row.get(1)?,
        valid_from: time(row, 2)?,
        valid_to: time(row, 3)?,
    })
}
