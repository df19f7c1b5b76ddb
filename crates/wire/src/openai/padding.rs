//! Padding of deltas: without it, the size of each encrypted frame tells the length of a token, and so the answer.

use moho_terms::{Entropy, EntropyUnavailable};

/// Deltas are padded to a multiple of this many bytes.
const BUCKET: usize = 32;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Random letters that bring a delta of `written` bytes up to the next multiple of 32. Random, so that no
/// compression on the way gives the length away again.
pub(crate) fn padding(written: usize, entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    let mut bytes = [0_u8; BUCKET];
    entropy.fill(&mut bytes)?;
    let letters = bytes
        .iter()
        .filter_map(|b| ALPHABET.get(usize::from(b & 63)))
        .map(|b| char::from(*b));
    Ok(letters.take(BUCKET - written % BUCKET).collect())
}
