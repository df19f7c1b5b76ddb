//! A disk that is full, that cannot cut, or that does not keep what it took.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use moho_iam::authz::Position;

use super::blocked_on;
use crate::AuditError;
use crate::chain::Link;
use crate::committer::Committer;
use crate::journal::Writer;
use crate::segment::{Segment, Syncer, Tail};

/// A disk of a few bytes, which may also refuse to cut and to sync.
#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    capacity: usize,
    cut_fails: bool,
    sync_fails: bool,
    /// Whether somebody syncs now, and how often somebody has.
    syncing: bool,
    synced: u32,
    /// While it is held, no sync ends.
    busy: Arc<Mutex<()>>,
}

struct TinyDisk(Arc<Mutex<Disk>>);

impl Tail for TinyDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let room = disk.capacity - disk.bytes.len();
        disk.bytes.extend(bytes.iter().take(room));
        if bytes.len() > room {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if disk.cut_fails {
            return Err(io::ErrorKind::Other.into());
        }
        disk.bytes.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn syncer(&self) -> Arc<dyn Syncer> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

impl Syncer for TinyDisk {
    fn sync(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.syncing = true;
        let busy = Arc::clone(&disk.busy);
        drop(disk);
        drop(busy.lock().unwrap());
        disk = self.0.lock().unwrap();
        (disk.syncing, disk.synced) = (false, disk.synced + 1);
        if disk.sync_fails {
            Err(io::ErrorKind::Other.into())
        } else {
            Ok(())
        }
    }
}

/// A writer on a disk with room for `capacity` bytes.
fn writer(capacity: usize) -> (Writer, Arc<Mutex<Disk>>) {
    let disk = Arc::new(Mutex::new(Disk {
        capacity,
        ..Disk::default()
    }));
    let writer = Writer {
        link: Link::START,
        segment: Segment::beginning_at(Path::new("/nowhere"), 1),
        length: 0,
        limit: u64::MAX,
        unfinished: false,
        tree: None,
        tail: Box::new(TinyDisk(Arc::clone(&disk))),
        open: Box::new(|segment| segment.open().map(|file| Box::new(file) as Box<dyn Tail>)),
    };
    (writer, disk)
}

fn committer() -> Committer {
    Committer::start(0, Box::new(|_records| ())).unwrap()
}

#[test]
fn a_full_disk_fails_the_entry_and_leaves_no_trace_of_it() {
    let (mut writer, disk) = writer(0);
    let committer = committer();
    let (first, link) = Link::START.record("{}").unwrap();
    let (second, _) = link.record("{}").unwrap();
    for room in 0..second.len() {
        disk.lock().unwrap().capacity = 0;
        disk.lock().unwrap().bytes.clear();
        (writer.link, writer.length) = (Link::START, 0);
        disk.lock().unwrap().capacity = first.len() + room;
        assert_eq!(writer.append("{}", &committer).unwrap(), Position(1));
        let error = writer.append("{}", &committer).unwrap_err();
        assert!(matches!(error, AuditError::DiskFull(_)), "{error}");
        assert_eq!(disk.lock().unwrap().bytes, first, "{room} bytes were free");
        disk.lock().unwrap().capacity = usize::MAX;
        assert_eq!(writer.append("{}", &committer).unwrap(), Position(2));
        assert_eq!(disk.lock().unwrap().bytes, [first.as_slice(), &second].concat());
    }
}

#[test]
fn a_partial_record_that_could_not_be_cut_is_cut_before_the_next_one() {
    let (mut writer, disk) = writer(30);
    let committer = committer();
    disk.lock().unwrap().cut_fails = true;
    assert!(writer.append("{}", &committer).is_err());
    assert_eq!(disk.lock().unwrap().bytes.len(), 30);
    disk.lock().unwrap().capacity = usize::MAX;
    assert!(
        writer.append("{}", &committer).is_err(),
        "nothing is appended behind a partial record"
    );
    assert_eq!(disk.lock().unwrap().bytes.len(), 30);
    disk.lock().unwrap().cut_fails = false;
    assert_eq!(writer.append("{}", &committer).unwrap(), Position(1));
    let (record, _) = Link::START.record("{}").unwrap();
    assert_eq!(disk.lock().unwrap().bytes, record);
}

#[test]
fn a_disk_that_does_not_keep_what_it_took_ends_the_journal() {
    let (mut writer, disk) = writer(usize::MAX);
    let committer = committer();
    disk.lock().unwrap().sync_fails = true;
    writer.append("{}", &committer).unwrap();
    while !committer.durable().has_failed() {
        std::thread::yield_now();
    }
    assert_eq!(committer.unsynced(), 1, "nobody can tell that it is not lost");
    disk.lock().unwrap().sync_fails = false;
    assert!(matches!(
        writer.append("{}", &committer),
        Err(AuditError::NotDurable)
    ));
}

#[test]
fn who_waits_is_told_when_it_is_on_the_disk_and_when_it_never_will_be() {
    let (mut writer, disk) = writer(usize::MAX);
    let committer = committer();
    assert_eq!(committer.unsynced(), 0);
    let first = writer.append("{}", &committer).unwrap();
    assert!(blocked_on(committer.durable().wait(first.0)).is_ok());
    assert_eq!(committer.unsynced(), 0);
    let synced = disk.lock().unwrap().synced;
    assert!(synced >= 1);
    // What was waited for and is there is not waited for again.
    assert!(blocked_on(committer.durable().wait(first.0)).is_ok());
    assert_eq!(disk.lock().unwrap().synced, synced);
    disk.lock().unwrap().sync_fails = true;
    let second = writer.append("{}", &committer).unwrap();
    let lost = blocked_on(committer.durable().wait(second.0));
    assert!(matches!(lost, Err(AuditError::NotDurable)));
    // The first one is there all the same.
    assert!(blocked_on(committer.durable().wait(first.0)).is_ok());
}

#[test]
fn one_wait_of_the_disk_serves_all_who_came_meanwhile() {
    let (mut writer, disk) = writer(usize::MAX);
    let committer = committer();
    let (busy, free) = (disk.lock().unwrap().busy.clone(), Arc::clone(&disk));
    let held = busy.lock().unwrap();
    writer.append("{}", &committer).unwrap();
    while !free.lock().unwrap().syncing {
        std::thread::yield_now();
    }
    let mut last = Position(0);
    for _ in 0..100 {
        last = writer.append("{}", &committer).unwrap();
    }
    drop(held);
    blocked_on(committer.durable().wait(last.0)).unwrap();
    assert_eq!(free.lock().unwrap().synced, 2);
}
