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

use moho_attest::evidence::{Check, EvidenceKind, Refusal, aws_nitro_roots, nitro};
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
