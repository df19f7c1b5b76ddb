//! CloudWatch Logs: which action each operation takes, on what, and with which key.
//!
//! What events say is read with leave for their group or stream *and* for the key that they are sealed under; putting them needs
//! leave to seal under the key of their group.

mod events;

use std::collections::BTreeMap;

use moho_iam::action::{Action, kms, logs as action};
use moho_iam::authz::{Context, Permit};
use moho_store::logs::{GroupFacts, log_context, log_name, stream_arn};
use moho_terms::Arn;
use moho_wire::aws::ops::logs::{Request, groups, rules};
use moho_wire::{Failure, Reply};

use super::{Trip, failure};
use crate::handlers::logs::{self as handlers, shown};
use crate::net::Outbound;
use crate::road::reply;

/// What an action is decided on that is for no group in particular.
const NO_GROUP: &str = "log-group::log-stream:";

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let replied = of_request(trip, request).await;
    replied.map(reply::whole).map_err(shown::in_own_words)
}

async fn of_request(trip: &Trip<'_>, request: Request) -> Result<Reply, Failure> {
    match request {
        Request::Groups(request) => of_groups(trip, request).await,
        Request::Events(request) => events::dispatch(trip, request).await,
        Request::Rules(request) => of_rules(trip, request).await,
    }
}

async fn of_groups(trip: &Trip<'_>, request: groups::Request) -> Result<Reply, Failure> {
    use groups::Request;
    let asked = trip.asked();
    match request {
        Request::CreateLogGroup(request) => create(trip, *request).await,
        Request::DeleteLogGroup(request) => {
            handlers::groups::delete(&asked, trip.on_group(&request.log_group_name)?).await
        }
        Request::DescribeLogGroups(request) => {
            handlers::groups::describe(&asked, trip.on_no_group()?, *request).await
        }
        Request::PutRetentionPolicy(request) => {
            handlers::groups::put_retention(&asked, trip.on_group(&request.log_group_name)?, *request).await
        }
        Request::DeleteRetentionPolicy(request) => {
            handlers::groups::delete_retention(&asked, trip.on_group(&request.log_group_name)?).await
        }
        Request::AssociateKmsKey(request) => associate(trip, *request).await,
        Request::DisassociateKmsKey(request) => {
            let group = shown::one_of(
                request.log_group_name.as_ref(),
                request.resource_identifier.as_ref(),
            )?;
            let (arn, _name) = trip.group_of(group)?;
            let permit = trip.permit::<action::DisassociateKmsKey>(&arn)?;
            trip.own_group(&arn)?;
            handlers::groups::disassociate(&asked, permit).await
        }
        Request::PutLogGroupDeletionProtection(request) => {
            let (arn, _name) = trip.group_of(&request.log_group_identifier)?;
            let permit = trip.permit::<action::PutLogGroupDeletionProtection>(&arn)?;
            trip.own_group(&arn)?;
            handlers::groups::protect(&asked, permit, request.deletion_protection_enabled).await
        }
        Request::TagResource(request) => {
            let arn = trip.tagged(&request.resource_arn)?;
            let permit = trip.permit_with::<action::TagResource>(&arn, &requested(Some(&request.tags)))?;
            trip.own_group(&arn)?;
            handlers::groups::tag(&asked, permit, request.tags).await
        }
        Request::UntagResource(request) => {
            let arn = trip.tagged(&request.resource_arn)?;
            let mut context = Context::new();
            context.set("aws:TagKeys", request.tag_keys.clone());
            let permit = trip.permit_with::<action::UntagResource>(&arn, &context)?;
            trip.own_group(&arn)?;
            handlers::groups::untag(&asked, permit, request.tag_keys).await
        }
        Request::ListTagsForResource(request) => {
            let arn = trip.tagged(&request.resource_arn)?;
            let permit = trip.permit(&arn)?;
            trip.own_group(&arn)?;
            handlers::groups::list_tags(&asked, permit).await
        }
    }
}

