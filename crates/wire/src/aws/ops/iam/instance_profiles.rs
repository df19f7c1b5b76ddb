//! Instance profiles.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{InstanceProfile, Tag};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateInstanceProfile {
    instance_profile_name: String = "InstanceProfileName",
    path: Option<String> = "Path",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetInstanceProfile {
    instance_profile_name: String = "InstanceProfileName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListInstanceProfiles {
    path_prefix: Option<String> = "PathPrefix",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteInstanceProfile {
    instance_profile_name: String = "InstanceProfileName",
} }
request! { #[derive(Debug, Clone, PartialEq)] AddRoleToInstanceProfile {
    instance_profile_name: String = "InstanceProfileName",
    role_name: String = "RoleName",
} }
request! { #[derive(Debug, Clone, PartialEq)] RemoveRoleFromInstanceProfile {
    instance_profile_name: String = "InstanceProfileName",
    role_name: String = "RoleName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListInstanceProfilesForRole {
    role_name: String = "RoleName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateInstanceProfileResponse {
    instance_profile: Option<InstanceProfile> = "InstanceProfile",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetInstanceProfileResponse {
    instance_profile: Option<InstanceProfile> = "InstanceProfile",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListInstanceProfilesResponse {
    instance_profiles: Option<Vec<InstanceProfile>> = "InstanceProfiles",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListInstanceProfilesForRoleResponse {
    instance_profiles: Option<Vec<InstanceProfile>> = "InstanceProfiles",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    CreateInstanceProfile,
    GetInstanceProfile,
    ListInstanceProfiles,
    DeleteInstanceProfile,
    AddRoleToInstanceProfile,
    RemoveRoleFromInstanceProfile,
    ListInstanceProfilesForRole,
}
