//! An account as a whole, last uses and simulations: which action each operation takes, and on what.

use moho_store::iam::IamCode;
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::aws::ops::iam::{account, simulation};

use super::super::Trip;
use super::named::Named;
use crate::handlers::iam::{self as handlers, refusal};
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: account::Request) -> Result<Outbound, Failure> {
    use account::Request;
    let asked = &trip.asked();
    let replied = match request {
        Request::GetAccountAuthorizationDetails(request) => {
            let permit = Named::everything(trip)?.permit(trip)?;
            handlers::account_details::details(asked, permit, *request).await
        }
        Request::GetAccountSummary(_) => {
            let permit = Named::everything(trip)?.permit(trip)?;
            handlers::account::summary(asked, permit).await
        }
        Request::GenerateServiceLastAccessedDetails(request) => {
            let permit = Named::of(source(&request.arn)?).permit(trip)?;
            handlers::service_use::generate(asked, permit, *request).await
        }
        Request::GetServiceLastAccessedDetails(request) => {
            let permit = Named::everything(trip)?.permit(trip)?;
            handlers::service_use::get(asked, permit, *request).await
        }
    };
    replied.map(reply::whole)
}

pub(super) async fn simulation(trip: &Trip<'_>, request: simulation::Request) -> Result<Outbound, Failure> {
    use simulation::Request;
    let asked = &trip.asked();
    let replied = match request {
        Request::SimulateCustomPolicy(request) => {
            let permit = Named::everything(trip)?.permit(trip)?;
            handlers::simulation::custom(asked, permit, *request).await
        }
        Request::SimulatePrincipalPolicy(request) => {
            let permit = Named::of(source(&request.policy_source_arn)?).permit(trip)?;
            handlers::simulation::principal(asked, permit, *request).await
        }
        Request::GetContextKeysForCustomPolicy(request) => {
            let permit = Named::everything(trip)?.permit(trip)?;
            handlers::simulation::keys_of_custom(asked, &permit, *request)
        }
        Request::GetContextKeysForPrincipalPolicy(request) => {
            let permit = Named::of(source(&request.policy_source_arn)?).permit(trip)?;
            handlers::simulation::keys_of_principal(asked, permit, *request).await
        }
    };
    replied.map(reply::whole)
}

/// The ARN of whoever or whatever has policies.
fn source(text: &str) -> Result<Arn, Failure> {
    let arn = text.parse::<Arn>().ok().filter(|arn| arn.service() == "iam");
    arn.ok_or_else(|| refusal(IamCode::InvalidInput, format!("ARN {text} is not valid.")))
}
