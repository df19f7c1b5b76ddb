//! Signatures and keys, right and wrong.
