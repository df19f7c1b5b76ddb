//! Tests' own Intel: a root, authorities, a platform's key and a quoting enclave like Intel's, by keys that the test throws away, and
//! the collateral that goes with them.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use dcap_qvl::QuoteCollateralV3;
use moho_terms::{Timestamp, hex};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

use super::reference::{AcceptedTcb, TdxReference};
use crate::evidence::claims::Workload;
use crate::x509::{TrustAnchor, TrustAnchors};

/// A moment within everything that is issued here.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse_iso8601_basic("20260610T120000Z").unwrap()
}

/// Who is issued a certificate, by its serial number.
pub(crate) const SIGNER: u8 = 2;
pub(crate) const AUTHORITY: u8 = 3;
pub(crate) const PLATFORM: u8 = 4;

/// A certificate and its key.
struct Holder {
    certificate: Certificate,
    params: CertificateParams,
    key: KeyPair,
}

impl Holder {
    fn pem(&self) -> String {
        self.certificate.pem().replace("\r\n", "\n")
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn params(name: &str, serial: u8, below: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 6, 1);
    params.not_after = date_time_ymd(2026, 7, 1);
    params.serial_number = Some(SerialNumber::from(vec![serial]));
    match below {
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

fn issued(params: CertificateParams, by: &Holder) -> Holder {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &by.issuer()).unwrap();
    Holder {
        certificate,
        params,
        key,
    }
}

/// `r ‖ s`, as quotes and collateral have signatures.
fn sign(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
    let signature = key.sign(&SystemRandom::new(), message).unwrap();
    signature.as_ref().to_vec()
}

fn der(tag: u8, held: &[u8]) -> Vec<u8> {
    let length = held.len();
    let mut bytes = match u8::try_from(length).unwrap_or(u8::MAX) {
        short @ 0..=0x7f => vec![tag, short],
        _ => [
            &[tag, 0x82],
            u16::try_from(length).unwrap().to_be_bytes().as_slice(),
        ]
        .concat(),
    };
    bytes.extend_from_slice(held);
    bytes
}

/// Intel's extension of a platform's certificate (`1.2.840.113741.1.13.1`).
fn platform_extension() -> Vec<u8> {
    let entry = |numbers: &[u8], value: Vec<u8>| {
        let name = [&[0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01], numbers].concat();
        der(0x30, &[der(6, &name), value].concat())
    };
    let mut tcb: Vec<u8> = (1..=16).flat_map(|n| entry(&[2, n], der(2, &[5]))).collect();
    tcb.extend(entry(&[2, 17], der(2, &[11])));
    tcb.extend(entry(&[2, 18], der(4, &[5; 16])));
    let entries = [
        entry(&[1], der(4, &[0x99; 16])),
        entry(&[2], der(0x30, &tcb)),
        entry(&[3], der(4, &[0, 0])),
        entry(&[4], der(4, &FMSPC)),
        entry(&[5], der(10, &[1])),
    ];
    der(0x30, &entries.concat())
}

const FMSPC: [u8; 6] = [0x90, 0xc0, 0x6f, 0, 0, 0];

/// What a quote is made of besides its report, of which tests change one thing.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) qe_report: Vec<u8>,
    pub(crate) added: Vec<u8>,
    pub(crate) chain: Vec<u8>,
    pub(crate) types: (u16, u16),
    /// Behind the quoting enclave's report was signed.
    pub(crate) altered: Option<usize>,
}

/// What collateral is made of, of which tests change one thing.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) tcb_info: String,
    pub(crate) qe_identity: String,
    pub(crate) revoked: Option<u8>,
    /// The last day in June on which its lists of revocation are valid: the root's, and the PCK authority's.
    pub(crate) lists_until: (u8, u8),
}

pub(crate) struct Intel {
    root: Holder,
    signer: Holder,
    authority: Holder,
    platform: Holder,
    attestation: KeyPair,
}

