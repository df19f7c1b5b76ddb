//! Roles: themselves, their trust, boundaries and tags; roles of services.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{DeletionTaskFailureReasonType, Role, Tag};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateRole {
    path: Option<String> = "Path",
    role_name: String = "RoleName",
    assume_role_policy_document: String = "AssumeRolePolicyDocument",
    description: Option<String> = "Description",
    max_session_duration: Option<i64> = "MaxSessionDuration",
    permissions_boundary: Option<String> = "PermissionsBoundary",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetRole {
    role_name: String = "RoleName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListRoles {
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateRole {
    role_name: String = "RoleName",
    description: Option<String> = "Description",
    max_session_duration: Option<i64> = "MaxSessionDuration",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateRoleDescription {
    role_name: String = "RoleName",
    description: String = "Description",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteRole {
    role_name: String = "RoleName",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateAssumeRolePolicy {
    role_name: String = "RoleName",
    policy_document: String = "PolicyDocument",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutRolePermissionsBoundary {
    role_name: String = "RoleName",
    permissions_boundary: String = "PermissionsBoundary",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteRolePermissionsBoundary {
    role_name: String = "RoleName",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagRole {
    role_name: String = "RoleName",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagRole {
    role_name: String = "RoleName",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListRoleTags {
    role_name: String = "RoleName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreateServiceLinkedRole {
    aws_service_name: String = "AWSServiceName",
    description: Option<String> = "Description",
    custom_suffix: Option<String> = "CustomSuffix",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteServiceLinkedRole {
    role_name: String = "RoleName",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetServiceLinkedRoleDeletionStatus {
    deletion_task_id: String = "DeletionTaskId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateRoleResponse {
    role: Option<Role> = "Role",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetRoleResponse {
    role: Option<Role> = "Role",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListRolesResponse {
    roles: Option<Vec<Role>> = "Roles",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UpdateRoleResponse {} }
shape! { #[derive(Debug, Clone, PartialEq)] UpdateRoleDescriptionResponse {
    role: Option<Role> = "Role",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListRoleTagsResponse {
    tags: Option<Vec<Tag>> = "Tags",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateServiceLinkedRoleResponse {
    role: Option<Role> = "Role",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DeleteServiceLinkedRoleResponse {
    deletion_task_id: Option<String> = "DeletionTaskId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetServiceLinkedRoleDeletionStatusResponse {
    status: Option<String> = "Status",
    reason: Option<DeletionTaskFailureReasonType> = "Reason",
} }
operations! {
    CreateRole,
    GetRole,
    ListRoles,
    UpdateRole,
    UpdateRoleDescription,
    DeleteRole,
    UpdateAssumeRolePolicy,
    PutRolePermissionsBoundary,
    DeleteRolePermissionsBoundary,
    TagRole,
    UntagRole,
    ListRoleTags,
    CreateServiceLinkedRole,
    DeleteServiceLinkedRole,
    GetServiceLinkedRoleDeletionStatus,
}
