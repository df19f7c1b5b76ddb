//! Hostile bytes: whatever is done to a sealed object, it is refused, and says why.

mod chunkwise;

use aws_lc_rs::digest;
use proptest::prelude::*;

use super::super::tests::{Counter, Form, MIB, SEALED_CHUNK, pattern};
use super::*;
use crate::blob::OVERHEAD;
use crate::crypto::{KEY, TAG};

const DATA_KEY: [u8; 32] = [7; 32];
const CONTEXT: [u8; 32] = [3; 32];
/// Bytes of a blob with a data key, and of the header of an object with it.
const BLOB: usize = OVERHEAD + KEY;
const HEADER: usize = FIXED + BLOB + SALT + COMMITMENT;
const FORM: Form = Form {
    sealed,
    opened,
    header: HEADER,
};

/// What looks like a data key under key `00112233-4455-4677-8899-aabbccddeeff`. Here nobody opens it.
fn blob() -> Vec<u8> {
    let mut blob = vec![1];
    blob.extend(0x0011_2233_4455_4677_8899_aabb_ccdd_eeff_u128.to_be_bytes());
    blob.resize(BLOB, 9);
    blob
}

fn sealed_with(plain: &[u8], entropy: &Counter) -> Vec<u8> {
    let plain = ContentBytes::new(plain.to_vec());
    seal((&DATA_KEY, &blob()), &CONTEXT, &plain, entropy)
        .unwrap()
        .into_bytes()
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    sealed_with(plain, &Counter::default())
}

fn opened_as(data_key: &[u8; 32], context: &[u8; 32], bytes: &[u8]) -> Result<Vec<u8>, SealedError> {
    match Sealed::parse(bytes)?.open(data_key, context) {
        Ok(plain) => Ok(plain.expose().to_vec()),
        Err(KmsError::Sealed(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

fn opened(bytes: &[u8]) -> Result<Vec<u8>, SealedError> {
    opened_as(&DATA_KEY, &CONTEXT, bytes)
}

#[test]
fn objects_of_every_interesting_size_open_again() {
    FORM.opens_at_every_interesting_size();
}

/// What was sealed yesterday must open tomorrow: these bytes may only change together with the version. Another
/// implementation, written from the description at the head of this module, makes the same ones.
#[test]
fn the_format_is_what_it_was() {
    let bytes = sealed(b"a stored response");
    let sum = digest::digest(&digest::SHA256, &bytes);
    let hex: String = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(&bytes[..12], b"MOHOSEAL\x02\x14\x00\x91");
    assert_eq!(
        hex,
        "767be4c8e03c6ee0a03f3846886c1e4a365df1718067d33c3ba836356b01e207"
    );
}

#[test]
fn the_same_words_under_the_same_data_key_never_look_the_same() {
    let entropy = Counter::default();
    let (one, two) = (
        sealed_with(&pattern(100), &entropy),
        sealed_with(&pattern(100), &entropy),
    );
    let behind = FIXED + BLOB;
    let same = one[behind..].iter().zip(&two[behind..]).filter(|(a, b)| a == b);
    assert!(same.count() < 20);
}

#[test]
fn every_flipped_byte_is_refused() {
    let bytes = sealed(&pattern(40));
    for at in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut altered = bytes.clone();
            altered[at] ^= mask;
            let error = opened(&altered).unwrap_err();
            let expected = match at {
                0..8 => error == SealedError::NotSealed,
                8 => matches!(error, SealedError::Version(_)),
                9 => error == SealedError::NotAuthentic,
                10..12 => matches!(
                    error,
                    SealedError::Truncated | SealedError::NotAuthentic | SealedError::NotCommitted
                ),
                12 => error == SealedError::NotAuthentic,
                13..29 => matches!(error, SealedError::NotCommitted | SealedError::NotAuthentic),
                29..HEADER => error == SealedError::NotCommitted,
                _ => error == SealedError::Chunk(0),
            };
            assert!(expected, "byte {at}: {error}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sealed(&pattern(40));
    for length in 0..bytes.len() {
        let error = opened(&bytes[..length]).unwrap_err();
        let expected = match length {
            0..8 => error == SealedError::NotSealed,
            8..HEADER => error == SealedError::Truncated,
            _ if length < HEADER + TAG => error == SealedError::Truncated,
            _ => error == SealedError::Chunk(0),
        };
        assert!(expected, "{length} bytes: {error}");
    }
    FORM.is_cut_nowhere_between_chunks();
}

#[test]
fn every_extension_is_refused() {
    FORM.takes_no_more_at_its_end();
}

#[test]
fn chunks_open_only_in_their_place() {
    FORM.opens_chunks_only_in_their_place();
}

/// Also under the same data key, and of the same length: the salt is what tells objects apart.
#[test]
fn parts_of_another_object_are_refused() {
    let entropy = Counter::default();
    let (one, two) = (
        sealed_with(&pattern(10), &entropy),
        sealed_with(&pattern(10), &entropy),
    );
    let spliced = |at: usize| opened(&[&one[..at], &two[at..]].concat());
    assert_eq!(spliced(HEADER), Err(SealedError::Chunk(0)));
    assert_eq!(spliced(HEADER - COMMITMENT), Err(SealedError::NotCommitted));
    assert_eq!(
        spliced(FIXED + BLOB),
        opened(&two),
        "what is before the salt is the same"
    );
}

#[test]
fn another_data_key_or_context_does_not_open_it() {
    let bytes = sealed(b"x");
    assert_eq!(
        opened_as(&[8; 32], &CONTEXT, &bytes),
        Err(SealedError::NotCommitted)
    );
    assert_eq!(
        opened_as(&DATA_KEY, &[4; 32], &bytes),
        Err(SealedError::NotCommitted)
    );
}

#[test]
fn blobs_of_any_length_are_bound() {
    let plain = ContentBytes::new(vec![1]);
    let longer = [blob(), vec![9; 100]].concat();
    let bytes = seal((&DATA_KEY, &longer), &CONTEXT, &plain, &Counter::default()).unwrap();
    assert_eq!(Sealed::parse(bytes.as_bytes()).unwrap().blob, longer);
    assert_eq!(opened(bytes.as_bytes()).unwrap(), [1]);
    let endless = seal(
        (&DATA_KEY, &vec![0; 65_536]),
        &CONTEXT,
        &plain,
        &Counter::default(),
    );
    assert!(matches!(endless, Err(KmsError::Sealed(SealedError::TooLarge))));
    let none = seal((&DATA_KEY, &[]), &CONTEXT, &plain, &Counter::default()).unwrap();
    assert_eq!(opened(none.as_bytes()), Err(SealedError::NotAuthentic));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sealed_opens(plain in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert_eq!(opened(&sealed(&plain)), Ok(plain));
    }

    #[test]
    fn foreign_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(opened(&bytes).is_err());
        prop_assert!(opened(&[b"MOHOSEAL\x02\x14\x00".as_slice(), &bytes].concat()).is_err());
        prop_assert!(opened(&[&sealed(b"")[..FIXED + BLOB], &bytes].concat()).is_err());
    }

    #[test]
    fn alterations_of_long_objects_are_refused(at in 0..2 * MIB + 10, bit in 0_u32..8, cut in 1..2 * MIB) {
        let bytes = sealed(&pattern(2 * MIB + 5));
        let mut altered = bytes.clone();
        altered[at] ^= 1 << bit;
        prop_assert!(opened(&altered).is_err());
        prop_assert!(opened(&bytes[..bytes.len() - cut]).is_err());
    }
}
