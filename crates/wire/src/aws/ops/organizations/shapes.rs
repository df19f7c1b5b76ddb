//! What the requests and replies of several operations hold.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::{Secret, Timestamp};

use crate::aws::declare::{both, shape};

shape! { Account {
    id: Option<String> = "Id",
    arn: Option<String> = "Arn",
    email: Option<Secret> = "Email",
    name: Option<Secret> = "Name",
    status: Option<String> = "Status",
    state: Option<String> = "State",
    paths: Option<Vec<String>> = "Paths",
    joined_method: Option<String> = "JoinedMethod",
    joined_timestamp: Option<Timestamp> = "JoinedTimestamp",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Child {
    id: Option<String> = "Id",
    kind: Option<String> = "Type",
} }
shape! { CreateAccountStatus {
    id: Option<String> = "Id",
    account_name: Option<Secret> = "AccountName",
    state: Option<String> = "State",
    requested_timestamp: Option<Timestamp> = "RequestedTimestamp",
    completed_timestamp: Option<Timestamp> = "CompletedTimestamp",
    account_id: Option<String> = "AccountId",
    gov_cloud_account_id: Option<String> = "GovCloudAccountId",
    failure_reason: Option<String> = "FailureReason",
} }
shape! { #[derive(Debug, Clone, PartialEq)] EffectivePolicy {
    policy_content: Option<String> = "PolicyContent",
    last_updated_timestamp: Option<Timestamp> = "LastUpdatedTimestamp",
    target_id: Option<String> = "TargetId",
    policy_type: Option<String> = "PolicyType",
} }
shape! { Organization {
    id: Option<String> = "Id",
    arn: Option<String> = "Arn",
    feature_set: Option<String> = "FeatureSet",
    master_account_arn: Option<String> = "MasterAccountArn",
    master_account_id: Option<String> = "MasterAccountId",
    master_account_email: Option<Secret> = "MasterAccountEmail",
    available_policy_types: Option<Vec<PolicyTypeSummary>> = "AvailablePolicyTypes",
} }
shape! { #[derive(Debug, Clone, PartialEq)] OrganizationalUnit {
    id: Option<String> = "Id",
    arn: Option<String> = "Arn",
    name: Option<String> = "Name",
    path: Option<String> = "Path",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Parent {
    id: Option<String> = "Id",
    kind: Option<String> = "Type",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Policy {
    policy_summary: Option<PolicySummary> = "PolicySummary",
    content: Option<String> = "Content",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicySummary {
    id: Option<String> = "Id",
    arn: Option<String> = "Arn",
    name: Option<String> = "Name",
    description: Option<String> = "Description",
    kind: Option<String> = "Type",
    aws_managed: Option<bool> = "AwsManaged",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyTargetSummary {
    target_id: Option<String> = "TargetId",
    arn: Option<String> = "Arn",
    name: Option<String> = "Name",
    kind: Option<String> = "Type",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyTypeSummary {
    kind: Option<String> = "Type",
    status: Option<String> = "Status",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Root {
    id: Option<String> = "Id",
    arn: Option<String> = "Arn",
    name: Option<String> = "Name",
    policy_types: Option<Vec<PolicyTypeSummary>> = "PolicyTypes",
} }
both! { #[derive(Debug, Clone, PartialEq)] Tag {
    key: String = "Key",
    value: String = "Value",
} }
