//! One page of a search.

use std::collections::BTreeMap;

use moho_store::logs::LogEvent;
use moho_terms::Content;

use super::{Blocks, Budget, Extent, Found, Order, PAGE_BYTES, PAGE_EVENTS, Page, Place, Position, Search};

/// The next page of a search among these blocks.
///
/// # Errors
/// A block does not open.
pub fn page<B: Blocks>(blocks: &B, search: &Search<'_>) -> Result<Page, B::Error> {
    let mut page = match search.place {
        Some(Place::ByStream {
            beyond,
            stream,
            sequence,
        }) => by_stream(blocks, search, (beyond, stream, sequence))?,
        Some(Place::Beyond(_) | Place::From(_)) | None => by_time(blocks, search)?,
    };
    page.events.sort_by_key(|event| event.position);
    Ok(page)
}

fn position(extent: &Extent, event: &LogEvent<'_>) -> Position {
    Position {
        time: event.timestamp,
        stream: extent.stream,
        sequence: event.sequence,
    }
}

fn found(extent: &Extent, event: &LogEvent<'_>) -> Found {
    Found {
        position: position(extent, event),
        stream_name: std::sync::Arc::clone(&extent.stream_name),
        ingested: event.ingested,
        message: Content::new(event.message.to_owned()),
    }
}

/// Events in the order of a search, of which only the first are kept that a page has room for.
struct Sorted {
    order: Order,
    most: usize,
    kept: BTreeMap<Position, Found>,
    bytes: usize,
    /// The first one there was no room for.
    cut: Option<Position>,
}

impl Sorted {
    fn new(search: &Search<'_>) -> Self {
        Self {
            order: search.order,
            most: search.limit.clamp(1, PAGE_EVENTS),
            kept: BTreeMap::new(),
            bytes: 0,
            cut: None,
        }
    }

    /// Whether an event would be kept.
    fn takes(&self, at: Position) -> bool {
        self.cut.is_none_or(|cut| comes_before(self.order, at, cut))
    }

    fn keep(&mut self, event: Found) {
        self.bytes = self.bytes.saturating_add(event.message.len());
        self.kept.insert(event.position, event);
        while self.kept.len() > self.most || (self.bytes > PAGE_BYTES && self.kept.len() > 1) {
            let last = match self.order {
                Order::Ascending => self.kept.pop_last(),
                Order::Descending => self.kept.pop_first(),
            };
            let Some((position, event)) = last else { break };
            self.bytes = self.bytes.saturating_sub(event.message.len());
            self.cut = Some(position);
        }
    }

    /// The last one of the page.
    fn last(&self) -> Option<Position> {
        let last = match self.order {
            Order::Ascending => self.kept.last_key_value(),
            Order::Descending => self.kept.first_key_value(),
        };
        last.map(|(position, _)| *position)
    }

    /// Whether no event of a block would be kept, nor of those behind it. Whole positions are compared: as many blocks as fit
    /// into a store may be of one time.
    fn is_beyond(&self, extent: &Extent) -> bool {
        !self.takes(begins(self.order, extent))
    }
}

/// Where a block begins: no event of it comes before that.
fn begins(order: Order, extent: &Extent) -> Position {
    match order {
        Order::Ascending => extent.earliest(),
        Order::Descending => extent.latest(),
    }
}

/// Where it ends: no event of it comes behind that.
fn ends(order: Order, extent: &Extent) -> Position {
    match order {
        Order::Ascending => extent.latest(),
        Order::Descending => extent.earliest(),
    }
}

fn comes_before(order: Order, one: Position, other: Position) -> bool {
    match order {
        Order::Ascending => one < other,
        Order::Descending => one > other,
    }
}

/// Whether an event is still to come after what was found before.
fn is_to_come(search: &Search<'_>, at: Position) -> bool {
    search.is_of_time(at.time)
        && match search.place {
            Some(Place::Beyond(beyond)) => comes_before(search.order, beyond, at),
            Some(Place::From(from)) => !comes_before(search.order, at, from),
            Some(Place::ByStream { .. }) | None => true,
        }
}

/// Whether a block may have such an event.
fn may_come(search: &Search<'_>, extent: &Extent) -> bool {
    let of_time = extent.last_time >= search.from && extent.first_time <= search.until;
    let end = ends(search.order, extent);
    of_time
        && match search.place {
            Some(Place::Beyond(beyond)) => comes_before(search.order, beyond, end),
            Some(Place::From(from)) => !comes_before(search.order, end, from),
            Some(Place::ByStream { .. }) | None => true,
        }
}

/// The blocks in the order in which their first events come.
fn in_order<B: Blocks>(blocks: &B, search: &Search<'_>) -> Vec<(usize, Extent)> {
    let all = blocks.extents().into_iter().enumerate();
    let mut wanted: Vec<_> = all.filter(|(_, extent)| may_come(search, extent)).collect();
    match search.order {
        Order::Ascending => wanted.sort_by_key(|(_, extent)| extent.earliest()),
        Order::Descending => wanted.sort_by_key(|(_, extent)| std::cmp::Reverse(extent.latest())),
    }
    wanted
}

