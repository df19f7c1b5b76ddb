//! Signatures: RSA, ECDSA, Ed25519 and ML-DSA.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair, VerificationAlgorithm,
};

use crate::error::KmsError;
use crate::spec::{KeySpec, KeyUsage, MessageType, SigningAlgorithm};

/// A key pair that signs.
pub(super) struct Signing {
    pair: Pair,
    public: Vec<u8>,
    verifying: Vec<(SigningAlgorithm, ParsedPublicKey)>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

fn unfit<E>(_rejected: E) -> KmsError {
    KmsError::Cryptography("take a signing key")
}

impl Signing {
    pub(super) fn new(spec: KeySpec, pkcs8: &[u8]) -> Result<Self, KmsError> {
        let pair = if let Some(bits) = spec.rsa_bits() {
            let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(unfit)?;
            if pair.public_modulus_len().checked_mul(8) != Some(bits) {
                return Err(unfit(()));
            }
            Pair::Rsa(pair)
        } else if let Some(curve) = ecdsa(spec) {
            Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, pkcs8).map_err(unfit)?)
        } else if let Some(parameters) = ml_dsa(spec) {
            Pair::MlDsa(PqdsaKeyPair::from_pkcs8(parameters, pkcs8).map_err(unfit)?)
        } else {
            Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(unfit)?)
        };
        let public = match &pair {
            Pair::Rsa(pair) => info(pair.public_key()),
            Pair::Ecdsa(pair) => info(pair.public_key()),
            Pair::Ed25519(pair) => info(pair.public_key()),
            Pair::MlDsa(pair) => info(pair.public_key()),
        }
        .map_err(unfit)?;
        let verifying = spec
            .signing_algorithms(KeyUsage::SignVerify)
            .iter()
            .map(|algorithm| {
                let key = ParsedPublicKey::new(verifier(spec, *algorithm), &public).map_err(unfit)?;
                Ok((*algorithm, key))
            })
            .collect::<Result<_, KmsError>>()?;
        Ok(Self {
            pair,
            public,
            verifying,
        })
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Whether the key has the algorithm and takes the message was checked before.
    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let signed = if message_type == MessageType::Digest {
            imported(algorithm, message).and_then(|digest| self.sign_digest(algorithm, &digest))
        } else {
            self.sign_message(algorithm, message)
        };
        signed.map_err(|_unspecified| KmsError::Cryptography("sign"))
    }

    fn sign_message(&self, algorithm: SigningAlgorithm, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let (encoding, _) = rsa(algorithm).ok_or(Unspecified)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signature)?;
                signature.truncate(length);
                Ok(signature)
            }
        }
    }

    fn sign_digest(&self, algorithm: SigningAlgorithm, digest: &Digest) -> Result<Vec<u8>, Unspecified> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let (encoding, _) = rsa(algorithm).ok_or(Unspecified)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(encoding, digest, &mut signature)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign_digest(digest)?.as_ref().to_vec()),
            Pair::Ed25519(_) | Pair::MlDsa(_) => Err(Unspecified),
        }
    }

    /// `InvalidSignature`, whatever is wrong with the signature.
    pub(super) fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KmsError> {
        let (_, key) = self
            .verifying
            .iter()
            .find(|(has, _)| *has == algorithm)
            .ok_or(KmsError::Cryptography("verify"))?;
        let verified = if message_type == MessageType::Digest {
            imported(algorithm, message).and_then(|digest| key.verify_digest_sig(&digest, signature))
        } else {
            key.verify_sig(message, signature)
        };
        verified.map_err(|_unspecified| KmsError::InvalidSignature)
    }
}

fn info(public: &impl AsDer<PublicKeyX509Der<'static>>) -> Result<Vec<u8>, Unspecified> {
    Ok(public.as_der()?.as_ref().to_vec())
}

fn imported(algorithm: SigningAlgorithm, digest: &[u8]) -> Result<Digest, Unspecified> {
    let hash = match algorithm.digest_len() {
        Some(32) => &digest::SHA256,
        Some(48) => &digest::SHA384,
        Some(64) => &digest::SHA512,
        _ => return Err(Unspecified),
    };
    Digest::import_less_safe(digest, hash)
}

type RsaScheme = (&'static dyn RsaEncoding, &'static dyn VerificationAlgorithm);

/// How RSA signs by this algorithm, and how that is verified.
fn rsa(algorithm: SigningAlgorithm) -> Option<RsaScheme> {
    Some(match algorithm {
        SigningAlgorithm::RsassaPssSha256 => {
            (&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256)
        }
        SigningAlgorithm::RsassaPssSha384 => {
            (&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384)
        }
        SigningAlgorithm::RsassaPssSha512 => {
            (&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512)
        }
        SigningAlgorithm::RsassaPkcs1V15Sha256 => (
            &signature::RSA_PKCS1_SHA256,
            &signature::RSA_PKCS1_2048_8192_SHA256,
        ),
        SigningAlgorithm::RsassaPkcs1V15Sha384 => (
            &signature::RSA_PKCS1_SHA384,
            &signature::RSA_PKCS1_2048_8192_SHA384,
        ),
        SigningAlgorithm::RsassaPkcs1V15Sha512 => (
            &signature::RSA_PKCS1_SHA512,
            &signature::RSA_PKCS1_2048_8192_SHA512,
        ),
        SigningAlgorithm::EcdsaSha256
        | SigningAlgorithm::EcdsaSha384
        | SigningAlgorithm::EcdsaSha512
        | SigningAlgorithm::MlDsaShake256
        | SigningAlgorithm::Ed25519Sha512 => return None,
    })
}

/// How an elliptic curve signs; `None` for what does not sign by ECDSA.
pub(super) fn ecdsa(spec: KeySpec) -> Option<&'static EcdsaSigningAlgorithm> {
    if spec == KeySpec::EccNistP256 {
        Some(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)
    } else if spec == KeySpec::EccNistP384 {
        Some(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)
    } else if spec == KeySpec::EccNistP521 {
        Some(&signature::ECDSA_P521_SHA512_ASN1_SIGNING)
    } else if spec == KeySpec::EccSecgP256k1 {
        Some(&signature::ECDSA_P256K1_SHA256_ASN1_SIGNING)
    } else {
        None
    }
}

/// ML-DSA's parameters; `None` for what is no such key.
pub(super) fn ml_dsa(spec: KeySpec) -> Option<&'static PqdsaSigningAlgorithm> {
    if spec == KeySpec::MlDsa44 {
        Some(&signature::ML_DSA_44_SIGNING)
    } else if spec == KeySpec::MlDsa65 {
        Some(&signature::ML_DSA_65_SIGNING)
    } else if spec == KeySpec::MlDsa87 {
        Some(&signature::ML_DSA_87_SIGNING)
    } else {
        None
    }
}

fn verifier(spec: KeySpec, algorithm: SigningAlgorithm) -> &'static dyn VerificationAlgorithm {
    if let Some((_, verifier)) = rsa(algorithm) {
        return verifier;
    }
    match (spec, algorithm) {
        (KeySpec::EccSecgP256k1, _) => &signature::ECDSA_P256K1_SHA256_ASN1,
        (KeySpec::MlDsa44, _) => &signature::ML_DSA_44,
        (KeySpec::MlDsa65, _) => &signature::ML_DSA_65,
        (KeySpec::MlDsa87, _) => &signature::ML_DSA_87,
        (_, SigningAlgorithm::EcdsaSha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (_, SigningAlgorithm::EcdsaSha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (_, SigningAlgorithm::EcdsaSha512) => &signature::ECDSA_P521_SHA512_ASN1,
        _ => &signature::ED25519,
    }
}
