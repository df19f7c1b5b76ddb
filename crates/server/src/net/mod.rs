//! Sockets in, replies out: what crosses between the rim and the request road.
//!
//! The rim knows HTTP and TLS and bounds everything a peer can make it hold; it knows no API. The road knows the APIs
//! and never sees a socket. [`Inbound`] and [`Outbound`] are all they share.

mod abandoned;
pub(crate) mod accept;
pub(crate) mod activity;
pub(crate) mod connection;
mod exchange;
#[doc(hidden)]
pub mod hostile_input;
mod intake;
mod limits;
mod listener;
mod memory;
mod patient;
mod pieces;
pub(crate) mod places;
pub(crate) mod pool;
mod reply;
mod seats;
mod server;
mod service;
pub(crate) mod socket_file;
mod streams;
mod tasks;
pub mod tls;

pub(crate) use patient::Patient;

pub use exchange::{
    Admission, Body, Head, Inbound, Outbound, Peer, Piece, RimError, Road, Taking, Via, reply_bytes,
};
pub use limits::Limits;
pub use listener::{BindError, Listener, SocketError, SocketListener};
pub(crate) use listener::{check_place, take};
pub use pieces::BodyPieces;
pub use server::{Entrance, Server};
pub use service::RimSettings;

#[cfg(test)]
mod tests;
