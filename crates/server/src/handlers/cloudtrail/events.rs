//! The events of an account, looked up.

use std::sync::Arc;

use moho_audit::cloudtrail::record::Record;
use moho_iam::action::cloudtrail as action;
use moho_iam::authz::Permit;
use moho_store::{HistoryAttribute, HistoryLookup, KeptEvent};
use moho_terms::{AccountId, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::cloudtrail as ops;
use moho_wire::{Failure, Reply};

use super::shown;
use crate::event_history::{EventsError, EventsKept, past, user_name};
use crate::handlers::paging::{Listing, NoMarker};
use crate::handlers::{Asked, blocking};
use crate::road::chain;
use crate::startup::Platform;

/// Events in one page, as at AWS.
const PAGE: u32 = 50;

/// `LookupEvents`
pub(crate) async fn lookup(
    asked: &Asked,
    permit: Permit<action::LookupEvents>,
    request: ops::LookupEvents,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let (attribute, said) = attribute(&request)?;
    check_times(&request)?;
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let (start, end) = (text(request.start_time), text(request.end_time));
    let listing = Listing::of_permit(&permit, &[&start, &end, &said.0, &said.1]);
    let token = request.next_token.as_deref();
    let most = request.max_results.and_then(|most| u32::try_from(most).ok());
    let wanted = HistoryLookup {
        account: permit.session().account(),
        from: request.start_time,
        to: request.end_time,
        attribute,
        behind: token.map(|token| place(&platform, &listing, token)).transpose()?,
        limit: most.unwrap_or(PAGE).clamp(1, PAGE),
    };
    let (mut events, mut next_token) = (Vec::new(), None);
    // Only insights have a category of their own here, and there are none.
    if request.event_category.is_none() {
        let more;
        (events, more) = found(&platform, &wanted).await?;
        let now = platform.clock.now();
        let seal = |(time, number): (u64, i64)| {
            let place = format!("{time}/{number}");
            platform.paging.seal(&listing, &place, now, &*platform.entropy)
        };
        next_token = more
            .map(seal)
            .transpose()
            .map_err(|NoMarker| Failure::Unavailable)?;
    }
    ops::LookupEventsResponse {
        events: Some(events),
        next_token,
    }
    .reply(Service::CloudTrail, "LookupEvents", &asked.request)
}

/// The events that are asked for. If the history turns out to be damaged, it is made anew, and asked once more.
async fn found(platform: &Platform, wanted: &HistoryLookup) -> Result<Told, Failure> {
    for _again in 0..2 {
        let kept = Arc::clone(&platform.events);
        kept.caught_up().await.map_err(|error| unreadable(&error))?;
        let turn = platform.journal_searches.wait(wanted.account).await?;
        let wanted = wanted.clone();
        let asked = move || {
            // Until all is read, also for whoever does not wait for it.
            let _turn = turn;
            let told = kept.mending(|| told(&kept, &wanted));
            told.map_err(|error| unreadable(&error))
        };
        if let Some(told) = blocking(asked).await? {
            return Ok(told);
        }
    }
    Err(Failure::Unavailable)
}

fn unreadable(error: &EventsError) -> Failure {
    tracing::error!(error = %chain(error), "events cannot be looked up");
    Failure::Unavailable
}

/// Where a lookup goes on.
fn place(platform: &Platform, listing: &Listing, token: &str) -> Result<(u64, i64), Failure> {
    let opened = platform.paging.open(listing, token, platform.clock.now()).ok();
    let place = opened.and_then(|place| {
        let (time, number) = place.split_once('/')?;
        Some((time.parse().ok()?, number.parse().ok()?))
    });
    place.ok_or_else(|| {
        shown::service(
            "InvalidNextTokenException",
            "The token is not one of this lookup.",
        )
    })
}

fn check_times(request: &ops::LookupEvents) -> Result<(), Failure> {
    let times = request.start_time.zip(request.end_time);
    if times.is_some_and(|(start, end)| start > end) {
        return Err(shown::service(
            "InvalidTimeRangeException",
            "The start time has to be before the end time.",
        ));
    }
    Ok(())
}

type Attribute = (Option<HistoryAttribute>, (String, String));

/// By what is looked up, and how that was said.
fn attribute(request: &ops::LookupEvents) -> Result<Attribute, Failure> {
    let invalid = |message: &str| shown::service("InvalidLookupAttributesException", message);
    let one = match request.lookup_attributes.as_deref().unwrap_or_default() {
        [] => return Ok((None, (String::new(), String::new()))),
        [one] => one,
        _ => return Err(invalid("You can only specify one lookup attribute.")),
    };
    let value = one.value.clone();
    let attribute = match one.key.as_str() {
        "EventId" => HistoryAttribute::EventId(value),
        "EventName" => HistoryAttribute::EventName(value),
        "EventSource" => HistoryAttribute::EventSource(value),
        "Username" => HistoryAttribute::Username(value),
        "ResourceType" => HistoryAttribute::ResourceType(value),
        "ResourceName" => HistoryAttribute::ResourceName(value),
        "AccessKeyId" => HistoryAttribute::AccessKeyId(value),
        "ReadOnly" => match value.as_str() {
            "true" => HistoryAttribute::ReadOnly(true),
            "false" => HistoryAttribute::ReadOnly(false),
            _ => return Err(invalid("ReadOnly is true or false.")),
        },
        _ => return Err(invalid("That is no attribute that events are looked up by.")),
    };
    Ok((Some(attribute), (one.key.clone(), one.value.clone())))
}

/// The events of a page, and where the next one begins.
type Told = (Vec<ops::Event>, Option<(u64, i64)>);

fn told(kept: &EventsKept, wanted: &HistoryLookup) -> Result<Told, EventsError> {
    let page = kept.look_up(wanted)?;
    let mut events = Vec::new();
    for event in page.events {
        let record = record(kept, &event, wanted.account).ok_or(EventsError::Unreadable(event.position))?;
        events.push(shown_event(event, record));
    }
    Ok((events, page.more))
}

/// CloudTrail's record of an event, for the account that asks.
fn record(kept: &EventsKept, event: &KeptEvent, account: AccountId) -> Option<Record> {
    let records = past(event)?.records(kept.seal())?;
    let (_, record) = records.into_iter().find(|(told, _)| *told == account)?;
    Some(record)
}

/// What is told of an event is what its record says: the history only finds it.
fn shown_event(event: KeptEvent, record: Record) -> ops::Event {
    let resources = event.resources.into_iter().map(|(kind, name)| ops::Resource {
        resource_type: Some(kind),
        resource_name: Some(name),
    });
    let access_key = record.user_identity.access_key_id.as_ref();
    ops::Event {
        event_id: Some(record.event_id.clone()),
        event_name: Some(record.event_name.clone()),
        read_only: Some(record.read_only.unwrap_or_default().to_string()),
        access_key_id: access_key.map(ToString::to_string),
        event_time: Some(record.event_time),
        event_source: Some(record.event_source.clone()),
        username: user_name(&record),
        resources: Some(resources.collect()),
        cloud_trail_event: record.into_text().ok().map(|text| text.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_history::tests::House;

    #[tokio::test]
    async fn who_looks_up_much_is_throttled_and_nobody_else() {
        let house = House::open();
        let platform = &house.platform;
        let of = |account| HistoryLookup {
            account,
            from: None,
            to: None,
            attribute: None,
            behind: None,
            limit: PAGE,
        };
        let (one, other) = (of(platform.account), of("999999999999".parse().unwrap()));
        let all = platform.journal_searches.all_places(one.account);
        let throttled = found(platform, &one).await;
        assert!(matches!(throttled, Err(Failure::Throttled { .. })));
        assert!(found(platform, &other).await.is_ok());
        drop(all);
        assert!(found(platform, &one).await.is_ok());
    }
}
