//! Reports of SEV-SNP guests and quotes of TDX domains: strangers' fixed fields, X.509, PEM and JSON, with a root of their own.

use moho_attest::evidence::snp::{self, SnpChain};
use moho_attest::evidence::tdx;
use moho_attest::evidence::{Claims, EvidenceKind, Genuine, Refusal};
use moho_attest::{TrustAnchor, TrustAnchors};
use moho_terms::Timestamp;

/// A moment within every certificate of the corpora: 10 June 2026, noon UTC.
const THEN: u64 = 1_781_092_800;

/// So many pieces, each behind its length in two bytes, the least first. What is missing is empty.
fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut left = data;
    [(); N].map(|()| {
        let (length, behind) = left.split_first_chunk().unwrap_or((&[0; 2], &[]));
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (piece, behind) = behind.split_at_checked(length).unwrap_or_default();
        left = behind;
        piece
    })
}

fn root(der: &[u8]) -> Option<TrustAnchors> {
    TrustAnchors::new(vec![TrustAnchor::from_der(der).ok()?]).ok()
}

fn report(data: &[u8]) -> Option<Result<Genuine<Claims>, Refusal>> {
    let [anchor, endorsement, authority, report] = pieces(data);
    let chain = SnpChain::new(endorsement.to_vec(), authority.to_vec());
    let then = Timestamp::from_unix_seconds(THEN);
    Some(snp::verify(report, &chain, &root(anchor)?, then))
}

fn quote(data: &[u8]) -> Option<Result<Genuine<Claims>, Refusal>> {
    let [anchor, quote, collateral] = pieces(data);
    let then = Timestamp::from_unix_seconds(THEN);
    Some(tdx::verify(quote, collateral, &root(anchor)?, then))
}

fn holds(verified: &Result<Genuine<Claims>, Refusal>, kind: EvidenceKind) {
    match verified {
        Ok(genuine) => {
            let claims = genuine.claims();
            assert_eq!(claims.kind, kind, "evidence is of its own kind");
            let told = claims.nonce.as_ref().map(Vec::len);
            assert_eq!(told, Some(64), "all data of a report is told");
        }
        Err(refusal) => assert!(
            refusal.to_string().len() < 600,
            "a refusal does not repeat what it refuses"
        ),
    }
}

/// The bytes as a root, a certificate, its authority and a report.
pub fn snp_report(data: &[u8]) {
    let Some(verified) = report(data) else { return };
    holds(&verified, EvidenceKind::Snp);
    if let Ok(genuine) = verified {
        let claims = genuine.claims().snp.as_ref();
        let debugging = claims.is_none_or(|claims| claims.guest_policy.allows_debugging());
        assert!(!debugging, "a guest under debug is not genuine");
    }
}

/// Whether the bytes are a report that is genuine under its own root.
#[must_use]
pub fn is_snp_report(data: &[u8]) -> bool {
    report(data).is_some_and(|verified| verified.is_ok())
}

/// The bytes as a root, a quote and its collateral.
pub fn tdx_quote(data: &[u8]) {
    let Some(verified) = quote(data) else { return };
    holds(&verified, EvidenceKind::Tdx);
    if let Ok(genuine) = verified {
        let claims = genuine.claims().tdx.as_ref();
        let debugging = claims.is_none_or(|claims| claims.td_attributes & 0xff != 0);
        assert!(!debugging, "a domain under debug is not genuine");
    }
}

/// Whether the bytes are a quote that is genuine under its own root.
#[must_use]
pub fn is_tdx_quote(data: &[u8]) -> bool {
    quote(data).is_some_and(|verified| verified.is_ok())
}
