//! What becomes of keys: enabled, disabled, described anew, deleted in the end.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::keys as ops;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, carry_out, compute};

/// Days that a key waits for its deletion if nobody says.
const WAITING: u32 = 30;

/// `EnableKey`
pub(crate) async fn enable(asked: &Asked, permit: Permit<action::EnableKey>) -> Result<Reply, Failure> {
    carry_out(asked, permit, |platform, permit| platform.kms.enable(permit)).await
}

/// `DisableKey`
pub(crate) async fn disable(asked: &Asked, permit: Permit<action::DisableKey>) -> Result<Reply, Failure> {
    carry_out(asked, permit, |platform, permit| platform.kms.disable(permit)).await
}

/// `UpdateKeyDescription`
pub(crate) async fn describe_anew(
    asked: &Asked,
    permit: Permit<action::UpdateKeyDescription>,
    description: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |platform, permit| {
        platform.kms.update_description(permit, &description)
    })
    .await
}

/// Days that a key is to wait for its deletion.
pub(crate) fn window(days: Option<i64>) -> Result<u32, Failure> {
    days.map_or(Ok(WAITING), |days| {
        u32::try_from(days).map_err(|_never| Failure::Internal)
    })
}

/// `ScheduleKeyDeletion`
pub(crate) async fn schedule(
    asked: &Asked,
    permit: Permit<action::ScheduleKeyDeletion>,
    days: u32,
) -> Result<Reply, Failure> {
    let key = permit.resource().to_string();
    let at = compute(asked, Pace::Slow, move |platform| {
        platform.kms.schedule_deletion(&permit, Some(days))
    })
    .await?;
    let reply = ops::ScheduleKeyDeletionResponse {
        key_id: Some(key),
        deletion_date: Some(at),
        key_state: Some("PendingDeletion".to_owned()),
        pending_window_in_days: Some(days.into()),
    };
    reply.reply(Service::Kms, "ScheduleKeyDeletion", &asked.request)
}

/// `CancelKeyDeletion`
pub(crate) async fn cancel(
    asked: &Asked,
    permit: Permit<action::CancelKeyDeletion>,
) -> Result<Reply, Failure> {
    let key = permit.resource().to_string();
    compute(asked, Pace::Slow, move |platform| {
        platform.kms.cancel_deletion(&permit)
    })
    .await?;
    let reply = ops::CancelKeyDeletionResponse { key_id: Some(key) };
    reply.reply(Service::Kms, "CancelKeyDeletion", &asked.request)
}
