//! Every reason to refuse a quote, a key or a log, on such that are right in everything else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;

use super::super::refusal::{Check, Part, Refusal};
use super::super::registers::{Bank, Registers};
use super::*;

const ATTRIBUTES: u32 = 0x0005_0072;

/// A key as a TPM would have it, held by the test.
struct Made {
    key: EcdsaKeyPair,
}

fn buffer(bytes: &[u8]) -> Vec<u8> {
    let mut made = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    made.extend_from_slice(bytes);
    made
}

impl Made {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { key }
    }

    fn public(&self, attributes: u32) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let mut public = [
            &[0, 0x23, 0, 0x0b][..],
            &attributes.to_be_bytes(),
            &[0, 0, 0, 0x10],
        ]
        .concat();
        public.extend([0, 0x18, 0, 0x0b, 0, 3, 0, 0x10]);
        public.extend(buffer(&point[1..33]));
        public.extend(buffer(&point[33..]));
        public
    }

    fn sign(&self, attest: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), attest).unwrap();
        let (r, s) = signature.as_ref().split_at(32);
        [&[0, 0x18, 0, 0x0b][..], &buffer(r), &buffer(s)].concat()
    }

    fn verify(&self, attest: &[u8]) -> Result<Quote, Refusal> {
        let public = self.public(ATTRIBUTES);
        Quote::verify(
            attest,
            &self.sign(attest),
            &AttestationKey::read(&public).unwrap(),
        )
    }
}

fn registers() -> Registers {
    let values: Vec<(u8, Vec<u8>)> = [4, 7, 11, 12, 13].map(|index| (index, vec![index; 32])).into();
    Registers::told(
        Bank::Sha256,
        values.iter().map(|(index, value)| (*index, value.as_slice())),
    )
    .unwrap()
}

/// A quote over [`registers`], with these selections instead of the right one.
fn quote_over(selections: &[(u16, [u8; 3])]) -> Vec<u8> {
    let mut attest = vec![0xff, b'T', b'C', b'G', 0x80, 0x18];
    attest.extend(buffer(b"the signer's name"));
    attest.extend(buffer(b"the nonce"));
    attest.extend([0; 25]);
    attest.extend(u32::try_from(selections.len()).unwrap().to_be_bytes());
    for (algorithm, bits) in selections {
        attest.extend(algorithm.to_be_bytes());
        attest.push(3);
        attest.extend(bits);
    }
    let values: Vec<u8> = registers().iter().flat_map(|(_, value)| value.to_vec()).collect();
    attest.extend(buffer(&Bank::Sha256.digest(&[&values])));
    attest
}

fn right() -> Vec<u8> {
    quote_over(&[(0x0b, [0x90, 0x38, 0])])
}

#[test]
fn a_quote_that_is_right_in_everything_is_over_its_registers() {
    let made = Made::new();
    let quote = made.verify(&right()).unwrap();
    assert_eq!(
        (quote.qualifying_data(), quote.selected()),
        (b"the nonce".as_slice(), [4, 7, 11, 12, 13].as_slice())
    );
    assert_eq!(quote.is_over(&registers()), Ok(()));
    let public = made.public(ATTRIBUTES);
    let key = AttestationKey::read(&public).unwrap();
    assert_eq!(key.point().unwrap(), made.key.public_key().as_ref());
    assert_eq!(key.name().len(), 34);
}

#[test]
fn quote_selection_superset() {
    let quote = Made::new()
        .verify(&quote_over(&[(0x0b, [0x91, 0x38, 0])]))
        .unwrap();
    assert_eq!(quote.is_over(&registers()).unwrap_err().check(), Check::Registers);
    let quote = Made::new()
        .verify(&quote_over(&[(0x0b, [0x90, 0x18, 0])]))
        .unwrap();
    assert_eq!(quote.is_over(&registers()).unwrap_err().check(), Check::Registers);
}

#[test]
fn registers_that_were_not_quoted_are_refused() {
    let quote = Made::new().verify(&right()).unwrap();
    let other: Vec<(u8, Vec<u8>)> = [4, 7, 11, 12, 13].map(|index| (index, vec![9; 32])).into();
    let told = other.iter().map(|(index, value)| (*index, value.as_slice()));
    let refusal = quote
        .is_over(&Registers::told(Bank::Sha256, told).unwrap())
        .unwrap_err();
    assert_eq!((refusal.check(), refusal.part()), (Check::Binding, Part::Quote));
}

