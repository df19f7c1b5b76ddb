//! Tests' own AMD: a root, an authority and keys of chips and providers like AMD's, by keys that the test throws away, and the firmware
//! that signs reports with them.
//!
//! They are on P-384 throughout, since nothing here makes certificates signed by RSASSA-PSS with SHA-384: AMD's own chains, in the
//! tests of `tests/published.rs` and of the anchors, are.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use moho_terms::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, SerialNumber, date_time_ymd,
};

use super::guest::{GuestPolicy, PlatformInfo, Product, TcbVersion};
use super::reference::SnpReference;
use super::report::{LENGTH, SIGNED};
use super::{Endorser, SnpChain};
use crate::evidence::claims::Workload;
use crate::x509::{TrustAnchor, TrustAnchors};

/// A moment within everything that is issued here.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse_iso8601_basic("20260610T120000Z").unwrap()
}

pub(crate) const CSP_ID: &str = "CN=cc-test-region.provider.example";
pub(crate) const TCB: TcbVersion = TcbVersion {
    fmc: 0,
    boot_loader: 7,
    tee: 1,
    snp: 20,
    microcode: 0xd1,
};

/// What a certificate says, of which tests change one thing.
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) product_name: &'static str,
    pub(crate) tcb: TcbVersion,
    pub(crate) hardware_id: Option<Vec<u8>>,
    pub(crate) csp_id: Option<&'static str>,
    pub(crate) on_p256: bool,
    /// An extension that is left out, by its last numbers.
    pub(crate) without: &'static [u64],
}

impl Certified {
    pub(crate) fn vcek() -> Self {
        Self {
            product_name: "Genoa-B0",
            tcb: TCB,
            hardware_id: Some(vec![0xc1; 64]),
            csp_id: None,
            on_p256: false,
            without: &[],
        }
    }

    pub(crate) fn vlek() -> Self {
        Self {
            product_name: "Genoa",
            hardware_id: None,
            csp_id: Some(CSP_ID),
            ..Self::vcek()
        }
    }

    pub(crate) fn turin() -> Self {
        Self {
            product_name: "Turin-B0",
            tcb: TcbVersion { fmc: 2, ..TCB },
            hardware_id: Some(vec![0xc1; 8]),
            ..Self::vcek()
        }
    }

