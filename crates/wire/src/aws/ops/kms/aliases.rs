//! Aliases: names that lead to keys.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use super::shapes::AliasListEntry;
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateAlias {
    alias_name: String = "AliasName",
    target_key_id: String = "TargetKeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateAlias {
    alias_name: String = "AliasName",
    target_key_id: String = "TargetKeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteAlias {
    alias_name: String = "AliasName",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAliases {
    key_id: Option<String> = "KeyId",
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListAliasesResponse {
    aliases: Option<Vec<AliasListEntry>> = "Aliases",
    next_marker: Option<String> = "NextMarker",
    truncated: Option<bool> = "Truncated",
} }
operations! {
    CreateAlias,
    UpdateAlias,
    DeleteAlias,
    ListAliases,
}
