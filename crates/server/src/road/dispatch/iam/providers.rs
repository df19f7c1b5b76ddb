//! Identity providers: which action each operation takes, and on what.

use moho_iam::action::iam;
use moho_store::iam::{IamCode, Tag};
use moho_store::identities::{NewOidcProvider, RemovesTags, SetsTags};
use moho_terms::Arn;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::providers::{
    CreateOpenIDConnectProvider, CreateSAMLProvider, ListOpenIDConnectProviderTags,
    ListOpenIDConnectProviderTagsResponse, ListSAMLProviderTags, ListSAMLProviderTagsResponse, Request,
    UpdateSAMLProvider,
};
use moho_wire::{Failure, Reply};

use super::super::Trip;
use super::named::Named;
use super::users::account;
use crate::handlers::iam::tagged::pairs;
use crate::handlers::iam::{providers, refusal};
use crate::net::Outbound;
use crate::road::reply;

/// The provider of this ARN, whoever's it is.
fn provider(text: &str) -> Result<Named, Failure> {
    let arn = text.parse::<Arn>();
    let arn = arn.map_err(|_malformed| refusal(IamCode::InvalidInput, format!("Invalid ARN: {text}")))?;
    Ok(Named::of(arn))
}

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = &trip.asked();
    let replied = match request {
        Request::CreateOpenIDConnectProvider(request) => return create_oidc(trip, *request).await,
        Request::GetOpenIDConnectProvider(request) => {
            let provider = provider(&request.open_id_connect_provider_arn)?;
            providers::get_oidc(asked, provider.permit(trip)?).await
        }
        Request::ListOpenIDConnectProviders(_) => {
            providers::list_oidc(asked, account(trip)?.permit(trip)?).await
        }
        Request::DeleteOpenIDConnectProvider(request) => {
            let provider = provider(&request.open_id_connect_provider_arn)?;
            providers::delete_oidc(asked, provider.permit(trip)?).await
        }
        Request::UpdateOpenIDConnectProviderThumbprint(request) => {
            let permit = provider(&request.open_id_connect_provider_arn)?.permit(trip)?;
            let thumbprints = providers::thumbprints(&request.thumbprint_list)?;
            providers::set_thumbprints(asked, permit, thumbprints).await
        }
        Request::AddClientIDToOpenIDConnectProvider(request) => {
            let provider = provider(&request.open_id_connect_provider_arn)?;
            providers::add_client(asked, provider.permit(trip)?, request.client_id).await
        }
        Request::RemoveClientIDFromOpenIDConnectProvider(request) => {
            let provider = provider(&request.open_id_connect_provider_arn)?;
            providers::remove_client(asked, provider.permit(trip)?, request.client_id).await
        }
        Request::CreateSAMLProvider(request) => return create_saml(trip, *request).await,
        Request::GetSAMLProvider(request) => {
            providers::get_saml(asked, provider(&request.saml_provider_arn)?.permit(trip)?).await
        }
        Request::ListSAMLProviders(_) => providers::list_saml(asked, account(trip)?.permit(trip)?).await,
        Request::UpdateSAMLProvider(request) => return update_saml(trip, *request).await,
        Request::DeleteSAMLProvider(request) => {
            providers::delete_saml(asked, provider(&request.saml_provider_arn)?.permit(trip)?).await
        }
        Request::TagOpenIDConnectProvider(request) => {
            let (arn, tags) = (request.open_id_connect_provider_arn, pairs(Some(request.tags)));
            tag::<iam::TagOpenIDConnectProvider>(trip, &arn, tags).await
        }
        Request::UntagOpenIDConnectProvider(request) => {
            let (arn, keys) = (request.open_id_connect_provider_arn, request.tag_keys);
            untag::<iam::UntagOpenIDConnectProvider>(trip, &arn, keys).await
        }
        Request::ListOpenIDConnectProviderTags(request) => oidc_tags(trip, *request).await,
        Request::TagSAMLProvider(request) => {
            let tags = pairs(Some(request.tags));
            tag::<iam::TagSAMLProvider>(trip, &request.saml_provider_arn, tags).await
        }
        Request::UntagSAMLProvider(request) => {
            untag::<iam::UntagSAMLProvider>(trip, &request.saml_provider_arn, request.tag_keys).await
        }
        Request::ListSAMLProviderTags(request) => saml_tags(trip, *request).await,
    };
    replied.map(reply::whole)
}

