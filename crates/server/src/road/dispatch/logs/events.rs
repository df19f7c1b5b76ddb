//! Streams and events: what they are decided on, and with which keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use moho_iam::action::{Action, kms, logs as action};
use moho_iam::authz::Permit;
use moho_store::logs::{BlockFacts, GroupFacts, LogPut, LogScope};
use moho_wire::aws::ops::logs::events::{
    DescribeLogStreams, FilterLogEvents, GetLogEvents, PutLogEvents, Request,
};
use moho_wire::{Failure, Reply};

use super::super::{Trip, failure};
use crate::handlers::logs::{self as handlers, events::Filtering, events::Getting, shown};

/// How often a group is looked at that is sealed under another key each time.
const LOOKS: usize = 3;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Reply, Failure> {
    match request {
        Request::CreateLogStream(request) => {
            let (arn, _group) = trip.stream_of(&request.log_group_name, &request.log_stream_name)?;
            let permit = trip.permit::<action::CreateLogStream>(&arn)?;
            trip.own_group(&arn)?;
            handlers::streams::create(&trip.asked(), permit).await
        }
        Request::DeleteLogStream(request) => {
            let (arn, _group) = trip.stream_of(&request.log_group_name, &request.log_stream_name)?;
            let permit = trip.permit::<action::DeleteLogStream>(&arn)?;
            trip.own_group(&arn)?;
            handlers::streams::delete(&trip.asked(), permit).await
        }
        Request::DescribeLogStreams(request) => describe(trip, *request).await,
        Request::PutLogEvents(request) => put(trip, *request).await,
        Request::GetLogEvents(request) => get(trip, *request).await,
        Request::FilterLogEvents(request) => filter(trip, *request).await,
    }
}

async fn describe(trip: &Trip<'_>, request: DescribeLogStreams) -> Result<Reply, Failure> {
    let group = shown::one_of(
        request.log_group_name.as_ref(),
        request.log_group_identifier.as_ref(),
    )?;
    let (arn, _name) = trip.group_of(group)?;
    let permit = trip.permit::<action::DescribeLogStreams>(&arn)?;
    trip.own_group(&arn)?;
    handlers::streams::describe(&trip.asked(), permit, request).await
}

async fn put(trip: &Trip<'_>, request: PutLogEvents) -> Result<Reply, Failure> {
    let (arn, name) = trip.stream_of(&request.log_group_name, &request.log_stream_name)?;
    let permit = Arc::new(trip.permit::<action::PutLogEvents>(&arn)?);
    trip.own_group(&arn)?;
    let events = Arc::new(request.log_events);
    for _look in 0..LOOKS {
        let facts = trip.group_facts(&permit)?;
        let key = trip.log_key::<kms::GenerateDataKey>(&trip.current_key(&facts)?, &name)?;
        let permits = (Arc::clone(&permit), key);
        let (put, rejected) =
            handlers::events::put(&trip.asked(), permits, (&facts, Arc::clone(&events))).await?;
        match put {
            LogPut::Done => return handlers::events::put_reply(&trip.asked(), rejected),
            LogPut::NoGroup => return Err(shown::no_group()),
            LogPut::NoStream => return Err(shown::no_stream()),
            LogPut::OtherKey => {}
        }
    }
    Err(Failure::Unavailable)
}

async fn get(trip: &Trip<'_>, request: GetLogEvents) -> Result<Reply, Failure> {
    let group = shown::one_of(
        request.log_group_name.as_ref(),
        request.log_group_identifier.as_ref(),
    )?;
    let (arn, name) = trip.stream_of(group, &request.log_stream_name)?;
    let permit = Arc::new(trip.permit::<action::GetLogEvents>(&arn)?);
    trip.own_group(&arn)?;
    let facts = trip.group_facts(&permit)?;
    let there = trip.platform.store.log_stream(&permit);
    if there.map_err(|error| failure::from_store(&error))?.is_none() {
        return Err(shown::no_stream());
    }
    let getting = Getting::of(&trip.asked(), &permit, (&facts, &request))?;
    let mut turn = handlers::events::turn(&trip.asked()).await?;
    for _look in 0..LOOKS {
        let (blocks, keys) = trip.blocks(&permit, (&facts, &name), getting.scope()).await?;
        let page =
            handlers::events::page(&trip.asked(), (&permit, keys), (blocks, turn), getting.search()).await;
        match page? {
            Ok(page) => return getting.reply(&trip.asked(), &permit, page),
            Err(again) => turn = again,
        }
    }
    Err(Failure::Unavailable)
}

async fn filter(trip: &Trip<'_>, request: FilterLogEvents) -> Result<Reply, Failure> {
    let group = shown::one_of(
        request.log_group_name.as_ref(),
        request.log_group_identifier.as_ref(),
    )?;
    let (arn, name) = trip.group_of(group)?;
    let permit = Arc::new(trip.permit::<action::FilterLogEvents>(&arn)?);
    trip.own_group(&arn)?;
    let facts = trip.group_facts(&permit)?;
    let filtering = Filtering::of(&trip.asked(), &permit, (&facts, &request))?;
    let mut turn = handlers::events::turn(&trip.asked()).await?;
    for _look in 0..LOOKS {
        let (blocks, keys) = trip.blocks(&permit, (&facts, &name), filtering.scope()).await?;
        let page =
            handlers::events::page(&trip.asked(), (&permit, keys), (blocks, turn), filtering.search()).await;
        match page? {
            Ok(page) => return filtering.reply(&trip.asked(), (&permit, &facts), page),
            Err(again) => turn = again,
        }
    }
    Err(Failure::Unavailable)
}

/// Blocks, and leave for the keys that they are sealed under.
type Readable = (Vec<BlockFacts>, Vec<Permit<kms::Decrypt>>);

impl Trip<'_> {
    /// What is known of the group that a permit is for.
    fn group_facts<A: Action>(&self, permit: &Permit<A>) -> Result<GroupFacts, Failure> {
        let facts = self.platform.store.log_group(permit);
        let facts = facts.map_err(|error| failure::from_store(&error))?;
        facts.ok_or_else(shown::no_group)
    }

    /// The blocks that may have what is asked for, and leave for every key of theirs; for the group's own, if there are none:
    /// what is not there is decided as if it were.
    async fn blocks<A: Action>(
        &self,
        permit: &Arc<Permit<A>>,
        (facts, name): (&GroupFacts, &str),
        scope: &LogScope,
    ) -> Result<Readable, Failure> {
        let blocks = handlers::events::blocks(&self.asked(), permit, scope.clone()).await?;
        let under: BTreeSet<_> = blocks
            .iter()
            .map(|block| (block.key.0, block.key.1.to_string()))
            .collect();
        let mut keys = Vec::new();
        for (account, key) in under {
            let key = key.parse().map_err(|_never| Failure::Internal)?;
            keys.push(self.log_key(&self.key_arn(account, &key)?, name)?);
        }
        if keys.is_empty() {
            keys.push(self.log_key(&self.current_key(facts)?, name)?);
        }
        Ok((blocks, keys))
    }
}
