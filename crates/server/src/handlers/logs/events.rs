//! Events: put, read in pages, and searched.

use std::sync::Arc;

use aws_lc_rs::digest;
use moho_iam::action::{Action, kms, logs as action};
use moho_iam::authz::Permit;
use moho_store::logs::{BlockFacts, GroupFacts, LogPut, LogScope, NewLogEvent, Putting, StreamsOf, log_name};
use moho_watch::batch::{self, Rejected};
use moho_watch::pattern::FilterPattern;
use moho_watch::retention::earliest;
use moho_watch::search::{
    self, Found, KeptBlocks, Order, PAGE_EVENTS, Page, Place, Position, Search, SearchError,
};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::logs::events::{
    FilterLogEvents, FilterLogEventsReply, FilteredLogEvent, GetLogEvents, GetLogEventsReply, InputLogEvent,
    OutputLogEvent, PutLogEventsReply, RejectedLogEventsInfo,
};
use moho_wire::{Failure, Reply};

use super::{Asked, after, filters, listing, now, shown, stored, token};
use crate::handlers::blocking;
use crate::handlers::kms::turns::Turn;
use crate::handlers::paging::Listing;
use crate::road::from_store;
use crate::system::SystemStopwatch;

/// From when on the latest events may come first, as at AWS: the beginning of 2024.
const LATEST_FIRST: i64 = 1_704_067_200_000;

/// Puts a batch into a stream, but for what is too old or too new. What came of it, and what was left out.
pub(crate) async fn put(
    asked: &Asked,
    (permit, key): (Arc<Permit<action::PutLogEvents>>, Permit<kms::GenerateDataKey>),
    (facts, events): (&GroupFacts, Arc<Vec<InputLogEvent>>),
) -> Result<(LogPut, Option<Rejected>), Failure> {
    let sizes: Vec<(i64, usize)> = events
        .iter()
        .map(|event| (event.timestamp, event.message.len()))
        .collect();
    let taken = batch::taken(&sizes, (now(asked), facts.retention_days));
    let taken = taken.map_err(|refused| shown::invalid(&refused.to_string()))?;
    let put = stored(asked, move |platform| {
        let new: Vec<NewLogEvent<'_>> = events
            .get(taken.start..taken.end)
            .unwrap_or_default()
            .iter()
            .map(|event| NewLogEvent {
                timestamp: event.timestamp,
                message: event.message.expose(),
            })
            .collect();
        if new.is_empty() {
            let there = platform.store.log_stream(&permit)?;
            return Ok(there.map_or(LogPut::NoStream, |_stream| LogPut::Done));
        }
        let by = Putting {
            kms: &platform.kms,
            entropy: &*platform.entropy,
            now: platform.clock.now(),
        };
        platform.store.put_log_events((&permit, &key), &new, by)
    });
    Ok((put.await?, taken.rejected))
}

/// `PutLogEvents`. The token is one of AWS's form, which nobody looks at.
pub(crate) fn put_reply(asked: &Asked, rejected: Option<Rejected>) -> Result<Reply, Failure> {
    let place = |place: Option<usize>| place.and_then(|place| i64::try_from(place).ok());
    PutLogEventsReply {
        next_sequence_token: Some(format!("{:056}", asked.platform.clock.now().unix_micros())),
        rejected_log_events_info: rejected.map(|rejected| RejectedLogEventsInfo {
            too_new_log_event_start_index: place(rejected.too_new_start),
            too_old_log_event_end_index: place(rejected.too_old_end),
            expired_log_event_end_index: place(rejected.expired_end),
        }),
    }
    .reply(Service::Logs, "PutLogEvents", &asked.request)
}

/// The blocks that may have what is asked for.
pub(crate) async fn blocks<A: Action>(
    asked: &Asked,
    permit: &Arc<Permit<A>>,
    scope: LogScope,
) -> Result<Vec<BlockFacts>, Failure> {
    let permit = Arc::clone(permit);
    let found = stored(asked, move |platform| platform.store.log_blocks(&permit, &scope)).await?;
    found.ok_or_else(shown::no_group)
}

