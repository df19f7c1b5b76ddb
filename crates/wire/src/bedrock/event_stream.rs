//! The frames of `application/vnd.amazon.eventstream`, by AWS's own crate: length, headers and payload, and a CRC of each.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_smithy_types::str_bytes::StrBytes;
use bytes::Bytes;
use moho_terms::{ContentBytes, Entropy};

use crate::json::Writer;
use crate::openai::padding::padding;
use crate::{ErrorShape, Failure};

/// What lengths, CRCs and our headers need beside the payload, and more: the buffer never moves.
const ROOM: usize = 512;

/// The payload, wiped when the message is dropped.
struct Payload(ContentBytes);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The frame of an event.
///
/// # Errors
/// [`Failure::Internal`]: it is longer than a frame can be.
pub(crate) fn event(name: &'static str, payload: ContentBytes) -> Result<ContentBytes, Failure> {
    frame([(":event-type", name), (":message-type", "event")], payload)
}

/// The frame of a failure after the first byte, as one of the stream's `exceptions`: by its own name if the stream has it,
/// else as the caller's fault or ours.
pub(super) fn exception(failure: &Failure, exceptions: &[&'static str]) -> ContentBytes {
    let (code, status) = (
        failure.code(ErrorShape::RestJson),
        failure.status(ErrorShape::RestJson),
    );
    let own = exceptions.iter().find(|name| name.eq_ignore_ascii_case(code));
    let name = match (own, status) {
        (Some(name), _) => name,
        (None, 503) => "serviceUnavailableException",
        (None, 500..) => "internalServerException",
        (None, _) => "validationException",
    };
    let mut w = Writer::new();
    w.object(|w| w.text("message", &failure.aws_message()));
    let headers = [(":exception-type", name), (":message-type", "exception")];
    // A message of moho's own is never longer than a frame can be.
    frame(headers, w.finish()).unwrap_or_else(|_too_long| ContentBytes::new(Vec::new()))
}

fn frame(headers: [(&'static str, &'static str); 2], payload: ContentBytes) -> Result<ContentBytes, Failure> {
    let mut frame = Vec::with_capacity(payload.len().saturating_add(ROOM));
    let mut message = Message::new(Bytes::from_owner(Payload(payload)));
    for (name, value) in headers.into_iter().chain([(":content-type", "application/json")]) {
        let value = HeaderValue::String(StrBytes::from(value));
        message = message.add_header(Header::new(name, value));
    }
    match write_message_to(&message, &mut frame) {
        Ok(()) => Ok(ContentBytes::new(frame)),
        Err(_) => Err(Failure::Internal),
    }
}

/// Two pieces of a stream, one after the other.
pub(super) fn joined(frames: impl IntoIterator<Item = ContentBytes>) -> ContentBytes {
    let mut all = Writer::new();
    for frame in frames {
        all.put(frame.expose());
    }
    all.finish()
}

/// Adds AWS's member `p` to an object: random letters, so that its size tells less of its words.
///
/// # Errors
/// [`Failure::Unavailable`]: there is nothing to pad with.
pub(super) fn padded(object: &ContentBytes, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
    let letters = padding(object.len(), entropy).map_err(|_none| Failure::Unavailable)?;
    let inside = object.expose().strip_suffix(b"}").ok_or(Failure::Internal)?;
    let mut w = Writer::new();
    w.put(inside);
    w.text("p", &letters);
    w.put(b"}");
    Ok(w.finish())
}
