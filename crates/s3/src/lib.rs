//! The S3 protocol, over the sealed object store: what a request asks for, whether its caller may, and what S3's clients
//! expect to hear.
//!
//! Types, XML and the choice of the operation are s3s's; who calls has been shown before a request comes here, and s3s
//! never sees a signature. Nothing here touches a disk or a key: that is `store`'s and `kms`'s. Start at [`S3Gateway`].
#![forbid(unsafe_code)]

mod asking;
mod bytes_in;
mod bytes_out;
mod call;
mod checksum;
mod document;
mod entity_tags;
mod failure;
mod gateway;
#[doc(hidden)]
pub mod hostile_input;
mod open_chunks;
mod query;
mod refusal;
mod sealing;
mod service;
mod spelling;
#[cfg(test)]
mod tests;
mod told;
mod turns;
mod wiped;

pub use bytes_in::GATHERED;
pub use call::{DeletionNote, Noted, Notes, Proof, S3Call, Trailers};
pub use gateway::{Backing, S3Gateway, largest_document};