/// A turn at reading events, of which a page may take all that a search does.
pub(crate) async fn turn(asked: &Asked) -> Result<Turn, Failure> {
    asked.platform.log_searches.wait(asked.account).await
}

/// What a page is searched by.
#[derive(Clone)]
pub(crate) struct Searching {
    from: i64,
    until: i64,
    order: Order,
    place: Option<Place>,
    pattern: Option<Arc<FilterPattern>>,
    limit: usize,
    is_timed: bool,
}

/// A page among these blocks; the turn again, if one of them is sealed under another key by now.
///
/// The turn is with the work: who hangs up meanwhile has nobody else begin before it is done.
pub(crate) async fn page<A: Action>(
    asked: &Asked,
    (permit, keys): (&Arc<Permit<A>>, Vec<Permit<kms::Decrypt>>),
    (blocks, turn): (Vec<BlockFacts>, Turn),
    searching: Searching,
) -> Result<Result<Page, Turn>, Failure> {
    let (platform, permit) = (Arc::clone(&asked.platform), Arc::clone(permit));
    blocking(move || {
        let kept = KeptBlocks {
            store: &platform.store,
            kms: &platform.kms,
            permit: &permit,
            keys: &keys,
            blocks,
        };
        let stopwatch = SystemStopwatch::start();
        let search = Search {
            from: searching.from,
            until: searching.until,
            order: searching.order,
            place: searching.place,
            pattern: searching.pattern.as_deref(),
            limit: searching.limit,
            stopwatch: searching.is_timed.then_some(&stopwatch),
        };
        match search::page(&kept, &search) {
            Ok(page) => Ok(Ok(page)),
            Err(SearchError::OtherKey) => Ok(Err(turn)),
            Err(SearchError::Store(error)) => Err(from_store(&error)),
            Err(_other) => Err(Failure::Internal),
        }
    })
    .await
}

/// Which blocks are asked for: of what came on pages before, none.
fn scope_of(streams: StreamsOf, place: Option<(Order, Place)>, times: (i64, i64)) -> LogScope {
    let (from, until) = place.map_or(times, |(order, place)| place.narrowed(order, times));
    LogScope { streams, from, until }
}

fn limit_of(limit: Option<i64>) -> usize {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(PAGE_EVENTS).clamp(1, PAGE_EVENTS)
}

fn order_word(order: Order) -> &'static str {
    match order {
        Order::Ascending => "f",
        Order::Descending => "b",
    }
}

/// The list that a token is of, and what stands behind its first letter.
fn place_in(
    asked: &Asked,
    listing: &Listing,
    token: &moho_terms::Content,
) -> Result<(Order, Place), Failure> {
    let bad = || shown::invalid("The specified nextToken is invalid.");
    let (order, sealed) = token.expose().split_once('/').ok_or_else(bad)?;
    let order = match order {
        "f" => Order::Ascending,
        "b" => Order::Descending,
        _ => return Err(bad()),
    };
    let sealed = moho_terms::Content::new(sealed.to_owned());
    let opened = after(asked, listing, Some(&sealed))?.ok_or_else(bad)?;
    let opened = opened.strip_prefix(order_word(order)).ok_or_else(bad)?;
    Ok((order, opened.parse().map_err(|_no_place| bad())?))
}

fn token_of(asked: &Asked, listing: &Listing, (order, place): (Order, Place)) -> Result<String, Failure> {
    let word = order_word(order);
    Ok(format!(
        "{word}/{}",
        token(asked, listing, &format!("{word}{place}"))?
    ))
}

/// What `GetLogEvents` asks for.
pub(crate) struct Getting {
    listing: Listing,
    scope: LogScope,
    searching: Searching,
    /// The token that it came with.
    token: Option<String>,
}

