//! Managed policies and their versions.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{Policy, PolicyGroup, PolicyRole, PolicyUser, PolicyVersion, Tag};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreatePolicy {
    policy_name: String = "PolicyName",
    path: Option<String> = "Path",
    policy_document: String = "PolicyDocument",
    description: Option<String> = "Description",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetPolicy {
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPolicies {
    scope: Option<String> = "Scope",
    only_attached: Option<bool> = "OnlyAttached",
    path_prefix: Option<String> = "PathPrefix",
    policy_usage_filter: Option<String> = "PolicyUsageFilter",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeletePolicy {
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreatePolicyVersion {
    policy_arn: String = "PolicyArn",
    policy_document: String = "PolicyDocument",
    set_as_default: Option<bool> = "SetAsDefault",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetPolicyVersion {
    policy_arn: String = "PolicyArn",
    version_id: String = "VersionId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPolicyVersions {
    policy_arn: String = "PolicyArn",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeletePolicyVersion {
    policy_arn: String = "PolicyArn",
    version_id: String = "VersionId",
} }
request! { #[derive(Debug, Clone, PartialEq)] SetDefaultPolicyVersion {
    policy_arn: String = "PolicyArn",
    version_id: String = "VersionId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListEntitiesForPolicy {
    policy_arn: String = "PolicyArn",
    entity_filter: Option<String> = "EntityFilter",
    path_prefix: Option<String> = "PathPrefix",
    policy_usage_filter: Option<String> = "PolicyUsageFilter",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagPolicy {
    policy_arn: String = "PolicyArn",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagPolicy {
    policy_arn: String = "PolicyArn",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPolicyTags {
    policy_arn: String = "PolicyArn",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreatePolicyResponse {
    policy: Option<Policy> = "Policy",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetPolicyResponse {
    policy: Option<Policy> = "Policy",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListPoliciesResponse {
    policies: Option<Vec<Policy>> = "Policies",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreatePolicyVersionResponse {
    policy_version: Option<PolicyVersion> = "PolicyVersion",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetPolicyVersionResponse {
    policy_version: Option<PolicyVersion> = "PolicyVersion",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListPolicyVersionsResponse {
    versions: Option<Vec<PolicyVersion>> = "Versions",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListEntitiesForPolicyResponse {
    policy_groups: Option<Vec<PolicyGroup>> = "PolicyGroups",
    policy_users: Option<Vec<PolicyUser>> = "PolicyUsers",
    policy_roles: Option<Vec<PolicyRole>> = "PolicyRoles",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListPolicyTagsResponse {
    tags: Option<Vec<Tag>> = "Tags",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    CreatePolicy,
    GetPolicy,
    ListPolicies,
    DeletePolicy,
    CreatePolicyVersion,
    GetPolicyVersion,
    ListPolicyVersions,
    DeletePolicyVersion,
    SetDefaultPolicyVersion,
    ListEntitiesForPolicy,
    TagPolicy,
    UntagPolicy,
    ListPolicyTags,
}
