//! Keys: made, described, listed.

use std::collections::BTreeMap;

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_kms::NewKey;
use moho_kms::spec::{KeySpec, KeyUsage, Origin};
use moho_terms::KeyId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::keys as ops;
use moho_wire::aws::ops::kms::shapes::{KeyListEntry, Tag};
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, Wanted, asking, compute, making, shown};

/// What a request wants the new key to be, but for its policy, whose principals are yet to be found.
pub(crate) fn wanted(request: &ops::CreateKey) -> Result<NewKey, Failure> {
    if request.multi_region == Some(true) {
        let message = "Multi-Region keys are not supported here: an installation has one Region.";
        return Err(shown::unsupported(message.to_owned()));
    }
    let spec = match (&request.key_spec, &request.customer_master_key_spec) {
        (Some(_), Some(_)) => {
            return Err(shown::invalid(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is \
                 deprecated.",
            ));
        }
        (Some(spec), None) | (None, Some(spec)) => shown::parsed("KeySpec", spec)?,
        (None, None) => KeySpec::SymmetricDefault,
    };
    let usage = match &request.key_usage {
        Some(usage) => shown::parsed("KeyUsage", usage)?,
        None if spec == KeySpec::SymmetricDefault => KeyUsage::EncryptDecrypt,
        None => {
            return Err(shown::invalid(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    let origin = match &request.origin {
        Some(origin) => shown::parsed("Origin", origin)?,
        None => Origin::AwsKms,
    };
    Ok(NewKey {
        spec,
        usage,
        origin,
        description: request.description.clone().unwrap_or_default(),
        policy: None,
        tags: pairs(request.tags.as_deref().unwrap_or_default())?,
    })
}

/// A request's tags.
pub(super) fn pairs(tags: &[Tag]) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    for tag in tags {
        if all.insert(tag.tag_key.clone(), tag.tag_value.clone()).is_some() {
            return Err(Failure::Service {
                code: "TagException",
                message: "Duplicate tag keys".to_owned(),
                status: 400,
            });
        }
    }
    Ok(all)
}

/// `CreateKey`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<action::CreateKey>,
    new: NewKey,
) -> Result<Reply, Failure> {
    let made_here = new.origin == Origin::AwsKms;
    let pace = if made_here { making(new.spec) } else { Pace::Slow };
    let record = compute(asked, pace, move |platform| {
        platform.kms.create_key(&permit, &platform.region, new)
    })
    .await?;
    let reply = ops::CreateKeyResponse {
        key_metadata: Some(shown::metadata(&record, asked.platform.clock.now())?),
    };
    reply.reply(Service::Kms, "CreateKey", &asked.request)
}

/// `DescribeKey`
pub(crate) async fn describe(asked: &Asked, permit: Permit<action::DescribeKey>) -> Result<Reply, Failure> {
    let record = compute(asked, Pace::Slow, move |platform| platform.kms.describe(&permit)).await?;
    let reply = ops::DescribeKeyResponse {
        key_metadata: Some(shown::metadata(&record, asked.platform.clock.now())?),
    };
    reply.reply(Service::Kms, "DescribeKey", &asked.request)
}

/// `ListKeys`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListKeys>,
    request: ops::ListKeys,
) -> Result<Reply, Failure> {
    let asking = asking(
        asked,
        &permit,
        &Wanted {
            filters: &[],
            marker: request.marker.as_deref(),
            limit: request.limit,
            sizes: (100, 1000),
        },
    )?;
    let after: Option<KeyId> = asking.after.as_deref().and_then(|after| after.parse().ok());
    let limit = asking.limit;
    // No other account shares its keys here.
    let own = request
        .resource_owners
        .is_none_or(|owners| owners.iter().any(|owner| owner == "SELF"));
    let mut kept = compute(asked, Pace::Slow, move |platform| {
        let keys = platform
            .kms
            .list_keys(&permit, after.as_ref(), limit.saturating_add(1))?;
        Ok(if own { keys } else { Vec::new() })
    })
    .await?;
    let more = kept.len() > limit;
    kept.truncate(limit);
    let last = kept.last().filter(|_| more).map(|kept| kept.key_id.clone());
    let last = last.as_ref().map(KeyId::as_str);
    let (truncated, next_marker) = asking.next(&asked.platform, last)?;
    let entries = kept.iter().map(|kept| KeyListEntry {
        key_id: Some(kept.key_id.to_string()),
        key_arn: Some(format!(
            "arn:aws:kms:{}:{}:key/{}",
            kept.region, kept.account, kept.key_id
        )),
    });
    let reply = ops::ListKeysResponse {
        keys: Some(entries.collect()),
        next_marker,
        truncated,
    };
    reply.reply(Service::Kms, "ListKeys", &asked.request)
}
