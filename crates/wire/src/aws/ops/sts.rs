//! Temporary credentials.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::{Secret, Timestamp};

use crate::aws::declare::{both, operations, request, shape};

shape! { #[derive(Debug, Clone, PartialEq)] AssumedRoleUser {
    assumed_role_id: Option<String> = "AssumedRoleId",
    arn: Option<String> = "Arn",
} }
shape! { Credentials {
    access_key_id: Option<String> = "AccessKeyId",
    secret_access_key: Option<Secret> = "SecretAccessKey",
    // The model does not call the token sensitive, but it is.
    session_token: Option<Secret> = "SessionToken",
    expiration: Option<Timestamp> = "Expiration",
} }
shape! { #[derive(Debug, Clone, PartialEq)] FederatedUser {
    federated_user_id: Option<String> = "FederatedUserId",
    arn: Option<String> = "Arn",
} }
both! { #[derive(Debug, Clone, PartialEq)] PolicyDescriptorType {
    arn: Option<String> = "arn",
} }
both! { #[derive(Debug, Clone, PartialEq)] ProvidedContext {
    provider_arn: Option<String> = "ProviderArn",
    context_assertion: Option<String> = "ContextAssertion",
} }
both! { #[derive(Debug, Clone, PartialEq)] Tag {
    key: String = "Key",
    value: String = "Value",
} }
request! { #[derive(Debug, Clone, PartialEq)] AssumeRole {
    role_arn: String = "RoleArn",
    role_session_name: String = "RoleSessionName",
    policy_arns: Option<Vec<PolicyDescriptorType>> = "PolicyArns",
    policy: Option<String> = "Policy",
    duration_seconds: Option<i64> = "DurationSeconds",
    tags: Option<Vec<Tag>> = "Tags",
    transitive_tag_keys: Option<Vec<String>> = "TransitiveTagKeys",
    external_id: Option<String> = "ExternalId",
    serial_number: Option<String> = "SerialNumber",
    token_code: Option<String> = "TokenCode",
    source_identity: Option<String> = "SourceIdentity",
    provided_contexts: Option<Vec<ProvidedContext>> = "ProvidedContexts",
    minimum_session_token_size: Option<i64> = "MinimumSessionTokenSize",
} }
request! { AssumeRoleWithWebIdentity {
    role_arn: String = "RoleArn",
    role_session_name: String = "RoleSessionName",
    web_identity_token: Secret = "WebIdentityToken",
    provider_id: Option<String> = "ProviderId",
    policy_arns: Option<Vec<PolicyDescriptorType>> = "PolicyArns",
    policy: Option<String> = "Policy",
    duration_seconds: Option<i64> = "DurationSeconds",
    minimum_session_token_size: Option<i64> = "MinimumSessionTokenSize",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetCallerIdentity {} }
request! { #[derive(Debug, Clone, PartialEq)] GetSessionToken {
    duration_seconds: Option<i64> = "DurationSeconds",
    serial_number: Option<String> = "SerialNumber",
    token_code: Option<String> = "TokenCode",
    minimum_session_token_size: Option<i64> = "MinimumSessionTokenSize",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetFederationToken {
    name: String = "Name",
    policy: Option<String> = "Policy",
    policy_arns: Option<Vec<PolicyDescriptorType>> = "PolicyArns",
    duration_seconds: Option<i64> = "DurationSeconds",
    tags: Option<Vec<Tag>> = "Tags",
    minimum_session_token_size: Option<i64> = "MinimumSessionTokenSize",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetAccessKeyInfo {
    access_key_id: String = "AccessKeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DecodeAuthorizationMessage {
    encoded_message: String = "EncodedMessage",
} }
shape! { AssumeRoleResponse {
    credentials: Option<Credentials> = "Credentials",
    assumed_role_user: Option<AssumedRoleUser> = "AssumedRoleUser",
    packed_policy_size: Option<i64> = "PackedPolicySize",
    source_identity: Option<String> = "SourceIdentity",
    session_token_utilization: Option<i64> = "SessionTokenUtilization",
    session_token_size: Option<i64> = "SessionTokenSize",
} }
shape! { AssumeRoleWithWebIdentityResponse {
    credentials: Option<Credentials> = "Credentials",
    subject_from_web_identity_token: Option<String> = "SubjectFromWebIdentityToken",
    assumed_role_user: Option<AssumedRoleUser> = "AssumedRoleUser",
    packed_policy_size: Option<i64> = "PackedPolicySize",
    provider: Option<String> = "Provider",
    audience: Option<String> = "Audience",
    source_identity: Option<String> = "SourceIdentity",
    session_token_utilization: Option<i64> = "SessionTokenUtilization",
    session_token_size: Option<i64> = "SessionTokenSize",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetCallerIdentityResponse {
    user_id: Option<String> = "UserId",
    account: Option<String> = "Account",
    arn: Option<String> = "Arn",
} }
shape! { GetSessionTokenResponse {
    credentials: Option<Credentials> = "Credentials",
    session_token_utilization: Option<i64> = "SessionTokenUtilization",
    session_token_size: Option<i64> = "SessionTokenSize",
} }
shape! { GetFederationTokenResponse {
    credentials: Option<Credentials> = "Credentials",
    federated_user: Option<FederatedUser> = "FederatedUser",
    packed_policy_size: Option<i64> = "PackedPolicySize",
    session_token_utilization: Option<i64> = "SessionTokenUtilization",
    session_token_size: Option<i64> = "SessionTokenSize",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetAccessKeyInfoResponse {
    account: Option<String> = "Account",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DecodeAuthorizationMessageResponse {
    decoded_message: Option<String> = "DecodedMessage",
} }
operations! {
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetCallerIdentity,
    GetSessionToken,
    GetFederationToken,
    GetAccessKeyInfo,
    DecodeAuthorizationMessage,
}