#[test]
fn weak_banks_and_several_are_refused() {
    let of_sha1 = quote_over(&[(0x04, [0x90, 0x38, 0])]);
    let of_two = quote_over(&[(0x0b, [0x90, 0x38, 0]), (0x0c, [0x90, 0x38, 0])]);
    for attest in [of_sha1, of_two, quote_over(&[])] {
        assert_eq!(Made::new().verify(&attest).unwrap_err().check(), Check::Algorithm);
    }
}

#[test]
fn what_is_no_quote_is_refused() {
    for (place, value) in [(0, 0xfe), (5, 0x17), (3, b'X')] {
        let mut attest = right();
        attest[place] = value;
        assert_eq!(Made::new().verify(&attest).unwrap_err().check(), Check::Encoding);
    }
    let mut longer = right();
    longer.push(0);
    assert_eq!(Made::new().verify(&longer).unwrap_err().check(), Check::Encoding);
    let nothing = quote_over(&[(0x0b, [0, 0, 0])]);
    assert_eq!(Made::new().verify(&nothing).unwrap_err().check(), Check::Encoding);
}

#[test]
fn a_quote_of_another_key_is_refused() {
    let (made, other) = (Made::new(), Made::new());
    let public = other.public(ATTRIBUTES);
    let key = AttestationKey::read(&public).unwrap();
    let refusal = Quote::verify(&right(), &made.sign(&right()), &key).unwrap_err();
    assert_eq!(refusal.check(), Check::Signature);
}

#[test]
fn keys_that_could_sign_anything_are_refused() {
    let made = Made::new();
    for missing in [1 << 1, 1 << 4, 1 << 5, 1 << 16, 1 << 18] {
        let public = made.public(ATTRIBUTES & !missing);
        assert_eq!(
            AttestationKey::read(&public).err().unwrap().check(),
            Check::Key,
            "{missing:#x}"
        );
    }
    let public = made.public(ATTRIBUTES | 1 << 17);
    assert_eq!(AttestationKey::read(&public).err().unwrap().check(), Check::Key);
    let mut longer = made.public(ATTRIBUTES);
    longer.push(0);
    assert_eq!(
        AttestationKey::read(&longer).err().unwrap().check(),
        Check::Encoding
    );
}

#[test]
fn a_signature_over_sha_1_is_refused() {
    let made = Made::new();
    let public = made.public(ATTRIBUTES);
    let mut signature = made.sign(&right());
    signature[3] = 4;
    let refusal = Quote::verify(&right(), &signature, &AttestationKey::read(&public).unwrap()).unwrap_err();
    assert_eq!(refusal.check(), Check::Algorithm);
}

#[test]
fn every_altered_bit_of_a_quote_is_found() {
    let made = Made::new();
    let (attest, public) = (right(), made.public(ATTRIBUTES));
    let (signature, key) = (made.sign(&attest), AttestationKey::read(&public).unwrap());
    for byte in 0..attest.len() {
        let mut altered = attest.clone();
        altered[byte] ^= 1 << (byte % 8);
        assert!(Quote::verify(&altered, &signature, &key).is_err(), "byte {byte}");
    }
}

fn log(banks: &[(u16, u16)], events: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut header = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
    header.extend(u32::try_from(banks.len()).unwrap().to_le_bytes());
    for (algorithm, size) in banks {
        header.extend(algorithm.to_le_bytes());
        header.extend(size.to_le_bytes());
    }
    header.push(0);
    let mut log = [&[0, 0, 0, 0, 3, 0, 0, 0][..], &[0; 20]].concat();
    log.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    log.extend(header);
    for (register, kind, data) in events {
        log.extend(register.to_le_bytes());
        log.extend(kind.to_le_bytes());
        log.extend(u32::try_from(banks.len()).unwrap().to_le_bytes());
        for (algorithm, size) in banks {
            log.extend(algorithm.to_le_bytes());
            let digest = match algorithm {
                0x0b => Bank::Sha256.digest(&[data]),
                0x0c => Bank::Sha384.digest(&[data]),
                _ => vec![1; usize::from(*size)],
            };
            log.extend(digest);
        }
        log.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        log.extend(*data);
    }
    log
}

const THREE: [(u16, u16); 3] = [(4, 20), (0x0b, 32), (0x0c, 48)];

