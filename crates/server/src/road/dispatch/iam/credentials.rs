//! Long-lived credentials: which action each operation takes, and on what.

use moho_iam::action::iam;
use moho_wire::Failure;
use moho_wire::aws::ops::iam::credentials as requests;
use moho_wire::aws::ops::iam::credentials::Request;

use super::super::Trip;
use super::named::Named;
use super::users::user;
use crate::handlers::iam as handlers;
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    use handlers::{access_keys, credentials};
    let asked = &trip.asked();
    let replied = match request {
        Request::CreateAccessKey(request) => {
            let user = user(trip, request.user_name.as_deref())?;
            access_keys::create(asked, user.permit(trip)?).await
        }
        Request::ListAccessKeys(request) => {
            let user = user(trip, request.user_name.as_deref())?;
            access_keys::list(asked, user.permit(trip)?, *request).await
        }
        Request::UpdateAccessKey(request) => {
            let active = access_keys::is_active(&request.status)?;
            let user = user(trip, request.user_name.as_deref())?;
            access_keys::update(asked, user.permit(trip)?, (request.access_key_id, active)).await
        }
        Request::DeleteAccessKey(request) => {
            let user = user(trip, request.user_name.as_deref())?;
            access_keys::delete(asked, user.permit(trip)?, request.access_key_id).await
        }
        Request::GetAccessKeyLastUsed(request) => {
            let user = Named::owner_of_key(trip, &request.access_key_id)?;
            access_keys::last_used(asked, user.permit(trip)?, request.access_key_id).await
        }
        Request::CreateServiceSpecificCredential(request) => {
            return create(trip, *request).await;
        }
        Request::ListServiceSpecificCredentials(request) => {
            credentials::of_one_or_all(&request)?;
            let user = if request.all_users == Some(true) {
                Named::all(trip, "user", Some("/*"))?
            } else {
                user(trip, request.user_name.as_deref())?
            };
            credentials::list(asked, user.permit(trip)?, *request).await
        }
        Request::UpdateServiceSpecificCredential(request) => {
            let active = access_keys::is_active(&request.status)?;
            let user = user(trip, request.user_name.as_deref())?;
            let which = (request.service_specific_credential_id, active);
            credentials::update(asked, user.permit(trip)?, which).await
        }
        Request::DeleteServiceSpecificCredential(request) => {
            let user = user(trip, request.user_name.as_deref())?;
            credentials::delete(asked, user.permit(trip)?, request.service_specific_credential_id).await
        }
        Request::ResetServiceSpecificCredential(request) => {
            let user = user(trip, request.user_name.as_deref())?;
            credentials::reset(asked, user.permit(trip)?, request.service_specific_credential_id).await
        }
    };
    replied.map(reply::whole)
}

async fn create(
    trip: &Trip<'_>,
    request: requests::CreateServiceSpecificCredential,
) -> Result<Outbound, Failure> {
    let days = request
        .credential_age_days
        .and_then(|days| u64::try_from(days).ok());
    let age = days.map(|days| days.to_string());
    let user = Named::user(trip, &request.user_name)?
        .with(
            "iam:ServiceSpecificCredentialServiceName",
            Some(&request.service_name),
        )
        .with("iam:ServiceSpecificCredentialAgeDays", age.as_deref());
    let permit = user.permit::<iam::CreateServiceSpecificCredential>(trip)?;
    handlers::credentials::supported(&request.service_name)?;
    let made = handlers::credentials::create(&trip.asked(), permit, days).await;
    made.map(reply::whole)
}
