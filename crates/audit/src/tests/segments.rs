//! A journal of several files: one chain through all of them.

use std::path::PathBuf;

use moho_iam::authz::{Journal, Position};

use super::{entry, reopened};
use crate::chain::Link;
use crate::committer::Committer;
use crate::journal::Writer;
use crate::segment::{Segment, Tail};
use crate::{AuditError, Recovery, verify};

/// A journal of several small files.
fn many_segments() -> (tempfile::TempDir, Vec<PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let segment = Segment::beginning_at(directory.path(), 1);
    let mut writer = Writer {
        link: Link::START,
        length: 0,
        limit: 1000,
        unfinished: false,
        tail: Box::new(segment.open().unwrap()),
        segment,
        tree: None,
        open: Box::new(|segment| segment.open().map(|file| Box::new(file) as Box<dyn Tail>)),
    };
    let committer = Committer::start(0, Box::new(|_records| ())).unwrap();
    for number in 1..=20 {
        assert_eq!(writer.append("{\"n\":1}", &committer).unwrap(), Position(number));
    }
    let files = crate::segment::list(directory.path()).unwrap();
    (directory, files.into_iter().map(|segment| segment.path).collect())
}

#[test]
fn the_chain_goes_on_from_file_to_file() {
    let (directory, files) = many_segments();
    assert!(files.len() > 3, "{}", files.len());
    let verified = verify(directory.path()).unwrap();
    assert_eq!((verified.records, verified.segments), (20, files.len()));
    let (journal, recovery) = reopened(directory.path()).unwrap();
    assert_eq!(recovery.records, 20);
    assert_eq!(journal.record(&entry(21)).unwrap(), Position(21));
    assert_eq!(verify(directory.path()).unwrap().records, 21);
}

#[test]
fn a_file_that_is_missing_altered_at_its_seam_or_torn_in_the_middle_is_refused() {
    let (directory, files) = many_segments();
    for (at, file) in files.iter().enumerate().take(files.len() - 1) {
        let whole = std::fs::read(file).unwrap();
        let mut first = whole.clone();
        first[20] ^= 1;
        let mut last = whole.clone();
        last[whole.len() - 10] ^= 1;
        for altered in [first, last, whole[..whole.len() - 1].to_vec(), Vec::new()] {
            std::fs::write(file, &altered).unwrap();
            assert!(
                matches!(reopened(directory.path()), Err(AuditError::Broken { .. })),
                "file {at}"
            );
            assert!(
                matches!(verify(directory.path()), Err(AuditError::Broken { .. })),
                "file {at}"
            );
        }
        std::fs::remove_file(file).unwrap();
        assert!(
            matches!(reopened(directory.path()), Err(AuditError::Broken { .. })),
            "file {at}"
        );
        assert!(
            matches!(verify(directory.path()), Err(AuditError::Broken { .. })),
            "file {at}"
        );
        std::fs::write(file, &whole).unwrap();
    }
    assert!(verify(directory.path()).is_ok());
}

#[test]
fn a_process_killed_before_the_first_record_of_a_new_file_is_no_damage() {
    let (directory, _) = many_segments();
    drop(Segment::beginning_at(directory.path(), 21).open().unwrap());
    let (journal, recovery) = reopened(directory.path()).unwrap();
    assert_eq!(
        recovery,
        Recovery {
            records: 20,
            cut_bytes: 0,
            new_log: false
        }
    );
    assert_eq!(journal.record(&entry(21)).unwrap(), Position(21));
}

#[test]
fn a_file_that_cannot_be_begun_fails_the_record_that_was_to_begin_it_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let segment = Segment::beginning_at(directory.path(), 1);
    let refusals = std::sync::Mutex::new(vec![(); 2]);
    let mut writer = Writer {
        link: Link::START,
        length: 0,
        limit: 1000,
        unfinished: false,
        tail: Box::new(segment.open().unwrap()),
        segment,
        tree: None,
        open: Box::new(move |segment| {
            // As when the process has as much open as it may: the file may be there already.
            let file = segment.open()?;
            match refusals.lock().unwrap().pop() {
                Some(()) => Err(AuditError::io(&segment.path)(std::io::ErrorKind::Other.into())),
                None => Ok(Box::new(file) as Box<dyn Tail>),
            }
        }),
    };
    let committer = Committer::start(0, Box::new(|_records| ())).unwrap();
    let (mut kept, mut failed) = (0, 0);
    for _ in 0..30 {
        match writer.append("{\"n\":1}", &committer) {
            Ok(position) => {
                kept += 1;
                assert_eq!(position, Position(kept));
            }
            Err(_) => failed += 1,
        }
    }
    assert_eq!((kept, failed), (28, 2));
    let verified = verify(directory.path()).unwrap();
    assert_eq!(verified.records, kept);
    assert!(verified.segments > 3);
    drop(committer);
    assert_eq!(reopened(directory.path()).unwrap().1.records, kept);
}
