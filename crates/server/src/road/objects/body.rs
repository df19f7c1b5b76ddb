//! A body on its way to the gateway: as it comes, and checked.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame, SizeHint};
use moho_iam::authn::{Payload, PayloadCheck, PayloadError};
use moho_s3::Trailers;
use zeroize::Zeroizing;

use crate::net::{BodyPieces, RimError};
use crate::object_calls::ObjectCall;

/// Why a body did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It did not come.
    #[error(transparent)]
    Rim(#[from] RimError),
    /// It is not what its head says.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// The fault of a request's body, if it has one.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<OnceLock<Fault>>);

impl Faults {
    pub(super) fn first(&self) -> Option<Fault> {
        self.0.get().copied()
    }
}

/// A body that ends only if all of it came and was what its head said, and in an error else.
pub(super) struct CheckedBody {
    pieces: BodyPieces,
    /// `None` once the body has ended.
    check: Option<PayloadCheck>,
    /// How much is still to pass, if that is known.
    left: Option<u64>,
    trailers: Trailers,
    faults: Faults,
    call: ObjectCall,
}

impl CheckedBody {
    /// The body of an authenticated head, of `length` bytes if that is known. One of which nothing will come has ended
    /// already, so that it is checked even if nobody ever asks for it.
    pub(super) fn new(
        pieces: BodyPieces,
        payload: Payload,
        length: Option<u64>,
        (trailers, faults, call): (Trailers, Faults, ObjectCall),
    ) -> Self {
        let nothing_comes = pieces.announced() == Some(0);
        let mut body = Self {
            pieces,
            check: Some(payload.check()),
            left: length,
            trailers,
            faults,
            call,
        };
        if nothing_comes && let Err(fault) = body.end(&mut Vec::new()) {
            body.faults.0.get_or_init(|| fault);
        }
        body
    }

    /// The next bytes that may pass; empty at the end.
    fn poll_checked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Zeroizing<Vec<u8>>, Fault>> {
        let mut out = Zeroizing::new(Vec::new());
        while out.is_empty() {
            let Some(check) = &mut self.check else { break };
            match self.pieces.poll_next(cx) {
                Poll::Ready(Some(piece)) => {
                    let piece = piece?;
                    self.call.received(piece.len());
                    out.reserve(piece.len().saturating_add(1));
                    check.push(&piece, &mut out)?;
                }
                Poll::Ready(None) => self.end(&mut out)?,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(out))
    }

    /// Checks that all of it came, and puts the headers after it where they are looked for.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(check) = self.check.take() else {
            return Ok(());
        };
        let mut headers = HeaderMap::new();
        for (name, value) in check.finish(out)? {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(PayloadError::Trailers.into());
            };
            headers.append(name, value);
        }
        self.trailers.put(headers);
        Ok(())
    }
}

impl Body for CheckedBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(fault) = self.faults.first() {
            return Poll::Ready(Some(Err(fault)));
        }
        match self.poll_checked(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(fault)) => {
                self.faults.0.get_or_init(|| fault);
                Poll::Ready(Some(Err(fault)))
            }
            Poll::Ready(Ok(out)) if out.is_empty() => Poll::Ready(None),
            Poll::Ready(Ok(out)) => {
                let passed = u64::try_from(out.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(passed));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(out)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.check.is_none() && self.faults.first().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
