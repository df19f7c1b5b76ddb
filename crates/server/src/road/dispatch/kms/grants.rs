//! Grants: made, listed, and ended by who may, or by whom they name for that.

use moho_iam::action::kms as action;
use moho_iam::authz::{Context, Permit};
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::aws::ops::kms::grants::{self as ops, Request};

use super::super::Trip;
use super::named::{NO_KEY, Takes};
use super::{Replied, conditions, with_tokens};
use crate::handlers::kms::{grants as handlers, shown, tokens};

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    let asked = &trip.asked();
    match request {
        Request::CreateGrant(request) => {
            let name = (request.key_id.as_str(), Takes::Keys);
            let context = conditions::granting(&request);
            let permit = trip.on_key_named::<action::CreateGrant>(name, context)?;
            let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
            handlers::create(asked, permit, *request).await
        }
        Request::ListGrants(request) => {
            let name = (request.key_id.as_str(), Takes::Keys);
            let permit = trip.on_key_named::<action::ListGrants>(name, Context::new())?;
            handlers::list(asked, permit, *request).await
        }
        Request::ListRetirableGrants(request) => {
            let permit = trip.permit(&trip.arn("kms", "*")?)?;
            handlers::list_retirable(asked, permit, *request).await
        }
        Request::RetireGrant(request) => retire(trip, *request).await,
        Request::RevokeGrant(request) => {
            let name = (request.key_id.as_str(), Takes::Keys);
            let permit = trip.on_key_named::<action::RevokeGrant>(name, Context::new())?;
            handlers::revoke(asked, permit, *request).await
        }
    }
}

/// Ends a grant, named by its token or by its key and id. Whom the grant names for it may, whatever the key's policy says.
async fn retire(trip: &Trip<'_>, request: ops::RetireGrant) -> Replied {
    let (key, grant) = retired(trip, &request)?;
    let context = Context::new().about_grant(grant.as_str());
    let permit: Permit<action::RetireGrant> = trip.permit_with(&key, &context)?;
    handlers::retire(&trip.asked(), permit, (grant, request.dry_run)).await
}

fn retired(trip: &Trip<'_>, request: &ops::RetireGrant) -> Result<(Arn, String), Failure> {
    match (&request.grant_token, &request.key_id, &request.grant_id) {
        (Some(token), None, None) => match tokens::named(trip.platform, token) {
            Some(named) => Ok(named),
            None => Err(of_no_grant(trip)?),
        },
        (None, Some(key), Some(grant)) => {
            let key = trip.key_named(key, Takes::Keys)?.arn()?;
            Ok((key, grant.clone()))
        }
        _ => Err(shown::invalid(
            "Specify either a grant token, or a grant ID and the ARN of its key.",
        )),
    }
}

/// What is said to a token that is none of ours, once it is written down who sent it. It leads to no grant, so that whoever
/// sends it hears the same.
fn of_no_grant(trip: &Trip<'_>) -> Result<Failure, Failure> {
    match trip.judge_absent::<action::RetireGrant>(&trip.arn("kms", NO_KEY)?, &Context::new()) {
        Ok(()) | Err(Failure::AccessDenied(_)) => Ok(tokens::invalid()),
        Err(unwritten) => Err(unwritten),
    }
}
