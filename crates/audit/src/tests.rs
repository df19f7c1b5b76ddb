//! Killed, filled, altered.
