//! Event streams: whatever a model says arrives as it was said, and a frame that was changed on the way is none.
#![expect(clippy::disallowed_types, reason = "serde_json is the oracle here")]

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use moho_terms::{Content, Entropy, EntropyUnavailable};
use moho_wire::Failure;
use moho_wire::bedrock::{ConverseStream, ReplyTerms};

/// The bytes as frames from elsewhere, and as text that is streamed to a client.
pub fn event_stream(data: &[u8]) {
    drop(decoded(data));
    let text = super::text(data);
    let mut stream = ConverseStream::new(ReplyTerms::default());
    let Ok(frame) = stream.delta(&Content::new(text.to_string()), &Even) else {
        return;
    };
    let messages = decoded(frame.expose());
    assert_eq!(messages.len(), 1, "one delta is one frame");
    for message in &messages {
        assert_eq!(header(message, ":event-type"), Some("contentBlockDelta"));
        let payload: Option<serde_json::Value> = serde_json::from_slice(message.payload()).ok();
        let told = payload
            .as_ref()
            .and_then(|payload| payload.pointer("/delta/text"));
        assert_eq!(
            told.and_then(serde_json::Value::as_str),
            Some(text.as_ref()),
            "as it was said"
        );
    }
    let mut changed = frame.expose().to_vec();
    let at = data.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    if let Some(byte) = at.checked_rem(changed.len()).and_then(|at| changed.get_mut(at)) {
        *byte ^= 1;
    }
    assert!(decoded(&changed).is_empty(), "a changed frame is none");
    let failure = Failure::Validation(text.to_string());
    let last = decoded(stream.fail(&failure).expose());
    assert!(
        last.iter()
            .all(|message| header(message, ":message-type") == Some("exception"))
    );
    assert!(last.len() == 1 || data.len() > 1 << 20, "a failure is one frame");
}

/// Every whole frame at the beginning of the bytes.
fn decoded(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let Ok(message) = read_message_from(&mut bytes) else {
            break;
        };
        messages.push(message);
    }
    messages
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let found = message
        .headers()
        .iter()
        .find(|header| header.name().as_str() == name);
    found?
        .value()
        .as_string()
        .ok()
        .map(aws_smithy_types::str_bytes::StrBytes::as_str)
}

pub(crate) struct Even;

impl Entropy for Even {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(2);
        Ok(())
    }
}
