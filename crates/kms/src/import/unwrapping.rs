//! Wrapped material, unwrapped: RSA-OAEP over the material itself, or RFC 5649 under an AES key that is encrypted so.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use zeroize::Zeroizing;

use crate::asymmetric::Encrypting;
use crate::error::KmsError;
use crate::spec::{EncryptionAlgorithm, WrappingAlgorithm};

/// `InvalidCiphertext`, whatever is wrong with it.
pub(super) fn unwrap(
    private: &Encrypting,
    algorithm: WrappingAlgorithm,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let (oaep, under_aes) = match algorithm {
        WrappingAlgorithm::RsaesOaepSha1 => (EncryptionAlgorithm::RsaesOaepSha1, false),
        WrappingAlgorithm::RsaesOaepSha256 => (EncryptionAlgorithm::RsaesOaepSha256, false),
        WrappingAlgorithm::RsaAesKeyWrapSha1 => (EncryptionAlgorithm::RsaesOaepSha1, true),
        WrappingAlgorithm::RsaAesKeyWrapSha256 => (EncryptionAlgorithm::RsaesOaepSha256, true),
    };
    if !under_aes {
        return private.decrypt(oaep, wrapped);
    }
    let (key, material) = wrapped
        .split_at_checked(private.ciphertext_len())
        .ok_or(KmsError::InvalidCiphertext)?;
    unpad(&private.decrypt(oaep, key)?, material)
}

/// RFC 5649 with a key of 256 bits, which is what AWS KMS asks for.
pub(crate) fn unpad(key: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let invalid = |_unspecified| KmsError::InvalidCiphertext;
    let mut material = Zeroizing::new(vec![0; wrapped.len()]);
    let length = AesKek::new(&AES_256, key)
        .and_then(|key| Ok(key.unwrap_with_padding(wrapped, &mut material)?.len()))
        .map_err(invalid)?;
    material.truncate(length);
    Ok(material)
}