#[test]
fn a_log_leads_to_the_registers_that_its_events_were_extended_into() {
    let events: [(u32, u32, &[u8]); 3] = [(4, 0x8000_0007, b"one"), (4, 4, b"two"), (7, 4, b"three")];
    for bank in [Bank::Sha256, Bank::Sha384] {
        let bytes = log(&THREE, &events);
        let read = EventLog::read(&bytes, bank).unwrap();
        assert_eq!(read.events().len(), 3);
        assert!(read.events().iter().all(|event| event.data_was_measured(bank)));
        let zero = vec![0; bank.length()];
        let one = bank.digest(&[&zero, &bank.digest(&[b"one"])]);
        let four = bank.digest(&[&one, &bank.digest(&[b"two"])]);
        assert_eq!(read.replayed(4), four);
        let quoted = Registers::told(bank, [(4, four.as_slice()), (12, zero.as_slice())]).unwrap();
        assert_eq!(read.leads_to(&quoted, &[4, 12]), Ok(()));
        assert_eq!(
            read.leads_to(&quoted, &[7]).unwrap_err().check(),
            Check::Registers
        );
        let quoted = Registers::told(bank, [(7, four.as_slice())]).unwrap();
        assert_eq!(read.leads_to(&quoted, &[7]).unwrap_err().check(), Check::Replay);
    }
}

#[test]
fn an_altered_event_leads_elsewhere_and_altered_data_was_not_measured() {
    let mut bytes = log(&[(0x0b, 32)], &[(4, 4, b"one")]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let read = EventLog::read(&bytes, Bank::Sha256).unwrap();
    assert!(!read.events()[0].data_was_measured(Bank::Sha256));
    let digest = last - 3 - 4;
    bytes[digest] ^= 1;
    let altered = EventLog::read(&bytes, Bank::Sha256).unwrap().replayed(4);
    let right = log(&[(0x0b, 32)], &[(4, 4, b"one")]);
    assert_ne!(altered, EventLog::read(&right, Bank::Sha256).unwrap().replayed(4));
}

#[test]
fn what_is_only_told_is_not_extended_but_for_the_locality() {
    let bytes = log(&THREE, &[(0, 3, b"StartupLocality\0\x03"), (0, 3, b"something")]);
    let read = EventLog::read(&bytes, Bank::Sha256).unwrap();
    assert!(read.events().is_empty());
    let mut three = vec![0; 32];
    three[31] = 3;
    assert_eq!(read.replayed(0), three);
    assert_eq!(read.replayed(1), vec![0; 32]);
}

#[test]
fn logs_of_sha_1_alone_and_malformed_ones_are_refused() {
    let older = [&[0, 0, 0, 0, 8, 0, 0, 0][..], &[1; 20], &[1, 0, 0, 0, 7]].concat();
    assert_eq!(
        EventLog::read(&older, Bank::Sha256).unwrap_err().check(),
        Check::Algorithm
    );
    let other_bank = log(&[(0x0c, 48)], &[]);
    assert_eq!(
        EventLog::read(&other_bank, Bank::Sha256).unwrap_err().check(),
        Check::Algorithm
    );
    let good = log(&THREE, &[(4, 4, b"one")]);
    for end in log(&THREE, &[]).len() + 1..good.len() {
        let refusal = EventLog::read(&good[..end], Bank::Sha256).unwrap_err();
        assert_eq!(refusal.check(), Check::Encoding, "{end}");
    }
    for bytes in [
        log(&[(0x0b, 31)], &[]),
        log(&[(0x0b, 32), (0x0b, 32)], &[]),
        log(&[], &[]),
        log(&THREE, &[(24, 4, b"")]),
        [good.as_slice(), &[0]].concat(),
    ] {
        assert_eq!(
            EventLog::read(&bytes, Bank::Sha256).unwrap_err().check(),
            Check::Encoding
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let made = Made::new();
        let public = made.public(ATTRIBUTES);
        let key = AttestationKey::read(&public).unwrap();
        prop_assert!(Quote::verify(&bytes, &bytes, &key).is_err());
        let headed = [log(&THREE, &[]), bytes.clone()].concat();
        drop(EventLog::read(&headed, Bank::Sha256));
        drop(EventLog::read(&bytes, Bank::Sha256));
        drop(AttestationKey::read(&bytes));
    }
}
