//! A quote's bytes: header, report and the data that authenticates them, each to the last byte (Intel, "TDX DCAP Quoting Library
//! API", A.3 and A.4). Whether the signatures hold is dcap-qvl's to say, which passes over what stands behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::Timestamp;

use super::super::layout::Layout;
use super::super::refusal::{Check, Part, Refusal};
use crate::x509::{Certificate, ChainError, Link, TrustAnchors, certificates_of_pem, within};

/// Longest quote that is looked at, in bytes: real ones have 5 KiB.
pub const LONGEST: usize = 16 * 1024;

/// `tee_type` of SGX and of TDX.
const SGX: u32 = 0;
const TDX: u32 = 0x81;
/// `att_key_type` of ECDSA on P-256 with SHA-256, the only one that Intel's quoting enclave has.
const ECDSA_P256: u16 = 2;
/// Intel's quoting enclave, by its vendor's id.
const INTEL: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];
/// Types of certification data: a quoting enclave's report, and in it a chain in PEM.
const OF_QE_REPORT: u16 = 6;
const OF_PCK_CHAIN: u16 = 5;

/// What a domain's report says, before anybody has looked who signed it.
#[derive(Debug)]
pub(super) struct TdReport {
    pub(super) tee_tcb_svn: [u8; 16],
    pub(super) mr_seam: [u8; 48],
    pub(super) td_attributes: u64,
    pub(super) xfam: u64,
    pub(super) mr_td: [u8; 48],
    pub(super) mr_config_id: [u8; 48],
    pub(super) mr_owner: [u8; 48],
    pub(super) mr_owner_config: [u8; 48],
    pub(super) rtmr: [[u8; 48]; 4],
    pub(super) report_data: [u8; 64],
    /// Of TDX 1.5: the service domains that are bound to it.
    pub(super) mr_service_td: Option<[u8; 48]>,
}

/// One quote.
#[derive(Debug)]
pub(super) struct Quote {
    pub(super) report: TdReport,
    /// The certificates of the key that signed the quoting enclave's report.
    pub(super) chain: PckChain,
}

fn refused<T>(check: Check, found: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(check, Part::TdQuote, found))
}

impl Quote {
    /// Reads exactly one quote.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > LONGEST {
            let found = format!(
                "it has {} bytes, and {LONGEST} at most are looked at",
                bytes.len()
            );
            return refused(Check::Encoding, found);
        }
        let mut fields = Layout::new(bytes, Part::TdQuote);
        let (version, key_type, tee) = (fields.u16()?, fields.u16()?, fields.u32()?);
        match (version, tee) {
            (_, SGX) => return refused(Check::Kind, "it is of an enclave of SGX"),
            (4 | 5, TDX) => {}
            (4 | 5, _) => return refused(Check::Kind, format!("it is of a kind {tee:#x} that is not known")),
            _ => return refused(Check::Encoding, format!("its version {version} is not known")),
        }
        if key_type != ECDSA_P256 {
            return refused(
                Check::Algorithm,
                "it is not signed by ECDSA on P-256 with SHA-256",
            );
        }
        let _versions_that_collateral_does_not_ask_for = fields.u32()?;
        if fields.array()? != INTEL {
            return refused(Check::Kind, "its quoting enclave is not Intel's");
        }
        fields.bytes(20)?;
        let body = if version == 4 {
            Body::Td10
        } else {
            Body::read(&mut fields)?
        };
        let report = TdReport::read(&mut fields, body)?;
        let length = fields.u32()?;
        let authentication = fields.rest(length)?;
        Ok(Self {
            report,
            chain: PckChain::read(pck_chain(authentication)?)?,
        })
    }
}

/// Types of reports.
#[derive(Debug, Clone, Copy)]
enum Body {
    Td10,
    Td15,
    Td15Extended,
}

impl Body {
    /// Type and length, as version 5 writes them.
    fn read(fields: &mut Layout<'_>) -> Result<Self, Refusal> {
        match (fields.u16()?, fields.u32()?) {
            (1, _) => refused(Check::Kind, "it is of an enclave of SGX"),
            (2, 584) => Ok(Self::Td10),
            (3, 648) => Ok(Self::Td15),
            (4, 885) => Ok(Self::Td15Extended),
            (kind, length) => refused(
                Check::Encoding,
                format!("there is no report of type {kind} and {length} bytes"),
            ),
        }
    }
}

