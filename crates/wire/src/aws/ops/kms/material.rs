//! Imported key material.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::{ContentBytes, Secret, Timestamp};

use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] GetParametersForImport {
    key_id: String = "KeyId",
    wrapping_algorithm: String = "WrappingAlgorithm",
    wrapping_key_spec: String = "WrappingKeySpec",
} }
request! { ImportKeyMaterial {
    key_id: String = "KeyId",
    import_token: ContentBytes = "ImportToken",
    encrypted_key_material: ContentBytes = "EncryptedKeyMaterial",
    valid_to: Option<Timestamp> = "ValidTo",
    expiration_model: Option<String> = "ExpirationModel",
    import_type: Option<String> = "ImportType",
    key_material_description: Option<String> = "KeyMaterialDescription",
    key_material_id: Option<String> = "KeyMaterialId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteImportedKeyMaterial {
    key_id: String = "KeyId",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { GetParametersForImportResponse {
    key_id: Option<String> = "KeyId",
    import_token: Option<ContentBytes> = "ImportToken",
    public_key: Option<Secret> = "PublicKey",
    parameters_valid_to: Option<Timestamp> = "ParametersValidTo",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ImportKeyMaterialResponse {
    key_id: Option<String> = "KeyId",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DeleteImportedKeyMaterialResponse {
    key_id: Option<String> = "KeyId",
    key_material_id: Option<String> = "KeyMaterialId",
} }
operations! {
    GetParametersForImport,
    ImportKeyMaterial,
    DeleteImportedKeyMaterial,
}
