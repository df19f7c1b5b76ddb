//! Which models an account may use, under which names, how much of them, and how much it did.

mod agreements;
mod counters;
mod profiles;
mod tags;
mod usage;
mod use_case;

pub use counters::QuotaCounter;
pub use profiles::{InferenceProfile, NewInferenceProfile, ProfileMade};
pub use tags::Tagged;
pub use usage::{UsageBucket, UsageFilter, UsageGroup, UsageOf, UsageRow, UsageSum};
pub use use_case::use_case_context;
