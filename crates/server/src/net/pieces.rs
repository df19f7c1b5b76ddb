//! A body that the road takes while it comes: piece by piece, at the road's pace, and whole or not at all.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use super::intake::Coming;
use super::{Limits, RimError};
use crate::closing::Closing;

/// The slowest that a client may send, in bytes a second, once it has used up [`Limits::body_wait`].
const SLOWEST: u64 = 16 << 10;
/// The most bytes of a streamed body that the rim and the road's first reader hold at once: what the protocol reads ahead,
/// and the piece that is being dealt with.
pub(crate) const IN_FLIGHT: usize = 128 << 10;
/// A body of so many bytes is in one place only, on its way or gathered.
const SMALL: usize = 64 << 10;

/// The memory that a body takes which is streamed, if so much of it is held and gathered.
pub(crate) fn memory(announced: Option<usize>, (held, gathered): (usize, usize)) -> usize {
    let length = announced.unwrap_or(usize::MAX);
    if length <= SMALL {
        return length;
    }
    let on_its_way = length.min(IN_FLIGHT.saturating_add(held));
    on_its_way.saturating_add(length.min(gathered))
}

/// A body in pieces of at most 64 KiB, in order. Nothing is read that nobody asks for, so a slow road slows its client.
///
/// It ends with `None` only when all of it has come: a client that stops, or sends more or less than it said, ends it with
/// an error, and it stays ended so.
pub struct BodyPieces {
    coming: Option<Coming>,
    /// Where the rest of the body goes that nobody reads.
    back: Option<oneshot::Sender<Coming>>,
    announced: Option<u64>,
    received: u64,
    limit: usize,
    patience: Patience,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    failed: Option<RimError>,
}

/// What is left of a body that the road had.
pub(crate) type Left = oneshot::Receiver<Coming>;

/// How long a client may still take to send something: a while, and all the time that it earns by what it sends.
struct Patience {
    most: Duration,
    left: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl BodyPieces {
    /// The body that is coming, of at most `limit` bytes, and where its rest will be found.
    pub(crate) fn new(
        coming: Coming,
        announced: Option<u64>,
        limits: &Limits,
        closing: Closing,
    ) -> (Self, Left) {
        let (back, left) = oneshot::channel();
        let pieces = Self {
            coming: Some(coming),
            back: Some(back),
            announced,
            received: 0,
            limit: limits.body,
            patience: Patience {
                most: limits.body_wait,
                left: limits.body_wait,
                waiting: None,
            },
            stopping: Box::pin(async move { closing.ending().await }),
            failed: None,
        };
        (pieces, left)
    }

    /// How long the whole body is, if the client says so.
    #[must_use]
    pub fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// The next piece, which is not empty; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, RimError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same, as futures are polled.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RimError>>> {
        if let Some(error) = self.failed {
            return Poll::Ready(Some(Err(error)));
        }
        let next = self.poll_unfailed(cx);
        if let Poll::Ready(Some(Err(error))) = &next {
            self.failed = Some(*error);
        }
        next
    }

    fn poll_unfailed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, RimError>>> {
        let Some(coming) = &mut self.coming else {
            return Poll::Ready(None);
        };
        loop {
            match coming.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are read past, as with all bodies.
                    let Ok(piece) = frame.into_data() else { continue };
                    if !piece.is_empty() {
                        return Poll::Ready(Some(self.take(piece)));
                    }
                }
                Poll::Ready(Some(Err(_broken))) => return Poll::Ready(Some(Err(RimError::BodyBroken))),
                Poll::Ready(None) => {
                    let whole = self.announced.is_none_or(|length| length == self.received);
                    return Poll::Ready((!whole).then_some(Err(RimError::BodyBroken)));
                }
                Poll::Pending => return self.wait(cx).map(|error| Some(Err(error))),
            }
        }
    }

    fn take(&mut self, piece: Bytes) -> Result<Bytes, RimError> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(length);
        self.patience.end_wait(length);
        if usize::try_from(self.received).map_or(true, |received| received > self.limit) {
            return Err(RimError::BodyTooLarge { limit: self.limit });
        }
        if self.announced.is_some_and(|announced| self.received > announced) {
            return Err(RimError::BodyBroken);
        }
        Ok(piece)
    }

    /// Waits for the client, if neither it nor the server is at its end.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<RimError> {
        if self.stopping.as_mut().poll(cx).is_ready() {
            return Poll::Ready(RimError::Stopping);
        }
        self.patience.poll_end(cx).map(|()| RimError::BodyTooSlow {
            after: self.patience.most,
        })
    }
}

impl Drop for BodyPieces {
    fn drop(&mut self) {
        if let (Some(coming), Some(back)) = (self.coming.take(), self.back.take()) {
            // Nobody waits for it once the client has gone.
            drop(back.send(coming));
        }
    }
}

impl Patience {
    /// Something has come: the wait for it is over.
    fn end_wait(&mut self, bytes: u64) {
        let waited = self.waiting.take().map(|(since, _)| since.elapsed());
        self.earn(waited.unwrap_or_default(), bytes);
    }

    fn earn(&mut self, waited: Duration, bytes: u64) {
        let earned = Duration::from_micros(bytes.saturating_mul(1_000_000) / SLOWEST);
        let left = self.left.saturating_sub(waited);
        self.left = left.saturating_add(earned).min(self.most);
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.left;
        let (_, sleep) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_for_what_is_held_and_for_what_is_gathered() {
        let held = (1 << 20, 8 << 20);
        assert_eq!(memory(Some(200), held), 200);
        assert_eq!(memory(Some(100_000), held), 200_000);
        assert_eq!(memory(Some(5 << 20), held), (6 << 20) + IN_FLIGHT);
        assert_eq!(memory(None, held), (9 << 20) + IN_FLIGHT);
        assert_eq!(memory(Some(5 << 30), (0, 0)), IN_FLIGHT);
    }

    #[test]
    fn patience_is_earned_by_what_is_sent_and_never_more_than_at_first() {
        let (second, most) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut patience = Patience {
            most,
            left: most,
            waiting: None,
        };
        patience.earn(50 * second, 1);
        assert!(patience.left < 11 * second, "a byte now and then earns nothing");
        patience.earn(5 * second, SLOWEST * 5);
        assert!(patience.left > 9 * second, "that was just fast enough");
        patience.earn(Duration::ZERO, 1 << 40);
        assert_eq!(patience.left, most);
        patience.earn(70 * second, 0);
        assert_eq!(patience.left, Duration::ZERO);
    }
}
