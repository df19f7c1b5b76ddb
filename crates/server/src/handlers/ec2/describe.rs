//! What endpoints an account has: those that it made, and those that the settings give it.

use moho_iam::action::ec2;
use moho_iam::authz::Permit;
use moho_store::EndpointRecord;
use moho_terms::EndpointId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::ec2::{
    DescribeVpcEndpoints, DescribeVpcEndpointsResult, LastError, Tag, VpcEndpoint,
};
use moho_wire::{Failure, Reply};

use super::filters::Filters;
use super::{blocking, endpoint_id, no_endpoint, page, unless_dry};
use crate::endpoints::{DEFAULT_POLICY, EVERYTHING, service_name};
use crate::handlers::Asked;
use crate::road::from_store;
use crate::startup::Platform;

/// EC2 `DescribeVpcEndpoints`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<ec2::DescribeVpcEndpoints>,
    describe: DescribeVpcEndpoints,
) -> Result<Reply, Failure> {
    unless_dry(describe.dry_run)?;
    let wanted: Option<Vec<EndpointId>> = match describe.vpc_endpoint_ids {
        Some(ids) => Some(ids.iter().map(|id| endpoint_id(id)).collect::<Result<_, _>>()?),
        None => None,
    };
    let filters = Filters::of(describe.filters, is_field)?;
    let platform = std::sync::Arc::clone(&asked.platform);
    let mut all = blocking(move || all(&platform, &permit)).await?;
    if let Some(wanted) = wanted {
        let has =
            |id: &EndpointId, shown: &VpcEndpoint| shown.vpc_endpoint_id.as_deref() == Some(id.as_str());
        let missing = wanted.iter().find(|id| !all.iter().any(|shown| has(id, shown)));
        if let Some(missing) = missing {
            return Err(no_endpoint(missing));
        }
        all.retain(|shown| wanted.iter().any(|id| has(id, shown)));
    }
    all.retain(|shown| filters.match_all(|name| field(shown, name)));
    let name = |shown: &VpcEndpoint| shown.vpc_endpoint_id.clone().unwrap_or_default();
    let named: Vec<(String, VpcEndpoint)> = all.into_iter().map(|shown| (name(&shown), shown)).collect();
    let asked_for = (describe.max_results, describe.next_token.as_deref());
    let (part, next_token) = page(named, |(name, _)| name, asked_for)?;
    DescribeVpcEndpointsResult {
        vpc_endpoints: Some(part.into_iter().map(|(_, shown)| shown).collect()),
        next_token,
    }
    .reply(Service::Ec2, "DescribeVpcEndpoints", &asked.request)
}

/// All endpoints of the permit's account, in the order of their ids.
fn all(platform: &Platform, permit: &Permit<ec2::DescribeVpcEndpoints>) -> Result<Vec<VpcEndpoint>, Failure> {
    let account = permit.session().account();
    let made = platform
        .store
        .endpoints(permit)
        .map_err(|error| from_store(&error))?;
    let mut shown: Vec<VpcEndpoint> = made
        .into_iter()
        .map(|endpoint| shown_endpoint(platform, endpoint))
        .collect();
    for (id, configured) in platform.endpoints.configured() {
        if configured.owner != account {
            continue;
        }
        let kept = platform
            .store
            .configured_endpoint(id)
            .map_err(|error| from_store(&error))?
            .ok_or(Failure::Internal)?;
        let as_made = EndpointRecord {
            id: id.clone(),
            account,
            vpc: configured.vpc.clone(),
            service: service_name(&platform.region, EVERYTHING),
            policy: kept.policy,
            tags: std::collections::BTreeMap::new(),
            created: kept.created,
        };
        shown.push(VpcEndpoint {
            requester_managed: Some(true),
            ..shown_endpoint(platform, as_made)
        });
    }
    shown.sort_by(|a, b| a.vpc_endpoint_id.cmp(&b.vpc_endpoint_id));
    Ok(shown)
}

/// An endpoint as EC2 shows it. One whose network the settings do not name any more leads nowhere.
pub(super) fn shown_endpoint(platform: &Platform, endpoint: EndpointRecord) -> VpcEndpoint {
    let served = platform.endpoints.owns(endpoint.account, &endpoint.vpc);
    let last_error = (!served).then(|| LastError {
        code: Some("VpcNotConfigured".to_owned()),
        message: Some("the operator's settings have no listener in this network any more".to_owned()),
    });
    let tags = endpoint.tags.into_iter().map(|(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    });
    VpcEndpoint {
        vpc_endpoint_id: Some(endpoint.id.to_string()),
        vpc_endpoint_type: Some("Interface".to_owned()),
        vpc_id: Some(endpoint.vpc.to_string()),
        service_name: Some(endpoint.service),
        state: Some(if served { "available" } else { "failed" }.to_owned()),
        policy_document: Some(endpoint.policy.unwrap_or_else(|| DEFAULT_POLICY.to_owned())),
        route_table_ids: Some(Vec::new()),
        subnet_ids: Some(Vec::new()),
        groups: Some(Vec::new()),
        private_dns_enabled: Some(true),
        requester_managed: Some(false),
        network_interface_ids: Some(Vec::new()),
        dns_entries: Some(Vec::new()),
        creation_timestamp: Some(endpoint.created),
        tags: Some(tags.collect()),
        owner_id: Some(endpoint.account.to_string()),
        last_error,
        service_region: Some(platform.region.to_string()),
        ..VpcEndpoint::default()
    }
}

const FIELDS: [&str; 7] = [
    "service-name",
    "service-region",
    "tag-key",
    "vpc-endpoint-id",
    "vpc-endpoint-state",
    "vpc-endpoint-type",
    "vpc-id",
];

fn is_field(name: &str) -> bool {
    FIELDS.contains(&name) || name.strip_prefix("tag:").is_some_and(|key| !key.is_empty())
}

fn field<'a>(shown: &'a VpcEndpoint, name: &str) -> super::filters::Field<'a> {
    let one = |value: &'a Option<String>| Some(value.as_deref().into_iter().collect());
    let tags = || shown.tags.iter().flatten();
    match name {
        "service-name" => one(&shown.service_name),
        "service-region" => one(&shown.service_region),
        "vpc-endpoint-id" => one(&shown.vpc_endpoint_id),
        "vpc-endpoint-state" => one(&shown.state),
        "vpc-endpoint-type" => one(&shown.vpc_endpoint_type),
        "vpc-id" => one(&shown.vpc_id),
        "tag-key" => Some(tags().filter_map(|tag| tag.key.as_deref()).collect()),
        _ => {
            let wanted = name.strip_prefix("tag:")?;
            let of_key = tags().filter(|tag| tag.key.as_deref() == Some(wanted));
            Some(of_key.filter_map(|tag| tag.value.as_deref()).collect())
        }
    }
}
