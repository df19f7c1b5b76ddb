//! Calls of all APIs but S3's as they are answered: who made each, what was asked, what it was about and what came of it.
//!
//! Of each call whose caller is known there is one event in the journal, before the first byte of its reply leaves: with names, ids
//! and codes in the clear, and CloudTrail's record of it sealed within. Who is not known leaves an entry that says so instead.

mod attested;
mod recording;
#[cfg(test)]
mod table;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use moho_attest::evidence::{KeyRelease, Verified};
use moho_audit::cloudtrail::record::JsonObject;
use moho_iam::authn::Authenticated;
use moho_iam::authz::{
    Delivery, Event, EventAnswer, EventCategory, EventIdentity, EventKind, EventOrigin, JournalUnavailable,
    Refusal, RequestFacts,
};
use moho_terms::{AccountId, Arn, ContentBytes};
use moho_wire::{ApiCall, Command, ErrorShape, Failure};
use serde::Serialize;

use crate::net::{Body, Head, Outbound};
use crate::road::chain;
use crate::startup::Platform;

use attested::AttestedRecipient;
pub(crate) use recording::{OwnCall, Recording, Told};

/// The scheme of bearer keys.
const BEARER: &str = "bearer";

/// A call that is being answered. Dropped before it was, it is written down as that.
pub(crate) struct Calling {
    platform: Arc<Platform>,
    head: Arc<Head>,
    received: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    call: Option<ApiCall>,
    caller: Option<(EventIdentity, EventOrigin)>,
    user_agent: Option<String>,
    parameters: Option<ContentBytes>,
    about: Vec<Arn>,
    /// Whose that is of it which was allowed.
    owners: BTreeSet<AccountId>,
    /// Why it was denied, with the statement that decided: a JSON object.
    denial: Option<String>,
    /// Whom a plaintext was to be released to.
    recipient: Option<AttestedRecipient>,
    written: bool,
}

impl Calling {
    /// A request whose caller is not known yet; `call` is what it asks, if that is an operation.
    pub(crate) fn begin(
        platform: &Arc<Platform>,
        head: &Arc<Head>,
        (call, received): (Option<ApiCall>, usize),
    ) -> Self {
        Self {
            platform: Arc::clone(platform),
            head: Arc::clone(head),
            received: u64::try_from(received).unwrap_or(u64::MAX),
            state: Mutex::new(State {
                call,
                ..State::default()
            }),
        }
    }

    /// Somebody proved who it is.
    pub(crate) fn by(&self, caller: &Authenticated, facts: &RequestFacts) {
        let presigned = moho_iam::authn::is_presigned(&self.head.raw_query);
        let signed = if presigned { "QueryString" } else { "AuthHeader" };
        let origin = EventOrigin::of(facts, (self.head.tls, self.head.cipher_suite), Some(signed));
        let mut state = self.state();
        state.caller = Some((EventIdentity::of(caller), origin));
        state.user_agent.clone_from(&facts.user_agent);
    }

    /// What of the request may be told.
    pub(crate) fn asks(&self, parameters: Option<ContentBytes>) {
        self.state().parameters = parameters;
    }

    /// What was understood of it. Where the path says it of no stream, its words do.
    pub(crate) fn understood(&self, command: &Command) {
        let streams = command.inference().is_some_and(|(_, streams)| streams);
        let mut state = self.state();
        if let Some(call) = state.call.as_mut().filter(|_| streams)
            && call.name == "InvokeModel"
        {
            call.name = "InvokeModelWithResponseStream";
        }
    }

    /// It was allowed on this.
    pub(crate) fn about(&self, resource: &Arn) {
        self.decided(resource);
        let mut state = self.state();
        if let Ok(owner) = resource.account().parse()
            && state.owners.len() < MOST_RESOURCES
        {
            state.owners.insert(owner);
        }
    }

    fn decided(&self, resource: &Arn) {
        let mut state = self.state();
        if state.about.len() < MOST_RESOURCES && !state.about.contains(resource) {
            state.about.push(resource.clone());
        }
    }

    /// A plaintext is to be released to the holder of the key in this evidence.
    pub(crate) fn releases_to(&self, evidence: &Verified<KeyRelease>) {
        self.state().recipient = Some(AttestedRecipient::of(evidence));
    }

    /// It was denied, and this is why.
    pub(crate) fn denied(&self, refusal: &Refusal) {
        if let Refusal::AccessDenied { detail, .. } = refusal {
            if let Ok(resource) = detail.context.resource.parse() {
                self.decided(&resource);
            }
            self.state().denial = Some(detail.to_json());
        }
    }

