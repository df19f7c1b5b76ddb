//! Quotas with a clock of the test's own: what they let in, and what they never do.

mod open;
mod troubles;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use moho_iam::policy::TextPattern;

use super::*;

const DAY: u64 = 86_400;
/// Noon of some day.
const NOON: u64 = DAY * 20_000 + DAY / 2;

/// A clock that the test turns, in seconds.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

/// A book that can be lost.
#[derive(Default)]
struct Paper {
    lines: Mutex<HashMap<(u64, Key), Amounts>>,
    torn: AtomicBool,
    writes: AtomicU64,
    /// The next write waits until the other end is gone.
    gate: Mutex<Option<mpsc::Receiver<()>>>,
    /// Whom there is no room for.
    without_room: Mutex<Option<Key>>,
}

impl DayBook for Arc<Paper> {
    fn read(&self, day: u64, key: Key) -> Result<Amounts, BookUnavailable> {
        self.whole()?;
        Ok(self
            .lines
            .lock()
            .unwrap()
            .get(&(day, key))
            .copied()
            .unwrap_or_default())
    }

    fn write(&self, day: u64, counters: &[(Key, Amounts)]) -> Result<Vec<Key>, BookUnavailable> {
        if let Some(gate) = self.gate.lock().unwrap().take() {
            assert!(gate.recv().is_err());
        }
        self.whole()?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        let without_room = *self.without_room.lock().unwrap();
        let (left_out, lines): (Vec<_>, Vec<_>) =
            counters.iter().partition(|(key, _)| Some(*key) == without_room);
        let lines = lines.into_iter().map(|(key, amounts)| ((day, key), amounts));
        self.lines.lock().unwrap().extend(lines);
        Ok(left_out.into_iter().map(|(key, _)| key).collect())
    }

    fn forget(&self, day: u64) -> Result<(), BookUnavailable> {
        self.whole()?;
        let mut lines = self.lines.lock().unwrap();
        let last = lines.keys().map(|(day, _)| *day).filter(|of| *of < day).max();
        lines.retain(|(day, _), _| Some(*day) >= last);
        Ok(())
    }
}

impl Paper {
    fn whole(&self) -> Result<(), BookUnavailable> {
        if self.torn.load(Ordering::Relaxed) {
            return Err(BookUnavailable("torn".into()));
        }
        Ok(())
    }
}

pub(crate) struct House {
    clock: Arc<Hand>,
    paper: Arc<Paper>,
    quotas: Arc<Quotas>,
}

impl House {
    pub(crate) fn with(limits: Limits) -> Self {
        Self::over(limits, Arc::default(), NOON)
    }

    fn over(limits: Limits, paper: Arc<Paper>, second: u64) -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(second)));
        let quota = Quota {
            principal: TextPattern::new("*"),
            limits,
            ..Quota::default()
        };
        let quotas = Quotas::new(vec![quota], Box::new(Arc::clone(&paper)), clock.clone());
        Self {
            clock,
            paper,
            quotas: Arc::new(quotas),
        }
    }

    /// Has the next write of the book wait until the returned is dropped.
    fn shut(&self) -> mpsc::Sender<()> {
        let (open, gate) = mpsc::channel();
        *self.paper.gate.lock().unwrap() = Some(gate);
        open
    }

    fn later(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn enter(&self, who: &str, sequences: u32) -> Result<Reservation, NotAdmitted> {
        let demand = (Amounts::REQUEST, sequences);
        self.quotas
            .enter(&asker(who), &"m".parse().unwrap(), demand)
            .await
    }

    /// Asks with so many tokens in, and at most so many out.
    async fn ask(&self, input: u64, output: u64) -> Result<Bill, NotAdmitted> {
        let mut reservation = self.enter("One", 1).await?;
        let tokens = Amounts::tokens(input, output);
        reservation.set_aside(tokens, 0).await?;
        let mut bill = reservation.bill(tokens).with_prompt();
        bill.prompt(input, 0);
        Ok(bill)
    }

    /// Asks with so many tokens in, and names no limit for an answer that may have `longest`.
    pub(crate) async fn ask_openly(&self, input: u64, longest: u64) -> Result<Bill, NotAdmitted> {
        let mut reservation = self.enter("One", 1).await?;
        let least = Amounts::tokens(input, longest.min(FEW));
        let answer = reservation.set_aside(least, longest.min(PIECE)).await?;
        let bill = reservation.bill(Amounts::tokens(input, answer));
        let mut bill = bill.with_prompt().open(longest - answer);
        bill.prompt(input, 0);
        Ok(bill)
    }

    /// What of the tokens is left.
    pub(crate) async fn left(&self) -> u64 {
        let request = (Amounts::default(), 0);
        let standing = self
            .quotas
            .enter(&asker("One"), &"m".parse().unwrap(), request)
            .await;
        standing.unwrap().standing().tokens.unwrap().remaining
    }
}

