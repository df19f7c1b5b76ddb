//! Another place for segments: what is read of it, and what it cannot take.

use std::io::Read;
use std::sync::Mutex;

use super::*;
use crate::objects::{IncomingSegment, RestingSegment, Segments};

/// Segments in memory, which count what is read, and fail when they are told to.
#[derive(Default)]
struct Memory {
    kept: Arc<Mutex<std::collections::BTreeMap<SegmentId, Vec<u8>>>>,
    read: Arc<Mutex<Vec<(u64, usize)>>>,
    /// Room for so many bytes; any, if none.
    room: Option<usize>,
    keeps: bool,
}

struct MemoryIncoming(SegmentId, Vec<u8>, Memory);
struct MemoryResting(Vec<u8>, Arc<Mutex<Vec<(u64, usize)>>>);

impl Memory {
    fn same(&self) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            read: Arc::clone(&self.read),
            ..*self
        }
    }
}

impl Segments for Memory {
    fn begin(&self, id: SegmentId) -> Result<Box<dyn IncomingSegment>, StoreError> {
        Ok(Box::new(MemoryIncoming(id, Vec::new(), self.same())))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn RestingSegment>, StoreError> {
        let kept = self.kept.lock().unwrap().get(&id).cloned();
        let kept = kept.ok_or(StoreError::SegmentAbsent(id))?;
        Ok(Box::new(MemoryResting(kept, Arc::clone(&self.read))))
    }

    fn delete(&self, id: SegmentId) -> Result<(), StoreError> {
        self.kept.lock().unwrap().remove(&id);
        Ok(())
    }

    fn present(&self) -> Box<dyn Iterator<Item = Result<PresentSegment, StoreError>> + Send + '_> {
        Box::new(std::iter::empty())
    }
}

impl IncomingSegment for MemoryIncoming {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.1.extend_from_slice(bytes);
        match self.2.room {
            Some(room) if self.1.len() > room => Err(StoreError::DiskFull(PathBuf::from("memory"))),
            _ => Ok(()),
        }
    }

    fn keep(self: Box<Self>) -> Result<(), StoreError> {
        if !self.2.keeps {
            return Err(StoreError::DiskFull(PathBuf::from("memory")));
        }
        self.2.kept.lock().unwrap().insert(self.0, self.1);
        Ok(())
    }
}

impl RestingSegment for MemoryResting {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, from: u64, into: &mut [u8]) -> Result<usize, StoreError> {
        self.1.lock().unwrap().push((from, into.len()));
        let rest = self.0.get(usize::try_from(from).unwrap()..).unwrap_or_default();
        Ok((&mut &*rest).read(into).unwrap())
    }
}

#[test]
fn only_the_chunks_that_are_asked_for_are_read() {
    let memory = Memory {
        keeps: true,
        ..Memory::default()
    };
    let shelf = Shelf::new().with(Arc::new(memory.same()));
    let plain = pattern(5 * MIB + 3);
    let segment = shelf.written(&plain);
    assert_eq!(memory.kept.lock().unwrap().len(), 1);
    let mut reader = shelf.reader(&segment).unwrap();
    let seen = || std::mem::take(&mut *memory.read.lock().unwrap());
    assert_eq!(seen(), [(0, HEAD)]);
    let mib = MIB as u64;
    assert!(read(&mut reader, mib + 5..mib + 9).unwrap() == plain[MIB + 5..MIB + 9]);
    let at = |chunk: usize| (HEAD + chunk * SEALED_CHUNK) as u64;
    assert_eq!(seen(), [(at(1), SEALED_CHUNK)]);
    assert!(read(&mut reader, mib..mib + 1).unwrap() == plain[MIB..=MIB]);
    assert_eq!(seen(), [], "it is at hand");
    assert!(read(&mut reader, 4 * mib - 1..4 * mib + 1).unwrap() == plain[4 * MIB - 1..=4 * MIB]);
    assert_eq!(seen(), [(at(3), SEALED_CHUNK), (at(4), SEALED_CHUNK)]);
    assert!(read(&mut reader, 5 * mib..6 * mib).unwrap() == plain[5 * MIB..]);
    assert_eq!(seen(), [(at(5), 3 + TAG)]);
}

#[test]
fn what_cannot_be_written_or_kept_is_not_acknowledged() {
    for room in [0, HEAD, HEAD + 10, HEAD + SEALED_CHUNK, HEAD + 2 * SEALED_CHUNK] {
        let memory = Memory {
            room: Some(room),
            keeps: true,
            ..Memory::default()
        };
        let shelf = Shelf::new().with(Arc::new(memory.same()));
        let mut writer = shelf.writer();
        let mut ended = Ok(());
        for piece in pattern(3 * MIB).chunks(100_000) {
            let was = ended.is_ok();
            let now = writer.write(piece);
            if was {
                ended = now;
            } else if let Err(error) = now {
                assert!(matches!(error, StoreError::SegmentUnfinished));
            }
        }
        match ended {
            Err(error) => {
                assert!(matches!(error, StoreError::DiskFull(_)));
                assert!(matches!(writer.finish(), Err(StoreError::SegmentUnfinished)));
            }
            Ok(()) => assert!(matches!(writer.finish(), Err(StoreError::DiskFull(_)))),
        }
        assert!(memory.kept.lock().unwrap().is_empty());
    }
    let memory = Memory::default();
    let shelf = Shelf::new().with(Arc::new(memory.same()));
    let mut writer = shelf.writer();
    writer.write(&pattern(MIB)).unwrap();
    assert!(matches!(writer.finish(), Err(StoreError::DiskFull(_))));
    assert!(
        shelf.written(b"small").inline.is_some(),
        "what is inline needs no room there"
    );
}
