//! From an event to what the journal keeps of it: with CloudTrail's record sealed within.

use std::sync::Arc;

use moho_audit::cloudtrail::record::{EventCategory, EventType, JsonObject, Record, UserIdentity, Which};
use moho_audit::{RecordSeal, Sealing};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{
    Delivery, Event, EventAnswer, EventCategory as Category, EventIdentity, EventKind, EventOrigin,
    Journal as _, JournalUnavailable, RequestFacts,
};
use moho_terms::{Arn, Entropy, Region, RequestId, Timestamp};

use crate::startup::watched::WatchedJournal;

/// Whoever brings a token, as CloudTrail says it.
const WEB_IDENTITY: &str = "WebIdentityUser";

/// What events of calls are recorded with.
pub(crate) struct Recording {
    pub(crate) journal: Arc<WatchedJournal>,
    pub(crate) seal: RecordSeal,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) region: Region,
}

/// What CloudTrail's record has that the event has not in the clear.
#[derive(Default)]
pub(crate) struct Told {
    /// What the caller says of its program.
    pub(crate) user_agent: Option<String>,
    /// The host that was asked for.
    pub(crate) host: Option<String>,
    pub(crate) parameters: Option<JsonObject>,
    pub(crate) elements: Option<JsonObject>,
    pub(crate) additional: Option<JsonObject>,
    pub(crate) error_message: Option<String>,
    /// Whence it came, where the event does not say it in the clear as not all of it is known.
    pub(crate) origin: Option<EventOrigin>,
    /// Of what a service tells by itself.
    pub(crate) details: Option<JsonObject>,
}

/// What a service of moho's own does by itself to something that is no object.
pub(crate) struct OwnCall<'a> {
    /// Such as `kms.amazonaws.com`.
    pub(crate) source: &'static str,
    /// Such as `Decrypt`.
    pub(crate) name: &'static str,
    pub(crate) read_only: bool,
    pub(crate) resource: &'a Arn,
    pub(crate) time: Timestamp,
    /// Why it was refused.
    pub(crate) error_code: Option<&'static str>,
}

impl Recording {
    /// Writes down what a service of moho's own has done, or tried to.
    ///
    /// # Errors
    /// [`JournalUnavailable`]: then it may not go on.
    pub(crate) fn write_own_call(
        &self,
        (caller, facts): (&Authenticated, &RequestFacts),
        call: &OwnCall<'_>,
    ) -> Result<(), JournalUnavailable> {
        let identity = EventIdentity::of(caller);
        let account = identity.account;
        let called = (EventKind::Call, call.name);
        let mut event = Event::new(called, facts.request_id.clone(), identity, call.time);
        event.source = Some(call.source);
        event.category = Some(Category::Management);
        event.read_only = call.read_only;
        event.origin = Some(EventOrigin::of(facts, (None, None), None));
        event.recipients.extend(account);
        event.subject.resources.push(call.resource.clone());
        event.answer = Some(EventAnswer {
            status: Some(if call.error_code.is_some() { 400 } else { 200 }),
            error_code: call.error_code.map(str::to_owned),
            bytes_in: 0,
            bytes_out: 0,
            delivery: Delivery::Complete,
        });
        self.write(event, Told::default())
    }

    /// Writes an event down.
    ///
    /// # Errors
    /// [`JournalUnavailable`], also if its record cannot be sealed: what cannot be told may not be done.
    pub(crate) fn write(&self, mut event: Event, told: Told) -> Result<(), JournalUnavailable> {
        let id = RequestId::random(&*self.entropy).map_err(JournalUnavailable::new)?;
        if let Some(record) = self.record(&event, &id, told) {
            let of = Sealing {
                id: &id,
                recipients: &event.recipients,
            };
            let sealed = self.seal.seal(of, record);
            event.record = Some(sealed.map_err(JournalUnavailable::new)?);
            event.event_id = Some(id);
        }
        if event.identity.kind == WEB_IDENTITY {
            // Whom an identity provider's token is of, it says itself: the sealed record has it.
            event.identity.principal_id = None;
            event.identity.principal = None;
        }
        self.journal.record_event(&event)?;
        Ok(())
    }

    /// CloudTrail's record of an event, but for whom it is for.
    fn record(&self, event: &Event, id: &RequestId, told: Told) -> Option<Record> {
        let category: EventCategory = event.category?.into();
        let which = Which {
            event_id: id.to_string(),
            time: event.time,
            source: event.source?.to_owned(),
            name: event.event.to_owned(),
            region: self.region.to_string(),
            category,
        };
        let mut record = Record::of_call(which, UserIdentity::from(&event.identity));
        if let Some(origin) = event.origin.as_ref().or(told.origin.as_ref()) {
            record = record.from_origin(origin);
        }
        if event.kind == EventKind::ServiceEvent {
            record.event_type = EventType::AwsServiceEvent;
        }
        record = record.on_subject(&event.subject);
        record.user_agent = told.user_agent;
        record.request_id = Some(event.request_id.to_string());
        record.read_only = Some(event.read_only);
        record.request_parameters = told.parameters;
        record.response_elements = told.elements;
        record.additional_event_data = told.additional;
        record.error_code = event.answer.as_ref().and_then(|answer| answer.error_code.clone());
        record.error_message = told.error_message;
        record.service_event_details = told.details;
        if let (Some(details), Some(host)) = (&mut record.tls_details, told.host) {
            details.client_provided_host_header = Some(host);
        }
        Some(record)
    }
}
