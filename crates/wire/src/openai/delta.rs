//! A piece of an answer with the log-probabilities of its tokens, and how both OpenAI APIs write them.

use moho_terms::{Content, ContentBytes, Entropy};
use zeroize::Zeroizing;

use super::padding::padding;
use crate::Failure;
use crate::json::Writer;

/// The most bytes of log-probabilities that an answer may gather: they are held until the answer is whole, and a
/// response repeats them four times.
const GATHERED: usize = 4 << 20;
/// The shortest that a token can be.
const SHORTEST: &str = r#"{"token":"","logprob":0.0,"bytes":[]}"#;
/// What OpenAI gives instead of the logarithm of nothing.
const VERY_UNLIKELY: f32 = -9999.0;

/// A piece of an answer.
///
/// No `Debug`: it holds a tenant's words.
pub struct Delta {
    /// The words.
    pub text: Content,
    /// How likely its tokens were, if that was asked for.
    pub logprobs: Vec<TokenLogprob>,
}

impl Delta {
    /// Words without log-probabilities.
    #[must_use]
    pub fn of(text: Content) -> Self {
        let logprobs = Vec::new();
        Self { text, logprobs }
    }
}

/// How likely a token was.
///
/// No `Debug`: it holds a tenant's words.
pub struct TokenLogprob {
    /// What the token stands for: not always whole characters.
    pub bytes: ContentBytes,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens in its place, the likeliest first.
    pub top: Vec<(ContentBytes, f32)>,
}

/// A delta as JSON: the text in its quotes, the members of the list of log-probabilities, and letters that hide how long
/// they are.
pub(super) struct WrittenDelta {
    pub(super) text: ContentBytes,
    pub(super) logprobs: ContentBytes,
    pub(super) padding: Option<String>,
}

impl WrittenDelta {
    /// Writes a delta, padded if `obfuscate`.
    pub(super) fn of(delta: &Delta, obfuscate: bool, entropy: &dyn Entropy) -> Result<Self, Failure> {
        let mut text = Writer::new();
        text.string(delta.text.expose());
        let mut logprobs = Writer::new();
        write_tokens(&mut logprobs, &delta.logprobs);
        let (text, logprobs) = (text.finish(), logprobs.finish());
        let length = text.len().saturating_add(logprobs.len());
        let padding = obfuscate
            .then(|| padding(length, entropy))
            .transpose()
            .map_err(|_no_entropy| Failure::Unavailable)?;
        Ok(Self {
            text,
            logprobs,
            padding,
        })
    }
}

/// The log-probabilities of a whole answer, as the members of a JSON list.
pub(super) struct Logprobs(Writer);

impl Logprobs {
    pub(super) fn new() -> Self {
        Self(Writer::new())
    }

    /// Those of the next tokens.
    pub(super) fn push(&mut self, tokens: &[TokenLogprob]) {
        write_tokens(&mut self.0, tokens);
    }

    /// The same, written already.
    pub(super) fn push_written(&mut self, members: &ContentBytes) {
        if !members.is_empty() {
            self.0.raw(members.expose());
        }
    }

    /// The members.
    pub(super) fn members(&self) -> &[u8] {
        self.0.written()
    }
}

/// Refuses an answer that has gathered too many bytes of log-probabilities.
pub(super) fn bounded(gathered: usize) -> Result<(), Failure> {
    if gathered > GATHERED {
        return Err(too_many("top_logprobs"));
    }
    Ok(())
}

/// Refuses, before anything is computed, what would surely be refused for its log-probabilities if `choices` answers of
/// `tokens` tokens each were sent whole.
///
/// # Errors
/// [`Failure::Invalid`] naming the field.
pub fn refuse_unsendable(choices: u32, tokens: u32, logprobs: Option<u8>) -> Result<(), Failure> {
    let Some(top) = logprobs else { return Ok(()) };
    let told = u64::from(choices)
        .saturating_mul(u64::from(tokens))
        .saturating_mul(u64::from(top).saturating_add(1));
    let most = GATHERED / SHORTEST.len();
    if usize::try_from(told).is_ok_and(|told| told <= most) {
        return Ok(());
    }
    Err(too_many(if top > 0 { "top_logprobs" } else { "n" }))
}

fn too_many(param: &str) -> Failure {
    Failure::Invalid {
        message: "The log-probabilities of this answer are too many to be sent whole: ask for fewer \
                  'top_logprobs', for fewer choices, or for a shorter answer."
            .to_owned(),
        param: Some(param.to_owned()),
        code: None,
    }
}

/// A list whose members are written already.
pub(super) fn write_list(w: &mut Writer, members: &[u8]) {
    w.array(|w| w.put(members));
}

fn write_tokens(w: &mut Writer, tokens: &[TokenLogprob]) {
    for token in tokens {
        w.object(|w| {
            write_token(w, token.bytes.expose(), token.logprob);
            w.key("top_logprobs").array(|w| {
                for (bytes, logprob) in &token.top {
                    w.object(|w| write_token(w, bytes.expose(), *logprob));
                }
            });
        });
    }
}

