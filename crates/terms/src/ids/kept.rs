//! What is kept of words: responses, conversations, their items, and prompts.

use crate::hex;
use crate::{Entropy, EntropyUnavailable};

/// A prefix and 192 random bits, as lower-case hexadecimal digits.
fn is_drawn(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).map(str::as_bytes);
    digits.is_some_and(|digits| {
        digits.len() == 48 && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Such a text, of bits that are drawn now.
fn drawn(prefix: &str, entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    let mut bytes = [0_u8; 24];
    entropy.fill(&mut bytes)?;
    Ok(format!("{prefix}{}", hex::encode(&bytes)))
}

id!(/// A stored response: `resp_` and 48 hexadecimal digits.
    ResponseId, "a response id is resp_ and 48 hexadecimal digits",
    |t| is_drawn(t, "resp_"));
id!(/// A conversation: `conv_` and 48 hexadecimal digits.
    ConversationId, "a conversation id is conv_ and 48 hexadecimal digits", |t| is_drawn(t, "conv_"));
id!(/// An item of a conversation: `msg_` and 48 hexadecimal digits, or 56 if it came with a response.
    ItemId, "an item id is msg_ and 48 or 56 hexadecimal digits",
    |t| is_drawn(t.get(..52).unwrap_or(t), "msg_") && matches!(t.len(), 52 | 60)
        && t.bytes().skip(52).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
id!(/// A prompt that is kept: 10 letters and digits.
    PromptId, "a prompt id is 10 letters and digits",
    |t| t.len() == 10 && t.bytes().all(|b| b.is_ascii_alphanumeric()));

impl ResponseId {
    /// A new response's id, of 192 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        drawn("resp_", entropy).map(Self)
    }
}

impl ConversationId {
    /// A new conversation's id, of 192 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        drawn("conv_", entropy).map(Self)
    }
}

impl ItemId {
    /// A new message's id, of 192 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        drawn("msg_", entropy).map(Self)
    }
}

impl PromptId {
    /// A new prompt's id, of 50 random bits.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bytes = [0_u8; 10];
        entropy.fill(&mut bytes)?;
        let letters = bytes
            .iter()
            .filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
        Ok(Self(letters.map(|letter| char::from(*letter)).collect()))
    }
}
