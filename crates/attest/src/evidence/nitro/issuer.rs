//! Tests' own issuer of Nitro documents: a root, two authorities and a leaf like AWS's, by keys that the test throws away.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use moho_terms::Timestamp;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};

use crate::cbor::{write_bytes, write_head};
use crate::cose::to_be_signed;
use crate::x509::{TrustAnchor, TrustAnchors};

/// A moment within everything that is issued here.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse_iso8601_basic("20260610T120000Z").unwrap()
}

/// What may be wrong with the chain.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Chain {
    #[default]
    Right,
    OddExtension,
    OddExtensionUncritical,
    AuthorityIsNone,
    LeafIsAuthority,
    LeafMayNotSign,
    PathTooLong,
    OtherIssuer,
    LeafOnP256,
}

pub(crate) struct NitroIssuer {
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) leaf: Vec<u8>,
    key: KeyPair,
}

fn params(name: &str, authority: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 6, 1);
    params.not_after = date_time_ymd(2026, 7, 1);
    match authority {
        Some(below) => {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        }
        None => {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        }
    }
    params
}

fn p384() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

impl NitroIssuer {
    pub(crate) fn new() -> Self {
        Self::with(Chain::Right)
    }

    pub(crate) fn with(wrong: Chain) -> Self {
        let (root_key, zone_key) = (p384(), p384());
        let key = if wrong == Chain::LeafOnP256 {
            KeyPair::generate().unwrap()
        } else {
            p384()
        };
        let mut root_params = params("test root, not of AWS", Some(3));
        if wrong == Chain::PathTooLong {
            root_params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }
        let root: Certificate = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, &root_key);

        let mut zone_params = params("test zone", Some(0));
        if wrong == Chain::AuthorityIsNone {
            zone_params.is_ca = IsCa::ExplicitNoCa;
        }
        let zone = zone_params.signed_by(&zone_key, &root_issuer).unwrap();
        if wrong == Chain::OtherIssuer {
            zone_params = params("another zone", Some(0));
        }
        let zone_issuer = Issuer::new(zone_params, &zone_key);

        let mut leaf_params = params("test instance", None);
        match wrong {
            Chain::LeafIsAuthority => leaf_params = params("test instance", Some(0)),
            Chain::LeafMayNotSign => leaf_params.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            Chain::OddExtension | Chain::OddExtensionUncritical => {
                let mut odd = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
                odd.set_criticality(wrong == Chain::OddExtension);
                leaf_params.custom_extensions.push(odd);
            }
            Chain::Right
            | Chain::AuthorityIsNone
            | Chain::PathTooLong
            | Chain::OtherIssuer
            | Chain::LeafOnP256 => {}
        }
        let leaf = leaf_params.signed_by(&key, &zone_issuer).unwrap();
        Self {
            authorities: vec![root.der().to_vec(), zone.der().to_vec()],
            leaf: leaf.der().to_vec(),
            key,
        }
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        TrustAnchors::new(vec![TrustAnchor::from_der(&self.authorities[0]).unwrap()]).unwrap()
    }

    /// Signs a payload, whatever it is.
    pub(crate) fn sign(&self, payload: &[u8]) -> Vec<u8> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &self.key.serialize_der());
        let signature = match key {
            Ok(key) => key
                .sign(&SystemRandom::new(), &to_be_signed(payload))
                .unwrap()
                .as_ref()
                .to_vec(),
            Err(_of_another_curve) => vec![1; 96],
        };
        let mut document = vec![0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0];
        write_bytes(payload, &mut document);
        write_bytes(&signature, &mut document);
        document
    }

    /// An enclave's document, right in everything.
    pub(crate) fn enclave(&self) -> Fields<'_> {
        Fields::new(self, "pcrs", 16, "i-0123456789abcdef0-enc0123456789abcdef")
    }

    /// A NitroTPM's document, right in everything.
    pub(crate) fn nitrotpm(&self) -> Fields<'_> {
        Fields::new(
            self,
            "nitrotpm_pcrs",
            24,
            "i-0123456789abcdef0-tpm0000000000000000",
        )
    }
}

/// The fields of a document, each already written, in the order that AWS writes them.
pub(crate) struct Fields<'i> {
    issuer: &'i NitroIssuer,
    pub(crate) written: Vec<(&'static str, Vec<u8>)>,
    registers: Vec<(u8, Vec<u8>)>,
    registers_name: &'static str,
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_head(3, text.len() as u64, &mut bytes);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_bytes(value, &mut bytes);
    bytes
}

pub(crate) fn number(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_head(0, value, &mut bytes);
    bytes
}

impl<'i> Fields<'i> {
    fn new(issuer: &'i NitroIssuer, registers_name: &'static str, count: u8, module: &str) -> Self {
        let mut bundle = Vec::new();
        write_head(4, issuer.authorities.len() as u64, &mut bundle);
        issuer
            .authorities
            .iter()
            .for_each(|der| write_bytes(der, &mut bundle));
        let touched = |index: u8| {
            if matches!(index, 0 | 1 | 2 | 4 | 7 | 11) {
                index + 1
            } else {
                0
            }
        };
        Self {
            issuer,
            written: vec![
                ("module_id", text(module)),
                ("digest", text("SHA384")),
                ("timestamp", number(now().unix_micros() / 1000)),
                (registers_name, Vec::new()),
                ("certificate", bytes(&issuer.leaf)),
                ("cabundle", bundle),
                ("public_key", vec![0xf6]),
                ("user_data", vec![0xf6]),
                ("nonce", bytes(b"a nonce of the test's")),
            ],
            registers: (0..count)
                .map(|index| (index, vec![touched(index); 48]))
                .collect(),
            registers_name,
        }
    }

    pub(crate) fn set(mut self, name: &'static str, value: Vec<u8>) -> Self {
        match self.written.iter_mut().find(|(field, _)| *field == name) {
            Some((_, old)) => *old = value,
            None => self.written.push((name, value)),
        }
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.written.retain(|(field, _)| *field != name);
        self
    }

    pub(crate) fn register(mut self, index: u8, value: &[u8]) -> Self {
        self.registers.retain(|(found, _)| *found != index);
        self.registers.push((index, value.to_vec()));
        self.registers.sort();
        self
    }

    pub(crate) fn without_register(mut self, index: u8) -> Self {
        self.registers.retain(|(found, _)| *found != index);
        self
    }

    /// The map's bytes.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        write_head(5, self.written.len() as u64, &mut payload);
        for (name, value) in &self.written {
            payload.extend(text(name));
            if *name == self.registers_name && value.is_empty() {
                write_head(5, self.registers.len() as u64, &mut payload);
                for (index, value) in &self.registers {
                    payload.extend(number(u64::from(*index)));
                    write_bytes(value, &mut payload);
                }
            } else {
                payload.extend(value);
            }
        }
        payload
    }

    /// The signed document.
    pub(crate) fn sign(&self) -> Vec<u8> {
        self.issuer.sign(&self.payload())
    }
}
