//! The one road: bytes → command → who → may they → act → bytes.
//!
//! Every request takes it, whatever its protocol; a new API is a `Command` variant, a row in [`dispatch`] and a handler.
//! What is **absent** here: any way to act without a `Permit`, and any text of a tenant in an error.

mod attestation;
mod authenticate;
mod dispatch;
mod failure;
mod health;
mod key_failure;
mod last_used;
mod objects;
mod public_log;
mod reply;
mod strangers;
mod unentered;

use std::sync::{Arc, OnceLock};

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use moho_iam::authz::RequestFacts;
use moho_wire::aws::ops::sts::Request;
use moho_wire::{Command, ErrorShape, Failure, RequestHead, Route, RouteRefused};

pub(crate) use failure::{chain, from_engine_failure, from_engine_refusal, from_store};
pub(crate) use health::answer as probe_answer;
pub(crate) use key_failure::{from_key_store, from_kms};
pub(crate) use objects::path as object_path;
pub(crate) use reply::{Frames, amazon_event_stream, content, event_stream, whole};
pub(crate) use strangers::Strangers;

use self::dispatch::web_identity::{self, Bringing};
use crate::api_calls::Calling;
use crate::endpoints;
use crate::net::{Admission, BodyPieces, Head, Inbound, Outbound, Peer, RimError, Via};
use crate::quota::Entrance;
use crate::startup::Platform;
use crate::telemetry::{RequestSpan, route};

/// The road over one platform.
#[derive(Clone)]
pub(crate) struct RequestRoad {
    platform: Arc<Platform>,
}

impl RequestRoad {
    pub(crate) fn new(platform: Arc<Platform>) -> Self {
        Self { platform }
    }

    /// From a whole request to the reply that its handler gives.
    async fn travel(
        &self,
        inbound: &Inbound,
        route: &Route,
        (span, entrance, calling): (&RequestSpan, &Arc<Entrance>, &Calling),
    ) -> Result<Outbound, Failure> {
        let platform = &self.platform;
        let facts = facts(platform, &inbound.head, route)?;
        let bringing = Bringing {
            platform,
            peer: inbound.head.peer,
            facts: &facts,
            route,
            measured: (span, entrance, calling),
        };
        if authenticate::unsigned_limit(&inbound.head, route).is_some()
            && let Some(assume) = route
                .unsigned_command(inbound.body.expose())
                .map_err(|failure| web_identity::in_vain(&bringing, failure))?
        {
            calling.asks(
                route
                    .asked(&values(&inbound.head), inbound.body.expose())
                    .parameters,
            );
            return web_identity::assume(&bringing, assume).await;
        }
        let caller = authenticate::caller(platform, inbound, route, &facts)?;
        last_used::note(platform, &caller);
        calling.by(&caller, &facts);
        let asked = route.asked(&values(&inbound.head), inbound.body.expose());
        calling.asks(asked.parameters);
        let command = asked.command?;
        calling.understood(&command);
        // Whatever else vouches for the caller: what counts is the token.
        if let Command::Sts(Request::AssumeRoleWithWebIdentity(assume)) = command {
            return web_identity::assume(&bringing, *assume).await;
        }
        let invocation = platform.invocations.begin(inbound, route, &caller)?;
        let trip = dispatch::Trip {
            platform,
            invocation: invocation.as_ref(),
            caller: &caller,
            facts: &facts,
            route,
            span,
            entrance,
            calling,
        };
        let answer = dispatch::dispatch(&trip, command).await;
        match invocation {
            Some(invocation) => invocation.answered(answer).await,
            None => answer,
        }
    }
}

impl crate::net::Road for RequestRoad {
    fn admit(&self, head: &Head) -> Result<Admission, Outbound> {
        let telemetry = &self.platform.telemetry;
        let open_to_all = || public_log::answer(head, &self.platform);
        if let Some((route, reply)) = health::probe(head, &self.platform).or_else(open_to_all) {
            telemetry.probed(head, route, reply.status);
            return Err(reply);
        }
        if let Some(admission) = attestation::admission(head) {
            return Ok(admission);
        }
        let turn_away = |failure: &Failure, shape, template| {
            let reply = reply::failure(failure, shape, head);
            telemetry.turned_away(head, template, reply.status);
            reply
        };
        let route =
            find(head).map_err(|refused| turn_away(&refused.failure, refused.shape, route::UNKNOWN))?;
        let template = route::template(route.target());
        facts(&self.platform, head, &route)
            .and_then(|facts| authenticate::precheck(&self.platform, head, &route, &facts))
            .map_err(|failure| turn_away(&failure, route.error_shape(), template))
    }

    async fn handle(&self, inbound: Inbound) -> Outbound {
        let head = &inbound.head;
        let telemetry = &self.platform.telemetry;
        if attestation::is_asked_for(head) {
            let reply = attestation::answer(head, &self.platform).await;
            telemetry.probed(head, attestation::PATH, reply.status);
            return reply;
        }
        let route = match find(head) {
            Ok(route) => route,
            Err(refused) => {
                let reply = reply::failure(&refused.failure, refused.shape, head);
                telemetry.turned_away(head, route::UNKNOWN, reply.status);
                return reply;
            }
        };
        let shape = route.error_shape();
        let span = RequestSpan::begin(telemetry, head, route::template(route.target()));
        let entrance = Arc::default();
        let call = route.call(&values(head), inbound.body.expose());
        let calling = Calling::begin(&self.platform, head, (call, inbound.body.expose().len()));
        let travelled = self.travel(&inbound, &route, (&span, &entrance, &calling));
        let mut reply = written_down(&calling, travelled.await, (shape, head));
        if shape == ErrorShape::OpenAi {
            reply::say_what_is_left(&mut reply, entrance.standing());
        }
        span.replied(reply.status);
        reply
    }

