//! CloudTrail's operations: which action each takes, and on what.
//!
//! A trail belongs to the account that made it. Whoever is of another account of the organisation sees those of the organisation, as
//! if they were its own, and changes nothing of them.

use moho_audit::cloudtrail::names::{TrailArn, TrailName, TrailRef};
use moho_iam::action::{Action, cloudtrail as action, kms};
use moho_iam::authz::{Context, Permit};
use moho_terms::Arn;
use moho_wire::aws::ops::cloudtrail::{self as ops, Request, Tag};
use moho_wire::{Failure, Reply};

use super::Trip;
use crate::handlers::cloudtrail::{events, selectors, shown, status, tags, trails};
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    answered(trip, request).await.map(reply::whole)
}

async fn answered(trip: &Trip<'_>, request: Request) -> Result<Reply, Failure> {
    let asked = &trip.asked();
    match request {
        Request::CreateTrail(request) => create(trip, *request).await,
        Request::UpdateTrail(request) => update(trip, *request).await,
        Request::DeleteTrail(request) => {
            trails::delete(asked, trip.changing_trail::<action::DeleteTrail>(&request.name)?).await
        }
        Request::DescribeTrails(request) => {
            let permit = trip.cloudtrail::<action::DescribeTrails>()?;
            trails::describe(asked, permit, *request).await
        }
        Request::GetTrail(request) => {
            let named = trails::named(&request.name)?;
            trails::get(asked, trip.seeing_trail::<action::GetTrail>(&named)?, named).await
        }
        Request::ListTrails(request) => trails::list(asked, trip.cloudtrail()?, *request).await,
        Request::GetTrailStatus(request) => {
            let named = trails::named(&request.name)?;
            let permit = trip.seeing_trail::<action::GetTrailStatus>(&named)?;
            status::get(asked, permit, named).await
        }
        Request::StartLogging(request) => {
            status::start(asked, trip.changing_trail::<action::StartLogging>(&request.name)?).await
        }
        Request::StopLogging(request) => {
            status::stop(asked, trip.changing_trail::<action::StopLogging>(&request.name)?).await
        }
        Request::LookupEvents(request) => events::lookup(asked, trip.cloudtrail()?, *request).await,
        Request::GetEventSelectors(request) => {
            let named = trails::named(&request.trail_name)?;
            let permit = trip.seeing_trail::<action::GetEventSelectors>(&named)?;
            selectors::get(asked, permit, named).await
        }
        Request::PutEventSelectors(request) => {
            let permit = trip.changing_trail::<action::PutEventSelectors>(&request.trail_name)?;
            selectors::put(asked, permit, *request).await
        }
        Request::ListPublicKeys(request) => {
            status::public_keys(asked, trip.cloudtrail::<action::ListPublicKeys>()?, *request).await
        }
        Request::AddTags(request) => {
            let context = with_tags(&request.tags_list);
            let permit = trip.tagging_trail::<action::AddTags>(&request.resource_id, &context)?;
            tags::add(asked, permit, *request).await
        }
        Request::RemoveTags(request) => {
            let mut context = Context::new();
            context.set("aws:TagKeys", keys(&request.tags_list));
            let permit = trip.tagging_trail::<action::RemoveTags>(&request.resource_id, &context)?;
            tags::remove(asked, permit, *request).await
        }
        Request::ListTags(request) => list_tags(trip, *request).await,
    }
}