fn by_time<B: Blocks>(blocks: &B, search: &Search<'_>) -> Result<Page, B::Error> {
    let mut budget = Budget::new(search.stopwatch);
    let required = search.required();
    let mut sorted = Sorted::new(search);
    let wanted = in_order(blocks, search);
    for (done, (block, extent)) in wanted.iter().enumerate() {
        if sorted.is_beyond(extent) {
            break;
        }
        let mut in_time = budget.spend(extent.size / 16);
        if in_time {
            blocks.tell(*block, required.as_ref(), &mut |event| {
                let at = position(extent, event);
                if !is_to_come(search, at) || !sorted.takes(at) {
                    return true;
                }
                if search.matches(event.message) {
                    sorted.keep(found(extent, event));
                }
                in_time = budget.spend(event.message.len());
                in_time
            })?;
        }
        if !in_time {
            return Ok(interrupted(search, sorted, wanted.split_at_checked(done)));
        }
    }
    let next = sorted.cut.and_then(|_more| sorted.last()).map(Place::Beyond);
    Ok(Page {
        events: sorted.kept.into_values().collect(),
        next,
    })
}

/// The position next to one, whether an event has it or not.
fn next_to(order: Order, at: Position) -> Position {
    let sequence = match order {
        Order::Ascending => at.sequence.saturating_add(1),
        Order::Descending => at.sequence.saturating_sub(1),
    };
    Position { sequence, ..at }
}

/// Blocks by their places.
type Wanted = [(usize, Extent)];

/// What is certain when time is over, by the blocks that were looked at and those that were not: all that comes before the
/// first event of the latter. If more than half of the former would have to be looked at again, the rest is searched by stream.
fn interrupted(search: &Search<'_>, mut sorted: Sorted, split: Option<(&Wanted, &Wanted)>) -> Page {
    let (done, left) = split.unwrap_or_default();
    let beyond = match search.place {
        Some(Place::Beyond(position)) => Some(next_to(search.order, position)),
        Some(Place::From(position)) => Some(position),
        Some(Place::ByStream { .. }) | None => None,
    };
    let by_stream = Page {
        events: Vec::new(),
        next: Some(Place::ByStream {
            beyond,
            stream: 0,
            sequence: 0,
        }),
    };
    let Some((_, first)) = left.first() else {
        return by_stream;
    };
    let edge = begins(search.order, first);
    let is_over = |extent: &Extent| comes_before(search.order, ends(search.order, extent), edge);
    let over = done.iter().filter(|(_, extent)| is_over(extent)).count();
    if over.saturating_mul(2) < done.len().max(1) {
        return by_stream;
    }
    if sorted
        .cut
        .is_some_and(|cut| comes_before(search.order, cut, edge))
    {
        // The page is full with what comes before.
        let next = sorted.last().map(Place::Beyond);
        return Page {
            events: sorted.kept.into_values().collect(),
            next,
        };
    }
    sorted
        .kept
        .retain(|position, _| comes_before(search.order, *position, edge));
    Page {
        events: sorted.kept.into_values().collect(),
        next: Some(Place::From(edge)),
    }
}

fn by_stream<B: Blocks>(
    blocks: &B,
    search: &Search<'_>,
    (beyond, stream, sequence): (Option<Position>, u64, u64),
) -> Result<Page, B::Error> {
    let mut budget = Budget::new(search.stopwatch);
    let required = search.required();
    let most = search.limit.clamp(1, PAGE_EVENTS);
    let mut wanted: Vec<_> = blocks.extents().into_iter().enumerate().collect();
    let end = |extent: &Extent| extent.sequence.saturating_add(extent.events);
    wanted
        .retain(|(_, extent)| (extent.stream, end(extent)) > (stream, sequence) && may_come(search, extent));
    wanted.sort_by_key(|(_, extent)| (extent.stream, extent.sequence));
    let (mut events, mut bytes) = (Vec::new(), 0_usize);
    // However little time there is, one event is looked at, or one block passed over.
    let (mut in_time, mut has_looked) = (true, false);
    for (block, extent) in &wanted {
        let place = |sequence| {
            Some(Place::ByStream {
                beyond,
                stream: extent.stream,
                sequence,
            })
        };
        if has_looked && !in_time {
            let next = place(
                extent
                    .sequence
                    .max(if extent.stream == stream { sequence } else { 0 }),
            );
            return Ok(Page { events, next });
        }
        // Events of a block come by their times: what comes by numbers is gathered first.
        let mut texts = Vec::new();
        blocks.tell(*block, required.as_ref(), &mut |event| {
            let at = position(extent, event);
            let is_new = (extent.stream, event.sequence) >= (stream, sequence);
            if is_new && is_left(search, beyond, at) {
                texts.push(found(extent, event));
            }
            true
        })?;
        texts.sort_by_key(|event| event.position.sequence);
        in_time &= budget.spend(extent.size / 16);
        for event in texts {
            let is_full = events.len() >= most
                || (!events.is_empty() && bytes.saturating_add(event.message.len()) > PAGE_BYTES);
            if is_full || (has_looked && !in_time) {
                let next = place(event.position.sequence);
                return Ok(Page { events, next });
            }
            has_looked = true;
            in_time &= budget.spend(event.message.len());
            if search.matches(event.message.expose()) {
                bytes = bytes.saturating_add(event.message.len());
                events.push(event);
            }
        }
        has_looked = true;
    }
    Ok(Page { events, next: None })
}

/// Whether an event was not found before the search went on by stream.
fn is_left(search: &Search<'_>, beyond: Option<Position>, at: Position) -> bool {
    let is_beyond = beyond.is_none_or(|beyond| !comes_before(search.order, at, beyond));
    is_beyond && search.is_of_time(at.time)
}
