//! Long-lived credentials: access keys and service-specific ones.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{
    AccessKey, AccessKeyLastUsed, AccessKeyMetadata, ServiceSpecificCredential,
    ServiceSpecificCredentialMetadata,
};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateAccessKey {
    user_name: Option<String> = "UserName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAccessKeys {
    user_name: Option<String> = "UserName",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateAccessKey {
    user_name: Option<String> = "UserName",
    access_key_id: String = "AccessKeyId",
    status: String = "Status",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteAccessKey {
    user_name: Option<String> = "UserName",
    access_key_id: String = "AccessKeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetAccessKeyLastUsed {
    access_key_id: String = "AccessKeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreateServiceSpecificCredential {
    user_name: String = "UserName",
    service_name: String = "ServiceName",
    credential_age_days: Option<i64> = "CredentialAgeDays",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListServiceSpecificCredentials {
    user_name: Option<String> = "UserName",
    service_name: Option<String> = "ServiceName",
    all_users: Option<bool> = "AllUsers",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateServiceSpecificCredential {
    user_name: Option<String> = "UserName",
    service_specific_credential_id: String = "ServiceSpecificCredentialId",
    status: String = "Status",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteServiceSpecificCredential {
    user_name: Option<String> = "UserName",
    service_specific_credential_id: String = "ServiceSpecificCredentialId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ResetServiceSpecificCredential {
    user_name: Option<String> = "UserName",
    service_specific_credential_id: String = "ServiceSpecificCredentialId",
} }
shape! { CreateAccessKeyResponse {
    access_key: Option<AccessKey> = "AccessKey",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListAccessKeysResponse {
    access_key_metadata: Option<Vec<AccessKeyMetadata>> = "AccessKeyMetadata",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetAccessKeyLastUsedResponse {
    user_name: Option<String> = "UserName",
    access_key_last_used: Option<AccessKeyLastUsed> = "AccessKeyLastUsed",
} }
shape! { CreateServiceSpecificCredentialResponse {
    service_specific_credential: Option<ServiceSpecificCredential> = "ServiceSpecificCredential",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListServiceSpecificCredentialsResponse {
    service_specific_credentials: Option<Vec<ServiceSpecificCredentialMetadata>> = "ServiceSpecificCredentials",
    marker: Option<String> = "Marker",
    is_truncated: Option<bool> = "IsTruncated",
} }
shape! { ResetServiceSpecificCredentialResponse {
    service_specific_credential: Option<ServiceSpecificCredential> = "ServiceSpecificCredential",
} }
operations! {
    CreateAccessKey,
    ListAccessKeys,
    UpdateAccessKey,
    DeleteAccessKey,
    GetAccessKeyLastUsed,
    CreateServiceSpecificCredential,
    ListServiceSpecificCredentials,
    UpdateServiceSpecificCredential,
    DeleteServiceSpecificCredential,
    ResetServiceSpecificCredential,
}
