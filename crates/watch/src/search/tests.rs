//! Pages against all events that there are, whatever blocks they are in and however little time there is.

use std::sync::atomic::{AtomicU64, Ordering};

use moho_store::logs::LogEvent;
use proptest::prelude::*;

use super::*;

/// A block of events: time, number, text.
#[derive(Debug, Clone)]
struct Part {
    stream: u64,
    sequence: u64,
    events: Vec<(i64, String)>,
}

#[derive(Debug)]
struct Parts(Vec<Part>);

impl Blocks for Parts {
    type Error = std::convert::Infallible;

    fn extents(&self) -> Vec<Extent> {
        let extent = |part: &Part| Extent {
            first_time: part.events.iter().map(|event| event.0).min().unwrap(),
            last_time: part.events.iter().map(|event| event.0).max().unwrap(),
            stream: part.stream,
            stream_name: part.stream.to_string().into(),
            sequence: part.sequence,
            events: part.events.len() as u64,
            size: part.events.iter().map(|event| event.1.len() + 26).sum(),
        };
        self.0.iter().map(extent).collect()
    }

    fn tell(
        &self,
        block: usize,
        required: Option<&RequiredLiterals>,
        each: &mut dyn FnMut(&LogEvent<'_>) -> bool,
    ) -> Result<(), Self::Error> {
        let part = &self.0[block];
        let all: String = part.events.iter().map(|event| event.1.as_str()).collect();
        if required.is_some_and(|required| !required.are_in(&all)) {
            return Ok(());
        }
        let mut events: Vec<_> = (part.sequence..).zip(&part.events).collect();
        events.sort_by_key(|(sequence, event)| (event.0, *sequence));
        let _enough = events.iter().all(|(sequence, event)| {
            each(&LogEvent {
                timestamp: event.0,
                sequence: *sequence,
                ingested: 7,
                message: &event.1,
            })
        });
        Ok(())
    }
}

/// Time that goes on by a while with each look.
struct Going(AtomicU64, u64);

impl Stopwatch for Going {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(self.1, Ordering::Relaxed))
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let text = prop::collection::vec("[ab]{0,3}", 1..4).prop_map(|words| words.join(" ").repeat(200));
    let stream = prop::collection::vec(prop::collection::vec((0_i64..60, text), 1..6), 1..5);
    prop::collection::vec(stream, 1..4).prop_map(|streams| {
        let mut all = Vec::new();
        for (stream, blocks) in (1..).zip(streams) {
            let mut sequence = 1;
            for events in blocks {
                let length = events.len() as u64;
                all.push(Part {
                    stream,
                    sequence,
                    events,
                });
                sequence += length;
            }
        }
        Parts(all)
    })
}

fn expected(parts: &Parts, search: &Search<'_>) -> Vec<Position> {
    let mut all = Vec::new();
    for part in &parts.0 {
        for (sequence, (time, text)) in (part.sequence..).zip(&part.events) {
            let at = Position {
                time: *time,
                stream: part.stream,
                sequence,
            };
            if search.is_of_time(*time) && search.matches(text) {
                all.push(at);
            }
        }
    }
    all.sort();
    all
}

