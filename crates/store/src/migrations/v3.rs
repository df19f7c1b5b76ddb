//! Version 3: users, groups, long-lived credentials and identity providers.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "";
