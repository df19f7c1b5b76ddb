//! Users, their policies and the account's alias: which action each operation takes, and on what.

use moho_iam::Principal;
use moho_iam::action::iam;
use moho_store::iam::IamCode;
use moho_store::identities::NewUser;
use moho_terms::Arn;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{user_policies as policy_requests, users as requests};
use moho_wire::{Failure, Reply};

use super::super::Trip;
use super::named::Named;
use crate::handlers::iam::tagged::pairs;
use crate::handlers::iam::{self as handlers, identity_policies as acts, refusal};
use crate::net::Outbound;
use crate::road::reply;

/// The condition key for a managed policy that is attached or detached.
pub(super) const POLICY_ARN: &str = "iam:PolicyARN";
/// The condition key for a boundary.
const BOUNDARY: &str = "iam:PermissionsBoundary";

/// The user that a request names, or else the user who asks.
pub(super) fn user(trip: &Trip<'_>, named: Option<&str>) -> Result<Named, Failure> {
    if let Some(name) = named {
        return Named::user(trip, name);
    }
    match trip.caller.session().principal() {
        Principal::User(user) => Named::user(trip, user.name.as_str()),
        Principal::AssumedRole { .. }
        | Principal::FederatedUser { .. }
        | Principal::WebIdentity(_)
        | Principal::Bootstrap
        | Principal::Service(_) => Err(refusal(
            IamCode::ValidationError,
            "Must specify userName when calling with non-User credentials",
        )),
    }
}

/// The ARN of a policy that is to be a boundary.
fn policy(text: &str) -> Result<Arn, Failure> {
    super::named::policy_arn(text)
}

pub(super) async fn dispatch(trip: &Trip<'_>, request: requests::Request) -> Result<Outbound, Failure> {
    use requests::Request;
    let asked = &trip.asked();
    let user = |name: &str| Named::user(trip, name);
    let replied = match request {
        Request::CreateUser(request) => return create(trip, *request).await,
        Request::GetUser(request) => {
            let user = self::user(trip, request.user_name.as_deref())?;
            handlers::users::get(asked, user.permit(trip)?).await
        }
        Request::ListUsers(request) => {
            let all = Named::all(trip, "user", request.path_prefix.as_deref())?;
            handlers::users::list(asked, all.permit(trip)?, *request).await
        }
        Request::UpdateUser(request) => return update(trip, *request).await,
        Request::DeleteUser(request) => {
            handlers::users::delete(asked, user(&request.user_name)?.permit(trip)?).await
        }
        Request::TagUser(request) => {
            let tags = pairs(Some(request.tags));
            let user = user(&request.user_name)?.requesting(&tags);
            handlers::users::tag(asked, user.permit(trip)?, tags).await
        }
        Request::UntagUser(request) => {
            let user = user(&request.user_name)?.untagging(&request.tag_keys);
            handlers::users::untag(asked, user.permit(trip)?, request.tag_keys).await
        }
        Request::ListUserTags(request) => {
            handlers::users::tags(asked, user(&request.user_name)?.permit(trip)?, *request).await
        }
        Request::PutUserPermissionsBoundary(request) => {
            let boundary = policy(&request.permissions_boundary)?;
            let user = user(&request.user_name)?.with(BOUNDARY, Some(boundary.as_str()));
            handlers::users::put_boundary(asked, user.permit(trip)?, boundary).await
        }
        Request::DeleteUserPermissionsBoundary(request) => {
            handlers::users::delete_boundary(asked, user(&request.user_name)?.permit(trip)?).await
        }
        Request::CreateAccountAlias(request) => {
            let permit = account(trip)?.permit(trip)?;
            handlers::alias::create(asked, permit, request.account_alias).await
        }
        Request::ListAccountAliases(request) => {
            handlers::alias::list(asked, account(trip)?.permit(trip)?, *request).await
        }
        Request::DeleteAccountAlias(request) => {
            let permit = account(trip)?.permit(trip)?;
            handlers::alias::delete(asked, permit, request.account_alias).await
        }
    };
    replied.map(reply::whole)
}

/// What is decided on where an operation is about the account as a whole: policies name it `*`.
pub(super) fn account(trip: &Trip<'_>) -> Result<Named, Failure> {
    let account = trip.caller.session().account();
    let arn = Arn::of("iam", "", account.as_str(), "*").map_err(|_invalid| Failure::Internal)?;
    Ok(Named::of(arn))
}

