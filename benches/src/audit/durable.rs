//! Entries that are waited for.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use moho_benches::Stopwatch;
use moho_benches::house::House;
use moho_iam::action::kms;
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Context, Journal as _, RequestFacts};
use moho_kms::{DataKeyLength, EncryptionContext};
use moho_os::process_cpu_time;
use moho_terms::Arn;
use serde::Serialize;

/// Entries that are on the disk, for each second, and the time of the processors for each.
#[derive(Serialize)]
pub(crate) struct Entries {
    per_second: f64,
    cpu_microseconds: f64,
}

pub(crate) fn entries(callers: u32, count: u32) -> Result<Entries> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let house = Arc::new(House::build()?);
        let entry = Arc::new(house.entry()?);
        let (watch, before) = (Stopwatch::start(), process_cpu_time());
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (house, entry) = (Arc::clone(&house), Arc::clone(&entry));
            all.spawn(async move {
                for _ in 0..count {
                    house.journal.record(&entry)?;
                    house.journal.settled().await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = all.join_next().await {
            ended??;
        }
        let all = f64::from(callers.saturating_mul(count));
        let cpu = process_cpu_time().saturating_sub(before);
        Ok(Entries {
            per_second: all / watch.elapsed().as_secs_f64(),
            cpu_microseconds: cpu.as_secs_f64() * 1e6 / all,
        })
    })
}

/// Medians, in microseconds.
#[derive(Serialize)]
pub(crate) struct Added {
    /// A request for a data key that waits for its entries, but not for one that does not.
    added: f64,
    /// Such a request without waiting.
    request: f64,
    /// One wait of the disk, for as many bytes as that writes.
    sync: f64,
    /// How many those are.
    bytes: u64,
}

pub(crate) fn added(count: u32) -> Result<Added> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let asking = Asking::begin()?;
        let folder = asking.house.folder();
        let mut plain = File::create(folder.with_file_name("plain"))?;
        let bytes = asking.records(&folder.with_file_name("journal"))?;
        let as_many = vec![b'x'; usize::try_from(bytes)?];
        let (mut waiting, mut without, mut sync) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let watch = Stopwatch::start();
            asking.data_key()?;
            asking.house.journal.settled().await?;
            waiting.push(watch.elapsed());
            let watch = Stopwatch::start();
            asking.data_key()?;
            without.push(watch.elapsed());
            // Nobody's wait counts for somebody else.
            asking.house.journal.settled().await?;
            plain.write_all(&as_many)?;
            let watch = Stopwatch::start();
            plain.sync_data()?;
            sync.push(watch.elapsed());
        }
        let request = middle(without);
        Ok(Added {
            added: (middle(waiting) - request).max(0.0),
            request,
            sync: middle(sync),
            bytes,
        })
    })
}

fn middle(mut all: Vec<Duration>) -> f64 {
    all.sort();
    let middle = all.len() / 2;
    all.get(middle)
        .map_or(f64::NAN, |middle| middle.as_secs_f64() * 1e6)
}

/// Somebody who asks for data keys.
struct Asking {
    house: House,
    caller: Authenticated,
    facts: RequestFacts,
    key: Arn,
    context: EncryptionContext,
    conditions: Context,
}

impl Asking {
    fn begin() -> Result<Self> {
        let house = House::build()?;
        let context = EncryptionContext::from_pairs([("purpose", "bench")])?;
        Ok(Self {
            caller: house.caller()?,
            facts: house.request()?,
            key: house.key()?,
            conditions: context.condition_keys(),
            context,
            house,
        })
    }

    /// How many bytes one request has written to the journal.
    fn records(&self, journal: &Path) -> Result<u64> {
        let before = size(journal)?;
        self.data_key()?;
        Ok(size(journal)?.saturating_sub(before))
    }

    fn data_key(&self) -> Result<()> {
        let authorizer = &self.house.authorizer;
        let permit = authorizer.authorize::<kms::GenerateDataKey>(
            &self.caller,
            &self.facts,
            &self.key,
            &self.conditions,
        )?;
        let made = self
            .house
            .kms
            .generate_data_key(&permit, &self.context, DataKeyLength::AES_256)?;
        std::hint::black_box(made);
        Ok(())
    }
}

/// Of all files in a directory that have the journal's records, in bytes.
fn size(journal: &Path) -> Result<u64> {
    let mut all = 0_u64;
    for file in fs::read_dir(journal)? {
        let file = file?;
        if file.path().extension().is_some_and(|kind| kind == "jsonl") {
            all = all.saturating_add(file.metadata()?.len());
        }
    }
    Ok(all)
}
