//! The statement that evidence is over: which keys, for what, in answer to whom.

use aws_lc_rs::digest::{Context, SHA256, digest};
use moho_terms::hex;

/// Bytes of a nonce.
pub const NONCE: usize = 32;
/// What no other hash of moho's begins with.
const DOMAIN: &[u8] = b"moho/attestation/statement/1";

/// What a client made for one question, so that no old answer passes for a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; NONCE]);

impl Nonce {
    /// The nonce of 64 digits in lower-case hexadecimal; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).map(Self)
    }

    /// Its 64 digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

/// What the keys are for. Evidence for one purpose says nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Sessions of clients with the server.
    Session,
}

impl Purpose {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Session].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// What evidence is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Who asked.
    pub nonce: Nonce,
    /// What for.
    pub purpose: Purpose,
    /// SHA-256 of the key set's bytes, as they were sent.
    pub key_set: [u8; 32],
}

impl Statement {
    /// The statement over a key set of these bytes.
    #[must_use]
    pub fn over(key_set: &[u8], purpose: Purpose, nonce: Nonce) -> Self {
        Self {
            nonce,
            purpose,
            key_set: hashed(digest(&SHA256, key_set).as_ref()),
        }
    }

    /// What evidence has where it repeats what its asker gave (a quote's `extraData`, a document's `nonce`, the first half of
    /// `REPORT_DATA`): SHA-256 over the domain, the purpose, the nonce and the key set's digest, each behind its length in four bytes.
    #[must_use]
    pub fn binding(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for field in [
            DOMAIN,
            self.purpose.name().as_bytes(),
            &self.nonce.0,
            &self.key_set,
        ] {
            // No field is longer than 32 bytes.
            context.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.update(field);
        }
        hashed(context.finish().as_ref())
    }
}

/// The bytes of a SHA-256.
fn hashed(digest: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
    bytes
}
