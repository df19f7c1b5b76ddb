//! One question through the Responses API, as any client would ask it: curl, TLS, a bearer key, a stream of events.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::served::{Credentials, Served, private_file};
use crate::stopwatch::Stopwatch;
use crate::{demo_model, process};

/// An event of the stream, as far as it is of use here.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_text.delta")]
    Delta { delta: String },
    #[serde(rename = "response.completed")]
    Completed { response: Response },
    #[serde(rename = "response.incomplete")]
    Incomplete { response: Response },
    #[serde(rename = "response.failed")]
    Failed,
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        message: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Response {
    usage: Usage,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u32,
    output_tokens: u32,
}

/// How the answer came.
pub(crate) struct Answer {
    /// Tokens of the question with its template.
    pub(crate) input_tokens: u32,
    /// Tokens of the answer.
    pub(crate) output_tokens: u32,
    /// From asking to the first word, curl's start and the TLS handshake included.
    pub(crate) first_word: Duration,
    /// From the first word to the last.
    pub(crate) rest: Duration,
}

impl Answer {
    /// Tokens a second after the first.
    pub(crate) fn tokens_per_second(&self) -> f64 {
        f64::from(self.output_tokens.saturating_sub(1)) / self.rest.as_secs_f64().max(1e-9)
    }
}

/// Asks and hands over each piece of the answer as it comes.
pub(crate) fn ask(
    served: &Served,
    credentials: &Credentials,
    question: &str,
    max_tokens: u32,
    mut piece: impl FnMut(&str),
) -> Result<Answer> {
    let body = serde_json::json!({
        "model": demo_model::ID,
        "input": question,
        "stream": true,
        "store": false,
        "temperature": 0,
        "max_output_tokens": max_tokens,
    });
    // A command line can be read by every user of the machine; this file cannot.
    let header = format!(
        "header = \"Authorization: Bearer {}\"\n",
        credentials.bearer_token
    );
    let config = private_file(served.data(), &header)?;
    let mut curl = served.curl();
    curl.arg("--no-buffer").arg("--config").arg(config.path());
    curl.args([
        "--header",
        "Content-Type: application/json",
        "--data-binary",
        &body.to_string(),
    ]);
    curl.arg(served.url("/v1/responses"));
    let mut stream = Stream::new();
    let since = Stopwatch::start();
    process::watch(&mut curl, |line| stream.take(line, since.elapsed(), &mut piece))
        .with_context(|| format!("the question was not answered\n{}", stream.unread))?;
    stream.finish()
}

/// What has been read of the stream so far.
struct Stream {
    first: Option<Duration>,
    last: Duration,
    usage: Option<Usage>,
    fault: Option<String>,
    /// Lines that are no events: the body of a refusal.
    unread: String,
}

impl Stream {
    const fn new() -> Self {
        Self {
            first: None,
            last: Duration::ZERO,
            usage: None,
            fault: None,
            unread: String::new(),
        }
    }

    fn take(&mut self, line: &str, now: Duration, piece: &mut impl FnMut(&str)) {
        let Some(text) = line.strip_prefix("data: ") else {
            if !(line.is_empty() || line.starts_with("event: ") || line.starts_with(':')) {
                self.unread.push_str(line);
                self.unread.push('\n');
            }
            return;
        };
        if text == "[DONE]" {
            return;
        }
        match serde_json::from_str(text) {
            Ok(Event::Delta { delta }) => {
                self.first.get_or_insert(now);
                self.last = now;
                piece(&delta);
            }
            Ok(Event::Completed { response } | Event::Incomplete { response }) => {
                self.usage = Some(response.usage);
            }
            Ok(Event::Failed) => self.fault = Some("the response failed".to_owned()),
            Ok(Event::Error { message }) => self.fault = Some(message),
            Ok(Event::Other) => {}
            Err(error) => self.fault = Some(format!("an event cannot be read: {error}")),
        }
    }

    fn finish(self) -> Result<Answer> {
        if let Some(fault) = self.fault {
            bail!("{fault}");
        }
        let usage = self.usage.context("the stream ended before the answer did")?;
        let first_word = self.first.context("the answer is empty")?;
        ensure!(usage.output_tokens > 0, "the answer counts no tokens");
        Ok(Answer {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            first_word,
            rest: self.last.saturating_sub(first_word),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (Stream, String) {
        let mut stream = Stream::new();
        let mut text = String::new();
        for (number, line) in (1..).zip(lines) {
            stream.take(line, Duration::from_millis(number), &mut |piece| {
                text.push_str(piece)
            });
        }
        (stream, text)
    }

    #[test]
    fn a_whole_stream_is_an_answer_with_its_times() {
        let (stream, text) = read(&[
            "event: response.created",
            r#"data: {"type":"response.created","response":{}}"#,
            "",
            r#"data: {"type":"response.output_text.delta","delta":"Hel"}"#,
            r#"data: {"type":"response.output_text.delta","delta":"lo"}"#,
            r#"data: {"type":"response.completed","response":{"usage":{"input_tokens":9,"output_tokens":3}}}"#,
            "data: [DONE]",
        ]);
        let answer = stream.finish().unwrap();
        assert_eq!(text, "Hello");
        assert_eq!((answer.input_tokens, answer.output_tokens), (9, 3));
        assert_eq!(answer.first_word, Duration::from_millis(4));
        assert_eq!(answer.rest, Duration::from_millis(1));
    }

    #[test]
    fn a_stream_cut_off_is_no_answer() {
        let (stream, _) = read(&[r#"data: {"type":"response.output_text.delta","delta":"Hel"}"#]);
        assert!(stream.finish().is_err());
    }

    #[test]
    fn an_error_in_the_stream_is_told() {
        let (stream, _) = read(&[r#"data: {"type":"error","message":"overloaded"}"#]);
        assert_eq!(
            stream.finish().err().map(|error| error.to_string()),
            Some("overloaded".to_owned())
        );
    }
}
