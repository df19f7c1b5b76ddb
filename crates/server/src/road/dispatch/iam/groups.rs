//! Groups, who is in them, and their policies: which action each operation takes, and on what.

use moho_iam::action::iam;
use moho_wire::Failure;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::groups::{
    GetGroupPolicyResponse, ListAttachedGroupPoliciesResponse, ListGroupPoliciesResponse, Request,
};

use super::super::Trip;
use super::named::Named;
use super::users::POLICY_ARN;
use crate::handlers::iam::{self as handlers, identity_policies as policies};
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = &trip.asked();
    let group = |name: &str| Named::group(trip, name);
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
        Request::PutGroupPolicy(_)
        | Request::GetGroupPolicy(_)
        | Request::ListGroupPolicies(_)
        | Request::DeleteGroupPolicy(_)
        | Request::AttachGroupPolicy(_)
        | Request::DetachGroupPolicy(_)
        | Request::ListAttachedGroupPolicies(_) => return of_policies(trip, request).await,
    };
    replied.map(reply::whole)
}

async fn of_policies(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = &trip.asked();
    let group = |name: &str| Named::group(trip, name);
    let replied = match request {
        Request::PutGroupPolicy(request) => {
            let permit = group(&request.group_name)?.permit::<iam::PutGroupPolicy>(trip)?;
            policies::put(asked, permit, request.policy_name, &request.policy_document).await
        }
        Request::GetGroupPolicy(request) => {
            let permit = group(&request.group_name)?.permit::<iam::GetGroupPolicy>(trip)?;
            let document = policies::get(asked, permit, request.policy_name.clone()).await?;
            GetGroupPolicyResponse {
                group_name: Some(request.group_name),
                policy_name: Some(request.policy_name),
                policy_document: Some(document),
            }
            .reply(Service::Iam, "GetGroupPolicy", &asked.request)
        }
        Request::ListGroupPolicies(request) => {
            let permit = group(&request.group_name)?.permit::<iam::ListGroupPolicies>(trip)?;
            let page = policies::list(asked, permit, (request.marker, request.max_items)).await?;
            ListGroupPoliciesResponse {
                policy_names: Some(page.items),
                is_truncated: page.is_truncated,
                marker: page.marker,
            }
            .reply(Service::Iam, "ListGroupPolicies", &asked.request)
        }
        Request::DeleteGroupPolicy(request) => {
            let permit = group(&request.group_name)?.permit::<iam::DeleteGroupPolicy>(trip)?;
            policies::delete(asked, permit, request.policy_name).await
        }
        Request::AttachGroupPolicy(request) => {
            let group = group(&request.group_name)?.with(POLICY_ARN, Some(&request.policy_arn));
            let permit = group.permit::<iam::AttachGroupPolicy>(trip)?;
            policies::attach(asked, permit, request.policy_arn).await
        }
        Request::DetachGroupPolicy(request) => {
            let group = group(&request.group_name)?.with(POLICY_ARN, Some(&request.policy_arn));
            let permit = group.permit::<iam::DetachGroupPolicy>(trip)?;
            policies::detach(asked, permit, request.policy_arn).await
        }
        Request::ListAttachedGroupPolicies(request) => {
            let permit = group(&request.group_name)?.permit::<iam::ListAttachedGroupPolicies>(trip)?;
            let wanted = (request.path_prefix, request.marker, request.max_items);
            let page = policies::attached(asked, permit, wanted).await?;
            ListAttachedGroupPoliciesResponse {
                attached_policies: Some(page.items),
                is_truncated: page.is_truncated,
                marker: page.marker,
            }
            .reply(Service::Iam, "ListAttachedGroupPolicies", &asked.request)
        }
        // The others are groups' own.
        Request::CreateGroup(_)
        | Request::GetGroup(_)
        | Request::ListGroups(_)
        | Request::DeleteGroup(_)
        | Request::AddUserToGroup(_)
        | Request::RemoveUserFromGroup(_)
        | Request::ListGroupsForUser(_) => Err(Failure::Internal),
    };
    replied.map(reply::whole)
}
