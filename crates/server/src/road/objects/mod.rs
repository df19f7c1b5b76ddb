//! S3 on the one road: who sent the head is known before any of the body is read, and what passes of the body was checked.
//!
//! What a request asks for, and whether its caller may, is the S3 gateway's. Nothing that proves who calls reaches it.

mod body;
mod failure;
mod reply;
mod request;

use std::sync::{Arc, OnceLock};

use http::Method;
use moho_iam::authn::AuthnError;
use moho_iam::authz::{Delivery, RequestFacts};
use moho_s3::{Proof, S3Call, Trailers};
use moho_wire::{ErrorShape, Failure};

pub(super) use failure::{from_authn, from_rim};
pub(crate) use request::path;

use super::{authenticate, chain, last_used};
use crate::net::{Body, BodyPieces, Head, Outbound, Peer, RimError};
use crate::object_calls::ObjectCall;
use crate::startup::Platform;
use crate::telemetry::RequestSpan;
use body::{CheckedBody, Fault, Faults};

/// One request for S3.
pub(super) struct Carried<'a> {
    pub(super) platform: &'a Arc<Platform>,
    pub(super) head: &'a Arc<Head>,
    pub(super) facts: RequestFacts,
    pub(super) span: &'a RequestSpan,
    /// What is observed of it, once it is known who asks.
    pub(super) call: &'a OnceLock<ObjectCall>,
}

impl Carried<'_> {
    /// From a head to the gateway's answer.
    pub(super) async fn answer(self, pieces: BodyPieces) -> Result<Outbound, Failure> {
        let (platform, head) = (self.platform, self.head);
        if let Peer::Door { .. } = head.peer {
            return Err(Failure::AccessDenied(
                "S3 is not served at the bootstrap door.".to_owned(),
            ));
        }
        let (caller, payload) = authenticate::sender(platform, head, &self.facts)?;
        last_used::note(platform, &caller);
        let call = self
            .call
            .get_or_init(|| ObjectCall::begin(platform, head, &self.facts, &caller));
        platform.restored.check_any()?;
        let proof = Proof {
            presigned: moho_iam::authn::is_presigned(&head.raw_query),
            signed_at: Some(payload.signed_at()),
            content_sha256: request::declared_payload(head),
            tls_version: head.tls,
        };
        let (faults, trailers) = (Faults::default(), Trailers::new());
        let length = payload.decoded_length().or_else(|| pieces.announced());
        let request = request::stripped(head, length).ok_or_else(|| Failure::Invalid {
            message: "The request cannot be understood without its proof.".to_owned(),
            param: None,
            code: None,
        })?;
        let observing = (trailers.clone(), faults.clone(), call.clone());
        let body = CheckedBody::new(pieces, payload, length, observing);
        if let Some(fault) = faults.first() {
            return Err(self.faulty(fault));
        }
        let asked = S3Call {
            caller: Arc::new(caller),
            facts: self.facts.clone(),
            proof,
            request: request.map(|()| s3s::Body::http_body_unsync(body)),
            trailers,
            notes: call.notes(),
        };
        let response = platform.objects.answer(asked).await;
        // Whatever was made of it: a body that was not what was signed came to nothing.
        match faults.first() {
            Some(fault) => Err(self.faulty(fault)),
            None => Ok(reply::outbound(
                response,
                head.method == Method::HEAD,
                (self.span.clone(), call.clone()),
            )),
        }
    }

    /// What is told of a body that did not pass.
    fn faulty(&self, fault: Fault) -> Failure {
        match fault {
            Fault::Payload(error) if error.is_unproven() => {
                let whose = (self.head.peer, &self.facts);
                let error = AuthnError::Payload(error);
                authenticate::entered(self.platform, whose, &error)
                    .err()
                    .unwrap_or_else(|| from_authn(self.head, &error))
            }
            Fault::Payload(error) => from_authn(self.head, &AuthnError::Payload(error)),
            Fault::Rim(error) => {
                self.platform.telemetry.had_no_room(error);
                from_rim(error)
            }
        }
    }
}

/// A reply that may be sent, as the journal has what came of its call. Of one in pieces it has that before the last of them.
pub(super) fn written_down(call: &ObjectCall, reply: Outbound, head: &Head) -> Outbound {
    let body = match &reply.body {
        Body::Full(bytes) => Some(&**bytes),
        Body::Empty => None,
        Body::Stream(_) => return reply,
    };
    call.replied(reply.status, &reply.headers, body);
    let Err(unavailable) = call.finish(Delivery::Complete) else {
        return reply;
    };
    tracing::error!(error = %chain(&unavailable), "the journal cannot be written: what was done is not acknowledged");
    let failure = Failure::Unavailable;
    call.failed(failure.code(ErrorShape::S3));
    let reply = refusal(&failure, head);
    call.replied(reply.status, &reply.headers, None);
    reply
}

/// A refusal in S3's words; to `HEAD` nothing but its head.
pub(super) fn refusal(failure: &Failure, head: &Head) -> Outbound {
    let mut outbound = super::reply::whole(failure.s3_reply(&head.request_id, &head.raw_path));
    if head.method == Method::HEAD {
        outbound.body = Body::Empty;
        outbound
            .headers
            .retain(|(name, _)| name != http::header::CONTENT_TYPE);
    }
    outbound
}

/// What the rim refuses, in S3's words, if the request is S3's.
pub(super) fn refused_by_rim(error: RimError, shape: ErrorShape, head: &Head) -> Option<Outbound> {
    (shape == ErrorShape::S3).then(|| refusal(&from_rim(error), head))
}

#[cfg(test)]
mod tests;
