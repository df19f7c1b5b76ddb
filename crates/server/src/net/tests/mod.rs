//! The rim over real sockets, with a road that only shows what it was given.

mod bodies;
mod connections;
mod heads;
mod private;
mod rig;
mod streams;
