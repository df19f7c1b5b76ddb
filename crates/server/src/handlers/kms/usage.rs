//! What a key was last used for.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::keys as ops;
use moho_wire::aws::ops::kms::shapes::KeyLastUsageData;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, compute};

/// `GetKeyLastUsage`
pub(crate) async fn last(asked: &Asked, permit: Permit<action::GetKeyLastUsage>) -> Result<Reply, Failure> {
    let key = permit.resource().clone();
    let record = compute(asked, Pace::Slow, move |platform| platform.kms.key(&permit)).await?;
    let uses = &asked.platform.key_use;
    let last = uses.last(&key).map(|last| KeyLastUsageData {
        operation: Some(last.operation.to_owned()),
        timestamp: Some(last.at),
        cloud_trail_event_id: None,
        kms_request_id: Some(last.request.to_string()),
    });
    let reply = ops::GetKeyLastUsageResponse {
        key_id: Some(key.to_string()),
        key_last_usage: Some(last.unwrap_or_default()),
        tracking_start_date: Some(uses.since(&key).max(record.created_at)),
        key_creation_date: Some(record.created_at),
    };
    reply.reply(Service::Kms, "GetKeyLastUsage", &asked.request)
}
