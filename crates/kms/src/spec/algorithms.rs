//! The algorithms' names.

use super::named;

named! {
    /// How `Encrypt` and `Decrypt` work.
    EncryptionAlgorithm {
        /// AES-256-GCM, in moho's key-committing blob.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA with OAEP and SHA-1.
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA with OAEP and SHA-256.
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
    } absent ["SM2PKE"]
}

named! {
    /// How `Sign` and `Verify` work.
    SigningAlgorithm {
        /// RSA-PSS with SHA-256 and a salt as long.
        RsassaPssSha256 = "RSASSA_PSS_SHA_256",
        /// RSA-PSS with SHA-384 and a salt as long.
        RsassaPssSha384 = "RSASSA_PSS_SHA_384",
        /// RSA-PSS with SHA-512 and a salt as long.
        RsassaPssSha512 = "RSASSA_PSS_SHA_512",
        /// RSA by PKCS #1 v1.5 with SHA-256.
        RsassaPkcs1V15Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        /// RSA by PKCS #1 v1.5 with SHA-384.
        RsassaPkcs1V15Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        /// RSA by PKCS #1 v1.5 with SHA-512.
        RsassaPkcs1V15Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        /// ECDSA with SHA-256.
        EcdsaSha256 = "ECDSA_SHA_256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "ECDSA_SHA_384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "ECDSA_SHA_512",
        /// ML-DSA with an empty context.
        MlDsaShake256 = "ML_DSA_SHAKE_256",
        /// Ed25519.
        Ed25519Sha512 = "ED25519_SHA_512",
    } absent ["SM2DSA", "ED25519_PH_SHA_512"]
}

impl SigningAlgorithm {
    /// Bytes of the digest that `MessageType: DIGEST` carries; `None` where only whole messages are signed.
    #[must_use]
    pub const fn digest_len(self) -> Option<usize> {
        match self {
            Self::RsassaPssSha256 | Self::RsassaPkcs1V15Sha256 | Self::EcdsaSha256 => Some(32),
            Self::RsassaPssSha384 | Self::RsassaPkcs1V15Sha384 | Self::EcdsaSha384 => Some(48),
            Self::RsassaPssSha512 | Self::RsassaPkcs1V15Sha512 | Self::EcdsaSha512 => Some(64),
            Self::MlDsaShake256 | Self::Ed25519Sha512 => None,
        }
    }
}

named! {
    /// How `GenerateMac` and `VerifyMac` work.
    MacAlgorithm {
        /// HMAC with SHA-224.
        HmacSha224 = "HMAC_SHA_224",
        /// HMAC with SHA-256.
        HmacSha256 = "HMAC_SHA_256",
        /// HMAC with SHA-384.
        HmacSha384 = "HMAC_SHA_384",
        /// HMAC with SHA-512.
        HmacSha512 = "HMAC_SHA_512",
    } absent []
}

named! {
    /// How `DeriveSharedSecret` works.
    KeyAgreementAlgorithm {
        /// Diffie-Hellman with cofactor on a NIST curve.
        Ecdh = "ECDH",
    } absent []
}

named! {
    /// How `Encapsulate` and `Decapsulate` work.
    EncapsulationAlgorithm {
        /// FIPS 203.
        MlKem = "ML_KEM",
    } absent []
}

named! {
    /// What the message of `Sign` and `Verify` is.
    MessageType {
        /// The message itself.
        Raw = "RAW",
        /// Its digest by the signing algorithm's hash function.
        Digest = "DIGEST",
        /// The representative μ of FIPS 204, 6.2.
        ExternalMu = "EXTERNAL_MU",
    } absent []
}

named! {
    /// How material to be imported is wrapped.
    WrappingAlgorithm {
        /// RSA with OAEP and SHA-1 over the material.
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSA with OAEP and SHA-256 over the material.
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        /// RFC 5649 over the material, under an AES key that is encrypted by RSA with OAEP and SHA-1.
        RsaAesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
        /// RFC 5649 over the material, under an AES key that is encrypted by RSA with OAEP and SHA-256.
        RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
    } absent ["RSAES_PKCS1_V1_5", "SM2PKE"]
}

named! {
    /// The key pair under which material to be imported is wrapped.
    WrappingKeySpec {
        /// 2048 bits.
        Rsa2048 = "RSA_2048",
        /// 3072 bits.
        Rsa3072 = "RSA_3072",
        /// 4096 bits.
        Rsa4096 = "RSA_4096",
    } absent ["SM2"]
}
