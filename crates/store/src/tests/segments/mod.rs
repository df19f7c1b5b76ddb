//! Segments: what is written comes back in any range, and what is not what was written is refused by name.

mod altered;
mod ended;
mod places;

use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use moho_kms::EncryptionContext;
use proptest::prelude::*;

use super::*;
use crate::objects::{PresentSegment, Segment, SegmentId, SegmentReader, SegmentWriter, Segments};

const MIB: usize = 1 << 20;
const TAG: usize = 16;
const HEAD: usize = 221;
const SEALED_CHUNK: usize = MIB + TAG;
const INLINE: usize = 64 << 10;

/// A house and what its segments are sealed under.
struct Shelf {
    house: House,
    caller: Authenticated,
    id: ResponseId,
    directory: tempfile::TempDir,
}

impl Shelf {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        Self {
            caller: house.session("Developer"),
            id: house.new_id(),
            house,
            directory,
        }
    }

    fn context(&self) -> EncryptionContext {
        crate::response_context(self.house.first.account, &self.id).unwrap()
    }

    fn writer(&self) -> SegmentWriter {
        let permit: Permit<kms::GenerateDataKey> = self.house.key(&self.caller, &self.id);
        let sealer = self.house.kms.sealer(&permit, &self.context()).unwrap();
        self.house.store.segment_writer(sealer)
    }

    fn written(&self, plain: &[u8]) -> Segment {
        let mut writer = self.writer();
        writer.write(plain).unwrap();
        writer.finish().unwrap()
    }

    fn reader(&self, segment: &Segment) -> Result<SegmentReader, StoreError> {
        let permit: Permit<kms::Decrypt> = self.house.key(&self.caller, &self.id);
        let context = self.context();
        self.house
            .store
            .segment_reader(again(segment), &self.house.kms, &permit, &context)
    }

    fn read(&self, segment: &Segment, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        read(&mut self.reader(segment)?, range)
    }

    fn objects(&self) -> PathBuf {
        self.directory.path().join("store/objects")
    }

    fn path(&self, segment: &Segment) -> PathBuf {
        let id = segment.id().to_string();
        self.objects().join(id.split_at(2).0).join(id)
    }

    fn present(&self) -> Vec<PresentSegment> {
        let mut all: Vec<_> = self.house.store.segments_present().map(Result::unwrap).collect();
        all.sort_by_key(|present| present.id);
        all
    }

    fn incoming(&self) -> usize {
        std::fs::read_dir(self.objects().join("incoming")).map_or(0, Iterator::count)
    }

    /// The same house with other segments.
    fn with(mut self, segments: Arc<dyn Segments>) -> Self {
        let store = opened(self.directory.path()).unwrap();
        self.house.store = Arc::new(store.with_segments(segments));
        self
    }
}

fn again(segment: &Segment) -> Segment {
    Segment {
        inline: segment.inline.clone(),
        sums: segment.sums.clone(),
        ..*segment
    }
}

fn read(reader: &mut SegmentReader, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    loop {
        let piece = reader.read_range(range.start + all.len() as u64..range.end)?;
        assert!(piece.len() <= MIB);
        if piece.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(piece);
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| u8::try_from((i.wrapping_mul(2_654_435_761) >> 13) & 0xff).unwrap())
        .collect()
}

fn chunk_of(error: &StoreError, segment: &Segment) -> Option<u32> {
    if let StoreError::ChunkDamaged { segment: id, chunk } = error
        && *id == segment.id()
    {
        return Some(*chunk);
    }
    None
}

#[test]
fn segments_of_every_interesting_length_come_back() {
    let shelf = Shelf::new();
    for length in [
        0,
        1,
        1000,
        INLINE - 1,
        INLINE,
        INLINE + 1,
        MIB - 1,
        MIB,
        MIB + 1,
        3 * MIB,
        3 * MIB + 7,
    ] {
        let plain = pattern(length);
        let mut writer = shelf.writer();
        for piece in plain.chunks(77_777) {
            writer.write(piece).unwrap();
        }
        assert_eq!(writer.plain_length(), length as u64);
        let segment = writer.finish().unwrap();
        assert_eq!(segment.plain_length, length as u64);
        assert_eq!(segment.inline.is_some(), length <= INLINE);
        let resting = match &segment.inline {
            Some(inline) => inline.clone(),
            None => std::fs::read(shelf.path(&segment)).unwrap(),
        };
        assert_eq!(segment.sealed_length, resting.len() as u64);
        assert_eq!(resting.len(), HEAD + length + TAG * length.div_ceil(MIB).max(1));
        assert!(length < 8 || !resting.windows(8).any(|window| plain.starts_with(window)));
        let mut reader = shelf.reader(&segment).unwrap();
        assert_eq!(
            (reader.id(), reader.plain_length()),
            (segment.id(), length as u64)
        );
        reader.check().unwrap();
        assert!(read(&mut reader, 0..u64::MAX).unwrap() == plain, "{length}");
        let backwards = Range { start: 7, end: 3 };
        for range in [5..5, backwards, length as u64..u64::MAX, u64::MAX - 1..u64::MAX] {
            assert_eq!(reader.read_range(range).unwrap(), b"");
        }
        // It is one sealed object, which opens at once, too.
        let permit: Permit<kms::Decrypt> = shelf.house.key(&shelf.caller, &shelf.id);
        let opened = shelf.house.kms.open(&permit, &shelf.context(), &resting).unwrap();
        assert!(opened.expose() == plain);
    }
}

