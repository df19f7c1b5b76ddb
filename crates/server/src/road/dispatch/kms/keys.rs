//! Keys: themselves, their states, policies and tags.

use moho_iam::action::kms as action;
use moho_iam::authz::{Context, Permit};
use moho_iam::policy::PolicyDocument;
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::aws::ops::kms::keys::{self as ops, Request};

use super::super::Trip;
use super::named::{NO_KEY, Takes};
use super::{Replied, conditions, with_tokens};
use crate::handlers::kms::{key_policies, keys as handlers, lifecycle, tags, usage};

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    let asked = &trip.asked();
    match request {
        Request::CreateKey(request) => create(trip, *request).await,
        Request::DescribeKey(request) => {
            let name = (request.key_id.as_str(), Takes::Aliases);
            let permit = trip.on_key_named::<action::DescribeKey>(name, Context::new())?;
            let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
            handlers::describe(asked, permit).await
        }
        Request::ListKeys(request) => {
            handlers::list(asked, trip.permit(&trip.arn("kms", "*")?)?, *request).await
        }
        Request::EnableKey(request) => {
            lifecycle::enable(asked, trip.on_own_key(&request.key_id, Context::new())?).await
        }
        Request::DisableKey(request) => {
            lifecycle::disable(asked, trip.on_own_key(&request.key_id, Context::new())?).await
        }
        Request::ScheduleKeyDeletion(request) => {
            let days = lifecycle::window(request.pending_window_in_days)?;
            let context = Context::new().with("kms:ScheduleKeyDeletionPendingWindowInDays", days.to_string());
            lifecycle::schedule(asked, trip.on_own_key(&request.key_id, context)?, days).await
        }
        Request::CancelKeyDeletion(request) => {
            lifecycle::cancel(asked, trip.on_own_key(&request.key_id, Context::new())?).await
        }
        Request::UpdateKeyDescription(request) => {
            let permit = trip.on_own_key(&request.key_id, Context::new())?;
            lifecycle::describe_anew(asked, permit, request.description).await
        }
        Request::GetKeyPolicy(request) => {
            let permit = trip.on_own_key(&request.key_id, Context::new())?;
            key_policies::get(asked, permit, request.policy_name.as_deref()).await
        }
        Request::PutKeyPolicy(request) => put_policy(trip, *request).await,
        Request::ListKeyPolicies(request) => {
            let permit = trip.on_own_key(&request.key_id, Context::new())?;
            key_policies::list(asked, permit, *request).await
        }
        Request::TagResource(request) => {
            let context = conditions::tags(Context::new(), &request.tags);
            tags::put(asked, trip.on_own_key(&request.key_id, context)?, *request).await
        }
        Request::UntagResource(request) => {
            let context = conditions::tag_keys(Context::new(), request.tag_keys.clone());
            tags::remove(asked, trip.on_own_key(&request.key_id, context)?, *request).await
        }
        Request::ListResourceTags(request) => {
            let permit = trip.on_own_key(&request.key_id, Context::new())?;
            tags::list(asked, permit, *request).await
        }
        Request::GetKeyLastUsage(request) => {
            usage::last(asked, trip.on_own_key(&request.key_id, Context::new())?).await
        }
    }
}

/// Makes a key: with tags, that is tagging it, too; with a policy, its maker must be able to change that again.
async fn create(trip: &Trip<'_>, request: ops::CreateKey) -> Replied {
    let mut new = handlers::wanted(&request)?;
    let anywhere = trip.arn("kms", "*")?;
    let context = conditions::creation(&request);
    let mut permit = trip.permit_with::<action::CreateKey>(&anywhere, &context)?;
    if !new.tags.is_empty() {
        trip.permit_with::<action::TagResource>(&anywhere, &context)?;
    }
    if let Some(text) = &request.policy {
        let bound;
        (permit, bound) = key_policies::bound(&trip.asked(), permit, text).await?;
        let bypass = request.bypass_policy_lockout_safety_check;
        refuse_lock_out(trip, &trip.arn("kms", NO_KEY)?, &bound.decided, bypass)?;
        new.policy = Some(bound.policy);
    }
    handlers::create(&trip.asked(), permit, new).await
}

async fn put_policy(trip: &Trip<'_>, request: ops::PutKeyPolicy) -> Replied {
    let bypass = request.bypass_policy_lockout_safety_check;
    let context = conditions::bypass(Context::new(), bypass);
    let permit: Permit<action::PutKeyPolicy> = trip.on_own_key(&request.key_id, context)?;
    key_policies::named(request.policy_name.as_deref())?;
    let (permit, bound) = key_policies::bound(&trip.asked(), permit, &request.policy).await?;
    refuse_lock_out(trip, permit.resource(), &bound.decided, bypass)?;
    key_policies::put(&trip.asked(), permit, bound.policy).await
}

/// Refuses a key policy under which the caller could not change it again, unless the caller says that it knows.
fn refuse_lock_out(
    trip: &Trip<'_>,
    key: &Arn,
    policy: &PolicyDocument,
    bypass: Option<bool>,
) -> Result<(), Failure> {
    if bypass == Some(true) {
        return Ok(());
    }
    let could = trip.platform.authorizer.would_allow_with::<action::PutKeyPolicy>(
        trip.caller,
        trip.facts,
        key,
        policy,
    );
    if could.map_err(|error| key_policies::undecided(&error))? {
        Ok(())
    } else {
        Err(key_policies::locks_out())
    }
}
