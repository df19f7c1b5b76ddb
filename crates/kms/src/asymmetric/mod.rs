//! What keys do that are not `SYMMETRIC_DEFAULT`: sign, agree on secrets, encrypt by RSA, authenticate, encapsulate.
//!
//! The material of such a key is bytes, so that it rests wrapped like any other: PKCS #8 for key pairs (of ML-DSA keys
//! that holds the seed, of ML-KEM keys what the seed expands to), the key itself for HMAC. Parsing it costs much more
//! than using it, and so it is parsed once, to a [`PreparedKey`] that the caller keeps. Whether a key may do what is
//! asked is in [`allowed`], in one place for those who only want to know.

pub(crate) mod allowed;
mod encapsulating;
mod encrypting;
mod generating;
#[cfg(test)]
mod leftovers;
mod misuse;
mod signing;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use encrypting::Encrypting;
pub(crate) use generating::{as_imported, generate};
pub(crate) use misuse::{Misuse, Refusal};

use aws_lc_rs::agreement::{self, ParsedPublicKeyFormat};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::spec::{
    EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeySpec, KeyUsage, MacAlgorithm,
    MessageType, SigningAlgorithm,
};
use encapsulating::Encapsulating;
use signing::Signing;

/// A key that is ready to be used, for the one thing that it was made for. Its secrets lie in the cryptographic library's
/// memory, which is wiped when it is freed.
pub(crate) struct PreparedKey {
    spec: KeySpec,
    usage: KeyUsage,
    kind: Kind,
}

enum Kind {
    Signing(Box<Signing>),
    Encrypting(Encrypting),
    Agreeing(agreement::PrivateKey, Vec<u8>),
    Encapsulating(Encapsulating),
    Mac(Box<hmac::Key>),
}

impl PreparedKey {
    /// Parses `material`, which [`generate`] or [`as_imported`] made.
    pub(crate) fn from_material(spec: KeySpec, usage: KeyUsage, material: &[u8]) -> Result<Self, KmsError> {
        let unfit = || KmsError::Cryptography("take key material");
        if !spec.allows(usage) {
            return Err(unfit());
        }
        let kind = match usage {
            KeyUsage::SignVerify => Kind::Signing(Box::new(Signing::new(spec, material)?)),
            KeyUsage::EncryptDecrypt => Kind::Encrypting(Encrypting::new(spec, material)?),
            KeyUsage::KeyAgreement => {
                let curve = curve(spec).ok_or_else(unfit)?;
                let key = agreement::PrivateKey::from_private_key_der(curve, material)
                    .map_err(|_rejected| unfit())?;
                // What ECDSA and ECDH have in common: the public key, and how it is written.
                let public = Signing::new(spec, material)?.public_key().to_vec();
                Kind::Agreeing(key, public)
            }
            KeyUsage::EncapsulateDecapsulate => Kind::Encapsulating(Encapsulating::new(spec, material)?),
            KeyUsage::GenerateVerifyMac => {
                let algorithm = mac_algorithm(spec).ok_or_else(unfit)?;
                Kind::Mac(Box::new(hmac::Key::new(algorithm, material)))
            }
        };
        Ok(Self { spec, usage, kind })
    }

