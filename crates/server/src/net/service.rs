//! One exchange: a request taken in within limits, answered by the road, labelled.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use moho_terms::{Clock, Entropy, RequestId};

use crate::closing::Closing;

use super::activity::{Activity, Exchange};
use super::connection::Client;
use super::intake::Coming;
use super::memory::BodyMemory;
use super::pieces::{self, Left};
use super::places::{Place, Places};
use super::pool::Sharer;
use super::reply::{self, Held, ReplyBody};
use super::tasks::Tasks;
use super::{
    Admission, Body, BodyPieces, Head, Inbound, Limits, Outbound, Peer, RimError, Road, Taking, intake,
};

/// What the rim needs besides a road.
pub struct RimSettings {
    /// The time, for `date` and [`Head::received`].
    pub clock: Arc<dyn Clock>,
    /// Randomness, for request ids.
    pub entropy: Arc<dyn Entropy>,
    /// The bounds.
    pub limits: Limits,
    /// What every reply says about attestation, such as `development`.
    pub attestation: HeaderValue,
    /// How far stopping has come; [`Server::finish`](super::Server::finish) goes down its steps.
    pub closing: Closing,
}

/// All that connections share.
pub(crate) struct Rim<R> {
    pub(crate) road: Arc<R>,
    pub(crate) settings: RimSettings,
    pub(crate) memory: BodyMemory,
    /// For bodies that are taken in pieces: those that come slowly shut out none that are taken whole.
    pub(crate) streams: BodyMemory,
    pub(crate) requests: Places,
    pub(crate) tasks: Tasks,
}

impl<R: Road> Rim<R> {
    /// Answers one request; never fails, as every failure has its reply.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: Client,
        activity: Arc<Activity>,
    ) -> Result<Response<ReplyBody>, Infallible> {
        let exchange = activity.begin();
        let now = self.settings.clock.now();
        let Ok(request_id) = RequestId::random(self.settings.entropy.as_ref()) else {
            return Ok(self.without_id(exchange));
        };
        let version = request.version();
        let (parts, incoming) = request.into_parts();
        let incoming = Coming::new(incoming, &parts.headers);
        let (head, verdict) = intake::head(parts, client, now, request_id.clone());
        let head = Arc::new(head);
        let (reply, held, rest) = match verdict {
            Ok(()) => self.carry(&head, incoming, &exchange).await,
            Err(error) => (self.road.refuse(&head, error), None, Rest::Here(incoming)),
        };
        let reply = self.road.settle(&head, reply).await;
        let rest = rest.found();
        let mut response = reply::response(reply, exchange, held);
        reply::label(
            &mut response,
            Some(&request_id),
            self.settings.clock.now(),
            &self.settings.attestation,
        );
        if rest.is_unread() && version < Version::HTTP_2 {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // On HTTP/2 as well: curl drops a reply that comes with a reset.
        if rest.may_be_sent_on() {
            let closing = self.settings.closing.clone();
            let linger = self.settings.limits.linger;
            self.tasks.spawn(rest.discard(linger, closing));
        }
        Ok(response)
    }

    /// The reply, what is to be held until it is sent (what the body said is needed for as long), and what is left of the
    /// body.
    async fn carry(
        &self,
        head: &Arc<Head>,
        mut incoming: Coming,
        exchange: &Exchange,
    ) -> (Outbound, Option<Held>, Rest) {
        let admission = match self.road.admit(head) {
            Ok(admission) => admission,
            Err(reply) => return (reply, None, Rest::Here(incoming)),
        };
        let carried = match admission.taking {
            Taking::Whole => self.whole(head, &mut incoming, (exchange, &admission)).await,
            Taking::Streamed { held, gathered } => {
                match self.hold(head, &incoming, (exchange, &admission), (held, gathered)) {
                    Ok(held) => return self.streamed(head, incoming, (held, &admission)).await,
                    Err(error) => Err(error),
                }
            }
        };
        match carried {
            Ok((reply, held)) => (reply, Some(held), Rest::Here(incoming)),
            Err(error) => (self.road.refuse(head, error), None, Rest::Here(incoming)),
        }
    }

    /// The reply to a request whose body is read first.
    async fn whole(
        &self,
        head: &Arc<Head>,
        incoming: &mut Coming,
        (exchange, admission): (&Exchange, &Admission),
    ) -> Result<(Outbound, Held), RimError> {
        if !intake::is_plain(&head.headers) {
            return Err(RimError::ContentEncoding);
        }
        let limits = Limits {
            body: admission.body.min(self.settings.limits.body),
            ..self.settings.limits
        };
        let taken = async {
            let place = self.place(head.peer)?;
            let work = exchange.work();
            let share = self.memory.share(Sharer::of(head.peer), admission.claims.clone());
            let (body, mut share) = intake::body(incoming, &head.headers, &limits, share).await?;
            // From here the road takes it, which looks at the signature before it waits for anything.
            share.complete();
            let held = Held {
                _body: share,
                _place: place,
                _work: work,
            };
            Ok((body, held))
        };
        let (body, held) = tokio::select! {
            taken = taken => taken,
            () = self.settings.closing.ending() => Err(RimError::Stopping),
        }?;
        let inbound = Inbound {
            head: Arc::clone(head),
            body,
        };
        let reply = self.caught(head, self.road.handle(inbound)).await;
        Ok((reply, held))
    }

    /// Takes what a body in pieces needs: the memory of what is in flight and of what is gathered of it, never of all.
    fn hold(
        &self,
        head: &Head,
        incoming: &Coming,
        (exchange, admission): (&Exchange, &Admission),
        (held, gathered): (usize, usize),
    ) -> Result<Held, RimError> {
        let announced = incoming.announced(&head.headers);
        let announced = announced.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > admission.body) {
            return Err(RimError::BodyTooLarge {
                limit: admission.body,
            });
        }
        let place = self.place(head.peer)?;
        let work = exchange.work();
        let mut share = self
            .streams
            .share(Sharer::of(head.peer), admission.claims.clone());
        if incoming.is_unread() {
            // So much everybody can have, as a whole body is allowed to have it.
            let most = self.settings.limits.body;
            share.grow(pieces::memory(announced, (held, gathered)).min(most))?;
        }
        share.complete();
        Ok(Held {
            _body: share,
            _place: place,
            _work: work,
        })
    }

    /// The reply to a request whose body the road reads.
    async fn streamed(
        &self,
        head: &Arc<Head>,
        incoming: Coming,
        (held, admission): (Held, &Admission),
    ) -> (Outbound, Option<Held>, Rest) {
        let limits = Limits {
            body: admission.body,
            ..self.settings.limits
        };
        let announced = incoming.announced(&head.headers);
        let (body, left) = BodyPieces::new(incoming, announced, &limits, self.settings.closing.clone());
        let handled = self.road.handle_streamed(Arc::clone(head), body);
        let reply = self.caught(head, handled).await;
        (reply, Some(held), Rest::WithRoad(left))
    }

    /// What the road replies, or that it panicked.
    async fn caught(&self, head: &Head, handled: impl Future<Output = Outbound>) -> Outbound {
        // Dropped before the rest of a body is looked for, which it may hold.
        let handled = Box::pin(handled);
        let reply = Caught(handled).await;
        reply.unwrap_or_else(|Panicked| {
            tracing::error!(request_id = %head.request_id, "the road panicked; the request is answered with an internal error");
            self.road.refuse(head, RimError::Internal)
        })
    }

    /// A place among the requests in progress. The door needs none, as it has few connections and one request on each.
    fn place(&self, peer: Peer) -> Result<Option<Place>, RimError> {
        match Sharer::of(peer) {
            Sharer::Door => Ok(None),
            peer @ (Sharer::Network(_) | Sharer::User(_)) => self.requests.take(peer).map(Some),
        }
    }

    /// Without randomness there is no request id, hence no journal entry, hence nothing that may be done.
    fn without_id(&self, exchange: Exchange) -> Response<ReplyBody> {
        let reply = Outbound {
            status: RimError::Internal.status(),
            headers: Vec::new(),
            body: Body::Empty,
            told: None,
        };
        let mut response = reply::response(reply, exchange, None);
        reply::label(
            &mut response,
            None,
            self.settings.clock.now(),
            &self.settings.attestation,
        );
        response
    }
}