fn asker(role: &str) -> Asker {
    Asker {
        account: "123456789012".parse().unwrap(),
        principal: format!("arn:aws:iam::123456789012:role/{role}").parse().unwrap(),
        principal_id: "AROA".to_owned(),
        tags: Vec::new(),
    }
}

fn hit<T>(entered: Result<T, NotAdmitted>) -> Hit {
    match entered {
        Err(NotAdmitted::Hit(hit)) => hit,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("there was room"),
    }
}

pub(crate) fn per_minute(caps: Caps) -> Limits {
    Limits {
        minute: caps,
        ..Limits::default()
    }
}

fn per_day(caps: Caps) -> Limits {
    Limits {
        day: caps,
        ..Limits::default()
    }
}

pub(crate) fn output(most: u64) -> Caps {
    Caps {
        output: Some(most),
        ..Caps::default()
    }
}

fn requests(most: u64) -> Caps {
    Caps {
        requests: Some(most),
        ..Caps::default()
    }
}

#[tokio::test]
async fn requests_are_limited_for_each_principal_within_a_minute() {
    let house = House::with(per_minute(requests(2)));
    drop(house.enter("One", 1).await.unwrap());
    house.later(20);
    drop(house.enter("One", 1).await.unwrap());
    let refused = hit(house.enter("One", 1).await);
    assert_eq!((refused.limit, refused.used, refused.requested), (2, 2, 1));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(45)));
    drop(house.enter("Two", 1).await.unwrap());
    house.later(45);
    drop(house.enter("One", 1).await.unwrap());
    assert_eq!(
        hit(house.enter("One", 1).await).retry_after,
        Some(Duration::from_secs(20))
    );
}

#[tokio::test]
async fn tokens_are_set_aside_before_they_are_used_and_given_back_after() {
    let house = House::with(per_minute(output(100)));
    let mut bill = house.ask(10, 60).await.unwrap();
    assert_eq!(house.left().await, 40);
    let refused = hit(house.ask(10, 50).await);
    assert_eq!((refused.used, refused.requested), (60, 50));
    assert_eq!(
        refused.retry_after,
        Some(Duration::from_secs(1)),
        "what is set aside may be free at once"
    );
    bill.generated(20);
    assert_eq!(house.left().await, 40, "used or set aside is the same");
    drop(bill);
    assert_eq!(house.left().await, 80);
    house.later(65);
    assert_eq!(house.left().await, 100);
}

#[tokio::test]
async fn a_cancelled_answer_has_used_what_it_used() {
    let house = House::with(per_minute(Caps {
        tokens: Some(100),
        ..Caps::default()
    }));
    let mut bill = house.ask(10, 60).await.unwrap();
    bill.generated(7);
    drop(bill);
    assert_eq!(house.left().await, 83);
    let mut bill = house.ask(10, 60).await.unwrap();
    bill.generated(3);
    bill.ended(5);
    drop(bill);
    assert_eq!(house.left().await, 68);
}

