//! Every reason to refuse a quote or its collateral, on ones that are right in everything else.

use dcap_qvl::QuoteCollateralV3;
use proptest::prelude::*;
use rcgen::date_time_ymd;

use super::issuer::{
    ATTRIBUTES, AUTHORITY, Intel, Made, PLATFORM, REPORT, SIGNER, Told, json, now, signed, signed_5,
};
use super::*;

type Change<'a> = (usize, &'a [u8]);

fn parts(refusal: &Refusal) -> (Check, Part) {
    (refusal.check(), refusal.part())
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_iso8601_basic(text).unwrap()
}

fn verified(quote: &[u8], intel: &Intel) -> Result<Genuine<Claims>, Refusal> {
    verify(quote, &intel.collateral(), &intel.anchors(), now())
}

/// That a quote with these changes is refused so.
fn refused(changes: &[Change<'_>], check: Check, says: &str) {
    let intel = Intel::new();
    let refusal = verified(&intel.quote(changes), &intel).unwrap_err();
    assert_eq!(parts(&refusal), (check, Part::TdQuote), "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

/// That a quote that is made otherwise is refused so.
fn refused_made(change: impl Fn(&mut Made), check: Check, says: &str) {
    let intel = Intel::new();
    let mut made = intel.made();
    change(&mut made);
    let refusal = verified(&intel.sign(signed(&[]), &made), &intel).unwrap_err();
    assert_eq!(parts(&refusal), (check, Part::TdQuote), "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

fn under(collateral: &QuoteCollateralV3, intel: &Intel) -> Result<Genuine<Claims>, Refusal> {
    verify(&intel.quote(&[]), &json(collateral), &intel.anchors(), now())
}

/// That a right quote is refused so under collateral that tells something else, signed.
fn refused_told(change: impl Fn(&mut Told), expected: (Check, Part), says: &str) {
    let intel = Intel::new();
    let mut told = intel.told();
    change(&mut told);
    let refusal = under(&intel.tell(&told), &intel).unwrap_err();
    assert_eq!(parts(&refusal), expected, "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

/// That a right quote is refused so under collateral that was altered after it was signed.
fn refused_altered(change: impl Fn(&mut QuoteCollateralV3), check: Check, says: &str) {
    let intel = Intel::new();
    let mut collateral = intel.tell(&intel.told());
    change(&mut collateral);
    let refusal = under(&collateral, &intel).unwrap_err();
    assert_eq!(parts(&refusal), (check, Part::Collateral), "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

fn replace(text: &mut String, from: &str, to: &str) {
    assert!(text.contains(from), "{from}");
    *text = text.replace(from, to);
}

#[test]
fn a_quote_that_is_right_in_everything_is_genuine() {
    let intel = Intel::new();
    let genuine = verified(&intel.quote(&[]), &intel).unwrap();
    let claims = genuine.claims();
    assert_eq!(claims.kind, EvidenceKind::Tdx);
    assert_eq!(claims.nonce.as_deref(), Some([0xd7; 64].as_slice()));
    assert_eq!(claims.platform, "99".repeat(16));
    assert_eq!((claims.issued_at, &claims.registers), (None, &None));
    let tdx = claims.tdx.as_ref().unwrap();
    assert_eq!((tdx.mr_td, tdx.mr_seam), ([0x3d; 48], [0x5e; 48]));
    assert_eq!((tdx.rtmr[0], tdx.rtmr[3]), ([0xa0; 48], [0xa3; 48]));
    assert_eq!((tdx.td_attributes, tdx.xfam), (0x1000_0000, 0x0006_02e7));
    assert_eq!(tdx.tcb_status, TcbStatus::UpToDate);
    assert_eq!((tdx.advisories.len(), tdx.tcb_evaluation), (0, 17));
}

#[test]
fn quotes_of_version_5_are_read_with_each_type_of_report() {
    let intel = Intel::new();
    for (kind, length) in [(2, 584), (3, 648), (4, 885)] {
        let quote = intel.sign(signed_5(kind, length, &[]), &intel.made());
        let genuine = verified(&quote, &intel).unwrap();
        assert_eq!(genuine.claims().tdx.as_ref().unwrap().mr_td, [0x3d; 48]);
    }
    for (kind, length, check) in [
        (1, 584, Check::Kind),
        (3, 584, Check::Encoding),
        (2, 648, Check::Encoding),
        (5, 885, Check::Encoding),
    ] {
        let quote = intel.sign(signed_5(kind, length, &[]), &intel.made());
        let refusal = verified(&quote, &intel).unwrap_err();
        assert_eq!(parts(&refusal), (check, Part::TdQuote), "{refusal}");
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let intel = Intel::new();
    let (quote, collateral) = (intel.quote(&[]), intel.collateral());
    let mut long = quote.clone();
    long.resize(LONGEST + 1, 0);
    let refusal = verify(&long, &collateral, &intel.anchors(), now()).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Encoding, Part::TdQuote));
    assert!(refusal.found().contains("16384 at most"), "{refusal}");
    let mut long = collateral;
    long.resize(LONGEST_COLLATERAL, b' ');
    assert!(verify(&quote, &long, &intel.anchors(), now()).is_ok());
    long.push(b' ');
    let refusal = verify(&quote, &long, &intel.anchors(), now()).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Encoding, Part::Collateral));
    assert!(refusal.found().contains("262144 at most"), "{refusal}");
}

#[test]
fn bytes_behind_a_quote_are_refused_and_so_is_a_cut_one() {
    let intel = Intel::new();
    let quote = intel.quote(&[]);
    for wrong in [&[quote.as_slice(), &[0]].concat(), &quote[..quote.len() - 1]] {
        let refusal = verified(wrong, &intel).unwrap_err();
        assert_eq!(parts(&refusal), (Check::Encoding, Part::TdQuote), "{refusal}");
        assert!(refusal.found().contains("is to end it"), "{refusal}");
    }
    for length in 0..700 {
        let refusal = verified(&quote[..length], &intel).unwrap_err();
        assert_eq!(refusal.check(), Check::Encoding, "{length}: {refusal}");
    }
}

#[test]
fn a_quote_of_sgx_or_of_another_vendor_is_refused() {
    refused(&[(4, &[0])], Check::Kind, "enclave of SGX");
    refused(&[(0, &[3]), (4, &[0])], Check::Kind, "enclave of SGX");
    refused(&[(4, &[0x82])], Check::Kind, "0x82");
    refused(&[(12, &[0x94])], Check::Kind, "not Intel's");
}

#[test]
fn a_quote_of_an_unknown_version_or_algorithm_is_refused() {
    for version in [0, 3, 6] {
        refused(&[(0, &[version])], Check::Encoding, "is not known");
    }
    refused(&[(2, &[3])], Check::Algorithm, "P-256");
}

#[test]
fn a_quote_that_does_not_bring_its_certificates_is_refused() {
    refused_made(|made| made.types.0 = 5, Check::Encoding, "no report");
    for kind in [3, 4, 6] {
        refused_made(|made| made.types.1 = kind, Check::Encoding, "does not bring");
    }
    refused_made(|made| made.chain.clear(), Check::Encoding, "not three");
    refused_made(|made| made.chain[0] = 0xff, Check::Encoding, "not PEM");
    refused_made(
        |made| made.chain.push(b'\n'),
        Check::Encoding,
        "as Intel writes it",
    );
    let one = |made: &mut Made| {
        let end = b"-----END CERTIFICATE-----\n";
        let at = made.chain.windows(end.len()).position(|part| part == end);
        made.chain.truncate(at.unwrap() + end.len());
    };
    refused_made(one, Check::Encoding, "not three");
    let of_windows = |made: &mut Made| {
        let text = String::from_utf8(made.chain.clone()).unwrap();
        made.chain = text.replace('\n', "\r\n").into_bytes();
    };
    refused_made(of_windows, Check::Encoding, "as Intel writes it");
}

#[test]
fn a_chain_may_end_without_a_zero() {
    let intel = Intel::new();
    let mut made = intel.made();
    made.chain.pop();
    assert!(verified(&intel.sign(signed(&[]), &made), &intel).is_ok());
}

#[test]
fn a_chain_of_another_root_is_refused() {
    let (intel, other) = (Intel::new(), Intel::new());
    let quote = intel.quote(&[]);
    for anchors in [other.anchors(), crate::evidence::intel_roots().unwrap()] {
        let refusal = verify(&quote, &intel.collateral(), &anchors, now()).unwrap_err();
        assert_eq!(parts(&refusal), (Check::TrustAnchor, Part::TdQuote), "{refusal}");
    }
    let refusal = verify(&quote, &other.collateral(), &intel.anchors(), now()).unwrap_err();
    assert_eq!(
        parts(&refusal),
        (Check::TrustAnchor, Part::Collateral),
        "{refusal}"
    );
}

#[test]
fn collateral_that_is_none_is_refused() {
    let intel = Intel::new();
    let quote = intel.quote(&[]);
    for text in ["", "{}", "[]", "{\"tcb_info\":{}}", "\u{7f}", "null"] {
        let refusal = verify(&quote, text.as_bytes(), &intel.anchors(), now()).unwrap_err();
        assert_eq!(parts(&refusal), (Check::Encoding, Part::Collateral), "{text}");
        assert!(refusal.found().contains("line "), "{refusal}");
    }
    let encoding = Check::Encoding;
    refused_altered(|told| told.tcb_info.clear(), encoding, "TCB info");
    refused_altered(|told| told.qe_identity.push('x'), encoding, "QE identity");
    refused_altered(|told| told.root_ca_crl.truncate(9), encoding, "revocation");
    refused_altered(|told| told.pck_crl.clear(), encoding, "revocation list");
    let date = "2026-06-01T00:00:00Z";
    let undated = |told: &mut QuoteCollateralV3| replace(&mut told.tcb_info, date, "yesterday");
    refused_altered(undated, encoding, "no time in UTC");
    let no_pem = |told: &mut QuoteCollateralV3| replace(&mut told.tcb_info_issuer_chain, "-----END", "");
    refused_altered(no_pem, encoding, "not PEM");
}

#[test]
fn collateral_is_refused_one_second_behind_its_time() {
    let intel = Intel::new();
    let at = |when| {
        verify(
            &intel.quote(&[]),
            &intel.collateral(),
            &intel.anchors(),
            time(when),
        )
    };
    assert!(at("20260601T000000Z").is_ok());
    for when in ["20260531T235959Z", "20260701T000001Z"] {
        assert_eq!(at(when).unwrap_err().check(), Check::Validity, "{when}");
    }
}

#[test]
fn each_part_of_collateral_has_a_time_of_its_own() {
    let validity = (Check::Validity, Part::Collateral);
    let (end, begin) = ("2026-07-01T00:00:00Z", "2026-06-01T00:00:00Z");
    let (past, ahead) = ("2026-06-10T11:59:59Z", "2026-06-10T12:00:01Z");
    refused_told(
        |told| replace(&mut told.tcb_info, end, past),
        validity,
        "TCB info",
    );
    refused_told(
        |told| replace(&mut told.tcb_info, begin, ahead),
        validity,
        "TCB info",
    );
    refused_told(
        |told| replace(&mut told.qe_identity, end, past),
        validity,
        "QE identity",
    );
    refused_told(
        |told| replace(&mut told.qe_identity, begin, ahead),
        validity,
        "QE identity",
    );
    refused_told(|told| told.lists_until.0 = 10, validity, "the root's revocation");
    refused_told(
        |told| told.lists_until.1 = 10,
        validity,
        "the PCK authority's revocation",
    );
}

#[test]
fn each_certificate_has_a_time_of_its_own() {
    for (serial, part) in [
        (SIGNER, Part::Collateral),
        (AUTHORITY, Part::Authority(0)),
        (PLATFORM, Part::Leaf),
    ] {
        let intel = match serial {
            SIGNER => Intel::with(|params| short(params, SIGNER)),
            AUTHORITY => Intel::with(|params| short(params, AUTHORITY)),
            _ => Intel::with(|params| short(params, PLATFORM)),
        };
        let refusal = verified(&intel.quote(&[]), &intel).unwrap_err();
        assert_eq!(parts(&refusal), (Check::Validity, part), "{refusal}");
    }
}

fn short(params: &mut rcgen::CertificateParams, serial: u8) {
    if params.serial_number == Some(rcgen::SerialNumber::from(vec![serial])) {
        params.not_after = date_time_ymd(2026, 6, 10);
    }
}

#[test]
fn collateral_that_was_altered_is_refused() {
    let check = Check::Signature;
    refused_altered(
        |told| replace(&mut told.tcb_info, "\"pcesvn\":11", "\"pcesvn\":10"),
        check,
        "tcb_info",
    );
    refused_altered(
        |told| replace(&mut told.qe_identity, "\"isvsvn\":6", "\"isvsvn\":5"),
        check,
        "qe_identity",
    );
    refused_altered(|told| told.tcb_info_signature[7] ^= 1, check, "tcb_info");
    refused_altered(|told| told.qe_identity_signature[40] ^= 1, check, "qe_identity");
    refused_altered(
        |told| *told.root_ca_crl.last_mut().unwrap() ^= 1,
        check,
        "root CA CRL",
    );
}

#[test]
fn a_revocation_list_of_another_authority_is_refused() {
    let (intel, other) = (Intel::new(), Intel::new());
    let mut collateral = intel.tell(&intel.told());
    collateral.pck_crl = other.tell(&other.told()).pck_crl;
    let refusal = under(&collateral, &intel).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Signature, Part::Collateral), "{refusal}");
}

#[test]
fn a_revoked_certificate_is_refused() {
    for serial in [SIGNER, AUTHORITY, PLATFORM] {
        refused_told(
            |told| told.revoked = Some(serial),
            (Check::Chain, Part::Collateral),
            "evoked",
        );
    }
}

#[test]
fn a_quote_that_another_key_signed_or_that_was_altered_is_refused() {
    let (intel, other) = (Intel::new(), Intel::new());
    let mut quote = intel.quote(&[]);
    quote[REPORT + 136] ^= 1;
    let refusal = verified(&quote, &intel).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Signature, Part::TdQuote), "{refusal}");
    assert!(refusal.found().contains("ISV"), "{refusal}");
    let quote = other.sign(signed(&[]), &intel.made());
    let refusal = verified(&quote, &intel).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Signature, Part::TdQuote), "{refusal}");
    refused_made(|made| made.altered = Some(70), Check::Signature, "qe_report");
    refused_made(|made| made.qe_report[320] = 1, Check::Binding, "hash");
    refused_made(|made| made.added.push(1), Check::Encoding, "auth data");
}

