//! Who waits, for whom, and for how long: the worker with a reception that the test plays.

use super::*;

/// A worker whose reception does not answer, for the test to play it.
fn worker(
    queue: usize,
) -> (
    Worker<Tiny>,
    Receiver<reception::Job>,
    Registry,
    Receiver<EngineEvent>,
) {
    let part = part("tiny");
    let pool = part.decoder.pool(13).unwrap();
    let limits = LaneLimits {
        max_sequences: 2,
        token_budget: 32,
    };
    let lane = Lane::new(part.decoder, Arc::clone(part.reader.tokenizer()), pool, limits);
    let ((jobs, requests), (outbox, events)) = (channel(), channel());
    let worker = Worker::new(vec![(part.card.id, lane)], jobs, queue);
    (worker, requests, Registry::new(outbox), events)
}

/// What the reception says of all requests that wait.
fn read_all(requests: &Receiver<reception::Job>) -> Vec<Note> {
    let (inbox, notes) = channel();
    let part = part("tiny");
    let reception = Reception {
        readers: vec![(part.reader, 200)],
        entropy: Arc::new(Seven),
        inbox,
    };
    let (jobs, again) = channel();
    requests.try_iter().for_each(|job| jobs.send(job).unwrap());
    drop(jobs);
    reception.run(&again);
    notes.iter().collect()
}

fn start_of(id: u64, isolation: u64) -> Note {
    let mut start = text(id, "a");
    start.isolation = isolation;
    Note::Command(EngineCommand::Start(start))
}

#[test]
fn cancelled_requests_keep_their_place_until_they_are_skipped() {
    let (mut worker, requests, mut registry, events) = worker(4);
    for id in 0..6 {
        worker.take(start_of(id, id), &mut registry);
        worker.take(
            Note::Command(EngineCommand::Cancel(SequenceId(id))),
            &mut registry,
        );
        outcome(&events, id);
    }
    worker.take(start_of(9, 9), &mut registry);
    assert_eq!(refusal(&events, 9), Refusal::Overloaded);
    for note in read_all(&requests) {
        let Note::Read(read) = &note else {
            panic!("no answer")
        };
        assert!(
            matches!(read.result, Err(EventKind::Finished { .. })),
            "it was read"
        );
        worker.take(note, &mut registry);
    }
    worker.take(start_of(9, 9), &mut registry);
    assert!(events.try_recv().is_err(), "there is room again");
}

#[test]
fn one_account_holds_at_most_half_of_the_queue() {
    let (mut worker, _requests, mut registry, events) = worker(4);
    // Two can run at once, and hold no place in the queue.
    for id in 0..5 {
        worker.take(start_of(id, 7), &mut registry);
    }
    assert_eq!(refusal(&events, 4), Refusal::Overloaded);
    for id in 10..13 {
        worker.take(start_of(id, id), &mut registry);
    }
    assert_eq!(refusal(&events, 12), Refusal::Overloaded);
    assert!(events.try_recv().is_err(), "the others wait");
}

#[test]
fn nobody_waits_for_more_than_one_request_of_another_account() {
    let (mut worker, requests, mut registry, _events) = worker(16);
    for (id, isolation) in [(0, 7), (1, 7), (2, 7), (3, 8), (4, 9), (5, 8)] {
        worker.take(start_of(id, isolation), &mut registry);
    }
    let order = read_all(&requests).into_iter().map(|note| match note {
        Note::Read(read) => read.sequence.0,
        Note::Command(_) => panic!("no answer"),
    });
    assert_eq!(order.collect::<Vec<_>>(), [0, 3, 4, 1, 5, 2]);
}

#[test]
fn cancelling_crediting_and_measuring_wait_for_nothing_that_is_read() {
    let (mut worker, requests, mut registry, events) = worker(16);
    for id in 0..3 {
        worker.take(start_of(id, 0), &mut registry);
    }
    worker.take(
        Note::Command(EngineCommand::Measure(SequenceId(9))),
        &mut registry,
    );
    let EventKind::Measured(loads) = outcome(&events, 9).1 else {
        panic!("not measured")
    };
    assert_eq!((loads.len(), loads[0].waiting, loads[0].running), (1, 3, 0));
    worker.take(Note::Command(EngineCommand::Cancel(SequenceId(1))), &mut registry);
    assert!(matches!(outcome(&events, 1).1, EventKind::Finished { .. }));
    let tokens = 5;
    let sequence = SequenceId(2);
    worker.take(
        Note::Command(EngineCommand::Credit { sequence, tokens }),
        &mut registry,
    );
    for note in read_all(&requests) {
        worker.take(note, &mut registry);
    }
    while worker.step(&mut registry) {}
    assert_eq!(outcome(&events, 2).0, "bcde");
}

