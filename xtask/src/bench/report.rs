//! The one shape in which every benchmark reports, and the statistics behind its rows.

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::machine::Machine;
use crate::terminal;

/// Which direction is good, so that a bar can be judged.
#[derive(Clone, Copy)]
pub(super) enum Better {
    /// More is better: the ratio must reach the bar.
    More,
    /// Less is better: the ratio may not pass the bar.
    Less,
}

/// What one row is about.
pub(super) struct What {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    pub(super) better: Better,
    /// The ratio that is asked for; no bar, no judgement.
    pub(super) bar: Option<f64>,
}

/// One comparison: medians over the pairs.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    ours: f64,
    peer: Option<f64>,
    peer_name: Option<String>,
    unit: &'static str,
    ratio: Option<f64>,
    bar: Option<f64>,
    holds: Option<bool>,
}

/// Everything one benchmark found.
#[derive(Serialize)]
pub(super) struct Report {
    bench: &'static str,
    machine: Machine,
    pairs: u32,
    rows: Vec<Row>,
}

impl Report {
    /// No row yet.
    pub(super) fn new(bench: &'static str, pairs: u32) -> Self {
        Self {
            bench,
            machine: Machine::read(),
            pairs,
            rows: Vec::new(),
        }
    }

    /// Adds a row from the values of all pairs: the ratio is the median of the pairs' ratios, not the ratio of the
    /// medians, so that a machine that is busy for a while is busy for both sides.
    pub(super) fn compare(&mut self, what: &What, peer_name: &str, pairs: &[(f64, f64)]) -> Result<()> {
        let ratio = median(pairs.iter().map(|(ours, peer)| ours / peer))?;
        let holds = what.bar.map(|bar| match what.better {
            Better::More => ratio >= bar,
            Better::Less => ratio <= bar,
        });
        self.rows.push(Row {
            what: what.what,
            ours: median(pairs.iter().map(|(ours, _)| *ours))?,
            peer: Some(median(pairs.iter().map(|(_, peer)| *peer))?),
            peer_name: Some(peer_name.to_owned()),
            unit: what.unit,
            ratio: Some(ratio),
            bar: what.bar,
            holds,
        });
        Ok(())
    }

    /// Adds a row without a peer.
    pub(super) fn tell(&mut self, what: &What, values: &[f64]) -> Result<()> {
        self.rows.push(Row {
            what: what.what,
            ours: median(values.iter().copied())?,
            peer: None,
            peer_name: None,
            unit: what.unit,
            ratio: None,
            bar: None,
            holds: None,
        });
        Ok(())
    }

    /// Prints the object; before it, for people, a table on standard error.
    pub(super) fn print(&self, only_json: bool) -> Result<()> {
        if !only_json {
            for row in &self.rows {
                let peer = row.peer.map_or_else(String::new, |peer| {
                    let name = row.peer_name.as_deref().unwrap_or_default();
                    format!("  {name} {peer:.2}  ratio {:.3}", row.ratio.unwrap_or(f64::NAN))
                });
                terminal::note(&format!(
                    "{:<44} {:>10.2} {:<9}{peer}",
                    row.what, row.ours, row.unit
                ));
            }
        }
        terminal::say(&serde_json::to_string(self).context("the report is no JSON")?);
        Ok(())
    }
}

/// The value in the middle; of an even count, the mean of the two.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Result<f64> {
    let sorted = sorted(values);
    let upper = sorted
        .len()
        .checked_div(2)
        .and_then(|middle| sorted.get(middle))
        .context("nothing was measured")?;
    let lower = sorted
        .len()
        .checked_sub(1)
        .and_then(|last| sorted.get(last / 2))
        .unwrap_or(upper);
    Ok(f64::midpoint(*lower, *upper))
}

/// The smallest value that `percent` of all do not exceed.
pub(super) fn percentile(values: impl Iterator<Item = f64>, percent: usize) -> Result<f64> {
    let sorted = sorted(values);
    let rank = sorted
        .len()
        .saturating_mul(percent)
        .div_ceil(100)
        .saturating_sub(1);
    sorted.get(rank).copied().context("nothing was measured")
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_the_textbook_ones() {
        assert_eq!(
            median([3.0, 1.0, 2.0].into_iter()).unwrap().to_bits(),
            2.0_f64.to_bits()
        );
        assert_eq!(
            median([4.0, 1.0, 2.0, 3.0].into_iter()).unwrap().to_bits(),
            2.5_f64.to_bits()
        );
        assert!(median(std::iter::empty()).is_err());
        let hundred = || (1..=100).map(f64::from);
        assert_eq!(percentile(hundred(), 99).unwrap().to_bits(), 99.0_f64.to_bits());
        assert_eq!(percentile(hundred(), 50).unwrap().to_bits(), 50.0_f64.to_bits());
        assert_eq!(
            percentile([7.0].into_iter(), 99).unwrap().to_bits(),
            7.0_f64.to_bits()
        );
    }

    #[test]
    fn a_bar_is_judged_in_its_direction() {
        let mut report = Report::new("test", 1);
        let what = |better| What {
            what: "x",
            unit: "s",
            better,
            bar: Some(1.0),
        };
        report
            .compare(&what(Better::More), "peer", &[(2.0, 1.0)])
            .unwrap();
        report
            .compare(&what(Better::Less), "peer", &[(2.0, 1.0)])
            .unwrap();
        let holds: Vec<Option<bool>> = report.rows.iter().map(|row| row.holds).collect();
        assert_eq!(holds, [Some(true), Some(false)]);
    }
}
