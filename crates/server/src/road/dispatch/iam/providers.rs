//! Identity providers.

use moho_iam::action::iam;
use moho_wire::Failure;
use moho_wire::aws::ops::iam::providers::Request;

use super::super::{Trip, unserved};
use crate::handlers::identity;
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = trip.asked();
    match request {
        Request::CreateOpenIDConnectProvider(create) => {
            let arn = identity::provider_arn(&create, trip.caller.session().account())?;
            let permit = trip.permit::<iam::CreateOpenIDConnectProvider>(&arn)?;
            identity::create_provider(&asked, permit, *create)
                .await
                .map(reply::whole)
        }
        Request::GetOpenIDConnectProvider(_)
        | Request::ListOpenIDConnectProviders(_)
        | Request::DeleteOpenIDConnectProvider(_)
        | Request::UpdateOpenIDConnectProviderThumbprint(_)
        | Request::AddClientIDToOpenIDConnectProvider(_)
        | Request::RemoveClientIDFromOpenIDConnectProvider(_)
        | Request::TagOpenIDConnectProvider(_)
        | Request::UntagOpenIDConnectProvider(_)
        | Request::ListOpenIDConnectProviderTags(_)
        | Request::CreateSAMLProvider(_)
        | Request::GetSAMLProvider(_)
        | Request::ListSAMLProviders(_)
        | Request::UpdateSAMLProvider(_)
        | Request::DeleteSAMLProvider(_)
        | Request::TagSAMLProvider(_)
        | Request::UntagSAMLProvider(_)
        | Request::ListSAMLProviderTags(_) => Err(unserved(request.name())),
    }
}