    async fn handle_streamed(&self, head: Arc<Head>, body: BodyPieces) -> Outbound {
        let telemetry = &self.platform.telemetry;
        let template = find(&head).map(|route| (route::template(route.target()), route));
        let (template, route) = match template {
            Ok(found) => found,
            Err(refused) => {
                let reply = reply::failure(&refused.failure, refused.shape, &head);
                telemetry.turned_away(&head, route::UNKNOWN, reply.status);
                return reply;
            }
        };
        let span = RequestSpan::begin(telemetry, &head, template);
        let call = OnceLock::new();
        let answer = async {
            let carried = objects::Carried {
                platform: &self.platform,
                head: &head,
                facts: facts(&self.platform, &head, &route)?,
                span: &span,
                call: &call,
            };
            carried.answer(body).await
        };
        let shape = route.error_shape();
        let reply = match (answer.await, call.get()) {
            (Ok(outbound), Some(call)) => objects::written_down(call, outbound, &head),
            (Err(failure), Some(call)) => {
                call.failed(failure.code(shape));
                objects::written_down(call, reply::failure(&failure, shape, &head), &head)
            }
            (Ok(outbound), None) => outbound,
            (Err(failure), None) => reply::failure(&failure, shape, &head),
        };
        span.replied(reply.status);
        reply
    }

    async fn settle(&self, head: &Head, reply: Outbound) -> Outbound {
        // The journal failing is what probes are there to tell.
        let settled = self.platform.journal.settled().await;
        match settled {
            Err(error) if !health::is_probe(head) => {
                let shape = find(head).map_or_else(|refused| refused.shape, |route| route.error_shape());
                reply::failure(&failure::unavailable(&error), shape, head)
            }
            Ok(()) | Err(_) => reply,
        }
    }

    fn refuse(&self, head: &Head, error: RimError) -> Outbound {
        let (shape, template) = match find(head) {
            Ok(route) => (route.error_shape(), route::template(route.target())),
            Err(RouteRefused { shape, .. }) => (shape, route::UNKNOWN),
        };
        let mut reply = objects::refused_by_rim(error, shape, head).unwrap_or_else(|| {
            let mut reply = reply::failure(&failure::from_rim(error, shape), shape, head);
            // The protocols have no words of their own for some of these; HTTP has.
            reply.status = error.status();
            reply
        });
        let telemetry = &self.platform.telemetry;
        telemetry.turned_away(head, template, reply.status);
        telemetry.had_no_room(error);
        if reply.status == StatusCode::SERVICE_UNAVAILABLE {
            reply
                .headers
                .push((RETRY_AFTER, HeaderValue::from(failure::RETRY_AFTER)));
        }
        reply
    }
}

#[cfg(test)]
mod tests;

/// A reply that may be sent, as the journal has what came of its call.
fn written_down(
    calling: &Calling,
    travelled: Result<Outbound, Failure>,
    (shape, head): (ErrorShape, &Head),
) -> Outbound {
    let (reply, written) = match travelled {
        Ok(mut reply) => {
            let written = calling.answered(&mut reply);
            (reply, written)
        }
        Err(failure) => {
            let reply = reply::failure(&failure, shape, head);
            let written = calling.failed(&failure, shape, &reply);
            (reply, written)
        }
    };
    match written {
        Ok(()) => reply,
        Err(unavailable) => reply::failure(&failure::unavailable(&unavailable), shape, head),
    }
}

/// All values of each header, as sent.
fn values<'h>(head: &'h Head) -> impl Fn(&str) -> Vec<&'h [u8]> {
    |name: &str| {
        let values = head.headers.get_all(name).iter();
        values.map(HeaderValue::as_bytes).collect()
    }
}

fn find(head: &Head) -> Result<Route, RouteRefused> {
    moho_wire::route(&RequestHead {
        method: head.method.as_str(),
        raw_path: &head.raw_path,
        raw_query: &head.raw_query,
        content_type: header(head, "content-type"),
        authorization: header(head, "authorization"),
        host: &head.authority,
        of_aws: head.headers.keys().any(|name| {
            let name = name.as_str();
            name.starts_with("x-amz-") || name.starts_with("amz-sdk-")
        }),
    })
}

fn header<'a>(head: &'a Head, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

/// What is known of a request beside who asks for what. One that came by a private endpoint of which nothing can be said
/// goes no further.
fn facts(platform: &Platform, head: &Head, route: &Route) -> Result<RequestFacts, Failure> {
    let agent = head.headers.get("user-agent");
    let endpoint = match &head.via {
        Via::Endpoint(listener) => {
            let service = endpoints::of_request(route.target());
            let found = platform.endpoints.facts(listener, service);
            Some(found.map_err(|error| failure::from_endpoints(&error))?)
        }
        Via::Public | Via::Plain | Via::Door => None,
    };
    Ok(RequestFacts {
        source_ip: match head.peer {
            Peer::Network(address) => Some(address.ip()),
            Peer::Local { .. } | Peer::Door { .. } => None,
        },
        peer_uid: match head.peer {
            Peer::Local { uid } | Peer::Door { uid } => Some(uid),
            Peer::Network(_) => None,
        },
        client_certificate_sha256: head.certificate,
        user_agent_sha256: agent.map(|agent| authenticate::sha256(agent.as_bytes())),
        user_agent: agent.and_then(|agent| agent.to_str().ok()).map(str::to_owned),
        endpoint,
        secure_transport: head.via.is_secure(),
        ..RequestFacts::new(head.request_id.clone())
    })
}
