//! Documents that buckets keep: policies, and configurations that are answered as they came.

use http::StatusCode;
use moho_iam::action::s3;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_store::objects::{AccessLogging, DocumentKind, LogKeyFormat, ObjectError, PublicAccessBlock};
use moho_terms::BucketName;
use s3s::dto;
use s3s::{S3Error, S3Response};

use super::{Replied, settings};
use crate::asking::{Asking, bucket_name};
use crate::{failure, refusal};

pub(super) fn get_policy(
    asking: &Asking,
    input: &dto::GetBucketPolicyInput,
) -> Replied<dto::GetBucketPolicyOutput> {
    let permit = asking.on_bucket::<s3::GetBucketPolicy>(&bucket_name(&input.bucket)?, &asking.context())?;
    check_own(asking, &asking.bucket(&permit)?)?;
    let found = asking.store().objects().policy(&permit);
    let policy = found.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::GetBucketPolicyOutput {
        policy: Some(policy),
    }))
}

/// Bucket policies are read and written from the bucket's account only, whatever they say.
fn check_own(asking: &Asking, bucket: &moho_store::objects::Bucket) -> Result<(), S3Error> {
    if bucket.owner == asking.account() {
        return Ok(());
    }
    Err(failure::error(
        "MethodNotAllowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "The specified method is not allowed against this resource.",
    ))
}

pub(super) fn put_policy(
    asking: &Asking,
    input: &dto::PutBucketPolicyInput,
) -> Replied<dto::PutBucketPolicyOutput> {
    let name = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::PutBucketPolicy>(&name, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    check_own(asking, &bucket)?;
    let document = PolicyDocument::parse_of_bucket(&name, &input.policy);
    let document = document.map_err(|error| malformed(&error.to_string()))?;
    let blocked = bucket
        .settings
        .public_access
        .unwrap_or(PublicAccessBlock::NONE)
        .block_public_policy;
    if blocked && document.is_public() {
        return Err(failure::error(
            "AccessDenied",
            StatusCode::FORBIDDEN,
            format!(
                "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::{name}\" because public policies are blocked by the BlockPublicPolicy block public access setting.",
                asking.principal()
            ),
        ));
    }
    let set = asking.store().objects().set_policy(&permit, &document);
    set.map_err(|error| {
        if let ObjectError::InvalidArgument(message) = error {
            return malformed(message);
        }
        refusal::from_object(&error)
    })?;
    Ok(settings::no_content(dto::PutBucketPolicyOutput {}))
}

fn malformed(message: &str) -> S3Error {
    failure::error("MalformedPolicy", StatusCode::BAD_REQUEST, message)
}

pub(super) fn delete_policy(
    asking: &Asking,
    input: &dto::DeleteBucketPolicyInput,
) -> Replied<dto::DeleteBucketPolicyOutput> {
    let permit =
        asking.on_bucket::<s3::DeleteBucketPolicy>(&bucket_name(&input.bucket)?, &asking.context())?;
    check_own(asking, &asking.bucket(&permit)?)?;
    let set = asking.store().objects().set_document(&permit, None);
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(settings::no_content(dto::DeleteBucketPolicyOutput {}))
}

pub(super) fn policy_status(
    asking: &Asking,
    input: &dto::GetBucketPolicyStatusInput,
) -> Replied<dto::GetBucketPolicyStatusOutput> {
    let name = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetBucketPolicyStatus>(&name, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    let found = asking.store().objects().policy(&permit);
    let text = found.map_err(|error| refusal::from_object(&error))?;
    let document = PolicyDocument::parse_exchanged(PolicyKind::Resource, &text);
    let document = document.map_err(|_kept| failure::internal_error())?;
    let restricted = bucket
        .settings
        .public_access
        .is_some_and(|block| block.restrict_public_buckets);
    Ok(S3Response::new(dto::GetBucketPolicyStatusOutput {
        policy_status: Some(dto::PolicyStatus {
            is_public: Some(document.is_public() && !restricted),
        }),
    }))
}

pub(super) fn get_cors(
    asking: &Asking,
    input: &dto::GetBucketCorsInput,
) -> Replied<dto::GetBucketCorsOutput> {
    let permit = asking.on_bucket::<s3::GetBucketCORS>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let found = asking.store().objects().document(&permit);
    let found = found.map_err(|error| refusal::from_object(&error))?;
    let text = found.ok_or_else(|| refusal::no_such_document(DocumentKind::Cors))?;
    let kept: dto::CORSConfiguration =
        serde_json::from_str(&text).map_err(|_unreadable| failure::internal_error())?;
    Ok(S3Response::new(dto::GetBucketCorsOutput {
        cors_rules: Some(kept.cors_rules),
    }))
}

pub(super) fn put_cors(
    asking: &Asking,
    input: &dto::PutBucketCorsInput,
) -> Replied<dto::PutBucketCorsOutput> {
    let permit = asking.on_bucket::<s3::PutBucketCORS>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let rules = &input.cors_configuration.cors_rules;
    if rules.is_empty() || rules.len() > 100 {
        return Err(failure::malformed_xml());
    }
    for rule in rules {
        if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
            return Err(failure::malformed_xml());
        }
        for method in &rule.allowed_methods {
            if !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(&method.as_str()) {
                return Err(failure::invalid_request(
                    "Found unsupported HTTP method in CORS config. Unsupported methods have no effect.",
                ));
            }
        }
    }
    let text = serde_json::to_string(&input.cors_configuration);
    let text = text.map_err(|_unwritable| failure::internal_error())?;
    let set = asking.store().objects().set_document(&permit, Some(&text));
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutBucketCorsOutput {}))
}

