//! A policy document together with where it is kept, so that a decision can say which policy made it.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::facts::{PrincipalFacts, ResourceFacts};
use super::grant::Grants;
use super::key_set::KeySet;
use super::{Context, ModelAgreement};
use crate::policy::PolicyDocument;

/// Which policy it is: the ARN of a managed, service control or resource control policy; `role/NAME/inline:POLICY`,
/// `user/NAME/inline:POLICY` or `group/NAME/inline:POLICY`; the ARN of the resource or endpoint it is attached to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicySourceId(Arc<str>);

impl PolicySourceId {
    /// By its name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicySourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PolicySourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PolicySourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A policy where it is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Which policy it is.
    pub source: PolicySourceId,
    /// What it says. Parsing compiles it: keep it, and share it.
    pub document: Arc<PolicyDocument>,
}

impl Attached {
    /// `document`, kept under the name `source`.
    #[must_use]
    pub fn new(source: impl Into<Arc<str>>, document: Arc<PolicyDocument>) -> Self {
        Self {
            source: PolicySourceId::new(source),
            document,
        }
    }
}

/// Every policy of one principal, except the inline session policy, which the session itself carries. Keep it per principal
/// (and per list of managed session policies), and share it. The default is a principal that does not exist.
#[derive(Debug, Clone, Default)]
pub struct PrincipalPolicies {
    /// The role's or user's own and its groups'. They, or the resource's, must allow.
    pub identity: Vec<Attached>,
    /// Its permissions boundary. If there is one, it must allow too.
    pub boundary: Option<Attached>,
    /// Guard policies of its organisation, one list per level from the root to the account; on every level one must allow.
    /// Empty without an organisation and for the management account.
    pub service_control: Vec<Vec<Attached>>,
    /// The managed policies that narrow the session; together with the inline session policy one of them must allow.
    pub session_managed: Vec<Attached>,
    /// What else is known about it.
    pub facts: PrincipalFacts,
}

/// Everything that bears on one request, beside the session and the endpoint.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// The principal's.
    pub principal: Arc<PrincipalPolicies>,
    /// The resource's own: a role's trust policy, a KmsKey's key policy, a bucket's. Roles and keys must have one.
    pub resource: Option<Attached>,
    /// A KmsKey's grants, if it has any.
    pub grants: Option<Arc<Grants>>,
    /// Guard policies of the resource's organisation, one list per level; on every level one must allow.
    pub resource_control: Arc<Vec<Vec<Attached>>>,
    /// What else is known about the resource.
    pub resource_facts: Arc<ResourceFacts>,
    /// What conditions can ask about the resource beside that, such as `kms:KeySpec`, its tags among it; made once for each
    /// resource, and shared. It is stronger than what a request says of itself.
    pub resource_conditions: Option<Arc<Context>>,
    /// Whether the account agreed to use the model.
    pub model_agreement: ModelAgreement,
}

impl PrincipalPolicies {
    fn asked_keys(&self) -> KeySet {
        let Self {
            identity,
            boundary,
            service_control,
            session_managed,
            facts: _,
        } = self;
        let single = identity.iter().chain(boundary).chain(session_managed);
        of_all(single.chain(service_control.iter().flatten()))
    }
}

impl Policies {
    /// The keys that any of these policies, or of those of the request itself, asks about.
    pub(super) fn asked_keys(&self, of_request: [Option<&PolicyDocument>; 2]) -> KeySet {
        let Self {
            principal,
            resource,
            grants: _,
            resource_control,
            resource_facts: _,
            resource_conditions: _,
            model_agreement: _,
        } = self;
        let own = of_all(resource.iter().chain(resource_control.iter().flatten()));
        let of_request = of_request.into_iter().flatten().map(PolicyDocument::asked_keys);
        of_request.fold(own.or(principal.asked_keys()), KeySet::or)
    }
}

impl Policies {
    /// Whether any of these policies, or of those of the request itself, asks for a key that begins with `prefix`.
    pub(super) fn ask_for(&self, prefix: &str, of_request: [Option<&PolicyDocument>; 2]) -> bool {
        let PrincipalPolicies {
            identity,
            boundary,
            service_control,
            session_managed,
            facts: _,
        } = &*self.principal;
        let mut attached = identity
            .iter()
            .chain(boundary)
            .chain(session_managed)
            .chain(service_control.iter().flatten())
            .chain(&self.resource)
            .chain(self.resource_control.iter().flatten());
        attached.any(|policy| policy.document.asks_for(prefix))
            || of_request
                .into_iter()
                .flatten()
                .any(|document| document.asks_for(prefix))
    }
}

fn of_all<'a>(policies: impl Iterator<Item = &'a Attached>) -> KeySet {
    let keys = policies.map(|policy| policy.document.asked_keys());
    keys.fold(KeySet::default(), KeySet::or)
}