impl Trip<'_> {
    fn trail_arn(&self, name: &TrailName) -> Result<Arn, Failure> {
        self.arn("cloudtrail", &format!("trail/{name}"))
    }

    /// On nothing that has a name.
    fn anywhere_in_cloudtrail(&self) -> Result<Arn, Failure> {
        self.arn("cloudtrail", "*")
    }

    fn cloudtrail<A: Action>(&self) -> Result<Permit<A>, Failure> {
        self.permit(&self.anywhere_in_cloudtrail()?)
    }

    /// On a trail that may be the organisation's: it stands for one of the caller's own account.
    fn seeing_trail<A: Action>(&self, named: &TrailRef) -> Result<Permit<A>, Failure> {
        let name = match named {
            TrailRef::Name(name) => name,
            TrailRef::Arn(arn) => &arn.name,
        };
        self.permit(&self.trail_arn(name)?)
    }

    /// On a trail of the caller's own account.
    fn changing_trail<A: Action>(&self, name: &str) -> Result<Permit<A>, Failure> {
        self.changing_trail_with(name, &Context::new())
    }

    fn changing_trail_with<A: Action>(&self, name: &str, context: &Context) -> Result<Permit<A>, Failure> {
        let named = trails::named(name)?;
        let name = match &named {
            TrailRef::Name(name) => name,
            TrailRef::Arn(arn) => {
                let permit = self.permit_with(&self.trail_arn(&arn.name)?, context)?;
                self.require_own(arn)?;
                return Ok(permit);
            }
        };
        self.permit_with(&self.trail_arn(name)?, context)
    }

    fn require_own(&self, arn: &TrailArn) -> Result<(), Failure> {
        if arn.home_region != self.platform.region {
            return Err(shown::other_home(arn));
        }
        if arn.account == self.caller.session().account() {
            return Ok(());
        }
        if arn.account == self.platform.account {
            return Err(shown::not_management());
        }
        Err(shown::no_such_trail(
            &arn.to_string(),
            self.caller.session().account(),
        ))
    }

    fn tagging_trail<A: Action>(&self, resource: &str, context: &Context) -> Result<Permit<A>, Failure> {
        let arn = tags::trail(resource)?;
        let permit = self.permit_with(&self.trail_arn(&arn.name)?, context)?;
        if arn.account != self.caller.session().account() || arn.home_region != self.platform.region {
            return Err(tags::not_found(resource));
        }
        Ok(permit)
    }

    /// The key that a trail is to seal under, which the caller has to be let see.
    fn trail_key(&self, name: Option<&str>) -> Result<Option<Arn>, Failure> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let described = self.known_key::<kms::DescribeKey>(name);
        let permit = described.map_err(|failure| shown::unusable_key(name, failure))?;
        Ok(Some(permit.resource().clone()))
    }
}

async fn create(trip: &Trip<'_>, request: ops::CreateTrail) -> Result<Reply, Failure> {
    let name: TrailName = request.name.parse().map_err(|error| shown::bad_name(&error))?;
    let arn = trip.trail_arn(&name)?;
    let tagged = request.tags_list.as_deref().unwrap_or_default();
    let context = with_tags(tagged);
    let permit = trip.permit_with::<action::CreateTrail>(&arn, &context)?;
    if !tagged.is_empty() {
        trip.permit_with::<action::AddTags>(&arn, &context)?;
    }
    let key = trip.trail_key(request.kms_key_id.as_deref())?;
    trails::create(&trip.asked(), permit, (request, key)).await
}

async fn update(trip: &Trip<'_>, request: ops::UpdateTrail) -> Result<Reply, Failure> {
    let permit = trip.changing_trail::<action::UpdateTrail>(&request.name)?;
    let key = trip.trail_key(request.kms_key_id.as_deref())?;
    trails::update(&trip.asked(), permit, (request, key)).await
}

async fn list_tags(trip: &Trip<'_>, request: ops::ListTags) -> Result<Reply, Failure> {
    let mut permits = Vec::new();
    for resource in &request.resource_id_list {
        permits.push(trip.tagging_trail::<action::ListTags>(resource, &Context::new())?);
    }
    tags::list(&trip.asked(), permits).await
}

fn keys(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| tag.key.clone()).collect()
}

fn with_tags(tags: &[Tag]) -> Context {
    let mut context = Context::new();
    for tag in tags {
        let value = tag.value.clone().unwrap_or_default();
        context = context.with(&format!("aws:RequestTag/{}", tag.key), value);
    }
    if !tags.is_empty() {
        context.set("aws:TagKeys", keys(tags));
    }
    context
}
