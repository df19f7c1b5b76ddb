//! One counter: what one of those a quota is for has used, and what is set aside for what it has begun.

use std::time::Duration;

use moho_terms::Timestamp;

use super::amounts::{Amounts, Limits, Measure};
use super::window::{Minute, day, rest_of_day};

/// What was used, and what is promised.
///
/// INVARIANT: within every window, what was used and what is set aside together are never more than the limit: what was
/// set aside becomes used only as it is used, so that no window ever sees more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counter {
    requests: Minute,
    input: Minute,
    output: Minute,
    /// The day that `used` is of.
    today: u64,
    used: Amounts,
    /// Set aside for sequences that have not ended: never requests, which are used at once.
    held: Amounts,
    sequences: u64,
    /// What the store says was used today: never less than what really was, but for tokens set aside yesterday.
    written: Amounts,
    /// Whether days are limited, so that the store has to know.
    pub(super) keeps_days: bool,
}

/// Which limit stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) of: Limited,
    pub(crate) per: Window,
    pub(crate) limit: u64,
    /// Used and set aside.
    pub(crate) used: u64,
    pub(crate) requested: u64,
    /// When there may be room; `None` if there never will be.
    pub(crate) retry_after: Option<Duration>,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Amount(Measure),
    Sequences,
}

/// Within which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    Minute,
    Day,
    /// At the same time.
    Now,
}

/// How much of a limit is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// When all of it is there again.
    pub(crate) reset: Duration,
}

/// How long to wait for what only others can give back, when they end.
const A_MOMENT: Duration = Duration::from_secs(1);

impl Counter {
    /// A counter of which the store says that so much was used on the day of `now`.
    pub(super) fn opened(written: Amounts, keeps_days: bool, now: Timestamp) -> Self {
        Self {
            today: day(now),
            used: written,
            written,
            keeps_days,
            ..Self::default()
        }
    }

    /// Brings the windows to the present. A day that comes again, as the clock was set back, is not begun anew.
    pub(super) fn advance(&mut self, now: Timestamp) {
        for minute in [&mut self.requests, &mut self.input, &mut self.output] {
            minute.advance(now);
        }
        if day(now) > self.today {
            self.today = day(now);
            self.used = Amounts::default();
            self.written = Amounts::default();
        }
    }

    /// Whether it is of a day so far ahead that the clock must have been wrong when that began: a day's end may come twice.
    pub(super) fn is_ahead(&self, now: Timestamp) -> bool {
        self.keeps_days && self.today > day(now).saturating_add(1)
    }

    /// Goes back to the day of `now`, of which the store says that so much was used.
    pub(super) fn go_back(&mut self, written: Amounts, now: Timestamp) {
        self.today = day(now);
        self.used = written;
        self.written = written;
    }

    /// The day that it counts, if it counts days.
    pub(super) fn day(&self) -> Option<u64> {
        self.keeps_days.then_some(self.today)
    }

    /// The first limit that so much more, and so many sequences more, would go beyond.
    pub(super) fn hit(&self, limits: &Limits, more: Amounts, sequences: u64, now: Timestamp) -> Option<Hit> {
        let minute = self.hit_within(limits, Window::Minute, more, now);
        let day = || self.hit_within(limits, Window::Day, more, now);
        minute.or_else(day).or_else(|| {
            let limit = limits.sequences.filter(|_limit| sequences > 0)?;
            let beyond = self.sequences.saturating_add(sequences) > limit;
            beyond.then_some(Hit {
                of: Limited::Sequences,
                per: Window::Now,
                limit,
                used: self.sequences,
                requested: sequences,
                retry_after: (sequences <= limit).then_some(A_MOMENT),
            })
        })
    }

    fn hit_within(&self, limits: &Limits, per: Window, more: Amounts, now: Timestamp) -> Option<Hit> {
        let caps = if per == Window::Day {
            limits.day
        } else {
            limits.minute
        };
        Measure::ALL.into_iter().find_map(|measure| {
            let limit = caps.of(measure)?;
            let (used, requested) = (self.taken(measure, per), more.of(measure));
            let beyond = used.saturating_add(requested).saturating_sub(limit);
            // What asks for nothing is not in the way of what was asked before.
            (beyond > 0 && requested > 0).then(|| Hit {
                of: Limited::Amount(measure),
                per,
                limit,
                used,
                requested,
                retry_after: (requested <= limit).then(|| self.frees(measure, per, beyond, now)),
            })
        })
    }

    /// What of a limit is used or set aside.
    fn taken(&self, measure: Measure, per: Window) -> u64 {
        let used = match per {
            Window::Minute => Amounts {
                requests: self.requests.sum(),
                input: self.input.sum(),
                output: self.output.sum(),
            },
            Window::Day | Window::Now => self.used,
        };
        used.plus(self.held).of(measure)
    }

