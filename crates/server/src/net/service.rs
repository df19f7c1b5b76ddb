//! One exchange: a request taken in within limits, answered by the road, labelled.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use moho_terms::{Clock, Entropy, RequestId};

use crate::closing::Closing;

use super::activity::{Activity, Exchange};
use super::connection::Client;
use super::intake::Coming;
use super::memory::BodyMemory;
use super::places::{Place, Places};
use super::pool::Sharer;
use super::reply::{self, Held, ReplyBody};
use super::tasks::Tasks;
use super::{Body, Head, Inbound, Limits, Outbound, Peer, RimError, Road, intake};

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
        let mut incoming = Coming::new(incoming, &parts.headers);
        let (head, verdict) = intake::head(parts, client, now, request_id.clone());
        let head = Arc::new(head);
        let (reply, held) = match verdict {
            Ok(()) => self.carry(&head, &mut incoming, &exchange).await,
            Err(error) => (self.road.refuse(&head, error), None),
        };
        let unread = incoming.is_unread();
        let mut response = reply::response(reply, exchange, held);
        reply::label(
            &mut response,
            Some(&request_id),
            self.settings.clock.now(),
            &self.settings.attestation,
        );
        if unread && version < Version::HTTP_2 {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // On HTTP/2 as well: curl drops a reply that comes with a reset.
        if incoming.is_sent_on() {
            let closing = self.settings.closing.clone();
            let reading = intake::discard(incoming, self.settings.limits.linger, closing);
            self.tasks.spawn(reading);
        }
        Ok(response)
    }

    /// The reply, and what is to be held until it is sent: what the body said is needed for as long.
    async fn carry(
        &self,
        head: &Arc<Head>,
        incoming: &mut Coming,
        exchange: &Exchange,
    ) -> (Outbound, Option<Held>) {
        let admission = match self.road.admit(head) {
            Ok(admission) => admission,
            Err(reply) => return (reply, None),
        };
        let claims = admission.claims;
        let limits = Limits {
            body: admission.body.min(self.settings.limits.body),
            ..self.settings.limits
        };
        let taken = async {
            let place = self.place(head.peer)?;
            let work = exchange.work();
            let share = self.memory.share(Sharer::of(head.peer), claims);
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
        let taken = tokio::select! {
            taken = taken => taken,
            () = self.settings.closing.ending() => Err(RimError::Stopping),
        };
        let (body, held) = match taken {
            Ok(taken) => taken,
            Err(error) => return (self.road.refuse(head, error), None),
        };
        let inbound = Inbound {
            head: Arc::clone(head),
            body,
        };
        let reply = Caught(pin!(self.road.handle(inbound))).await;
        let reply = reply.unwrap_or_else(|Panicked| {
            tracing::error!(request_id = %head.request_id, "the road panicked; the request is answered with an internal error");
            self.road.refuse(head, RimError::Internal)
        });
        (reply, Some(held))
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

struct Panicked;

/// A future whose panic is a result, so that a bug costs one request and not its connection's other requests.
struct Caught<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for Caught<'_, F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is dropped, never polled again, after a panic.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_message) => Poll::Ready(Err(Panicked)),
        }
    }
}
