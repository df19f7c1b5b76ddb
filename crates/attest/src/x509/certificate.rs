//! One certificate: its fields, and extensions of which every critical one is understood.

use moho_terms::Timestamp;

use super::der::{Der, DerError, INTEGER, OBJECT, OCTET_STRING, SEQUENCE};
use super::key::{KeyError, PublicKey, SignatureAlgorithm};

/// Longest certificate that is looked at, in bytes; AMD's with RSA-4096 keys take 1,700.
const LONGEST: usize = 16 * 1024;
/// Most extensions of one certificate.
const EXTENSIONS: usize = 32;

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];

/// Why a certificate is none that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CertificateError {
    #[error(transparent)]
    Der(#[from] DerError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    #[error("it is not an X.509 certificate of version 3")]
    Version,
    #[error("it names one algorithm where it is signed and another behind")]
    TwoAlgorithms,
    #[error("it has an extension twice ({0})")]
    Twice(String),
    #[error("it has a critical extension that is not understood ({0})")]
    Critical(String),
    #[error("it has more than {EXTENSIONS} extensions")]
    TooMany,
}

/// What a key may be used for, as far as evidence asks (RFC 5280, 4.2.1.3); without the extension, for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uses(Option<u16>);

impl Uses {
    const DIGITAL_SIGNATURE: u16 = 0x8000;
    const KEY_CERT_SIGN: u16 = 0x0400;

    fn allow(self, any_of: u16) -> bool {
        self.0.is_none_or(|bits| bits & any_of != 0)
    }

    /// Whether it may sign what is not a certificate.
    pub(crate) fn sign(self) -> bool {
        self.allow(Self::DIGITAL_SIGNATURE)
    }

    /// Whether it may sign certificates.
    pub(crate) fn certify(self) -> bool {
        self.allow(Self::KEY_CERT_SIGN)
    }
}

/// Whether a certificate is an authority's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authority {
    /// It is none.
    No,
    /// It is, with so many authorities below it at most.
    Yes(Option<u8>),
}

/// A certificate of version 3.
#[derive(Debug, Clone)]
pub(crate) struct Certificate<'a> {
    pub(crate) der: &'a [u8],
    /// What was signed.
    signed: &'a [u8],
    algorithm: SignatureAlgorithm,
    signature: &'a [u8],
    /// Names in DER, to be compared byte by byte.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) key: PublicKey<'a>,
    pub(crate) authority: Authority,
    pub(crate) uses: Uses,
    /// `Extensions` without its head, checked when it was read.
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads exactly one certificate.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        if der.len() > LONGEST {
            return Err(CertificateError::TooLong);
        }
        let mut outer = Der::new(der);
        let mut whole = Der::new(outer.expect(SEQUENCE, "a certificate")?);
        outer.end()?;
        let signed = whole.whole(SEQUENCE, "what is signed")?;
        let algorithm = whole.whole(SEQUENCE, "a signature's algorithm")?;
        let signature = whole.whole_bits("a signature")?;
        whole.end()?;

        let mut fields = Der::new(Der::new(signed).expect(SEQUENCE, "what is signed")?);
        let mut version = Der::new(fields.expect(0xa0, "a version")?);
        if version.small()? != 2 {
            return Err(CertificateError::Version);
        }
        version.end()?;
        // Any serial number: AMD's are 0, which RFC 5280 forbids, and nothing here is looked up by it.
        fields.expect(INTEGER, "a serial number")?;
        if fields.whole(SEQUENCE, "an algorithm")? != algorithm {
            return Err(CertificateError::TwoAlgorithms);
        }
        let issuer = fields.whole(SEQUENCE, "an issuer")?;
        let mut validity = Der::new(fields.expect(SEQUENCE, "a validity")?);
        let (not_before, not_after) = (validity.moment()?, validity.moment()?);
        validity.end()?;
        let subject = fields.whole(SEQUENCE, "a subject")?;
        let spki = fields.whole(SEQUENCE, "a public key")?;
        let extensions = match fields.optional(0xa3)? {
            Some(extensions) => {
                let mut outer = Der::new(extensions);
                let list = outer.expect(SEQUENCE, "extensions")?;
                outer.end()?;
                list
            }
            None => &[],
        };
        fields.end()?;
        let mut read = Self {
            der,
            signed,
            algorithm: SignatureAlgorithm::read(algorithm)?,
            signature,
            issuer,
            subject,
            not_before,
            not_after,
            key: PublicKey::read(spki)?,
            authority: Authority::No,
            uses: Uses(None),
            extensions,
        };
        read.understand()?;
        Ok(read)
    }

    /// Takes in what its extensions say; refuses one twice, and a critical one that is not understood.
    fn understand(&mut self) -> Result<(), CertificateError> {
        let mut before: Vec<&[u8]> = Vec::with_capacity(EXTENSIONS);
        let mut list = Der::new(self.extensions);
        while !list.is_empty() {
            let extension = Extension::read(&mut list)?;
            if before.len() >= EXTENSIONS {
                return Err(CertificateError::TooMany);
            }
            if before.contains(&extension.name) {
                return Err(CertificateError::Twice(dotted(extension.name)));
            }
            before.push(extension.name);
            match extension.name {
                BASIC_CONSTRAINTS => self.authority = basic_constraints(extension.value)?,
                KEY_USAGE => self.uses = key_usage(extension.value)?,
                name if extension.critical => return Err(CertificateError::Critical(dotted(name))),
                _ => {}
            }
        }
        Ok(())
    }

    /// What an extension holds, by its name: an object identifier's content in DER.
    pub(crate) fn extension(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut list = Der::new(self.extensions);
        while let Ok(extension) = Extension::read(&mut list) {
            if extension.name == name {
                return Some(extension.value);
            }
        }
        None
    }

    /// That its issuer's key signed it.
    pub(crate) fn verify_signature(&self, issuer: &PublicKey<'_>) -> Result<(), KeyError> {
        issuer.verify(self.algorithm, self.signed, self.signature)
    }
}

