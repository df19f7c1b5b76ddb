//! Encryption by RSA with OAEP; the hash function is also that of its mask generation.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::{Misuse, Refusal};
use crate::error::KmsError;
use crate::spec::{EncryptionAlgorithm, KeySpec};

/// An RSA key pair that encrypts.
pub(crate) struct Encrypting {
    spec: KeySpec,
    private: OaepPrivateDecryptingKey,
    public: OaepPublicEncryptingKey,
    info: Vec<u8>,
}

impl Encrypting {
    pub(crate) fn new(spec: KeySpec, pkcs8: &[u8]) -> Result<Self, KmsError> {
        let unfit = || KmsError::Cryptography("take an RSA key");
        let private = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_rejected| unfit())?;
        if spec.rsa_bits() != Some(private.key_size_bits()) {
            return Err(unfit());
        }
        let public = private.public_key();
        let info = AsDer::<PublicKeyX509Der<'_>>::as_der(&public).map_err(|_unspecified| unfit())?;
        Ok(Self {
            spec,
            info: info.as_ref().to_vec(),
            private: OaepPrivateDecryptingKey::new(private).map_err(|_unspecified| unfit())?,
            public: OaepPublicEncryptingKey::new(public).map_err(|_unspecified| unfit())?,
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.info
    }

    /// Bytes of every ciphertext.
    pub(crate) fn ciphertext_len(&self) -> usize {
        self.public.ciphertext_size()
    }

    pub(crate) fn encrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let failed = || KmsError::Cryptography("encrypt by RSA");
        let most = self.spec.max_plaintext(algorithm).ok_or_else(failed)?;
        if plaintext.is_empty() || plaintext.len() > most {
            return Err(Misuse::Length(most).into());
        }
        let padding = padding(algorithm).ok_or_else(failed)?;
        let mut ciphertext = vec![0; self.ciphertext_len()];
        let length = self
            .public
            .encrypt(padding, plaintext, &mut ciphertext, None)
            .map_err(|_unspecified| failed())?
            .len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }

    pub(crate) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let padding = padding(algorithm).ok_or(KmsError::Cryptography("decrypt by RSA"))?;
        let mut plaintext = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let length = self
            .private
            .decrypt(padding, ciphertext, &mut plaintext, None)
            .map_err(|_unspecified| KmsError::InvalidCiphertext)?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

fn padding(algorithm: EncryptionAlgorithm) -> Option<&'static OaepAlgorithm> {
    match algorithm {
        EncryptionAlgorithm::RsaesOaepSha1 => Some(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithm::RsaesOaepSha256 => Some(&OAEP_SHA256_MGF1SHA256),
        EncryptionAlgorithm::SymmetricDefault => None,
    }
}
