//! Segments to the disk and back.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use moho_benches::Stopwatch;
use moho_iam::action::kms;
use moho_os::process_cpu_time;
use moho_store::objects::{LocalSegments, Segment, SegmentId, SegmentReader, Segments as _};
use serde::Serialize;

use crate::Keeping;

const CHUNK: usize = 1 << 20;
/// What is written at a time, as it comes from a connection.
const PIECE: usize = 64 << 10;
/// Of these a chunk has so many.
const PIECES: u32 = 16;

/// How often each is measured; the median counts.
const ROUNDS: u32 = 5;

/// How long one took.
struct Took {
    write: Duration,
    /// From the disk.
    read: Duration,
    /// From memory: what it takes of a core.
    again: Duration,
}

/// MiB a second of each.
#[derive(Serialize)]
pub(crate) struct Rates {
    write: f64,
    read: f64,
    again: f64,
}

#[derive(Serialize)]
pub(crate) struct Segments {
    sealed: Rates,
    plain: Rates,
}

pub(crate) fn measure(mebibytes: u32, plain_first: bool) -> Result<Segments> {
    let keeping = Keeping::begin()?;
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let plain = folder.path().join("objects");
    // The first ones make folders.
    sealed(&keeping, 2)?;
    plainly(&plain, 2)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if plain_first == (round % 2 == 0) {
            theirs.push(plainly(&plain, mebibytes)?);
            ours.push(sealed(&keeping, mebibytes)?);
        } else {
            ours.push(sealed(&keeping, mebibytes)?);
            theirs.push(plainly(&plain, mebibytes)?);
        }
    }
    Ok(Segments {
        sealed: rates(&ours, mebibytes)?,
        plain: rates(&theirs, mebibytes)?,
    })
}

fn rates(all: &[Took], mebibytes: u32) -> Result<Rates> {
    let rate = |of: fn(&Took) -> Duration| {
        let mut sorted: Vec<Duration> = all.iter().map(of).collect();
        sorted.sort_unstable();
        let median = sorted.get(sorted.len() / 2).context("nothing was measured")?;
        anyhow::Ok(f64::from(mebibytes) / median.as_secs_f64())
    };
    Ok(Rates {
        write: rate(|took| took.write)?,
        read: rate(|took| took.read)?,
        again: rate(|took| took.again)?,
    })
}

/// A segment of so many MiB.
pub(crate) fn written(keeping: &Keeping, mebibytes: u32) -> Result<Segment> {
    let piece = vec![7; PIECE];
    let mut writer = keeping.house.store().segment_writer(keeping.sealer()?);
    for _ in 0..mebibytes.saturating_mul(PIECES) {
        writer.write(&piece)?;
    }
    Ok(writer.finish()?)
}

pub(crate) fn opened(keeping: &Keeping, segment: Segment) -> Result<SegmentReader> {
    let permit = keeping.permit::<kms::Decrypt>()?;
    let (store, kms) = (keeping.house.store(), &keeping.house.kms);
    Ok(store.segment_reader(segment, kms, &permit, &keeping.context)?)
}

/// Whoever reads something wants it somewhere.
fn take(out: &mut Vec<u8>, piece: &[u8]) {
    out.clear();
    out.extend_from_slice(piece);
    std::hint::black_box(out);
}

/// Makes the kernel forget what it remembers of a segment's file.
fn forget(objects: &Path, id: SegmentId) -> Result<()> {
    let name = id.to_string();
    let folder = name.split_at(2).0;
    let file = File::open(objects.join(folder).join(&name)).context("no such segment")?;
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

/// How long something takes, and how long of a core.
fn timed(does: impl FnOnce() -> Result<()>) -> Result<(Duration, Duration)> {
    let (watch, before) = (Stopwatch::start(), process_cpu_time());
    does()?;
    Ok((watch.elapsed(), process_cpu_time().saturating_sub(before)))
}

fn sealed(keeping: &Keeping, mebibytes: u32) -> Result<Took> {
    let watch = Stopwatch::start();
    let segment = written(keeping, mebibytes)?;
    let write = watch.elapsed();
    let id = segment.id();
    let mut out = Vec::with_capacity(CHUNK);
    let mut reading = || {
        let segment = Segment {
            inline: None,
            sums: segment.sums.clone(),
            ..segment
        };
        let mut reader = opened(keeping, segment)?;
        let mut from = 0;
        while from < reader.plain_length() {
            let piece = reader.read_range(from..u64::MAX)?;
            from = from.saturating_add(piece.len() as u64);
            take(&mut out, piece);
        }
        Ok(())
    };
    forget(&keeping.house.folder().join("objects"), id)?;
    let (read, _) = timed(&mut reading)?;
    let (_, again) = timed(&mut reading)?;
    keeping.house.store().delete_segment(id)?;
    Ok(Took { write, read, again })
}

/// The same, through a buffer of the same length, with the bytes as they are.
fn plainly(objects: &Path, mebibytes: u32) -> Result<Took> {
    let place = LocalSegments::open(objects.to_owned())?;
    let id = SegmentId::of(&[1; 32]);
    let watch = Stopwatch::start();
    let mut incoming = place.begin(id)?;
    let mut buffer = Vec::with_capacity(CHUNK);
    let piece = vec![7; PIECE];
    for _ in 0..mebibytes {
        buffer.clear();
        for _ in 0..PIECES {
            buffer.extend_from_slice(&piece);
        }
        incoming.append(&buffer)?;
    }
    incoming.keep()?;
    let write = watch.elapsed();
    drop(buffer);
    let mut out = Vec::with_capacity(CHUNK);
    let mut reading = || {
        let mut resting = place.open(id)?;
        let mut buffer = vec![0; CHUNK];
        let mut from = 0;
        while from < resting.length() {
            let read = resting.read(from, &mut buffer)?;
            ensure!(read > 0, "the file is short");
            from = from.saturating_add(read as u64);
            take(&mut out, buffer.get(..read).unwrap_or_default());
        }
        Ok(())
    };
    forget(objects, id)?;
    let (read, _) = timed(&mut reading)?;
    let (_, again) = timed(&mut reading)?;
    place.delete(id)?;
    Ok(Took { write, read, again })
}
