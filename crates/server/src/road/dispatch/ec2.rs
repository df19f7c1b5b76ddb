//! EC2's operations: which action each takes, and on what.
//!
//! Decided on the ARN that a thing would have in the caller's own account, so that another account's looks as absent as what
//! is nowhere.

use std::sync::Arc;

use moho_iam::action::{Action, ec2};
use moho_iam::authz::{Context, Permit};
use moho_terms::EndpointId;
use moho_wire::aws::ops::ec2::{CreateVpcEndpoint, DeleteVpcEndpoints, ModifyVpcEndpoint, Request};
use moho_wire::{Failure, Reply};

use super::Trip;
use crate::handlers::ec2 as handlers;
use crate::net::Outbound;
use crate::road::{from_store, reply};

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = trip.asked();
    match request {
        Request::CreateVpcEndpoint(create) => create_endpoint(trip, *create).await,
        Request::DescribeVpcEndpoints(describe) => {
            let permit =
                trip.permit_with::<ec2::DescribeVpcEndpoints>(&trip.arn("ec2", "*")?, &Context::new())?;
            handlers::describe(&asked, permit, *describe).await
        }
        Request::ModifyVpcEndpoint(modify) => modify_endpoint(trip, *modify).await,
        Request::DeleteVpcEndpoints(delete) => delete_endpoints(trip, *delete).await,
        Request::DescribeVpcEndpointServices(describe) => {
            let everything = trip.arn("ec2", "*")?;
            let permit =
                trip.permit_with::<ec2::DescribeVpcEndpointServices>(&everything, &Context::new())?;
            handlers::describe_services(&asked, &permit, *describe)
        }
    }
    .map(reply::whole)
}

async fn create_endpoint(trip: &Trip<'_>, create: CreateVpcEndpoint) -> Result<Reply, Failure> {
    let creating = handlers::Creating::of(create, &trip.platform.region)?;
    let context = creating.context();
    let network = trip.arn("ec2", &format!("vpc/{}", creating.vpc))?;
    let network = trip.permit_with::<ec2::CreateVpcEndpoint>(&network, &context)?;
    // It has no id yet.
    let endpoint = trip.arn("ec2", "vpc-endpoint/*")?;
    let made = trip.permit_with::<ec2::CreateVpcEndpoint>(&endpoint, &context)?;
    let tagging = if creating.is_tagged() {
        Some(trip.permit_with::<ec2::CreateTags>(&endpoint, &context)?)
    } else {
        None
    };
    handlers::create(&trip.asked(), made, (&network, tagging.as_ref()), creating).await
}

async fn modify_endpoint(trip: &Trip<'_>, modify: ModifyVpcEndpoint) -> Result<Reply, Failure> {
    let mut ids = handlers::ids(std::slice::from_ref(&modify.vpc_endpoint_id))?;
    let id = ids.pop().ok_or(Failure::Internal)?;
    let permit = of_endpoint::<ec2::ModifyVpcEndpoint>(trip, &id).await?;
    handlers::modify(&trip.asked(), permit, id, modify).await
}

async fn delete_endpoints(trip: &Trip<'_>, delete: DeleteVpcEndpoints) -> Result<Reply, Failure> {
    let mut permits = Vec::new();
    for id in handlers::ids(&delete.vpc_endpoint_ids)? {
        let permit = of_endpoint::<ec2::DeleteVpcEndpoints>(trip, &id).await?;
        permits.push((id, permit));
    }
    handlers::delete(&trip.asked(), permits, delete.dry_run).await
}

/// Leave to do something with one endpoint; its tags can be asked about, so they are all that is read before.
async fn of_endpoint<A: Action>(trip: &Trip<'_>, id: &EndpointId) -> Result<Permit<A>, Failure> {
    let account = trip.caller.session().account();
    let (platform, named) = (Arc::clone(trip.platform), id.clone());
    let tags = handlers::blocking(move || {
        let tags = platform.store.endpoint_tags(account, &named);
        tags.map_err(|error| from_store(&error))
    })
    .await?;
    let mut context = Context::new();
    for (key, value) in tags {
        for prefix in ["aws:ResourceTag", "ec2:ResourceTag"] {
            context = context.with(&format!("{prefix}/{key}"), value.as_str());
        }
    }
    trip.permit_with(&trip.arn("ec2", &format!("vpc-endpoint/{id}"))?, &context)
}