impl Getting {
    pub(crate) fn of(
        asked: &Asked,
        permit: &Permit<action::GetLogEvents>,
        (facts, request): (&GroupFacts, &GetLogEvents),
    ) -> Result<Self, Failure> {
        let listing = listing(permit, &[]);
        let place = request
            .next_token
            .as_ref()
            .map(|token| place_in(asked, &listing, token))
            .transpose()?;
        let at_head = request.start_from_head.unwrap_or(false);
        let usual = if at_head {
            Order::Ascending
        } else {
            Order::Descending
        };
        let from = request.start_time.unwrap_or(0);
        let from = from.max(earliest(now(asked), facts.retention_days));
        let until = request.end_time.map_or(i64::MAX, |end| end.saturating_sub(1));
        let stream = log_name(permit.resource()).and_then(|name| name.stream);
        Ok(Self {
            listing,
            scope: scope_of(
                StreamsOf::Named(stream.into_iter().collect()),
                place,
                (from, until),
            ),
            searching: Searching {
                from,
                until,
                order: place.map_or(usual, |(order, _)| order),
                place: place.map(|(_, place)| place),
                pattern: None,
                limit: limit_of(request.limit),
                is_timed: false,
            },
            token: request.next_token.as_ref().map(|token| token.expose().to_owned()),
        })
    }

    pub(crate) fn scope(&self) -> &LogScope {
        &self.scope
    }

    pub(crate) fn search(&self) -> Searching {
        self.searching.clone()
    }

    /// The page with tokens for what comes behind and before it. Where nothing is found, the token is the one that was sent.
    pub(crate) fn reply(
        &self,
        asked: &Asked,
        _permit: &Permit<action::GetLogEvents>,
        page: Page,
    ) -> Result<Reply, Failure> {
        let seal = |order, place| token_of(asked, &self.listing, (order, place));
        let (forward, backward) = match (page.events.first(), page.events.last()) {
            (Some(first), Some(last)) => (
                seal(Order::Ascending, Place::Beyond(last.position))?,
                seal(Order::Descending, Place::Beyond(first.position))?,
            ),
            _ => self.tokens_of_nothing(&seal)?,
        };
        let events = page.events.into_iter().map(|event| OutputLogEvent {
            timestamp: Some(event.position.time),
            message: Some(event.message),
            ingestion_time: Some(event.ingested),
        });
        GetLogEventsReply {
            events: Some(events.collect()),
            next_forward_token: Some(forward),
            next_backward_token: Some(backward),
        }
        .reply(Service::Logs, "GetLogEvents", &asked.request)
    }

    /// Forward and backward tokens of a page without events.
    fn tokens_of_nothing(
        &self,
        seal: &dyn Fn(Order, Place) -> Result<String, Failure>,
    ) -> Result<(String, String), Failure> {
        // Between two events is behind the one and before the other.
        let other_way = |place: Place| match place {
            Place::Beyond(at) => Place::From(at),
            Place::From(at) => Place::Beyond(at),
            Place::ByStream { .. } => place,
        };
        match (self.token.clone(), self.searching.order, self.searching.place) {
            (Some(token), Order::Ascending, Some(place)) => {
                Ok((token, seal(Order::Descending, other_way(place))?))
            }
            (Some(token), Order::Descending, Some(place)) => {
                Ok((seal(Order::Ascending, other_way(place))?, token))
            }
            _ => {
                let beginning = Position::before(self.searching.from);
                Ok((
                    seal(Order::Ascending, Place::From(beginning))?,
                    seal(Order::Descending, Place::Beyond(beginning))?,
                ))
            }
        }
    }
}

/// What `FilterLogEvents` asks for.
pub(crate) struct Filtering {
    listing: Listing,
    scope: LogScope,
    searching: Searching,
}

