//! What a caller may do: policies in, a decision out, and a [`Permit`] once the decision is journaled.

mod authorizer;
mod context;
mod decision;
mod journal;

pub use authorizer::{Authorizer, Permit, Refusal, RequestFacts};
pub use context::Context;
pub use decision::{
    AccessRequest, Decision, Diagnostics, Layer, ModelAgreement, Policies, PolicySource, PolicyUnavailable,
    Reason, Response, Statement, evaluate,
};
pub use journal::{Entry, Journal, JournalUnavailable, Outcome, Position};
