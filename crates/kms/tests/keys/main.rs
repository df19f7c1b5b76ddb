//! Keys as their users meet them: with permits won on the whole road, over records somebody else can alter.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends when something unexpected happens"
)]

mod blobs;
mod ending;
mod envelope;
mod house;
mod importing;
mod lifecycle;
mod racing;
mod records;
mod root;
mod upgrade;
