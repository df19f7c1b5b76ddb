//! Which models an account may use, under which names, how much of them, and how much it did.

mod counters;
mod usage;

pub use counters::QuotaCounter;
pub use usage::{UsageBucket, UsageFilter, UsageGroup, UsageOf, UsageRow, UsageSum};