/// What is left of a body when its reply has begun.
enum Rest {
    /// What nobody read.
    Here(Coming),
    /// What the road has not given back yet.
    WithRoad(Left),
}

impl Rest {
    /// The same, with what the road has given back by now.
    fn found(self) -> Self {
        match self {
            Self::Here(coming) => Self::Here(coming),
            Self::WithRoad(mut left) => match left.try_recv() {
                Ok(coming) => Self::Here(coming),
                Err(_reading) => Self::WithRoad(left),
            },
        }
    }

    /// Whether the client has not sent all of it yet, as far as is known.
    fn is_unread(&self) -> bool {
        match self {
            Self::Here(coming) => coming.is_unread(),
            Self::WithRoad(_) => true,
        }
    }

    /// Whether the client may send on, as it does not know yet that nobody reads.
    fn may_be_sent_on(&self) -> bool {
        match self {
            Self::Here(coming) => coming.is_sent_on(),
            Self::WithRoad(_) => true,
        }
    }

    /// Reads and forgets it, once the road has given it back.
    async fn discard(self, limit: Duration, closing: Closing) {
        let coming = match self {
            Self::Here(coming) => coming,
            Self::WithRoad(left) => match left.await {
                Ok(coming) => coming,
                Err(_gone) => return,
            },
        };
        if coming.is_sent_on() {
            intake::discard(coming, limit, closing).await;
        }
    }
}

struct Panicked;

/// A future whose panic is a result, so that a bug costs one request and not its connection's other requests.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is dropped, never polled again, after a panic.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_message) => Poll::Ready(Err(Panicked)),
        }
    }
}
