//! Every reason to refuse a document, on documents that are right in everything else.

use moho_terms::Timestamp;
use proptest::prelude::*;

use super::super::appraisal::{AppraisalPolicy, BootReference, EnclaveReference, Freshness, References};
use super::issuer::{Chain, Fields, NitroIssuer, bytes, now, number};
use super::*;
use crate::evidence::registers::{Bank, BootDigest};

fn verified(fields: &Fields<'_>, issuer: &NitroIssuer) -> Result<Genuine<Claims>, Refusal> {
    verify(&fields.sign(), &issuer.anchors(), now())
}

/// The check and part that refused it, and the whole refusal.
fn refused(document: &[u8], issuer: &NitroIssuer) -> (Check, Part, String) {
    let refusal = verify(document, &issuer.anchors(), now()).unwrap_err();
    (refusal.check(), refusal.part(), refusal.to_string())
}

fn refused_chain(wrong: Chain) -> (Check, Part, String) {
    let issuer = NitroIssuer::with(wrong);
    refused(&issuer.enclave().sign(), &issuer)
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_iso8601_basic(text).unwrap()
}

#[test]
fn a_document_that_is_right_in_everything_is_genuine() {
    let issuer = NitroIssuer::new();
    let enclave = verified(&issuer.enclave(), &issuer).unwrap();
    let claims = enclave.claims();
    assert_eq!(
        (claims.kind, claims.workload),
        (EvidenceKind::Nitro, Workload::Image)
    );
    assert_eq!(
        claims.registers.as_ref().unwrap().get(2),
        Some([3; 48].as_slice())
    );
    assert_eq!(claims.nonce.as_deref(), Some(b"a nonce of the test's".as_slice()));
    assert_eq!((&claims.public_key, &claims.user_data), (&None, &None));
    assert_eq!(claims.issued_at, Some(now()));
    let instance = verified(&issuer.nitrotpm(), &issuer).unwrap();
    let claims = instance.claims();
    assert_eq!(
        (claims.kind, claims.workload),
        (EvidenceKind::NitroTpm, Workload::Unmeasured)
    );
    assert_eq!(claims.platform, "i-0123456789abcdef0-tpm0000000000000000");
}

#[test]
fn a_document_may_carry_coses_tag() {
    let issuer = NitroIssuer::new();
    let mut document = issuer.enclave().sign();
    document.insert(0, 0xd2);
    assert!(verify(&document, &issuer.anchors(), now()).is_ok());
}

#[test]
fn debug_enclave_zero_pcrs() {
    let issuer = NitroIssuer::new();
    for index in [0, 1, 2] {
        let document = issuer.enclave().register(index, &[0; 48]).sign();
        let (check, part, said) = refused(&document, &issuer);
        assert_eq!((check, part), (Check::Mode, Part::Document), "{said}");
    }
    let document = issuer.nitrotpm().register(4, &[0; 48]).sign();
    assert_eq!(refused(&document, &issuer).0, Check::Mode);
}

#[test]
fn leaf_expired_by_one_second() {
    let issuer = NitroIssuer::new();
    let document = issuer.enclave().sign();
    let at = |when| verify(&document, &issuer.anchors(), time(when));
    assert!(at("20260701T000000Z").is_ok(), "the last second counts");
    let late = at("20260701T000001Z").unwrap_err();
    assert_eq!(late.check(), Check::Validity);
    assert!(late.found().contains("2026-07-01T00:00:00Z"), "{late}");
    let early = at("20260531T235959Z").unwrap_err();
    assert_eq!(early.check(), Check::Validity);
    assert!(at("20260601T000000Z").is_ok());
}

#[test]
fn a_foreign_chain_is_refused_with_its_fingerprint() {
    let (issuer, other) = (NitroIssuer::new(), NitroIssuer::new());
    let refusal = verify(&issuer.enclave().sign(), &other.anchors(), now()).unwrap_err();
    assert_eq!(refusal.check(), Check::TrustAnchor);
    let aws = verify(
        &issuer.enclave().sign(),
        &crate::evidence::aws_nitro_roots().unwrap(),
        now(),
    );
    assert_eq!(aws.unwrap_err().check(), Check::TrustAnchor);
}

