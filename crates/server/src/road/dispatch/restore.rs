//! That an installation was restored, and a customer's consent to it. It is the management account's to give: what was put back
//! is the whole organisation's.

use moho_iam::action::moho;
use moho_iam::authz::Context;
use moho_store::Restoration;
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::openai::restore::AcceptRestore;

use super::Trip;
use crate::handlers::restore;
use crate::net::Outbound;
use crate::road::from_store;

pub(super) fn get(trip: &Trip<'_>) -> Result<Outbound, Failure> {
    let found = found(trip)?;
    let id = found.as_ref().map_or("*", |found| found.id.as_str());
    let permit = trip.permit::<moho::GetRestore>(&named(trip, id)?)?;
    restore::get(&permit, found)
}

pub(super) fn accept(trip: &Trip<'_>, accept: &AcceptRestore) -> Result<Outbound, Failure> {
    let found = found(trip)?.filter(|found| found.id == accept.id);
    let Some(found) = found else {
        // Which ids there are is told to whoever may ask for them.
        trip.judge_absent::<moho::AcceptRestore>(&named(trip, "*")?, &Context::new())?;
        return Err(restore::no_such_restore());
    };
    let permit = trip.permit::<moho::AcceptRestore>(&named(trip, &found.id)?)?;
    restore::accept(trip.platform, &permit)
}

fn found(trip: &Trip<'_>) -> Result<Option<Restoration>, Failure> {
    trip.platform
        .store
        .restoration()
        .map_err(|error| from_store(&error))
}

fn named(trip: &Trip<'_>, id: &str) -> Result<Arn, Failure> {
    let platform = trip.platform;
    moho_store::restoration_arn(platform.region.as_str(), platform.account.as_str(), id)
        .map_err(|error| from_store(&error))
}
