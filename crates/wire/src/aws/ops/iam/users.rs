//! Users: themselves, boundaries, tags; the account's alias.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{Tag, User};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateUser {
    path: Option<String> = "Path",
    user_name: String = "UserName",
    permissions_boundary: Option<String> = "PermissionsBoundary",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetUser {
    user_name: Option<String> = "UserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListUsers {
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateUser {
    user_name: String = "UserName",
    new_path: Option<String> = "NewPath",
    new_user_name: Option<String> = "NewUserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteUser {
    user_name: String = "UserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagUser {
    user_name: String = "UserName",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagUser {
    user_name: String = "UserName",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListUserTags {
    user_name: String = "UserName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutUserPermissionsBoundary {
    user_name: String = "UserName",
    permissions_boundary: String = "PermissionsBoundary",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteUserPermissionsBoundary {
    user_name: String = "UserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreateAccountAlias {
    account_alias: String = "AccountAlias",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAccountAliases {
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteAccountAlias {
    account_alias: String = "AccountAlias",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateUserResponse {
    user: Option<User> = "User",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetUserResponse {
    user: Option<User> = "User",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListUsersResponse {
    users: Option<Vec<User>> = "Users",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListUserTagsResponse {
    tags: Option<Vec<Tag>> = "Tags",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListAccountAliasesResponse {
    account_aliases: Option<Vec<String>> = "AccountAliases",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    CreateUser,
    GetUser,
    ListUsers,
    UpdateUser,
    DeleteUser,
    TagUser,
    UntagUser,
    ListUserTags,
    PutUserPermissionsBoundary,
    DeleteUserPermissionsBoundary,
    CreateAccountAlias,
    ListAccountAliases,
    DeleteAccountAlias,
}