    /// Writes down what is answered, which is not sent before.
    ///
    /// # Errors
    /// [`JournalUnavailable`]: then nothing of it may be sent.
    pub(crate) fn answered(&self, reply: &mut Outbound) -> Result<(), JournalUnavailable> {
        let (length, delivery) = match &reply.body {
            Body::Empty => (0, Delivery::Complete),
            Body::Full(bytes) => (bytes.len(), Delivery::Complete),
            Body::Stream(_) => (0, Delivery::Begun),
        };
        self.write(&Came {
            status: Some(reply.status),
            error: None,
            elements: reply.told.take(),
            length: u64::try_from(length).unwrap_or(u64::MAX),
            delivery,
        })
    }

    /// Writes down that it failed.
    ///
    /// # Errors
    /// [`JournalUnavailable`].
    pub(crate) fn failed(
        &self,
        failure: &Failure,
        shape: ErrorShape,
        reply: &Outbound,
    ) -> Result<(), JournalUnavailable> {
        self.write(&Came {
            status: Some(reply.status),
            error: Some((failure.code(shape), failure.sentence(shape))),
            elements: None,
            length: 0,
            delivery: Delivery::Complete,
        })
    }

    fn write(&self, came: &Came) -> Result<(), JournalUnavailable> {
        let mut state = self.state();
        if state.written {
            return Ok(());
        }
        let (Some(call), Some((identity, origin))) = (state.call, state.caller.clone()) else {
            // No operation, or nobody who asked for it: the journal has what there is to be said of it.
            state.written = true;
            return Ok(());
        };
        let event = self.event(call, (identity, origin), ((&state.about, &state.owners), came));
        let told = Told {
            user_agent: state.user_agent.clone(),
            host: Some(self.head.authority.clone()),
            parameters: object(state.parameters.as_ref()),
            elements: object(came.elements.as_ref()),
            additional: additional(
                &event,
                call,
                state.denial.as_deref().filter(|_| came.error.is_some()),
                state.recipient.as_ref(),
            ),
            error_message: came.error.as_ref().map(|(_, sentence)| sentence.clone()),
            ..Told::default()
        };
        self.platform.recording.write(event, told)?;
        state.written = true;
        Ok(())
    }

    fn event(
        &self,
        call: ApiCall,
        (identity, origin): (EventIdentity, EventOrigin),
        ((about, owners), came): ((&[Arn], &BTreeSet<AccountId>), &Came),
    ) -> Event {
        let (id, time) = (self.head.request_id.clone(), self.head.received);
        let mut recipients: Vec<_> = identity.account.into_iter().collect();
        if came.error.is_none() {
            // Whoever has what was acted on, too, which goes on although nobody waits for its end: that it is allowed took their own
            // policy. Of what was refused it is not known whether anybody has it.
            let others = owners.iter().filter(|owner| identity.account != Some(**owner));
            recipients.extend(others);
        }
        let mut event = Event::new((EventKind::Call, call.name), id, identity, time);
        event.source = Some(call.source);
        event.category = Some(EventCategory::Management);
        event.read_only = call.read_only;
        event.origin = Some(origin);
        event.subject.resources = about.to_vec();
        event.recipients = recipients;
        event.answer = Some(EventAnswer {
            status: came.status.map(|status| status.as_u16()),
            error_code: came.error.as_ref().map(|(code, _)| (*code).to_owned()),
            bytes_in: self.received,
            bytes_out: came.length,
            delivery: came.delivery,
        });
        event
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let unanswered = Came {
            status: None,
            error: None,
            elements: None,
            length: 0,
            delivery: Delivery::Unanswered,
        };
        if let Err(error) = self.write(&unanswered) {
            let request_id = &self.head.request_id;
            tracing::error!(%request_id, error = %chain(&error), "what came of a call is not in the journal");
        }
    }
}

/// What was decided about in one call is told up to so many; the decisions have them all.
const MOST_RESOURCES: usize = 16;

/// What came of a call.
struct Came {
    status: Option<StatusCode>,
    error: Option<(&'static str, String)>,
    elements: Option<ContentBytes>,
    length: u64,
    delivery: Delivery,
}

/// What `wire` made of a document is an object.
fn object(json: Option<&ContentBytes>) -> Option<JsonObject> {
    let text = std::str::from_utf8(json?.expose()).ok()?;
    JsonObject::parse(text).ok()
}

/// What belongs neither to the request nor to the reply: how Bedrock's callers proved who they are, why a call was denied, and
/// whom a plaintext was to be released to.
fn additional(
    event: &Event,
    call: ApiCall,
    denial: Option<&str>,
    recipient: Option<&AttestedRecipient>,
) -> Option<JsonObject> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Additional<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        recipient: Option<&'a AttestedRecipient>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        call_with_bearer_token: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        denial: Option<JsonObject>,
    }
    let additional = Additional {
        recipient,
        call_with_bearer_token: event.identity.scheme == Some(BEARER) && call.source.starts_with("bedrock"),
        denial: denial.and_then(|denial| JsonObject::parse(denial).ok()),
    };
    if !additional.call_with_bearer_token && additional.denial.is_none() && recipient.is_none() {
        return None;
    }
    JsonObject::of(&additional).ok()
}
