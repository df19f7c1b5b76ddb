//! X.509 (RFC 5280) as far as evidence needs it: certificates whose every critical extension is understood, and chains in order
//! up to a trust anchor, at a time that the caller names.
//!
//! Not a general path builder: evidence brings its chain in order, and whoever verifies it names the anchors. What is not
//! understood is refused, never passed over.

mod certificate;
mod chain;
pub(crate) mod der;
mod key;

#[cfg(test)]
pub(crate) use certificate::Authority;
pub(crate) use certificate::Certificate;
pub use chain::{AnchorError, TrustAnchor, TrustAnchors};
pub(crate) use chain::{ChainError, Link, certificates_of_pem, verify_chain, within};
pub use der::DerError;
pub(crate) use key::{KeyError, PublicKey};
