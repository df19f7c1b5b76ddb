//! Finding events: page by page, in the order of their times, with bounded work for each page.
//!
//! Blocks are opened in the order of the earliest of their events, until no other can have one that comes before the last of
//! the page. If a page's time is over before, it ends with what is certain, as AWS's pages may. Where streams overlap so much
//! that hardly anything would be, the rest is searched stream by stream instead: each page is in order then, but the next one
//! may begin earlier, and no event is looked at twice.

mod pages;
mod place;
mod source;
#[cfg(test)]
mod tests;

use std::time::Duration;

use moho_terms::{Content, Stopwatch};

pub use pages::page;
pub use place::{NoPlace, Place, Position};
pub use source::{Blocks, Extent, KeptBlocks, SearchError};

use crate::pattern::{FilterPattern, RequiredLiterals};

/// Bytes of texts that a page has at most, unless it is of one event.
pub const PAGE_BYTES: usize = 1 << 20;
/// Events that a page has at most.
pub const PAGE_EVENTS: usize = 10_000;
/// How long one page may be searched for.
const PATIENCE: Duration = Duration::from_millis(1000);
/// How many bytes are looked at between two looks at the time.
const BETWEEN_LOOKS: usize = 32 << 10;
/// What an event counts for that has hardly any text.
const LEAST: usize = 64;

/// Which events come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The earliest.
    Ascending,
    /// The latest.
    Descending,
}

/// What is searched for.
pub struct Search<'a> {
    /// The earliest time, in milliseconds since 1970.
    pub from: i64,
    /// The latest, which is in it.
    pub until: i64,
    /// Which come first.
    pub order: Order,
    /// Where to go on; at the beginning without.
    pub place: Option<Place>,
    /// What events have to match.
    pub pattern: Option<&'a FilterPattern>,
    /// How many events at most.
    pub limit: usize,
    /// What tells when time is over; a page is searched to its end without.
    pub stopwatch: Option<&'a dyn Stopwatch>,
}

/// An event that was found.
pub struct Found {
    /// Where it is.
    pub position: Position,
    /// What its stream is called.
    pub stream_name: std::sync::Arc<str>,
    /// When it came, in milliseconds since 1970.
    pub ingested: i64,
    /// What it says.
    pub message: Content,
}

/// A page of events.
pub struct Page {
    /// In the order of their times, whichever come first.
    pub events: Vec<Found>,
    /// Where the next page begins; none if there is no more.
    pub next: Option<Place>,
}

/// How much may still be done for a page.
struct Budget<'a> {
    stopwatch: Option<&'a dyn Stopwatch>,
    until: Duration,
    unlooked: usize,
}

impl<'a> Budget<'a> {
    fn new(stopwatch: Option<&'a dyn Stopwatch>) -> Self {
        let now = stopwatch.map(Stopwatch::elapsed).unwrap_or_default();
        Self {
            stopwatch,
            until: now.saturating_add(PATIENCE),
            unlooked: 0,
        }
    }

    /// Counts so many bytes, and says whether there is time for more.
    fn spend(&mut self, bytes: usize) -> bool {
        self.unlooked = self.unlooked.saturating_add(bytes.max(LEAST));
        if self.unlooked < BETWEEN_LOOKS {
            return true;
        }
        self.unlooked = 0;
        self.stopwatch.is_none_or(|watch| watch.elapsed() < self.until)
    }
}

impl Search<'_> {
    fn required(&self) -> Option<RequiredLiterals> {
        let required = self.pattern.map(FilterPattern::required_literals);
        required.filter(|required| !required.allows_all())
    }

    fn matches(&self, message: &str) -> bool {
        self.pattern.is_none_or(|pattern| pattern.is_match(message))
    }

    fn is_of_time(&self, time: i64) -> bool {
        (self.from..=self.until).contains(&time)
    }
}
