//! Log events found among many: a term that is rare, one that is frequent, and properties of JSON, through the store and its
//! keys, and beside that `grep -F` over the same lines in a plain file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use moho_benches::house::{House, REGION};
use moho_benches::{Stopwatch, print};
use moho_iam::action::{Action, kms, logs};
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_store::logs::{
    LogPut, LogScope, NewGroup, NewLogEvent, Putting, StreamsOf, log_context, stream_arn,
};
use moho_terms::{Entropy, EntropyUnavailable};
use moho_watch::pattern::FilterPattern;
use moho_watch::search::{self, KeptBlocks, Order, PAGE_EVENTS, Search};
use serde::Serialize;

/// Events of one batch.
const BATCH: u64 = 5_000;
/// The group, and its stream.
const PLACE: (&str, &str) = ("/bench", "one");
/// Events between two that are rare.
const RARE: u64 = 250_000;

/// Measures searches.
#[derive(Parser)]
struct Options {
    /// How many events.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// How often each search is made.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// Seconds, medians of all rounds.
#[derive(Serialize)]
struct Found {
    put: f64,
    sealed_bytes: u64,
    plain_bytes: u64,
    rare: f64,
    rare_grep: f64,
    frequent_page: f64,
    frequent_all: f64,
    frequent_grep: f64,
    json: f64,
    json_grep: f64,
}

/// Randomness of the system's.
struct Random;

impl Entropy for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        aws_lc_rs::rand::fill(bytes).map_err(|_unspecified| EntropyUnavailable)
    }
}

fn line(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let level = if number.is_multiple_of(10) {
        "ERROR"
    } else {
        "INFO"
    };
    let note = if number % RARE == RARE / 2 {
        "needle"
    } else {
        "nothing"
    };
    let (status, ms) = (200 + mixed % 4 * 101, mixed >> 40);
    format!(
        r#"{{"level":"{level}","request":"{mixed:016x}","path":"/v1/items/{}","status":{status},"ms":{},"note":"{note}"}}"#,
        mixed % 9973,
        ms % 1000
    )
}

