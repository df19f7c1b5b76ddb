//! Version 6: access to models, inference profiles and usage.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "";
