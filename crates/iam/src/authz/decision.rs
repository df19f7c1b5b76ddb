//! What the evaluator is asked, what it is told, and what it answers.

use std::error::Error;
use std::sync::Arc;

use moho_terms::Arn;

use super::Context;
use crate::policy::{Effect, PolicyDocument};
use crate::session::RoleSession;

/// Who wants to do what, on what, under which circumstances.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Who.
    pub principal: &'a RoleSession,
    /// What, such as `kms:Decrypt`.
    pub action: &'a str,
    /// On what.
    pub resource: &'a Arn,
    /// What conditions can ask about.
    pub context: &'a Context,
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

/// Every policy that bears on one request, except the session policy, which the session itself carries.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// The role's own. They, or the resource's, must allow.
    pub identity: Vec<Arc<PolicyDocument>>,
    /// The resource's own: a role's trust policy, a KmsKey's key policy, a bucket's. Roles and keys must have one.
    pub resource: Option<Arc<PolicyDocument>>,
    /// The role's permissions boundary. If there is one, it must allow too.
    pub boundary: Option<Arc<PolicyDocument>>,
    /// Guard policies on the principal's organisation, one list per level from the root to the account; on every level
    /// one must allow.
    pub service_control: Vec<Vec<Arc<PolicyDocument>>>,
    /// Guard policies on the resource's organisation, likewise.
    pub resource_control: Vec<Vec<Arc<PolicyDocument>>>,
    /// The policy of the private endpoint the request came by. If there is one, it must allow too.
    pub endpoint: Option<Arc<PolicyDocument>>,
    /// Whether the account agreed to use the model.
    pub model_agreement: ModelAgreement,
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
    /// Where it stands.
    pub layer: Layer,
    /// Its `Sid`, if it has one.
    pub sid: Option<String>,
    /// What it says.
    pub effect: Effect,
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
    /// Every policy that bears on `session` doing `action` on `resource`. A role that is absent has no policies.
    ///
    /// # Errors
    /// [`PolicyUnavailable`] if they cannot be read.
    fn policies(
        &self,
        session: &RoleSession,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable>;
}
