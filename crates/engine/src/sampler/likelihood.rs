//! How likely a token was, by the model's own distribution.

use super::{BLOCK, Workspace, highest, power_of_two, sum};

/// A token's log-probability, and those of the likeliest tokens in its place.
pub(crate) struct Likelihood {
    /// Natural logarithm.
    pub(crate) logprob: f32,
    /// The likeliest first; of equals, the lower token id. None that is impossible.
    pub(crate) top: Vec<(u32, f32)>,
}

impl Likelihood {
    /// What `logits` say of `token` and of the `count` likeliest. `None` if they are no numbers, or say that it cannot be.
    pub(crate) fn of(token: u32, logits: &[f32], count: u8, workspace: &mut Workspace) -> Option<Self> {
        let peak = highest(logits);
        let values = &mut workspace.values;
        values.clear();
        values.extend(
            logits
                .iter()
                .map(|logit| power_of_two((logit - peak) * std::f32::consts::LOG2_E)),
        );
        let total = values.chunks(BLOCK).map(sum).sum::<f64>().ln();
        let logprob = |logit: f32| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the nearest f32 is what is wanted"
            )]
            let logprob = (f64::from(logit) - f64::from(peak) - total) as f32;
            // Rounding must not make anything more than certain.
            logprob.min(0.0)
        };
        let own = logits.get(usize::try_from(token).ok()?).copied()?;
        let top = likeliest(logits, usize::from(count));
        own.is_finite().then(|| Self {
            logprob: logprob(own),
            top: top
                .into_iter()
                .map(|(token, logit)| (token, logprob(logit)))
                .collect(),
        })
    }
}

/// The highest few of the logits, in order.
fn likeliest(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut top: Vec<(u32, f32)> = Vec::with_capacity(count.saturating_add(1));
    let mut least = f32::NEG_INFINITY;
    for (token, logit) in (0..).zip(logits) {
        // An equal one comes too late: its id is higher.
        if *logit <= least || count == 0 {
            continue;
        }
        let place = top.partition_point(|(_, other)| other >= logit);
        top.insert(place, (token, *logit));
        top.truncate(count);
        if top.len() == count {
            least = top.last().map_or(least, |(_, last)| *last);
        }
    }
    top
}
