//! Log files are the same bytes each time, and are read back as they were.

use moho_terms::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::cloudtrail::record::tests::{call, object_of};

fn at(seconds: u64) -> RecordText {
    let mut record = call();
    record.event_time = Timestamp::from_unix_seconds(seconds);
    record.into_text().unwrap()
}

#[test]
fn a_file_is_one_member_with_its_hash_and_times() {
    let records = [at(70), at(60), at(80)];
    let file = LogFile::of(&records).unwrap();
    assert_eq!(file, LogFile::of(&records).unwrap(), "the same bytes each time");
    assert_eq!(
        (file.oldest().unix_seconds(), file.newest().unix_seconds()),
        (60, 80)
    );
    let plain = gzip::unpack(file.body(), MAX_LOG_FILE).unwrap();
    let [a, b, c] = records.each_ref().map(RecordText::as_str);
    assert_eq!(
        String::from_utf8(plain.clone()).unwrap(),
        format!("{{\"Records\":[{a},{b},{c}]}}")
    );
    assert_eq!(file.hash(), Sha256::of(&plain));
}

#[test]
fn nothing_and_too_much_make_no_file() {
    assert_eq!(LogFile::of(&[]), Err(LogFileError::Empty));
    let mut record = call();
    record.request_parameters = Some(object_of(100 * 1024));
    record.response_elements = Some(object_of(100 * 1024));
    let large = record.into_text().unwrap();
    let many = vec![large; MAX_LOG_FILE / (200 * 1024) + 1];
    assert_eq!(
        LogFile::of(&many),
        Err(LogFileError::TooLarge { limit: MAX_LOG_FILE })
    );
}

#[test]
fn other_bytes_are_no_file() {
    for plain in [
        "",
        "[]",
        "{}",
        r#"{"Records":null}"#,
        r#"{"Records":[],"Other":1}"#,
        r#"{"Records":[{}]}"#,
    ] {
        let read = read(&gzip::pack(plain.as_bytes()).unwrap());
        assert!(matches!(read, Err(LogFileError::Malformed(_))), "{plain}");
    }
    assert_eq!(read(&gzip::pack(br#"{"Records":[]}"#).unwrap()), Ok(Vec::new()));
    assert_eq!(
        read(br#"{"Records":[]}"#),
        Err(LogFileError::Gzip(GzipError::Broken))
    );
    let bomb = gzip::pack(&vec![b' '; MAX_LOG_FILE + 1]).unwrap();
    assert_eq!(
        read(&bomb),
        Err(LogFileError::Gzip(GzipError::TooLarge { limit: MAX_LOG_FILE }))
    );
}

proptest! {
    #[test]
    fn reading_and_writing_agree(times in prop::collection::vec(0_u64..4_000_000_000, 1..20)) {
        let records: Vec<RecordText> = times.iter().copied().map(at).collect();
        let file = LogFile::of(&records).unwrap();
        let again: Vec<RecordText> = read(file.body()).unwrap().into_iter().map(|r| r.into_text().unwrap()).collect();
        prop_assert_eq!(again, records);
    }

    #[test]
    fn any_bytes_are_a_file_or_refused(bytes: Vec<u8>, plain in "\\{\"Records\":\\[[{}\\[\\]\",:a1]{0,40}") {
        let _either = read(&bytes);
        let _either = read(&gzip::pack(plain.as_bytes()).unwrap());
    }
}