#[test]
fn counts_wait_in_the_same_queue_and_can_be_cancelled() {
    let (mut worker, requests, mut registry, events) = worker(4);
    let ask = |id| Note::Command(count(id, Prompt::Tokens(vec![1, 2, 3].into())));
    worker.take(ask(0), &mut registry);
    worker.take(ask(0), &mut registry);
    assert_eq!(refusal(&events, 0), Refusal::DuplicateSequence);
    worker.take(
        Note::Command(EngineCommand::Measure(SequenceId(0))),
        &mut registry,
    );
    assert_eq!(refusal(&events, 0), Refusal::DuplicateSequence);
    for id in [1, 3, 4] {
        worker.take(start_of(id, 0), &mut registry);
    }
    worker.take(ask(2), &mut registry);
    assert_eq!(refusal(&events, 2), Refusal::Overloaded);
    worker.take(Note::Command(EngineCommand::Cancel(SequenceId(0))), &mut registry);
    assert!(matches!(outcome(&events, 0).1, EventKind::Finished { .. }));
    let notes = read_all(&requests);
    assert_eq!(notes.len(), 4);
    for note in notes {
        worker.take(note, &mut registry);
    }
    worker.take(ask(2), &mut registry);
    for note in read_all(&requests) {
        worker.take(note, &mut registry);
    }
    assert!(matches!(outcome(&events, 2).1, EventKind::Counted { tokens: 3 }));
}

/// A sequence of account 7 that follows others or not, and announces so many more.
fn part_of(id: u64, follows: bool, to_come: u32) -> Note {
    let mut start = text(id, "a");
    start.isolation = 7;
    start.together = Together { follows, to_come };
    Note::Command(EngineCommand::Start(start))
}

#[test]
fn room_is_asked_for_all_that_come_together_and_kept_for_them() {
    let (mut worker, requests, mut registry, events) = worker(4);
    // Two run and two wait: what is more could never be there at once.
    worker.take(part_of(0, false, 4), &mut registry);
    assert_eq!(refusal(&events, 0), Refusal::TooManyTogether { most: 4 });
    worker.take(part_of(0, false, 3), &mut registry);
    worker.take(part_of(50, false, 0), &mut registry);
    assert_eq!(refusal(&events, 50), Refusal::Overloaded, "the room is taken");
    for (id, to_come) in [(1, 2), (2, 1), (3, 0)] {
        worker.take(part_of(id, true, to_come), &mut registry);
    }
    worker.take(part_of(50, true, 0), &mut registry);
    assert_eq!(
        refusal(&events, 50),
        Refusal::Overloaded,
        "nothing is kept any more"
    );
    for note in read_all(&requests) {
        worker.take(note, &mut registry);
    }
    while worker.step(&mut registry) {}
    let mut ended: Vec<_> = events
        .try_iter()
        .filter(|e| matches!(e.kind, EventKind::Finished { .. }))
        .map(|e| e.sequence.0)
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2, 3]);
}

#[test]
fn nothing_is_kept_for_companions_of_a_sequence_that_ended() {
    let (mut worker, requests, mut registry, events) = worker(4);
    worker.take(part_of(0, false, 3), &mut registry);
    worker.take(Note::Command(EngineCommand::Cancel(SequenceId(0))), &mut registry);
    for note in read_all(&requests) {
        worker.take(note, &mut registry);
    }
    outcome(&events, 0);
    worker.take(part_of(1, false, 3), &mut registry);
    assert!(events.try_recv().is_err(), "there is room for all four again");
}

/// Every way in which a sequence can end, thousands of times over: nothing is kept of any of them.
#[test]
fn nothing_is_kept_of_sequences_that_ended() {
    let (mut worker, requests, mut registry, events) = worker(64);
    let mut terminal = 0;
    for round in 0..400_u64 {
        let asked = (0..10).map(|kind| (round * 10 + kind, kind));
        for (id, kind) in asked.clone() {
            let mut start = text(id, if kind == 1 { "" } else { "a" });
            start.isolation = id % 3;
            start.credit = if kind == 2 { 1 } else { 9 };
            start.bias = vec![(u32::from(b'x'), 0.5)];
            start.logprobs = (kind == 3).then_some(20);
            start.sampling = Sampling::GREEDY.with_penalties(0.1, 0.1, 1.1).unwrap();
            if kind == 4 {
                start.stop = vec![Content::new("cd".to_owned())];
            }
            let note = if kind == 5 {
                count(id, Prompt::Tokens(vec![1].into()))
            } else {
                EngineCommand::Start(start)
            };
            worker.take(Note::Command(note), &mut registry);
            if kind == 6 {
                worker.take(
                    Note::Command(EngineCommand::Cancel(SequenceId(id))),
                    &mut registry,
                );
            }
        }
        for note in read_all(&requests) {
            worker.take(note, &mut registry);
        }
        while worker.step(&mut registry) {}
        for (id, _) in asked.filter(|(_, kind)| *kind == 2) {
            worker.take(
                Note::Command(EngineCommand::Cancel(SequenceId(id))),
                &mut registry,
            );
        }
        terminal += events.try_iter().filter(|event| event.kind.is_terminal()).count();
    }
    assert_eq!(terminal, 4000);
    assert_eq!(registry.living(), 0);
    worker.take(
        Note::Command(EngineCommand::Measure(SequenceId(0))),
        &mut registry,
    );
    let EventKind::Measured(loads) = outcome(&events, 0).1 else {
        panic!("not measured")
    };
    assert_eq!(
        (loads[0].running, loads[0].waiting, loads[0].kv_blocks_used),
        (0, 0, 0)
    );
    // Of ten, one is refused, one counted, and one cancelled before it ran.
    assert_eq!(loads[0].prompt_tokens, 400 * 7);
}
