//! What a caller may do: policies in, a decision out, and a [`Permit`] once the decision is journaled.

mod access;
mod attached;
mod authorizer;
mod context;
mod decision;
mod denial;
mod detail;
mod evaluate;
mod event;
mod facts;
mod global_keys;
mod grant;
mod hidden;
mod journal;
mod key_set;
mod later;
mod question;
mod simulate;
mod verdicts;

pub use access::{
    AccessDecision, Accessed, AccessibleKey, Accessing, KeyAccess, NamedPrincipal, key_access, named_on_key,
};
pub use attached::{Attached, Policies, PolicySourceId, PrincipalPolicies};
pub use authorizer::{Authorizer, Permit, Refusal};
pub use context::Context;
pub use decision::{
    AccessRequest, Decision, Diagnostics, Layer, ModelAgreement, PolicySource, PolicyUnavailable, Reason,
    Response, Statement,
};
pub use detail::{
    DenialContext, DenialDetail, DeniedBy, DeniedPrincipal, DetailCondition, DetailValue, Items, NotADetail,
};
pub use evaluate::{Verdict, decide, evaluate};
pub use event::{
    Delivery, Event, EventAnswer, EventCategory, EventIdentity, EventKind, EventOrigin, EventSealing,
    EventSource, EventSubject,
};
pub use facts::{ActingFor, EndpointFacts, OrganisationFacts, PrincipalFacts, RequestFacts, ResourceFacts};
pub use grant::{Grant, GrantConstraint, GrantOperation, GrantOperationError, Grants};
pub use journal::{Entry, FurtherFailures, Journal, JournalUnavailable, Outcome, Position, ToldDenial};
pub use simulate::{
    GuardsOf, MatchedStatement, Simulated, SimulatedAsking, SimulatedCaller, SimulatedDecision, Simulation,
    TextPosition, simulate,
};

pub(crate) use context::{HASH_OF_NOTHING, Key, hash as key_hash, hash_on};
pub(crate) use key_set::KeySet;
pub(crate) use question::{Caller, CallerKind, Question, is_open};

#[cfg(test)]
mod tests;
