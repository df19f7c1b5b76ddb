//! Version 2: roles and policies as IAM has them.

/// Times are microseconds since 1970.
pub(super) const STATEMENTS: &str = "";
