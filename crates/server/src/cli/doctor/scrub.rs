//! Everything that is kept, read once: whether each row is the one that was written last, and each byte of each object's
//! segments. Only on request, as it reads the whole disk; it says what is wrong by name, and opens nothing.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use moho_store::backup::Progress;
use moho_store::objects::Finding as Damage;
use moho_store::{Scrub, Store, StoreError};
use moho_terms::{Clock, Stopwatch};

use super::finding::{Finding, chain};
use crate::bucket_segments::place::Settling;
use crate::cli::counting::Counting;
use crate::closing::Closing;
use crate::config::Config;
use crate::root_key;
use crate::system::{SystemClock, SystemEntropy, SystemStopwatch};

const SCRUB: &str = "scrub";
/// Where it writes down how far it is.
const JOB: &str = "doctor-scrub";
/// Segments that are read between two words about it.
const SEGMENTS: usize = 64;
/// Findings that are told one by one.
const TOLD: usize = 1000;

/// What turns it on.
pub(super) fn arguments() -> [Arg; 2] {
    [
        Arg::new("scrub")
            .long("scrub")
            .action(ArgAction::SetTrue)
            .help("Read everything that is kept, and name each object that is damaged (takes the root key; may be broken off and called again)"),
        Arg::new("rate")
            .long("rate")
            .value_name("MIB")
            .requires("scrub")
            .value_parser(value_parser!(NonZeroU32))
            .help("Read at most so many MiB of objects a second"),
    ]
}

/// Scrubs, if that was asked for.
pub(super) fn check(config: &Config, matches: &ArgMatches) -> Vec<Finding> {
    if !matches.get_flag("scrub") {
        return Vec::new();
    }
    let rate = matches.get_one::<NonZeroU32>("rate").copied();
    scrubbed(config, rate).unwrap_or_else(|problem| {
        vec![
            Finding::fault(SCRUB, problem)
                .why("what is kept could not be read through")
                .cure("put that right, and call it again: it goes on from where it was"),
        ]
    })
}

fn scrubbed(config: &Config, rate: Option<NonZeroU32>) -> Result<Vec<Finding>, String> {
    let directory = config.store.join("store");
    if !directory.join("moho.sqlite").is_file() {
        return Ok(vec![Finding::note(
            SCRUB,
            "there is no store yet, so nothing to read",
        )]);
    }
    let entropy = SystemEntropy::default();
    let root = root_key::open(&config.root, &entropy).map_err(|error| chain(&error))?;
    let store = match Store::open(&directory, (&root, &entropy)) {
        Ok(store) => store,
        Err(error @ (StoreError::Altered(_) | StoreError::RolledBack { .. })) => {
            return Ok(vec![altered(&error)]);
        }
        Err(error) => return Err(chain(&error)),
    };
    let settling = Settling {
        directory: &directory,
        wanted: config.objects.as_ref(),
        closing: &Closing::new(),
    };
    let segments_at = settling.as_remembered().map_err(|error| chain(&error))?;
    let store = store.with_segments(segments_at);
    let mut findings = rows(&store)?;
    findings.extend(segments(&store, rate)?);
    Ok(findings)
}

/// Every row against the tree.
fn rows(store: &Store) -> Result<Vec<Finding>, String> {
    let mut scrub = Scrub::default();
    while !scrub.is_done() {
        match store.scrub(&mut scrub) {
            Ok(()) => {}
            Err(error @ (StoreError::Altered(_) | StoreError::RolledBack { .. })) => {
                return Ok(vec![altered(&error)]);
            }
            Err(error) => return Err(chain(&error)),
        }
    }
    Ok(vec![Finding::fine(
        SCRUB,
        format!("all {} rows are as they were written", scrub.rows()),
    )])
}

fn altered(error: &StoreError) -> Finding {
    Finding::fault(SCRUB, chain(error))
        .why("somebody or something else than moho has changed what is kept")
        .cure("stop moho, keep a copy, and restore a backup (`moho restore`)")
}

