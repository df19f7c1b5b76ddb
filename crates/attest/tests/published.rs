//! Real evidence of publishers who have nothing to do with moho, each at its own time.
//!
//! None of it is kept here: `cargo xtask test` brings what crates publish and names the folder in `MOHO_ATTEST_VECTORS`. Without
//! it, and without a folder `../shared/data/attest` beside the checkout, the tests say so and end.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests, which read a folder that a variable names, and say if there is none"
)]

use std::path::{Path, PathBuf};

use moho_attest::evidence::snp::SnpChain;
use moho_attest::evidence::tdx::TcbStatus;
use moho_attest::evidence::tpm::{AttestationKey, EventLog, Quote};
use moho_attest::evidence::{
    Bank, Check, Claims, EvidenceKind, Genuine, Part, Refusal, Registers, amd_roots, aws_nitro_roots,
    intel_roots, nitro, snp, tdx,
};
use moho_terms::{Timestamp, hex};

/// A file of the folder, wherever in it; `None`, and said so, where there is no folder or no such file.
fn published(name: &str) -> Option<Vec<u8>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/attest");
    let folder = std::env::var_os("MOHO_ATTEST_VECTORS").map_or_else(beside, PathBuf::from);
    let found = find(&folder, name);
    if found.is_none() {
        println!("{name} is not in {}: not tried", folder.display());
    }
    std::fs::read(found?).ok()
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries.map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            find(&path, name)
        } else {
            (path.file_name()? == name).then_some(path)
        }
    })
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse_iso8601_basic(time).unwrap()
}

fn verify(document: &[u8], time: &str) -> Result<EvidenceKind, Refusal> {
    nitro::verify(document, &aws_nitro_roots().unwrap(), at(time)).map(|genuine| genuine.claims().kind)
}

#[test]
fn documents_of_enclaves_pass_at_their_own_time_and_at_no_other() {
    for (name, own, later) in [
        ("nitro_attest-0.2.0.cose", "20250106T160705Z", "20250107T160705Z"),
        ("evervault-valid.cose", "20221013T085802Z", "20221014T085802Z"),
    ] {
        let Some(document) = published(name) else { continue };
        assert_eq!(verify(&document, own), Ok(EvidenceKind::Nitro), "{name}");
        assert_eq!(
            verify(&document, later).unwrap_err().check(),
            Check::Validity,
            "{name}"
        );
        for byte in (0..document.len()).step_by(7) {
            let mut altered = document.clone();
            if let Some(byte) = altered.get_mut(byte) {
                *byte ^= 4;
            }
            assert!(verify(&altered, own).is_err(), "{name}, byte {byte}");
        }
    }
}

#[test]
fn documents_of_enclaves_in_debug_mode_are_refused_though_every_signature_holds() {
    let Some(document) = published("evervault-debug.cose") else {
        return;
    };
    assert_eq!(
        verify(&document, "20221012T135006Z").unwrap_err().check(),
        Check::Mode
    );
}

#[test]
fn a_document_of_a_nitrotpm_passes_at_its_own_time() {
    let Some(document) = published("vaportpm-nitrotpm.cose") else {
        return;
    };
    let genuine = nitro::verify(&document, &aws_nitro_roots().unwrap(), at("20260203T101202Z")).unwrap();
    let claims = genuine.claims();
    assert_eq!(claims.kind, EvidenceKind::NitroTpm);
    assert_eq!(claims.platform, "i-01cfb383223e42522-tpm0000000000000000");
    assert_eq!(claims.public_key.as_ref().unwrap().len(), 65);
    let seventeen = claims.registers.as_ref().unwrap().get(17).unwrap();
    assert_eq!(hex::encode(seventeen), "f".repeat(96));
    assert!(genuine.for_key_release(at("20260203T101202Z")).is_ok());
}

/// The fields of a protobuf message that hold bytes or numbers: each with its number.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8], u64)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let number = varint(&mut message);
        let bytes = if tag & 7 == 2 {
            let (bytes, rest) = message.split_at(usize::try_from(number).unwrap());
            message = rest;
            bytes
        } else {
            &[]
        };
        found.push((tag >> 3, bytes, number));
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn one<'a>(message: &[(u64, &'a [u8], u64)], number: u64) -> &'a [u8] {
    message.iter().find(|(found, ..)| *found == number).unwrap().1
}

