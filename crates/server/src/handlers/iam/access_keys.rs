//! Access keys of users. They exist only where the organisation allows them; whoever makes the first is heard of.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_terms::AccountId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{credentials as wire, shapes};
use moho_wire::{Failure, Reply};

use super::listing::{Wanted, page};
use super::{act, carry_out};
use crate::handlers::Asked;

/// `Active` or `Inactive`.
pub(super) fn status(active: bool) -> String {
    if active { "Active" } else { "Inactive" }.to_owned()
}

/// Whether a status that a request sets lets the credential be used.
///
/// # Errors
/// [`Failure::Validation`] for `Expired`, which only time sets.
pub(crate) fn is_active(status: &str) -> Result<bool, Failure> {
    match status {
        "Active" => Ok(true),
        "Inactive" => Ok(false),
        _ => Err(Failure::Validation(
            "Status can be set to Active or Inactive only".to_owned(),
        )),
    }
}

/// The name of the user that a permit is for.
pub(super) fn named<A: moho_iam::action::Action>(permit: &Permit<A>) -> String {
    let name = permit.resource().resource().rsplit('/').next();
    name.unwrap_or_default().to_owned()
}

/// Says once in the log that there are credentials now that do not end, and which, as the journal names them.
pub(super) fn warn_of_the_first(count: u64, (what, id): (&'static str, &str), account: AccountId) {
    if count == 1 {
        tracing::warn!(
            what,
            id,
            %account,
            "the first long-lived credential was made ({what} {id} in account {account}): it does not end by itself, and whoever \
             has it is its user"
        );
    }
}

/// `CreateAccessKey`: the secret is told once.
pub(crate) async fn create(asked: &Asked, permit: Permit<iam::CreateAccessKey>) -> Result<Reply, Failure> {
    let user = named(&permit);
    let platform = &asked.platform;
    let key = platform
        .authenticator
        .make_access_key(&permit, &*platform.entropy)
        .map_err(|_none| Failure::Unavailable)?;
    let (id, sealed) = (key.id, key.sealed);
    let account = permit.session().account();
    let (kept, count) = act(asked, move |platform| {
        let now = platform.clock.now();
        let kept = platform.store.create_access_key(&permit, (&id, &sealed), now)?;
        Ok((kept, platform.store.long_lived_credentials()?.access_keys))
    })
    .await?;
    warn_of_the_first(count, ("access key", kept.id.as_str()), account);
    wire::CreateAccessKeyResponse {
        access_key: Some(shapes::AccessKey {
            user_name: Some(user),
            access_key_id: Some(kept.id.to_string()),
            status: Some(status(kept.active)),
            secret_access_key: Some(key.secret),
            create_date: Some(kept.created_at),
        }),
    }
    .reply(Service::Iam, "CreateAccessKey", &asked.request)
}

/// `ListAccessKeys`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListAccessKeys>,
    list: wire::ListAccessKeys,
) -> Result<Reply, Failure> {
    let user = named(&permit);
    let wanted = Wanted::all(list.marker, list.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.list_access_keys(permit, page)
    })
    .await?;
    let keys = page.items.into_iter().map(|key| shapes::AccessKeyMetadata {
        user_name: Some(user.clone()),
        access_key_id: Some(key.id.to_string()),
        status: Some(status(key.active)),
        create_date: Some(key.created_at),
    });
    wire::ListAccessKeysResponse {
        access_key_metadata: Some(keys.collect()),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListAccessKeys", &asked.request)
}

/// `UpdateAccessKey`
pub(crate) async fn update(
    asked: &Asked,
    permit: Permit<iam::UpdateAccessKey>,
    (key, active): (String, bool),
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.update_access_key(permit, &key, active)
    })
    .await
}

/// `DeleteAccessKey`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteAccessKey>,
    key: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_access_key(permit, &key)
    })
    .await
}

/// `GetAccessKeyLastUsed`
pub(crate) async fn last_used(
    asked: &Asked,
    permit: Permit<iam::GetAccessKeyLastUsed>,
    key: String,
) -> Result<Reply, Failure> {
    let user = named(&permit);
    let used = act(asked, move |platform| {
        platform.store.access_key_last_used(&permit, &key)
    })
    .await?;
    let never = || "N/A".to_owned();
    let (at, service, region) = match used {
        Some(used) => (Some(used.at), used.service, used.region),
        None => (None, never(), never()),
    };
    wire::GetAccessKeyLastUsedResponse {
        user_name: Some(user),
        access_key_last_used: Some(shapes::AccessKeyLastUsed {
            last_used_date: at,
            service_name: Some(service),
            region: Some(region),
        }),
    }
    .reply(Service::Iam, "GetAccessKeyLastUsed", &asked.request)
}
