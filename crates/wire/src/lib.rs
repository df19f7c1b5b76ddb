//! Codecs: bytes to commands, and replies to bytes.
//!
//! Every protocol a client may speak ends here: what leaves towards the handlers is a [`Command`] with typed fields,
//! what comes back is turned into the very bytes the client's SDK expects. Pure: no I/O, no clock, no randomness of
//! its own. Words of a tenant are [`moho_terms::Content`] from the first parsed byte to the last written one, and no
//! error message repeats them.
//!
//! Start at [`route()`] (which API is this?), then [`Route::command`] (what is asked?), and [`Failure::reply`] (how is
//! a refusal worded in that protocol?).
#![forbid(unsafe_code)]

pub mod aws;
pub mod bedrock;
mod call;
mod command;
mod failure;
#[doc(hidden)]
pub mod hostile_input;
pub mod invocation_log;
mod json;
pub mod openai;
mod query;
mod reply;
mod route;
#[cfg(test)]
mod samples;

pub use call::{ApiCall, Asked};
pub use command::Command;
pub use failure::{ErrorShape, Failure, QuotaExceeded, QuotaOf, QuotaPer};
pub use reply::Reply;
pub use route::{
    Addressed, Headers, Prefix, RequestHead, Route, RouteRefused, Target, bucket_of_host, route, signing_name,
};
