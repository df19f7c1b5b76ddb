//! An account seen as a whole, and when what was used.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use std::collections::BTreeMap;

use moho_terms::Timestamp;

use super::shapes::{
    ErrorDetails, GroupDetail, ManagedPolicyDetail, RoleDetail, ServiceLastAccessed, UserDetail,
};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] GetAccountAuthorizationDetails {
    filter: Option<Vec<String>> = "Filter",
    max_items: Option<i64> = "MaxItems",
    marker: Option<String> = "Marker",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetAccountSummary {} }
request! { #[derive(Debug, Clone, PartialEq)] GenerateServiceLastAccessedDetails {
    arn: String = "Arn",
    granularity: Option<String> = "Granularity",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetServiceLastAccessedDetails {
    job_id: String = "JobId",
    max_items: Option<i64> = "MaxItems",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetAccountAuthorizationDetailsResponse {
    user_detail_list: Option<Vec<UserDetail>> = "UserDetailList",
    group_detail_list: Option<Vec<GroupDetail>> = "GroupDetailList",
    role_detail_list: Option<Vec<RoleDetail>> = "RoleDetailList",
    policies: Option<Vec<ManagedPolicyDetail>> = "Policies",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetAccountSummaryResponse {
    summary_map: Option<BTreeMap<String, i64>> = "SummaryMap",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GenerateServiceLastAccessedDetailsResponse {
    job_id: Option<String> = "JobId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetServiceLastAccessedDetailsResponse {
    job_status: Option<String> = "JobStatus",
    job_type: Option<String> = "JobType",
    job_creation_date: Option<Timestamp> = "JobCreationDate",
    services_last_accessed: Option<Vec<ServiceLastAccessed>> = "ServicesLastAccessed",
    job_completion_date: Option<Timestamp> = "JobCompletionDate",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
    error: Option<ErrorDetails> = "Error",
} }
operations! {
    GetAccountAuthorizationDetails,
    GetAccountSummary,
    GenerateServiceLastAccessedDetails,
    GetServiceLastAccessedDetails,
}
