//! One question to the evaluator, by whomever it is asked: a real request or a simulated one.

use moho_terms::AccountId;

use super::Context;
use crate::session::{Principal, RoleSession};

/// What kind of principal asks, as far as it makes a difference to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    /// A session of a role.
    RoleSession,
    /// The bootstrap principal: what narrows its session is also all it is given.
    Bootstrap,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) kind: CallerKind,
    pub(crate) account: AccountId,
    /// The session's or user's own ARN.
    pub(crate) arn: &'a str,
    /// The ARN of the role that the session is of; else the same.
    pub(crate) role_arn: &'a str,
    /// `AROA…:name`.
    pub(crate) user_id: &'a str,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(session: &'a RoleSession) -> Self {
        Self {
            kind: match session.principal() {
                Principal::AssumedRole { .. } => CallerKind::RoleSession,
                Principal::Bootstrap => CallerKind::Bootstrap,
            },
            account: session.account(),
            arn: session.principal_arn().as_str(),
            role_arn: session.role_arn().as_str(),
            user_id: session.user_id(),
        }
    }
}

/// Who wants to do what, on what, under which circumstances.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// `None` in a simulation without a caller: no resource's policy names it then.
    pub(crate) caller: Option<Caller<'a>>,
    pub(crate) action: &'a str,
    /// An ARN; in a simulation also `*`.
    pub(crate) resource: &'a str,
    /// The account that owns the resource; `None` if nobody does, or the caller's own.
    pub(crate) owner: Option<AccountId>,
    pub(crate) context: &'a Context,
}
