//! The events of a streamed reply, gathered as they are sent: the log has them as an array.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use moho_terms::ContentBytes;

use super::record::TooLarge;
use crate::json::{self, Json, Writer};

/// What ends a stream of OpenAI's, and is no event.
const DONE: &[u8] = b"[DONE]";

/// The events so far. Of one call there are never more bytes than were said at the beginning.
pub struct StreamedEvents {
    most: usize,
    written: Writer,
    any: bool,
}

impl StreamedEvents {
    /// No events yet, and at most so many bytes of them.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let mut written = Writer::new();
        written.put(b"[");
        Self {
            most,
            written,
            any: false,
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.written.written().len()
    }

    /// Whether nothing was said yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// More of a stream of server-sent events: whole lines.
    ///
    /// # Errors
    /// [`TooLarge`]: then this call cannot be logged.
    pub fn lines(&mut self, lines: &ContentBytes) -> Result<(), TooLarge> {
        for line in lines.expose().split(|byte| *byte == b'\n') {
            if let Some(data) = line.strip_prefix(b"data: ").filter(|data| *data != DONE) {
                self.event(|w| w.put(data))?;
            }
        }
        Ok(())
    }

    /// More of an event stream of AWS's: whole frames.
    ///
    /// # Errors
    /// [`TooLarge`]: then this call cannot be logged.
    pub fn frames(&mut self, frames: &ContentBytes) -> Result<(), TooLarge> {
        let mut rest = frames.expose();
        // What this side has framed itself is sound; what were not is no event.
        while let Ok(message) = read_message_from(&mut rest) {
            let name = header(&message, ":event-type").or_else(|| header(&message, ":exception-type"));
            let (Some(name), Ok(payload)) = (name, json::parse(message.payload())) else {
                continue;
            };
            self.event(|w| match chunk(name, &payload) {
                Some(chunk) => w.put(&chunk),
                None => w.object(|w| w.key(name).json(&without_padding(payload))),
            })?;
        }
        Ok(())
    }

    /// All of them.
    #[must_use]
    pub fn finish(mut self) -> ContentBytes {
        self.written.put(b"]");
        self.written.finish()
    }

    fn event(&mut self, write: impl FnOnce(&mut Writer)) -> Result<(), TooLarge> {
        if self.any {
            self.written.put(b",");
        }
        self.any = true;
        write(&mut self.written);
        if self.len() > self.most {
            return Err(TooLarge);
        }
        Ok(())
    }
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let header = message
        .headers()
        .iter()
        .find(|header| header.name().as_str() == name)?;
    header.value().as_string().ok().map(|value| value.as_str())
}

/// What is in a `chunk`: the model's own JSON, which stands in base 64.
fn chunk(name: &str, payload: &Json) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let bytes = payload.get("bytes").filter(|_| name == "chunk")?;
    let Json::String(bytes) = bytes else { return None };
    let decoded = zeroize::Zeroizing::new(BASE64_STANDARD.decode(bytes.expose()).ok()?);
    json::parse(&decoded).is_ok().then_some(decoded)
}

/// What AWS adds to a payload so that its size tells less is no part of what was said.
fn without_padding(payload: Json) -> Json {
    let Json::Object(mut members) = payload else {
        return payload;
    };
    members.retain(|(name, _)| name.expose() != "p");
    Json::Object(members)
}
