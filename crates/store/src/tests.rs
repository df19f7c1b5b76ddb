//! Kept, lost, altered.
