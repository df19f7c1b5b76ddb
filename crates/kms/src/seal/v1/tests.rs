//! Hostile bytes: whatever is done to a sealed object, it is refused, and says why.

use aws_lc_rs::digest;
use moho_terms::{ContentBytes, Entropy, EntropyUnavailable, KeyId};
use proptest::prelude::*;

use super::super::tests::{Counter, Form, MIB, SEALED_CHUNK, pattern};
use super::*;

const MATERIAL: [u8; 32] = [7; 32];
const FORM: Form = Form {
    sealed,
    opened,
    header: HEADER,
};

fn entropy() -> Counter {
    Counter::default()
}

fn key_id() -> KeyId {
    "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap()
}

fn context() -> EncryptionContext {
    EncryptionContext::from_pairs([("moho:account", "123456789012"), ("moho:response", "resp_1")]).unwrap()
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    seal(
        &MATERIAL,
        &key_id(),
        &context(),
        &ContentBytes::new(plain.to_vec()),
        &entropy(),
    )
    .unwrap()
    .into_bytes()
}

fn opened(bytes: &[u8]) -> Result<Vec<u8>, SealedError> {
    open_as(&MATERIAL, &key_id(), &context(), bytes)
}

fn open_as(
    material: &[u8],
    key_id: &KeyId,
    context: &EncryptionContext,
    bytes: &[u8],
) -> Result<Vec<u8>, SealedError> {
    match open(material, key_id, context, bytes) {
        Ok(plain) => Ok(plain.expose().to_vec()),
        Err(KmsError::Sealed(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
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
    assert_eq!(&bytes[..10], b"MOHOSEAL\x01\x14");
    assert_eq!(
        hex,
        "f9dea3a1b1c65a94be16926ffa6f4eaedce1f94f1ef02d4459d44a81c78cbd05"
    );
}

#[test]
fn the_same_words_never_look_the_same() {
    let source = entropy();
    let plain = ContentBytes::new(pattern(100));
    let one = seal(&MATERIAL, &key_id(), &context(), &plain, &source)
        .unwrap()
        .into_bytes();
    let two = seal(&MATERIAL, &key_id(), &context(), &plain, &source)
        .unwrap()
        .into_bytes();
    let same = one[FRONT..]
        .iter()
        .zip(&two[FRONT..])
        .filter(|(a, b)| a == b)
        .count();
    assert!(same < 20, "{same} equal bytes");
}

#[test]
fn nothing_of_the_plaintext_shows() {
    let bytes = sealed(b"marker-marker-marker");
    assert!(!bytes.windows(6).any(|window| window == b"marker"));
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
                10..26 => matches!(error, SealedError::OtherKey(_)),
                9 | 26..106 => error == SealedError::NotAuthentic,
                106..138 => error == SealedError::NotCommitted,
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
            8..154 => error == SealedError::Truncated,
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

#[test]
fn chunks_of_another_object_are_refused() {
    let source = entropy();
    let make = || {
        let plain = ContentBytes::new(pattern(10));
        seal(&MATERIAL, &key_id(), &context(), &plain, &source)
            .unwrap()
            .into_bytes()
    };
    let (one, two) = (make(), make());
    assert_eq!(
        opened(&[&one[..HEADER], &two[HEADER..]].concat()),
        Err(SealedError::Chunk(0))
    );
    let swapped = [&one[..FRONT], &two[FRONT..HEADER], &one[HEADER..]].concat();
    assert_eq!(opened(&swapped), Err(SealedError::NotAuthentic));
}

#[test]
fn another_key_or_context_does_not_open_it() {
    let bytes = sealed(b"x");
    let wrong = open_as(&[8; 32], &key_id(), &context(), &bytes);
    assert_eq!(wrong, Err(SealedError::NotAuthentic));
    let other: KeyId = "00112233-4455-4677-8899-aabbccddee00".parse().unwrap();
    assert_eq!(
        open_as(&MATERIAL, &other, &context(), &bytes),
        Err(SealedError::OtherKey(key_id()))
    );
    let contexts = [
        EncryptionContext::new(),
        EncryptionContext::from_pairs([("moho:account", "123456789012")]).unwrap(),
        EncryptionContext::from_pairs([("moho:account", "123456789012"), ("moho:response", "resp_2")])
            .unwrap(),
        context().with("more", "").unwrap(),
    ];
    for context in contexts {
        assert_eq!(
            open_as(&MATERIAL, &key_id(), &context, &bytes),
            Err(SealedError::NotAuthentic)
        );
    }
}

/// GCM alone is not committing: a data key other than the sealer's can be wrapped and the commitment is what tells.
#[test]
fn a_data_key_that_was_not_committed_to_is_refused() {
    let bytes = sealed(b"x");
    let salt: [u8; SALT] = bytes[FRONT - SALT..FRONT].try_into().unwrap();
    let aad = [&bytes[..FRONT], &context().digest()].concat();
    let mut forged = bytes[..FRONT].to_vec();
    wrapping_cipher(&MATERIAL, &salt)
        .unwrap()
        .encrypt(WRAP_NONCE, &aad, &[5; KEY], &mut forged)
        .unwrap();
    forged.extend_from_slice(&bytes[FRONT + WRAPPED..]);
    assert_eq!(opened(&forged), Err(SealedError::NotCommitted));
}

/// There is one way to write an object: an empty chunk behind a full one is not it, even with the right key.
#[test]
fn an_empty_chunk_behind_a_full_one_is_refused() {
    let bytes = sealed(&pattern(MIB + 1));
    let (head, context) = (&bytes[..FRONT + WRAPPED], context().digest());
    let salt: [u8; SALT] = bytes[FRONT - SALT..FRONT].try_into().unwrap();
    let mut data_key = Zeroizing::new(Vec::new());
    let aad = [&bytes[..FRONT], &context].concat();
    let wrapping = wrapping_cipher(&MATERIAL, &salt).unwrap();
    wrapping
        .decrypt(WRAP_NONCE, &aad, &bytes[FRONT..FRONT + WRAPPED], &mut data_key)
        .unwrap();
    let keys = ObjectKeys::new(LABELS, (&data_key, &salt), head, &context).unwrap();
    let mut forged = bytes[..HEADER + SEALED_CHUNK].to_vec();
    let [a, b, c, d, e, f, g] = keys.prefix;
    keys.cipher
        .encrypt([a, b, c, d, e, f, g, 0, 0, 0, 1, 1], b"", b"", &mut forged)
        .unwrap();
    assert_eq!(opened(&forged), Err(SealedError::Chunk(1)));
}

#[test]
fn without_randomness_nothing_is_sealed() {
    struct Silent;
    impl Entropy for Silent {
        fn fill(&self, _bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            Err(EntropyUnavailable)
        }
    }
    let result = seal(
        &MATERIAL,
        &key_id(),
        &context(),
        &ContentBytes::new(vec![1]),
        &Silent,
    );
    assert!(matches!(result, Err(KmsError::Entropy(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sealed_opens(plain in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert_eq!(opened(&sealed(&plain)), Ok(plain));
    }

    #[test]
    fn foreign_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(opened(&bytes).is_err());
        prop_assert!(opened(&[b"MOHOSEAL\x01\x14".as_slice(), &bytes].concat()).is_err());
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