impl Filtering {
    pub(crate) fn of(
        asked: &Asked,
        permit: &Permit<action::FilterLogEvents>,
        (facts, request): (&GroupFacts, &FilterLogEvents),
    ) -> Result<Self, Failure> {
        let streams = match (&request.log_stream_names, &request.log_stream_name_prefix) {
            (Some(_), Some(_)) => {
                return Err(shown::invalid(
                    "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
                ));
            }
            (Some(names), None) => StreamsOf::Named(names.clone()),
            (None, Some(prefix)) => StreamsOf::Prefix(prefix.clone()),
            (None, None) => StreamsOf::All,
        };
        let text = request.filter_pattern.as_ref();
        let text = text
            .map(moho_terms::Content::expose)
            .filter(|text| !text.trim().is_empty());
        let (start, end) = (request.start_time.unwrap_or(0), request.end_time);
        let listing = listing_of(permit, &streams, (text, start, end));
        let place = request
            .next_token
            .as_ref()
            .map(|token| place_in(asked, &listing, token))
            .transpose()?;
        let latest_first = request.start_from_head == Some(false);
        if latest_first && start < LATEST_FIRST {
            return Err(shown::invalid(
                "startFromHead can only be false if startTime is on or after Jan 1, 2024 00:00:00 UTC.",
            ));
        }
        let usual = if latest_first {
            Order::Descending
        } else {
            Order::Ascending
        };
        let pattern = text.map(filters::pattern).transpose()?;
        let from = start.max(earliest(now(asked), facts.retention_days));
        let until = end.unwrap_or(i64::MAX);
        Ok(Self {
            listing,
            scope: scope_of(streams, place, (from, until)),
            searching: Searching {
                from,
                until,
                order: place.map_or(usual, |(order, _)| order),
                place: place.map(|(_, place)| place),
                pattern: pattern.map(Arc::new),
                limit: limit_of(request.limit),
                is_timed: true,
            },
        })
    }

    pub(crate) fn scope(&self) -> &LogScope {
        &self.scope
    }

    pub(crate) fn search(&self) -> Searching {
        self.searching.clone()
    }

    pub(crate) fn reply(
        &self,
        asked: &Asked,
        (_permit, facts): (&Permit<action::FilterLogEvents>, &GroupFacts),
        page: Page,
    ) -> Result<Reply, Failure> {
        let next = page
            .next
            .map(|place| token_of(asked, &self.listing, (self.searching.order, place)));
        let mut found = page.events;
        if self.searching.order == Order::Descending {
            found.reverse();
        }
        let events = found.into_iter().map(|event| FilteredLogEvent {
            event_id: Some(event_id(facts.id, &event)),
            log_stream_name: Some(event.stream_name.to_string()),
            timestamp: Some(event.position.time),
            message: Some(event.message),
            ingestion_time: Some(event.ingested),
        });
        FilterLogEventsReply {
            events: Some(events.collect()),
            // As AWS has it since 2020.
            searched_log_streams: Some(Vec::new()),
            next_token: next.transpose()?,
        }
        .reply(Service::Logs, "FilterLogEvents", &asked.request)
    }
}

/// The list that the tokens of one search are of: another's are none of it.
fn listing_of(
    permit: &Permit<action::FilterLogEvents>,
    streams: &StreamsOf,
    (pattern, start, end): (Option<&str>, i64, Option<i64>),
) -> Listing {
    let (start, end) = (start.to_string(), end.map(|end| end.to_string()));
    let mut parts = vec![pattern.unwrap_or_default(), &start, end.as_deref().unwrap_or("-")];
    match streams {
        StreamsOf::All => parts.push("all"),
        StreamsOf::Prefix(prefix) => parts.extend(["prefix", prefix]),
        StreamsOf::Named(names) => {
            parts.push("named");
            parts.extend(names.iter().map(String::as_str));
        }
    }
    listing(permit, &parts)
}

/// An event's id, in 56 digits as AWS's: by its time, and by what nobody learns anything from but that it is the same.
fn event_id(group: u64, event: &Found) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    for number in [group, event.position.stream, event.position.sequence] {
        hash.update(&number.to_be_bytes());
    }
    let hash = hash.finish();
    let first = hash.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    format!("{:017}{:039}", event.position.time, u128::from_be_bytes(first))
}
