//! Keys as a whole: four permits on one key, so that nothing is told there that the operations of KMS and IAM would not tell.

use moho_iam::action::{iam, kms as action};
use moho_iam::authz::Context;
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::openai::keys::ListKeys;

use super::super::Trip;
use super::named::Takes;
use crate::handlers::kms::overview::{self as handlers, OverviewPermits};
use crate::handlers::kms::shown;
use crate::net::Outbound;

pub(in super::super) async fn list(trip: &Trip<'_>, wanted: ListKeys) -> Result<Outbound, Failure> {
    let permit = trip.permit::<action::ListKeys>(&trip.arn("kms", "*")?)?;
    handlers::list(&trip.asked(), permit, wanted).await
}

pub(in super::super) async fn get(trip: &Trip<'_>, name: &str) -> Result<Outbound, Failure> {
    told(trip, name).await.map_err(|mut failure| {
        // KMS says 400 of what is not there; a path that leads nowhere is 404.
        if let Failure::Service { code, status, .. } = &mut failure
            && *code == shown::NOT_FOUND
        {
            *status = 404;
        }
        failure
    })
}

async fn told(trip: &Trip<'_>, name: &str) -> Result<Outbound, Failure> {
    let named = trip.key_named(name, Takes::Aliases)?;
    let account = trip.caller.session().account();
    if let Ok(said) = name.parse::<Arn>()
        && said.account() != account.as_str()
    {
        trip.judge_absent::<action::DescribeKey>(&said, &Context::new())?;
        return Err(shown::no_such_key(&said));
    }
    let describe = trip.on_key::<action::DescribeKey>(&named, Context::new())?;
    let key = describe.resource().to_string();
    let everybody = Arn::of("iam", "", account.as_str(), "*").map_err(|_never| Failure::Internal)?;
    let permits = OverviewPermits {
        policy: trip.on_own_key::<action::GetKeyPolicy>(&key, Context::new())?,
        grants: trip.on_own_key::<action::ListGrants>(&key, Context::new())?,
        principals: trip.permit::<iam::GetAccountAuthorizationDetails>(&everybody)?,
        describe,
    };
    handlers::get(&trip.asked(), permits).await
}
