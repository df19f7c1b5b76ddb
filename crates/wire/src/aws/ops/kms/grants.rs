//! Grants on keys.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::{GrantConstraints, GrantListEntry};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateGrant {
    key_id: String = "KeyId",
    grantee_principal: Option<String> = "GranteePrincipal",
    retiring_principal: Option<String> = "RetiringPrincipal",
    operations: Vec<String> = "Operations",
    constraints: Option<GrantConstraints> = "Constraints",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    name: Option<String> = "Name",
    dry_run: Option<bool> = "DryRun",
    grantee_service_principal: Option<String> = "GranteeServicePrincipal",
    retiring_service_principal: Option<String> = "RetiringServicePrincipal",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListGrants {
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
    key_id: String = "KeyId",
    grant_id: Option<String> = "GrantId",
    grantee_principal: Option<String> = "GranteePrincipal",
    grantee_service_principal: Option<String> = "GranteeServicePrincipal",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListRetirableGrants {
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
    retiring_principal: Option<String> = "RetiringPrincipal",
    retiring_service_principal: Option<String> = "RetiringServicePrincipal",
} }
request! { #[derive(Debug, Clone, PartialEq)] RetireGrant {
    grant_token: Option<String> = "GrantToken",
    key_id: Option<String> = "KeyId",
    grant_id: Option<String> = "GrantId",
    dry_run: Option<bool> = "DryRun",
} }
request! { #[derive(Debug, Clone, PartialEq)] RevokeGrant {
    key_id: String = "KeyId",
    grant_id: String = "GrantId",
    dry_run: Option<bool> = "DryRun",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateGrantResponse {
    grant_token: Option<String> = "GrantToken",
    grant_id: Option<String> = "GrantId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListGrantsResponse {
    grants: Option<Vec<GrantListEntry>> = "Grants",
    next_marker: Option<String> = "NextMarker",
    truncated: Option<bool> = "Truncated",
} }
operations! {
    CreateGrant,
    ListGrants,
    ListRetirableGrants,
    RetireGrant,
    RevokeGrant,
}
