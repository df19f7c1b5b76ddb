//! The rim over real sockets, with a road that only shows what it was given.

mod bodies;
mod connections;
mod heads;
mod pieces;
mod private;
mod rig;
mod streams;
