//! ML-KEM, and how its keys are written down: the library takes and gives bare keys only, so the frames of RFC 9935
//! (SubjectPublicKeyInfo, and PKCS #8 with the expanded key) are put around them here. They are of fixed length, so that
//! nothing needs to be parsed: a frame is there, byte by byte, or it is not.

use aws_lc_rs::kem::{
    Algorithm, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024,
};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::spec::KeySpec;

/// Sizes by FIPS 203, table 3, and the last byte of the object identifier 2.16.840.1.101.3.4.4.
struct Parameters {
    algorithm: &'static Algorithm,
    oid: u8,
    private: u16,
    public: u16,
    ciphertext: usize,
}

fn parameters(spec: KeySpec) -> Result<Parameters, KmsError> {
    let (algorithm, oid, private, public, ciphertext) = match (spec, ()) {
        (KeySpec::MlKem512, ()) => (&ML_KEM_512, 1, 1632, 800, 768),
        (KeySpec::MlKem768, ()) => (&ML_KEM_768, 2, 2400, 1184, 1088),
        (KeySpec::MlKem1024, ()) => (&ML_KEM_1024, 3, 3168, 1568, 1568),
        _ => return Err(failed()),
    };
    Ok(Parameters {
        algorithm,
        oid,
        private,
        public,
        ciphertext,
    })
}

fn failed() -> KmsError {
    KmsError::Cryptography("take an ML-KEM key")
}

impl Parameters {
    fn algorithm_identifier(&self) -> [u8; 13] {
        let oid = self.oid;
        [
            0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04, oid,
        ]
    }

    /// What stands before the key in PKCS #8: `SEQUENCE { 0, algorithm, OCTET STRING { OCTET STRING … } }`.
    fn private_frame(&self) -> Result<Vec<u8>, KmsError> {
        let mut frame = header(0x30, self.private, 24)?.to_vec();
        frame.extend_from_slice(&[0x02, 0x01, 0x00]);
        frame.extend_from_slice(&self.algorithm_identifier());
        frame.extend_from_slice(&header(0x04, self.private, 4)?);
        frame.extend_from_slice(&header(0x04, self.private, 0)?);
        Ok(frame)
    }

    /// What stands before the key in SubjectPublicKeyInfo: `SEQUENCE { algorithm, BIT STRING … }`.
    fn public_frame(&self) -> Result<Vec<u8>, KmsError> {
        let mut frame = header(0x30, self.public, 18)?.to_vec();
        frame.extend_from_slice(&self.algorithm_identifier());
        frame.extend_from_slice(&header(0x03, self.public, 1)?);
        frame.push(0);
        Ok(frame)
    }
}

/// A tag and a length of two bytes: all lengths here are between 256 and 65,535.
fn header(tag: u8, key: u16, around: u16) -> Result<[u8; 4], KmsError> {
    let [high, low] = key.checked_add(around).ok_or_else(failed)?.to_be_bytes();
    Ok([tag, 0x82, high, low])
}

/// Fresh material.
pub(super) fn generate(spec: KeySpec) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let parameters = parameters(spec)?;
    let key = DecapsulationKey::generate(parameters.algorithm).map_err(|_unspecified| failed())?;
    let key = key.key_bytes().map_err(|_unspecified| failed())?;
    let key: &[u8] = key.as_ref();
    let frame = parameters.private_frame()?;
    let mut material = Zeroizing::new(Vec::with_capacity(frame.len().saturating_add(key.len())));
    material.extend_from_slice(&frame);
    material.extend_from_slice(key);
    Ok(material)
}

/// A key pair that encapsulates.
pub(super) struct Encapsulating {
    private: DecapsulationKey,
    public: EncapsulationKey,
    info: Vec<u8>,
    ciphertext: usize,
}

impl Encapsulating {
    pub(super) fn new(spec: KeySpec, pkcs8: &[u8]) -> Result<Self, KmsError> {
        let parameters = parameters(spec)?;
        let frame = parameters.private_frame()?;
        let key = pkcs8.strip_prefix(frame.as_slice()).ok_or_else(failed)?;
        let private = DecapsulationKey::new(parameters.algorithm, key).map_err(|_rejected| failed())?;
        // FIPS 203, algorithm 16: the key for decryption, the public key, its hash (32 bytes) and z (32 bytes).
        let public = usize::from(parameters.public);
        let start = key.len().checked_sub(64).and_then(|end| end.checked_sub(public));
        let public = start
            .and_then(|start| key.get(start..)?.get(..public))
            .ok_or_else(failed)?;
        let mut info = parameters.public_frame()?;
        info.extend_from_slice(public);
        Ok(Self {
            private,
            public: EncapsulationKey::new(parameters.algorithm, public).map_err(|_rejected| failed())?,
            info,
            ciphertext: parameters.ciphertext,
        })
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.info
    }

    pub(super) fn encapsulate(&self) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), KmsError> {
        let (ciphertext, secret) = self
            .public
            .encapsulate()
            .map_err(|_unspecified| KmsError::Cryptography("encapsulate a secret"))?;
        let secret = Zeroizing::new(secret.as_ref().to_vec());
        Ok((secret, ciphertext.as_ref().to_vec()))
    }

    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        if ciphertext.len() != self.ciphertext {
            return Err(KmsError::InvalidCiphertext);
        }
        let secret = self
            .private
            .decapsulate(Ciphertext::from(ciphertext))
            .map_err(|_unspecified| KmsError::Cryptography("decapsulate a secret"))?;
        Ok(Zeroizing::new(secret.as_ref().to_vec()))
    }
}
