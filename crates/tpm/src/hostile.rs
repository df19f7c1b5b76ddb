//! A TPM that lies: every answer is an error or what was asked for, and nothing more is held than an answer may have.

use std::io;

use proptest::prelude::*;

use crate::{Attester, Bank, Endorsement, PcrSelection, Tpm, TpmError, Transport};

/// Answers one after the other, whatever is asked.
struct Scripted(Vec<Vec<u8>>);

impl Transport for Scripted {
    fn transact(&mut self, _command: &[u8]) -> io::Result<Vec<u8>> {
        if self.0.is_empty() {
            return Err(io::Error::other("it says nothing more"));
        }
        Ok(self.0.remove(0))
    }
}

/// An answer with a head that is right.
fn answer(with_sessions: bool, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 10).unwrap();
    let tag = if with_sessions { [0x80, 0x02] } else { [0x80, 0x01] };
    [&tag[..], &length.to_be_bytes(), &[0; 4], body].concat()
}

fn started(answers: &[Vec<u8>]) -> Tpm {
    let mut all = vec![answer(false, &[])];
    all.extend_from_slice(answers);
    Tpm::open(Box::new(Scripted(all))).unwrap()
}

fn refused(code: u32) -> Vec<u8> {
    [&[0x80, 0x01, 0, 0, 0, 10][..], &code.to_be_bytes()].concat()
}

fn selection() -> PcrSelection {
    PcrSelection::new(Bank::Sha256, &[0, 4]).unwrap()
}

#[test]
fn refusals_are_told_in_words() {
    for (code, said) in [
        (0x921, "TPM2_PCR_Read failed: TPM_RC_LOCKOUT"),
        (0x99d, "TPM_RC_POLICY_FAIL"),
        (0x1c4, "TPM_RC_VALUE"),
        (0x1c4, "parameter 1"),
        (0x98e, "TPM_RC_AUTH_FAIL"),
        (0x98e, "session 1"),
        (0x18b, "handle 1"),
        (0xffff, "TPM_RC 0xffff"),
    ] {
        let error = started(&[refused(code)]).pcr_read(&selection()).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_tpm_that_is_started_already_is_none_the_worse_and_one_that_fails_does_not_open() {
    assert!(Tpm::open(Box::new(Scripted(vec![refused(0x100)]))).is_ok());
    let error = Tpm::open(Box::new(Scripted(vec![refused(0x101)]))).err().unwrap();
    assert!(error.to_string().contains("TPM_RC_FAILURE"), "{error}");
}

#[test]
fn a_tpm_that_is_busy_is_asked_again_and_not_for_ever() {
    let values = [
        &[0; 4][..],
        &[0, 0, 0, 1, 0, 0x0b, 3, 0x11, 0, 0, 0, 0, 0, 2],
        &[0, 32],
        &[1; 32],
        &[0, 32],
        &[2; 32],
    ]
    .concat();
    let read = started(&[refused(0x922), refused(0x922), answer(false, &values)])
        .pcr_read(&selection())
        .unwrap();
    assert_eq!(read.len(), 2);
    let busy = vec![refused(0x922); 100];
    assert!(matches!(
        started(&busy).pcr_read(&selection()),
        Err(TpmError::Refused { .. })
    ));
}

#[test]
fn answers_that_are_not_what_was_asked_for_are_refused() {
    let head = [0, 0, 0, 0];
    let of_other_bank = [&head[..], &[0, 0, 0, 1, 0, 0x0c, 3, 0x11, 0, 0, 0, 0, 0, 0]].concat();
    let of_other_registers = [
        &head[..],
        &[0, 0, 0, 1, 0, 0x0b, 3, 0x02, 0, 0, 0, 0, 0, 1, 0, 32],
        &[1; 32],
    ]
    .concat();
    let of_none = [&head[..], &[0, 0, 0, 1, 0, 0x0b, 3, 0, 0, 0, 0, 0, 0, 0]].concat();
    let too_short = [
        &head[..],
        &[0, 0, 0, 1, 0, 0x0b, 3, 0x01, 0, 0, 0, 0, 0, 1, 0, 20],
        &[1; 20],
    ]
    .concat();
    let longer = [
        &head[..],
        &[0, 0, 0, 1, 0, 0x0b, 3, 0x01, 0, 0, 0, 0, 0, 1, 0, 32],
        &[1; 33],
    ]
    .concat();
    for body in [
        of_other_bank,
        of_other_registers,
        of_none,
        too_short,
        longer,
        vec![],
    ] {
        let error = started(&[answer(false, &body)])
            .pcr_read(&selection())
            .unwrap_err();
        assert!(matches!(error, TpmError::Malformed { .. }), "{error}");
    }
    let mut lying = answer(false, &[]);
    lying[5] = 11;
    for bytes in [lying, answer(true, &[]), vec![0x80], vec![]] {
        let error = started(&[bytes]).pcr_read(&selection()).unwrap_err();
        assert!(matches!(error, TpmError::Malformed { .. }), "{error}");
    }
}

#[test]
fn selections_are_of_registers_that_there_are_each_once() {
    for indices in [&[][..], &[24], &[4, 4], &[255]] {
        assert!(PcrSelection::new(Bank::Sha384, indices).is_err(), "{indices:?}");
    }
    assert!(selection().indices().eq([0, 4]));
}

proptest! {
    #[test]
    fn whatever_a_tpm_says_is_read_or_refused(
        bodies in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..12),
    ) {
        let answers: Vec<Vec<u8>> = bodies.iter().map(|(sessions, body)| answer(*sessions, body)).collect();
        let tpm = started(&answers);
        drop(tpm.pcr_read(&selection()));
        if let Ok(attester) = Attester::new(&tpm) {
            drop(attester.quote(b"", &selection()));
            drop(attester.endorsement_certificate(Endorsement::Rsa));
            drop(attester.activate(Endorsement::Rsa, (&[], &[])));
        }
    }
}