async fn associate(trip: &Trip<'_>, request: groups::AssociateKmsKey) -> Result<Reply, Failure> {
    let group = shown::one_of(
        request.log_group_name.as_ref(),
        request.resource_identifier.as_ref(),
    )?;
    let (arn, name) = trip.group_of(group)?;
    let permit = trip.permit::<action::AssociateKmsKey>(&arn)?;
    trip.own_group(&arn)?;
    let key = trip.chosen_for(&request.kms_key_id, &name)?;
    handlers::groups::associate(&trip.asked(), permit, key).await
}

/// Filters and policies.
async fn of_rules(trip: &Trip<'_>, request: rules::Request) -> Result<Reply, Failure> {
    use rules::Request;
    let asked = trip.asked();
    match request {
        Request::PutMetricFilter(request) => {
            handlers::filters::put(&asked, trip.on_group(&request.log_group_name)?, *request).await
        }
        Request::DescribeMetricFilters(request) => {
            let permit = match &request.log_group_name {
                Some(name) => trip.on_group(name)?,
                None => trip.on_no_group()?,
            };
            handlers::filters::describe(&asked, permit, *request).await
        }
        Request::DeleteMetricFilter(request) => {
            let permit = trip.on_group(&request.log_group_name)?;
            handlers::filters::delete(&asked, permit, request.filter_name).await
        }
        Request::TestMetricFilter(request) => {
            handlers::filters::test(&asked, trip.on_no_group()?, *request).await
        }
        Request::PutSubscriptionFilter(request) => {
            handlers::filters::subscribe(&asked, trip.on_group(&request.log_group_name)?, *request).await
        }
        Request::DescribeSubscriptionFilters(request) => {
            handlers::filters::subscriptions(&asked, trip.on_group(&request.log_group_name)?).await
        }
        Request::DeleteSubscriptionFilter(request) => {
            handlers::filters::unsubscribe(&asked, trip.on_group(&request.log_group_name)?).await
        }
        Request::PutResourcePolicy(request) => {
            handlers::policies::put(&asked, trip.on_no_group()?, *request).await
        }
        Request::DescribeResourcePolicies(request) => {
            handlers::policies::describe(&asked, trip.on_no_group()?, *request).await
        }
        Request::DeleteResourcePolicy(request) => {
            handlers::policies::delete(&asked, trip.on_no_group()?, *request).await
        }
    }
}

async fn create(trip: &Trip<'_>, create: groups::CreateLogGroup) -> Result<Reply, Failure> {
    let context = requested(create.tags.as_ref());
    let (arn, name) = trip.group_of(&create.log_group_name)?;
    let permit = trip.permit_with::<action::CreateLogGroup>(&arn, &context)?;
    if create.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        let tagged = trip.arn("logs", &format!("log-group:{name}"))?;
        trip.permit_with::<action::TagResource>(&tagged, &context)?;
    }
    let key = create.kms_key_id.as_deref();
    let key = key.map(|key| trip.chosen_for(key, &name)).transpose()?;
    handlers::groups::create(&trip.asked(), (permit, key), create).await
}

/// What conditions see of the tags in a request.
fn requested(tags: Option<&BTreeMap<String, String>>) -> Context {
    let mut context = Context::new();
    let Some(tags) = tags.filter(|tags| !tags.is_empty()) else {
        return context;
    };
    context.set("aws:TagKeys", tags.keys().cloned().collect());
    for (key, value) in tags {
        context.set(&format!("aws:RequestTag/{key}"), vec![value.clone()]);
    }
    context
}

