//! What endpoints can be made for: the services that moho serves.

use moho_iam::action::ec2;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::ec2::{
    DescribeVpcEndpointServices, DescribeVpcEndpointServicesResult, ServiceDetail, ServiceTypeDetail,
};
use moho_wire::{Failure, Reply};

use super::filters::{Field, Filters};
use super::{no_service, page, unless_dry};
use crate::endpoints::{EVERYTHING, SERVICES, service_name};
use crate::handlers::Asked;

/// Who offers them: AWS's word, which tools look for.
const OWNER: &str = "amazon";
const KIND: &str = "Interface";

const FIELDS: [&str; 4] = ["owner", "service-name", "service-region", "service-type"];

/// EC2 `DescribeVpcEndpointServices`
pub(crate) fn describe_services(
    asked: &Asked,
    _permit: &Permit<ec2::DescribeVpcEndpointServices>,
    describe: DescribeVpcEndpointServices,
) -> Result<Reply, Failure> {
    unless_dry(describe.dry_run)?;
    let region = &asked.platform.region;
    let filters = Filters::of(describe.filters, |name| FIELDS.contains(&name))?;
    let all = SERVICES.iter().chain([&EVERYTHING]);
    let mut names: Vec<String> = all.map(|service| service_name(region, service)).collect();
    names.sort();
    if let Some(wanted) = &describe.service_names {
        if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
            return Err(no_service(unknown));
        }
        names.retain(|name| wanted.contains(name));
    }
    let here = |regions: &Vec<String>| regions.iter().any(|named| named == region.as_str());
    if !describe.service_regions.as_ref().is_none_or(here) {
        names.clear();
    }
    names.retain(|name| filters.match_all(|field| field_of(name, region.as_str(), field)));
    let asked_for = (describe.max_results, describe.next_token.as_deref());
    let (names, next_token) = page(names, String::as_str, asked_for)?;
    DescribeVpcEndpointServicesResult {
        service_details: Some(names.iter().map(|name| detail(name, region.as_str())).collect()),
        service_names: Some(names),
        next_token,
    }
    .reply(Service::Ec2, "DescribeVpcEndpointServices", &asked.request)
}

fn field_of<'a>(name: &'a str, region: &'a str, field: &str) -> Field<'a> {
    match field {
        "owner" => Some(vec![OWNER]),
        "service-name" => Some(vec![name]),
        "service-region" => Some(vec![region]),
        "service-type" => Some(vec![KIND]),
        _ => None,
    }
}

fn detail(name: &str, region: &str) -> ServiceDetail {
    ServiceDetail {
        service_name: Some(name.to_owned()),
        service_type: Some(vec![ServiceTypeDetail {
            service_type: Some(KIND.to_owned()),
        }]),
        service_region: Some(region.to_owned()),
        availability_zone_ids: Some(Vec::new()),
        availability_zones: Some(Vec::new()),
        owner: Some(OWNER.to_owned()),
        base_endpoint_dns_names: Some(Vec::new()),
        vpc_endpoint_policy_supported: Some(true),
        acceptance_required: Some(false),
        manages_vpc_endpoints: Some(false),
        ..ServiceDetail::default()
    }
}
