//! The way a body takes from the network to whoever waits for it: what may pass, and when.

use aws_lc_rs::{constant_time, digest};

use super::chunked::Chunks;
use super::{Form, Payload, PayloadError};

/// Headers that came after a body and are what was announced, names in lower case.
pub type Trailers = Vec<(String, String)>;

/// Checks a body while it comes. No clock, no sockets: bytes in, bytes out.
pub struct PayloadCheck {
    kind: Kind,
    outlet: Outlet,
    failed: Option<PayloadError>,
}

enum Kind {
    /// Any bytes.
    Unsigned,
    /// The bytes with a digest.
    Hashed {
        so_far: digest::Context,
        expected: [u8; 32],
    },
    Chunked(Box<Chunks>),
}

/// Lets bytes out, but for the last of them: that has to wait for the end.
#[derive(Default)]
pub(super) struct Outlet(Option<u8>);

impl Outlet {
    pub(super) fn give(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if let Some((last, before)) = bytes.split_last() {
            out.extend(self.0.take());
            out.extend_from_slice(before);
            self.0 = Some(*last);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend(self.0.take());
    }
}

impl PayloadCheck {
    pub(super) fn new(payload: Payload) -> Self {
        let kind = match payload.form {
            Form::Unsigned => Kind::Unsigned,
            Form::Hashed(expected) => Kind::Hashed {
                so_far: digest::Context::new(&digest::SHA256),
                expected,
            },
            Form::UnsignedChunks | Form::SignedChunks => Kind::Chunked(Box::new(Chunks::new(payload))),
        };
        Self {
            kind,
            outlet: Outlet::default(),
            failed: None,
        }
    }

    /// Takes a piece of the body as it was sent, and appends to `out` what may pass.
    ///
    /// # Errors
    /// [`PayloadError`] if the body is not what the head said. Nothing passes any more; what has passed never gets its
    /// last byte.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), PayloadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = match &mut self.kind {
            Kind::Unsigned => {
                self.outlet.give(piece, out);
                Ok(())
            }
            Kind::Hashed { so_far, .. } => {
                so_far.update(piece);
                self.outlet.give(piece, out);
                Ok(())
            }
            Kind::Chunked(chunks) => chunks.push(piece, &mut self.outlet, out),
        };
        result.inspect_err(|error| self.failed = Some(*error))
    }

    /// Says that the body has ended, appends its last byte to `out`, and gives the headers that came after it.
    ///
    /// # Errors
    /// [`PayloadError`] if what came is not the whole of what the head said.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<Trailers, PayloadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let trailers = match self.kind {
            Kind::Unsigned => Trailers::new(),
            Kind::Hashed { so_far, expected } => {
                let actual = so_far.finish();
                match constant_time::verify_slices_are_equal(actual.as_ref(), &expected) {
                    Ok(()) => Trailers::new(),
                    Err(_unequal) => return Err(PayloadError::Mismatch),
                }
            }
            Kind::Chunked(chunks) => chunks.finish()?,
        };
        self.outlet.end(out);
        Ok(trailers)
    }
}

/// Whether a text can be the name of a trailing header.
pub(super) fn is_name(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(token)
}
