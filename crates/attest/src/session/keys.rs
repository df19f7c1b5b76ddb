//! The keys that a server is spoken to by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{Timestamp, hex};
use serde::{Deserialize, Serialize};

/// Longest key set that is looked at, in bytes: one has some 2,000.
pub const LONGEST: usize = 8 * 1024;
/// Bytes of a public key of X-Wing: ML-KEM-768's and X25519's (draft-connolly-cfrg-xwing-kem).
const X_WING: usize = 1184 + 32;
/// Bytes of a point on P-384, uncompressed (SEC 1, 2.3.3).
const P384_POINT: usize = 97;
/// How far ahead a key set may say to be good, in seconds: two days.
const LONGEST_LIFE: u64 = 2 * 86_400;

/// The keys of a server, and until when they are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that the server shows.
    pub tls: [u8; 32],
    /// The public key of X-Wing (HPKE KEM 0x647a) that bodies are sealed for: 1,216 bytes.
    pub hpke: Vec<u8>,
    /// The public key that signs receipts: ES384, an uncompressed point of 97 bytes.
    pub receipt: Vec<u8>,
    /// From this second on, none of them is good any more.
    pub not_after: Timestamp,
}

/// Why bytes are no key set that may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// More than is looked at.
    #[error("it has {0} bytes, and {LONGEST} at most are looked at")]
    TooLong(usize),
    /// It is not of its form.
    #[error("it is not of the form that key sets have: {0}")]
    Form(&'static str),
    /// Its time is over.
    #[error("it was good until {not_after}, and the time is {now}")]
    Over {
        /// Until when it was good.
        not_after: Timestamp,
        /// As of when it was looked at.
        now: Timestamp,
    },
    /// It says to be good for longer than any is.
    #[error("it says to be good until {0}, which is longer than any key set is")]
    TooLasting(Timestamp),
}

/// As it is written. What a later version adds is not passed over: it would be signed, and not understood.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    tls_spki_sha256: String,
    hpke_kem: String,
    hpke_key: String,
    receipt_algorithm: String,
    receipt_key: String,
    not_after: String,
}

const VERSION: u8 = 1;
const KEM: &str = "X-Wing";
const ALGORITHM: &str = "ES384";

impl KeySet {
    /// The bytes that are sent, and that a [`super::Statement`] is over.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written {
            version: VERSION,
            tls_spki_sha256: hex::encode(&self.tls),
            hpke_kem: KEM.to_owned(),
            hpke_key: STANDARD.encode(&self.hpke),
            receipt_algorithm: ALGORITHM.to_owned(),
            receipt_key: STANDARD.encode(&self.receipt),
            not_after: self.not_after.to_string(),
        };
        // Strings and a number: there is nothing that JSON could not write.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads a key set that is good at `now`.
    ///
    /// # Errors
    /// [`KeySetError`]: it is of another form, or not good at that time.
    pub fn read(bytes: &[u8], now: Timestamp) -> Result<Self, KeySetError> {
        if bytes.len() > LONGEST {
            return Err(KeySetError::TooLong(bytes.len()));
        }
        let form = KeySetError::Form;
        let written: Written = serde_json::from_slice(bytes).map_err(|_why| form("it is no such JSON"))?;
        if written.version != VERSION {
            return Err(form("its version is not known"));
        }
        if written.hpke_kem != KEM {
            return Err(form("its HPKE key is not of X-Wing"));
        }
        if written.receipt_algorithm != ALGORITHM {
            return Err(form("its receipts are not signed by ES384"));
        }
        let key_set = Self {
            tls: hex::decode(&written.tls_spki_sha256)
                .ok_or_else(|| form("its TLS key's digest is not SHA-256"))?,
            hpke: key(&written.hpke_key, X_WING).ok_or_else(|| form("its HPKE key has another length"))?,
            receipt: key(&written.receipt_key, P384_POINT)
                .ok_or_else(|| form("its receipt key has another length"))?,
            not_after: Timestamp::parse_rfc3339(&written.not_after)
                .map_err(|_error| form("its end is no time in UTC"))?,
        };
        if now >= key_set.not_after {
            let not_after = key_set.not_after;
            return Err(KeySetError::Over { not_after, now });
        }
        if key_set.not_after > now.plus_seconds(LONGEST_LIFE) {
            return Err(KeySetError::TooLasting(key_set.not_after));
        }
        Ok(key_set)
    }
}

/// A key in base64, of exactly so many bytes.
fn key(text: &str, length: usize) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    (bytes.len() == length).then_some(bytes)
}