#[test]
fn a_chain_may_leave_its_anchor_out() {
    let issuer = NitroIssuer::new();
    let mut bundle = vec![0x81];
    crate::cbor::write_bytes(&issuer.authorities[1], &mut bundle);
    let document = issuer.enclave().set("cabundle", bundle).sign();
    assert!(verify(&document, &issuer.anchors(), now()).is_ok());
}

#[test]
fn certificates_with_odd_extensions_are_refused_if_they_are_critical() {
    let (check, part, said) = refused_chain(Chain::OddExtension);
    assert_eq!((check, part), (Check::Encoding, Part::Leaf), "{said}");
    assert!(said.contains("1.3.6.1.4.1.99999.1"), "{said}");
    let issuer = NitroIssuer::with(Chain::OddExtensionUncritical);
    assert!(verified(&issuer.enclave(), &issuer).is_ok());
}

#[test]
fn a_chain_with_who_may_not_issue_is_refused() {
    for (wrong, check, part) in [
        (Chain::AuthorityIsNone, Check::Chain, Part::Authority(1)),
        (Chain::LeafIsAuthority, Check::Chain, Part::Leaf),
        (Chain::LeafMayNotSign, Check::Chain, Part::Leaf),
        (Chain::PathTooLong, Check::Chain, Part::Authority(0)),
        (Chain::OtherIssuer, Check::Chain, Part::Leaf),
        (Chain::LeafOnP256, Check::Algorithm, Part::Leaf),
    ] {
        let found = refused_chain(wrong);
        assert_eq!((found.0, found.1), (check, part), "{}", found.2);
    }
}

#[test]
fn a_certificate_that_another_key_signed_is_refused() {
    let (issuer, other) = (NitroIssuer::new(), NitroIssuer::new());
    let document = issuer.enclave().set("certificate", bytes(&other.leaf)).sign();
    let (check, part, said) = refused(&document, &issuer);
    assert_eq!((check, part), (Check::Signature, Part::Leaf), "{said}");
}

#[test]
fn a_document_that_its_leaf_did_not_sign_is_refused() {
    let (issuer, other) = (NitroIssuer::new(), NitroIssuer::new());
    let document = other.sign(&issuer.enclave().payload());
    let (check, part, said) = refused(&document, &issuer);
    assert_eq!((check, part), (Check::Signature, Part::Document), "{said}");
}

#[test]
fn trailing_bytes_after_document() {
    let issuer = NitroIssuer::new();
    let mut document = issuer.enclave().sign();
    document.push(0);
    let (check, _, said) = refused(&document, &issuer);
    assert_eq!(check, Check::Encoding);
    assert!(said.contains("behind its end"), "{said}");
    let mut payload = issuer.enclave().payload();
    payload.push(0xf6);
    assert_eq!(refused(&issuer.sign(&payload), &issuer).0, Check::Encoding);
}

#[test]
fn a_field_twice_is_refused() {
    let issuer = NitroIssuer::new();
    for name in ["nonce", "pcrs", "public_key", "unheard"] {
        let mut fields = issuer.enclave();
        if name == "unheard" {
            fields.written.push((name, vec![0]));
        }
        fields.written.push((name, vec![0xf6]));
        let (check, _, said) = refused(&fields.sign(), &issuer);
        assert_eq!(check, Check::Encoding);
        assert!(said.contains("twice"), "{said}");
    }
}

#[test]
fn a_register_twice_is_refused() {
    let issuer = NitroIssuer::new();
    let mut registers = vec![0xb1];
    for index in (0..16).chain([4]) {
        registers.extend(number(index));
        registers.extend(bytes(&[7; 48]));
    }
    let (check, _, said) = refused(&issuer.enclave().set("pcrs", registers).sign(), &issuer);
    assert_eq!(check, Check::Registers);
    assert!(said.contains("PCR4 is there twice"), "{said}");
}

