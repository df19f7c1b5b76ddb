//! Policies of the organisation, and what they are attached to.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{EffectivePolicy, Policy, PolicySummary, PolicyTargetSummary, Root, Tag};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreatePolicy {
    content: String = "Content",
    description: String = "Description",
    name: String = "Name",
    kind: String = "Type",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdatePolicy {
    policy_id: String = "PolicyId",
    name: Option<String> = "Name",
    description: Option<String> = "Description",
    content: Option<String> = "Content",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeletePolicy {
    policy_id: String = "PolicyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribePolicy {
    policy_id: String = "PolicyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPolicies {
    filter: String = "Filter",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] AttachPolicy {
    policy_id: String = "PolicyId",
    target_id: String = "TargetId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DetachPolicy {
    policy_id: String = "PolicyId",
    target_id: String = "TargetId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPoliciesForTarget {
    target_id: String = "TargetId",
    filter: String = "Filter",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTargetsForPolicy {
    policy_id: String = "PolicyId",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] EnablePolicyType {
    root_id: String = "RootId",
    policy_type: String = "PolicyType",
} }
request! { #[derive(Debug, Clone, PartialEq)] DisablePolicyType {
    root_id: String = "RootId",
    policy_type: String = "PolicyType",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeEffectivePolicy {
    policy_type: String = "PolicyType",
    target_id: Option<String> = "TargetId",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagResource {
    resource_id: String = "ResourceId",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagResource {
    resource_id: String = "ResourceId",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTagsForResource {
    resource_id: String = "ResourceId",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreatePolicyResponse {
    policy: Option<Policy> = "Policy",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UpdatePolicyResponse {
    policy: Option<Policy> = "Policy",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribePolicyResponse {
    policy: Option<Policy> = "Policy",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListPoliciesResponse {
    policies: Option<Vec<PolicySummary>> = "Policies",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListPoliciesForTargetResponse {
    policies: Option<Vec<PolicySummary>> = "Policies",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTargetsForPolicyResponse {
    targets: Option<Vec<PolicyTargetSummary>> = "Targets",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] EnablePolicyTypeResponse {
    root: Option<Root> = "Root",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DisablePolicyTypeResponse {
    root: Option<Root> = "Root",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribeEffectivePolicyResponse {
    effective_policy: Option<EffectivePolicy> = "EffectivePolicy",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTagsForResourceResponse {
    tags: Option<Vec<Tag>> = "Tags",
    next_token: Option<String> = "NextToken",
} }
operations! {
    CreatePolicy,
    UpdatePolicy,
    DeletePolicy,
    DescribePolicy,
    ListPolicies,
    AttachPolicy,
    DetachPolicy,
    ListPoliciesForTarget,
    ListTargetsForPolicy,
    EnablePolicyType,
    DisablePolicyType,
    DescribeEffectivePolicy,
    TagResource,
    UntagResource,
    ListTagsForResource,
}