#[test]
fn another_quoting_enclave_than_intels_is_refused() {
    refused_made(|made| made.qe_report[128] = 1, Check::Binding, "MRSIGNER");
    refused_made(|made| made.qe_report[256] = 1, Check::Binding, "ISVPRODID");
    refused_made(|made| made.qe_report[16] = 1, Check::Binding, "MISCSELECT");
    refused_made(|made| made.qe_report[50] = 1, Check::Binding, "ATTRIBUTES");
    refused_made(|made| made.qe_report[48] = 0x13, Check::Mode, "Debug");
}

#[test]
fn collateral_of_another_kind_or_model_is_refused() {
    let sgx = |told: &mut Told| replace(&mut told.tcb_info, "\"TDX\"", "\"SGX\"");
    refused_told(sgx, (Check::Kind, Part::Collateral), "non-TDX");
    let qe = |told: &mut Told| replace(&mut told.qe_identity, "TD_QE", "QE");
    refused_told(qe, (Check::Kind, Part::Collateral), "QE Identity");
    let model = |told: &mut Told| replace(&mut told.tcb_info, "90c06f", "90c06e");
    refused_told(model, (Check::Binding, Part::Collateral), "Fmspc");
    let module = |told: &mut Told| replace(&mut told.tcb_info, &"00".repeat(48), &"01".repeat(48));
    refused_told(module, (Check::Binding, Part::TdQuote), "MRSIGNER");
    refused(&[(REPORT + 112, &[1])], Check::Binding, "SEAMATTRIBUTES");
}

