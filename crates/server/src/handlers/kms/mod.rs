//! KMS's operations, once they may be: between typed requests, the keys, and the store's aliases and grants.
//!
//! Whatever needs no disk and less than a tenth of a millisecond is done where the request is: to encrypt, to make a data
//! key. The rest is done on threads that may wait.

pub(crate) mod agreement;
pub(crate) mod aliases;
pub(crate) mod data_keys;
pub(crate) mod encryption;
pub(crate) mod grants;
pub(crate) mod key_policies;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod material;
pub(crate) mod overview;
pub(crate) mod release;
pub(crate) mod rotation;
pub(crate) mod shown;
pub(crate) mod signing;
pub(crate) mod tags;
pub(crate) mod tokens;
pub(crate) mod turns;
pub(crate) mod usage;

use std::sync::Arc;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_kms::KmsError;
use moho_kms::spec::KeySpec;
use moho_wire::aws::ops::Service;
use moho_wire::{Failure, Reply};

use super::Asked;
use super::paging::{Asking, Listing};
use crate::road::from_kms;
use crate::startup::Platform;

/// How long something takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// So little that no other request has to wait for it.
    Quick,
    /// So long that it gets a thread of its own.
    Slow,
    /// A private key of RSA is used, which has to wait for its turn.
    UsesRsa,
    /// One is made, which has to wait for its turn, too, and takes seconds then.
    MakesRsa,
}

/// How long it takes to make a key.
fn making(spec: KeySpec) -> Pace {
    if spec.rsa_bits().is_some() {
        Pace::MakesRsa
    } else {
        Pace::Slow
    }
}

/// Does what waits for the disk on a thread that may.
async fn act<T: Send + 'static>(
    asked: &Asked,
    act: impl FnOnce(&Platform) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let platform = Arc::clone(&asked.platform);
    tokio::task::spawn_blocking(move || act(&platform))
        .await
        .unwrap_or(Err(Failure::Internal))
}

/// Does something with keys, here or on a thread of its own.
async fn compute<T: Send + 'static>(
    asked: &Asked,
    pace: Pace,
    work: impl FnOnce(&Platform) -> Result<T, KmsError> + Send + 'static,
) -> Result<T, Failure> {
    match pace {
        Pace::Quick => work(&asked.platform).map_err(|error| from_kms(&error)),
        Pace::Slow => act(asked, |platform| work(platform).map_err(|error| from_kms(&error))).await,
        Pace::UsesRsa => in_turn(asked, &asked.platform.rsa_turns.using, work).await,
        Pace::MakesRsa => in_turn(asked, &asked.platform.rsa_turns.making, work).await,
    }
}

/// Does something with keys on a thread of its own, once it is the turn of the caller's account. The turn ends with the
/// work, even if nobody waits for that any more.
async fn in_turn<T: Send + 'static>(
    asked: &Asked,
    turns: &turns::Turns,
    work: impl FnOnce(&Platform) -> Result<T, KmsError> + Send + 'static,
) -> Result<T, Failure> {
    let turn = turns.wait(asked.account).await?;
    act(asked, move |platform| {
        let done = work(platform).map_err(|error| from_kms(&error));
        drop(turn);
        done
    })
    .await
}

/// Lets `change` be, and says nothing.
async fn carry_out<A: Action>(
    asked: &Asked,
    permit: Permit<A>,
    change: impl FnOnce(&Platform, &Permit<A>) -> Result<(), KmsError> + Send + 'static,
) -> Result<Reply, Failure> {
    compute(asked, Pace::Slow, move |platform| change(platform, &permit)).await?;
    Service::Kms.done(operation::<A>(), &asked.request)
}

/// The operation that an action is for, such as `EnableKey`.
fn operation<A: Action>() -> &'static str {
    A::NAME.split_once(':').map_or("", |(_, operation)| operation)
}

/// What was done, unless it was only to be tried.
fn unless_tried<T>(dry_run: Option<bool>, done: T) -> Result<T, Failure> {
    if dry_run == Some(true) {
        Err(shown::dry_run())
    } else {
        Ok(done)
    }
}

/// What a list is asked for.
struct Wanted<'a> {
    /// What else makes it this list.
    filters: &'a [&'a str],
    marker: Option<&'a str>,
    limit: Option<i64>,
    /// How many things a page has if nobody says, and at most.
    sizes: (usize, usize),
}

/// The page that is asked for of the list that a permit is for.
fn asking<A: Action>(asked: &Asked, permit: &Permit<A>, wanted: &Wanted<'_>) -> Result<Asking, Failure> {
    let (usual, most) = wanted.sizes;
    let limit = match wanted.limit {
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| shown::limit(limit, most))?,
        None => usual,
    };
    let listing = Listing::of_permit(permit, wanted.filters);
    Asking::of_kms(&asked.platform, listing, wanted.marker, limit)
}

/// A page of `all`, which has its keys in order: its items, and where the list goes on.
struct Page<T> {
    items: Vec<T>,
    next_marker: Option<String>,
    truncated: Option<bool>,
}

fn page<T>(
    asked: &Asked,
    asking: &Asking,
    all: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, Failure> {
    let mut rest = all
        .into_iter()
        .filter(|(key, _)| asking.after.as_ref().is_none_or(|after| key > after));
    let mut items = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(asking.limit) {
        last = Some(key);
        items.push(item);
    }
    let more = rest.next().is_some();
    let last = last.filter(|_| more);
    let (truncated, next_marker) = asking.next(&asked.platform, last.as_deref())?;
    Ok(Page {
        items,
        next_marker,
        truncated,
    })
}
