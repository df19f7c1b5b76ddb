//! What comes back from a disk that somebody else may have written to: sealed objects, keys and the journal; and ciphertext
//! blobs, which come from anywhere.

use moho_audit::hostile_input::{check, file};
use moho_kms::hostile_input as kms;

/// The bytes as a sealed object.
pub fn sealed_object(data: &[u8]) {
    if let Ok(front) = kms::sealed_front(data) {
        assert_eq!(
            data.get(..front.len()),
            Some(front.as_slice()),
            "a front prints as it was read"
        );
    }
}

/// The bytes as a ciphertext blob.
pub fn ciphertext_blob(data: &[u8]) {
    if let Ok(again) = kms::ciphertext_blob(data) {
        assert_eq!(again, data, "a blob prints as it was read");
    }
}

/// The bytes as the record of a key.
pub fn key_record(data: &[u8]) {
    let Ok(json) = kms::key_record(data) else { return };
    // Today's version, under no root key in particular.
    let again = [[1].as_slice(), &[0; 48], &json].concat();
    assert_eq!(
        kms::key_record(&again),
        Ok(json),
        "a record prints as it was read"
    );
}

/// The bytes as the journal's first file, and as entries of one.
pub fn journal(data: &[u8]) {
    if let Ok(found) = check(data) {
        let length = found.sound.saturating_add(found.torn);
        assert_eq!(
            usize::try_from(length),
            Ok(data.len()),
            "every byte is sound or torn"
        );
        let sound = usize::try_from(found.sound).unwrap_or(usize::MAX);
        let again = check(data.get(..sound).unwrap_or_default()).map(|again| (again.records, again.torn));
        assert_eq!(again.ok(), Some((found.records, 0)), "what is sound stands alone");
    }
    written(data);
}

/// Lines of text as entries: what is written is sound, and any change of it is noticed.
fn written(data: &[u8]) {
    let text = super::text(data);
    let lines: Vec<&str> = text.lines().take(8).collect();
    let Some(mut bytes) = file(&lines) else { return };
    let sound = check(&bytes).map(|found| (found.records, found.torn)).ok();
    let records = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    assert_eq!(sound, Some((records, 0)), "what the journal writes is sound");
    let at = data.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    if let Some(byte) = at.checked_rem(bytes.len()).and_then(|at| bytes.get_mut(at)) {
        *byte ^= 1;
        let changed = check(&bytes).map_or(0, |found| found.records);
        assert!(changed < records, "a changed journal is not whole");
    }
}