#[tokio::test]
async fn a_long_answer_counts_in_the_minutes_in_which_it_was_written() {
    let house = House::with(per_minute(output(100)));
    let mut bill = house.ask(0, 90).await.unwrap();
    bill.generated(40);
    house.later(70);
    assert_eq!(house.left().await, 50, "40 are forgotten, 50 may still come");
    bill.generated(40);
    drop(bill);
    assert_eq!(house.left().await, 60);
}

#[tokio::test]
async fn what_can_never_fit_is_not_asked_to_come_again() {
    let house = House::with(per_minute(output(100)));
    assert_eq!(hit(house.ask(0, 101).await).retry_after, None);
    let house = House::with(Limits {
        sequences: Some(2),
        ..Limits::default()
    });
    assert_eq!(hit(house.enter("One", 3).await).retry_after, None);
}

#[tokio::test]
async fn sequences_are_limited_while_they_run() {
    let house = House::with(Limits {
        sequences: Some(3),
        ..Limits::default()
    });
    let mut two = house.enter("One", 2).await.unwrap();
    let (first, second) = (two.bill(Amounts::default()), two.bill(Amounts::default()));
    drop(two);
    let refused = hit(house.enter("One", 2).await);
    assert_eq!((refused.of, refused.per), (Limited::Sequences, Window::Now));
    drop(first);
    let more = house.enter("One", 2).await.unwrap();
    drop((second, more));
    drop(house.enter("One", 3).await.unwrap());
}

#[tokio::test]
async fn a_request_that_asks_again_is_counted_once() {
    let house = House::with(per_minute(requests(1)));
    drop(house.enter("One", 1).await.unwrap());
    let (asker, model) = (asker("One"), "m".parse().unwrap());
    let again = house.quotas.enter(&asker, &model, (Amounts::default(), 1));
    assert!(again.await.is_ok());
}

#[tokio::test]
async fn all_quotas_hold_and_none_is_charged_for_what_another_refuses() {
    let clock = Arc::new(Hand(AtomicU64::new(NOON)));
    let quota = |principal: Option<&str>, most| Quota {
        principal: principal.and_then(TextPattern::new),
        limits: per_minute(requests(most)),
        ..Quota::default()
    };
    let both = vec![quota(None, 3), quota(Some("*"), 2)];
    let quotas = Arc::new(Quotas::new(both, Box::new(Arc::new(Paper::default())), clock));
    let enter = async |who| {
        quotas
            .enter(&asker(who), &"m".parse().unwrap(), (Amounts::REQUEST, 1))
            .await
    };
    for _ in 0..2 {
        drop(enter("One").await.unwrap());
    }
    for _ in 0..5 {
        assert_eq!(hit(enter("One").await).limit, 2);
    }
    drop(enter("Two").await.unwrap());
    assert_eq!(hit(enter("Two").await).limit, 3);
}

