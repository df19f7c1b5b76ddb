//! What a caller may ask of the service rather than of the model: of each there is one kind here.

use moho_terms::Content;

use crate::Failure;

/// Whether the tier was given, which may only be the default: there is one queue, and a tier that is not kept is refused.
pub(super) fn service_tier(tier: Option<&Content>) -> Result<bool, Failure> {
    one_kind(tier, "default", "service tier")
}

/// Whether a latency was given, which may only be the standard one.
pub(super) fn performance(latency: Option<&Content>) -> Result<bool, Failure> {
    one_kind(latency, "standard", "latency performance configuration")
}

fn one_kind(asked: Option<&Content>, served: &str, what: &str) -> Result<bool, Failure> {
    match asked {
        None => Ok(false),
        Some(asked) if asked.expose() == served => Ok(true),
        Some(_) => Err(Failure::Validation(format!(
            "This model doesn't support the {what} that you provided. Use {served} and try again."
        ))),
    }
}
