//! Encryption, data keys and randomness.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use std::collections::BTreeMap;

use moho_terms::{ContentBytes, Secret};

use super::shapes::RecipientInfo;
use crate::aws::declare::{operations, request, shape};

request! { Encrypt {
    key_id: String = "KeyId",
    plaintext: Secret = "Plaintext",
    encryption_context: Option<BTreeMap<String, String>> = "EncryptionContext",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    encryption_algorithm: Option<String> = "EncryptionAlgorithm",
    dry_run: Option<bool> = "DryRun",
} }
request! { Decrypt {
    ciphertext_blob: Option<ContentBytes> = "CiphertextBlob",
    encryption_context: Option<BTreeMap<String, String>> = "EncryptionContext",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    key_id: Option<String> = "KeyId",
    encryption_algorithm: Option<String> = "EncryptionAlgorithm",
    recipient: Option<RecipientInfo> = "Recipient",
    dry_run: Option<bool> = "DryRun",
    dry_run_modifiers: Option<Vec<String>> = "DryRunModifiers",
} }
request! { ReEncrypt {
    ciphertext_blob: Option<ContentBytes> = "CiphertextBlob",
    source_encryption_context: Option<BTreeMap<String, String>> = "SourceEncryptionContext",
    source_key_id: Option<String> = "SourceKeyId",
    destination_key_id: String = "DestinationKeyId",
    destination_encryption_context: Option<BTreeMap<String, String>> = "DestinationEncryptionContext",
    source_encryption_algorithm: Option<String> = "SourceEncryptionAlgorithm",
    destination_encryption_algorithm: Option<String> = "DestinationEncryptionAlgorithm",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
    dry_run_modifiers: Option<Vec<String>> = "DryRunModifiers",
} }
request! { GenerateDataKey {
    key_id: String = "KeyId",
    encryption_context: Option<BTreeMap<String, String>> = "EncryptionContext",
    number_of_bytes: Option<i64> = "NumberOfBytes",
    key_spec: Option<String> = "KeySpec",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    recipient: Option<RecipientInfo> = "Recipient",
    dry_run: Option<bool> = "DryRun",
} }
request! { #[derive(Debug, Clone, PartialEq)] GenerateDataKeyWithoutPlaintext {
    key_id: String = "KeyId",
    encryption_context: Option<BTreeMap<String, String>> = "EncryptionContext",
    key_spec: Option<String> = "KeySpec",
    number_of_bytes: Option<i64> = "NumberOfBytes",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
request! { GenerateDataKeyPair {
    encryption_context: Option<BTreeMap<String, String>> = "EncryptionContext",
    key_id: String = "KeyId",
    key_pair_spec: String = "KeyPairSpec",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    recipient: Option<RecipientInfo> = "Recipient",
    dry_run: Option<bool> = "DryRun",
} }
request! { #[derive(Debug, Clone, PartialEq)] GenerateDataKeyPairWithoutPlaintext {
    encryption_context: Option<BTreeMap<String, String>> = "EncryptionContext",
    key_id: String = "KeyId",
    key_pair_spec: String = "KeyPairSpec",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
request! { GenerateRandom {
    number_of_bytes: Option<i64> = "NumberOfBytes",
    custom_key_store_id: Option<String> = "CustomKeyStoreId",
    recipient: Option<RecipientInfo> = "Recipient",
} }
shape! { EncryptResponse {
    ciphertext_blob: Option<ContentBytes> = "CiphertextBlob",
    key_id: Option<String> = "KeyId",
    encryption_algorithm: Option<String> = "EncryptionAlgorithm",
} }
shape! { DecryptResponse {
    key_id: Option<String> = "KeyId",
    plaintext: Option<Secret> = "Plaintext",
    encryption_algorithm: Option<String> = "EncryptionAlgorithm",
    ciphertext_for_recipient: Option<ContentBytes> = "CiphertextForRecipient",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { ReEncryptResponse {
    ciphertext_blob: Option<ContentBytes> = "CiphertextBlob",
    source_key_id: Option<String> = "SourceKeyId",
    key_id: Option<String> = "KeyId",
    source_encryption_algorithm: Option<String> = "SourceEncryptionAlgorithm",
    destination_encryption_algorithm: Option<String> = "DestinationEncryptionAlgorithm",
    source_key_material_id: Option<String> = "SourceKeyMaterialId",
    destination_key_material_id: Option<String> = "DestinationKeyMaterialId",
} }
shape! { GenerateDataKeyResponse {
    ciphertext_blob: Option<ContentBytes> = "CiphertextBlob",
    plaintext: Option<Secret> = "Plaintext",
    key_id: Option<String> = "KeyId",
    ciphertext_for_recipient: Option<ContentBytes> = "CiphertextForRecipient",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { GenerateDataKeyWithoutPlaintextResponse {
    ciphertext_blob: Option<ContentBytes> = "CiphertextBlob",
    key_id: Option<String> = "KeyId",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { GenerateDataKeyPairResponse {
    private_key_ciphertext_blob: Option<ContentBytes> = "PrivateKeyCiphertextBlob",
    private_key_plaintext: Option<Secret> = "PrivateKeyPlaintext",
    public_key: Option<ContentBytes> = "PublicKey",
    key_id: Option<String> = "KeyId",
    key_pair_spec: Option<String> = "KeyPairSpec",
    ciphertext_for_recipient: Option<ContentBytes> = "CiphertextForRecipient",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { GenerateDataKeyPairWithoutPlaintextResponse {
    private_key_ciphertext_blob: Option<ContentBytes> = "PrivateKeyCiphertextBlob",
    public_key: Option<ContentBytes> = "PublicKey",
    key_id: Option<String> = "KeyId",
    key_pair_spec: Option<String> = "KeyPairSpec",
    key_material_id: Option<String> = "KeyMaterialId",
} }
shape! { GenerateRandomResponse {
    plaintext: Option<Secret> = "Plaintext",
    ciphertext_for_recipient: Option<ContentBytes> = "CiphertextForRecipient",
} }
operations! {
    Encrypt,
    Decrypt,
    ReEncrypt,
    GenerateDataKey,
    GenerateDataKeyWithoutPlaintext,
    GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext,
    GenerateRandom,
}
