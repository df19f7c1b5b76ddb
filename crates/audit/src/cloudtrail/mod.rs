//! CloudTrail's formats: what a record of a call is, the files that trails deliver, and the digests that vouch for them.
//!
//! Everything here is pure: no clock, no randomness, no file. What a trail delivers is a function of the records that it
//! selects, so that a delivery which is tried again puts the same object in the same place.
//!
//! The formats are those of the CloudTrail user guide ("CloudTrail record contents", "CloudTrail log file examples",
//! "CloudTrail digest file structure") and of what `aws cloudtrail validate-logs` reads. Where they are silent, the item says
//! what was chosen.

pub mod digest;
pub(crate) mod gzip;
mod hexadecimal;
mod keys;
pub mod log_file;
mod moment;
pub mod names;
pub mod record;
pub mod selectors;

pub use gzip::{GzipError, pack};
pub use hexadecimal::{NotSha256, Sha256};
pub use keys::{DigestKey, KeyScope, LogFileKey, Place, UniquePart};