/// Setting a provider with tags is tagging it, too.
async fn create_oidc(trip: &Trip<'_>, request: CreateOpenIDConnectProvider) -> Result<Outbound, Failure> {
    let arn = providers::oidc_arn(&request.url, trip.caller.session().account())?;
    let tags = pairs(request.tags);
    let named = Named::of(arn).requesting(&tags);
    let permit = named.permit::<iam::CreateOpenIDConnectProvider>(trip)?;
    if !tags.is_empty() {
        named.permit::<iam::TagOpenIDConnectProvider>(trip)?;
    }
    let new = NewOidcProvider {
        url: request.url,
        client_ids: request.client_id_list.unwrap_or_default(),
        thumbprints: providers::thumbprints(&request.thumbprint_list.unwrap_or_default())?,
        tags,
    };
    let made = providers::create_oidc(&trip.asked(), permit, new).await;
    made.map(reply::whole)
}

async fn create_saml(trip: &Trip<'_>, request: CreateSAMLProvider) -> Result<Outbound, Failure> {
    let account = trip.caller.session().account();
    let arn = Arn::of(
        "iam",
        "",
        account.as_str(),
        &format!("saml-provider/{}", request.name),
    );
    let arn = arn.map_err(|_invalid| refusal(IamCode::InvalidInput, "Invalid provider name"))?;
    let tags = pairs(request.tags);
    let named = Named::of(arn).requesting(&tags);
    let permit = named.permit::<iam::CreateSAMLProvider>(trip)?;
    if !tags.is_empty() {
        named.permit::<iam::TagSAMLProvider>(trip)?;
    }
    let metadata = providers::metadata(&request.saml_metadata_document)?;
    let made = providers::create_saml(&trip.asked(), permit, metadata, tags).await;
    made.map(reply::whole)
}

async fn update_saml(trip: &Trip<'_>, request: UpdateSAMLProvider) -> Result<Outbound, Failure> {
    let permit = provider(&request.saml_provider_arn)?.permit::<iam::UpdateSAMLProvider>(trip)?;
    let Some(text) = request.saml_metadata_document else {
        return Err(refusal(IamCode::InvalidInput, "A metadata document is required"));
    };
    let metadata = providers::metadata(&text)?;
    let changed = providers::update_saml(&trip.asked(), permit, metadata).await;
    changed.map(reply::whole)
}

async fn tag<A: SetsTags>(trip: &Trip<'_>, arn: &str, tags: Vec<Tag>) -> Result<Reply, Failure> {
    let permit = provider(arn)?.requesting(&tags).permit::<A>(trip)?;
    providers::tag(&trip.asked(), permit, tags).await
}

async fn untag<A: RemovesTags>(trip: &Trip<'_>, arn: &str, keys: Vec<String>) -> Result<Reply, Failure> {
    let permit = provider(arn)?.untagging(&keys).permit::<A>(trip)?;
    providers::untag(&trip.asked(), permit, keys).await
}

async fn oidc_tags(trip: &Trip<'_>, request: ListOpenIDConnectProviderTags) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let provider = provider(&request.open_id_connect_provider_arn)?;
    let permit = provider.permit::<iam::ListOpenIDConnectProviderTags>(trip)?;
    let page = providers::tags(asked, permit, (request.marker, request.max_items)).await?;
    ListOpenIDConnectProviderTagsResponse {
        tags: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListOpenIDConnectProviderTags", &asked.request)
}

async fn saml_tags(trip: &Trip<'_>, request: ListSAMLProviderTags) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = provider(&request.saml_provider_arn)?.permit::<iam::ListSAMLProviderTags>(trip)?;
    let page = providers::tags(asked, permit, (request.marker, request.max_items)).await?;
    ListSAMLProviderTagsResponse {
        tags: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListSAMLProviderTags", &asked.request)
}
