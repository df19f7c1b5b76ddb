//! Aliases, made, turned to other keys, deleted and listed.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_kms::{KeyRecord, KeyRecords, KmsError};
use moho_store::keys::Alias;
use moho_terms::{AccountId, Arn, KeyId};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::aliases as ops;
use moho_wire::aws::ops::kms::shapes::AliasListEntry;
use moho_wire::{Failure, Reply};

use super::{Asked, Wanted, act, asking, page, shown};
use crate::road::{from_key_store, from_kms, from_store};
use crate::startup::Platform;

/// Refuses a name that no alias of a customer's can have.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return Err(shown::invalid("Invalid identifier"));
    };
    if rest == "aws" || rest.starts_with("aws/") {
        return Err(Failure::Service {
            code: "InvalidAliasNameException",
            message: "Aliases that begin with alias/aws/ are reserved.".to_owned(),
            status: 400,
        });
    }
    if rest.contains(':') {
        return Err(shown::invalid(
            "An alias can contain letters, digits, slashes, underscores and dashes, but no colons.",
        ));
    }
    Ok(())
}

/// The key that an alias of an account leads to.
pub(crate) fn target(platform: &Platform, account: AccountId, name: &str) -> Result<Option<KeyId>, Failure> {
    let found = platform.store.find_alias(account, name);
    found.map_err(|error| from_store(&error))
}

/// Leave to touch an alias and the key that it leads to.
pub(crate) struct Permits<A> {
    pub(crate) alias: Permit<A>,
    pub(crate) key: Permit<A>,
}

/// Leave to turn an alias from one key to another.
pub(crate) struct UpdatePermits {
    pub(crate) alias: Permit<action::UpdateAlias>,
    pub(crate) was: Permit<action::UpdateAlias>,
    pub(crate) key: Permit<action::UpdateAlias>,
}

/// `CreateAlias`
pub(crate) async fn create(asked: &Asked, permits: Permits<action::CreateAlias>) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.kms.key(&permits.key).map_err(|error| from_kms(&error))?;
        let now = platform.clock.now();
        let made = platform.store.create_alias((&permits.alias, &permits.key), now);
        made.map_err(|error| from_key_store(&error))
    })
    .await?;
    Service::Kms.done("CreateAlias", &asked.request)
}

/// `UpdateAlias`
pub(crate) async fn update(asked: &Asked, permits: UpdatePermits) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        let key = |permit| platform.kms.key(permit).map_err(|error| from_kms(&error));
        let (was, key) = (key(&permits.was)?, key(&permits.key)?);
        if kind(&was) != kind(&key) || was.usage != key.usage {
            return Err(shown::unsupported(
                "An alias can only be turned to a key of the same type and usage.".to_owned(),
            ));
        }
        let now = platform.clock.now();
        let keys = (&permits.was, &permits.key);
        let turned = platform.store.update_alias(&permits.alias, keys, now);
        turned.map_err(|error| from_key_store(&error))
    })
    .await?;
    Service::Kms.done("UpdateAlias", &asked.request)
}

/// What an alias stands for stays of one type: symmetric, asymmetric, or for message authentication.
fn kind(key: &KeyRecord) -> (bool, bool) {
    (key.spec.is_symmetric(), key.spec.as_str() == shown::SYMMETRIC)
}

/// `DeleteAlias`
pub(crate) async fn delete(asked: &Asked, permits: Permits<action::DeleteAlias>) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        let deleted = platform.store.delete_alias(&permits.alias, &permits.key);
        deleted.map_err(|error| from_key_store(&error))
    })
    .await?;
    Service::Kms.done("DeleteAlias", &asked.request)
}

/// `ListAliases`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListAliases>,
    (key, request): (Option<Arn>, ops::ListAliases),
) -> Result<Reply, Failure> {
    let filter = key.as_ref().map(Arn::as_str).unwrap_or_default();
    let wanted = Wanted {
        filters: &[filter],
        marker: request.marker.as_deref(),
        limit: request.limit,
        sizes: (100, 100),
    };
    let asking = asking(asked, &permit, &wanted)?;
    let only = key.as_ref().and_then(|key| key.resource().strip_prefix("key/"));
    let only: Option<KeyId> = only.and_then(|id| id.parse().ok());
    let (after, most) = (asking.after.clone(), asking.limit.saturating_add(1));
    let aliases = act(asked, move |platform| {
        if let (Some(id), Some(key)) = (&only, &key) {
            let kept = KeyRecords::get(&*platform.store, id).map_err(KmsError::from);
            if kept.map_err(|error| from_kms(&error))?.is_none() {
                return Err(shown::no_such_key(key));
            }
        }
        let found = platform
            .store
            .aliases(&permit, only.as_ref(), after.as_deref(), most);
        found.map_err(|error| from_store(&error))
    })
    .await?;
    let page = page(asked, &asking, aliases.into_iter().map(entry))?;
    let reply = ops::ListAliasesResponse {
        aliases: Some(page.items),
        next_marker: page.next_marker,
        truncated: page.truncated,
    };
    reply.reply(Service::Kms, "ListAliases", &asked.request)
}

fn entry(alias: Alias) -> (String, AliasListEntry) {
    let entry = AliasListEntry {
        alias_name: Some(alias.name.clone()),
        alias_arn: alias.arn().ok().map(|arn| arn.to_string()),
        target_key_id: Some(alias.key_id.to_string()),
        creation_date: Some(alias.created_at),
        last_updated_date: Some(alias.updated_at),
    };
    (alias.name, entry)
}
