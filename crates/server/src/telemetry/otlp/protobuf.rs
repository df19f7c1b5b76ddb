//! Spans as OTLP's protobuf messages (opentelemetry-proto 1.x, `collector/trace/v1` and `trace/v1`).
//!
//! Only what is sent is written here; the field numbers are the protocol's.

use super::super::trace::{Kind, Span, Value};

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

/// `ExportTraceServiceRequest`
pub(super) fn request(spans: &[Span]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let mut resource = Message::default();
    resource.message(1, &attribute("service.name", &Value::Word("moho")));
    resource.message(1, &attribute("service.version", &Value::Word(version)));
    let mut scope = Message::default();
    scope.text(1, "moho");
    scope.text(2, version);
    let mut scope_spans = Message::default();
    scope_spans.message(1, &scope);
    for each in spans {
        scope_spans.message(2, &span(each));
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, &resource);
    resource_spans.message(2, &scope_spans);
    let mut request = Message::default();
    request.message(1, &resource_spans);
    request.0
}

fn span(span: &Span) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.place.trace);
    message.bytes(2, &span.place.span);
    if let Some(parent) = &span.place.parent {
        message.bytes(4, parent);
    }
    message.text(5, &span.name);
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
    };
    message.number(6, kind);
    message.fixed64(7, span.start);
    message.fixed64(8, span.end);
    for (key, value) in &span.attributes {
        message.message(9, &attribute(key, value));
    }
    if span.failed {
        let mut status = Message::default();
        status.number(3, 2);
        message.message(15, &status);
    }
    message
}

/// `KeyValue`
fn attribute(key: &str, value: &Value) -> Message {
    let mut message = Message::default();
    message.text(1, key);
    message.message(2, &any(value));
    message
}

/// `AnyValue`
fn any(value: &Value) -> Message {
    let mut message = Message::default();
    match value {
        Value::Word(word) => message.text(1, word),
        Value::Model(model) => message.text(1, model.as_str()),
        Value::Request(id) => message.text(1, id.as_str()),
        Value::Host(host) => message.text(1, host),
        Value::Number(number) => message.number(3, number.cast_unsigned()),
        Value::Fraction(number) => message.fixed64(4, number.to_bits()),
        Value::Words(words) => {
            let mut array = Message::default();
            for word in words {
                array.message(1, &any(&Value::Word(word)));
            }
            message.message(5, &array);
        }
    }
    message
}

impl Message {
    fn number(&mut self, field: u32, number: u64) {
        self.tag(field, 0);
        self.varint(number);
    }

    fn fixed64(&mut self, field: u32, number: u64) {
        self.tag(field, 1);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u32, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn tag(&mut self, field: u32, wire_type: u64) {
        self.varint((u64::from(field) << 3) | wire_type);
    }

    fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.0.push(low & 0x7f);
                return;
            }
            self.0.push(low | 0x80);
        }
    }
}

/// How many spans an `ExportTraceServiceResponse` says were not taken; what cannot be read says nothing.
pub(super) fn rejected(response: &[u8]) -> u64 {
    let partial_success = field(response, 1).and_then(|found| found.bytes);
    let rejected = partial_success.and_then(|partial| field(partial, 1));
    rejected.and_then(|found| found.number).unwrap_or_default()
}

/// A field's value.
struct Found<'a> {
    number: Option<u64>,
    bytes: Option<&'a [u8]>,
}

/// The first field of this number in a message.
fn field(mut message: &[u8], wanted: u64) -> Option<Found<'_>> {
    while !message.is_empty() {
        let tag = read_varint(&mut message)?;
        let (mut number, mut bytes) = (None, None);
        match tag & 7 {
            0 => number = Some(read_varint(&mut message)?),
            1 => drop(message.split_off(..8)?),
            2 => {
                let length = usize::try_from(read_varint(&mut message)?).ok()?;
                bytes = Some(message.split_off(..length)?);
            }
            5 => drop(message.split_off(..4)?),
            _ => return None,
        }
        if tag >> 3 == wanted {
            return Some(Found { number, bytes });
        }
    }
    None
}

fn read_varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *message.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any as arbitrary, proptest};

    use super::*;

    #[test]
    fn numbers_take_as_many_bytes_as_they_need() {
        for (number, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (300, &[0xac, 2]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ] {
            let mut message = Message::default();
            message.varint(number);
            assert_eq!(message.0, bytes);
            assert_eq!(read_varint(&mut &*message.0), Some(number));
        }
    }

    #[test]
    fn a_response_says_what_was_not_taken() {
        let mut partial = Message::default();
        partial.number(1, 3);
        partial.text(2, "too many");
        let mut response = Message::default();
        response.fixed64(9, 1);
        response.message(1, &partial);
        assert_eq!(rejected(&response.0), 3);
        assert_eq!(rejected(b""), 0);
        assert_eq!(rejected(b"<html>"), 0);
    }

    proptest! {
        #[test]
        fn no_response_breaks_it(response in proptest::collection::vec(arbitrary::<u8>(), 0..64)) {
            let _count: u64 = rejected(&response);
        }
    }
}
