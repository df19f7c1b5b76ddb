//! Answers of no limit of their own: they take a piece at a time, leave others room, and never pass a limit.

use proptest::prelude::*;

use super::*;

fn both(most: u64) -> Caps {
    Caps {
        tokens: Some(most),
        ..Caps::default()
    }
}

/// Generates until there is no more room; how many tokens that were.
async fn write(bill: &mut Bill, piece: u64) -> u64 {
    let mut written = 0;
    loop {
        let covered = bill.cover(piece).await;
        bill.generated(covered);
        written += covered;
        if covered < piece {
            return written;
        }
    }
}

#[tokio::test]
async fn an_answer_of_no_limit_needs_no_more_than_is_left() {
    let house = House::with(per_day(both(2000)));
    drop(house.ask(34, 0).await.unwrap());
    let mut bill = house.ask_openly(34, 8000).await.unwrap();
    assert_eq!(house.left().await, 2000 - 34 - 34 - PIECE);
    assert_eq!(write(&mut bill, 32).await, 2000 - 34 - 34);
    drop(bill);
    assert_eq!(house.left().await, 0);
}

#[tokio::test]
async fn an_answer_of_no_limit_leaves_others_room() {
    let house = House::with(per_minute(output(100)));
    let mut open = house.ask_openly(0, 100).await.unwrap();
    assert_eq!(house.left().await, 75);
    let mut named = house.ask(0, 40).await.unwrap();
    let other = house.ask_openly(0, 100).await.unwrap();
    assert_eq!((open.covered(), other.covered()), (Some(25), Some(16)));
    assert_eq!(write(&mut open, 32).await, 44, "what others hold is theirs");
    named.generated(40);
    drop((named, other));
    assert_eq!(house.left().await, 16, "what is not used comes back");
}

#[tokio::test]
async fn too_little_is_refused_and_not_begun() {
    let house = House::with(per_minute(output(100)));
    let mut bill = house.ask(0, 85).await.unwrap();
    bill.generated(85);
    drop(bill);
    let refused = hit(house.ask_openly(0, 100).await);
    assert_eq!((refused.used, refused.requested), (85, FEW));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(65)));
    assert_eq!(house.left().await, 15);
}

#[tokio::test]
async fn it_takes_no_more_than_the_answer_may_have() {
    let house = House::with(per_minute(output(10_000)));
    let mut bill = house.ask_openly(0, 300).await.unwrap();
    assert_eq!((bill.covered(), house.left().await), (Some(256), 10_000 - 256));
    assert_eq!(bill.cover(280).await, 280);
    assert_eq!((bill.covered(), house.left().await), (None, 10_000 - 300));
    drop(bill);
    let short = house.ask_openly(0, 9).await.unwrap();
    assert_eq!((short.covered(), house.left().await), (None, 10_000 - 9));
}

#[tokio::test]
async fn it_ends_when_the_counters_cannot_be_kept() {
    let house = House::with(per_day(output(2000)));
    let mut bill = house.ask_openly(0, 2000).await.unwrap();
    house.paper.torn.store(true, Ordering::Relaxed);
    assert_eq!(
        write(&mut bill, 32).await,
        PIECE,
        "which was written before it began"
    );
    house.paper.torn.store(false, Ordering::Relaxed);
    drop(bill);
    assert_eq!(house.left().await, 2000 - PIECE);
}

#[tokio::test]
async fn not_every_piece_waits_for_the_disk() {
    let house = House::with(per_day(output(256 * 64)));
    let mut bill = house.ask_openly(0, 256 * 64).await.unwrap();
    for _ in 0..128 {
        assert_eq!(bill.cover(32).await, 32);
        bill.generated(32);
    }
    assert_eq!(house.left().await, 256 * (64 - 16));
    // One for the request, and one for two pieces, as the second was written ahead.
    assert!(house.paper.writes.load(Ordering::Relaxed) <= 9);
}

#[derive(Debug, Clone)]
enum Act {
    Named(u64, u64),
    Open(u64, u64),
    Write { which: usize, tokens: u64 },
    End { which: usize },
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0_u64..20, 1_u64..90).prop_map(|(input, most)| Act::Named(input, most)),
        2 => (0_u64..20, 1_u64..400).prop_map(|(input, longest)| Act::Open(input, longest)),
        5 => (0_usize..6, 1_u64..60).prop_map(|(which, tokens)| Act::Write { which, tokens }),
        2 => (0_usize..6).prop_map(|which| Act::End { which }),
        1 => (1_u64..40).prop_map(Act::Wait),
    ]
}

/// What was said to be used, and when.
#[derive(Default)]
struct Said(Vec<(u64, u64)>);

impl Said {
    fn since(&self, second: u64) -> u64 {
        let since = self.0.iter().filter(|(when, _)| *when >= second);
        since.map(|(_, tokens)| tokens).sum()
    }
}

/// Does all that, and asserts that no window ever saw more than its limit.
async fn never_exceeded(acts: Vec<Act>, limit: (u64, u64)) {
    let (minute, day) = limit;
    let house = House::with(Limits {
        minute: both(minute),
        day: both(day),
        sequences: None,
    });
    let (mut bills, mut said, mut now) = (Vec::<(Bill, u64)>::new(), Said::default(), 0);
    for act in acts {
        match act {
            Act::Named(input, most) => {
                if let Ok(bill) = house.ask(input, most).await {
                    said.0.push((now, input));
                    bills.push((bill, most));
                }
            }
            Act::Open(input, longest) => {
                if let Ok(bill) = house.ask_openly(input, longest).await {
                    said.0.push((now, input));
                    bills.push((bill, longest));
                }
            }
            Act::Write { which, tokens } => {
                if let Some((bill, most)) = bills.get_mut(which) {
                    let tokens = bill.cover(tokens).await.min(*most);
                    bill.generated(tokens);
                    *most -= tokens;
                    said.0.push((now, tokens));
                }
            }
            Act::End { which } => {
                if which < bills.len() {
                    drop(bills.remove(which));
                }
            }
            Act::Wait(seconds) => {
                house.later(seconds);
                now += seconds;
            }
        }
        assert!(said.since(now.saturating_sub(60)) <= minute);
        assert!(said.since(0) <= day);
    }
    bills.clear();
    let left = day - said.since(0);
    assert!(house.left().await <= left);
    house.later(100);
    assert_eq!(house.left().await, left.min(minute), "all is given back");
}

proptest! {
    #[test]
    fn no_window_ever_sees_more_than_its_limit(
        acts in proptest::collection::vec(act(), 1..60),
        limit in (30_u64..300, 100_u64..900),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(never_exceeded(acts, limit));
    }
}