    /// When so much is free again, if nothing else comes; what is set aside may become so at any moment.
    fn frees(&self, measure: Measure, per: Window, needed: u64, now: Timestamp) -> Duration {
        if self.held.of(measure) >= needed {
            return A_MOMENT;
        }
        if per != Window::Minute {
            return rest_of_day(now);
        }
        let frees = self.minutes(measure).map(|minute| minute.frees(needed, now));
        frees.into_iter().max().unwrap_or_default().max(A_MOMENT)
    }

    fn minutes(&self, measure: Measure) -> impl Iterator<Item = &Minute> {
        let (first, second) = match measure {
            Measure::Requests => (&self.requests, None),
            Measure::Input => (&self.input, None),
            Measure::Output => (&self.output, None),
            Measure::Tokens => (&self.input, Some(&self.output)),
        };
        std::iter::once(first).chain(second)
    }

    /// How many more tokens of answers there is room for; `None` if nothing limits them.
    pub(super) fn room_for_answers(&self, limits: &Limits) -> Option<u64> {
        let each = [(Window::Minute, limits.minute), (Window::Day, limits.day)];
        let each = each.into_iter().flat_map(|(per, caps)| {
            [Measure::Output, Measure::Tokens].map(|measure| {
                let limit = caps.of(measure)?;
                Some(limit.saturating_sub(self.taken(measure, per)))
            })
        });
        each.flatten().min()
    }

    /// What is left of one kind of limit: of the one that leaves least.
    pub(super) fn left(&self, limits: &Limits, of_requests: bool, now: Timestamp) -> Option<Left> {
        let measures = Measure::ALL
            .into_iter()
            .filter(|m| (*m == Measure::Requests) == of_requests);
        let each = measures.flat_map(|measure| {
            [(Window::Minute, limits.minute), (Window::Day, limits.day)].map(|(per, caps)| {
                let limit = caps.of(measure)?;
                let taken = self.taken(measure, per);
                let reset = if taken == 0 {
                    Duration::ZERO
                } else if per == Window::Day {
                    rest_of_day(now)
                } else {
                    let clears = self.minutes(measure).map(|minute| minute.clears(now));
                    clears.max().unwrap_or_default().max(A_MOMENT)
                };
                let remaining = limit.saturating_sub(taken);
                Some(Left {
                    limit,
                    remaining,
                    reset,
                })
            })
        });
        each.flatten()
            .min_by_key(|left| (left.remaining, std::cmp::Reverse(left.reset)))
    }

    /// Requests are used, and tokens and sequences set aside.
    pub(super) fn take(&mut self, more: Amounts, sequences: u64) {
        self.requests.add(more.requests);
        self.used.requests = self.used.requests.saturating_add(more.requests);
        self.held = self.held.plus(Amounts { requests: 0, ..more });
        self.sequences = self.sequences.saturating_add(sequences);
    }

    /// Tokens are used; as many of them as `released` says were set aside.
    pub(super) fn spend(&mut self, used: Amounts, released: Amounts) {
        self.held = self.held.minus(released);
        self.input.add(used.input);
        self.output.add(used.output);
        self.used = self.used.plus(Amounts { requests: 0, ..used });
    }

    /// What was set aside will not be used.
    pub(super) fn give_back(&mut self, tokens: Amounts, sequences: u64) {
        self.held = self.held.minus(tokens);
        self.sequences = self.sequences.saturating_sub(sequences);
    }

    /// What the store has to know before this counter may be relied on, if it does not know it: with `ahead` more.
    pub(super) fn to_write(&self, ahead: Amounts) -> Option<(u64, Amounts)> {
        let promised = self.used.plus(self.held);
        (self.keeps_days && !promised.is_within(self.written)).then(|| (self.today, promised.plus(ahead)))
    }

    /// What the store should say: what is used, and no more. From now on more has to be written first. As long as
    /// something runs, the store may go on saying more, so that not every handful of tokens has to be written.
    pub(super) fn settle(&mut self) -> Option<(u64, Amounts)> {
        let mut exact = self.used.plus(self.held);
        if self.runs() {
            exact = exact.max(self.written);
        }
        (self.keeps_days && exact != self.written).then(|| {
            self.written = exact;
            (self.today, exact)
        })
    }

    /// Nobody knows what the store says: it has to be told again.
    pub(super) fn forget_written(&mut self) {
        self.written = Amounts::default();
    }

    /// The store says so now.
    pub(super) fn wrote(&mut self, today: u64, amounts: Amounts) {
        if today == self.today {
            self.written = self.written.max(amounts);
        }
    }

    /// Whether something that it counts has not ended.
    pub(super) fn runs(&self) -> bool {
        self.sequences > 0 || self.held != Amounts::default()
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_idle(&self) -> bool {
        let minutes = [&self.requests, &self.input, &self.output];
        let quiet = minutes.into_iter().all(|minute| minute.sum() == 0);
        let kept = !self.keeps_days || self.used == self.written;
        quiet && kept && !self.runs()
    }
}
