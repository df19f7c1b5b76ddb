//! The tables: what each kind of key may be used for, with which algorithms, on how many bytes.

use super::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm,
    SigningAlgorithm, WrappingAlgorithm, WrappingKeySpec,
};

/// The most bytes that `Encrypt` takes under `SYMMETRIC_DEFAULT`, and that `Sign` and `GenerateMac` take.
pub const MAX_PLAINTEXT: usize = 4096;

const RSA_SIGNING: &[SigningAlgorithm] = &[
    SigningAlgorithm::RsassaPkcs1V15Sha256,
    SigningAlgorithm::RsassaPkcs1V15Sha384,
    SigningAlgorithm::RsassaPkcs1V15Sha512,
    SigningAlgorithm::RsassaPssSha256,
    SigningAlgorithm::RsassaPssSha384,
    SigningAlgorithm::RsassaPssSha512,
];

impl KeySpec {
    /// What a key of this kind may be made for.
    #[must_use]
    pub const fn usages(self) -> &'static [KeyUsage] {
        match self {
            Self::SymmetricDefault => &[KeyUsage::EncryptDecrypt],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => {
                &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify]
            }
            Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 => {
                &[KeyUsage::SignVerify, KeyUsage::KeyAgreement]
            }
            Self::EccSecgP256k1
            | Self::EccNistEdwards25519
            | Self::MlDsa44
            | Self::MlDsa65
            | Self::MlDsa87 => &[KeyUsage::SignVerify],
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[KeyUsage::GenerateVerifyMac],
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => &[KeyUsage::EncapsulateDecapsulate],
        }
    }

    /// Whether a key of this kind may be made for `usage`.
    #[must_use]
    pub fn allows(self, usage: KeyUsage) -> bool {
        self.usages().contains(&usage)
    }

    /// Whether the material is one secret, which both sides need.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(
            self,
            Self::SymmetricDefault | Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512
        )
    }

    /// Whether there is a public key.
    #[must_use]
    pub const fn is_asymmetric(self) -> bool {
        !self.is_symmetric()
    }

    /// Whether `GenerateDataKeyPair` makes such pairs.
    #[must_use]
    pub const fn is_data_key_pair(self) -> bool {
        self.is_asymmetric() && !matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// Whether the key encapsulates secrets.
    #[must_use]
    pub const fn is_encapsulation(self) -> bool {
        matches!(self, Self::MlKem512 | Self::MlKem768 | Self::MlKem1024)
    }

    /// Whether material of this kind can be imported: AWS KMS takes no lattice keys.
    #[must_use]
    pub const fn is_importable(self) -> bool {
        !self.is_encapsulation() && !matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// Bits of an RSA modulus.
    #[must_use]
    pub const fn rsa_bits(self) -> Option<usize> {
        if matches!(self, Self::Rsa2048) {
            Some(2048)
        } else if matches!(self, Self::Rsa3072) {
            Some(3072)
        } else if matches!(self, Self::Rsa4096) {
            Some(4096)
        } else {
            None
        }
    }

    /// How a key of this kind encrypts, if it is made for that: `EncryptionAlgorithms` of `DescribeKey`.
    #[must_use]
    pub const fn encryption_algorithms(self, usage: KeyUsage) -> &'static [EncryptionAlgorithm] {
        match (self, usage) {
            (Self::SymmetricDefault, KeyUsage::EncryptDecrypt) => &[EncryptionAlgorithm::SymmetricDefault],
            (Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096, KeyUsage::EncryptDecrypt) => &[
                EncryptionAlgorithm::RsaesOaepSha1,
                EncryptionAlgorithm::RsaesOaepSha256,
            ],
            _ => &[],
        }
    }

    /// How a key of this kind signs, if it is made for that: `SigningAlgorithms` of `DescribeKey`.
    #[must_use]
    pub const fn signing_algorithms(self, usage: KeyUsage) -> &'static [SigningAlgorithm] {
        match (self, usage) {
            (Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096, KeyUsage::SignVerify) => RSA_SIGNING,
            (Self::EccNistP256 | Self::EccSecgP256k1, KeyUsage::SignVerify) => {
                &[SigningAlgorithm::EcdsaSha256]
            }
            (Self::EccNistP384, KeyUsage::SignVerify) => &[SigningAlgorithm::EcdsaSha384],
            (Self::EccNistP521, KeyUsage::SignVerify) => &[SigningAlgorithm::EcdsaSha512],
            (Self::EccNistEdwards25519, KeyUsage::SignVerify) => &[SigningAlgorithm::Ed25519Sha512],
            (Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87, KeyUsage::SignVerify) => {
                &[SigningAlgorithm::MlDsaShake256]
            }
            _ => &[],
        }
    }

    /// How a key of this kind authenticates messages: `MacAlgorithms` of `DescribeKey`.
    #[must_use]
    pub const fn mac_algorithms(self, usage: KeyUsage) -> &'static [MacAlgorithm] {
        match (self, usage) {
            (Self::Hmac224, KeyUsage::GenerateVerifyMac) => &[MacAlgorithm::HmacSha224],
            (Self::Hmac256, KeyUsage::GenerateVerifyMac) => &[MacAlgorithm::HmacSha256],
            (Self::Hmac384, KeyUsage::GenerateVerifyMac) => &[MacAlgorithm::HmacSha384],
            (Self::Hmac512, KeyUsage::GenerateVerifyMac) => &[MacAlgorithm::HmacSha512],
            _ => &[],
        }
    }

    /// How a key of this kind agrees on a secret: `KeyAgreementAlgorithms` of `DescribeKey`.
    #[must_use]
    pub const fn agreement_algorithms(self, usage: KeyUsage) -> &'static [KeyAgreementAlgorithm] {
        match (self, usage) {
            (Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521, KeyUsage::KeyAgreement) => {
                &[KeyAgreementAlgorithm::Ecdh]
            }
            _ => &[],
        }
    }

    /// How a key of this kind encapsulates a secret: `EncapsulationAlgorithms` of `DescribeKey`.
    #[must_use]
    pub const fn encapsulation_algorithms(self, usage: KeyUsage) -> &'static [EncapsulationAlgorithm] {
        match (self, usage) {
            (Self::MlKem512 | Self::MlKem768 | Self::MlKem1024, KeyUsage::EncapsulateDecapsulate) => {
                &[EncapsulationAlgorithm::MlKem]
            }
            _ => &[],
        }
    }

    /// The most bytes that `Encrypt` takes; `None` if a key of this kind has no such algorithm.
    #[must_use]
    pub const fn max_plaintext(self, algorithm: EncryptionAlgorithm) -> Option<usize> {
        let modulus = match (self, algorithm) {
            (Self::SymmetricDefault, EncryptionAlgorithm::SymmetricDefault) => return Some(MAX_PLAINTEXT),
            (_, EncryptionAlgorithm::SymmetricDefault) => return None,
            (Self::Rsa2048, _) => 256,
            (Self::Rsa3072, _) => 384,
            (Self::Rsa4096, _) => 512,
            _ => return None,
        };
        match algorithm {
            EncryptionAlgorithm::RsaesOaepSha1 => Some(modulus - 42),
            EncryptionAlgorithm::RsaesOaepSha256 => Some(modulus - 66),
            EncryptionAlgorithm::SymmetricDefault => None,
        }
    }

    /// Whether `GetParametersForImport` allows this way of wrapping for material of this kind. An RSA private key is too
    /// long to be encrypted by RSA, and a P-521 key is too long for 2048 bits; what is no key pair needs no second key.
    #[must_use]
    pub const fn imports_by(self, algorithm: WrappingAlgorithm, key: WrappingKeySpec) -> bool {
        if !self.is_importable() {
            return false;
        }
        match algorithm {
            WrappingAlgorithm::RsaAesKeyWrapSha1 | WrappingAlgorithm::RsaAesKeyWrapSha256 => {
                self.is_asymmetric()
            }
            WrappingAlgorithm::RsaesOaepSha1 | WrappingAlgorithm::RsaesOaepSha256 => {
                let too_long_for_2048 = matches!(self, Self::EccNistP521);
                self.rsa_bits().is_none() && !(too_long_for_2048 && matches!(key, WrappingKeySpec::Rsa2048))
            }
        }
    }
}

impl WrappingKeySpec {
    /// The kind of key pair.
    #[must_use]
    pub const fn key_spec(self) -> KeySpec {
        match self {
            Self::Rsa2048 => KeySpec::Rsa2048,
            Self::Rsa3072 => KeySpec::Rsa3072,
            Self::Rsa4096 => KeySpec::Rsa4096,
        }
    }
}