/// All pages, and whether every one was in order with the one before.
fn all_pages(parts: &Parts, mut search: Search<'_>) -> (Vec<Position>, bool) {
    let (mut all, mut in_order, mut pages) = (Vec::<Position>::new(), true, 0);
    loop {
        let page = page(parts, &search).unwrap();
        let found: Vec<_> = page.events.iter().map(|event| event.position).collect();
        assert!(found.is_sorted());
        assert!(found.len() <= search.limit);
        match search.order {
            Order::Ascending => {
                in_order &= all
                    .last()
                    .is_none_or(|last| found.first().is_none_or(|next| last < next));
                all.extend(found);
            }
            Order::Descending => {
                in_order &= all
                    .first()
                    .is_none_or(|first| found.last().is_none_or(|next| next < first));
                all.splice(0..0, found);
            }
        }
        let Some(next) = page.next else { break };
        search.place = Some(next.to_string().parse().unwrap());
        pages += 1;
        assert!(pages < 2000, "no end");
    }
    (all, in_order)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn pages_have_every_event_that_matches_once(
        parts in parts(), (from, until) in (0_i64..40, 10_i64..60), limit in 1_usize..7,
        descending: bool, pattern in prop::option::of("[ab]{1,2}"),
    ) {
        let pattern = pattern.map(|text| FilterPattern::parse(&format!("\"{text}\"")).unwrap());
        let order = if descending { Order::Descending } else { Order::Ascending };
        let search = Search { from, until, order, place: None, pattern: pattern.as_ref(), limit, stopwatch: None };
        let wanted = expected(&parts, &search);
        prop_assert_eq!(all_pages(&parts, search), (wanted, true));
    }

    #[test]
    fn with_little_time_pages_have_them_all_the_same(
        parts in parts(), limit in 1_usize..7, descending: bool, step in 50_u64..2000,
    ) {
        let pattern = FilterPattern::parse("a").unwrap();
        let order = if descending { Order::Descending } else { Order::Ascending };
        let watch = Going(AtomicU64::new(0), step);
        let search = Search { from: 0, until: 60, order, place: None, pattern: Some(&pattern), limit, stopwatch: Some(&watch) };
        let wanted = expected(&parts, &search);
        let (mut found, _order) = all_pages(&parts, search);
        found.sort();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn places_are_read_as_they_are_written(time: i64, stream: u64, sequence: u64, other: Option<i64>) {
        let at = Position { time, stream, sequence };
        let beyond = other.map(Position::before);
        for place in [Place::Beyond(at), Place::From(at), Place::ByStream { beyond, stream, sequence }] {
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }
    }
}

#[test]
fn a_page_has_at_most_a_mebibyte_unless_it_is_one_event() {
    let large = "x".repeat(700_000);
    let part = Part {
        stream: 1,
        sequence: 1,
        events: vec![
            (1, large.clone()),
            (2, "x".repeat(PAGE_BYTES + 5)),
            (3, large),
            (4, "y".to_owned()),
        ],
    };
    let parts = Parts(vec![part]);
    let mut search = Search {
        from: 0,
        until: 9,
        order: Order::Ascending,
        place: None,
        pattern: None,
        limit: 100,
        stopwatch: None,
    };
    let mut pages = Vec::new();
    loop {
        let page = page(&parts, &search).unwrap();
        pages.push(
            page.events
                .iter()
                .map(|event| event.position.time)
                .collect::<Vec<_>>(),
        );
        let Some(next) = page.next else { break };
        search.place = Some(next);
    }
    assert_eq!(pages, [vec![1], vec![2], vec![3, 4]]);
}

#[test]
fn nothing_is_looked_for_that_came_on_pages_before() {
    let at = Position::before(5);
    for place in [Place::Beyond(at), Place::From(at)] {
        assert_eq!(place.narrowed(Order::Ascending, (2, 9)), (5, 9));
        assert_eq!(place.narrowed(Order::Ascending, (7, 9)), (7, 9));
        assert_eq!(place.narrowed(Order::Descending, (2, 9)), (2, 5));
    }
    let by_stream = Place::ByStream {
        beyond: Some(at),
        stream: 1,
        sequence: 1,
    };
    assert_eq!(by_stream.narrowed(Order::Ascending, (2, 9)), (2, 9));
}

#[test]
fn what_is_no_place_is_refused() {
    for text in [
        "",
        "b",
        "b 1 2",
        "b 1 2 3 4",
        "s 1",
        "x 1 2 3",
        "b 1 -2 3",
        "f a b c",
    ] {
        assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
    }
}

#[test]
fn a_search_that_goes_on_by_stream_finds_nothing_twice() {
    let long = "a".repeat(BETWEEN_LOOKS);
    let events = (1..5).map(|time| (time, long.clone())).collect();
    let parts = Parts(vec![Part {
        stream: 1,
        sequence: 1,
        events,
    }]);
    for (order, second) in [(Order::Ascending, 1), (Order::Descending, 4)] {
        let late = Going(AtomicU64::new(0), 5000);
        let place = Position {
            time: second,
            stream: 1,
            sequence: u64::try_from(second).unwrap(),
        };
        let mut search = Search {
            from: 0,
            until: 9,
            order,
            place: Some(Place::Beyond(place)),
            pattern: None,
            limit: 100,
            stopwatch: Some(&late),
        };
        let interrupted = page(&parts, &search).unwrap();
        assert!(interrupted.events.is_empty());
        assert!(matches!(interrupted.next, Some(Place::ByStream { .. })));
        search.place = interrupted.next;
        let mut times = Vec::new();
        while search.place.is_some() {
            let page = page(&parts, &search).unwrap();
            times.extend(page.events.iter().map(|event| event.position.time));
            search.place = page.next;
        }
        let left: Vec<i64> = (1..5).filter(|time| *time != second).collect();
        assert_eq!(times, left);
    }
}

/// Blocks that count how often one is opened.
struct Counted(Parts, AtomicU64);

impl Blocks for Counted {
    type Error = std::convert::Infallible;

    fn extents(&self) -> Vec<Extent> {
        self.0.extents()
    }

    fn tell(
        &self,
        block: usize,
        required: Option<&RequiredLiterals>,
        each: &mut dyn FnMut(&LogEvent<'_>) -> bool,
    ) -> Result<(), Self::Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.tell(block, required, each)
    }
}

#[test]
fn of_many_blocks_of_one_time_a_page_opens_as_many_as_it_needs() {
    let part = |number: u64| Part {
        stream: 1 + number % 2,
        sequence: 1 + number / 2 * 2,
        events: vec![(7, "one".to_owned()), (7, "two".to_owned())],
    };
    let blocks = Counted(Parts((0..200).map(part).collect()), AtomicU64::new(0));
    for order in [Order::Ascending, Order::Descending] {
        let (mut search, mut found) = (
            Search {
                from: 0,
                until: 9,
                order,
                place: None,
                pattern: None,
                limit: 3,
                stopwatch: None,
            },
            0,
        );
        loop {
            blocks.1.store(0, Ordering::Relaxed);
            let page = page(&blocks, &search).unwrap();
            assert!(
                blocks.1.load(Ordering::Relaxed) <= 3,
                "{order:?} {:?}",
                search.place
            );
            found += page.events.len();
            let Some(next) = page.next else { break };
            search.place = Some(next);
        }
        assert_eq!(found, 400);
    }
}
