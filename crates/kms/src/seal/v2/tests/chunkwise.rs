//! Chunk by chunk is the same object, and no chunk opens anywhere but in its place.

use super::{sealed as at_once, *};

const SIZES: [usize; 9] = [0, 1, 17, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 5, 3 * MIB];

fn sealer() -> Sealer {
    begin((&DATA_KEY, &blob()), &CONTEXT, &Counter::default()).unwrap()
}

/// Seals as whoever does not know the length: a chunk at a time.
fn streamed(plain: &[u8]) -> Vec<u8> {
    let mut sealer = sealer();
    let mut sealed = sealer.head().to_vec();
    let mut chunks: Vec<&[u8]> = plain.chunks(MIB).collect();
    let end = chunks.pop().unwrap_or_default();
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        sealer.seal_chunk(&mut chunk, false).unwrap();
        sealed.extend(chunk);
    }
    let mut end = end.to_vec();
    sealer.seal_chunk(&mut end, true).unwrap();
    sealed.extend(end);
    sealed
}

fn opener_of(head: &[u8], length: usize) -> Result<Opener, SealedError> {
    match Sealed::parse(head)?.opener(&DATA_KEY, &CONTEXT, length as u64) {
        Ok(opener) => Ok(opener),
        Err(KmsError::Sealed(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

fn opener(sealed: &[u8]) -> Opener {
    opener_of(&sealed[..HEADER], sealed.len()).unwrap()
}

fn span(opener: &Opener, number: u32) -> std::ops::Range<usize> {
    let span = opener.chunk_span(number).unwrap();
    usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()
}

/// Opens the chunk of this number from where it is in `sealed`.
fn chunk(opener: &Opener, number: u32, sealed: &[u8]) -> Result<Vec<u8>, SealedError> {
    let mut chunk = sealed[span(opener, number)].to_vec();
    let opened = opener.open_chunk(number, &mut chunk);
    assert!(opened.is_ok() || chunk.is_empty(), "something is left");
    opened.map(|()| chunk)
}

#[test]
fn what_is_sealed_chunk_by_chunk_is_what_is_sealed_at_once() {
    for length in SIZES {
        let plain = pattern(length);
        let sealed = streamed(&plain);
        assert!(sealed == at_once(&plain), "{length}");
        assert!(opened(&sealed).unwrap() == plain, "{length}");
        assert_eq!(sealer().head(), &sealed[..HEADER]);
        assert_eq!(sealer().commitment(), sealed[HEADER - COMMITMENT..HEADER]);
    }
    assert_eq!(Sealer::HEAD_MAX, HEADER);
}

#[test]
fn chunks_open_in_any_order_and_the_lengths_are_known_before() {
    for length in SIZES {
        let plain = pattern(length);
        let sealed = at_once(&plain);
        let opener = opener(&sealed);
        assert_eq!(opener.plain_length(), length as u64);
        assert_eq!(opener.commitment(), sealer().commitment());
        for number in (0..=opener.last_chunk()).rev() {
            let at = MIB * number as usize;
            let expected = &plain[at..length.min(at + MIB)];
            assert!(
                chunk(&opener, number, &sealed).unwrap() == expected,
                "{length} {number}"
            );
        }
        let none = opener.last_chunk() + 1;
        assert_eq!(opener.chunk_span(none), None);
        assert_eq!(
            opener.open_chunk(none, &mut vec![0; TAG]),
            Err(SealedError::Chunk(none))
        );
    }
}

#[test]
fn no_chunk_is_opened_behind_a_head_that_is_not_committed_to() {
    let sealed = at_once(&pattern(40));
    for at in 0..HEADER {
        let mut head = sealed[..HEADER].to_vec();
        head[at] ^= 0x80;
        assert!(opener_of(&head, sealed.len()).is_err(), "{at}");
        assert!(opener_of(&sealed[..at], sealed.len()).is_err(), "{at}");
    }
    let refused = Sealed::parse(&sealed).unwrap().opener(&[8; 32], &CONTEXT, 300);
    assert!(matches!(
        refused,
        Err(KmsError::Sealed(SealedError::NotCommitted))
    ));
    let refused = Sealed::parse(&sealed).unwrap().opener(&DATA_KEY, &[4; 32], 300);
    assert!(matches!(
        refused,
        Err(KmsError::Sealed(SealedError::NotCommitted))
    ));
}

/// What is cut off or added changes which chunk is the last one, or how long it is.
#[test]
fn another_length_is_refused() {
    let sealed = at_once(&pattern(2 * MIB + 5));
    let head = &sealed[..HEADER];
    for length in [0, HEADER - 1, HEADER, HEADER + TAG - 1, HEADER + SEALED_CHUNK + 3] {
        assert_eq!(
            opener_of(head, length).err(),
            Some(SealedError::Truncated),
            "{length}"
        );
    }
    let tail = HEADER + SEALED_CHUNK + TAG;
    assert_eq!(opener_of(head, tail).err(), Some(SealedError::Chunk(1)));
    for (length, number) in [
        (HEADER + TAG, 0),
        (HEADER + SEALED_CHUNK, 0),
        (HEADER + 2 * SEALED_CHUNK, 1),
        (sealed.len() - 1, 2),
    ] {
        let cut = opener_of(head, length).unwrap();
        for before in 0..number {
            assert!(chunk(&cut, before, &sealed).is_ok());
        }
        assert_eq!(
            chunk(&cut, number, &sealed),
            Err(SealedError::Chunk(number)),
            "{length}"
        );
    }
    // The tail once more, as it is and with another tag.
    for more in [sealed[HEADER + 2 * SEALED_CHUNK..].to_vec(), vec![0; 7]] {
        let longer = [sealed.as_slice(), &more].concat();
        let opener = opener_of(head, longer.len()).unwrap();
        assert_eq!(chunk(&opener, 2, &longer), Err(SealedError::Chunk(2)));
    }
}

#[test]
fn a_chunk_opens_in_its_own_place_of_its_own_object_only() {
    let sealed = at_once(&vec![9; 3 * MIB]);
    let opener = opener(&sealed);
    let again = Counter::default();
    let _first = sealed_with(b"", &again);
    let other = sealed_with(&vec![9; 3 * MIB], &again);
    for here in 0..3 {
        for there in 0..3 {
            let mut moved = sealed[span(&opener, there)].to_vec();
            assert_eq!(
                opener.open_chunk(here, &mut moved).is_ok(),
                here == there,
                "{here} {there}"
            );
        }
        assert_eq!(chunk(&opener, here, &other), Err(SealedError::Chunk(here)));
        for length in [0, 1, TAG, MIB, SEALED_CHUNK - 1, SEALED_CHUNK + 1] {
            let mut other_length = sealed[HEADER..HEADER + length].to_vec();
            assert_eq!(
                opener.open_chunk(here, &mut other_length),
                Err(SealedError::Chunk(here))
            );
            assert!(other_length.is_empty());
        }
    }
}

#[test]
fn chunks_of_other_lengths_are_not_sealed_and_none_comes_behind_the_last() {
    let refused = |sealer: &mut Sealer, length: usize, last| {
        let mut chunk = pattern(length);
        let refused = sealer.seal_chunk(&mut chunk, last);
        assert!(
            matches!(refused, Err(KmsError::Sealed(SealedError::ChunkLength))),
            "{length}"
        );
        assert!(chunk == pattern(length), "it was touched");
    };
    let mut sealer = sealer();
    for length in [0, 1, MIB - 1, MIB + 1] {
        refused(&mut sealer, length, false);
    }
    refused(&mut sealer, MIB + 1, true);
    sealer.seal_chunk(&mut pattern(MIB), false).unwrap();
    refused(&mut sealer, 0, true);
    sealer.seal_chunk(&mut pattern(MIB), true).unwrap();
    for last in [false, true] {
        refused(&mut sealer, MIB, last);
        refused(&mut sealer, 1, last);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_length_is_the_same_object(length in 0..3 * MIB) {
        let plain = pattern(length);
        prop_assert!(streamed(&plain) == at_once(&plain));
    }

    #[test]
    fn a_flipped_bit_spoils_its_own_chunk_and_no_other(at in HEADER..HEADER + 2 * MIB, bit in 0_u32..8) {
        let plain = pattern(2 * MIB + 5);
        let mut sealed = at_once(&plain);
        sealed[at] ^= 1 << bit;
        let opener = opener(&sealed);
        for number in 0..=2 {
            let expected = if span(&opener, number).contains(&at) {
                Err(SealedError::Chunk(number))
            } else {
                let at = MIB * number as usize;
                Ok(plain[at..plain.len().min(at + MIB)].to_vec())
            };
            prop_assert!(chunk(&opener, number, &sealed) == expected);
        }
    }

    #[test]
    fn foreign_heads_have_no_opener(bytes in proptest::collection::vec(any::<u8>(), 0..500), length: u32) {
        prop_assert!(opener_of(&bytes, length as usize).is_err());
        let whole = at_once(b"");
        let front = [&whole[..FIXED + BLOB], &bytes].concat();
        prop_assert!(opener_of(&front, length as usize).is_err());
    }
}
