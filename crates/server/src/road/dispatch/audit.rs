//! The journal, for whoever may read it: of its own account, or, in the management account, of all.

use moho_iam::action::moho;
use moho_wire::Failure;
use moho_wire::openai::audit::ListRecords;

use super::Trip;
use crate::handlers::audit;
use crate::net::Outbound;

pub(super) async fn list(trip: &Trip<'_>, list: ListRecords) -> Result<Outbound, Failure> {
    let permit = trip.permit::<moho::ReadJournal>(&trip.arn("moho", "journal/*")?)?;
    audit::list(trip.platform, permit, list).await
}