pub(super) fn delete_cors(
    asking: &Asking,
    input: &dto::DeleteBucketCorsInput,
) -> Replied<dto::DeleteBucketCorsOutput> {
    let permit = asking.on_bucket::<s3::PutBucketCORS>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().set_document(&permit, None);
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(settings::no_content(dto::DeleteBucketCorsOutput {}))
}

pub(super) fn get_logging(
    asking: &Asking,
    input: &dto::GetBucketLoggingInput,
) -> Replied<dto::GetBucketLoggingOutput> {
    let permit = asking.on_bucket::<s3::GetBucketLogging>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let found = asking.store().objects().document(&permit);
    let found = found.map_err(|error| refusal::from_object(&error))?;
    let kept = found
        .map(|text| serde_json::from_str::<AccessLogging>(&text))
        .transpose();
    let kept = kept.map_err(|_unreadable| failure::internal_error())?;
    Ok(S3Response::new(dto::GetBucketLoggingOutput {
        logging_enabled: kept.map(|kept| dto::LoggingEnabled {
            target_bucket: kept.bucket.to_string(),
            target_grants: None,
            target_object_key_format: told_format(kept.format),
            target_prefix: kept.prefix,
        }),
    }))
}

pub(super) fn put_logging(
    asking: &Asking,
    input: &dto::PutBucketLoggingInput,
) -> Replied<dto::PutBucketLoggingOutput> {
    let permit = asking.on_bucket::<s3::PutBucketLogging>(&bucket_name(&input.bucket)?, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    let text = match &input.bucket_logging_status.logging_enabled {
        None => None,
        Some(asked) => Some(logging(asking, &bucket, asked)?),
    };
    let set = asking.store().objects().set_document(&permit, text.as_deref());
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutBucketLoggingOutput {}))
}

