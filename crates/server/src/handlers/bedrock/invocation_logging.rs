//! Where an account has its calls of models logged to. What it names is tried before it counts.

use std::sync::Arc;

use moho_iam::action::bedrock::{
    DeleteModelInvocationLoggingConfiguration, GetModelInvocationLoggingConfiguration,
    PutModelInvocationLoggingConfiguration,
};
use moho_iam::authz::Permit;
use moho_store::invocations::{InvocationDestination, InvocationLogging, LogBucket, LogGroup};
use moho_terms::ContentBytes;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::{
    CloudWatchConfig, GetModelInvocationLoggingConfigurationReply, LoggingConfig, S3Config,
};
use moho_wire::{Failure, Reply};

use super::{Asked, blocking};
use crate::invocations::InvocationLog;
use crate::road::{chain, from_store};

/// `PutModelInvocationLoggingConfiguration`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<PutModelInvocationLoggingConfiguration>,
    config: LoggingConfig,
) -> Result<Reply, Failure> {
    let group = config.cloud_watch_config.map(log_group).transpose()?;
    let bucket = config.s3_config.map(log_bucket).transpose()?;
    if group.is_none() && bucket.is_none() {
        let message = "At least one of cloudWatchConfig and s3Config is required in loggingConfig.";
        return Err(Failure::Validation(message.to_owned()));
    }
    let large = group.as_ref().and_then(|group| group.large.as_ref());
    for to in bucket.iter().chain(large) {
        try_bucket(asked, to).await?;
    }
    if let Some(to) = &group {
        try_group(asked, to.clone()).await?;
    }
    let logging = InvocationLogging {
        group,
        bucket,
        text: config.text_data_delivery_enabled,
        image: config.image_data_delivery_enabled,
        embedding: config.embedding_data_delivery_enabled,
        video: config.video_data_delivery_enabled,
        audio: config.audio_data_delivery_enabled,
    };
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let now = platform.clock.now();
        let put = platform.store.put_invocation_logging(&permit, &logging, now);
        put.map_err(|error| from_store(&error))
    })
    .await?;
    Service::Bedrock.done("PutModelInvocationLoggingConfiguration", &asked.request)
}

/// `GetModelInvocationLoggingConfiguration`
pub(crate) fn get(
    asked: &Asked,
    permit: &Permit<GetModelInvocationLoggingConfiguration>,
) -> Result<Reply, Failure> {
    let logging = asked.platform.store.own_invocation_logging(permit);
    let logging = logging.map_err(|error| from_store(&error))?;
    GetModelInvocationLoggingConfigurationReply {
        logging_config: logging.map(shown),
    }
    .reply(
        Service::Bedrock,
        "GetModelInvocationLoggingConfiguration",
        &asked.request,
    )
}

/// `DeleteModelInvocationLoggingConfiguration`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<DeleteModelInvocationLoggingConfiguration>,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let deleted = platform.store.delete_invocation_logging(&permit);
        deleted.map_err(|error| from_store(&error))
    })
    .await?;
    Service::Bedrock.done("DeleteModelInvocationLoggingConfiguration", &asked.request)
}

fn log_bucket(config: S3Config) -> Result<LogBucket, Failure> {
    let S3Config {
        bucket_name,
        key_prefix: prefix,
    } = config;
    match bucket_name.parse() {
        Ok(bucket) => Ok(LogBucket { bucket, prefix }),
        Err(_no_name) => Err(no_bucket("The name of the S3 bucket is not valid.")),
    }
}

fn log_group(config: CloudWatchConfig) -> Result<LogGroup, Failure> {
    Ok(LogGroup {
        group: config.log_group_name,
        role: config
            .role_arn
            .parse()
            .map_err(|_no_arn| Failure::Validation("The role ARN is not valid.".to_owned()))?,
        large: config.large_data_delivery_s3_config.map(log_bucket).transpose()?,
    })
}

/// Looks whether the role can write to the log group, and makes its stream; and whether records can rest under the group's key.
async fn try_group(asked: &Asked, to: LogGroup) -> Result<(), Failure> {
    let (platform, account, request) = (Arc::clone(&asked.platform), asked.account, asked.request.clone());
    blocking(move || {
        let log = &platform.invocations;
        let refused = |error: &(dyn std::error::Error + 'static), why: &str| {
            tracing::info!(%request, error = %chain(error), "the log group of an invocation log was refused");
            Failure::Validation(format!(
                "Failed to validate permissions for the log group of the logging configuration. {why}"
            ))
        };
        let destination = InvocationDestination::Group(to.clone());
        log.check_keys(account, &destination, &request).map_err(|error| {
            refused(
                &error,
                "The log group has to be in this account and region, and the policy of its KMS key has to allow \
                 bedrock.amazonaws.com kms:GenerateDataKey and kms:Decrypt.",
            )
        })?;
        log.groups().check(account, &to).map_err(|error| {
            refused(
                &*error,
                "The role has to let bedrock.amazonaws.com assume it, and to allow logs:CreateLogStream and \
                 logs:PutLogEvents on the log group's streams and kms:GenerateDataKey on its KMS key.",
            )
        })
    })
    .await
}

/// Puts the object by which Bedrock tries whether it may put any, and looks whether records can rest under the bucket's key.
async fn try_bucket(asked: &Asked, to: &LogBucket) -> Result<(), Failure> {
    let (log, account) = (&asked.platform.invocations, asked.account);
    let destination = InvocationDestination::Bucket(to.clone());
    log.check_keys(account, &destination, &asked.request)
        .map_err(|error| {
            tracing::info!(request = %asked.request, error = %chain(&error), "the place of an invocation log was refused");
            no_bucket(
                "The S3 bucket has to be in this account and region, and the policy of its KMS key has to allow \
                 bedrock.amazonaws.com kms:GenerateDataKey and kms:Decrypt.",
            )
        })?;
    let key = InvocationLog::permission_check(to, account);
    let empty = ContentBytes::new(Vec::new());
    let put = log.put(account, (&to.bucket, key), ("application/octet-stream", empty));
    let answer = put.ok_or(Failure::Internal)?.await;
    match answer.status {
        200 => Ok(()),
        500.. => Err(Failure::Unavailable),
        _ => Err(no_bucket(
            "The policy of the S3 bucket has to allow bedrock.amazonaws.com s3:PutObject there.",
        )),
    }
}

fn no_bucket(why: &str) -> Failure {
    Failure::Validation(format!(
        "Failed to validate permissions for the S3 bucket of the logging configuration. {why}"
    ))
}

fn shown(logging: InvocationLogging) -> LoggingConfig {
    let bucket = |to: LogBucket| S3Config {
        bucket_name: to.bucket.to_string(),
        key_prefix: to.prefix,
    };
    LoggingConfig {
        cloud_watch_config: logging.group.map(|to| CloudWatchConfig {
            log_group_name: to.group,
            role_arn: to.role.to_string(),
            large_data_delivery_s3_config: to.large.map(bucket),
        }),
        s3_config: logging.bucket.map(bucket),
        text_data_delivery_enabled: logging.text,
        image_data_delivery_enabled: logging.image,
        embedding_data_delivery_enabled: logging.embedding,
        video_data_delivery_enabled: logging.video,
        audio_data_delivery_enabled: logging.audio,
    }
}
