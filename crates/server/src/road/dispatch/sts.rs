//! STS's operations: which action each takes, and on what.
//!
//! Whether a role exists is told to nobody who may not assume it: an absent role, one whose trust policy refuses, and one
//! that the caller's own policies do not let it assume are denied in the same words.

use moho_iam::action::{Action, sts};
use moho_iam::authn::{SessionGrant, source_identity_after, tags_after};
use moho_iam::authz::{Context, DenialDetail, Layer, Permit, Reason, Refusal};
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::aws::ops::sts::{AssumeRole, GetFederationToken, Request};

use super::Trip;
use crate::handlers::sts::{self as handlers, Asking, Federating, narrowing};
use crate::net::Outbound;
use crate::road::{failure, from_store, reply};

pub(super) fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = trip.asked();
    match request {
        Request::GetCallerIdentity(_) => {
            let permit = trip.permit::<sts::GetCallerIdentity>(trip.caller.session().principal_arn())?;
            handlers::get_caller_identity(&asked, &permit)
        }
        Request::AssumeRole(assume) => assume_role(trip, *assume),
        Request::GetSessionToken(get) => {
            let user = trip.caller.session().principal_arn();
            let permit = trip.of_user::<sts::GetSessionToken>(user, &Context::new())?;
            handlers::get_session_token(&asked, &permit, &get)
        }
        Request::GetFederationToken(get) => get_federation_token(trip, *get),
        Request::GetAccessKeyInfo(get) => {
            let permit = trip.permit::<sts::GetAccessKeyInfo>(&trip.arn("sts", "*")?)?;
            handlers::get_access_key_info(&asked, &permit, &get)
        }
        Request::DecodeAuthorizationMessage(decode) => {
            let permit = trip.permit::<sts::DecodeAuthorizationMessage>(&trip.arn("sts", "*")?)?;
            handlers::decode_authorization_message(&asked, &permit, &decode)
        }
        // The road takes on the role by the token before it comes here: these credentials have no part in it.
        Request::AssumeRoleWithWebIdentity(_) => Err(Failure::Internal),
    }
    .map(reply::whole)
}

fn assume_role(trip: &Trip<'_>, assume: AssumeRole) -> Result<moho_wire::Reply, Failure> {
    let asking = Asking::of_role(assume)?;
    let caller = trip.caller.session();
    let source_identity = source_identity_after(caller, asking.source_identity.clone())
        .map_err(|error| handlers::from_issue(&error))?;
    let tags =
        tags_after(caller, asking.tags.clone()).map_err(|error| handlers::from_issue(&error.into()))?;
    let context = asking.context(source_identity.as_ref());
    let permit = trip.of_role::<sts::AssumeRole>(&asking.role, &context)?;
    let tagging = match tags.is_empty() {
        true => None,
        false => Some(trip.of_role::<sts::TagSession>(&asking.role, &context)?),
    };
    let naming_source = match source_identity {
        None => None,
        Some(_) => Some(trip.of_role::<sts::SetSourceIdentity>(&asking.role, &context)?),
    };
    let role = trip
        .platform
        .store
        .role_facts(&asking.role)
        .map_err(|error| from_store(&error))?
        .ok_or_else(|| trip.no_role::<sts::AssumeRole>(&asking.role))?;
    let grant = SessionGrant {
        duration_seconds: asking.duration_seconds,
        narrowing: narrowing(&trip.platform.store, &permit, asking.narrowing)?,
        tags: asking.tags,
        source_identity: asking.source_identity,
        tagging,
        naming_source,
        ..SessionGrant::named(asking.session_name)
    };
    handlers::assume_role(&trip.asked(), &permit, (&role, grant))
}

fn get_federation_token(trip: &Trip<'_>, get: GetFederationToken) -> Result<moho_wire::Reply, Failure> {
    let federating = Federating::parse(get)?;
    let account = trip.caller.session().account();
    let resource = format!("federated-user/{}", federating.name);
    let resource = Arn::of("sts", "", account.as_str(), &resource).map_err(|_invalid| Failure::Internal)?;
    let context = federating.context();
    let permit = trip.of_user::<sts::GetFederationToken>(&resource, &context)?;
    let tagging = match federating.tags.is_empty() {
        true => None,
        false => Some(trip.permit_with::<sts::TagSession>(&resource, &context)?),
    };
    handlers::get_federation_token(&trip.asked(), &permit, (federating, tagging))
}