#[test]
fn quotes_of_a_cloud_machine_hold_and_its_log_leads_to_them() {
    let Some(bytes) = published("gotpm-gce-cos-85-nonce9009.pb") else {
        return;
    };
    let attestation = fields(&bytes);
    let key = AttestationKey::read(one(&attestation, 1)).unwrap();
    let mut banks = Vec::new();
    for (_, quote, _) in attestation.iter().filter(|(number, ..)| *number == 2) {
        let quote = fields(quote);
        let verified = Quote::verify(one(&quote, 1), one(&quote, 2), &key);
        let told = fields(one(&quote, 3));
        let bank = match told.iter().find(|(number, ..)| *number == 1).unwrap().2 {
            0x0b => Bank::Sha256,
            0x0c => Bank::Sha384,
            _ => {
                assert_eq!(verified.unwrap_err().check(), Check::Algorithm, "SHA-1 alone");
                continue;
            }
        };
        let verified = verified.unwrap();
        assert_eq!(verified.qualifying_data(), [0x90, 0x09]);
        let entries = told
            .iter()
            .filter(|(number, ..)| *number == 2)
            .map(|(_, entry, _)| fields(entry));
        let mut values: Vec<(u8, &[u8])> = entries
            .map(|entry| {
                // A register of number 0 leaves its number out.
                let index = entry
                    .iter()
                    .find(|(number, ..)| *number == 1)
                    .map_or(0, |(.., index)| *index);
                (u8::try_from(index).unwrap(), one(&entry, 2))
            })
            .collect();
        values.sort_unstable();
        let registers = Registers::told(bank, values).unwrap();
        assert_eq!(verified.is_over(&registers), Ok(()));
        let log = EventLog::read(one(&attestation, 3), bank).unwrap();
        let indices: Vec<u8> = (0..10).collect();
        assert_eq!(log.leads_to(&registers, &indices), Ok(()));
        banks.push(bank);
    }
    assert_eq!(banks, [Bank::Sha256, Bank::Sha384]);
}

/// A report, its VCEK, and a moment of both.
const GUEST: (&str, &str, &str) = (
    "trustee-test-report.bin",
    "trustee-test-vcek.der",
    "20240101T000000Z",
);

#[test]
fn a_report_of_a_milan_passes_up_to_amds_root() {
    let (Some(report), Some(vcek)) = (published(GUEST.0), published(GUEST.1)) else {
        return;
    };
    let chain = SnpChain::of_vcek(vcek).unwrap();
    let verify = |report: &[u8], time| snp::verify(report, &chain, &amd_roots().unwrap(), at(time));
    let genuine = verify(&report, GUEST.2).unwrap();
    let claims = genuine.claims().snp.as_ref().unwrap();
    assert_eq!(claims.product, snp::Product::Milan);
    assert_eq!((claims.vmpl, claims.guest_svn), (0, 4));
    assert_eq!(
        (claims.reported_tcb.snp, claims.reported_tcb.microcode),
        (8, 0x73)
    );
    assert_eq!(claims.current_tcb.microcode, 0xce);
    assert_eq!(hex::encode(&claims.measurement[..4]), "a1f39304");
    assert_eq!(genuine.claims().platform, hex::encode(&report[0x1a0..0x1e0]));
    for time in ["20230124T000000Z", "20300125T000000Z"] {
        assert_eq!(verify(&report, time).unwrap_err().check(), Check::Validity);
    }
    for byte in (0..report.len()).step_by(11) {
        let mut altered = report.clone();
        altered[byte] ^= 4;
        assert!(verify(&altered, GUEST.2).is_err(), "byte {byte}");
    }
}

#[test]
fn a_report_under_the_certificate_of_another_real_chip_is_refused() {
    let (Some(blob), Some(vcek)) = (published("az-cvm-vtpm-hcl-report-snp.bin"), published(GUEST.1)) else {
        return;
    };
    let chain = SnpChain::of_vcek(vcek).unwrap();
    // Microsoft's header stands before the report.
    let report = &blob[32..32 + snp::LENGTH];
    let refusal = snp::verify(report, &chain, &amd_roots().unwrap(), at(GUEST.2)).unwrap_err();
    assert_eq!(
        (refusal.check(), refusal.part()),
        (Check::Signature, Part::Report)
    );
}

