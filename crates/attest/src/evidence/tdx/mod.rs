//! Quotes of Intel TDX.

/// What a quote says besides the common claims.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TdxClaims {}

/// A domain that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdxReference {}

pub(super) fn appraise(
    _claims: &super::claims::Claims,
    _references: &[TdxReference],
) -> Result<(), super::refusal::Refusal> {
    use super::refusal::{Check, Part, Refusal};
    Err(Refusal::new(
        Check::Kind,
        Part::Evidence,
        "it cannot be appraised",
    ))
}
