//! What the tests of several protocols say.

use moho_terms::{Content, ContentBytes, Entropy, EntropyUnavailable};

use crate::openai::{Delta, TokenLogprob};

/// Entropy of zeros: padding is `AAA…`.
pub(crate) struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(0);
        Ok(())
    }
}

/// A piece of text.
pub(crate) fn said(text: &str) -> Delta {
    Delta::of(Content::new(text.to_owned()))
}

/// A piece with the log-probability of its one token.
pub(crate) fn measured(text: &str) -> Delta {
    let bytes = || ContentBytes::new(text.as_bytes().to_vec());
    let token = TokenLogprob {
        bytes: bytes(),
        logprob: -0.5,
        top: vec![(bytes(), -0.5)],
    };
    Delta {
        logprobs: vec![token],
        ..said(text)
    }
}
