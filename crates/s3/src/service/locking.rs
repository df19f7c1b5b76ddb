//! Object Lock: what new versions are locked by, and what keeps one.

use moho_iam::action::s3;
use moho_store::objects::{DefaultRetention, Retention, RetentionPeriod};
use s3s::dto::{self, ObjectLockRetentionMode};
use s3s::{S3Error, S3Response};

use super::{Replied, putting};
use crate::asking::{Asking, NamedObject, bucket_name};
use crate::{failure, refusal, told};

pub(super) fn get_configuration(
    asking: &Asking,
    input: &dto::GetObjectLockConfigurationInput,
) -> Replied<dto::GetObjectLockConfigurationOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetBucketObjectLockConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().object_lock(&permit);
    let set = set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(dto::ObjectLockConfiguration {
            object_lock_enabled: Some(dto::ObjectLockEnabled::from_static("Enabled")),
            rule: set.map(rule),
        }),
    }))
}

fn rule(set: DefaultRetention) -> dto::ObjectLockRule {
    let number = |number: u32| i32::try_from(number).ok();
    let (days, years) = match set.period {
        RetentionPeriod::Days(days) => (number(days), None),
        RetentionPeriod::Years(years) => (None, number(years)),
    };
    dto::ObjectLockRule {
        default_retention: Some(dto::DefaultRetention {
            days,
            mode: Some(ObjectLockRetentionMode::from_static(set.mode.as_str())),
            years,
        }),
    }
}

pub(super) fn put_configuration(
    asking: &Asking,
    input: &dto::PutObjectLockConfigurationInput,
) -> Replied<dto::PutObjectLockConfigurationOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::PutBucketObjectLockConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let asked = input
        .object_lock_configuration
        .as_ref()
        .ok_or_else(failure::malformed_xml)?;
    if asked
        .object_lock_enabled
        .as_ref()
        .map(dto::ObjectLockEnabled::as_str)
        != Some("Enabled")
    {
        return Err(failure::malformed_xml());
    }
    let by_default = asked.rule.as_ref().map(default_retention).transpose()?;
    let set = asking.store().objects().set_object_lock(&permit, by_default);
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutObjectLockConfigurationOutput::default()))
}

fn default_retention(rule: &dto::ObjectLockRule) -> Result<DefaultRetention, S3Error> {
    let asked = rule
        .default_retention
        .as_ref()
        .ok_or_else(failure::malformed_xml)?;
    let mode = asked.mode.as_ref().ok_or_else(failure::malformed_xml)?;
    let number = |number: i32| {
        u32::try_from(number).map_err(|_negative| {
            failure::invalid_argument("Default retention period must be a positive integer value.")
        })
    };
    let period = match (asked.days, asked.years) {
        (Some(days), None) => RetentionPeriod::Days(number(days)?),
        (None, Some(years)) => RetentionPeriod::Years(number(years)?),
        (Some(_), Some(_)) | (None, None) => return Err(failure::malformed_xml()),
    };
    Ok(DefaultRetention {
        mode: putting::retention_mode(mode.as_str()).map_err(|_unknown| failure::malformed_xml())?,
        period,
    })
}

pub(super) fn get_retention(
    asking: &Asking,
    input: &dto::GetObjectRetentionInput,
) -> Replied<dto::GetObjectRetentionOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let permit = asking.on_object::<s3::GetObjectRetention>(&object, &asking.object_context(&object))?;
    asking.check_expected_owner(&permit)?;
    let found = asking
        .store()
        .objects()
        .retention(&permit, object.version.as_ref());
    let found = found.map_err(|error| asking.not_found(&object, &error))?;
    Ok(S3Response::new(dto::GetObjectRetentionOutput {
        retention: Some(dto::ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(found.mode.as_str())),
            retain_until_date: Some(told::timestamp(found.until)),
        }),
    }))
}

pub(super) fn put_retention(
    asking: &Asking,
    input: &dto::PutObjectRetentionInput,
) -> Replied<dto::PutObjectRetentionOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let asked = input.retention.as_ref().ok_or_else(failure::malformed_xml)?;
    let retention = match (&asked.mode, &asked.retain_until_date) {
        (None, None) => None,
        (Some(mode), Some(until)) => Some(Retention {
            mode: putting::retention_mode(mode.as_str()).map_err(|_unknown| failure::malformed_xml())?,
            until: told::moment(until)
                .ok_or_else(|| failure::invalid_argument("The retain until date must be in the future!"))?,
        }),
        (Some(_), None) | (None, Some(_)) => return Err(failure::malformed_xml()),
    };
    let mut context = asking.object_context(&object);
    if let Some(retention) = retention {
        context = putting::retention_context(context, retention, asking.now());
    }
    let permit = asking.on_object::<s3::PutObjectRetention>(&object, &context)?;
    asking.check_expected_owner(&permit)?;
    let bypass = input.bypass_governance_retention == Some(true);
    let bypass = bypass
        .then(|| asking.on_object::<s3::BypassGovernanceRetention>(&object, &context))
        .transpose()?;
    let set = asking.store().objects().set_retention(
        (&permit, bypass.as_ref()),
        object.version.as_ref(),
        retention,
        asking.moment(),
    );
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutObjectRetentionOutput::default()))
}

pub(super) fn get_legal_hold(
    asking: &Asking,
    input: &dto::GetObjectLegalHoldInput,
) -> Replied<dto::GetObjectLegalHoldOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let permit = asking.on_object::<s3::GetObjectLegalHold>(&object, &asking.object_context(&object))?;
    asking.check_expected_owner(&permit)?;
    let found = asking
        .store()
        .objects()
        .legal_hold(&permit, object.version.as_ref());
    let held = found.map_err(|error| asking.not_found(&object, &error))?;
    Ok(S3Response::new(dto::GetObjectLegalHoldOutput {
        legal_hold: Some(dto::ObjectLockLegalHold {
            status: Some(dto::ObjectLockLegalHoldStatus::from_static(on_or_off(held))),
        }),
    }))
}

pub(super) fn on_or_off(held: bool) -> &'static str {
    if held { "ON" } else { "OFF" }
}

pub(super) fn put_legal_hold(
    asking: &Asking,
    input: &dto::PutObjectLegalHoldInput,
) -> Replied<dto::PutObjectLegalHoldOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let asked = input.legal_hold.as_ref().and_then(|asked| asked.status.as_ref());
    let status = asked.ok_or_else(failure::malformed_xml)?;
    let hold = match status.as_str() {
        "ON" => true,
        "OFF" => false,
        _ => return Err(failure::malformed_xml()),
    };
    let context = asking
        .object_context(&object)
        .with("s3:object-lock-legal-hold", status.as_str());
    let permit = asking.on_object::<s3::PutObjectLegalHold>(&object, &context)?;
    asking.check_expected_owner(&permit)?;
    let objects = asking.store().objects();
    let set = objects.set_legal_hold(&permit, object.version.as_ref(), hold, asking.moment());
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutObjectLegalHoldOutput::default()))
}
