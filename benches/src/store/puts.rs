//! Small rows, each waited for until it is on the disk.

use anyhow::{Result, anyhow};
use moho_benches::Stopwatch;
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_store::response_context;
use moho_terms::{ContentBytes, ResponseId};
use serde::Serialize;

use crate::Keeping;

const ROW: usize = 1024;

/// How many a second.
#[derive(Serialize)]
pub(crate) struct Puts {
    per_second: f64,
    alone_per_second: f64,
}

pub(crate) fn measure(threads: u32, count: u32) -> Result<Puts> {
    let keeping = Keeping::begin()?;
    Ok(Puts {
        per_second: rate(&keeping, threads, count)?,
        alone_per_second: rate(&keeping, 1, count)?,
    })
}

fn rate(keeping: &Keeping, threads: u32, count: u32) -> Result<f64> {
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| (0..count).try_for_each(|_| put(keeping))))
            .collect();
        all.into_iter()
            .try_for_each(|one| one.join().map_err(|_panic| anyhow!("a thread panicked"))?)
    })?;
    Ok(f64::from(threads.saturating_mul(count)) / watch.elapsed().as_secs_f64())
}

/// With its permit and its line in the journal.
fn put(keeping: &Keeping) -> Result<()> {
    let house = &keeping.house;
    let id = ResponseId::random(house.entropy())?;
    let context = response_context(keeping.caller.session().account(), &id)?;
    let request = house.request()?;
    let permit: Permit<kms::GenerateDataKey> =
        house
            .authorizer
            .authorize(&keeping.caller, &request, &keeping.key, &context.condition_keys())?;
    let body = ContentBytes::new(vec![7; ROW]);
    Ok(house
        .store()
        .put_response(&permit, &house.kms, &id, &body, (house.now(), 30))?)
}