#[test]
fn firmware_that_is_revoked_or_below_every_level_is_refused() {
    let tcb = (Check::Tcb, Part::Collateral);
    let status = |to: &'static str| move |told: &mut Told| replace(&mut told.tcb_info, "UpToDate", to);
    refused_told(status("Revoked"), tcb, "Revoked");
    refused_told(status("TDRelaunchAdvised"), tcb, "TDRelaunchAdvised");
    refused_told(
        status("Fine"),
        (Check::Encoding, Part::Collateral),
        "Failed to decode TcbInfo",
    );
    let newer = |told: &mut Told| replace(&mut told.tcb_info, "\"pcesvn\":11", "\"pcesvn\":12");
    refused_told(newer, tcb, "No matching TCB level");
    let enclave = |told: &mut Told| replace(&mut told.qe_identity, "\"isvsvn\":6", "\"isvsvn\":7");
    refused_told(enclave, tcb, "below minimum");
}

#[test]
fn a_domain_under_debug_is_refused() {
    for bit in 0..8 {
        refused(&[(REPORT + ATTRIBUTES, &[1 << bit])], Check::Mode, "under debug");
    }
}

#[test]
fn a_domain_that_another_may_reach_into_is_refused() {
    let at = REPORT + ATTRIBUTES;
    refused(&[(at + 3, &[0x30])], Check::Mode, "can be migrated");
    refused(&[(at + 2, &[0x02])], Check::Mode, "bound to it");
    refused(&[(at + 3, &[0])], Check::Mode, "take pages");
    refused(&[(at + 5, &[1])], Check::Mode, "Reserved bits");
    let intel = Intel::new();
    let bound = signed_5(3, 648, &[(600, &[1])]);
    let refusal = verified(&intel.sign(bound, &intel.made()), &intel).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Mode, Part::TdQuote), "{refusal}");
    assert!(refusal.found().contains("bound to it"), "{refusal}");
}

