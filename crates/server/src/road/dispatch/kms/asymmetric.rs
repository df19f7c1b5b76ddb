//! Signatures, message authentication codes and agreement on secrets.

use moho_iam::action::Action;
use moho_iam::authz::{Context, Permit};
use moho_wire::Failure;
use moho_wire::aws::ops::kms::asymmetric::Request;

use super::super::Trip;
use super::named::Takes;
use super::release::Release;
use super::{Replied, conditions, with_tokens};
use crate::handlers::kms::{agreement, signing};

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    let asked = &trip.asked();
    match request {
        Request::Sign(request) => {
            let context = conditions::signing(&request.signing_algorithm, request.message_type.as_deref());
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            signing::sign(asked, permit, *request).await
        }
        Request::Verify(request) => {
            let context = conditions::signing(&request.signing_algorithm, request.message_type.as_deref());
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            signing::verify(asked, permit, *request).await
        }
        Request::GetPublicKey(request) => {
            let permit = permit(
                trip,
                &request.key_id,
                Context::new(),
                request.grant_tokens.as_ref(),
            )?;
            signing::public_key(asked, permit).await
        }
        Request::GenerateMac(request) => {
            let context = Context::new().with("kms:MacAlgorithm", request.mac_algorithm.as_str());
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            signing::mac(asked, &permit, &request)
        }
        Request::VerifyMac(request) => {
            let context = Context::new().with("kms:MacAlgorithm", request.mac_algorithm.as_str());
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            signing::verify_mac(asked, &permit, &request)
        }
        Request::DeriveSharedSecret(request) => {
            let algorithm = request.key_agreement_algorithm.as_str();
            let release = Release::asked(trip, request.recipient.as_ref()).await?;
            let context = release.conditions(Context::new().with("kms:KeyAgreementAlgorithm", algorithm));
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            agreement::derive(asked, permit, release.to, *request).await
        }
        Request::Encapsulate(request) => {
            let algorithm = request.encapsulation_algorithm.as_str();
            let context = Context::new().with("kms:EncapsulationAlgorithm", algorithm);
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            agreement::encapsulate(asked, permit, *request).await
        }
        Request::Decapsulate(request) => {
            let algorithm = request.encapsulation_algorithm.as_str();
            let context = Context::new().with("kms:EncapsulationAlgorithm", algorithm);
            let permit = permit(trip, &request.key_id, context, request.grant_tokens.as_ref())?;
            agreement::decapsulate(asked, permit, *request).await
        }
    }
}

/// Leave to do `A` with a key, with the grant tokens that came for it.
fn permit<A: Action>(
    trip: &Trip<'_>,
    key: &str,
    context: Context,
    tokens: Option<&Vec<String>>,
) -> Result<Permit<A>, Failure> {
    let permit = trip.on_key_named((key, Takes::Aliases), context)?;
    with_tokens(trip, permit, tokens)
}