    fn extensions(&self) -> Vec<CustomExtension> {
        let integer = |number: u8| match number {
            0x80.. => vec![2, 2, 0, number],
            _ => vec![2, 1, number],
        };
        let text = |text: &str| [&[0x16, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let mut all: Vec<(&[u64], Vec<u8>)> = vec![
            (&[1], integer(0)),
            (&[2], text(self.product_name)),
            (&[3, 1], integer(self.tcb.boot_loader)),
            (&[3, 2], integer(self.tcb.tee)),
            (&[3, 3], integer(self.tcb.snp)),
            (&[3, 8], integer(self.tcb.microcode)),
        ];
        if self.product_name.starts_with("Turin") {
            all.push((&[3, 9], integer(self.tcb.fmc)));
        }
        if let Some(id) = &self.hardware_id {
            all.push((&[4], id.clone()));
        }
        if let Some(id) = self.csp_id {
            all.push((&[5], text(id)));
        }
        all.retain(|(name, _)| *name != self.without);
        let extension = |(name, value): (&[u64], Vec<u8>)| {
            CustomExtension::from_oid_content(&[&[1, 3, 6, 1, 4, 1, 3704, 1], name].concat(), value)
        };
        all.into_iter().map(extension).collect()
    }
}

pub(crate) struct Amd {
    root: Vec<u8>,
    authority: Vec<u8>,
    endorsement: Vec<u8>,
    key: KeyPair,
}

fn params(name: &str, below: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 6, 1);
    params.not_after = date_time_ymd(2026, 7, 1);
    // As AMD's: RFC 5280 would have another number.
    params.serial_number = Some(SerialNumber::from(vec![0]));
    if let Some(below) = below {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    params
}

fn p384() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

impl Amd {
    pub(crate) fn new(certified: &Certified) -> Self {
        let (root_key, authority_key) = (p384(), p384());
        let key = if certified.on_p256 {
            KeyPair::generate().unwrap()
        } else {
            p384()
        };
        let root_params = params("test ARK, not of AMD", Some(1));
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, &root_key);
        let authority_params = params("test ASK", Some(0));
        let authority = authority_params.signed_by(&authority_key, &root_issuer).unwrap();
        let authority_issuer = Issuer::new(authority_params, &authority_key);
        let mut leaf_params = params("test VCEK", None);
        leaf_params.custom_extensions = certified.extensions();
        let leaf = leaf_params.signed_by(&key, &authority_issuer).unwrap();
        Self {
            root: root.der().to_vec(),
            authority: authority.der().to_vec(),
            endorsement: leaf.der().to_vec(),
            key,
        }
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        TrustAnchors::new(vec![TrustAnchor::from_der(&self.root).unwrap()]).unwrap()
    }

    pub(crate) fn endorsement(&self) -> Vec<u8> {
        self.endorsement.clone()
    }

    pub(crate) fn authority(&self) -> Vec<u8> {
        self.authority.clone()
    }

    pub(crate) fn chain(&self) -> SnpChain {
        SnpChain::new(self.endorsement.clone(), self.authority.clone())
    }

    /// Signs a report, whatever it is.
    pub(crate) fn sign(&self, mut report: Vec<u8>) -> Vec<u8> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &self.key.serialize_der());
        let signature = match key {
            Ok(key) => key
                .sign(&SystemRandom::new(), &report[..SIGNED])
                .unwrap()
                .as_ref()
                .to_vec(),
            Err(_of_another_curve) => vec![1; 96],
        };
        for (at, half) in [(SIGNED, &signature[..48]), (SIGNED + 72, &signature[48..])] {
            let turned: Vec<u8> = half.iter().rev().copied().collect();
            report[at..at + 48].copy_from_slice(&turned);
        }
        report
    }

    /// Signs a report that is right in everything, but for these bytes at these places.
    pub(crate) fn report(&self, changes: &[(usize, &[u8])]) -> Vec<u8> {
        self.sign(unsigned(changes))
    }
}

/// The bytes of a TCB version on Milan and Genoa.
pub(crate) fn tcb(version: TcbVersion) -> [u8; 8] {
    let TcbVersion {
        boot_loader,
        tee,
        snp,
        microcode,
        ..
    } = version;
    [boot_loader, tee, 0, 0, 0, 0, snp, microcode]
}

/// A report of version 3, of a Genoa, without a signature and with these changes.
pub(crate) fn unsigned(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut report = vec![0; LENGTH];
    let right: [(usize, &[u8]); 18] = [
        (0x000, &[3]),
        (0x004, &[5]),
        (0x008, &[0x1f, 0, 0x03]),
        (0x010, &[0xfa; 16]),
        (0x020, &[0x1a; 16]),
        (0x034, &[1]),
        (0x038, &tcb(TCB)),
        (0x040, &[0x25]),
        (0x050, &[0xd7; 64]),
        (0x090, &[0x3e; 48]),
        (0x0c0, &[0x40; 32]),
        (0x140, &[0x1d; 32]),
        (0x160, &[0xff; 32]),
        (0x180, &tcb(TCB)),
        (0x188, &[0x19, 0x11]),
        (0x1a0, &[0xc1; 64]),
        (0x1e0, &tcb(TCB)),
        (0x1f0, &tcb(TCB)),
    ];
    for (at, bytes) in right.iter().chain(changes) {
        report[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    report
}

/// What the report that is right in everything is a guest of.
pub(crate) fn reference() -> SnpReference {
    SnpReference {
        product: Product::Genoa,
        endorser: Endorser::Vcek,
        measurement: [0x3e; 48],
        host_data: [0x40; 32],
        vmpl: 0,
        guest_policy: GuestPolicy::from_bits(0x3_001f).unwrap(),
        id_key_digest: [0; 48],
        author_key_digest: [0; 48],
        minimum_guest_svn: 5,
        minimum_tcb: TCB,
        required_platform: PlatformInfo::ALIAS_CHECK_COMPLETE,
        workload: Workload::Image,
    }
}
