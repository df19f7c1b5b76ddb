//! Groups, who is in them, and their policies.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{AttachedPolicy, Group, User};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateGroup {
    path: Option<String> = "Path",
    group_name: String = "GroupName",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetGroup {
    group_name: String = "GroupName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListGroups {
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteGroup {
    group_name: String = "GroupName",
} }
request! { #[derive(Debug, Clone, PartialEq)] AddUserToGroup {
    group_name: String = "GroupName",
    user_name: String = "UserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] RemoveUserFromGroup {
    group_name: String = "GroupName",
    user_name: String = "UserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListGroupsForUser {
    user_name: String = "UserName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutGroupPolicy {
    group_name: String = "GroupName",
    policy_name: String = "PolicyName",
    policy_document: String = "PolicyDocument",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetGroupPolicy {
    group_name: String = "GroupName",
    policy_name: String = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListGroupPolicies {
    group_name: String = "GroupName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteGroupPolicy {
    group_name: String = "GroupName",
    policy_name: String = "PolicyName",
} }
request! { #[derive(Debug, Clone, PartialEq)] AttachGroupPolicy {
    group_name: String = "GroupName",
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] DetachGroupPolicy {
    group_name: String = "GroupName",
    policy_arn: String = "PolicyArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAttachedGroupPolicies {
    group_name: String = "GroupName",
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateGroupResponse {
    group: Option<Group> = "Group",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetGroupResponse {
    group: Option<Group> = "Group",
    users: Option<Vec<User>> = "Users",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListGroupsResponse {
    groups: Option<Vec<Group>> = "Groups",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListGroupsForUserResponse {
    groups: Option<Vec<Group>> = "Groups",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetGroupPolicyResponse {
    group_name: Option<String> = "GroupName",
    policy_name: Option<String> = "PolicyName",
    policy_document: Option<String> = "PolicyDocument",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListGroupPoliciesResponse {
    policy_names: Option<Vec<String>> = "PolicyNames",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListAttachedGroupPoliciesResponse {
    attached_policies: Option<Vec<AttachedPolicy>> = "AttachedPolicies",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    CreateGroup,
    GetGroup,
    ListGroups,
    DeleteGroup,
    AddUserToGroup,
    RemoveUserFromGroup,
    ListGroupsForUser,
    PutGroupPolicy,
    GetGroupPolicy,
    ListGroupPolicies,
    DeleteGroupPolicy,
    AttachGroupPolicy,
    DetachGroupPolicy,
    ListAttachedGroupPolicies,
}
