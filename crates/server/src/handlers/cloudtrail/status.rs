//! Logging, what came of delivering, and the keys that digests are signed with.

use moho_audit::cloudtrail::names::TrailRef;
use moho_iam::action::cloudtrail as action;
use moho_iam::authz::Permit;
use moho_terms::{ContentBytes, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::cloudtrail as ops;
use moho_wire::{Failure, Reply};

use super::{act, found, shown, trails};
use crate::handlers::Asked;
use crate::handlers::paging::{BadMarker, Listing, NoMarker};

/// How far back public keys are listed if nobody says from when: a day, as at AWS.
const USUAL: u64 = 24 * 3600;
/// Keys in one page. `aws cloudtrail validate-logs` reads the first page only.
const PAGE: u32 = 1000;

/// `StartLogging`
pub(crate) async fn start(asked: &Asked, permit: Permit<action::StartLogging>) -> Result<Reply, Failure> {
    let (_trail, permit) = trails::own(asked, permit).await?;
    let started = act(asked, move |platform| {
        platform.store.start_logging(&permit, platform.clock.now())
    });
    started.await?;
    Service::CloudTrail.done("StartLogging", &asked.request)
}

/// `StopLogging`
pub(crate) async fn stop(asked: &Asked, permit: Permit<action::StopLogging>) -> Result<Reply, Failure> {
    let (_trail, permit) = trails::own(asked, permit).await?;
    let stopped = act(asked, move |platform| {
        platform.store.stop_logging(&permit, platform.clock.now())
    });
    stopped.await?;
    Service::CloudTrail.done("StopLogging", &asked.request)
}

/// `GetTrailStatus`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<action::GetTrailStatus>,
    named: TrailRef,
) -> Result<Reply, Failure> {
    let (trail, permit) = found(asked, permit, &named).await?;
    let (status, trail) = act(asked, move |platform| {
        Ok((platform.store.trail_status(&permit, &trail)?, trail))
    })
    .await?;
    let text = |time: Option<Timestamp>| Some(time.map(|time| time.to_string()).unwrap_or_default());
    let last_failed = status.error.is_some();
    ops::GetTrailStatusResponse {
        is_logging: Some(trail.logging),
        latest_delivery_error: status.error,
        latest_delivery_time: status.delivered_at,
        start_logging_time: trail.started_at,
        stop_logging_time: trail.stopped_at,
        latest_digest_delivery_time: status.digested_at,
        latest_digest_delivery_error: status.digest_error,
        latest_delivery_attempt_time: text(status.attempted_at),
        latest_notification_attempt_time: Some(String::new()),
        latest_notification_attempt_succeeded: Some(String::new()),
        // As AWS writes it: when a try succeeded that was the last one.
        latest_delivery_attempt_succeeded: text(status.attempted_at.filter(|_| !last_failed)),
        time_logging_started: text(trail.started_at),
        time_logging_stopped: text(trail.stopped_at),
    }
    .reply(Service::CloudTrail, "GetTrailStatus", &asked.request)
}

/// `ListPublicKeys`
pub(crate) async fn public_keys(
    asked: &Asked,
    permit: Permit<action::ListPublicKeys>,
    request: ops::ListPublicKeys,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let now = platform.clock.now();
    let end = request.end_time.unwrap_or(now);
    let usual = Timestamp::from_unix_seconds(end.unix_seconds().saturating_sub(USUAL));
    let start = request.start_time.unwrap_or(usual);
    if start > end {
        return Err(shown::service(
            "InvalidTimeRangeException",
            "The start time has to be before the end time.",
        ));
    }
    let (from, to) = (start.to_string(), end.to_string());
    let listing = Listing::of_permit(&permit, &[&from, &to]);
    let token = request.next_token.as_deref();
    let after = token
        .map(|token| platform.paging.open(&listing, token, now))
        .transpose()
        .map_err(|BadMarker| shown::service("InvalidTokenException", "The token is not one of this list."))?;
    let after = after.unwrap_or_default();
    let keys = act(asked, move |platform| {
        let keys = platform
            .store
            .public_digest_keys(&permit, (start, end), (&after, PAGE))?;
        Ok(keys)
    });
    let keys = keys.await?;
    let last = keys.last().filter(|_| keys.len() as u64 >= u64::from(PAGE));
    let next_token = last
        .map(|last| {
            let after = &last.fingerprint;
            platform.paging.seal(&listing, after, now, &*platform.entropy)
        })
        .transpose()
        .map_err(|NoMarker| Failure::Unavailable)?;
    let told = keys.into_iter().map(|key| ops::PublicKey {
        value: Some(ContentBytes::new(key.public_key)),
        validity_start_time: Some(key.valid_from),
        validity_end_time: Some(key.valid_to),
        fingerprint: Some(key.fingerprint),
    });
    ops::ListPublicKeysResponse {
        public_key_list: Some(told.collect()),
        next_token,
    }
    .reply(Service::CloudTrail, "ListPublicKeys", &asked.request)
}