#[test]
fn performance_counters_are_told_and_not_refused() {
    let intel = Intel::new();
    let counters: Change<'_> = (REPORT + ATTRIBUTES + 7, &[0x80]);
    let genuine = verified(&intel.quote(&[counters]), &intel).unwrap();
    let attributes = genuine.claims().tdx.as_ref().unwrap().td_attributes;
    assert_eq!(attributes, 1 << 63 | 1 << 28);
}

#[test]
fn a_chain_in_the_collateral_does_not_stand_for_the_quotes() {
    let intel = Intel::new();
    let mut collateral = intel.tell(&intel.told());
    let right = String::from_utf8(intel.made().chain).unwrap();
    collateral.pck_certificate_chain = Some(right.trim_end_matches('\0').to_owned());
    assert!(under(&collateral, &intel).is_ok());
    let certificates: Vec<&str> = right.split_inclusive("-----END CERTIFICATE-----\n").collect();
    let without_leaf = Made {
        chain: [certificates[1], certificates[1], certificates[2]]
            .concat()
            .into_bytes(),
        ..intel.made()
    };
    let quote = intel.sign(signed(&[]), &without_leaf);
    let refusal = verify(&quote, &json(&collateral), &intel.anchors(), now()).unwrap_err();
    assert_eq!(refusal.check(), Check::Chain, "{refusal}");
}

#[test]
fn any_byte_of_a_quote_that_is_altered_is_noticed() {
    let intel = Intel::new();
    let (quote, collateral, anchors) = (intel.quote(&[]), intel.collateral(), intel.anchors());
    for at in 0..quote.len() {
        let mut altered = quote.clone();
        altered[at] ^= 1 << (at % 8);
        let verified = verify(&altered, &collateral, &anchors, now());
        assert!(verified.is_err(), "bit {} of {at}", at % 8);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(
        quote in proptest::collection::vec(any::<u8>(), 0..1300),
        collateral in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let anchors = crate::evidence::intel_roots().unwrap();
        prop_assert!(verify(&quote, &collateral, &anchors, now()).is_err());
        let mut begun = signed(&[]);
        begun.extend_from_slice(&quote);
        prop_assert!(verify(&begun, &collateral, &anchors, now()).is_err());
    }
}
