//! Rotation of key material.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_kms::spec::Origin;
use moho_kms::{KeyRecord, Material, RotationType};
use moho_terms::Timestamp;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::rotation as ops;
use moho_wire::aws::ops::kms::shapes::RotationsListEntry;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, Wanted, asking, carry_out, compute, page, shown};

/// Days between two rotations if nobody says.
const PERIOD: u32 = 365;

/// Days between two rotations, as a request says.
pub(crate) fn period(days: Option<i64>) -> u32 {
    // The model bounds them.
    days.and_then(|days| u32::try_from(days).ok()).unwrap_or(PERIOD)
}

/// `EnableKeyRotation`
pub(crate) async fn enable(
    asked: &Asked,
    permit: Permit<action::EnableKeyRotation>,
    days: u32,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |platform, permit| {
        platform.kms.enable_rotation(permit, Some(days))
    })
    .await
}

/// `DisableKeyRotation`
pub(crate) async fn disable(
    asked: &Asked,
    permit: Permit<action::DisableKeyRotation>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, |platform, permit| {
        platform.kms.disable_rotation(permit)
    })
    .await
}

/// `GetKeyRotationStatus`
pub(crate) async fn status(
    asked: &Asked,
    permit: Permit<action::GetKeyRotationStatus>,
) -> Result<Reply, Failure> {
    let key = permit.resource().to_string();
    let rotation = compute(asked, Pace::Slow, move |platform| {
        platform.kms.rotation_status(&permit)
    })
    .await?;
    let reply = ops::GetKeyRotationStatusResponse {
        key_rotation_enabled: Some(rotation.is_some()),
        key_id: Some(key),
        rotation_period_in_days: rotation.map(|rotation| rotation.period_days.into()),
        next_rotation_date: rotation.map(|rotation| rotation.next_at),
        // A rotation on demand is done when it is asked for.
        on_demand_rotation_start_date: None,
    };
    reply.reply(Service::Kms, "GetKeyRotationStatus", &asked.request)
}

/// `RotateKeyOnDemand`
pub(crate) async fn rotate(
    asked: &Asked,
    permit: Permit<action::RotateKeyOnDemand>,
) -> Result<Reply, Failure> {
    let key = permit.resource().to_string();
    compute(asked, Pace::Slow, move |platform| {
        platform.kms.rotate_on_demand(&permit)
    })
    .await?;
    let reply = ops::RotateKeyOnDemandResponse { key_id: Some(key) };
    reply.reply(Service::Kms, "RotateKeyOnDemand", &asked.request)
}

/// `ListKeyRotations`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListKeyRotations>,
    request: ops::ListKeyRotations,
) -> Result<Reply, Failure> {
    let include = request
        .include_key_material
        .as_deref()
        .unwrap_or("ROTATIONS_ONLY");
    let wanted = Wanted {
        filters: &[include],
        marker: request.marker.as_deref(),
        limit: request.limit,
        sizes: (100, 1000),
    };
    let asking = asking(asked, &permit, &wanted)?;
    let record = compute(asked, Pace::Slow, move |platform| platform.kms.rotations(&permit)).await?;
    let now = asked.platform.clock.now();
    let everything = include == "ALL_KEY_MATERIAL";
    let entries = record
        .materials
        .iter()
        .filter(|material| everything || material.rotated.is_some())
        .enumerate()
        // A page goes on by a material's place, which it keeps.
        .map(|(place, material)| (format!("{place:08}"), (&*record, material)))
        .map(|(place, (record, material))| Ok((place, entry(record, material, now)?)));
    let page = page(asked, &asking, entries.collect::<Result<Vec<_>, Failure>>()?)?;
    let reply = ops::ListKeyRotationsResponse {
        rotations: Some(page.items),
        next_marker: page.next_marker,
        truncated: page.truncated,
    };
    reply.reply(Service::Kms, "ListKeyRotations", &asked.request)
}

fn entry(record: &KeyRecord, material: &Material, now: Timestamp) -> Result<RotationsListEntry, Failure> {
    let imported = record.origin == Origin::External;
    let present = material.is_present(now);
    let state = if present { "IMPORTED" } else { "PENDING_IMPORT" };
    Ok(RotationsListEntry {
        key_id: Some(shown::arn(record)?.to_string()),
        key_material_id: Some(material.id.to_string()),
        key_material_description: material.description.clone().filter(|_| imported),
        import_state: imported.then(|| state.to_owned()),
        key_material_state: Some(material.state.as_str().to_owned()),
        expiration_model: (imported && present).then(|| shown::expiration(material.valid_to).to_owned()),
        valid_to: material.valid_to.filter(|_| imported && present),
        rotation_date: material.rotated.map(|rotated| rotated.at),
        rotation_type: material
            .rotated
            .map(|rotated| RotationType::as_str(rotated.kind).to_owned()),
    })
}
