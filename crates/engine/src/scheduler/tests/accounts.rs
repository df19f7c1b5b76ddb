//! Whose turn it is when accounts ask for more than runs at once.

use super::*;

const TWO: LaneLimits = LaneLimits {
    max_sequences: 2,
    token_budget: 64,
};

fn of_account(isolation: u64, request: Request) -> Request {
    Request { isolation, ..request }
}

/// The sequences that have begun.
fn begun(log: &Log) -> Vec<u64> {
    let begun = log.0.iter().filter(|(_, told)| told.scheduled > 0);
    begun.map(|(id, _)| id.0).collect()
}

#[test]
fn an_account_that_asks_for_much_holds_up_no_other() {
    let (mut lane, mut log) = (lane(false, 50, TWO), Log::default());
    for id in 0..20 {
        let tokens = if id == 0 { 3 } else { 20 };
        lane.enqueue(
            of_account(7, request(id, &text_of("A"), Some(tokens), 99)),
            &mut log,
        );
    }
    lane.step(&mut log);
    lane.enqueue(of_account(8, request(50, &text_of("a"), Some(20), 99)), &mut log);
    lane.enqueue(of_account(8, request(51, &text_of("a"), Some(20), 99)), &mut log);
    while begun(&log).len() < 3 {
        assert!(lane.step(&mut log));
    }
    assert_eq!(
        begun(&log),
        [0, 1, 50],
        "the first free place is the other account's"
    );
    // Each has one running: the next place goes to whose request came first.
    while begun(&log).len() < 5 {
        assert!(lane.step(&mut log));
    }
    assert_eq!(begun(&log), [0, 1, 2, 50, 51]);
    while lane.step(&mut log) {}
    assert!(
        log.0
            .values()
            .all(|told| told.reason() == Some(FinishReason::Length))
    );
    assert_eq!(lane.free_blocks(), 50);
}

#[test]
fn newcomers_do_not_starve_an_account_that_waits() {
    let (mut lane, mut log) = (lane(false, 50, TWO), Log::default());
    for id in 0..6 {
        lane.enqueue(of_account(7, request(id, &text_of("A"), Some(4), 99)), &mut log);
    }
    for id in 100..150 {
        // An account that nobody has seen before, as often as there is a step.
        lane.enqueue(request(id, &text_of("a"), Some(4), 99), &mut log);
        lane.step(&mut log);
    }
    let waited_for = log.0.range(..SequenceId(100));
    assert!(waited_for.into_iter().all(|(_, told)| told.reason().is_some()));
}

#[test]
fn who_lost_its_blocks_to_an_older_one_comes_back_before_anybody_new() {
    let limits = LaneLimits {
        max_sequences: 3,
        token_budget: 64,
    };
    let (mut lane, mut log) = (lane(true, 4, limits), Log::default());
    let grows = |id, tokens| of_account(7, sampled(id, &Start::new(&[b'a'; 15], Some(tokens), 99)));
    for (id, tokens) in [(0, 40), (1, 30), (2, 30)] {
        lane.enqueue(grows(id, tokens), &mut log);
    }
    let model = || "tiny".parse().unwrap();
    while lane.load(model()).preemptions == 0 {
        assert!(lane.step(&mut log));
    }
    // Nothing runs of this account, but more was promised to the one that ran.
    lane.enqueue(request(9, &text_of("a"), Some(1), 99), &mut log);
    let displaced = SequenceId(2);
    let before = log.0[&displaced].tokens;
    while log.0[&SequenceId(9)].scheduled == 0 {
        assert!(lane.step(&mut log));
    }
    assert!(log.0[&displaced].tokens > before || log.0[&displaced].reason().is_some());
    while lane.step(&mut log) {}
    assert!(log.0.values().all(|told| told.reason().is_some()));
}
