//! Version 4: the organisation's units and policies.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "";