impl Trip<'_> {
    /// What an action on a group is decided on, by the group's name or ARN, and its name.
    fn group_of(&self, identifier: &str) -> Result<(Arn, String), Failure> {
        self.stream_of(identifier, "")
    }

    /// The same of a stream of it.
    fn stream_of(&self, identifier: &str, stream: &str) -> Result<(Arn, String), Failure> {
        let invalid =
            || shown::invalid("The specified log group identifier or log stream name is not valid.");
        let own = self.caller.session().account();
        let (region, account, name) = if identifier.starts_with("arn:") {
            let arn: Arn = identifier.parse().map_err(|_no_arn| invalid())?;
            let name = log_name(&arn)
                .filter(|name| name.stream.is_none())
                .ok_or_else(invalid)?;
            (arn.region().to_owned(), arn.account().to_owned(), name.group)
        } else {
            (
                self.platform.region.to_string(),
                own.to_string(),
                identifier.to_owned(),
            )
        };
        let arn = stream_arn(&region, &account, (&name, stream)).map_err(|_invalid| invalid())?;
        match log_name(&arn) {
            Some(found) if found.group == name => Ok((arn, name)),
            _ => Err(invalid()),
        }
    }

    /// The group that an ARN names to be tagged, as that is decided on.
    fn tagged(&self, arn: &str) -> Result<Arn, Failure> {
        let invalid =
            || shown::invalid("The specified resource ARN is not valid. Name a log group by its ARN.");
        if !arn.starts_with("arn:") {
            return Err(invalid());
        }
        let (of, name) = self.group_of(arn).map_err(|_other| invalid())?;
        let named = moho_store::logs::group_arn(of.region(), of.account(), &name);
        named.map_err(|_never| Failure::Internal)
    }

    /// Whether a group can be there: none of another account or region is.
    fn own_group(&self, arn: &Arn) -> Result<(), Failure> {
        let account = self.caller.session().account();
        let own = arn.account() == account.as_str() && arn.region() == self.platform.region.as_str();
        own.then_some(()).ok_or_else(shown::no_group)
    }

    /// Leave to do something with a group of the caller's account.
    fn on_group<A: Action>(&self, name: &str) -> Result<Permit<A>, Failure> {
        if name.starts_with("arn:") {
            return Err(shown::invalid("The specified log group name is not valid."));
        }
        self.permit(&self.group_of(name)?.0)
    }

    /// Leave to do something that is about no group in particular.
    fn on_no_group<A: Action>(&self) -> Result<Permit<A>, Failure> {
        self.permit(&self.arn("logs", NO_GROUP)?)
    }

    /// Leave to use a key for the events of a group.
    fn log_key<A: Action>(&self, key: &Arn, group: &str) -> Result<Permit<A>, Failure> {
        let account = self.caller.session().account();
        let context = log_context(self.platform.region.as_str(), account, group);
        let context = context.map_err(|error| failure::from_store(&error))?;
        self.key_for(key, &context, "logs")
    }

    /// The key that is to seal what comes to a group.
    fn current_key(&self, facts: &GroupFacts) -> Result<Arn, Failure> {
        match &facts.key {
            Some((account, key)) => self.key_arn(*account, key),
            None => self.account_key(),
        }
    }

    /// The key that a request chooses for a group, which has to be one that the caller may seal with.
    fn chosen_for(&self, key: &str, group: &str) -> Result<Permit<kms::GenerateDataKey>, Failure> {
        let invalid = || {
            shown::invalid(
                "The specified KMS key is not valid. Name a symmetric key of this region by its ARN.",
            )
        };
        let arn: Arn = key.parse().map_err(|_no_arn| invalid())?;
        let is_key = arn.resource().starts_with("key/") && arn.service() == "kms";
        if !is_key || arn.region() != self.platform.region.as_str() {
            return Err(invalid());
        }
        let permit = self.log_key::<kms::GenerateDataKey>(&arn, group)?;
        let account = self.caller.session().account();
        let context = log_context(self.platform.region.as_str(), account, group);
        let context = context.map_err(|error| failure::from_store(&error))?;
        let usable = self.platform.kms.could_make_data_keys(&permit, &context);
        usable.map_err(|error| failure::from_key_use(&error))?;
        Ok(permit)
    }
}
