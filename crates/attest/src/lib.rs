//! What somebody outside checks, and nothing else: the same code in the server, in a client and in whatever builds images.
//!
//! [`log`] is the transparency log: its hashes, proofs, tiles and signed checkpoints. [`evidence`] is what platforms say of
//! themselves, [`session`] what a server says of its keys, on evidence. Nothing here reads a file, a socket or a clock.
#![forbid(unsafe_code)]

mod cbor;
mod cose;
pub mod evidence;
pub mod log;
pub mod session;
mod x509;

pub use cbor::CborError;
pub use x509::{AnchorError, DerError, TrustAnchor, TrustAnchors};