fn write_token(w: &mut Writer, bytes: &[u8], logprob: f32) {
    w.text("token", &shown(bytes));
    w.fixed("logprob", &decimal(logprob));
    w.key("bytes").array(|w| {
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 {
                w.put(b",");
            }
            w.put(byte.to_string().as_bytes());
        }
    });
}

/// A token as text. Bytes that are no whole character are shown as `\xf0`, as OpenAI shows them.
fn shown(bytes: &[u8]) -> Zeroizing<String> {
    // Four letters a byte at most, so that the text is allocated once and never moves.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(4)));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// A number that clients read as a float, also if it is whole.
fn decimal(logprob: f32) -> String {
    let finite = if logprob.is_finite() {
        logprob.min(0.0)
    } else {
        VERY_UNLIKELY
    };
    let digits = finite.to_string();
    if digits.contains('.') {
        digits
    } else {
        digits + ".0"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(bytes: &[u8], logprob: f32, top: &[(&[u8], f32)]) -> TokenLogprob {
        let top = top
            .iter()
            .map(|(bytes, logprob)| (ContentBytes::new(bytes.to_vec()), *logprob));
        TokenLogprob {
            bytes: ContentBytes::new(bytes.to_vec()),
            logprob,
            top: top.collect(),
        }
    }

    fn written(tokens: &[TokenLogprob]) -> String {
        let mut logprobs = Logprobs::new();
        logprobs.push(tokens);
        String::from_utf8(logprobs.members().to_vec()).unwrap()
    }

    #[test]
    fn a_token_is_text_bytes_and_logarithm() {
        let tokens = [
            token(b" a\"", -0.5, &[(b" a\"", -0.5), (b"", -1.0)]),
            token(b"b", 0.0, &[]),
        ];
        assert_eq!(
            written(&tokens),
            concat!(
                r#"{"token":" a\"","logprob":-0.5,"bytes":[32,97,34],"top_logprobs":"#,
                r#"[{"token":" a\"","logprob":-0.5,"bytes":[32,97,34]},{"token":"","logprob":-1.0,"bytes":[]}]},"#,
                r#"{"token":"b","logprob":0.0,"bytes":[98],"top_logprobs":[]}"#
            )
        );
    }

    #[test]
    fn part_of_a_character_is_shown_as_bytes() {
        for (bytes, expected) in [
            (&b"\xf0\x9f\x92"[..], r"\xf0\x9f\x92"),
            (b"\x99", r"\x99"),
            (b" \xe2\x82", r" \xe2\x82"),
            (b"\x99!", r"\x99!"),
            ("é💙".as_bytes(), "é💙"),
            (b"\xff\xfe\xfd", r"\xff\xfe\xfd"),
        ] {
            assert_eq!(*shown(bytes), expected);
        }
    }

    #[test]
    fn every_logarithm_is_a_number_of_json() {
        for (logprob, expected) in [
            (f32::NEG_INFINITY, "-9999.0"),
            (f32::NAN, "-9999.0"),
            (1e-6, "0.0"),
            (-3.0, "-3.0"),
            (-0.25, "-0.25"),
        ] {
            assert_eq!(decimal(logprob), expected);
        }
        assert!(decimal(-f32::MIN_POSITIVE).parse::<f32>().is_ok());
    }

    #[test]
    fn only_what_is_surely_too_much_is_refused_before_it_is_asked() {
        for (choices, top) in [(1, 20), (8, 20), (128, 0)] {
            let told = choices * (u32::from(top) + 1);
            let most = u32::try_from(GATHERED / SHORTEST.len()).unwrap() / told;
            assert_eq!(refuse_unsendable(choices, most, Some(top)), Ok(()));
            let refused = refuse_unsendable(choices, most + 1, Some(top));
            let field = if top > 0 { "top_logprobs" } else { "n" };
            assert!(matches!(refused, Err(Failure::Invalid { param: Some(param), .. }) if param == field));
            assert_eq!(refuse_unsendable(choices, most + 1, None), Ok(()));
        }
        assert!(refuse_unsendable(128, u32::MAX, Some(20)).is_err());
        // Tokens as short as they can be, one more than are let through, are too many in the end.
        let top: [(&[u8], f32); 20] = [(b"", 0.0); 20];
        let mut logprobs = Logprobs::new();
        for _ in 0..=GATHERED / SHORTEST.len() / 21 {
            logprobs.push(&[token(b"", 0.0, &top)]);
        }
        assert!(bounded(logprobs.members().len()).is_err());
    }

    #[test]
    fn what_an_answer_gathers_is_bounded() {
        let tokens = [token(b"token", -1.5, &[])];
        let mut logprobs = Logprobs::new();
        let mut pushed = 0;
        let refused = loop {
            logprobs.push(&tokens);
            match bounded(logprobs.members().len()) {
                Ok(()) => pushed += 1,
                Err(refused) => break refused,
            }
        };
        assert!((50_000..100_000).contains(&pushed), "{pushed}");
        assert!(matches!(refused, Failure::Invalid { param: Some(param), .. } if param == "top_logprobs"));
    }
}
