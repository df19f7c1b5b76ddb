//! How what each layer allows combines: who must allow a request, and what may narrow it.

use super::decision::Layer;
use super::question::{CallerKind, Question};
use crate::action::{self, Action};
use crate::policy::Named;

/// What each layer allows.
pub(super) struct Verdicts {
    pub(super) service_control: bool,
    pub(super) resource_control: bool,
    pub(super) endpoint: bool,
    pub(super) identity: bool,
    pub(super) resource: Named,
    /// What the key's grants allow, if they were looked at.
    pub(super) granted: Named,
    pub(super) boundary: bool,
    pub(super) session: bool,
}

impl Verdicts {
    /// What the resource allows, by its policy or by grants.
    fn of_resource(&self) -> Named {
        self.resource.max(self.granted)
    }

    /// The first layer that does not allow the request: guards, then who must grant it, then what narrows the caller.
    pub(super) fn refused_by(&self, question: &Question<'_>) -> Option<Layer> {
        let missing = |allowed: bool, layer: Layer| (!allowed).then_some(layer);
        missing(self.resource_control, Layer::ResourceControl)
            .or_else(|| missing(self.service_control, Layer::ServiceControl))
            .or_else(|| missing(self.endpoint, Layer::Endpoint))
            .or_else(|| self.not_granted(question))
            .or_else(|| self.narrowed_away(question))
    }

    /// The layer that should have granted the request and did not. Within an account, either side may; what names the
    /// account alone leaves it to the account's own policies. Across accounts both must.
    fn not_granted(&self, question: &Question<'_>) -> Option<Layer> {
        let within = question.within_account();
        if question.kind() == Some(CallerKind::WebIdentity) {
            // Whoever is nobody yet has no policies: those of a role in its provider's account decide alone.
            let granted = within && self.of_resource() == Named::Directly;
            return (!granted).then(|| resource_layer(question.action.as_written()));
        }
        if question.kind() == Some(CallerKind::Service) {
            // Nothing but what the resource's policy says of the service by its name.
            let granted = within && self.resource == Named::Directly;
            return (!granted).then_some(Layer::Resource);
        }
        let resource_must_allow = !within || resource_decides(question);
        let identity_must_allow = !within || self.of_resource() < Named::AsRole;
        if resource_must_allow && self.of_resource() == Named::Not {
            Some(resource_layer(question.action.as_written()))
        } else if identity_must_allow && !self.identity {
            Some(Layer::Identity)
        } else {
            None
        }
    }

    /// The layer that narrows the caller and does not allow the request. Within an account, what a resource grants a
    /// session or user itself is narrowed by nothing.
    fn narrowed_away(&self, question: &Question<'_>) -> Option<Layer> {
        if beyond_credentials(question) {
            Some(Layer::Session)
        } else if question.within_account() && self.of_resource() == Named::Directly {
            None
        } else if !self.boundary {
            Some(Layer::Boundary)
        } else if !self.session {
            Some(Layer::Session)
        } else {
            None
        }
    }
}

/// What no policy can give: temporary credentials of users, who have proved no second factor, administer no identities, and
/// whoever is nobody yet can only become a session of a role.
fn beyond_credentials(question: &Question<'_>) -> bool {
    use action::sts::{AssumeRole, AssumeRoleWithWebIdentity, SetSourceIdentity, TagSession};
    let action = question.action.as_written();
    let administers = action.starts_with("iam:") || action.starts_with("sts:");
    match question.kind() {
        Some(CallerKind::UserSession) => {
            administers && ![AssumeRole::NAME, TagSession::NAME, SetSourceIdentity::NAME].contains(&action)
        }
        Some(CallerKind::FederatedUser) => administers,
        Some(CallerKind::WebIdentity) => ![
            AssumeRoleWithWebIdentity::NAME,
            TagSession::NAME,
            SetSourceIdentity::NAME,
        ]
        .contains(&action),
        Some(CallerKind::RoleSession | CallerKind::User | CallerKind::Bootstrap | CallerKind::Service)
        | None => false,
    }
}

/// Roles are assumed and keys used only by whom their own policy names.
fn resource_decides(question: &Question<'_>) -> bool {
    let resource = || question.resource.splitn(6, ':').nth(5).unwrap_or("");
    match question.action.as_written().split_once(':') {
        Some(("sts", action)) => action.starts_with("AssumeRole") || resource().starts_with("role/"),
        Some(("kms", _)) => resource().starts_with("key/"),
        Some(_) | None => false,
    }
}

pub(super) fn resource_layer(action: &str) -> Layer {
    if action.starts_with("sts:") {
        Layer::Trust
    } else {
        Layer::Resource
    }
}