#[expect(clippy::disallowed_methods, reason = "each of the crowd is waited for")]
#[tokio::test]
async fn a_crowd_never_passes_a_limit() {
    let caps = Caps {
        requests: Some(40),
        output: Some(1000),
        ..Caps::default()
    };
    let house = House::with(Limits {
        minute: caps,
        day: caps,
        sequences: Some(9),
    });
    let house = Arc::new(house);
    let running = Arc::new(AtomicU64::new(0));
    let crowd = (0..200_u64).map(|number| {
        let (house, running) = (Arc::clone(&house), Arc::clone(&running));
        tokio::spawn(async move {
            let most = 20 + number % 31;
            let mut bill = loop {
                match house.ask(1, most).await {
                    Ok(bill) => break bill,
                    Err(NotAdmitted::Hit(hit)) if hit.of == Limited::Sequences => {
                        tokio::task::yield_now().await
                    }
                    Err(_used_up) => return (0, 0),
                }
            };
            assert!(running.fetch_add(1, Ordering::SeqCst) < 9);
            let used = most - number % 7;
            for _ in 0..used {
                bill.generated(1);
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            drop(bill);
            (1, used)
        })
    });
    let (mut admitted, mut used) = (0, 0);
    for one in crowd.collect::<Vec<_>>() {
        let (one, tokens) = one.await.unwrap();
        admitted += one;
        used += tokens;
    }
    assert!(admitted > 9 && admitted <= 40, "{admitted}");
    assert!(used <= 1000, "{used}");
    assert_eq!(house.left().await, 1000 - used);
}

#[tokio::test]
async fn days_survive_a_restart_and_a_crash() {
    let limits = per_day(output(6400));
    let house = House::with(limits);
    let mut bill = house.ask(0, 1000).await.unwrap();
    bill.generated(500);
    drop(bill);
    // A crash: what was written ahead counts, which is never less than what was used.
    let crashed = House::over(limits, Arc::clone(&house.paper), NOON + 60);
    let left = crashed.left().await;
    assert!((6400 - 1000 - 100..=6400 - 500).contains(&left), "{left}");
    // A stop: what was used counts exactly.
    house.quotas.settle().unwrap();
    let stopped = House::over(limits, Arc::clone(&house.paper), NOON + 60);
    assert_eq!(stopped.left().await, 6400 - 500);
    let next_day = House::over(limits, Arc::clone(&house.paper), NOON + DAY);
    assert_eq!(next_day.left().await, 6400);
}

#[tokio::test]
async fn a_day_ends_at_midnight() {
    let house = House::with(per_day(requests(1)));
    drop(house.enter("One", 1).await.unwrap());
    assert_eq!(
        hit(house.enter("One", 1).await).retry_after,
        Some(Duration::from_secs(DAY / 2))
    );
    house.later(DAY / 2);
    drop(house.enter("One", 1).await.unwrap());
}

#[tokio::test]
async fn nothing_begins_while_the_counters_cannot_be_kept() {
    let house = House::with(per_day(Caps {
        requests: Some(5),
        output: Some(100),
        ..Caps::default()
    }));
    house.paper.torn.store(true, Ordering::Relaxed);
    assert!(matches!(house.enter("One", 1).await, Err(NotAdmitted::Book(_))));
    house.paper.torn.store(false, Ordering::Relaxed);
    let mut reservation = house.enter("One", 1).await.unwrap();
    house.paper.torn.store(true, Ordering::Relaxed);
    let tokens = reservation.set_aside(Amounts::tokens(1, 50), 0).await;
    assert!(matches!(tokens, Err(NotAdmitted::Book(_))));
    assert!(house.quotas.settle().is_err());
    house.paper.torn.store(false, Ordering::Relaxed);
    drop(reservation);
    assert_eq!(house.left().await, 100, "what did not begin used nothing");
    // Minutes need no book.
    let house = House::with(per_minute(requests(5)));
    house.paper.torn.store(true, Ordering::Relaxed);
    assert!(house.enter("One", 1).await.is_ok());
}

#[tokio::test]
async fn not_every_request_waits_for_the_disk() {
    let house = House::with(per_day(requests(6400)));
    for _ in 0..300 {
        drop(house.enter("One", 1).await.unwrap());
    }
    assert!(house.paper.writes.load(Ordering::Relaxed) <= 3);
}

#[tokio::test]
async fn ten_thousand_principals_are_forgotten_once_they_are_quiet() {
    let limits = Limits {
        minute: requests(3),
        day: requests(3),
        sequences: Some(1),
    };
    let house = House::with(limits);
    for number in 0..10_000 {
        drop(house.enter(&format!("Role{number}"), 1).await.unwrap());
    }
    assert_eq!(house.quotas.ledger().len(), 10_000);
    house.later(70);
    house.quotas.settle().unwrap();
    assert_eq!(house.quotas.ledger().len(), 0);
    // Forgotten here, but not in the book.
    for _ in 0..2 {
        drop(house.enter("Role77", 1).await.unwrap());
    }
    assert_eq!(hit(house.enter("Role77", 1).await).per, Window::Day);
}