    /// The public key, as SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> Result<&[u8], Misuse> {
        match &self.kind {
            Kind::Signing(key) => Ok(key.public_key()),
            Kind::Encrypting(key) => Ok(key.public_key()),
            Kind::Agreeing(_, public) => Ok(public),
            Kind::Encapsulating(key) => Ok(key.public_key()),
            Kind::Mac(_) => Err(Misuse::Spec(self.spec)),
        }
    }

    /// Signs a message.
    pub(crate) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        allowed::signing(self.spec, self.usage, "Sign", algorithm)?;
        allowed::message(self.spec, algorithm, message_type, message)?;
        match &self.kind {
            Kind::Signing(key) => Ok(key.sign(algorithm, message_type, message)?),
            Kind::Encrypting(_) | Kind::Agreeing(..) | Kind::Encapsulating(_) | Kind::Mac(_) => {
                Err(self.no("Sign"))
            }
        }
    }

    /// Whether `signature` is one of this key over the message: `InvalidSignature` if not.
    pub(crate) fn verify(
        &self,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        allowed::signing(self.spec, self.usage, "Verify", algorithm)?;
        allowed::message(self.spec, algorithm, message_type, message)?;
        match &self.kind {
            Kind::Signing(key) => Ok(key.verify(algorithm, message_type, message, signature)?),
            Kind::Encrypting(_) | Kind::Agreeing(..) | Kind::Encapsulating(_) | Kind::Mac(_) => {
                Err(self.no("Verify"))
            }
        }
    }

    /// A message authentication code.
    pub(crate) fn mac(&self, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let key = self.mac_key("GenerateMac", algorithm, message)?;
        Ok(hmac::sign(key, message).as_ref().to_vec())
    }

    /// Whether `mac` is this key's for the message, compared in constant time: `InvalidMac` if not.
    pub(crate) fn verify_mac(
        &self,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), Refusal> {
        let key = self.mac_key("VerifyMac", algorithm, message)?;
        hmac::verify(key, message, mac).map_err(|_unspecified| KmsError::InvalidMac.into())
    }

    fn mac_key(
        &self,
        operation: &'static str,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<&hmac::Key, Refusal> {
        allowed::mac(self.spec, self.usage, operation, algorithm)?;
        allowed::length(message)?;
        match &self.kind {
            Kind::Mac(key) => Ok(key),
            Kind::Signing(_) | Kind::Encrypting(_) | Kind::Agreeing(..) | Kind::Encapsulating(_) => {
                Err(self.no(operation))
            }
        }
    }

    /// Encrypts by RSA.
    pub(crate) fn encrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        self.encrypting("Encrypt", algorithm)?
            .encrypt(algorithm, plaintext)
    }

    /// Decrypts by RSA: `InvalidCiphertext`, whatever is wrong with it.
    pub(crate) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(self
            .encrypting("Decrypt", algorithm)?
            .decrypt(algorithm, ciphertext)?)
    }

    fn encrypting(
        &self,
        operation: &'static str,
        algorithm: EncryptionAlgorithm,
    ) -> Result<&Encrypting, Refusal> {
        allowed::encryption(self.spec, self.usage, operation, algorithm)?;
        match &self.kind {
            Kind::Encrypting(key) => Ok(key),
            Kind::Signing(_) | Kind::Agreeing(..) | Kind::Encapsulating(_) | Kind::Mac(_) => {
                Err(self.no(operation))
            }
        }
    }

    /// The secret that this key and `peer`, a SubjectPublicKeyInfo, have in common.
    pub(crate) fn derive(
        &self,
        algorithm: KeyAgreementAlgorithm,
        peer: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        allowed::agreement(self.spec, self.usage, "DeriveSharedSecret", algorithm)?;
        let Kind::Agreeing(key, _) = &self.kind else {
            return Err(self.no("DeriveSharedSecret"));
        };
        let refused = || Refusal::from(Misuse::PublicKey(self.spec));
        if !generating::is_one_element(peer) {
            return Err(refused());
        }
        let unparsed = agreement::UnparsedPublicKey::new(key.algorithm(), peer);
        let peer = agreement::ParsedPublicKey::try_from(unparsed).map_err(|_rejected| refused())?;
        if peer.format() != ParsedPublicKeyFormat::X509 {
            return Err(refused());
        }
        agreement::agree(key, peer, refused(), |secret| Ok(Zeroizing::new(secret.to_vec())))
    }

    /// A fresh secret, and what tells it to the owner of this key: `(secret, ciphertext)`.
    pub(crate) fn encapsulate(
        &self,
        algorithm: EncapsulationAlgorithm,
    ) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), Refusal> {
        Ok(self.encapsulating("Encapsulate", algorithm)?.encapsulate()?)
    }

    /// The secret in a ciphertext, or an unrelated one if it was altered or made for another key (FIPS 203's implicit
    /// rejection); `InvalidCiphertext` only if its length is wrong.
    pub(crate) fn decapsulate(
        &self,
        algorithm: EncapsulationAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(self
            .encapsulating("Decapsulate", algorithm)?
            .decapsulate(ciphertext)?)
    }

    fn encapsulating(
        &self,
        operation: &'static str,
        algorithm: EncapsulationAlgorithm,
    ) -> Result<&Encapsulating, Refusal> {
        allowed::encapsulation(self.spec, self.usage, operation, algorithm)?;
        match &self.kind {
            Kind::Encapsulating(key) => Ok(key),
            Kind::Signing(_) | Kind::Encrypting(_) | Kind::Agreeing(..) | Kind::Mac(_) => {
                Err(self.no(operation))
            }
        }
    }

    fn no(&self, operation: &'static str) -> Refusal {
        Misuse::Usage(self.usage, operation).into()
    }
}

fn curve(spec: KeySpec) -> Option<&'static agreement::Algorithm> {
    if spec == KeySpec::EccNistP256 {
        Some(&agreement::ECDH_P256)
    } else if spec == KeySpec::EccNistP384 {
        Some(&agreement::ECDH_P384)
    } else if spec == KeySpec::EccNistP521 {
        Some(&agreement::ECDH_P521)
    } else {
        None
    }
}

fn mac_algorithm(spec: KeySpec) -> Option<hmac::Algorithm> {
    let algorithm = spec.mac_algorithms(KeyUsage::GenerateVerifyMac).first()?;
    Some(match algorithm {
        MacAlgorithm::HmacSha224 => hmac::HMAC_SHA224,
        MacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        MacAlgorithm::HmacSha384 => hmac::HMAC_SHA384,
        MacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    })
}
