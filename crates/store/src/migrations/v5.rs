//! Version 5: private endpoints.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "";
