//! Imported key material.

use moho_iam::authz::Context;
use moho_wire::aws::ops::kms::material::Request;

use super::super::Trip;
use super::{Replied, conditions};
use crate::handlers::kms::material as handlers;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    let asked = &trip.asked();
    match request {
        Request::GetParametersForImport(request) => {
            let context = Context::new()
                .with("kms:WrappingAlgorithm", request.wrapping_algorithm.as_str())
                .with("kms:WrappingKeySpec", request.wrapping_key_spec.as_str());
            let permit = trip.on_own_key(&request.key_id, context)?;
            handlers::parameters(asked, permit, *request).await
        }
        Request::ImportKeyMaterial(request) => {
            let permit = trip.on_own_key(&request.key_id, conditions::importing(&request))?;
            handlers::import(asked, permit, *request).await
        }
        Request::DeleteImportedKeyMaterial(request) => {
            let permit = trip.on_own_key(&request.key_id, Context::new())?;
            handlers::delete(asked, permit, *request).await
        }
    }
}