#[test]
fn indefinite_lengths_are_refused() {
    let issuer = NitroIssuer::new();
    let mut payload = issuer.enclave().payload();
    payload[0] = 0xbf;
    payload.push(0xff);
    let (check, _, said) = refused(&issuer.sign(&payload), &issuer);
    assert_eq!(check, Check::Encoding);
    assert!(said.contains("indefinite"), "{said}");
    let indefinite = vec![0x5f, 0x41, 1, 0xff];
    assert_eq!(
        refused(&issuer.enclave().set("nonce", indefinite).sign(), &issuer).0,
        Check::Encoding
    );
}

#[test]
fn the_map_of_a_nitrotpm_alone_may_have_an_indefinite_length() {
    let issuer = NitroIssuer::new();
    let mut payload = issuer.nitrotpm().payload();
    payload[0] = 0xbf;
    assert!(
        verify(&issuer.sign(&payload), &issuer.anchors(), now()).is_err(),
        "without an end"
    );
    payload.push(0xff);
    assert!(verify(&issuer.sign(&payload), &issuer.anchors(), now()).is_ok());
    payload.push(0xff);
    assert!(
        verify(&issuer.sign(&payload), &issuer.anchors(), now()).is_err(),
        "with two ends"
    );
    let mut twice = issuer.nitrotpm().payload();
    twice[0] = 0xbf;
    twice.extend(b"\x65nonce\xf6\xff");
    assert!(refused(&issuer.sign(&twice), &issuer).2.contains("twice"));
    let mut many = vec![0xbf];
    for name in b'A'..=b'a' {
        many.extend([0x61, name, 0xf6]);
    }
    many.push(0xff);
    assert_eq!(refused(&issuer.sign(&many), &issuer).0, Check::Encoding);
}

#[test]
fn numbers_that_are_longer_than_they_need_be_are_refused() {
    let issuer = NitroIssuer::new();
    let (check, _, said) = refused(&issuer.enclave().set("timestamp", vec![0x18, 1]).sign(), &issuer);
    assert_eq!(check, Check::Encoding);
    assert!(said.contains("shortest"), "{said}");
}

#[test]
fn registers_left_out_are_refused() {
    let issuer = NitroIssuer::new();
    for index in 0..24 {
        let document = issuer.nitrotpm().without_register(index).sign();
        assert_eq!(refused(&document, &issuer).0, Check::Registers, "{index}");
        if index < 16 {
            let document = issuer.enclave().without_register(index).sign();
            assert_eq!(refused(&document, &issuer).0, Check::Registers, "{index}");
        }
    }
    assert_eq!(
        refused(&issuer.enclave().register(16, &[0; 48]).sign(), &issuer).0,
        Check::Registers
    );
    assert_eq!(
        refused(&issuer.enclave().register(3, &[3; 32]).sign(), &issuer).0,
        Check::Registers
    );
}

#[test]
fn downgraded_algorithms_are_refused() {
    let issuer = NitroIssuer::new();
    let (check, _, said) = refused(
        &issuer.enclave().set("digest", b"\x66SHA256".to_vec()).sign(),
        &issuer,
    );
    assert_eq!(check, Check::Algorithm, "{said}");
    let document = issuer.enclave().sign();
    for header in [
        &[0xa1, 0x01, 0x26][..],
        &[0xa0],
        &[0xa2, 0x01, 0x38, 0x22, 0x03, 0x00],
    ] {
        let mut other = vec![0x84];
        crate::cbor::write_bytes(header, &mut other);
        other.extend_from_slice(&document[6..]);
        assert_eq!(refused(&other, &issuer).0, Check::Algorithm, "{header:02x?}");
    }
}

