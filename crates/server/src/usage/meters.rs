//! What principals took, for the operator: ids and numbers, of no more than a bounded number of principals.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use moho_terms::{AccountId, ModelId};

use super::{Mark, Taken};

/// Series that have a name of their own; what comes later is counted together.
const SERIES: usize = 1000;
/// What stands for all the others.
const OTHERS: &str = "(other)";

/// What principals took since the start.
#[derive(Default)]
pub(crate) struct UsageMeters(Mutex<BTreeMap<Labels, Taken>>);

/// Whose, and of which model. Nothing in it is a word that a tenant chose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    account: String,
    /// `AROA…` or `AIDA…`.
    principal: String,
    model: ModelId,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) account: String,
    pub(crate) principal: String,
    pub(crate) model: ModelId,
    pub(crate) taken: Taken,
}

impl UsageMeters {
    pub(super) fn note(&self, mark: &Mark, taken: Taken) {
        self.add(mark.account, &mark.principal_id, &mark.model, taken);
    }

    fn add(&self, account: AccountId, principal: &str, model: &ModelId, taken: Taken) {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Labels {
            account: account.to_string(),
            principal: principal.to_owned(),
            model: model.clone(),
        };
        let labels = if series.len() < SERIES || series.contains_key(&own) {
            own
        } else {
            Labels {
                account: OTHERS.to_owned(),
                principal: OTHERS.to_owned(),
                model: model.clone(),
            }
        };
        let before = series.entry(labels).or_default();
        *before = before.plus(taken);
    }

    pub(super) fn series(&self) -> Vec<Series> {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = series.iter().map(|(labels, taken)| Series {
            account: labels.account.clone(),
            principal: labels.principal.clone(),
            model: labels.model.clone(),
            taken: *taken,
        });
        series.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_series_is_bounded_and_nothing_is_lost() {
        let meters = UsageMeters::default();
        let account: AccountId = "123456789012".parse().unwrap();
        let model: ModelId = "m".parse().unwrap();
        let taken = Taken {
            requests: 1,
            input: 3,
            cached: 2,
            output: 5,
        };
        for round in 0..2 {
            for number in 0..10_000 {
                meters.add(account, &format!("AROA{number}"), &model, taken);
            }
            let series = meters.series();
            assert_eq!(series.len(), SERIES + 1);
            let requests: u64 = series.iter().map(|series| series.taken.requests).sum();
            assert_eq!(requests, (round + 1) * 10_000);
        }
        let others = meters
            .series()
            .into_iter()
            .find(|series| series.account == OTHERS)
            .unwrap();
        assert_eq!(others.taken.output, 2 * 9000 * 5);
    }
}
