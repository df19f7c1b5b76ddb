//! An append-only log that anybody can hold to what it said: RFC 9162's Merkle tree, in C2SP's tiles, under C2SP's signed
//! checkpoints and witnesses' cosignatures.
//!
//! [`Frontier`] is what a writer needs to remember of a tree, [`Tree`] what answers with roots and proofs from hashes that are
//! kept; [`InclusionProof`] and [`ConsistencyProof`] are checked without either. [`Tile`] and [`bundle`] are the form in
//! which hashes and entries are handed out, [`Checkpoint`] and [`SignedCheckpoint`] what the log says of itself.

pub mod bundle;
mod checkpoint;
mod frontier;
mod hash;
mod note;
mod proof;
#[cfg(test)]
mod tests;
mod tile;
mod tree;

pub use checkpoint::{
    Checkpoint, CheckpointError, Cosignature, Origin, SignedCheckpoint, Trust, UnsignedCheckpoint,
    cosigned_text,
};
pub use frontier::Frontier;
pub use hash::TreeHash;
pub use note::{KeyName, Note, NoteError, NoteKey, NoteSigner, SignatureKind, SignatureLine, signature_line};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use tile::{Held, Tile, TileError, fold, hashes_of};
pub use tree::{Hashes, Subtree, Tree};
