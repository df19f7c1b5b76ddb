//! Signatures, message authentication codes and agreement on secrets.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::{ContentBytes, Secret};

use super::shapes::RecipientInfo;
use crate::aws::declare::{operations, request, shape};

request! { Sign {
    key_id: String = "KeyId",
    message: Secret = "Message",
    message_type: Option<String> = "MessageType",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    signing_algorithm: String = "SigningAlgorithm",
    dry_run: Option<bool> = "DryRun",
} }
request! { Verify {
    key_id: String = "KeyId",
    message: Secret = "Message",
    message_type: Option<String> = "MessageType",
    signature: ContentBytes = "Signature",
    signing_algorithm: String = "SigningAlgorithm",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetPublicKey {
    key_id: String = "KeyId",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
} }
request! { GenerateMac {
    message: Secret = "Message",
    key_id: String = "KeyId",
    mac_algorithm: String = "MacAlgorithm",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
request! { VerifyMac {
    message: Secret = "Message",
    key_id: String = "KeyId",
    mac_algorithm: String = "MacAlgorithm",
    mac: ContentBytes = "Mac",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
request! { DeriveSharedSecret {
    key_id: String = "KeyId",
    key_agreement_algorithm: String = "KeyAgreementAlgorithm",
    public_key: ContentBytes = "PublicKey",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
    recipient: Option<RecipientInfo> = "Recipient",
} }
request! { #[derive(Debug, Clone, PartialEq)] Encapsulate {
    key_id: String = "KeyId",
    encapsulation_algorithm: String = "EncapsulationAlgorithm",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
request! { Decapsulate {
    key_id: String = "KeyId",
    shared_secret_ciphertext_blob: ContentBytes = "SharedSecretCiphertextBlob",
    encapsulation_algorithm: String = "EncapsulationAlgorithm",
    grant_tokens: Option<Vec<String>> = "GrantTokens",
    dry_run: Option<bool> = "DryRun",
} }
shape! { SignResponse {
    key_id: Option<String> = "KeyId",
    signature: Option<ContentBytes> = "Signature",
    signing_algorithm: Option<String> = "SigningAlgorithm",
} }
shape! { #[derive(Debug, Clone, PartialEq)] VerifyResponse {
    key_id: Option<String> = "KeyId",
    signature_valid: Option<bool> = "SignatureValid",
    signing_algorithm: Option<String> = "SigningAlgorithm",
} }
shape! { GetPublicKeyResponse {
    key_id: Option<String> = "KeyId",
    public_key: Option<ContentBytes> = "PublicKey",
    customer_master_key_spec: Option<String> = "CustomerMasterKeySpec",
    key_spec: Option<String> = "KeySpec",
    key_usage: Option<String> = "KeyUsage",
    encryption_algorithms: Option<Vec<String>> = "EncryptionAlgorithms",
    signing_algorithms: Option<Vec<String>> = "SigningAlgorithms",
    key_agreement_algorithms: Option<Vec<String>> = "KeyAgreementAlgorithms",
    encapsulation_algorithms: Option<Vec<String>> = "EncapsulationAlgorithms",
} }
shape! { GenerateMacResponse {
    mac: Option<ContentBytes> = "Mac",
    mac_algorithm: Option<String> = "MacAlgorithm",
    key_id: Option<String> = "KeyId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] VerifyMacResponse {
    key_id: Option<String> = "KeyId",
    mac_valid: Option<bool> = "MacValid",
    mac_algorithm: Option<String> = "MacAlgorithm",
} }
shape! { DeriveSharedSecretResponse {
    key_id: Option<String> = "KeyId",
    shared_secret: Option<Secret> = "SharedSecret",
    ciphertext_for_recipient: Option<ContentBytes> = "CiphertextForRecipient",
    key_agreement_algorithm: Option<String> = "KeyAgreementAlgorithm",
    key_origin: Option<String> = "KeyOrigin",
} }
shape! { EncapsulateResponse {
    key_id: Option<String> = "KeyId",
    shared_secret: Option<Secret> = "SharedSecret",
    shared_secret_ciphertext_blob: Option<ContentBytes> = "SharedSecretCiphertextBlob",
    encapsulation_algorithm: Option<String> = "EncapsulationAlgorithm",
} }
shape! { DecapsulateResponse {
    key_id: Option<String> = "KeyId",
    shared_secret: Option<Secret> = "SharedSecret",
    encapsulation_algorithm: Option<String> = "EncapsulationAlgorithm",
} }
operations! {
    Sign,
    Verify,
    GetPublicKey,
    GenerateMac,
    VerifyMac,
    DeriveSharedSecret,
    Encapsulate,
    Decapsulate,
}