struct Extension<'a> {
    name: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl<'a> Extension<'a> {
    fn read(list: &mut Der<'a>) -> Result<Self, DerError> {
        let mut extension = Der::new(list.expect(SEQUENCE, "an extension")?);
        let name = extension.expect(OBJECT, "an extension's name")?;
        let critical = match extension.peek() {
            Some(super::der::BOOLEAN) => extension.boolean()?,
            _ => false,
        };
        let value = extension.expect(OCTET_STRING, "an extension's value")?;
        extension.end()?;
        Ok(Self {
            name,
            critical,
            value,
        })
    }
}

fn basic_constraints(value: &[u8]) -> Result<Authority, DerError> {
    let mut outer = Der::new(value);
    let mut inner = Der::new(outer.expect(SEQUENCE, "basic constraints")?);
    outer.end()?;
    // DER leaves a false value out; AWS's and other authorities write it.
    let is_authority = inner.peek() == Some(super::der::BOOLEAN) && inner.boolean()?;
    let longest = if inner.is_empty() {
        None
    } else {
        Some(inner.small()?)
    };
    inner.end()?;
    match (is_authority, longest) {
        (true, longest) => Ok(Authority::Yes(longest)),
        (false, None) => Ok(Authority::No),
        (false, Some(_)) => Err(DerError::Value("a path length of who is no authority")),
    }
}

fn key_usage(value: &[u8]) -> Result<Uses, DerError> {
    let mut outer = Der::new(value);
    let bits = outer.expect(super::der::BIT_STRING, "key usage")?;
    outer.end()?;
    match *bits {
        [0..=7, first] => Ok(Uses(Some(u16::from_be_bytes([first, 0])))),
        [0..=7, first, second] => Ok(Uses(Some(u16::from_be_bytes([first, second])))),
        _ => Err(DerError::Value("key usage")),
    }
}

/// An object identifier as people write it.
fn dotted(name: &[u8]) -> String {
    let mut text = String::new();
    let mut number = 0_u64;
    for byte in name.iter().take(32) {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if text.is_empty() {
                let first = (number / 40).min(2);
                text = format!("{first}.{}", number.saturating_sub(first.saturating_mul(40)));
            } else {
                text.push_str(&format!(".{number}"));
            }
            number = 0;
        }
    }
    text
}
