//! What keys there are and what each may be used for, in AWS KMS's words: one table, which making keys, using them,
//! importing them and describing them all read, so that they cannot disagree.
//!
//! What AWS KMS names and moho does not have (`SM2` and its algorithms, `ED25519_PH_SHA_512`, key stores outside) parses
//! to [`SpecError::Unsupported`], so that a caller is told that and not that it mistyped.

mod algorithms;
mod table;
#[cfg(test)]
mod tests;

pub use algorithms::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, MacAlgorithm, MessageType,
    SigningAlgorithm, WrappingAlgorithm, WrappingKeySpec,
};

pub use table::MAX_PLAINTEXT;

use std::fmt;
use std::str::FromStr;

/// A text names nothing that moho has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// AWS KMS knows no such name either.
    #[error("not a name that AWS KMS has")]
    Unknown,
    /// AWS KMS has it, in some region or kind of key store; moho has not.
    #[error("not supported here")]
    Unsupported,
}

/// An enum of AWS's names: `ALL`, `as_str`, `Display` and `FromStr`, with the names AWS has and moho has not.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* } absent [$($absent:literal),*]) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All there are, in AWS's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// Names that AWS KMS has and moho has not.
            pub const ABSENT: &'static [&'static str] = &[$($absent,)*];

            /// As AWS KMS writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::spec::SpecError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ if Self::ABSENT.contains(&text) => Err($crate::spec::SpecError::Unsupported),
                    _ => Err($crate::spec::SpecError::Unknown),
                }
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What kind of material a KmsKey holds.
    KeySpec {
        /// 256 bits for AES-GCM.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA, 2048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA, 3072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA, 4096 bits.
        Rsa4096 = "RSA_4096",
        /// secp256r1.
        EccNistP256 = "ECC_NIST_P256",
        /// secp384r1.
        EccNistP384 = "ECC_NIST_P384",
        /// secp521r1.
        EccNistP521 = "ECC_NIST_P521",
        /// secp256k1.
        EccSecgP256k1 = "ECC_SECG_P256K1",
        /// Ed25519.
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        /// HMAC with SHA-224.
        Hmac224 = "HMAC_224",
        /// HMAC with SHA-256.
        Hmac256 = "HMAC_256",
        /// HMAC with SHA-384.
        Hmac384 = "HMAC_384",
        /// HMAC with SHA-512.
        Hmac512 = "HMAC_512",
        /// FIPS 204, category 2.
        MlDsa44 = "ML_DSA_44",
        /// FIPS 204, category 3.
        MlDsa65 = "ML_DSA_65",
        /// FIPS 204, category 5.
        MlDsa87 = "ML_DSA_87",
        /// FIPS 203, category 1.
        MlKem512 = "ML_KEM_512",
        /// FIPS 203, category 3.
        MlKem768 = "ML_KEM_768",
        /// FIPS 203, category 5.
        MlKem1024 = "ML_KEM_1024",
    } absent ["SM2"]
}

named! {
    /// What a KmsKey is for: one thing, chosen when it is made.
    KeyUsage {
        /// Signatures.
        SignVerify = "SIGN_VERIFY",
        /// Encryption of small data and of data keys.
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        /// Message authentication codes.
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        /// Diffie-Hellman on elliptic curves.
        KeyAgreement = "KEY_AGREEMENT",
        /// ML-KEM.
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    } absent []
}

named! {
    /// Where a KmsKey's material comes from.
    Origin {
        /// Made here.
        AwsKms = "AWS_KMS",
        /// Imported by the customer.
        External = "EXTERNAL",
    } absent ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]
}

/// `CustomerMasterKeySpec`, AWS's older name for the parameter and field `KeySpec`: the same values, so one type.
pub type CustomerMasterKeySpec = KeySpec;

/// A [`KeySpec`] that `GenerateDataKeyPair` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataKeyPairSpec(KeySpec);

impl DataKeyPairSpec {
    /// The kind of key pair.
    #[must_use]
    pub const fn key_spec(self) -> KeySpec {
        self.0
    }
}

impl fmt::Display for DataKeyPairSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DataKeyPairSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let spec = KeySpec::from_str(text)?;
        if spec.is_data_key_pair() {
            Ok(Self(spec))
        } else {
            Err(SpecError::Unknown)
        }
    }
}
