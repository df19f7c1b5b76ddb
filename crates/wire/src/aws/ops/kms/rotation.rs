//! Rotation of key material.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::Timestamp;

use super::shapes::RotationsListEntry;
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] EnableKeyRotation {
    key_id: String = "KeyId",
    rotation_period_in_days: Option<i64> = "RotationPeriodInDays",
} }
request! { #[derive(Debug, Clone, PartialEq)] DisableKeyRotation {
    key_id: String = "KeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetKeyRotationStatus {
    key_id: String = "KeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] RotateKeyOnDemand {
    key_id: String = "KeyId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListKeyRotations {
    key_id: String = "KeyId",
    include_key_material: Option<String> = "IncludeKeyMaterial",
    limit: Option<i64> = "Limit",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetKeyRotationStatusResponse {
    key_rotation_enabled: Option<bool> = "KeyRotationEnabled",
    key_id: Option<String> = "KeyId",
    rotation_period_in_days: Option<i64> = "RotationPeriodInDays",
    next_rotation_date: Option<Timestamp> = "NextRotationDate",
    on_demand_rotation_start_date: Option<Timestamp> = "OnDemandRotationStartDate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] RotateKeyOnDemandResponse {
    key_id: Option<String> = "KeyId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListKeyRotationsResponse {
    rotations: Option<Vec<RotationsListEntry>> = "Rotations",
    next_marker: Option<String> = "NextMarker",
    truncated: Option<bool> = "Truncated",
} }
operations! {
    EnableKeyRotation,
    DisableKeyRotation,
    GetKeyRotationStatus,
    RotateKeyOnDemand,
    ListKeyRotations,
}