impl Intel {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// One whose certificates are other ones: each is told before it is issued, by its serial number.
    pub(crate) fn with(change: fn(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let root_params = params("test SGX Root CA, not of Intel", 1, Some(1));
        let root = Holder {
            certificate: root_params.self_signed(&key).unwrap(),
            params: root_params,
            key,
        };
        let changed = |mut params| {
            change(&mut params);
            params
        };
        let signer = issued(changed(params("test TCB Signing", SIGNER, None)), &root);
        let authority = issued(changed(params("test PCK Platform CA", AUTHORITY, Some(0))), &root);
        let mut platform = params("test PCK Certificate", PLATFORM, None);
        platform.custom_extensions.push(CustomExtension::from_oid_content(
            &[1, 2, 840, 113_741, 1, 13, 1],
            platform_extension(),
        ));
        let platform = issued(changed(platform), &authority);
        Self {
            root,
            signer,
            authority,
            platform,
            attestation: KeyPair::generate().unwrap(),
        }
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let root = TrustAnchor::from_der(self.root.certificate.der()).unwrap();
        TrustAnchors::new(vec![root]).unwrap()
    }

    pub(crate) fn made(&self) -> Made {
        let mut qe_report = vec![0; 384];
        qe_report[..16].copy_from_slice(&[5; 16]);
        qe_report[48] = 0x11;
        qe_report[128..160].copy_from_slice(&[0x8c; 32]);
        qe_report[256] = 2;
        qe_report[258] = 6;
        let chain = [&self.platform, &self.authority, &self.root].map(Holder::pem);
        Made {
            qe_report,
            added: vec![0xad; 32],
            chain: [chain.concat().as_bytes(), &[0]].concat(),
            types: (6, 5),
            altered: None,
        }
    }

    /// Signs a header and report, whatever they are.
    pub(crate) fn sign(&self, mut quote: Vec<u8>, made: &Made) -> Vec<u8> {
        let key = self.attestation.public_key_raw()[1..].to_vec();
        let mut qe_report = made.qe_report.clone();
        if qe_report[320..] == [0; 64] {
            let bound = digest(&SHA256, &[key.as_slice(), &made.added].concat());
            qe_report[320..352].copy_from_slice(bound.as_ref());
        }
        let qe_signature = sign(&self.platform.key, &qe_report);
        if let Some(at) = made.altered {
            qe_report[at] ^= 1;
        }
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let inner = [
            qe_report.as_slice(),
            &qe_signature,
            &u16::try_from(made.added.len()).unwrap().to_le_bytes(),
            &made.added,
            &made.types.1.to_le_bytes(),
            &length(&made.chain),
            &made.chain,
        ]
        .concat();
        let outer = [
            sign(&self.attestation, &quote).as_slice(),
            &key,
            &made.types.0.to_le_bytes(),
            &length(&inner),
            &inner,
        ]
        .concat();
        quote.extend_from_slice(&length(&outer));
        quote.extend_from_slice(&outer);
        quote
    }

    /// A quote of version 4 that is right in everything, but for these bytes at these places.
    pub(crate) fn quote(&self, changes: &[(usize, &[u8])]) -> Vec<u8> {
        self.sign(signed(changes), &self.made())
    }

    pub(crate) fn told(&self) -> Told {
        let mut components = [r#"{"svn":5}"#; 16];
        let of_sgx = components.join(",");
        // The module's version is 0: the first two are not left to a module's identity.
        components[1] = r#"{"svn":0}"#;
        let of_tdx = components.join(",");
        let dates = r#""issueDate":"2026-06-01T00:00:00Z","nextUpdate":"2026-07-01T00:00:00Z""#;
        Told {
            tcb_info: format!(
                r#"{{"id":"TDX","version":3,{dates},"fmspc":"{}","pceId":"0000","tcbType":0,
                "tcbEvaluationDataNumber":18,"tdxModule":{{"mrsigner":"{}",
                "attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"}},
                "tdxModuleIdentities":[],"tcbLevels":[{{"tcb":{{"sgxtcbcomponents":[{of_sgx}],
                "pcesvn":11,"tdxtcbcomponents":[{of_tdx}]}},"tcbDate":"2026-01-01T00:00:00Z",
                "tcbStatus":"UpToDate","advisoryIDs":[]}}]}}"#,
                hex::encode(&FMSPC),
                "00".repeat(48)
            ),
            qe_identity: format!(
                r#"{{"id":"TD_QE","version":2,{dates},"tcbEvaluationDataNumber":17,
                "miscselect":"00000000","miscselectMask":"FFFFFFFF",
                "attributes":"11000000000000000000000000000000",
                "attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"{}","isvprodid":2,
                "tcbLevels":[{{"tcb":{{"isvsvn":6}},"tcbDate":"2026-01-01T00:00:00Z",
                "tcbStatus":"UpToDate"}}]}}"#,
                "8c".repeat(32)
            ),
            revoked: None,
            lists_until: (30, 30),
        }
    }

    fn list(&self, by: &Holder, told: &Told, until: u8) -> Vec<u8> {
        let moment = date_time_ymd(2026, 6, 1);
        let revoked = told.revoked.map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(vec![serial]),
            revocation_time: moment,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: moment,
            next_update: date_time_ymd(2026, 6, until),
            crl_number: SerialNumber::from(vec![1]),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&by.issuer()).unwrap().der().to_vec()
    }

    /// Signs collateral.
    pub(crate) fn tell(&self, told: &Told) -> QuoteCollateralV3 {
        let chain = [&self.signer, &self.root].map(Holder::pem).concat();
        QuoteCollateralV3 {
            pck_crl_issuer_chain: [&self.authority, &self.root].map(Holder::pem).concat(),
            root_ca_crl: self.list(&self.root, told, told.lists_until.0),
            pck_crl: self.list(&self.authority, told, told.lists_until.1),
            tcb_info_issuer_chain: chain.clone(),
            tcb_info_signature: sign(&self.signer.key, told.tcb_info.as_bytes()),
            tcb_info: told.tcb_info.clone(),
            qe_identity_issuer_chain: chain,
            qe_identity_signature: sign(&self.signer.key, told.qe_identity.as_bytes()),
            qe_identity: told.qe_identity.clone(),
            pck_certificate_chain: None,
        }
    }

    /// Collateral that is right in everything.
    pub(crate) fn collateral(&self) -> Vec<u8> {
        json(&self.tell(&self.told()))
    }
}