fn logging(
    asking: &Asking,
    bucket: &moho_store::objects::Bucket,
    asked: &dto::LoggingEnabled,
) -> Result<String, S3Error> {
    let invalid = || {
        failure::error(
            "InvalidTargetBucketForLogging",
            StatusCode::BAD_REQUEST,
            "The owner for the bucket to be logged and the target bucket must be the same.",
        )
    };
    if asked
        .target_grants
        .as_ref()
        .is_some_and(|grants| !grants.is_empty())
    {
        return Err(failure::not_implemented("Grants on logs are not implemented."));
    }
    let target: BucketName = asked.target_bucket.parse().map_err(|_not_one| invalid())?;
    if asking.bucket_owner(&target)? != Some(bucket.owner) {
        return Err(invalid());
    }
    let kept = AccessLogging {
        bucket: target,
        prefix: asked.target_prefix.clone(),
        format: asked_format(asked.target_object_key_format.as_ref())?,
    };
    serde_json::to_string(&kept).map_err(|_unwritable| failure::internal_error())
}

/// How the keys of logs are asked to be made: one format, or else the simple one.
fn asked_format(asked: Option<&dto::TargetObjectKeyFormat>) -> Result<LogKeyFormat, S3Error> {
    let malformed = || {
        failure::error(
            "MalformedXML",
            StatusCode::BAD_REQUEST,
            "The format of the keys of logs is either SimplePrefix or PartitionedPrefix, with EventTime or DeliveryTime.",
        )
    };
    let Some(asked) = asked else {
        return Ok(LogKeyFormat::Simple);
    };
    match (&asked.simple_prefix, &asked.partitioned_prefix) {
        (Some(_), None) => Ok(LogKeyFormat::Simple),
        (None, Some(partitioned)) => match partitioned
            .partition_date_source
            .as_ref()
            .map(|source| source.as_str())
        {
            None | Some(dto::PartitionDateSource::EVENT_TIME) => Ok(LogKeyFormat::ByEventTime),
            Some(dto::PartitionDateSource::DELIVERY_TIME) => Ok(LogKeyFormat::ByDeliveryTime),
            Some(_) => Err(malformed()),
        },
        (Some(_), Some(_)) | (None, None) => Err(malformed()),
    }
}

fn told_format(kept: LogKeyFormat) -> Option<dto::TargetObjectKeyFormat> {
    let source = match kept {
        LogKeyFormat::Simple => return None,
        LogKeyFormat::ByEventTime => dto::PartitionDateSource::EVENT_TIME,
        LogKeyFormat::ByDeliveryTime => dto::PartitionDateSource::DELIVERY_TIME,
    };
    Some(dto::TargetObjectKeyFormat {
        partitioned_prefix: Some(dto::PartitionedPrefix {
            partition_date_source: Some(dto::PartitionDateSource::from_static(source)),
        }),
        simple_prefix: None,
    })
}

pub(super) fn get_notification(
    asking: &Asking,
    input: &dto::GetBucketNotificationConfigurationInput,
) -> Replied<dto::GetBucketNotificationConfigurationOutput> {
    let permit =
        asking.on_bucket::<s3::GetBucketNotification>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    Ok(S3Response::new(
        dto::GetBucketNotificationConfigurationOutput::default(),
    ))
}

/// Nobody is told of events: what asks for it is refused.
pub(super) fn put_notification(
    asking: &Asking,
    input: &dto::PutBucketNotificationConfigurationInput,
) -> Replied<dto::PutBucketNotificationConfigurationOutput> {
    let permit =
        asking.on_bucket::<s3::PutBucketNotification>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let asked = &input.notification_configuration;
    let empty = asked.event_bridge_configuration.is_none()
        && asked
            .lambda_function_configurations
            .as_ref()
            .is_none_or(Vec::is_empty)
        && asked.queue_configurations.as_ref().is_none_or(Vec::is_empty)
        && asked.topic_configurations.as_ref().is_none_or(Vec::is_empty);
    if !empty {
        return Err(failure::not_implemented(
            "Event notifications are not implemented.",
        ));
    }
    Ok(S3Response::new(dto::PutBucketNotificationConfigurationOutput {}))
}
