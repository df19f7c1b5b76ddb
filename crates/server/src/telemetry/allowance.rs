//! How many log lines strangers may cause: whoever has no credentials must not be able to fill a disk with them.

use std::sync::{Mutex, PoisonError};

use moho_terms::Timestamp;

/// Lines in one second.
const LINES: u32 = 50;

/// Counts lines second by second.
#[derive(Default)]
pub(crate) struct Allowance(Mutex<Second>);

#[derive(Default)]
struct Second {
    second: u64,
    lines: u32,
    withheld: u64,
}

impl Allowance {
    /// Whether there is a line left. How many there were too many is logged once their second is over and another comes.
    pub(super) fn takes(&self, now: Timestamp) -> bool {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.second != now.unix_seconds() {
            let over = std::mem::take(&mut *second);
            second.second = now.unix_seconds();
            if over.withheld > 0 {
                tracing::warn!(
                    second = over.second,
                    count = over.withheld,
                    "requests were turned away, and are too many for a line each"
                );
            }
        }
        let takes = second.lines < LINES;
        if takes {
            second.lines = second.lines.saturating_add(1);
        } else {
            second.withheld = second.withheld.saturating_add(1);
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_get_their_lines_and_no_more() {
        let allowance = Allowance::default();
        let lines = |second: u64| {
            let now = Timestamp::from_unix_seconds(second);
            (0..LINES * 3).filter(|_| allowance.takes(now)).count()
        };
        assert_eq!(lines(1), 50);
        assert_eq!(allowance.0.lock().unwrap().withheld, 100);
        assert_eq!(lines(2), 50, "the next second is another");
    }
}
