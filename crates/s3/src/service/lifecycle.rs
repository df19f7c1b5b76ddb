//! Lifecycle rules as S3 writes them, and as the store carries them out.

use moho_iam::action::s3;
use moho_store::objects::lifecycle::{
    Expiration, Lifecycle, LifecycleFilter, LifecycleRule, NoncurrentExpiration, RuleStatus,
};
use moho_terms::{Entropy, Timestamp};
use s3s::dto;
use s3s::{S3Error, S3Response};

use super::{Replied, settings};
use crate::asking::{Asking, bucket_name};
use crate::{failure, refusal, told};

/// Nothing here moves to another storage class, so it does not matter how large it is.
const DEFAULT_SIZE: &str = "all_storage_classes_128K";

pub(super) fn get(
    asking: &Asking,
    input: &dto::GetBucketLifecycleConfigurationInput,
) -> Replied<dto::GetBucketLifecycleConfigurationOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetLifecycleConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let found = asking.store().objects().lifecycle(&permit);
    let kept = found.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::GetBucketLifecycleConfigurationOutput {
        rules: Some(kept.rules.into_iter().map(told_rule).collect()),
        transition_default_minimum_object_size: Some(default_size()),
    }))
}

pub(super) fn put(
    asking: &Asking,
    input: &dto::PutBucketLifecycleConfigurationInput,
) -> Replied<dto::PutBucketLifecycleConfigurationOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::PutLifecycleConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let asked = input.lifecycle_configuration.as_ref();
    let asked = asked.ok_or_else(failure::malformed_xml)?;
    let rules = asked
        .rules
        .iter()
        .map(|rule| asked_rule(rule, asking.moment().entropy));
    let lifecycle = Lifecycle {
        rules: rules.collect::<Result<_, _>>()?,
    };
    let set = asking.store().objects().set_lifecycle(&permit, Some(&lifecycle));
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(default_size()),
    }))
}

pub(super) fn delete(
    asking: &Asking,
    input: &dto::DeleteBucketLifecycleInput,
) -> Replied<dto::DeleteBucketLifecycleOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::PutLifecycleConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().set_lifecycle(&permit, None);
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(settings::no_content(dto::DeleteBucketLifecycleOutput {}))
}

fn default_size() -> dto::TransitionDefaultMinimumObjectSize {
    dto::TransitionDefaultMinimumObjectSize::from_static(DEFAULT_SIZE)
}

/// Rules as they are told once they are set.
pub(crate) fn told_again(
    asked: &[dto::LifecycleRule],
    entropy: &dyn Entropy,
) -> Result<Vec<dto::LifecycleRule>, S3Error> {
    let told = |rule| asked_rule(rule, entropy).map(told_rule);
    asked.iter().map(told).collect()
}

/// A rule as it is asked for. Without an id it is given one.
fn asked_rule(asked: &dto::LifecycleRule, entropy: &dyn Entropy) -> Result<LifecycleRule, S3Error> {
    let transitions = asked.transitions.as_ref().is_some_and(|some| !some.is_empty());
    let later = asked.noncurrent_version_transitions.as_ref();
    if transitions || later.is_some_and(|some| !some.is_empty()) {
        return Err(failure::not_implemented(
            "Transitions are not implemented: there is one storage class, STANDARD.",
        ));
    }
    let (filter, plain_prefix) = match (&asked.filter, &asked.prefix) {
        (Some(filter), None) => (asked_filter(filter)?, false),
        (None, Some(prefix)) => (by_prefix(Some(prefix.clone())), true),
        (Some(_), Some(_)) | (None, None) => return Err(failure::malformed_xml()),
    };
    let id = asked.id.clone().filter(|id| !id.is_empty());
    let aborts = asked.abort_incomplete_multipart_upload.as_ref();
    Ok(LifecycleRule {
        id: Some(id.map_or_else(|| new_id(entropy), Ok)?),
        status: match asked.status.as_str() {
            dto::ExpirationStatus::ENABLED => RuleStatus::Enabled,
            dto::ExpirationStatus::DISABLED => RuleStatus::Disabled,
            _ => return Err(failure::malformed_xml()),
        },
        filter,
        plain_prefix,
        expiration: asked.expiration.as_ref().map(asked_expiration).transpose()?,
        noncurrent: asked
            .noncurrent_version_expiration
            .as_ref()
            .map(asked_noncurrent)
            .transpose()?,
        abort_uploads_after: aborts
            .map(|aborts| days(aborts.days_after_initiation))
            .transpose()?,
    })
}

fn new_id(entropy: &dyn Entropy) -> Result<String, S3Error> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes).map_err(|_none| failure::unavailable())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn by_prefix(prefix: Option<String>) -> LifecycleFilter {
    LifecycleFilter {
        prefix,
        ..LifecycleFilter::default()
    }
}

