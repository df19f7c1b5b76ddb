//! One record of the log, `ModelInvocationLog` 1.0, as Bedrock's user guide has it.

use moho_terms::{AccountId, Arn, ContentBytes, Region, RequestId, Timestamp};

use crate::json::{self, Writer};

/// Every body here is JSON.
const JSON: &str = "application/json";
/// Lines of a record that is kept.
const LINES: usize = 7;

/// A call that is larger than what is logged of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply is larger than what is logged of one")]
pub struct TooLarge;

/// What a record says beside the bodies.
#[derive(Debug, Clone, Copy)]
pub struct InvocationFacts<'a> {
    /// When the call came.
    pub time: Timestamp,
    /// Whose it is.
    pub account: AccountId,
    /// Who called.
    pub identity: &'a Arn,
    /// Where.
    pub region: &'a Region,
    /// Which request it was.
    pub request: &'a RequestId,
    /// What was called, in the [words](super::logged_operation) of the log.
    pub operation: &'static str,
    /// The model or the inference profile that was named.
    pub model: &'a str,
    /// What is known of tokens.
    pub tokens: InvocationTokens,
    /// Why it did not end well, and the status of HTTP that stands for that.
    pub failure: Option<(&'a str, u16)>,
}

/// What is known of a call's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InvocationTokens {
    /// In what was asked, those of the cache among them.
    pub input: Option<u64>,
    /// Of those, what was in the cache.
    pub cached: Option<u64>,
    /// In the answer.
    pub output: Option<u64>,
}

/// A record that waits, read: its members, and its bodies.
pub struct KeptInvocation<'a> {
    /// The call's request id.
    pub request: &'a str,
    /// What was asked; empty if that is not logged.
    pub input: &'a [u8],
    /// What was answered; empty if nothing was, or that is not logged.
    pub output: &'a [u8],
    head: &'a [u8],
    of_input: &'a [u8],
    of_output: &'a [u8],
    tail: &'a [u8],
}

/// What a record says of a body.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// It has the body itself.
    Here,
    /// The body is there: `s3://BUCKET/KEY`.
    At(&'a str),
    /// The body is too large, and there is no other place for it: the record says how many bytes it had.
    LeftOut,
}

impl<'a> KeptInvocation<'a> {
    /// A record as it is kept. Bodies that are empty are not logged.
    #[must_use]
    pub fn written(
        facts: &InvocationFacts<'_>,
        metadata: Option<&ContentBytes>,
        (input, output): (&[u8], &[u8]),
    ) -> ContentBytes {
        let mut w = Writer::new();
        w.put(facts.request.as_str().as_bytes());
        let mut line = |members: &dyn Fn(&mut Writer)| {
            w.put(b"\n");
            members(&mut w);
        };
        line(&|w| {
            w.text("schemaType", "ModelInvocationLog");
            w.text("schemaVersion", "1.0");
            w.text("timestamp", &facts.time.to_string());
            w.text("accountId", facts.account.as_str());
            w.key("identity")
                .object(|w| w.text("arn", facts.identity.as_str()));
            w.text("region", facts.region.as_str());
            w.text("requestId", facts.request.as_str());
            w.text("operation", facts.operation);
            w.text("modelId", facts.model);
        });
        line(&|w| {
            w.text("inputContentType", JSON);
            number(w, "inputTokenCount", facts.tokens.input);
            number(w, "cacheReadInputTokenCount", facts.tokens.cached);
            // Nothing is charged for what the cache takes in, so that it is not counted.
            number(w, "cacheWriteInputTokenCount", facts.tokens.cached.map(|_| 0));
        });
        line(&|w| one_line(w, input));
        line(&|w| {
            w.text("outputContentType", JSON);
            number(w, "outputTokenCount", facts.tokens.output);
        });
        line(&|w| one_line(w, output));
        line(&|w| {
            if let Some(metadata) = metadata {
                w.key("requestMetadata");
                w.put(metadata.expose());
            }
            if let Some((code, status)) = facts.failure {
                w.text("errorCode", code);
                w.text("status", &status.to_string());
            }
        });
        w.finish()
    }

    /// Reads a record that was kept; `None` if it is none.
    #[must_use]
    pub fn read(kept: &'a ContentBytes) -> Option<Self> {
        let mut lines = kept.expose().splitn(LINES, |byte| *byte == b'\n');
        let mut next = || lines.next();
        let read = Self {
            request: std::str::from_utf8(next()?).ok()?,
            head: next()?,
            of_input: next()?,
            input: next()?,
            of_output: next()?,
            output: next()?,
            tail: next()?,
        };
        Some(read)
    }

    /// The record as it is delivered, on one line without its end.
    #[must_use]
    pub fn delivered(&self, input: Body<'_>, output: Body<'_>) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.put(self.head);
            w.key("input").object(|w| {
                w.put(self.of_input);
                body(w, "input", (self.input, input));
            });
            w.key("output").object(|w| {
                w.put(self.of_output);
                body(w, "output", (self.output, output));
            });
            if !self.tail.is_empty() {
                w.raw(self.tail);
            }
        });
        w.finish()
    }
}

fn body(w: &mut Writer, which: &str, (bytes, body): (&[u8], Body<'_>)) {
    match body {
        // No member of Bedrock's: there, such a body is missing without a word.
        Body::LeftOut => w.number(&format!("{which}BodyOmittedBytes"), bytes.len() as u64),
        Body::Here if bytes.is_empty() => {}
        Body::Here => w.key(&format!("{which}BodyJson")).put(bytes),
        Body::At(place) => w.text(&format!("{which}BodyS3Path"), place),
    }
}

fn number(w: &mut Writer, name: &str, number: Option<u64>) {
    if let Some(number) = number {
        w.number(name, number);
    }
}

/// A body on one line. In JSON a line ends nowhere but between tokens, where a space does as well; what is no JSON becomes a
/// string of it.
fn one_line(w: &mut Writer, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    if json::parse(body).is_err() {
        let text = zeroize::Zeroizing::new(String::from_utf8_lossy(body).into_owned());
        return w.string(&text);
    }
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    for (number, part) in body.split(ends).enumerate() {
        if number > 0 {
            w.put(b" ");
        }
        w.put(part);
    }
}
