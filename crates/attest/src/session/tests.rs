//! Answers of servers: whose, for whom, until when; and that nothing but verified evidence over them makes keys of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::evidence::{Check, Claims, EvidenceKind, Verified, Workload};

const NONCE: Nonce = Nonce([7; 32]);

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000)
}

fn keys() -> KeySet {
    KeySet {
        tls: [1; 32],
        hpke: vec![2; 1216],
        receipt: vec![4; 97],
        not_after: now().plus_seconds(86_400),
    }
}

fn answer(kind: &str, key_set: &[u8], evidence: &str) -> String {
    format!(
        r#"{{"version":1,"kind":"{kind}","purpose":"session","nonce":"{}","key_set":"{}"{evidence}}}"#,
        NONCE.to_hex(),
        STANDARD.encode(key_set)
    )
}

fn presented(json: &str) -> Presentation<'_> {
    match Answer::read(json.as_bytes(), NONCE, now()).unwrap() {
        Answer::Presentation(presentation) => presentation,
        Answer::Development(_) => panic!("it has evidence"),
    }
}

fn verified(nonce: &[u8], workload: Workload) -> Verified<Claims> {
    let mut claims = Claims::of(EvidenceKind::NitroTpm, "module".to_owned());
    claims.nonce = Some(nonce.to_vec());
    claims.workload = workload;
    Verified::in_test(claims)
}