/// Making a user with tags is tagging it, too.
async fn create(trip: &Trip<'_>, request: requests::CreateUser) -> Result<Outbound, Failure> {
    let new = NewUser {
        boundary: request.permissions_boundary.as_deref().map(policy).transpose()?,
        tags: pairs(request.tags),
    };
    let user = Named::new(trip, "user", request.path.as_deref(), &request.user_name)?
        .with(BOUNDARY, new.boundary.as_ref().map(Arn::as_str))
        .requesting(&new.tags);
    let permit = user.permit(trip)?;
    if !new.tags.is_empty() {
        user.permit::<iam::TagUser>(trip)?;
    }
    let made = handlers::users::create(&trip.asked(), permit, new).await;
    made.map(reply::whole)
}

/// Renaming takes leave for the old name and for the new one.
async fn update(trip: &Trip<'_>, request: requests::UpdateUser) -> Result<Outbound, Failure> {
    let permit = Named::user(trip, &request.user_name)?.permit::<iam::UpdateUser>(trip)?;
    let kept = permit.resource().resource().strip_prefix("user").unwrap_or("");
    let (path, name) = kept.rsplit_once('/').unwrap_or(("", kept));
    let path = request.new_path.unwrap_or_else(|| format!("{path}/"));
    let name = request.new_user_name.as_deref().unwrap_or(name);
    let onto = Named::new(trip, "user", Some(&path), name)?.permit(trip)?;
    let changed = handlers::users::update(&trip.asked(), permit, onto).await;
    changed.map(reply::whole)
}

pub(super) async fn policies(
    trip: &Trip<'_>,
    request: policy_requests::Request,
) -> Result<Outbound, Failure> {
    use policy_requests::Request;
    let asked = &trip.asked();
    let user = |name: &str| Named::user(trip, name);
    let attached = |name: &str, policy: &str| Ok::<_, Failure>(user(name)?.with(POLICY_ARN, Some(policy)));
    let replied = match request {
        Request::PutUserPolicy(request) => {
            let permit = user(&request.user_name)?.permit::<iam::PutUserPolicy>(trip)?;
            acts::put(asked, permit, request.policy_name, &request.policy_document).await
        }
        Request::GetUserPolicy(request) => get_policy(trip, *request).await,
        Request::ListUserPolicies(request) => list_policies(trip, *request).await,
        Request::DeleteUserPolicy(request) => {
            let permit = user(&request.user_name)?.permit::<iam::DeleteUserPolicy>(trip)?;
            acts::delete(asked, permit, request.policy_name).await
        }
        Request::AttachUserPolicy(request) => {
            let user = attached(&request.user_name, &request.policy_arn)?;
            acts::attach(
                asked,
                user.permit::<iam::AttachUserPolicy>(trip)?,
                request.policy_arn,
            )
            .await
        }
        Request::DetachUserPolicy(request) => {
            let user = attached(&request.user_name, &request.policy_arn)?;
            acts::detach(
                asked,
                user.permit::<iam::DetachUserPolicy>(trip)?,
                request.policy_arn,
            )
            .await
        }
        Request::ListAttachedUserPolicies(request) => list_attached(trip, *request).await,
    };
    replied.map(reply::whole)
}

async fn get_policy(trip: &Trip<'_>, request: policy_requests::GetUserPolicy) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = Named::user(trip, &request.user_name)?.permit::<iam::GetUserPolicy>(trip)?;
    let document = acts::get(asked, permit, request.policy_name.clone()).await?;
    policy_requests::GetUserPolicyResponse {
        user_name: Some(request.user_name),
        policy_name: Some(request.policy_name),
        policy_document: Some(document),
    }
    .reply(Service::Iam, "GetUserPolicy", &asked.request)
}

async fn list_policies(
    trip: &Trip<'_>,
    request: policy_requests::ListUserPolicies,
) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = Named::user(trip, &request.user_name)?.permit::<iam::ListUserPolicies>(trip)?;
    let page = acts::list(asked, permit, (request.marker, request.max_items)).await?;
    policy_requests::ListUserPoliciesResponse {
        policy_names: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListUserPolicies", &asked.request)
}

async fn list_attached(
    trip: &Trip<'_>,
    request: policy_requests::ListAttachedUserPolicies,
) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    let permit = Named::user(trip, &request.user_name)?.permit::<iam::ListAttachedUserPolicies>(trip)?;
    let wanted = (request.path_prefix, request.marker, request.max_items);
    let page = acts::attached(asked, permit, wanted).await?;
    policy_requests::ListAttachedUserPoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListAttachedUserPolicies", &asked.request)
}
