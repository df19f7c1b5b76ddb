//! Service-specific credentials: long-term bearer keys for Bedrock. They exist only where the organisation allows them.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::identities::ServiceCredential;
use moho_terms::{Secret, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{credentials as wire, shapes};
use moho_wire::{Failure, Reply};

use super::access_keys::{status, warn_of_the_first};
use super::listing::{Wanted, page};
use super::{act, carry_out};
use crate::handlers::Asked;

/// The one service there are such credentials for.
pub(crate) const BEDROCK: &str = "bedrock.amazonaws.com";

const DAY: u64 = 24 * 3600;

/// How a credential stands at `now`.
fn standing(credential: &ServiceCredential, now: Timestamp) -> String {
    if credential.expires_at.is_some_and(|ends| ends <= now) {
        return "Expired".to_owned();
    }
    status(credential.active)
}

fn whole(credential: ServiceCredential, secret: Secret, now: Timestamp) -> shapes::ServiceSpecificCredential {
    shapes::ServiceSpecificCredential {
        status: Some(standing(&credential, now)),
        create_date: Some(credential.created_at),
        expiration_date: credential.expires_at,
        service_name: Some(credential.service),
        service_credential_alias: Some(credential.alias),
        service_credential_secret: Some(secret),
        service_specific_credential_id: Some(credential.id),
        user_name: Some(credential.user),
        ..shapes::ServiceSpecificCredential::default()
    }
}

/// That there are no such credentials for this service.
///
/// # Errors
/// IAM's `NotSupportedService`.
pub(crate) fn supported(service: &str) -> Result<(), Failure> {
    if service == BEDROCK {
        return Ok(());
    }
    Err(Failure::Service {
        code: "NotSupportedService",
        message: format!("No such service {service} is supported."),
        status: 404,
    })
}

/// `CreateServiceSpecificCredential`: the key is told once.
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<iam::CreateServiceSpecificCredential>,
    days: Option<u64>,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let now = platform.clock.now();
    let key = platform
        .authenticator
        .make_bedrock_key(&permit, &*platform.entropy)
        .map_err(|_none| Failure::Unavailable)?;
    let ends = days.map(|days| now.plus_seconds(days.saturating_mul(DAY)));
    let (id, digest) = (key.id, key.sha256);
    let account = permit.session().account();
    let (kept, count) = act(asked, move |platform| {
        let key = (id.as_str(), &digest, ends);
        let entropy = &*platform.entropy;
        let kept = platform
            .store
            .create_service_credential(&permit, key, entropy, now)?;
        Ok((kept, platform.store.long_lived_credentials()?.service_credentials))
    })
    .await?;
    warn_of_the_first(count, ("service-specific credential", &kept.id), account);
    wire::CreateServiceSpecificCredentialResponse {
        service_specific_credential: Some(whole(kept, key.secret, now)),
    }
    .reply(Service::Iam, "CreateServiceSpecificCredential", &asked.request)
}

/// That a list is asked for of one user or of all.
///
/// # Errors
/// [`Failure::Validation`] if both are said.
pub(crate) fn of_one_or_all(list: &wire::ListServiceSpecificCredentials) -> Result<(), Failure> {
    if list.all_users.is_some() && list.user_name.is_some() {
        return Err(Failure::Validation(
            "AllUsers cannot be specified together with UserName.".to_owned(),
        ));
    }
    Ok(())
}

/// `ListServiceSpecificCredentials`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListServiceSpecificCredentials>,
    list: wire::ListServiceSpecificCredentials,
) -> Result<Reply, Failure> {
    let now = asked.platform.clock.now();
    let service = list.service_name.filter(|service| !service.is_empty());
    let filters: Vec<&str> = service.as_deref().into_iter().collect();
    let wanted = Wanted::all(list.marker, list.max_items).only(&filters);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_service_credentials(permit, service.as_deref(), page)
    })
    .await?;
    let credentials = page
        .items
        .into_iter()
        .map(|credential| shapes::ServiceSpecificCredentialMetadata {
            status: Some(standing(&credential, now)),
            user_name: Some(credential.user),
            service_credential_alias: Some(credential.alias),
            create_date: Some(credential.created_at),
            expiration_date: credential.expires_at,
            service_specific_credential_id: Some(credential.id),
            service_name: Some(credential.service),
            ..shapes::ServiceSpecificCredentialMetadata::default()
        });
    wire::ListServiceSpecificCredentialsResponse {
        service_specific_credentials: Some(credentials.collect()),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListServiceSpecificCredentials", &asked.request)
}

/// `UpdateServiceSpecificCredential`
pub(crate) async fn update(
    asked: &Asked,
    permit: Permit<iam::UpdateServiceSpecificCredential>,
    (id, active): (String, bool),
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.update_service_credential(permit, &id, active)
    })
    .await
}

/// `DeleteServiceSpecificCredential`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteServiceSpecificCredential>,
    id: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_service_credential(permit, &id)
    })
    .await
}

/// `ResetServiceSpecificCredential`: another key, told once; the one before is worth nothing any more.
pub(crate) async fn reset(
    asked: &Asked,
    permit: Permit<iam::ResetServiceSpecificCredential>,
    id: String,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let now = platform.clock.now();
    let key = platform
        .authenticator
        .make_bedrock_key(&permit, &*platform.entropy)
        .map_err(|_none| Failure::Unavailable)?;
    let (alias, digest) = (key.id, key.sha256);
    let kept = act(asked, move |platform| {
        let key = (alias.as_str(), &digest);
        platform.store.reset_service_credential(&permit, &id, key)
    })
    .await?;
    wire::ResetServiceSpecificCredentialResponse {
        service_specific_credential: Some(whole(kept, key.secret, now)),
    }
    .reply(Service::Iam, "ResetServiceSpecificCredential", &asked.request)
}
