//! Trails: made, changed, deleted and shown.

use moho_audit::cloudtrail::names::TrailRef;
use moho_iam::action::cloudtrail as action;
use moho_iam::authz::Permit;
use moho_store::trails::{MOST, Trail, TrailSettings};
use moho_terms::{Arn, RequestId};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::cloudtrail as ops;
use moho_wire::{Failure, Reply};

use super::{act, found, is_named, settings, shown, tags};
use crate::handlers::Asked;
use crate::handlers::paging::{BadMarker, Listing, NoMarker};

/// Trails in one page of `ListTrails`.
const PAGE: usize = 100;

/// What a request calls a trail.
pub(crate) fn named(text: &str) -> Result<TrailRef, Failure> {
    text.parse().map_err(|error| shown::bad_ref(&error))
}

/// `CreateTrail`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<action::CreateTrail>,
    (request, kms_key): (ops::CreateTrail, Option<Arn>),
) -> Result<Reply, Failure> {
    let settings = TrailSettings {
        bucket: settings::bucket(asked, &request.s3_bucket_name)?,
        prefix: settings::prefix(request.s3_key_prefix.as_deref())?,
        kms_key,
        multi_region: request.is_multi_region_trail.unwrap_or(false),
        global_services: request.include_global_service_events.unwrap_or(true),
        organization: settings::organization(asked, request.is_organization_trail.unwrap_or(false))?,
        validation: request.enable_log_file_validation.unwrap_or(false),
    };
    settings::check_together(&settings)?;
    let tags = tags::of(request.tags_list.as_deref().unwrap_or_default())?;
    let own = |trail: &&Trail| trail.account == asked.account;
    let all = asked.platform.store.trails(&permit);
    let all = all.map_err(|error| crate::road::from_store(&error))?;
    if all.iter().filter(own).any(|trail| trail.name == request.name) {
        return Err(shown::service(
            "TrailAlreadyExistsException",
            format!(
                "Trail {} already exists for customer: {}",
                request.name, asked.account
            ),
        ));
    }
    if all.iter().filter(own).count() >= MOST {
        return Err(shown::too_many());
    }
    let whose = (permit.resource().clone(), asked.account);
    settings::check_delivery(asked, whose, &settings).await?;
    let made = act(asked, move |platform| {
        let id = RequestId::random(&*platform.entropy).map_err(moho_store::StoreError::from)?;
        let now = platform.clock.now();
        platform
            .store
            .create_trail(&permit, (&id.to_string(), &settings), &tags, now)
    });
    let made = shown::trail(&made.await?);
    ops::CreateTrailResponse {
        name: made.name,
        s3_bucket_name: made.s3_bucket_name,
        s3_key_prefix: made.s3_key_prefix,
        include_global_service_events: made.include_global_service_events,
        is_multi_region_trail: made.is_multi_region_trail,
        trail_arn: made.trail_arn,
        log_file_validation_enabled: made.log_file_validation_enabled,
        kms_key_id: made.kms_key_id,
        is_organization_trail: made.is_organization_trail,
    }
    .reply(Service::CloudTrail, "CreateTrail", &asked.request)
}

/// `UpdateTrail`
pub(crate) async fn update(
    asked: &Asked,
    permit: Permit<action::UpdateTrail>,
    (request, kms_key): (ops::UpdateTrail, Option<Arn>),
) -> Result<Reply, Failure> {
    let (before, permit) = own(asked, permit).await?;
    let mut settings = before.settings;
    if let Some(name) = &request.s3_bucket_name {
        settings.bucket = settings::bucket(asked, name)?;
    }
    if request.s3_key_prefix.is_some() {
        settings.prefix = settings::prefix(request.s3_key_prefix.as_deref())?;
    }
    // An empty name takes the key away.
    if request.kms_key_id.is_some() {
        settings.kms_key = kms_key;
    }
    if let Some(wanted) = request.is_organization_trail {
        settings.organization = settings::organization(asked, wanted)?;
    }
    let set = |to: &mut bool, wanted: Option<bool>| *to = wanted.unwrap_or(*to);
    set(&mut settings.multi_region, request.is_multi_region_trail);
    set(
        &mut settings.global_services,
        request.include_global_service_events,
    );
    set(&mut settings.validation, request.enable_log_file_validation);
    settings::check_together(&settings)?;
    let whose = (permit.resource().clone(), asked.account);
    settings::check_delivery(asked, whose, &settings).await?;
    let changed = act(asked, move |platform| {
        platform.store.update_trail(&permit, &settings)
    });
    let changed = shown::trail(&changed.await?);
    ops::UpdateTrailResponse {
        name: changed.name,
        s3_bucket_name: changed.s3_bucket_name,
        s3_key_prefix: changed.s3_key_prefix,
        include_global_service_events: changed.include_global_service_events,
        is_multi_region_trail: changed.is_multi_region_trail,
        trail_arn: changed.trail_arn,
        log_file_validation_enabled: changed.log_file_validation_enabled,
        kms_key_id: changed.kms_key_id,
        is_organization_trail: changed.is_organization_trail,
    }
    .reply(Service::CloudTrail, "UpdateTrail", &asked.request)
}

