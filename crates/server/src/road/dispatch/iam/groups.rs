//! Groups, who is in them, and their policies: which action each operation takes, and on what.

use moho_iam::action::iam;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::groups as requests;
use moho_wire::aws::ops::iam::groups::Request;
use moho_wire::{Failure, Reply};

use super::super::Trip;
use super::named::Named;
use super::users::POLICY_ARN;
use crate::handlers::iam::{self as handlers, identity_policies as policies};
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = &trip.asked();
    let group = |name: &str| Named::group(trip, name);
    let attached = |name: &str, policy: &str| Ok::<_, Failure>(group(name)?.with(POLICY_ARN, Some(policy)));
    let replied = match request {
        Request::CreateGroup(request) => {
            let group = Named::new(trip, "group", request.path.as_deref(), &request.group_name)?;
            handlers::groups::create(asked, group.permit(trip)?).await
        }
        Request::GetGroup(request) => {
            handlers::groups::get(asked, group(&request.group_name)?.permit(trip)?, *request).await
        }
        Request::ListGroups(request) => {
            let all = Named::all(trip, "group", request.path_prefix.as_deref())?;
            handlers::groups::list(asked, all.permit(trip)?, *request).await
        }
        Request::DeleteGroup(request) => {
            handlers::groups::delete(asked, group(&request.group_name)?.permit(trip)?).await
        }
        Request::AddUserToGroup(request) => {
            let permit = group(&request.group_name)?.permit(trip)?;
            handlers::groups::add(asked, permit, request.user_name).await
        }
        Request::RemoveUserFromGroup(request) => {
            let permit = group(&request.group_name)?.permit(trip)?;
            handlers::groups::remove(asked, permit, request.user_name).await
        }
        Request::ListGroupsForUser(request) => {
            let user = Named::user(trip, &request.user_name)?;
            handlers::groups::of_user(asked, user.permit(trip)?, *request).await
        }
        Request::PutGroupPolicy(request) => {
            let permit = group(&request.group_name)?.permit::<iam::PutGroupPolicy>(trip)?;
            policies::put(asked, permit, request.policy_name, &request.policy_document).await
        }
        Request::GetGroupPolicy(request) => get_policy(trip, *request).await,
        Request::ListGroupPolicies(request) => list_policies(trip, *request).await,
        Request::DeleteGroupPolicy(request) => {
            let permit = group(&request.group_name)?.permit::<iam::DeleteGroupPolicy>(trip)?;
            policies::delete(asked, permit, request.policy_name).await
        }
        Request::AttachGroupPolicy(request) => {
            let permit = attached(&request.group_name, &request.policy_arn)?.permit(trip)?;
            policies::attach::<iam::AttachGroupPolicy>(asked, permit, request.policy_arn).await
        }
        Request::DetachGroupPolicy(request) => {
            let permit = attached(&request.group_name, &request.policy_arn)?.permit(trip)?;
            policies::detach::<iam::DetachGroupPolicy>(asked, permit, request.policy_arn).await
        }
        Request::ListAttachedGroupPolicies(request) => list_attached(trip, *request).await,
    };
    replied.map(reply::whole)
}

async fn get_policy(trip: &Trip<'_>, request: requests::GetGroupPolicy) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = Named::group(trip, &request.group_name)?.permit::<iam::GetGroupPolicy>(trip)?;
    let document = policies::get(asked, permit, request.policy_name.clone()).await?;
    requests::GetGroupPolicyResponse {
        group_name: Some(request.group_name),
        policy_name: Some(request.policy_name),
        policy_document: Some(document),
    }
    .reply(Service::Iam, "GetGroupPolicy", &asked.request)
}

async fn list_policies(trip: &Trip<'_>, request: requests::ListGroupPolicies) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = Named::group(trip, &request.group_name)?.permit::<iam::ListGroupPolicies>(trip)?;
    let page = policies::list(asked, permit, (request.marker, request.max_items)).await?;
    requests::ListGroupPoliciesResponse {
        policy_names: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListGroupPolicies", &asked.request)
}

async fn list_attached(
    trip: &Trip<'_>,
    request: requests::ListAttachedGroupPolicies,
) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = Named::group(trip, &request.group_name)?.permit::<iam::ListAttachedGroupPolicies>(trip)?;
    let wanted = (request.path_prefix, request.marker, request.max_items);
    let page = policies::attached(asked, permit, wanted).await?;
    requests::ListAttachedGroupPoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListAttachedGroupPolicies", &asked.request)
}