pub(crate) fn json(collateral: &QuoteCollateralV3) -> Vec<u8> {
    serde_json::to_vec(collateral).unwrap()
}

/// Where the report begins in a quote of version 4.
pub(crate) const REPORT: usize = 48;
/// Where TD ATTRIBUTES are in the report.
pub(crate) const ATTRIBUTES: usize = 120;

/// Header and report of version 4, with these changes.
pub(crate) fn signed(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = [header(4), report()].concat();
    for (at, change) in changes {
        bytes[*at..at + change.len()].copy_from_slice(change);
    }
    bytes
}

/// Header and report of version 5, of this type and length, with changes of the report.
pub(crate) fn signed_5(kind: u16, length: u32, changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = report();
    body.extend_from_slice(&[5, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
    body.resize(usize::try_from(length).unwrap(), 0);
    for (at, change) in changes {
        body[*at..at + change.len()].copy_from_slice(change);
    }
    [
        header(5).as_slice(),
        &kind.to_le_bytes(),
        &length.to_le_bytes(),
        &body,
    ]
    .concat()
}

fn header(version: u8) -> Vec<u8> {
    let mut bytes = vec![version, 0, 2, 0, 0x81, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(&[
        0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
    ]);
    bytes.extend_from_slice(&[0; 20]);
    bytes
}

fn report() -> Vec<u8> {
    let mut report = vec![0; 584];
    let tcb = [5, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5];
    let right: [(usize, &[u8]); 13] = [
        (0, &tcb),
        (16, &[0x5e; 48]),
        (ATTRIBUTES, &[0, 0, 0, 0x10]),
        (128, &[0xe7, 2, 6]),
        (136, &[0x3d; 48]),
        (184, &[0xc1; 48]),
        (232, &[0x01; 48]),
        (280, &[0x0c; 48]),
        (328, &[0xa0; 48]),
        (376, &[0xa1; 48]),
        (424, &[0xa2; 48]),
        (472, &[0xa3; 48]),
        (520, &[0xd7; 64]),
    ];
    for (at, bytes) in right {
        report[at..at + bytes.len()].copy_from_slice(bytes);
    }
    report
}

/// What the quote that is right in everything is a domain of.
pub(crate) fn reference() -> TdxReference {
    TdxReference {
        mr_td: [0x3d; 48],
        rtmr: [[0xa0; 48], [0xa1; 48], [0xa2; 48], [0xa3; 48]],
        mr_config_id: [0xc1; 48],
        mr_owner: [0x01; 48],
        mr_owner_config: [0x0c; 48],
        td_attributes: 0x1000_0000,
        xfam: 0x0006_02e7,
        tcb: AcceptedTcb::default(),
        minimum_tcb_evaluation: 17,
        workload: Workload::Image,
    }
}
