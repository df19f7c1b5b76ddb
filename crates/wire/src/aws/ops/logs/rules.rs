//! What is said about log groups: metric filters, subscription filters and resource policies.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use std::collections::BTreeMap;

use moho_terms::Content;

use crate::aws::declare::{both, operations, request, shape};

both! { #[derive(Debug, Clone, PartialEq)] MetricTransformation {
    metric_name: String = "metricName",
    metric_namespace: String = "metricNamespace",
    metric_value: String = "metricValue",
    default_value: Option<f64> = "defaultValue",
    dimensions: Option<BTreeMap<String, String>> = "dimensions",
    unit: Option<String> = "unit",
} }
request! { PutMetricFilter {
    log_group_name: String = "logGroupName",
    filter_name: String = "filterName",
    filter_pattern: Content = "filterPattern",
    metric_transformations: Vec<MetricTransformation> = "metricTransformations",
} }
request! { DescribeMetricFilters {
    log_group_name: Option<String> = "logGroupName",
    filter_name_prefix: Option<String> = "filterNamePrefix",
    next_token: Option<Content> = "nextToken",
    limit: Option<i64> = "limit",
    metric_name: Option<String> = "metricName",
    metric_namespace: Option<String> = "metricNamespace",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteMetricFilter {
    log_group_name: String = "logGroupName",
    filter_name: String = "filterName",
} }
request! { TestMetricFilter {
    filter_pattern: Content = "filterPattern",
    log_event_messages: Vec<Content> = "logEventMessages",
} }
request! { PutResourcePolicy {
    policy_name: Option<String> = "policyName",
    policy_document: Option<Content> = "policyDocument",
} }
request! { DescribeResourcePolicies {
    next_token: Option<Content> = "nextToken",
    limit: Option<i64> = "limit",
    policy_scope: Option<String> = "policyScope",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteResourcePolicy {
    policy_name: Option<String> = "policyName",
} }
request! { PutSubscriptionFilter {
    log_group_name: String = "logGroupName",
    filter_name: String = "filterName",
    filter_pattern: Content = "filterPattern",
    destination_arn: String = "destinationArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeSubscriptionFilters {
    log_group_name: String = "logGroupName",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteSubscriptionFilter {
    log_group_name: String = "logGroupName",
    filter_name: String = "filterName",
} }
shape! { MetricFilter {
    filter_name: Option<String> = "filterName",
    filter_pattern: Option<Content> = "filterPattern",
    metric_transformations: Option<Vec<MetricTransformation>> = "metricTransformations",
    creation_time: Option<i64> = "creationTime",
    log_group_name: Option<String> = "logGroupName",
} }
shape! { DescribeMetricFiltersReply {
    metric_filters: Option<Vec<MetricFilter>> = "metricFilters",
    next_token: Option<String> = "nextToken",
} }
shape! { MetricFilterMatchRecord {
    event_number: Option<i64> = "eventNumber",
    event_message: Option<Content> = "eventMessage",
    extracted_values: Option<BTreeMap<String, Content>> = "extractedValues",
} }
shape! { TestMetricFilterReply {
    matches: Option<Vec<MetricFilterMatchRecord>> = "matches",
} }
shape! { ResourcePolicy {
    policy_name: Option<String> = "policyName",
    policy_document: Option<Content> = "policyDocument",
    last_updated_time: Option<i64> = "lastUpdatedTime",
    policy_scope: Option<String> = "policyScope",
} }
shape! { PutResourcePolicyReply {
    resource_policy: Option<ResourcePolicy> = "resourcePolicy",
} }
shape! { DescribeResourcePoliciesReply {
    resource_policies: Option<Vec<ResourcePolicy>> = "resourcePolicies",
    next_token: Option<String> = "nextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SubscriptionFilter {
    filter_name: Option<String> = "filterName",
} }
shape! { DescribeSubscriptionFiltersReply {
    subscription_filters: Option<Vec<SubscriptionFilter>> = "subscriptionFilters",
} }

operations! {
    PutMetricFilter,
    DescribeMetricFilters,
    DeleteMetricFilter,
    TestMetricFilter,
    PutResourcePolicy,
    DescribeResourcePolicies,
    DeleteResourcePolicy,
    PutSubscriptionFilter,
    DescribeSubscriptionFilters,
    DeleteSubscriptionFilter,
}
