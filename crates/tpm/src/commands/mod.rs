//! Commands of Part 3, each a method of [`Tpm`](crate::Tpm) with types instead of bytes.

mod keys;
mod nv;
mod pcr;

pub(crate) use keys::Primary;
pub use pcr::{Bank, PcrSelection, PcrValues, SelectionError};
