//! Attestation reports of AMD SEV-SNP.

/// What a report says besides the common claims.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnpClaims {}

/// A guest that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnpReference {}

pub(super) fn appraise(
    _claims: &super::claims::Claims,
    _references: &[SnpReference],
) -> Result<(), super::refusal::Refusal> {
    use super::refusal::{Check, Part, Refusal};
    Err(Refusal::new(
        Check::Kind,
        Part::Evidence,
        "it cannot be appraised",
    ))
}
