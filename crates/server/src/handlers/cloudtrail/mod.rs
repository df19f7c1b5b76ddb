//! CloudTrail's operations, with the permits that they need.

pub(crate) mod events;
pub(crate) mod selectors;
mod settings;
pub(crate) mod shown;
pub(crate) mod status;
pub(crate) mod tags;
pub(crate) mod trails;

use std::sync::Arc;

use moho_audit::cloudtrail::names::TrailRef;
use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_store::trails::{Trail, TrailError};
use moho_wire::Failure;

use super::{Asked, blocking};
use crate::road::from_store;
use crate::startup::Platform;

/// Does something to what is kept.
async fn act<T: Send + 'static>(
    asked: &Asked,
    what: impl FnOnce(&Platform) -> Result<T, TrailError> + Send + 'static,
) -> Result<T, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || what(&platform).map_err(|error| from_trail(&error))).await
}

fn from_trail(error: &TrailError) -> Failure {
    match error {
        TrailError::NotFound => shown::service(
            "TrailNotFoundException",
            "Unknown trail: it was deleted meanwhile.",
        ),
        TrailError::AlreadyExists => shown::service(
            "TrailAlreadyExistsException",
            "Trail already exists in this Region for the account.",
        ),
        TrailError::TooMany => shown::too_many(),
        TrailError::TooManyTags => shown::service(
            "TagsLimitExceededException",
            "A trail has at most 50 tags. Remove some first.",
        ),
        TrailError::Store(error) => from_store(error),
    }
}

/// The trail of this name that the permit's account sees.
async fn found<A: Action>(
    asked: &Asked,
    permit: Permit<A>,
    named: &TrailRef,
) -> Result<(Trail, Permit<A>), Failure> {
    let (all, permit) = act(asked, move |platform| {
        Ok((platform.store.trails(&permit)?, permit))
    })
    .await?;
    let trail = all.into_iter().find(|trail| is_named(trail, named));
    let trail = trail.ok_or_else(|| shown::no_such_trail(&text_of(named), asked.account))?;
    Ok((trail, permit))
}

fn is_named(trail: &Trail, named: &TrailRef) -> bool {
    match named {
        TrailRef::Name(name) => trail.name == name.as_str(),
        TrailRef::Arn(arn) => {
            trail.name == arn.name.as_str()
                && trail.account == arn.account
                && trail.home_region == arn.home_region
        }
    }
}

fn text_of(named: &TrailRef) -> String {
    match named {
        TrailRef::Name(name) => name.to_string(),
        TrailRef::Arn(arn) => arn.to_string(),
    }
}
