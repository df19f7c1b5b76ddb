//! Managed policies: which action each operation takes, and on what.

use moho_iam::action::iam;
use moho_wire::Failure;
use moho_wire::aws::ops::iam::policies::{CreatePolicy, Request};

use super::super::Trip;
use super::named::Named;
use crate::handlers::iam::policies as handlers;
use crate::handlers::iam::tagged::pairs;
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = &trip.asked();
    let policy = |arn: &str| Named::policy(trip, arn);
    let replied = match request {
        Request::CreatePolicy(request) => return create(trip, *request).await,
        Request::GetPolicy(request) => handlers::get(asked, policy(&request.policy_arn)?.permit(trip)?).await,
        Request::ListPolicies(request) => {
            let all = Named::all(trip, "policy", request.path_prefix.as_deref())?;
            handlers::list(asked, all.permit(trip)?, *request).await
        }
        Request::DeletePolicy(request) => {
            handlers::delete(asked, policy(&request.policy_arn)?.permit(trip)?).await
        }
        Request::CreatePolicyVersion(request) => {
            handlers::create_version(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
        Request::GetPolicyVersion(request) => {
            handlers::get_version(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
        Request::ListPolicyVersions(request) => {
            handlers::list_versions(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
        Request::DeletePolicyVersion(request) => {
            handlers::delete_version(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
        Request::SetDefaultPolicyVersion(request) => {
            handlers::set_default(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
        Request::ListEntitiesForPolicy(request) => {
            handlers::entities(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
        Request::TagPolicy(request) => {
            let tags = pairs(Some(request.tags.clone()));
            let policy = policy(&request.policy_arn)?.requesting(&tags);
            handlers::tag(asked, policy.permit(trip)?, *request).await
        }
        Request::UntagPolicy(request) => {
            let policy = policy(&request.policy_arn)?.untagging(&request.tag_keys);
            handlers::untag(asked, policy.permit(trip)?, *request).await
        }
        Request::ListPolicyTags(request) => {
            handlers::list_tags(asked, policy(&request.policy_arn)?.permit(trip)?, *request).await
        }
    };
    replied.map(reply::whole)
}

/// Making a policy with tags is tagging it, too.
async fn create(trip: &Trip<'_>, request: CreatePolicy) -> Result<Outbound, Failure> {
    let tags = pairs(request.tags.clone());
    let policy = Named::new(trip, "policy", request.path.as_deref(), &request.policy_name)?.requesting(&tags);
    let permit = policy.permit(trip)?;
    if !tags.is_empty() {
        policy.permit::<iam::TagPolicy>(trip)?;
    }
    let made = handlers::create(&trip.asked(), permit, request).await;
    made.map(reply::whole)
}
