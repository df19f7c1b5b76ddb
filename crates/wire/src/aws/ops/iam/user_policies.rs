//! Policies of users: inline and attached.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::AttachedPolicy;
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] PutUserPolicy {
    user_name: String = "UserName",
    policy_name: String = "PolicyName",
    policy_document: String = "PolicyDocument",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetUserPolicy {
    user_name: String = "UserName",
    policy_name: String = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListUserPolicies {
    user_name: String = "UserName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteUserPolicy {
    user_name: String = "UserName",
    policy_name: String = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] AttachUserPolicy {
    user_name: String = "UserName",
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] DetachUserPolicy {
    user_name: String = "UserName",
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAttachedUserPolicies {
    user_name: String = "UserName",
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetUserPolicyResponse {
    user_name: Option<String> = "UserName",
    policy_name: Option<String> = "PolicyName",
    policy_document: Option<String> = "PolicyDocument",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListUserPoliciesResponse {
    policy_names: Option<Vec<String>> = "PolicyNames",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListAttachedUserPoliciesResponse {
    attached_policies: Option<Vec<AttachedPolicy>> = "AttachedPolicies",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    PutUserPolicy,
    GetUserPolicy,
    ListUserPolicies,
    DeleteUserPolicy,
    AttachUserPolicy,
    DetachUserPolicy,
    ListAttachedUserPolicies,
}
