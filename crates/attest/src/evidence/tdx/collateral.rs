//! What Intel says beside a quote (PCS API v4): the firmware that platforms have, their quoting enclave, and what was revoked. Here is
//! read when it is valid, so that a wrong time is told as such; whether it is Intel's is dcap-qvl's to say.

use dcap_qvl::QuoteCollateralV3;
use moho_terms::Timestamp;
use serde::Deserialize;

use super::super::refusal::{Check, Part, Refusal};
use crate::x509::der::{Der, DerError, INTEGER, SEQUENCE};
use crate::x509::{Certificate, certificates_of_pem, within};

/// Longest collateral that is looked at, in bytes: real ones have 25 KiB.
pub const LONGEST: usize = 256 * 1024;

/// Collateral, before anybody has looked who signed it.
pub(super) struct Collateral {
    pub(super) read: QuoteCollateralV3,
    tcb_info: Dated,
    qe_identity: Dated,
}

/// What TCB info and the quoting enclave's identity have in common.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dated {
    issue_date: String,
    next_update: String,
    tcb_evaluation_data_number: u32,
}

fn wrong(check: Check, found: impl Into<String>) -> Refusal {
    Refusal::new(check, Part::Collateral, found)
}

impl Collateral {
    /// Reads JSON as dcap-qvl and others write it: a member for each answer of Intel's service, bytes in hexadecimal.
    pub(super) fn read(json: &[u8]) -> Result<Self, Refusal> {
        if json.len() > LONGEST {
            let found = format!("it has {} bytes, and {LONGEST} at most are looked at", json.len());
            return Err(wrong(Check::Encoding, found));
        }
        let mut read: QuoteCollateralV3 = from_json(json, "it")?;
        // Quotes bring theirs, and a second one would leave the first without a check.
        read.pck_certificate_chain = None;
        Ok(Self {
            tcb_info: from_json(read.tcb_info.as_bytes(), "its TCB info")?,
            qe_identity: from_json(read.qe_identity.as_bytes(), "its QE identity")?,
            read,
        })
    }

    /// That its chains begin at this root.
    pub(super) fn is_of(&self, root: &[u8]) -> Result<(), Refusal> {
        for (name, chain) in self.chains() {
            if certificates(name, chain)?.last().map(Vec::as_slice) != Some(root) {
                let found = format!("the chain of {name} does not begin at the quote's root");
                return Err(wrong(Check::TrustAnchor, found));
            }
        }
        Ok(())
    }

    /// That each part of it is valid at `now`. From the second on that Intel names for the next update, it is as good as none.
    pub(super) fn in_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let invalid = |name: &str, why: String| wrong(Check::Validity, format!("{name}: {why}"));
        for (name, dated) in [("TCB info", &self.tcb_info), ("QE identity", &self.qe_identity)] {
            let (from, to) = (time(&dated.issue_date)?, time(&dated.next_update)?);
            within(from, to, now).map_err(|error| invalid(name, error.to_string()))?;
        }
        for (name, list) in [
            ("the root's revocation list", &self.read.root_ca_crl),
            ("the PCK authority's revocation list", &self.read.pck_crl),
        ] {
            let (from, to) =
                updates(list).map_err(|error| wrong(Check::Encoding, format!("{name}: {error}")))?;
            within(from, to, now).map_err(|error| invalid(name, error.to_string()))?;
        }
        for (name, chain) in self.chains() {
            for der in certificates(name, chain)? {
                let read = Certificate::read(&der)
                    .map_err(|error| wrong(Check::Encoding, format!("the chain of {name}: {error}")))?;
                within(read.not_before, read.not_after, now)
                    .map_err(|error| invalid(&format!("the chain of {name}"), error.to_string()))?;
            }
        }
        Ok(())
    }

    /// The number of Intel's latest event of security that it knows of: the older of its two parts'.
    pub(super) fn tcb_evaluation(&self) -> u32 {
        self.tcb_info
            .tcb_evaluation_data_number
            .min(self.qe_identity.tcb_evaluation_data_number)
    }

    fn chains(&self) -> [(&'static str, &str); 2] {
        [
            ("TCB info", &self.read.tcb_info_issuer_chain),
            ("QE identity", &self.read.qe_identity_issuer_chain),
        ]
    }
}

/// Reads JSON; the error tells where it is wrong, and nothing of what it says.
fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8], name: &str) -> Result<T, Refusal> {
    serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let found = format!("{name} is not of the form that it has: line {line}, column {column}");
        wrong(Check::Encoding, found)
    })
}

fn certificates(name: &str, chain: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    certificates_of_pem(chain)
        .map_err(|_why| wrong(Check::Encoding, format!("the chain of {name} is not PEM")))
}

fn time(written: &str) -> Result<Timestamp, Refusal> {
    Timestamp::parse_rfc3339(written)
        .map_err(|_error| wrong(Check::Encoding, "a date of it is no time in UTC"))
}

/// When a revocation list was made, and when the next one will be (RFC 5280, 5.1.2).
fn updates(list: &[u8]) -> Result<(Timestamp, Timestamp), DerError> {
    let mut signed = Der::new(Der::new(list).expect(SEQUENCE, "a revocation list")?);
    let mut fields = Der::new(signed.expect(SEQUENCE, "a revocation list")?);
    fields.optional(INTEGER)?;
    fields.expect(SEQUENCE, "an algorithm")?;
    fields.expect(SEQUENCE, "an issuer")?;
    Ok((fields.moment()?, fields.moment()?))
}
