//! Policies of roles: inline and attached.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::AttachedPolicy;
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] PutRolePolicy {
    role_name: String = "RoleName",
    policy_name: String = "PolicyName",
    policy_document: String = "PolicyDocument",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetRolePolicy {
    role_name: String = "RoleName",
    policy_name: String = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListRolePolicies {
    role_name: String = "RoleName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteRolePolicy {
    role_name: String = "RoleName",
    policy_name: String = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] AttachRolePolicy {
    role_name: String = "RoleName",
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] DetachRolePolicy {
    role_name: String = "RoleName",
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAttachedRolePolicies {
    role_name: String = "RoleName",
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetRolePolicyResponse {
    role_name: Option<String> = "RoleName",
    policy_name: Option<String> = "PolicyName",
    policy_document: Option<String> = "PolicyDocument",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListRolePoliciesResponse {
    policy_names: Option<Vec<String>> = "PolicyNames",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListAttachedRolePoliciesResponse {
    attached_policies: Option<Vec<AttachedPolicy>> = "AttachedPolicies",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    PutRolePolicy,
    GetRolePolicy,
    ListRolePolicies,
    DeleteRolePolicy,
    AttachRolePolicy,
    DetachRolePolicy,
    ListAttachedRolePolicies,
}