impl TdReport {
    fn read(fields: &mut Layout<'_>, body: Body) -> Result<Self, Refusal> {
        let (tee_tcb_svn, mr_seam) = (fields.array()?, fields.array()?);
        // MRSIGNERSEAM and SEAMATTRIBUTES: Intel's collateral says what they must be.
        fields.bytes(48 + 8)?;
        Ok(Self {
            tee_tcb_svn,
            mr_seam,
            td_attributes: fields.u64()?,
            xfam: fields.u64()?,
            mr_td: fields.array()?,
            mr_config_id: fields.array()?,
            mr_owner: fields.array()?,
            mr_owner_config: fields.array()?,
            rtmr: [fields.array()?, fields.array()?, fields.array()?, fields.array()?],
            report_data: fields.array()?,
            mr_service_td: match body {
                Body::Td10 => None,
                Body::Td15 | Body::Td15Extended => {
                    let _tee_tcb_svn_2: [u8; 16] = fields.array()?;
                    let bound = fields.array()?;
                    if matches!(body, Body::Td15Extended) {
                        fields.bytes(885 - 648)?;
                    }
                    Some(bound)
                }
            },
        })
    }
}

/// The chain in PEM, out of the data that authenticates a report: nothing may stand between or behind.
fn pck_chain(authentication: &[u8]) -> Result<&[u8], Refusal> {
    let mut outer = Layout::new(authentication, Part::TdQuote);
    // The report's signature and the key that made it.
    outer.bytes(64 + 64)?;
    if outer.u16()? != OF_QE_REPORT {
        return refused(Check::Encoding, "it has no report of its quoting enclave");
    }
    let length = outer.u32()?;
    let mut inner = Layout::new(outer.rest(length)?, Part::TdQuote);
    // The quoting enclave's report and its signature.
    inner.bytes(384 + 64)?;
    let added = inner.u16()?;
    inner.bytes(usize::from(added))?;
    if inner.u16()? != OF_PCK_CHAIN {
        return refused(
            Check::Encoding,
            "it does not bring the chain of certificates of its key",
        );
    }
    let length = inner.u32()?;
    inner.rest(length)
}

/// The certificates of a platform's key (PCK), its authority and Intel's root, in DER.
#[derive(Debug)]
pub(super) struct PckChain([Vec<u8>; 3]);

impl PckChain {
    /// Reads exactly three certificates in PEM, as Intel's library writes them: lines of 64 characters, and a zero at the end of some.
    /// Bytes here are not signed, so that any freedom would be one to alter a quote.
    fn read(pem: &[u8]) -> Result<Self, Refusal> {
        let text = pem.strip_suffix(b"\0").unwrap_or(pem);
        let wrong = |found: &str| Refusal::new(Check::Encoding, Part::TdQuote, found);
        let text = std::str::from_utf8(text).map_err(|_not_text| wrong("its chain is not PEM"))?;
        let certificates =
            certificates_of_pem(text).map_err(|_why| wrong("its chain is not one of certificates"))?;
        if certificates.iter().map(|der| written(der)).collect::<String>() != text {
            return Err(wrong("its chain is not written as Intel writes it"));
        }
        <[Vec<u8>; 3]>::try_from(certificates)
            .map(Self)
            .map_err(|_count| wrong("its chain has not three certificates"))
    }

    /// Its root, which has to be one of the anchors.
    pub(super) fn root(&self, anchors: &TrustAnchors) -> Result<&[u8], Refusal> {
        let [_, _, root] = &self.0;
        if anchors.hold(root) {
            return Ok(root);
        }
        let found = "the root of its chain is none of the trust anchors";
        Err(Refusal::new(Check::TrustAnchor, Part::TdQuote, found))
    }

    /// That each certificate is valid at `now`.
    pub(super) fn in_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let [leaf, authority, root] = &self.0;
        for (link, der) in [
            (Link::Anchor, root),
            (Link::Authority(0), authority),
            (Link::Leaf, leaf),
        ] {
            let read = Certificate::read(der).map_err(|error| (link, ChainError::from(error)))?;
            within(read.not_before, read.not_after, now).map_err(|error| (link, error))?;
        }
        Ok(())
    }
}

/// A certificate in PEM.
fn written(der: &[u8]) -> String {
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    // 48 bytes are a line of 64 characters.
    for line in der.chunks(48) {
        pem.push_str(&STANDARD.encode(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
