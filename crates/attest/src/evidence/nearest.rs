//! Comparison of claims with many references: which one they are, or what the nearest of them says that they are not.

use moho_terms::hex;

use super::refusal::{Check, Part, Refusal};

/// What is wrong with one field, if anything is.
pub(super) type Difference = Option<(Check, String)>;

/// That a field of bytes is what the policy names.
pub(super) fn same_bytes(name: &str, found: &[u8], wanted: &[u8]) -> Difference {
    (found != wanted).then(|| {
        let (found, wanted) = (hex::encode(found), hex::encode(wanted));
        let found = format!("{name} is {found}, and the policy names {wanted}");
        (Check::Measurement, found)
    })
}

/// The reference that the claims do not differ from in any field. Otherwise the refusal tells of the first difference from the
/// reference that most fields agree with, counted from the first one on.
pub(super) fn nearest<R, const N: usize>(
    references: &[R],
    part: Part,
    differences: impl Fn(&R) -> [Difference; N],
) -> Result<&R, Refusal> {
    let found = "the policy names nothing that may run".to_owned();
    let mut nearest = (0, (Check::Measurement, found));
    for reference in references {
        let first = differences(reference)
            .into_iter()
            .zip(1..)
            .find_map(|(difference, place)| Some((place, difference?)));
        match first {
            None => return Ok(reference),
            Some(first) if first.0 > nearest.0 => nearest = first,
            Some(_) => {}
        }
    }
    let (_, (check, found)) = nearest;
    Err(Refusal::new(check, part, found))
}
