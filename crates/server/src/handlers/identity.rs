//! Trust an identity provider.

use std::sync::Arc;

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::providers::{CreateOpenIDConnectProvider, CreateOpenIDConnectProviderResponse};
use moho_wire::{Failure, Reply};

use super::Asked;
use crate::road::from_store;

fn service(code: &'static str, message: String, status: u16) -> Failure {
    Failure::Service {
        code,
        message,
        status,
    }
}

/// The provider's name: its address without the scheme.
pub(crate) fn provider_arn(create: &CreateOpenIDConnectProvider, account: AccountId) -> Result<Arn, Failure> {
    let invalid = || {
        service(
            "ValidationError",
            "Invalid Open ID Connect Provider URL".to_owned(),
            400,
        )
    };
    let address = create
        .url
        .strip_prefix("https://")
        .ok_or_else(invalid)?
        .trim_end_matches('/');
    let host = address.split('/').next().unwrap_or("");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    if host.is_empty() || !address.bytes().all(plain) {
        return Err(invalid());
    }
    Arn::of("iam", "", account.as_str(), &format!("oidc-provider/{address}")).map_err(|_invalid| invalid())
}

/// IAM `CreateOpenIDConnectProvider`; from now on the bootstrap door is closed for good.
pub(crate) async fn create_provider(
    asked: &Asked,
    permit: Permit<iam::CreateOpenIDConnectProvider>,
    create: CreateOpenIDConnectProvider,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let arn = permit.resource().clone();
    let created = tokio::task::spawn_blocking(move || {
        let now = platform.clock.now();
        let provider = moho_store::NewIdentityProvider {
            url: create.url,
            client_ids: create.client_id_list.unwrap_or_default(),
            thumbprints: create.thumbprint_list.unwrap_or_default(),
        };
        platform
            .store
            .create_identity_provider(&permit, &provider, now)
            .map_err(|error| from_store(&error))
    })
    .await
    .unwrap_or(Err(Failure::Internal))?;
    if !created {
        let message = format!("Provider with url {} already exists.", arn.resource());
        return Err(service("EntityAlreadyExists", message, 409));
    }
    asked.platform.door.close();
    tracing::warn!(
        "an identity provider was set: the bootstrap door is closed for good, and as federation is not served yet, NOBODY CAN \
         GET CREDENTIALS once the last session ends"
    );
    CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(arn.to_string()),
        tags: None,
    }
    .reply(Service::Iam, "CreateOpenIDConnectProvider", &asked.request)
}
