//! How much an account's principals took: its own account's, and no other's.

use std::sync::Arc;

use moho_iam::action::mantle;
use moho_iam::authz::Permit;
use moho_store::{UsageBucket, UsageFilter, UsageGroup, UsageSum};
use moho_wire::Failure;
use moho_wire::openai::usage::{GetUsage, UsagePage, UsageResult};

use super::Asked;
use crate::net::Outbound;
use crate::road::{content, from_store};

/// Results in one page. One time is always told whole; what does not fit comes with the next page.
const MOST: u64 = 20_000;
/// Results in one time.
const MOST_AT_ONCE: u64 = 200_000;

/// `GET /organization/usage/completions`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<mantle::GetUsage>,
    get: GetUsage,
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    let told = tokio::task::spawn_blocking(move || {
        let now = platform.clock.now();
        // What was gathered and is not written yet is usage, too.
        platform.usage.settle().map_err(|error| from_store(&error))?;
        let end = get.end(now);
        if get.batch_only {
            let next = get.next(end, now);
            return Ok(get.reply(&page(&get, end, Vec::new(), next)));
        }
        let read = |until, most| {
            let buckets = UsageBucket {
                width: get.width,
                from: get.from,
                until,
            };
            let sums = platform
                .store
                .usage(&permit, buckets, (group(&get), &filter(&get)), most);
            sums.map_err(|error| from_store(&error))
        };
        let mut sums = read(end, MOST.saturating_add(1))?;
        let mut told = end;
        if let Some(cut) = usize::try_from(MOST).ok().and_then(|most| sums.get(most)) {
            // The last time may not be whole: it comes with the next page, unless it is the only one.
            told = cut.at;
            sums.retain(|sum| sum.at < told);
            if sums.is_empty() {
                told = get.from.max(told).saturating_add(get.width);
                sums = read(told, MOST_AT_ONCE)?;
            }
        }
        let next = get.next(told, now);
        Ok(get.reply(&page(&get, told, sums, next)))
    });
    told.await.unwrap_or(Err(Failure::Internal)).map(content)
}

/// Every time until `end`, those in which nothing was taken included.
fn page(get: &GetUsage, end: u64, sums: Vec<UsageSum>, next: Option<u64>) -> UsagePage {
    let mut sums = sums.into_iter().peekable();
    let mut times = Vec::new();
    let mut from = get.from;
    while from < end {
        let mut results = Vec::new();
        while let Some(sum) = sums.next_if(|sum| sum.at <= from) {
            results.push(result(sum));
        }
        times.push((from, results));
        from = from.saturating_add(get.width);
    }
    UsagePage { times, next }
}

fn result(sum: UsageSum) -> UsageResult {
    UsageResult {
        project: sum.profile,
        user: sum.principal,
        model: sum.model,
        requests: sum.requests,
        input: sum.input,
        cached: sum.cached,
        output: sum.output,
    }
}

fn group(get: &GetUsage) -> UsageGroup {
    UsageGroup {
        principal: get.group.user,
        model: get.group.model,
        profile: get.group.project,
    }
}

fn filter(get: &GetUsage) -> UsageFilter {
    UsageFilter {
        principals: get.users.clone(),
        models: get.models.clone(),
        profiles: get.projects.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_which_nothing_was_taken_are_told_as_empty() {
        let get = GetUsage::parse("start_time=0&bucket_width=1m&group_by=model").unwrap();
        let sum = |at, requests| UsageSum {
            at,
            requests,
            ..UsageSum::default()
        };
        let page = page(&get, 240, vec![sum(60, 1), sum(60, 2), sum(180, 3)], Some(240));
        let told: Vec<(u64, Vec<u64>)> = page
            .times
            .iter()
            .map(|(from, results)| (*from, results.iter().map(|result| result.requests).collect()))
            .collect();
        assert_eq!(
            told,
            [(0, vec![]), (60, vec![1, 2]), (120, vec![]), (180, vec![3])]
        );
    }
}
