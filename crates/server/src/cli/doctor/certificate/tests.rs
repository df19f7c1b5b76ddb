//! Each fault of a certificate, really made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};

use super::*;
use crate::cli::doctor::finding::Level;

/// 2026-03-01.
const NOW: u64 = 1_772_323_200;

struct Made {
    folder: tempfile::TempDir,
    key: KeyPair,
    authority_key: KeyPair,
    authority: CertificateParams,
}

fn params(names: &[&str], from: i32, to: i32) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "server");
    params
}

impl Made {
    fn new() -> Self {
        let mut authority = params(&[], 2020, 2040);
        authority
            .distinguished_name
            .push(rcgen::DnType::CommonName, "authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            folder: tempfile::tempdir().unwrap(),
            key: KeyPair::generate().unwrap(),
            authority_key: KeyPair::generate().unwrap(),
            authority,
        }
    }

    /// A certificate of the server's own key, by the authority.
    fn own(&self, params: &CertificateParams) -> String {
        let issuer = Issuer::from_params(&self.authority, &self.authority_key);
        params.signed_by(&self.key, &issuer).unwrap().pem()
    }

    fn authority(&self) -> String {
        self.authority.self_signed(&self.authority_key).unwrap().pem()
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// What is found about a chain with the server's own key.
    fn found(&self, chain: &str) -> Vec<Finding> {
        self.found_for(chain, &[])
    }

    fn found_for(&self, chain: &str, names: &[&str]) -> Vec<Finding> {
        let certificate = self.write("chain.pem", chain, 0o644);
        let key = self.write("key.pem", &self.key.serialize_pem(), 0o600);
        looked(&certificate, &key, names)
    }
}

fn looked(certificate: &Path, key: &Path, names: &[&str]) -> Vec<Finding> {
    let names: Vec<HostName> = names.iter().map(|name| name.parse().unwrap()).collect();
    given(Timestamp::from_unix_seconds(NOW), (certificate, key), &names)
}

/// The one finding, at this level, whose words hold these.
fn only(findings: &[Finding], level: Level, words: &[&str]) {
    let [found] = findings else { panic!("{findings:?}") };
    assert_eq!(found.level, level, "{found:?}");
    for word in words {
        assert!(found.line().contains(word), "`{word}` is not in {}", found.line());
    }
}

#[test]
fn a_good_chain_is_fine() {
    let made = Made::new();
    let chain = made.own(&params(&["moho.example", "127.0.0.1"], 2025, 2027)) + &made.authority();
    let names = ["moho.example", "127.0.0.1"];
    only(
        &made.found_for(&chain, &names),
        Level::Fine,
        &["moho.example, 127.0.0.1", "2027-01-01"],
    );
}

#[test]
fn times_that_are_over_or_to_come_are_faults() {
    let made = Made::new();
    let chain = |from, to| made.own(&params(&["a.example"], from, to)) + &made.authority();
    only(
        &made.found(&chain(2024, 2025)),
        Level::Fault,
        &["ended on 2025-01-01", "renew it"],
    );
    only(
        &made.found(&chain(2027, 2028)),
        Level::Fault,
        &["not valid before 2027-01-01", "timedatectl"],
    );
    let mut soon = params(&["a.example"], 2025, 2026);
    soon.not_after = date_time_ymd(2026, 3, 10);
    only(
        &made.found(&(made.own(&soon) + &made.authority())),
        Level::Warning,
        &["2026-03-10", "renew it now"],
    );
}

#[test]
fn an_issuer_that_has_ended_is_a_fault() {
    let mut made = Made::new();
    made.authority.not_after = date_time_ymd(2025, 1, 1);
    let chain = made.own(&params(&["a.example"], 2024, 2027)) + &made.authority();
    only(
        &made.found(&chain),
        Level::Fault,
        &["certificate 2 of the chain ended on 2025-01-01"],
    );
}

#[test]
fn a_key_of_another_certificate_is_a_fault() {
    let made = Made::new();
    let chain = made.own(&params(&["a.example"], 2025, 2027)) + &made.authority();
    let certificate = made.write("chain.pem", &chain, 0o644);
    let key = made.write("other.pem", &KeyPair::generate().unwrap().serialize_pem(), 0o600);
    only(
        &looked(&certificate, &key, &[]),
        Level::Fault,
        &["cannot be used together", "tls.key"],
    );
}

#[test]
fn files_that_are_absent_or_something_else_are_faults() {
    let made = Made::new();
    let absent = made.folder.path().join("absent.pem");
    let key = made.write("key.pem", &made.key.serialize_pem(), 0o600);
    only(
        &looked(&absent, &key, &[]),
        Level::Fault,
        &["absent.pem cannot be read: No such file"],
    );
    only(
        &made.found("nothing of the kind"),
        Level::Fault,
        &["holds no usable certificate"],
    );
    let chain = made.own(&params(&["a.example"], 2025, 2027)) + &made.authority();
    let certificate = made.write("chain.pem", &chain, 0o644);
    only(
        &looked(&certificate, &absent, &[]),
        Level::Fault,
        &["absent.pem cannot be read"],
    );
    only(
        &looked(&certificate, &made.write("no-key.pem", &chain, 0o600), &[]),
        Level::Fault,
        &["holds no usable private key"],
    );
}

#[test]
fn names_that_are_missing_are_faults() {
    let made = Made::new();
    let nameless = made.own(&params(&[], 2025, 2027)) + &made.authority();
    only(&made.found(&nameless), Level::Fault, &["no subjectAltName"]);
    let chain = made.own(&params(&["*.a.example"], 2025, 2027)) + &made.authority();
    only(&made.found_for(&chain, &["x.a.example"]), Level::Fine, &[]);
    only(
        &made.found_for(&chain, &["b.example"]),
        Level::Fault,
        &["is not for b.example, only for *.a.example"],
    );
}

#[test]
fn a_chain_in_the_wrong_order_or_of_strangers_is_a_fault() {
    let made = Made::new();
    let own = made.own(&params(&["a.example"], 2025, 2027));
    let mut stranger = params(&[], 2020, 2040);
    stranger
        .distinguished_name
        .push(rcgen::DnType::CommonName, "stranger");
    let stranger = stranger.self_signed(&made.authority_key).unwrap().pem();
    only(
        &made.found(&(own.clone() + &stranger)),
        Level::Fault,
        &["certificate 2 of the chain did not issue certificate 1"],
    );
    let turned = made.found(&(made.authority() + &own));
    assert!(
        turned
            .iter()
            .any(|found| found.what.contains("cannot be used together")),
        "{turned:?}"
    );
    assert!(
        turned
            .iter()
            .any(|found| found.cure.contains("server's own certificate first")),
        "{turned:?}"
    );
    // The right name, but another key: only the signature tells.
    let impostor = made
        .authority
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .pem();
    only(
        &made.found(&(own.clone() + &impostor)),
        Level::Fault,
        &["the chain does not hold"],
    );
    only(
        &made.found(&own),
        Level::Note,
        &["without its issuer's", "fullchain.pem"],
    );
}

#[test]
fn a_certificate_for_another_purpose_is_told() {
    let made = Made::new();
    let mut mail = params(&["a.example"], 2025, 2027);
    mail.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    only(
        &made.found(&(made.own(&mail) + &made.authority())),
        Level::Fault,
        &["server authentication"],
    );
    let mut authority = params(&["a.example"], 2025, 2027);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let alone = authority.self_signed(&made.key).unwrap().pem();
    only(
        &made.found(&alone),
        Level::Warning,
        &["an authority's", "CA:TRUE"],
    );
    let plain = params(&["a.example"], 2025, 2027)
        .self_signed(&made.key)
        .unwrap()
        .pem();
    only(&made.found(&plain), Level::Fine, &[]);
}

#[test]
fn a_key_that_others_may_read_is_told() {
    let made = Made::new();
    let chain = made.own(&params(&["a.example"], 2025, 2027)) + &made.authority();
    let certificate = made.write("chain.pem", &chain, 0o644);
    let key = made.write("key.pem", &made.key.serialize_pem(), 0o640);
    only(
        &looked(&certificate, &key, &[]),
        Level::Warning,
        &["mode 640", "chmod 600"],
    );
}

#[test]
fn a_generated_certificate_is_for_the_names_it_is_told() {
    use crate::cli::doctor::tests::{config, scene};
    let names = ["moho.example".parse().unwrap()];
    let without = config(&[]);
    only(
        &check(&scene(&without), &names),
        Level::Fault,
        &["--tls-name moho.example"],
    );
    let with = config(&[("tls.names", "moho.example")]);
    only(
        &check(&scene(&with), &names),
        Level::Fine,
        &["moho.example", "ca.pem"],
    );
}
