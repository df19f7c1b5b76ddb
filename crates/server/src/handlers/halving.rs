//! Finding out how much fits, in few tries.

/// Finds the greatest count that fits: all below `low` do, none from `high` on does. All are tried first, as they mostly
/// fit, and then halves, as each try costs a tokenization.
pub(super) struct Halving {
    low: usize,
    high: usize,
    /// The count of all, until it is tried.
    all: Option<usize>,
}

impl Halving {
    /// Among the counts up to this.
    pub(super) fn of(all: usize) -> Self {
        Self {
            low: 0,
            high: all.saturating_add(1),
            all: Some(all),
        }
    }

    /// The count to try next; `None` once it is found.
    pub(super) fn next(&mut self) -> Option<usize> {
        let all = self.all.take();
        all.or_else(|| (self.low < self.high).then(|| self.low.midpoint(self.high)))
    }

    pub(super) fn fits(&mut self, count: usize) {
        self.low = count.saturating_add(1);
    }

    pub(super) fn too_long(&mut self, count: usize) {
        self.high = count;
    }

    /// The greatest that fits; `None` if not even nothing does.
    pub(super) fn most(&self) -> Option<usize> {
        self.low.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_finds_the_most_turns_that_fit_in_few_tries() {
        for turns in [1, 2, 3, 10, 999, 1000, 4096] {
            for most in [None, Some(0), Some(turns / 3), Some(turns - 1), Some(turns)] {
                let mut halving = Halving::of(turns);
                let mut tries = 0;
                while let Some(count) = halving.next() {
                    tries += 1;
                    if most.is_some_and(|most| count <= most) {
                        halving.fits(count);
                    } else {
                        halving.too_long(count);
                    }
                }
                assert_eq!(halving.most(), most, "of {turns}");
                assert!(tries <= turns.ilog2() + 2, "{tries} tries for {turns} turns");
                assert!(tries == 1 || most != Some(turns), "what fits is tried once");
            }
        }
    }
}
