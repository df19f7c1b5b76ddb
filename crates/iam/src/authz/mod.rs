//! What a caller may do: policies in, a decision out, and a [`Permit`] once the decision is journaled.

mod authorizer;
mod context;
mod decision;
mod denial;
mod evaluate;
mod journal;

pub use authorizer::{Authorizer, Permit, Refusal, RequestFacts};
pub use context::Context;
pub use decision::{
    AccessRequest, Decision, Diagnostics, Layer, ModelAgreement, Policies, PolicySource, PolicyUnavailable,
    Reason, Response, Statement,
};
pub use evaluate::evaluate;
pub use journal::{Entry, Journal, JournalUnavailable, Outcome, Position};

#[cfg(test)]
mod tests;
