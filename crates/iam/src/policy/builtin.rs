//! The policies a new account starts with, as JSON files that anybody can read.

/// Everything, on everything: for the account's administrators. An identity policy.
pub const ADMINISTRATOR: &str = include_str!("../../policies/administrator.json");

/// Ask models, read and delete one's account's responses, use bearer keys and the account's keys. An identity policy.
pub const DEVELOPER: &str = include_str!("../../policies/developer.json");

/// What the bootstrap principal may do: assume roles.
pub const BOOTSTRAP: &str = include_str!("../../policies/bootstrap.json");
