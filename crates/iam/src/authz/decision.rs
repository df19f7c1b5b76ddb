//! What the evaluator is asked, what it is told, and what it answers.

use std::error::Error;

use moho_terms::Arn;

use super::Context;
use super::attached::{Policies, PolicySourceId};
use super::facts::EndpointFacts;
use crate::policy::Effect;
use crate::session::Session;

/// Who wants to do what, on what, under which circumstances.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Who.
    pub principal: &'a Session,
    /// What, such as `kms:Decrypt`.
    pub action: &'a str,
    /// On what.
    pub resource: &'a Arn,
    /// What conditions can ask about.
    pub context: &'a Context,
    /// The private endpoint it came by. Its policy must allow too.
    pub endpoint: Option<&'a EndpointFacts>,
}

/// Whether the account agreed to use the model that is the resource. Inference is allowed with `Accepted` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelAgreement {
    /// The resource is not a model.
    #[default]
    NotAModel,
    /// The account agreed.
    Accepted,
    /// It did not: no inference.
    Missing,
}

/// Whence a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The role's policies.
    Identity,
    /// The resource's policy.
    Resource,
    /// A role's trust policy.
    Trust,
    /// The permissions boundary.
    Boundary,
    /// The session policy.
    Session,
    /// Organisation, on principals.
    ServiceControl,
    /// Organisation, on resources.
    ResourceControl,
    /// The private endpoint.
    Endpoint,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A statement denies it.
    ExplicitDeny(Layer),
    /// Nothing in this layer allows it.
    NotAllowed(Layer),
    /// The account has not agreed to use the model.
    ModelAccess,
    /// The role or user that acts is not there any more.
    PrincipalGone,
}

/// Whether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No, and why.
    Deny(Reason),
}

/// A statement that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// In which layer it stands.
    pub layer: Layer,
    /// In which policy; the inline session policy is `session`.
    pub source: PolicySourceId,
    /// Which of the policy's statements it is, from 1.
    pub position: usize,
    /// Its `Sid`, if it has one.
    pub sid: Option<String>,
    /// What it says.
    pub effect: Effect,
}

impl Statement {
    /// Its `Sid`, or `#2` for a second statement without.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.sid {
            Some(sid) if !sid.is_empty() => sid.clone(),
            Some(_) | None => format!("#{}", self.position),
        }
    }
}

/// How the decision came to be, for the one who asks why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    /// The statements that decided: those that deny, or else those that allow.
    pub determining: Vec<Statement>,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Whether.
    pub decision: Decision,
    /// How it came to be.
    pub diagnostics: Diagnostics,
}

/// The policies could not be read. The request must fail.
#[derive(Debug, thiserror::Error)]
#[error("the policies cannot be read")]
pub struct PolicyUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl PolicyUnavailable {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Where policies come from.
pub trait PolicySource: Send + Sync {
    /// Every policy that bears on `session` doing `action` on `resource`. A role or user that is absent, or was made
    /// again under its name, does not exist ([`PrincipalFacts::exists`](super::PrincipalFacts)).
    ///
    /// # Errors
    /// [`PolicyUnavailable`] if they cannot be read.
    fn policies(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable>;

    /// The same for a request that is about the grant of this id: if that names `session`, it is among the grants. A source
    /// that always gives all grants of a key has nothing to add.
    ///
    /// # Errors
    /// [`PolicyUnavailable`] if they cannot be read.
    fn policies_about(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
        _grant: &str,
    ) -> Result<Policies, PolicyUnavailable> {
        self.policies(session, action, resource)
    }
}
