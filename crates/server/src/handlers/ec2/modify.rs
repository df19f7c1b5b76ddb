//! An endpoint's policy is changed, or it is deleted. What the settings name cannot be deleted here.

use moho_iam::action::ec2;
use moho_iam::authz::Permit;
use moho_terms::EndpointId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::ec2::{
    DeleteVpcEndpointsResult, ModifyVpcEndpoint, ModifyVpcEndpointResult, UnsuccessfulItem,
    UnsuccessfulItemError,
};
use moho_wire::{Failure, Reply};

use super::create::{policy, served_by_name};
use super::{blocking, endpoint_id, no_endpoint, unless_dry, wrong};
use crate::handlers::Asked;
use crate::road::from_store;
use crate::startup::Platform;

/// The most endpoints that one request deletes.
const MOST: usize = 100;

/// The endpoints that a request names.
pub(crate) fn ids(names: &[String]) -> Result<Vec<EndpointId>, Failure> {
    if names.len() > MOST {
        let said = format!("A request names at most {MOST} endpoints.");
        return Err(wrong("InvalidParameterValue", said));
    }
    names.iter().map(|name| endpoint_id(name)).collect()
}

/// EC2 `ModifyVpcEndpoint`
pub(crate) async fn modify(
    asked: &Asked,
    permit: Permit<ec2::ModifyVpcEndpoint>,
    id: EndpointId,
    modify: ModifyVpcEndpoint,
) -> Result<Reply, Failure> {
    served_by_name(modify.private_dns_enabled)?;
    let reset = modify.reset_policy == Some(true);
    let policy = match (modify.policy_document.as_deref(), reset) {
        (Some(_), true) => {
            return Err(wrong(
                "InvalidParameterCombination",
                "The parameters PolicyDocument and ResetPolicy cannot be used together.",
            ));
        }
        (Some(text), false) => Some(policy(text)?),
        (None, true) => None,
        (None, false) => {
            return Err(wrong(
                "MissingParameter",
                "The request must contain the parameter PolicyDocument or ResetPolicy",
            ));
        }
    };
    unless_dry(modify.dry_run)?;
    let platform = std::sync::Arc::clone(&asked.platform);
    let named = id.clone();
    let found = blocking(move || {
        let account = permit.session().account();
        let changed = if is_configured(&platform, &permit, &id) {
            platform
                .store
                .set_configured_endpoint_policy(&permit, &id, policy.as_ref())
        } else {
            platform.store.set_endpoint_policy(&permit, &id, policy.as_ref())
        };
        platform.endpoints.renew();
        tracing::info!(endpoint = %id, %account, "the policy of a private endpoint was asked to be changed");
        changed.map_err(|error| from_store(&error))
    })
    .await?;
    if !found {
        return Err(no_endpoint(&named));
    }
    ModifyVpcEndpointResult { returned: Some(true) }.reply(Service::Ec2, "ModifyVpcEndpoint", &asked.request)
}

/// Whether the settings name it, and give it to the permit's account.
fn is_configured<A: moho_iam::action::Action>(
    platform: &Platform,
    permit: &Permit<A>,
    id: &EndpointId,
) -> bool {
    let configured = platform.endpoints.configured().get(id);
    configured.is_some_and(|endpoint| endpoint.owner == permit.session().account())
}

/// EC2 `DeleteVpcEndpoints`: those that are there, at once; what could not be deleted is told.
pub(crate) async fn delete(
    asked: &Asked,
    permits: Vec<(EndpointId, Permit<ec2::DeleteVpcEndpoints>)>,
    dry_run: Option<bool>,
) -> Result<Reply, Failure> {
    unless_dry(dry_run)?;
    let platform = std::sync::Arc::clone(&asked.platform);
    let unsuccessful = blocking(move || {
        let (staying, going): (Vec<_>, Vec<_>) = permits
            .into_iter()
            .partition(|(id, permit)| is_configured(&platform, permit, id));
        let deleted = platform.store.delete_endpoints(&going);
        platform.endpoints.renew();
        let deleted = deleted.map_err(|error| from_store(&error))?;
        let staying = staying.iter().map(|(id, _)| {
            let said = format!("The Vpc Endpoint Id '{id}' is named by the operator's settings, and stays");
            item(id, "OperationNotPermitted", said)
        });
        let going = going.iter().zip(deleted);
        let absent = going.filter(|(_, deleted)| !deleted).map(|((id, _), _)| {
            let said = format!("The Vpc Endpoint Id '{id}' does not exist");
            item(id, "InvalidVpcEndpoint.NotFound", said)
        });
        Ok(staying.chain(absent).collect())
    })
    .await?;
    DeleteVpcEndpointsResult {
        unsuccessful: Some(unsuccessful),
    }
    .reply(Service::Ec2, "DeleteVpcEndpoints", &asked.request)
}

fn item(id: &EndpointId, code: &str, message: String) -> UnsuccessfulItem {
    UnsuccessfulItem {
        error: Some(UnsuccessfulItemError {
            code: Some(code.to_owned()),
            message: Some(message),
        }),
        resource_id: Some(id.to_string()),
    }
}