#[test]
fn an_unprotected_header_is_refused() {
    let issuer = NitroIssuer::new();
    let mut document = issuer.enclave().sign();
    document.splice(6..7, [0xa1, 0x04, 0x41, 0x00]);
    assert_eq!(refused(&document, &issuer).0, Check::Encoding);
}

#[test]
fn a_missing_field_is_refused_by_name() {
    let issuer = NitroIssuer::new();
    for name in [
        "module_id",
        "digest",
        "timestamp",
        "pcrs",
        "certificate",
        "cabundle",
    ] {
        let (check, part, said) = refused(&issuer.enclave().without(name).sign(), &issuer);
        assert_eq!((check, part), (Check::Encoding, Part::Document));
        assert!(said.contains(name), "{said}");
    }
    for name in ["public_key", "user_data", "nonce"] {
        assert!(
            verified(&issuer.enclave().without(name), &issuer).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn both_kinds_of_registers_are_refused() {
    let issuer = NitroIssuer::new();
    let both = issuer.enclave().set("nitrotpm_pcrs", vec![0xa0]);
    assert_eq!(refused(&both.sign(), &issuer).0, Check::Encoding);
}

#[test]
fn fields_beyond_their_limits_are_refused() {
    let issuer = NitroIssuer::new();
    for name in ["public_key", "user_data", "nonce"] {
        assert!(verified(&issuer.enclave().set(name, bytes(&[1; 1024])), &issuer).is_ok());
        assert_eq!(
            refused(&issuer.enclave().set(name, bytes(&[1; 1025])).sign(), &issuer).0,
            Check::Encoding
        );
    }
    let long = vec![0x84; LONGEST + 1];
    assert_eq!(refused(&long, &issuer).0, Check::Encoding);
    let unknown = issuer.enclave().set("unheard", vec![0x81; 20]);
    assert_eq!(refused(&unknown.sign(), &issuer).0, Check::Encoding);
    assert_eq!(
        refused(&issuer.enclave().set("cabundle", vec![0x80]).sign(), &issuer).0,
        Check::Encoding
    );
}

#[test]
fn what_aws_adds_is_passed_over() {
    let issuer = NitroIssuer::new();
    assert!(verified(&issuer.enclave().set("unheard", vec![0x82, 0x01, 0xf6]), &issuer).is_ok());
}

fn enclave_policy(freshness: Freshness) -> AppraisalPolicy {
    AppraisalPolicy {
        freshness,
        references: References::Nitro(vec![EnclaveReference {
            image: [[1; 48], [2; 48], [3; 48]],
        }]),
    }
}

fn boot_policy(pcr: [u8; 3]) -> AppraisalPolicy {
    let digest = BootDigest::expected(Bank::Sha384, &[pcr[0]; 48], &[pcr[1]; 48], &[pcr[2]; 48]).unwrap();
    AppraisalPolicy {
        freshness: Freshness::WithinSeconds(300),
        references: References::NitroTpm(vec![BootReference {
            digest,
            workload: Workload::Image,
        }]),
    }
}

fn appraised(
    fields: &Fields<'_>,
    issuer: &NitroIssuer,
    policy: &AppraisalPolicy,
) -> Result<Workload, Refusal> {
    let genuine = verified(fields, issuer).unwrap();
    genuine
        .appraise(policy, now())
        .map(|verified| verified.claims().workload)
}

#[test]
fn what_a_policy_names_is_verified_and_nothing_else() {
    let issuer = NitroIssuer::new();
    let nonce = || Freshness::Nonce(b"a nonce of the test's".to_vec());
    assert_eq!(
        appraised(&issuer.enclave(), &issuer, &enclave_policy(nonce())),
        Ok(Workload::Image)
    );
    for index in [0, 1, 2] {
        let other = issuer.enclave().register(index, &[9; 48]);
        let refusal = appraised(&other, &issuer, &enclave_policy(nonce())).unwrap_err();
        assert_eq!(refusal.check(), Check::Measurement, "{refusal}");
    }
    assert_eq!(
        appraised(&issuer.nitrotpm(), &issuer, &boot_policy([5, 8, 12])),
        Ok(Workload::Image)
    );
    for other in [[6, 8, 12], [5, 9, 12], [5, 8, 13]] {
        let refusal = appraised(&issuer.nitrotpm(), &issuer, &boot_policy(other)).unwrap_err();
        assert_eq!(refusal.check(), Check::Measurement, "{refusal}");
    }
}

#[test]
fn a_wrong_nonce_is_refused() {
    let issuer = NitroIssuer::new();
    let policy = enclave_policy(Freshness::Nonce(b"another nonce".to_vec()));
    let refusal = appraised(&issuer.enclave(), &issuer, &policy).unwrap_err();
    assert_eq!(refusal.check(), Check::Nonce);
    let refusal = appraised(&issuer.enclave().without("nonce"), &issuer, &policy).unwrap_err();
    assert_eq!(refusal.check(), Check::Nonce);
}

#[test]
fn an_old_document_and_one_of_the_future_are_refused() {
    let issuer = NitroIssuer::new();
    let policy = enclave_policy(Freshness::WithinSeconds(300));
    let made = |seconds: i64| {
        let at = now().unix_seconds().checked_add_signed(seconds).unwrap();
        appraised(
            &issuer.enclave().set("timestamp", number(at * 1000)),
            &issuer,
            &policy,
        )
    };
    assert!(made(-300).is_ok());
    assert_eq!(made(-301).unwrap_err().check(), Check::Freshness);
    assert!(made(60).is_ok());
    assert_eq!(made(61).unwrap_err().check(), Check::Freshness);
}

#[test]
fn nitrotpm_field_in_enclave_policy() {
    let issuer = NitroIssuer::new();
    let policy = enclave_policy(Freshness::WithinSeconds(300));
    let refusal = appraised(&issuer.nitrotpm(), &issuer, &policy).unwrap_err();
    assert_eq!(refusal.check(), Check::Kind);
    let other = verify_kind(
        &issuer.nitrotpm().sign(),
        EvidenceKind::Nitro,
        &issuer.anchors(),
        now(),
    );
    assert_eq!(other.unwrap_err().check(), Check::Kind);
}

#[test]
fn keys_are_released_to_fresh_documents_of_closed_boots_only() {
    let issuer = NitroIssuer::new();
    let release = |fields: &Fields<'_>| verified(fields, &issuer).unwrap().for_key_release(now());
    assert!(release(&issuer.enclave()).is_ok());
    assert!(release(&issuer.nitrotpm()).is_ok());
    for index in [12, 13] {
        let open = issuer.nitrotpm().register(index, &[1; 48]);
        assert_eq!(release(&open).unwrap_err().check(), Check::Registers);
    }
    let old = number((now().unix_seconds() - 301) * 1000);
    assert_eq!(
        release(&issuer.enclave().set("timestamp", old))
            .unwrap_err()
            .check(),
        Check::Freshness
    );
}

#[test]
fn every_altered_bit_is_found() {
    let issuer = NitroIssuer::new();
    let document = issuer.enclave().sign();
    let anchors = issuer.anchors();
    for byte in 0..document.len() {
        let mut altered = document.clone();
        altered[byte] ^= 1 << (byte % 8);
        assert!(verify(&altered, &anchors, now()).is_err(), "byte {byte}");
    }
}

proptest! {
    #[test]
    fn cut_documents_are_refused(cut in 0_usize..2000) {
        let issuer = NitroIssuer::new();
        let document = issuer.enclave().sign();
        prop_assume!(cut < document.len());
        prop_assert!(verify(&document[..cut], &issuer.anchors(), now()).is_err());
    }

    #[test]
    fn signed_nonsense_is_refused(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let issuer = NitroIssuer::new();
        prop_assert!(verify(&issuer.sign(&payload), &issuer.anchors(), now()).is_err());
    }
}
