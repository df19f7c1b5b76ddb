//! What would be decided, and what policies ask about.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{ContextEntry, EvaluationResult, OrderedOrganizationPolicyType, PolicyIdentifier};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] SimulatePrincipalPolicy {
    policy_source_arn: String = "PolicySourceArn",
    policy_input_list: Option<Vec<String>> = "PolicyInputList",
    permissions_boundary_policy_input_list: Option<Vec<String>> = "PermissionsBoundaryPolicyInputList",
    policy_exclusion_list: Option<Vec<PolicyIdentifier>> = "PolicyExclusionList",
    action_names: Vec<String> = "ActionNames",
    resource_arns: Option<Vec<String>> = "ResourceArns",
    resource_policy: Option<String> = "ResourcePolicy",
    resource_owner: Option<String> = "ResourceOwner",
    caller_arn: Option<String> = "CallerArn",
    context_entries: Option<Vec<ContextEntry>> = "ContextEntries",
    max_items: Option<i64> = "MaxItems",
    marker: Option<String> = "Marker",
} }
request! { #[derive(Debug, Clone, PartialEq)] SimulateCustomPolicy {
    policy_input_list: Vec<String> = "PolicyInputList",
    permissions_boundary_policy_input_list: Option<Vec<String>> = "PermissionsBoundaryPolicyInputList",
    ordered_organization_policy_input_list: Option<Vec<OrderedOrganizationPolicyType>> = "OrderedOrganizationPolicyInputList",
    action_names: Vec<String> = "ActionNames",
    resource_arns: Option<Vec<String>> = "ResourceArns",
    resource_policy: Option<String> = "ResourcePolicy",
    resource_owner: Option<String> = "ResourceOwner",
    caller_arn: Option<String> = "CallerArn",
    context_entries: Option<Vec<ContextEntry>> = "ContextEntries",
    max_items: Option<i64> = "MaxItems",
    marker: Option<String> = "Marker",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetContextKeysForPrincipalPolicy {
    policy_source_arn: String = "PolicySourceArn",
    policy_input_list: Option<Vec<String>> = "PolicyInputList",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetContextKeysForCustomPolicy {
    policy_input_list: Vec<String> = "PolicyInputList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SimulatePolicyResponse {
    evaluation_results: Option<Vec<EvaluationResult>> = "EvaluationResults",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetContextKeysForPolicyResponse {
    context_key_names: Option<Vec<String>> = "ContextKeyNames",
} }
operations! {
    SimulatePrincipalPolicy,
    SimulateCustomPolicy,
    GetContextKeysForPrincipalPolicy,
    GetContextKeysForCustomPolicy,
}
