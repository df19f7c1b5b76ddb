//! STS's operations: which action each takes, and on what.

use moho_iam::action::sts;
use moho_wire::Failure;
use moho_wire::aws::ops::sts::Request;

use super::{Trip, unserved};
use crate::handlers::identity;
use crate::net::Outbound;
use crate::road::reply;

pub(super) fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = trip.asked();
    match request {
        Request::GetCallerIdentity(_) => {
            let permit = trip.permit::<sts::GetCallerIdentity>(trip.caller.session().principal_arn())?;
            identity::get_caller_identity(&asked, &permit).map(reply::whole)
        }
        Request::AssumeRole(assume) => {
            let permit = trip.permit::<sts::AssumeRole>(&identity::role_arn(&assume)?)?;
            identity::assume_role(&asked, &permit, *assume).map(reply::whole)
        }
        Request::AssumeRoleWithWebIdentity(_)
        | Request::GetSessionToken(_)
        | Request::GetFederationToken(_)
        | Request::GetAccessKeyInfo(_)
        | Request::DecodeAuthorizationMessage(_) => Err(unserved(request.name())),
    }
}