/// The caller's own trail that a permit is for. Of the organisation's trails it hears whose they are to change.
pub(super) async fn own<A: moho_iam::action::Action>(
    asked: &Asked,
    permit: Permit<A>,
) -> Result<(Trail, Permit<A>), Failure> {
    let name = permit
        .resource()
        .resource()
        .trim_start_matches("trail/")
        .to_owned();
    let (all, permit) = act(asked, move |platform| {
        Ok((platform.store.trails(&permit)?, permit))
    })
    .await?;
    let trail = all.into_iter().find(|trail| trail.name == name);
    match trail {
        Some(trail) if trail.account == asked.account => Ok((trail, permit)),
        Some(_organizations) => Err(shown::not_management()),
        None => Err(shown::no_such_trail(&name, asked.account)),
    }
}

/// `DeleteTrail`
pub(crate) async fn delete(asked: &Asked, permit: Permit<action::DeleteTrail>) -> Result<Reply, Failure> {
    let (_trail, permit) = own(asked, permit).await?;
    let deleted = act(asked, move |platform| {
        platform.store.delete_trail(&permit, platform.clock.now())
    });
    deleted.await?;
    Service::CloudTrail.done("DeleteTrail", &asked.request)
}

/// `DescribeTrails`: those that are named and there, or all.
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeTrails>,
    request: ops::DescribeTrails,
) -> Result<Reply, Failure> {
    let names = request.trail_name_list.unwrap_or_default();
    let names: Vec<TrailRef> = names.iter().map(|name| named(name)).collect::<Result<_, _>>()?;
    let shadows = request.include_shadow_trails.unwrap_or(true);
    let all = act(asked, move |platform| Ok(platform.store.trails(&permit)?)).await?;
    let wanted = |trail: &&Trail| {
        let is_shown = shadows || trail.account == asked.account;
        is_shown && (names.is_empty() || names.iter().any(|name| is_named(trail, name)))
    };
    ops::DescribeTrailsResponse {
        trail_list: Some(all.iter().filter(wanted).map(shown::trail).collect()),
    }
    .reply(Service::CloudTrail, "DescribeTrails", &asked.request)
}

/// `GetTrail`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<action::GetTrail>,
    named: TrailRef,
) -> Result<Reply, Failure> {
    let (trail, _permit) = found(asked, permit, &named).await?;
    ops::GetTrailResponse {
        trail: Some(shown::trail(&trail)),
    }
    .reply(Service::CloudTrail, "GetTrail", &asked.request)
}

/// `ListTrails`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListTrails>,
    request: ops::ListTrails,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let listing = Listing::of_permit(&permit, &[]);
    let now = platform.clock.now();
    let token = request.next_token.as_deref();
    let after = token
        .map(|token| platform.paging.open(&listing, token, now))
        .transpose()
        .map_err(|BadMarker| shown::service("InvalidTokenException", "The token is not one of this list."))?;
    let all = act(asked, move |platform| Ok(platform.store.trails(&permit)?)).await?;
    let mut all: Vec<(String, Trail)> = all
        .into_iter()
        .filter_map(|trail| Some((shown::arn(&trail)?, trail)))
        .filter(|(arn, _)| after.as_ref().is_none_or(|after| arn > after))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let more = all.len() > PAGE;
    all.truncate(PAGE);
    let last = all.last().filter(|_| more).map(|(arn, _)| arn.clone());
    let next_token = last
        .map(|last| platform.paging.seal(&listing, &last, now, &*platform.entropy))
        .transpose()
        .map_err(|NoMarker| Failure::Unavailable)?;
    let trails = all.into_iter().map(|(arn, trail)| ops::TrailInfo {
        trail_arn: Some(arn),
        name: Some(trail.name),
        home_region: Some(trail.home_region.to_string()),
    });
    ops::ListTrailsResponse {
        trails: Some(trails.collect()),
        next_token,
    }
    .reply(Service::CloudTrail, "ListTrails", &asked.request)
}