impl Trip<'_> {
    /// Leave to do `A` with a role, which is refused in the same words whether there is such a role or not.
    pub(super) fn of_role<A: Action>(&self, role: &Arn, context: &Context) -> Result<Permit<A>, Failure> {
        self.decide(role, context).map_err(|refusal| match &refusal {
            Refusal::AccessDenied { reason, .. } if depends_on_the_role(*reason) => self.no_role::<A>(role),
            Refusal::AccessDenied { .. } | Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => {
                failure::from_refusal(&refusal)
            }
        })
    }

    /// Leave to make credentials of a user's own; who has temporary ones is told that they are not for that.
    fn of_user<A: Action>(&self, resource: &Arn, context: &Context) -> Result<Permit<A>, Failure> {
        let decided = self.decide(resource, context);
        decided.map_err(|refusal| match &refusal {
            Refusal::AccessDenied { .. } if self.caller.session().is_temporary() => {
                let operation = A::NAME.trim_start_matches("sts:");
                Failure::AccessDenied(format!("Cannot call {operation} with session credentials"))
            }
            Refusal::AccessDenied { .. } | Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => {
                failure::from_refusal(&refusal)
            }
        })
    }

    /// What is said of a role that does not exist, and of one that the caller may not assume.
    pub(super) fn no_role<A: Action>(&self, role: &Arn) -> Failure {
        Failure::AccessDenied(format!(
            "User: {} is not authorized to perform: {} on resource: {role}. Either there is no such role, or its trust policy or \
             the caller's own policies do not allow it.",
            self.caller.session().principal_arn(),
            A::NAME,
        ))
    }
}

/// The longest text of a denial that is sealed: encoded, it stays within what `DecodeAuthorizationMessage` takes.
const LONGEST_DETAIL: usize = 7000;

/// Why something was denied, so that only `DecodeAuthorizationMessage` of the same account tells it. What was asked about
/// the request is left out if it is too much.
pub(super) fn encoded(trip: &Trip<'_>, detail: &DenialDetail) -> String {
    let mut text = detail.to_json();
    if text.len() > LONGEST_DETAIL {
        let mut shorter = detail.clone();
        shorter.context.conditions.items.clear();
        text = shorter.to_json();
    }
    let platform = trip.platform;
    let account = trip.caller.session().account();
    let encoded = platform
        .authenticator
        .encode_authorization_message(account, &text, &*platform.entropy);
    // Without randomness the denial stands, without its reasons.
    encoded.map_or_else(
        |_none| String::new(),
        |encoded| format!(" Encoded authorization failure message: {encoded}"),
    )
}

/// Whether a refusal, which is told as if there were no such role, would be by another layer for one that is there. The
/// organisation and the endpoint stop a caller before its role; who is stopped by them is told so, in either case.
fn depends_on_the_role(reason: Reason) -> bool {
    match reason {
        Reason::NotAllowed(layer) | Reason::ExplicitDeny(layer) => {
            !matches!(layer, Layer::ServiceControl | Layer::Endpoint)
        }
        Reason::ModelAccess | Reason::PrincipalGone => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_callers_own_policies_deny_is_said_as_if_there_were_no_role() {
        for layer in [
            Layer::Identity,
            Layer::Session,
            Layer::Boundary,
            Layer::Trust,
            Layer::ResourceControl,
        ] {
            assert!(depends_on_the_role(Reason::ExplicitDeny(layer)), "{layer:?}");
            assert!(depends_on_the_role(Reason::NotAllowed(layer)), "{layer:?}");
        }
        assert!(!depends_on_the_role(Reason::ExplicitDeny(Layer::ServiceControl)));
        assert!(!depends_on_the_role(Reason::PrincipalGone));
    }
}