fn with_evidence() -> String {
    answer("nitrotpm", &keys().to_bytes(), r#","evidence":{"document":"…"}"#)
}

fn refused(json: &str) -> Check {
    Answer::read(json.as_bytes(), NONCE, now()).unwrap_err().check()
}

#[test]
fn a_key_set_is_read_as_it_was_written() {
    assert_eq!(KeySet::read(&keys().to_bytes(), now()), Ok(keys()));
    assert!(keys().to_bytes().len() < LONGEST_KEY_SET);
}

#[test]
fn the_binding_is_the_one_that_is_documented() {
    // By sha256sum of the fields, each behind its length in four bytes.
    let statement = Statement {
        nonce: Nonce([0; 32]),
        purpose: Purpose::Session,
        key_set: [0xff; 32],
    };
    assert_eq!(
        moho_terms::hex::encode(&statement.binding()),
        "1b8037836b3b8158b1c51e6bb3b42cc755d0fa4d7306dc12f4df2b1bddfdc7d2"
    );
}

#[test]
fn verified_evidence_over_the_statement_makes_its_keys_attested() {
    let json = with_evidence();
    let presentation = presented(&json);
    assert_eq!(presentation.kind(), EvidenceKind::NitroTpm);
    assert_eq!(presentation.evidence(), r#"{"document":"…"}"#);
    let binding = presentation.statement().binding();
    let attested = presentation
        .attested(&verified(&binding, Workload::Image))
        .unwrap();
    assert_eq!(attested.keys(), &keys());
}

#[test]
fn report_data_may_have_zeros_behind_the_binding_and_nothing_else() {
    let json = with_evidence();
    let binding = presented(&json).statement().binding();
    let mut report_data = [binding, [0; 32]].concat();
    assert!(
        presented(&json)
            .attested(&verified(&report_data, Workload::Image))
            .is_ok()
    );
    report_data[63] = 1;
    let refusal = presented(&json).attested(&verified(&report_data, Workload::Image));
    assert_eq!(refusal.unwrap_err().check(), Check::Binding);
}

#[test]
fn nonce_from_other_channel() {
    let json = with_evidence();
    let elsewhere = Statement {
        nonce: Nonce([8; 32]),
        ..presented(&json).statement()
    };
    for over in [elsewhere.binding().to_vec(), NONCE.0.to_vec(), Vec::new()] {
        let refusal = presented(&json)
            .attested(&verified(&over, Workload::Image))
            .unwrap_err();
        assert_eq!(refusal.check(), Check::Binding);
    }
}

#[test]
fn keys_of_somebody_else_are_not_covered_by_evidence_over_these() {
    let json = with_evidence();
    let binding = presented(&json).statement().binding();
    let others = KeySet {
        tls: [9; 32],
        ..keys()
    };
    let json = answer("nitrotpm", &others.to_bytes(), r#","evidence":{}"#);
    let refusal = presented(&json)
        .attested(&verified(&binding, Workload::Image))
        .unwrap_err();
    assert_eq!(refusal.check(), Check::Binding);
}

#[test]
fn a_host_that_says_nothing_of_the_program_attests_no_keys() {
    let json = with_evidence();
    let binding = presented(&json).statement().binding();
    let refusal = presented(&json)
        .attested(&verified(&binding, Workload::Unmeasured))
        .unwrap_err();
    assert_eq!(refusal.check(), Check::Measurement);
    assert!(refusal.found().contains("workload: unmeasured"));
}

#[test]
fn evidence_of_another_kind_than_was_presented_attests_no_keys() {
    let json = answer("nitro", &keys().to_bytes(), r#","evidence":{}"#);
    let binding = presented(&json).statement().binding();
    let refusal = presented(&json)
        .attested(&verified(&binding, Workload::Image))
        .unwrap_err();
    assert_eq!(refusal.check(), Check::Kind);
}

#[test]
fn development_is_of_another_type_and_can_bring_no_evidence() {
    let json = answer("development", &keys().to_bytes(), "");
    let Ok(Answer::Development(Development { unattested })) = Answer::read(json.as_bytes(), NONCE, now())
    else {
        panic!("it is of development");
    };
    assert_eq!(unattested, keys());
    let both = answer("development", &keys().to_bytes(), r#","evidence":{}"#);
    assert_eq!(refused(&both), Check::Kind);
}

#[test]
fn answers_of_other_forms_are_refused() {
    let whole = with_evidence();
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replacen(from, to, 1)
    };
    for json in [
        String::new(),
        "{}".to_owned(),
        format!("{whole}x"),
        with("{\"version\"", "{\"more\":1,\"version\""),
        with("{\"version\"", "{\"nonce\":\"\",\"version\""),
        with("\"version\":1", "\"version\":2"),
        with("\"key_set\":\"", "\"key_set\":\"!"),
    ] {
        assert_eq!(refused(&json), Check::Encoding, "{json}");
    }
    assert_eq!(refused(&with("\"session\"", "\"release\"")), Check::Kind);
    assert_eq!(refused(&with("\"nitrotpm\"", "\"another\"")), Check::Kind);
    assert_eq!(refused(&answer("nitrotpm", &keys().to_bytes(), "")), Check::Kind);
    assert_eq!(refused(&whole.replacen("0707", "0708", 1)), Check::Nonce);
    let long = " ".repeat(LONGEST_ANSWER + 1);
    assert_eq!(refused(&long), Check::Encoding);
}

#[test]
fn key_sets_of_other_forms_and_of_other_times_are_refused() {
    let whole = String::from_utf8(keys().to_bytes()).unwrap();
    for (from, to) in [
        ("{\"version\":1", "{\"version\":2"),
        ("{\"version\"", "{\"more\":1,\"version\""),
        ("X-Wing", "X25519"),
        ("ES384", "ES256"),
        ("\"tls_spki_sha256\":\"01", "\"tls_spki_sha256\":\""),
        ("\"hpke_key\":\"AgIC", "\"hpke_key\":\""),
        ("\"receipt_key\":\"BAQE", "\"receipt_key\":\""),
        ("Z\"}", "\"}"),
    ] {
        assert!(whole.contains(from), "{from}");
        let read = KeySet::read(whole.replacen(from, to, 1).as_bytes(), now());
        assert!(matches!(read, Err(KeySetError::Form(_))), "{from}: {read:?}");
    }
    let over = KeySet::read(whole.as_bytes(), now().plus_seconds(86_400));
    assert!(matches!(over, Err(KeySetError::Over { .. })));
    assert!(KeySet::read(whole.as_bytes(), now().plus_seconds(86_399)).is_ok());
    let lasting = KeySet {
        not_after: now().plus_seconds(2 * 86_400 + 1),
        ..keys()
    };
    let lasting = KeySet::read(&lasting.to_bytes(), now());
    assert!(matches!(lasting, Err(KeySetError::TooLasting(_))));
    let long = KeySet::read(&[b' '; LONGEST_KEY_SET + 1], now());
    assert_eq!(long, Err(KeySetError::TooLong(LONGEST_KEY_SET + 1)));
    let json = answer(
        "nitrotpm",
        whole.replacen("ES384", "ES256", 1).as_bytes(),
        r#","evidence":{}"#,
    );
    assert_eq!(refused(&json), Check::Key);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _read = Answer::read(&bytes, NONCE, now());
        let _keys = KeySet::read(&bytes, now());
    }

    #[test]
    fn no_byte_of_an_answer_can_change_without_its_statement_or_its_form(at in 0_usize..2000, to in any::<u8>()) {
        let json = with_evidence();
        let mut bytes = json.clone().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let whole = presented(&json).statement();
        if let Ok(Answer::Presentation(altered)) = Answer::read(&bytes, NONCE, now()) {
            let same_statement = altered.statement() == whole;
            let elsewhere = altered.kind() != EvidenceKind::NitroTpm || altered.evidence() != r#"{"document":"…"}"#;
            prop_assert!(!same_statement || elsewhere);
        }
    }
}
