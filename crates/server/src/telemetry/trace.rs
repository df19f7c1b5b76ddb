//! Spans as OpenTelemetry means them, and where a request stands in its trace. Numbers, ids and fixed words only.

use moho_terms::{Entropy, ModelId, RequestId};

/// A finished span.
pub(crate) struct Span {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    /// Nanoseconds since 1970.
    pub(crate) end: u64,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    /// Whether moho was at fault.
    pub(crate) failed: bool,
}

/// What a span is to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A step inside moho.
    Internal,
    /// A request from outside.
    Server,
}

/// An attribute's value. There is no way to make one of a tenant's words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Word(&'static str),
    Words(Vec<&'static str>),
    Model(ModelId),
    Request(RequestId),
    /// The host that a client asked for, which has the form of one.
    Host(String),
    Number(i64),
    Fraction(f64),
}

/// Where a span stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
}

/// The parent that a request's `traceparent` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

impl Place {
    /// The place of a request: below its parent if it names one, else at the root of a trace of its own. `None` if it is
    /// not to be recorded: its parent is not, or of all roots only the share `ratio` is; or without randomness.
    pub(crate) fn of_request(parent: Option<Parent>, ratio: f64, entropy: &dyn Entropy) -> Option<Self> {
        let mut span = [0; 8];
        entropy.fill(&mut span).ok()?;
        if let Some(parent) = parent {
            return parent.sampled.then_some(Self {
                trace: parent.trace,
                span,
                parent: Some(parent.span),
            });
        }
        let mut trace = [0; 16];
        entropy.fill(&mut trace).ok()?;
        chosen(&trace, ratio).then_some(Self {
            trace,
            span,
            parent: None,
        })
    }

    /// The place of a step of this span.
    pub(crate) fn child(&self, entropy: &dyn Entropy) -> Option<Self> {
        let mut span = [0; 8];
        entropy.fill(&mut span).ok()?;
        Some(Self {
            trace: self.trace,
            span,
            parent: Some(self.span),
        })
    }

    /// The trace's id as it is written.
    pub(crate) fn trace_id(&self) -> String {
        self.trace.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether a trace is among the share to be recorded; every server that is given the same share chooses the same ones.
fn chosen(trace: &[u8; 16], ratio: f64) -> bool {
    let [.., a, b, c, d] = *trace;
    f64::from(u32::from_be_bytes([a, b, c, d])) < ratio * 4_294_967_296.0
}

impl Parent {
    /// Reads a W3C `traceparent`; `None` if it is none, which is the same as having none.
    pub(crate) fn read(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        let mut parts = text.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let (flags, more) = (parts.next()?, parts.next());
        let [version] = hex::<1>(version)?;
        if version == 0xff || (version == 0 && more.is_some()) {
            return None;
        }
        let [flags] = hex::<1>(flags)?;
        let (trace, span) = (hex::<16>(trace)?, hex::<8>(span)?);
        (trace != [0; 16] && span != [0; 8]).then_some(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn a_parent_is_read_as_the_standard_says() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-01");
        let parent = Parent::read(good.as_bytes()).unwrap();
        assert!(parent.sampled);
        let place = Place::of_request(Some(parent), 0.0, &SystemEntropy::default()).unwrap();
        assert_eq!(place.trace_id(), trace);
        assert_eq!(
            place.parent.unwrap(),
            [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]
        );
        let later = format!("cc-{trace}-00f067aa0ba902b7-00-more");
        assert!(!Parent::read(later.as_bytes()).unwrap().sampled);
        for bad in [
            String::new(),
            good.to_uppercase(),
            format!("{good}-more"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-00f067aa0ba902b7-1"),
            format!("00-{trace}0-00f067aa0ba902b7-01"),
            format!("00-{trace}-00f067aa0ba902b7"),
        ] {
            assert!(Parent::read(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Parent::read(b"00-\xff").is_none());
    }

    #[test]
    fn an_unrecorded_parent_has_no_recorded_child_and_a_share_is_a_share() {
        let entropy = SystemEntropy::default();
        let parent = Parent {
            trace: [1; 16],
            span: [1; 8],
            sampled: false,
        };
        assert!(Place::of_request(Some(parent), 1.0, &entropy).is_none());
        assert!(Place::of_request(None, 1.0, &entropy).is_some());
        assert!(Place::of_request(None, 0.0, &entropy).is_none());
        let half = |last: u8| chosen(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last, 0, 0, 0], 0.5);
        assert!(half(0x7f) && !half(0x80));
    }
}