#[test]
fn files_are_private_and_nothing_of_the_writing_stays() {
    let shelf = Shelf::new();
    assert!(!shelf.objects().exists(), "it is made with the first");
    let segment = shelf.written(&pattern(MIB + 1));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let path = shelf.path(&segment);
    assert_eq!(mode(&path), 0o600);
    for folder in path
        .ancestors()
        .skip(1)
        .take(3)
        .chain([&*shelf.objects().join("incoming")])
    {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    assert_eq!(shelf.incoming(), 0);
    let mut writer = shelf.writer();
    writer.write(&pattern(2 * MIB + 1)).unwrap();
    assert_eq!(shelf.incoming(), 1);
    drop(writer);
    assert_eq!(shelf.incoming(), 0);
    assert_eq!(shelf.present().len(), 1);
}

#[test]
fn what_is_deleted_is_gone_and_may_be_deleted_again() {
    let shelf = Shelf::new();
    let store = &shelf.house.store;
    assert_eq!(shelf.present(), []);
    let segments: Vec<Segment> = (0..5).map(|n| shelf.written(&pattern(INLINE + 1 + n))).collect();
    let mut expected: Vec<_> = segments.iter().map(|s| (s.id(), s.sealed_length)).collect();
    expected.sort();
    let present: Vec<_> = shelf.present().iter().map(|p| (p.id, p.sealed_length)).collect();
    assert_eq!(present, expected);
    // The real clock is later than the one that stands still here.
    assert!(
        shelf
            .present()
            .iter()
            .all(|p| p.kept_at > Timestamp::from_unix_seconds(1_600_000_000))
    );
    let first = &segments[0];
    for _ in 0..2 {
        store.delete_segment(first.id()).unwrap();
        assert!(matches!(shelf.reader(first), Err(StoreError::SegmentAbsent(id)) if id == first.id()));
    }
    store.delete_segment(SegmentId::of(&[0xee; 32])).unwrap();
    assert_eq!(shelf.present().len(), 4);
    // What else lies there is nobody's segment.
    std::fs::write(shelf.path(&segments[1]).with_file_name("notes.txt"), "").unwrap();
    std::fs::create_dir(shelf.objects().join("zz")).unwrap();
    assert_eq!(shelf.present().len(), 4);
}

#[test]
fn ids_are_read_as_they_are_written() {
    let mut commitment = [0; 32];
    commitment[0] = 0x0a;
    commitment[15] = 0xff;
    let id = SegmentId::of(&commitment);
    assert_eq!(id.to_string(), "0a0000000000000000000000000000ff");
    assert_eq!(id.to_string().parse(), Ok(id));
    for wrong in [
        "",
        "0",
        "0A0000000000000000000000000000ff",
        "+a0000000000000000000000000000ff",
        "../../../../../../../../etc/pass",
    ] {
        assert!(wrong.parse::<SegmentId>().is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_range_of_any_length_comes_back(
        length in 0..3 * MIB,
        piece in 1..MIB + 9,
        ranges in proptest::collection::vec((0..3 * MIB + 9, 0..MIB + 9), 8),
    ) {
        let shelf = Shelf::new();
        let plain = pattern(length);
        let mut writer = shelf.writer();
        for piece in plain.chunks(piece) {
            writer.write(piece).unwrap();
        }
        let segment = writer.finish().unwrap();
        let mut reader = shelf.reader(&segment).unwrap();
        for (from, count) in ranges {
            let expected = &plain[from.min(length)..(from + count).min(length)];
            let found = read(&mut reader, from as u64..(from + count) as u64).unwrap();
            prop_assert!(found == expected);
        }
    }
}
