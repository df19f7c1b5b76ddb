//! What the requests and replies of several operations hold.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use std::collections::BTreeMap;

use moho_terms::{ContentBytes, Timestamp};

use crate::aws::declare::{both, shape};

shape! { #[derive(Debug, Clone, PartialEq)] AliasListEntry {
    alias_name: Option<String> = "AliasName",
    alias_arn: Option<String> = "AliasArn",
    target_key_id: Option<String> = "TargetKeyId",
    creation_date: Option<Timestamp> = "CreationDate",
    last_updated_date: Option<Timestamp> = "LastUpdatedDate",
} }
both! { #[derive(Debug, Clone, PartialEq)] GrantConstraints {
    encryption_context_subset: Option<BTreeMap<String, String>> = "EncryptionContextSubset",
    encryption_context_equals: Option<BTreeMap<String, String>> = "EncryptionContextEquals",
    source_arn: Option<String> = "SourceArn",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GrantListEntry {
    key_id: Option<String> = "KeyId",
    grant_id: Option<String> = "GrantId",
    name: Option<String> = "Name",
    creation_date: Option<Timestamp> = "CreationDate",
    grantee_principal: Option<String> = "GranteePrincipal",
    retiring_principal: Option<String> = "RetiringPrincipal",
    issuing_account: Option<String> = "IssuingAccount",
    operations: Option<Vec<String>> = "Operations",
    constraints: Option<GrantConstraints> = "Constraints",
    grantee_service_principal: Option<String> = "GranteeServicePrincipal",
    retiring_service_principal: Option<String> = "RetiringServicePrincipal",
} }
shape! { #[derive(Debug, Clone, PartialEq)] KeyLastUsageData {
    operation: Option<String> = "Operation",
    timestamp: Option<Timestamp> = "Timestamp",
    cloud_trail_event_id: Option<String> = "CloudTrailEventId",
    kms_request_id: Option<String> = "KmsRequestId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] KeyListEntry {
    key_id: Option<String> = "KeyId",
    key_arn: Option<String> = "KeyArn",
} }
shape! { #[derive(Debug, Clone, PartialEq)] KeyMetadata {
    aws_account_id: Option<String> = "AWSAccountId",
    key_id: Option<String> = "KeyId",
    arn: Option<String> = "Arn",
    creation_date: Option<Timestamp> = "CreationDate",
    enabled: Option<bool> = "Enabled",
    description: Option<String> = "Description",
    key_usage: Option<String> = "KeyUsage",
    key_state: Option<String> = "KeyState",
    deletion_date: Option<Timestamp> = "DeletionDate",
    valid_to: Option<Timestamp> = "ValidTo",
    origin: Option<String> = "Origin",
    custom_key_store_id: Option<String> = "CustomKeyStoreId",
    cloud_hsm_cluster_id: Option<String> = "CloudHsmClusterId",
    expiration_model: Option<String> = "ExpirationModel",
    key_manager: Option<String> = "KeyManager",
    customer_master_key_spec: Option<String> = "CustomerMasterKeySpec",
    key_spec: Option<String> = "KeySpec",
    encryption_algorithms: Option<Vec<String>> = "EncryptionAlgorithms",
    signing_algorithms: Option<Vec<String>> = "SigningAlgorithms",
    key_agreement_algorithms: Option<Vec<String>> = "KeyAgreementAlgorithms",
    encapsulation_algorithms: Option<Vec<String>> = "EncapsulationAlgorithms",
    multi_region: Option<bool> = "MultiRegion",
    multi_region_configuration: Option<MultiRegionConfiguration> = "MultiRegionConfiguration",
    pending_deletion_window_in_days: Option<i64> = "PendingDeletionWindowInDays",
    mac_algorithms: Option<Vec<String>> = "MacAlgorithms",
    xks_key_configuration: Option<XksKeyConfigurationType> = "XksKeyConfiguration",
    current_key_material_id: Option<String> = "CurrentKeyMaterialId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] MultiRegionConfiguration {
    multi_region_key_type: Option<String> = "MultiRegionKeyType",
    primary_key: Option<MultiRegionKey> = "PrimaryKey",
    replica_keys: Option<Vec<MultiRegionKey>> = "ReplicaKeys",
} }
shape! { #[derive(Debug, Clone, PartialEq)] MultiRegionKey {
    arn: Option<String> = "Arn",
    region: Option<String> = "Region",
} }
both! { RecipientInfo {
    key_encryption_algorithm: Option<String> = "KeyEncryptionAlgorithm",
    attestation_document: Option<ContentBytes> = "AttestationDocument",
} }
shape! { #[derive(Debug, Clone, PartialEq)] RotationsListEntry {
    key_id: Option<String> = "KeyId",
    key_material_id: Option<String> = "KeyMaterialId",
    key_material_description: Option<String> = "KeyMaterialDescription",
    import_state: Option<String> = "ImportState",
    key_material_state: Option<String> = "KeyMaterialState",
    expiration_model: Option<String> = "ExpirationModel",
    valid_to: Option<Timestamp> = "ValidTo",
    rotation_date: Option<Timestamp> = "RotationDate",
    rotation_type: Option<String> = "RotationType",
} }
both! { #[derive(Debug, Clone, PartialEq)] Tag {
    tag_key: String = "TagKey",
    tag_value: String = "TagValue",
} }
shape! { #[derive(Debug, Clone, PartialEq)] XksKeyConfigurationType {
    id: Option<String> = "Id",
} }
