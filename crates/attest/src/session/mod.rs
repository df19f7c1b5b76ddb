//! What a server says of the keys that it is spoken to by, and what makes that worth believing.
//!
//! A server tells a [`KeySet`]: the digest of its TLS key, an HPKE key and a key for receipts, all good until `not_after`. Evidence is over a
//! [`Statement`] of the client's nonce, the purpose and the digest of that key set, so that no key of anybody else's can be put in.
//! [`Answer::read`] takes a server's answer apart; only [`Presentation::attested`] makes [`AttestedKeys`] of it, and only of evidence that
//! a policy has verified, that is over this very statement, and of an image that is the measurement.
//!
//! A server without hardware to vouch for it says so: [`Answer::Development`] is of another type, and nothing leads from it to
//! [`AttestedKeys`].

mod keys;
mod presentation;
mod statement;
#[cfg(test)]
mod tests;

pub use keys::{KeySet, KeySetError, LONGEST as LONGEST_KEY_SET};
pub use presentation::{Answer, AttestedKeys, Development, LONGEST as LONGEST_ANSWER, Presentation};
pub use statement::{NONCE, Nonce, Purpose, Statement};