/// A filter says one thing, or several in an `And`.
fn asked_filter(asked: &dto::LifecycleRuleFilter) -> Result<LifecycleFilter, S3Error> {
    let said = [
        asked.and.is_some(),
        asked.prefix.is_some(),
        asked.tag.is_some(),
        asked.object_size_greater_than.is_some(),
        asked.object_size_less_than.is_some(),
    ];
    if said.into_iter().filter(|said| *said).count() > 1 {
        return Err(failure::malformed_xml());
    }
    match &asked.and {
        Some(and) => Ok(LifecycleFilter {
            prefix: and.prefix.clone(),
            tags: told::tags_read(and.tags.as_deref().unwrap_or_default()),
            larger_than: size(and.object_size_greater_than)?,
            smaller_than: size(and.object_size_less_than)?,
            and: true,
        }),
        None => Ok(LifecycleFilter {
            prefix: asked.prefix.clone(),
            tags: told::tags_read(asked.tag.as_slice()),
            larger_than: size(asked.object_size_greater_than)?,
            smaller_than: size(asked.object_size_less_than)?,
            and: false,
        }),
    }
}

fn size(asked: Option<i64>) -> Result<Option<u64>, S3Error> {
    let size = asked.map(u64::try_from).transpose();
    size.map_err(|_negative| failure::malformed_xml())
}

/// Days have to be said; what is no count of days is refused where that is checked, as none.
fn days(asked: Option<i32>) -> Result<u32, S3Error> {
    let asked = asked.ok_or_else(failure::malformed_xml)?;
    Ok(u32::try_from(asked).unwrap_or(0))
}

fn asked_expiration(asked: &dto::LifecycleExpiration) -> Result<Expiration, S3Error> {
    let markers = asked.expired_object_delete_marker == Some(true);
    match (asked.days, &asked.date, markers) {
        (Some(_), None, false) => Ok(Expiration::Days(days(asked.days)?)),
        (None, Some(date), false) => {
            let at = told::moment(date).ok_or_else(failure::malformed_xml)?;
            let whole = at.unix_micros().is_multiple_of(1_000_000);
            // A fraction of a second is not midnight either.
            let seconds = at.unix_seconds();
            Ok(Expiration::Date(if whole {
                seconds
            } else {
                seconds.saturating_add(1)
            }))
        }
        (None, None, true) => Ok(Expiration::DeleteMarkers),
        _ => Err(failure::malformed_xml()),
    }
}

fn asked_noncurrent(asked: &dto::NoncurrentVersionExpiration) -> Result<NoncurrentExpiration, S3Error> {
    let keep = asked.newer_noncurrent_versions.map(|keep| {
        let keep = u32::try_from(keep).ok().filter(|keep| (1..=100).contains(keep));
        keep.ok_or_else(|| {
            failure::invalid_argument(
                "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be an integer between 1 and 100",
            )
        })
    });
    Ok(NoncurrentExpiration {
        days: days(asked.noncurrent_days)?,
        keep_newer: keep.transpose()?,
    })
}

/// A rule as it is told.
fn told_rule(rule: LifecycleRule) -> dto::LifecycleRule {
    let (filter, prefix) = if rule.plain_prefix {
        (None, Some(rule.filter.prefix.unwrap_or_default()))
    } else {
        (Some(told_filter(rule.filter)), None)
    };
    let noncurrent = |end: NoncurrentExpiration| dto::NoncurrentVersionExpiration {
        newer_noncurrent_versions: end.keep_newer.map(number),
        noncurrent_days: Some(number(end.days)),
    };
    let aborts = |days| dto::AbortIncompleteMultipartUpload {
        days_after_initiation: Some(number(days)),
    };
    let status = match rule.status {
        RuleStatus::Enabled => dto::ExpirationStatus::ENABLED,
        RuleStatus::Disabled => dto::ExpirationStatus::DISABLED,
    };
    dto::LifecycleRule {
        abort_incomplete_multipart_upload: rule.abort_uploads_after.map(aborts),
        expiration: rule.expiration.map(told_expiration),
        filter,
        id: rule.id,
        noncurrent_version_expiration: rule.noncurrent.map(noncurrent),
        noncurrent_version_transitions: None,
        prefix,
        status: dto::ExpirationStatus::from_static(status),
        transitions: None,
    }
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn told_size(size: Option<u64>) -> Option<i64> {
    size.map(|size| i64::try_from(size).unwrap_or(i64::MAX))
}

fn told_filter(filter: LifecycleFilter) -> dto::LifecycleRuleFilter {
    let mut tags = told::tags(filter.tags);
    let (larger, smaller) = (told_size(filter.larger_than), told_size(filter.smaller_than));
    if filter.and {
        let and = dto::LifecycleRuleAndOperator {
            object_size_greater_than: larger,
            object_size_less_than: smaller,
            prefix: filter.prefix,
            tags: Some(tags).filter(|tags| !tags.is_empty()),
        };
        return dto::LifecycleRuleFilter {
            and: Some(and),
            ..dto::LifecycleRuleFilter::default()
        };
    }
    dto::LifecycleRuleFilter {
        and: None,
        object_size_greater_than: larger,
        object_size_less_than: smaller,
        prefix: filter.prefix,
        tag: tags.pop(),
    }
}

fn told_expiration(end: Expiration) -> dto::LifecycleExpiration {
    let mut shown = dto::LifecycleExpiration::default();
    match end {
        Expiration::Days(days) => shown.days = Some(number(days)),
        Expiration::Date(seconds) => {
            shown.date = Some(told::seconds(Timestamp::from_unix_seconds(seconds)));
        }
        Expiration::DeleteMarkers => shown.expired_object_delete_marker = Some(true),
    }
    shown
}
