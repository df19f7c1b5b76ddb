//! What was restored from a backup, told and accepted.

use moho_iam::action::moho;
use moho_iam::authz::Permit;
use moho_store::Restoration;
use moho_wire::Failure;
use moho_wire::openai::restore::RestoreTold;

use crate::net::Outbound;
use crate::road::{content, from_store};
use crate::startup::Platform;

/// The last restoration.
pub(crate) fn get(
    _permit: &Permit<moho::GetRestore>,
    found: Option<Restoration>,
) -> Result<Outbound, Failure> {
    found.map(told).ok_or_else(no_such_restore)
}

/// Accepts it: from now on requests are served.
pub(crate) fn accept(platform: &Platform, permit: &Permit<moho::AcceptRestore>) -> Result<Outbound, Failure> {
    let accepted = platform.store.accept_restoration(permit, platform.clock.now());
    let accepted = accepted.map_err(|error| from_store(&error))?;
    let accepted = accepted.ok_or_else(no_such_restore)?;
    platform
        .restored
        .look(&platform.store)
        .map_err(|error| from_store(&error))?;
    tracing::warn!(restore = %accepted.id, "what was restored is accepted: requests are served");
    Ok(told(accepted))
}

/// There was no restoration of that id.
pub(crate) fn no_such_restore() -> Failure {
    Failure::Service {
        code: "restore_not_found",
        message: "There is no such restore: this installation was not restored, or it was another restore."
            .to_owned(),
        status: 404,
    }
}

fn told(found: Restoration) -> Outbound {
    let told = RestoreTold {
        id: found.id,
        restored_at: found.restored_at,
        made_at: found.made_at,
        epoch: found.epoch,
        known_epoch: found.known_epoch,
        accepted: found.accepted.map(|(at, by)| (at, by.to_string())),
    };
    content(told.reply())
}