fn main() -> Result<()> {
    let options = Options::parse();
    let house = House::build()?;
    let desk = Desk {
        caller: house.administrator()?,
        house: &house,
    };
    let lines = house.folder().join("lines");
    let (put, plain_bytes) = desk.fill(options.events, &lines)?;
    let mut rounds = Vec::new();
    for _round in 0..options.rounds {
        rounds.push((
            desk.all("needle", options.events / RARE)?,
            grep("needle", &lines)?,
            desk.all("ERROR", options.events / 10)?,
            grep("ERROR", &lines)?,
            desk.all(r#"{ $.note = "needle" && $.ms >= 0 }"#, options.events / RARE)?,
            grep(r#""note":"needle""#, &lines)?,
        ));
    }
    let median = |of: &dyn Fn(usize) -> f64| {
        let mut all: Vec<f64> = (0..rounds.len()).map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let at = |round: usize| rounds.get(round).copied().unwrap_or_default();
    let database = house.folder().join("moho.sqlite");
    print(&Found {
        put,
        sealed_bytes: std::fs::metadata(database)?.len(),
        plain_bytes,
        rare: median(&|round| at(round).0.1),
        rare_grep: median(&|round| at(round).1),
        frequent_page: median(&|round| at(round).2.0),
        frequent_all: median(&|round| at(round).2.1),
        frequent_grep: median(&|round| at(round).3),
        json: median(&|round| at(round).4.1),
        json_grep: median(&|round| at(round).5),
    })
}

/// How long `grep -F` takes, which writes what it finds where nobody reads it.
fn grep(text: &str, lines: &Path) -> Result<f64> {
    let since = Stopwatch::start();
    let out = Command::new("grep").args(["-F", text]).arg(lines).output()?;
    ensure!(out.status.success(), "grep found nothing");
    Ok(since.elapsed().as_secs_f64())
}

/// Who puts and searches.
struct Desk<'a> {
    house: &'a House,
    caller: Authenticated,
}

impl Desk<'_> {
    fn permit<A: Action>(&self, stream: &str) -> Result<Permit<A>> {
        let account = self.caller.session().account();
        let arn = stream_arn(REGION, account.as_str(), (PLACE.0, stream))?;
        let none = moho_iam::authz::Context::new();
        let request = self.house.request()?;
        Ok(self
            .house
            .authorizer
            .authorize(&self.caller, &request, &arn, &none)?)
    }

    fn key<A: Action>(&self) -> Result<Permit<A>> {
        let context = log_context(REGION, self.caller.session().account(), PLACE.0)?.condition_keys();
        let (request, key) = (self.house.request()?, self.house.key()?);
        Ok(self
            .house
            .authorizer
            .authorize(&self.caller, &request, &key, &context)?)
    }

    /// Puts as many events, and writes the same lines into a file. Seconds of the former, and bytes of the latter.
    fn fill(&self, events: u64, lines: &Path) -> Result<(f64, u64)> {
        let (store, now) = (self.house.store(), self.house.now());
        let new = NewGroup {
            class: "STANDARD",
            key: None,
            protected: false,
            tags: &[].into(),
        };
        store.create_log_group(&self.permit::<logs::CreateLogGroup>("")?, &new, now)?;
        store.create_log_stream(&self.permit::<logs::CreateLogStream>(PLACE.1)?, now)?;
        let permits: (Permit<logs::PutLogEvents>, Permit<kms::GenerateDataKey>) =
            (self.permit(PLACE.1)?, self.key()?);
        let mut file = BufWriter::new(File::create(lines)?);
        let (mut seconds, mut bytes) = (0.0, 0);
        for batch in 0..events.div_ceil(BATCH) {
            let range =
                batch.saturating_mul(BATCH)..batch.saturating_add(1).saturating_mul(BATCH).min(events);
            let texts: Vec<(i64, String)> = range
                .map(|number| Ok((i64::try_from(number)?, line(number))))
                .collect::<Result<_>>()?;
            let new: Vec<NewLogEvent<'_>> = texts
                .iter()
                .map(|(timestamp, message)| NewLogEvent {
                    timestamp: *timestamp,
                    message,
                })
                .collect();
            let by = Putting {
                kms: &self.house.kms,
                entropy: &Random,
                now,
            };
            let since = Stopwatch::start();
            let put = store.put_log_events((&permits.0, &permits.1), &new, by)?;
            seconds += since.elapsed().as_secs_f64();
            ensure!(put == LogPut::Done, "events were not put");
            for (_, text) in &texts {
                writeln!(file, "{text}")?;
                bytes += u64::try_from(text.len())? + 1;
            }
        }
        file.flush()?;
        Ok((seconds, bytes))
    }

    /// Seconds to the first page, and to the last.
    fn all(&self, pattern: &str, expected: u64) -> Result<(f64, f64)> {
        let pattern = FilterPattern::parse(pattern)?;
        let permit: Permit<logs::FilterLogEvents> = self.permit("")?;
        let keys = [self.key::<kms::Decrypt>()?];
        let scope = LogScope {
            streams: StreamsOf::All,
            from: 0,
            until: i64::MAX,
        };
        let since = Stopwatch::start();
        let (mut first, mut place, mut found) = (None, None, 0);
        loop {
            let blocks = self.house.store().log_blocks(&permit, &scope)?;
            let kept = KeptBlocks {
                store: self.house.store(),
                kms: &self.house.kms,
                permit: &permit,
                keys: &keys,
                blocks: blocks.context("the group is gone")?,
            };
            let search = Search {
                from: 0,
                until: i64::MAX,
                order: Order::Ascending,
                place,
                pattern: Some(&pattern),
                limit: PAGE_EVENTS,
                stopwatch: None,
            };
            let page = search::page(&kept, &search)?;
            first = first.or_else(|| Some(since.elapsed().as_secs_f64()));
            found += u64::try_from(page.events.len())?;
            place = page.next;
            if place.is_none() {
                break;
            }
        }
        ensure!(found == expected, "{found} events were found, not {expected}");
        Ok((first.unwrap_or_default(), since.elapsed().as_secs_f64()))
    }
}