/// Every byte of every segment against its sum.
fn segments(store: &Store, rate: Option<NonZeroU32>) -> Result<Vec<Finding>, String> {
    let objects = store.objects();
    let mut place = store.job_place(JOB).map_err(|error| chain(&error))?;
    place = place.filter(|place| !place.is_empty());
    let resumed = place.is_some();
    let (mut counting, mut pacing) = (Counting::new(), Pacing::at(rate));
    let (mut read, mut bytes, mut damage) = (0_u64, 0_u64, Vec::new());
    loop {
        let done = objects
            .scrub(place.as_deref(), SEGMENTS, &mut |read| pacing.wait(read))
            .map_err(|error| chain(&error))?;
        read = read.saturating_add(done.segments);
        bytes = bytes.saturating_add(done.bytes);
        damage.extend(done.findings);
        let next = done.next.clone().unwrap_or_default();
        store
            .set_job_place(JOB, &next, SystemClock.now())
            .map_err(|error| chain(&error))?;
        counting.show(Progress {
            step: "segments",
            done: read,
            total: 0,
            bytes,
        });
        place = done.next;
        if place.is_none() {
            break;
        }
    }
    counting.end();
    let whence = if resumed {
        ", from where it was broken off before"
    } else {
        ""
    };
    let what = format!("{read} segments of {bytes} bytes were read{whence}");
    let mut findings = vec![if damage.is_empty() {
        Finding::fine(SCRUB, format!("{what}: all are as they were written"))
    } else {
        Finding::fault(SCRUB, format!("{what}: {} chunks are damaged", damage.len()))
            .why("whoever reads them is told so, and gets nothing wrong, but their bytes are lost here")
            .cure("restore these objects from a backup; look after the disk")
    }];
    findings.extend(damage.iter().take(TOLD).map(named));
    Ok(findings)
}

/// Which object it is, and where in it.
fn named(damage: &Damage) -> Finding {
    let objects: Vec<String> = damage
        .objects
        .iter()
        .map(|(bucket, key, version)| format!("s3://{bucket}/{} (version {version})", key.escape_debug()))
        .collect();
    let whose = if objects.is_empty() {
        format!("the upload {}", damage.body)
    } else {
        objects.join(", ")
    };
    let chunk = damage
        .chunk
        .map(|chunk| format!(", chunk {chunk}"))
        .unwrap_or_default();
    Finding::fault(
        SCRUB,
        format!("{whose}, part {}{chunk}: {}", damage.part, damage.what),
    )
}

/// Sees to it that no more is read than so much a second.
struct Pacing {
    rate: Option<u64>,
    watch: SystemStopwatch,
    read: u64,
}

impl Pacing {
    fn at(rate: Option<NonZeroU32>) -> Self {
        Self {
            rate: rate.map(|mebibytes| u64::from(mebibytes.get()) << 20),
            watch: SystemStopwatch::start(),
            read: 0,
        }
    }

    fn wait(&mut self, bytes: u64) -> ControlFlow<()> {
        std::thread::sleep(self.ahead(bytes, self.watch.elapsed()));
        ControlFlow::Continue(())
    }

    /// How long to wait once so many bytes more are read, so long after the first.
    fn ahead(&mut self, bytes: u64, elapsed: Duration) -> Duration {
        self.read = self.read.saturating_add(bytes);
        let micros = self.read.saturating_mul(1_000_000);
        let due = self.rate.and_then(|rate| micros.checked_div(rate));
        due.map_or(Duration::ZERO, |micros| {
            Duration::from_micros(micros).saturating_sub(elapsed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_named_and_not_told() {
        let damage = Damage {
            body: "A".repeat(32).parse().unwrap(),
            part: 3,
            chunk: Some(7),
            what: "its bytes are not those that were written",
            objects: vec![("bucket".to_owned(), "a\nb".to_owned(), "null".to_owned())],
        };
        let finding = named(&damage);
        assert_eq!(
            finding.what,
            "s3://bucket/a\\nb (version null), part 3, chunk 7: its bytes are not those that were written"
        );
        let of_upload = Damage {
            objects: vec![],
            chunk: None,
            ..damage
        };
        assert!(named(&of_upload).what.starts_with("the upload AAAA"));
    }

    #[test]
    fn a_rate_is_kept() {
        let ms = Duration::from_millis;
        let mut pacing = Pacing::at(NonZeroU32::new(10));
        assert_eq!(pacing.ahead(1 << 20, Duration::ZERO), ms(100));
        assert_eq!(pacing.ahead(1 << 20, ms(100)), ms(100));
        assert_eq!(pacing.ahead(3 << 20, ms(250)), ms(250));
        assert_eq!(pacing.ahead(1 << 20, ms(700)), Duration::ZERO, "it is behind");
        let mut pacing = Pacing::at(None);
        assert_eq!(pacing.ahead(1 << 40, Duration::ZERO), Duration::ZERO);
    }
}
