//! Trails in CloudTrail's own shapes and words.

use moho_audit::cloudtrail::names::{TrailArn, TrailNameError, TrailRefError};
use moho_audit::cloudtrail::selectors::Selectors;
use moho_store::trails::{MOST, Trail};
use moho_terms::{AccountId, Arn};
use moho_wire::Failure;
use moho_wire::aws::ops::cloudtrail as ops;

/// An error of CloudTrail's: the status of all of them is 400.
pub(crate) fn service(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::Service {
        code,
        message: message.into(),
        status: 400,
    }
}

/// A name is none.
pub(crate) fn bad_name(error: &TrailNameError) -> Failure {
    service("InvalidTrailNameException", error.to_string())
}

/// What should name a trail does not.
pub(crate) fn bad_ref(error: &TrailRefError) -> Failure {
    match error {
        TrailRefError::Arn(_) => service("CloudTrailARNInvalidException", error.to_string()),
        TrailRefError::Name(error) => bad_name(error),
    }
}

/// There is no such trail, or none that the account sees.
pub(crate) fn no_such_trail(name: &str, account: AccountId) -> Failure {
    service(
        "TrailNotFoundException",
        format!("Unknown trail: {name} for the user: {account}"),
    )
}

pub(super) fn too_many() -> Failure {
    service(
        "MaximumNumberOfTrailsExceededException",
        format!("The account has as many trails as it may: {MOST} in a Region. Delete one first."),
    )
}

/// A trail is changed where it was made.
pub(crate) fn other_home(arn: &TrailArn) -> Failure {
    let home = &arn.home_region;
    service(
        "InvalidHomeRegionException",
        format!("The trail {arn} can only be changed in its home region, {home}."),
    )
}

/// A trail of the organisation is changed by who manages that.
pub(crate) fn not_management() -> Failure {
    service(
        "NotOrganizationMasterAccountException",
        "Only the management account of the organization can create, change or delete an organization trail.",
    )
}

/// A KmsKey cannot be the key of a trail.
pub(crate) fn unusable_key(name: &str, failure: Failure) -> Failure {
    let name: String = name.chars().filter(char::is_ascii_graphic).take(256).collect();
    let code = if let Failure::Service { code, .. } = &failure {
        *code
    } else if let Failure::Validation(_) = &failure {
        "ValidationException"
    } else {
        ""
    };
    match code {
        "NotFoundException" => service(
            "KmsKeyNotFoundException",
            format!("The KMS key {name} does not exist."),
        ),
        "DisabledException" | "KMSInvalidStateException" => service(
            "KmsKeyDisabledException",
            format!("The KMS key {name} cannot be used in the state that it is in."),
        ),
        "ValidationException" => service(
            "InvalidKmsKeyIdException",
            format!("{name} names no KMS key: give an id, an ARN or an alias."),
        ),
        _ => failure,
    }
}

pub(super) fn trail(trail: &Trail) -> ops::Trail {
    let settings = &trail.settings;
    ops::Trail {
        name: Some(trail.name.clone()),
        s3_bucket_name: Some(settings.bucket.name.to_string()),
        s3_key_prefix: settings.prefix.clone(),
        include_global_service_events: Some(settings.global_services),
        is_multi_region_trail: Some(settings.multi_region),
        home_region: Some(trail.home_region.to_string()),
        trail_arn: arn(trail),
        log_file_validation_enabled: Some(settings.validation),
        kms_key_id: settings.kms_key.as_ref().map(Arn::to_string),
        has_custom_event_selectors: Some(selectors(trail).are_custom()),
        has_insight_selectors: Some(false),
        is_organization_trail: Some(settings.organization.is_some()),
    }
}

pub(super) fn arn(trail: &Trail) -> Option<String> {
    trail.arn().ok().map(|arn| arn.to_string())
}

/// What it selects. It was checked before it was kept.
pub(super) fn selectors(trail: &Trail) -> Selectors {
    let kept = trail.selectors.as_deref();
    kept.and_then(|json| Selectors::parse(json.as_bytes()).ok())
        .unwrap_or_default()
}
