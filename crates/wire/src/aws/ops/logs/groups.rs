//! Log groups: their keys, retention, protection and tags.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use std::collections::BTreeMap;

use moho_terms::Content;

use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateLogGroup {
    log_group_name: String = "logGroupName",
    kms_key_id: Option<String> = "kmsKeyId",
    tags: Option<BTreeMap<String, String>> = "tags",
    log_group_class: Option<String> = "logGroupClass",
    deletion_protection_enabled: Option<bool> = "deletionProtectionEnabled",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteLogGroup {
    log_group_name: String = "logGroupName",
} }
request! { DescribeLogGroups {
    log_group_name_prefix: Option<String> = "logGroupNamePrefix",
    log_group_name_pattern: Option<String> = "logGroupNamePattern",
    next_token: Option<Content> = "nextToken",
    limit: Option<i64> = "limit",
    log_group_class: Option<String> = "logGroupClass",
    log_group_identifiers: Option<Vec<String>> = "logGroupIdentifiers",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutRetentionPolicy {
    log_group_name: String = "logGroupName",
    retention_in_days: i64 = "retentionInDays",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteRetentionPolicy {
    log_group_name: String = "logGroupName",
} }
request! { #[derive(Debug, Clone, PartialEq)] AssociateKmsKey {
    log_group_name: Option<String> = "logGroupName",
    kms_key_id: String = "kmsKeyId",
    resource_identifier: Option<String> = "resourceIdentifier",
} }
request! { #[derive(Debug, Clone, PartialEq)] DisassociateKmsKey {
    log_group_name: Option<String> = "logGroupName",
    resource_identifier: Option<String> = "resourceIdentifier",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutLogGroupDeletionProtection {
    log_group_identifier: String = "logGroupIdentifier",
    deletion_protection_enabled: bool = "deletionProtectionEnabled",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagResource {
    resource_arn: String = "resourceArn",
    tags: BTreeMap<String, String> = "tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagResource {
    resource_arn: String = "resourceArn",
    tag_keys: Vec<String> = "tagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTagsForResource {
    resource_arn: String = "resourceArn",
} }
shape! { #[derive(Debug, Clone, PartialEq)] LogGroup {
    log_group_name: Option<String> = "logGroupName",
    creation_time: Option<i64> = "creationTime",
    retention_in_days: Option<i64> = "retentionInDays",
    metric_filter_count: Option<i64> = "metricFilterCount",
    arn: Option<String> = "arn",
    stored_bytes: Option<i64> = "storedBytes",
    kms_key_id: Option<String> = "kmsKeyId",
    log_group_class: Option<String> = "logGroupClass",
    log_group_arn: Option<String> = "logGroupArn",
    deletion_protection_enabled: Option<bool> = "deletionProtectionEnabled",
} }
shape! { DescribeLogGroupsReply {
    log_groups: Option<Vec<LogGroup>> = "logGroups",
    next_token: Option<String> = "nextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTagsForResourceReply {
    tags: Option<BTreeMap<String, String>> = "tags",
} }

operations! {
    CreateLogGroup,
    DeleteLogGroup,
    DescribeLogGroups,
    PutRetentionPolicy,
    DeleteRetentionPolicy,
    AssociateKmsKey,
    DisassociateKmsKey,
    PutLogGroupDeletionProtection,
    TagResource,
    UntagResource,
    ListTagsForResource,
}
