//! Rotation of key material.

use moho_iam::action::kms as action;
use moho_iam::authz::Context;
use moho_wire::aws::ops::kms::rotation::Request;

use super::super::Trip;
use super::Replied;
use super::named::Takes;
use crate::handlers::kms::rotation as handlers;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    let asked = &trip.asked();
    match request {
        Request::EnableKeyRotation(request) => {
            let days = handlers::period(request.rotation_period_in_days);
            let context = Context::new().with("kms:RotationPeriodInDays", days.to_string());
            let permit = trip.on_own_key(&request.key_id, context)?;
            handlers::enable(asked, permit, days).await
        }
        Request::DisableKeyRotation(request) => {
            handlers::disable(asked, trip.on_own_key(&request.key_id, Context::new())?).await
        }
        Request::GetKeyRotationStatus(request) => {
            let name = (request.key_id.as_str(), Takes::Keys);
            let permit = trip.on_key_named::<action::GetKeyRotationStatus>(name, Context::new())?;
            handlers::status(asked, permit).await
        }
        Request::RotateKeyOnDemand(request) => {
            handlers::rotate(asked, trip.on_own_key(&request.key_id, Context::new())?).await
        }
        Request::ListKeyRotations(request) => {
            let permit = trip.on_own_key(&request.key_id, Context::new())?;
            handlers::list(asked, permit, *request).await
        }
    }
}
