//! Files and rows that are not what was written: each is refused, and says which segment and which chunk.

use moho_kms::{KmsError, SealedError};

use super::*;

#[test]
fn a_damaged_chunk_is_named_and_the_others_are_read() {
    let shelf = Shelf::new();
    let plain = pattern(3 * MIB + 7);
    let segment = shelf.written(&plain);
    let path = shelf.path(&segment);
    let whole = std::fs::read(&path).unwrap();
    for (at, chunk) in [
        (HEAD, 0),
        (HEAD + MIB, 0),
        (HEAD + SEALED_CHUNK, 1),
        (HEAD + 3 * SEALED_CHUNK - 1, 2),
        (whole.len() - 1, 3),
    ] {
        let mut altered = whole.clone();
        altered[at] ^= 4;
        std::fs::write(&path, &altered).unwrap();
        let mut reader = shelf.reader(&segment).unwrap();
        assert_eq!(chunk_of(&reader.check().unwrap_err(), &segment), Some(chunk));
        for number in (0..4_u32).chain([chunk]) {
            let from = u64::from(number) * MIB as u64;
            let found = reader.read_range(from..u64::MAX).map(<[u8]>::to_vec);
            match found {
                Ok(found) => assert!(number != chunk && plain[number as usize * MIB..].starts_with(&found)),
                Err(error) => {
                    assert_eq!((chunk_of(&error, &segment), number), (Some(chunk), chunk));
                    let said = error.to_string();
                    assert!(said.contains(&segment.id().to_string()), "{said}");
                    assert!(said.starts_with(&format!("chunk {chunk} of")), "{said}");
                }
            }
        }
    }
}

#[test]
fn files_that_are_cut_lengthened_or_reordered_are_refused() {
    let shelf = Shelf::new();
    let segment = shelf.written(&pattern(3 * MIB + 7));
    let path = shelf.path(&segment);
    let whole = std::fs::read(&path).unwrap();
    let damaged = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = shelf.read(&segment, 0..u64::MAX).unwrap_err();
        chunk_of(&error, &segment)
    };
    for (length, chunk) in [
        (HEAD, 0),
        (HEAD + 1, 0),
        (HEAD + SEALED_CHUNK, 1),
        (HEAD + 2 * SEALED_CHUNK + 5, 2),
        (whole.len() - 1, 3),
    ] {
        assert_eq!(damaged(&whole[..length]), Some(chunk), "{length}");
    }
    assert_eq!(damaged(&[&*whole, &[0]].concat()), Some(4));
    assert_eq!(
        damaged(&[&*whole, &whole[HEAD + 3 * SEALED_CHUNK..]].concat()),
        Some(4)
    );
    let chunk = |n: usize| &whole[HEAD + n * SEALED_CHUNK..whole.len().min(HEAD + (n + 1) * SEALED_CHUNK)];
    let swapped = [&whole[..HEAD], chunk(1), chunk(0), chunk(2), chunk(3)].concat();
    assert_eq!(damaged(&swapped), Some(0));
    let repeated = [&whole[..HEAD], chunk(0), chunk(1), chunk(1), chunk(3)].concat();
    assert_eq!(damaged(&repeated), Some(2));
    for length in [0, 1, 12, HEAD - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(
            matches!(shelf.reader(&segment), Err(StoreError::SegmentDamaged { segment: id, .. }) if id == segment.id())
        );
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(shelf.read(&segment, 0..u64::MAX).is_ok());
}

/// Whoever puts another segment of the same caller and context in the place does not get it read.
#[test]
fn another_segment_in_the_place_is_refused() {
    let shelf = Shelf::new();
    for length in [100, 2 * MIB] {
        let (one, two) = (shelf.written(&pattern(length)), shelf.written(&pattern(length)));
        let other = match (&one.inline, &two.inline) {
            (Some(_), Some(theirs)) => Segment {
                inline: Some(theirs.clone()),
                ..again(&one)
            },
            _ => {
                std::fs::copy(shelf.path(&two), shelf.path(&one)).unwrap();
                again(&one)
            }
        };
        let refused = shelf.reader(&other).err().unwrap();
        let StoreError::SegmentDamaged { segment, source } = refused else {
            panic!("{refused}");
        };
        assert_eq!((segment, source), (one.id(), SealedError::NotCommitted));
        // A row that lies about the length.
        for (plain_length, sealed_length) in [(1, 0), (0, 1), (1, 1)] {
            let mut lying = again(&two);
            lying.plain_length += plain_length;
            lying.sealed_length += sealed_length;
            assert!(shelf.read(&lying, 0..u64::MAX).is_err());
        }
    }
    let segment = shelf.written(b"words");
    let elsewhere = shelf.house.new_id();
    let permit: Permit<kms::Decrypt> = shelf.house.key(&shelf.caller, &elsewhere);
    let context = crate::response_context(shelf.house.first.account, &elsewhere).unwrap();
    let store = &shelf.house.store;
    let refused = store.segment_reader(again(&segment), &shelf.house.kms, &permit, &context);
    assert!(matches!(refused, Err(StoreError::SegmentDamaged { .. })));
    let refused = store.segment_reader(again(&segment), &shelf.house.kms, &permit, &shelf.context());
    assert!(matches!(refused, Err(StoreError::Kms(KmsError::OtherContext))));
}
