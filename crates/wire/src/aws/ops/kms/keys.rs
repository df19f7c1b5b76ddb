//! Keys: themselves, their states, policies and tags.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::Timestamp;

use super::shapes::{KeyLastUsageData, KeyListEntry, KeyMetadata, Tag};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateKey {
    policy: Option<String> = "Policy",
    description: Option<String> = "Description",
    key_usage: Option<String> = "KeyUsage",
    customer_master_key_spec: Option<String> = "CustomerMasterKeySpec",
    key_spec: Option<String> = "KeySpec",
    origin: Option<String> = "Origin",
    custom_key_store_id: Option<String> = "CustomKeyStoreId",
    bypass_policy_lockout_safety_check: Option<bool> = "BypassPolicyLockoutSafetyCheck",
    tags: Option<Vec<Tag>> = "Tags",
    multi_region: Option<bool> = "MultiRegion",
    xks_key_id: Option<String> = "XksKeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeKey {
    key_id: String = "KeyId",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListKeys {
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
    resource_owners: Option<Vec<String>> = "ResourceOwners",
} }
request! { #[derive(Debug, Clone, PartialEq)] EnableKey {
    key_id: String = "KeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DisableKey {
    key_id: String = "KeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ScheduleKeyDeletion {
    key_id: String = "KeyId",
    pending_window_in_days: Option<i64> = "PendingWindowInDays",
} }
request! { #[derive(Debug, Clone, PartialEq)] CancelKeyDeletion {
    key_id: String = "KeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateKeyDescription {
    key_id: String = "KeyId",
    description: String = "Description",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetKeyPolicy {
    key_id: String = "KeyId",
    policy_name: Option<String> = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutKeyPolicy {
    key_id: String = "KeyId",
    policy_name: Option<String> = "PolicyName",
    policy: String = "Policy",
    bypass_policy_lockout_safety_check: Option<bool> = "BypassPolicyLockoutSafetyCheck",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListKeyPolicies {
    key_id: String = "KeyId",
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagResource {
    key_id: String = "KeyId",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagResource {
    key_id: String = "KeyId",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListResourceTags {
    key_id: String = "KeyId",
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetKeyLastUsage {
    key_id: String = "KeyId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateKeyResponse {
    key_metadata: Option<KeyMetadata> = "KeyMetadata",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribeKeyResponse {
    key_metadata: Option<KeyMetadata> = "KeyMetadata",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListKeysResponse {
    keys: Option<Vec<KeyListEntry>> = "Keys",
    next_marker: Option<String> = "NextMarker",
    truncated: Option<bool> = "Truncated",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ScheduleKeyDeletionResponse {
    key_id: Option<String> = "KeyId",
    deletion_date: Option<Timestamp> = "DeletionDate",
    key_state: Option<String> = "KeyState",
    pending_window_in_days: Option<i64> = "PendingWindowInDays",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CancelKeyDeletionResponse {
    key_id: Option<String> = "KeyId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetKeyPolicyResponse {
    policy: Option<String> = "Policy",
    policy_name: Option<String> = "PolicyName",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListKeyPoliciesResponse {
    policy_names: Option<Vec<String>> = "PolicyNames",
    next_marker: Option<String> = "NextMarker",
    truncated: Option<bool> = "Truncated",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListResourceTagsResponse {
    tags: Option<Vec<Tag>> = "Tags",
    next_marker: Option<String> = "NextMarker",
    truncated: Option<bool> = "Truncated",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetKeyLastUsageResponse {
    key_id: Option<String> = "KeyId",
    key_last_usage: Option<KeyLastUsageData> = "KeyLastUsage",
    tracking_start_date: Option<Timestamp> = "TrackingStartDate",
    key_creation_date: Option<Timestamp> = "KeyCreationDate",
} }
operations! {
    CreateKey,
    DescribeKey,
    ListKeys,
    EnableKey,
    DisableKey,
    ScheduleKeyDeletion,
    CancelKeyDeletion,
    UpdateKeyDescription,
    GetKeyPolicy,
    PutKeyPolicy,
    ListKeyPolicies,
    TagResource,
    UntagResource,
    ListResourceTags,
    GetKeyLastUsage,
}