/// A quote and its collateral.
fn domain(name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    Some((published(name)?, published(&format!("{name}_collateral.json"))?))
}

fn verify_quote(quote: &[u8], collateral: &[u8], time: &str) -> Result<Genuine<Claims>, Refusal> {
    tdx::verify(quote, collateral, &intel_roots().unwrap(), at(time))
}

#[test]
fn quotes_of_domains_pass_while_their_collateral_is_valid() {
    for (name, time, length, evaluation) in [
        ("dcapqvl-tdx_quote", "20250620T000000Z", 4936, 17),
        ("dcapqvl-tdx_quote_td15ex", "20261010T000000Z", 5247, 20),
    ] {
        let Some((mut quote, collateral)) = domain(name) else {
            continue;
        };
        if quote.len() > length {
            let refusal = verify_quote(&quote, &collateral, time).unwrap_err();
            assert_eq!(
                (refusal.check(), refusal.part()),
                (Check::Encoding, Part::TdQuote)
            );
            // What its publisher's buffer had behind the quote.
            quote.truncate(length);
        }
        let genuine = verify_quote(&quote, &collateral, time).unwrap();
        let claims = genuine.claims().tdx.as_ref().unwrap();
        assert_eq!(claims.tcb_status, TcbStatus::UpToDate, "{name}");
        assert!(claims.advisories.is_empty(), "{name}");
        assert_eq!(claims.tcb_evaluation, evaluation, "{name}");
        assert_eq!(claims.td_attributes, 0x1000_0000, "{name}");
        for other in ["20250601T000000Z", "20261120T000000Z"] {
            let refusal = verify_quote(&quote, &collateral, other).unwrap_err();
            assert_eq!(refusal.check(), Check::Validity, "{name}: {refusal}");
        }
        for byte in (0..quote.len()).step_by(37) {
            let mut altered = quote.clone();
            if let Some(byte) = altered.get_mut(byte) {
                *byte ^= 4;
            }
            let altered = verify_quote(&altered, &collateral, time);
            assert!(altered.is_err(), "{name}, byte {byte}");
        }
    }
}

#[test]
fn a_quote_of_firmware_below_every_level_that_intel_knows_is_refused() {
    let Some((quote, collateral)) = domain("dcapqvl-tdx_quote_outdated") else {
        return;
    };
    let refusal = verify_quote(&quote, &collateral, "20260301T000000Z").unwrap_err();
    assert_eq!((refusal.check(), refusal.part()), (Check::Tcb, Part::Collateral));
}

#[test]
fn a_quote_of_sgx_is_refused_though_every_signature_holds() {
    let Some((quote, collateral)) = domain("dcapqvl-sgx_quote") else {
        return;
    };
    let refusal = verify_quote(&quote, &collateral, "20250620T000000Z").unwrap_err();
    assert_eq!((refusal.check(), refusal.part()), (Check::Kind, Part::TdQuote));
}

#[test]
fn a_quote_under_the_collateral_of_another_platform_is_refused() {
    let (Some((quote, _)), Some((_, collateral))) = (
        domain("dcapqvl-tdx_quote_outdated"),
        domain("dcapqvl-tdx_quote_td15ex"),
    ) else {
        return;
    };
    let refusal = verify_quote(&quote, &collateral, "20261010T000000Z").unwrap_err();
    assert_eq!(refusal.check(), Check::Binding, "{refusal}");
}

#[test]
fn logs_of_real_machines_are_read_and_the_older_form_is_refused() {
    for (name, events) in [
        ("gotpm-cos-101-amd-sev.bin", 48),
        ("gotpm-ubuntu-2404-amd-sevsnp.bin", 116),
    ] {
        let Some(log) = published(name) else { continue };
        for bank in [Bank::Sha256, Bank::Sha384] {
            let read = EventLog::read(&log, bank).unwrap();
            assert!(
                (events - 3..=events).contains(&read.events().len()),
                "{name}: {}",
                read.events().len()
            );
        }
    }
    let Some(log) = published("gotpm-debian-10.bin") else {
        return;
    };
    assert_eq!(
        EventLog::read(&log, Bank::Sha256).unwrap_err().check(),
        Check::Algorithm
    );
}
