//! The bridge against an engine that the test plays itself.

use std::sync::mpsc::{Receiver, Sender, channel};

use moho_engine::{
    EngineCommand, EngineEvent, EngineGone, EventKind, Failure, FinishReason, OutputFormat, Prompt, Refusal,
    Sampling, SequenceId, StartSequence, Together, Usage,
};
use moho_terms::Content;

use super::{EVENTS_WITHOUT_CREDIT, EngineLink, Sequence, WINDOW};
use crate::quota::tests::{House, output, per_minute};
use crate::quota::{Bill, PIECE};
use crate::telemetry::tests::span;

struct Played {
    commands: Receiver<EngineCommand>,
    events: Sender<EngineEvent>,
}

impl Played {
    fn start() -> (EngineLink, Self) {
        let (commands, inbox) = channel();
        let (outbox, events) = channel();
        (
            EngineLink::over(
                Box::new(move |command| commands.send(command).map_err(|_gone| EngineGone)),
                events,
            )
            .unwrap(),
            Self {
                commands: inbox,
                events: outbox,
            },
        )
    }

    fn says(&self, sequence: SequenceId, kind: EventKind) {
        self.events.send(EngineEvent { sequence, kind }).unwrap();
    }

    fn says_token(&self, sequence: SequenceId) {
        self.says(
            sequence,
            EventKind::Text {
                text: Content::new("a".to_owned()),
                tokens: 1,
                logprobs: Vec::new(),
            },
        );
    }

    fn hears_start(&self) -> (SequenceId, u32) {
        let EngineCommand::Start(start) = self.commands.recv().unwrap() else {
            panic!("not a start")
        };
        (start.sequence, start.credit)
    }

    fn hears_credit(&self) -> u32 {
        let EngineCommand::Credit { tokens, .. } = self.commands.recv().unwrap() else {
            panic!("not credit")
        };
        tokens
    }

    fn hears_cancel(&self) -> SequenceId {
        let EngineCommand::Cancel(id) = self.commands.recv().unwrap() else {
            panic!("not a cancellation")
        };
        id
    }
}

fn start(link: &EngineLink) -> Sequence {
    start_paying(link, None)
}

fn start_paying(link: &EngineLink, bill: Option<Bill>) -> Sequence {
    let start = StartSequence {
        sequence: SequenceId(0),
        model: "m".parse().unwrap(),
        prompt: Prompt::Text(Content::new("once".to_owned())),
        sampling: Sampling::GREEDY,
        max_tokens: None,
        bias: Vec::new(),
        logprobs: None,
        stop: Vec::new(),
        output: OutputFormat::Text,
        credit: 0,
        isolation: 0,
        together: Together::default(),
    };
    link.start_sequence(Box::new(start), &span(), bill).unwrap()
}

fn finished(reason: FinishReason) -> EventKind {
    EventKind::Finished {
        reason,
        usage: Usage {
            prompt_tokens: 1,
            cached_tokens: 0,
            completion_tokens: 1,
        },
    }
}

#[tokio::test]
async fn each_sequence_reads_its_own_events_up_to_the_end() {
    let (link, engine) = Played::start();
    let (mut one, mut two) = (start(&link), start(&link));
    let ((first, credit), (second, _)) = (engine.hears_start(), engine.hears_start());
    assert_ne!(first, second);
    assert_eq!(credit, WINDOW);
    engine.says(second, EventKind::Refused(Refusal::Overloaded));
    engine.says(
        first,
        EventKind::Admitted {
            prompt_tokens: 3,
            cached_tokens: 0,
        },
    );
    engine.says_token(first);
    engine.says(first, finished(FinishReason::Stop));
    assert!(matches!(
        one.next().await,
        Some(EventKind::Admitted { prompt_tokens: 3, .. })
    ));
    assert!(matches!(one.next().await, Some(EventKind::Text { .. })));
    assert!(matches!(
        one.next().await,
        Some(EventKind::Finished {
            reason: FinishReason::Stop,
            ..
        })
    ));
    assert!(one.next().await.is_none());
    assert!(matches!(
        two.next().await,
        Some(EventKind::Refused(Refusal::Overloaded))
    ));
    drop((one, two));
    assert!(
        engine.commands.try_recv().is_err(),
        "an ended sequence is not cancelled"
    );
}

#[tokio::test]
async fn credit_comes_back_only_as_the_road_reads() {
    let (link, engine) = Played::start();
    let mut sequence = start(&link);
    let (id, credit) = engine.hears_start();
    for _ in 0..credit {
        engine.says_token(id);
    }
    assert!(
        engine.commands.try_recv().is_err(),
        "nothing was read, so the engine may not go on"
    );
    for _ in 0..credit / 2 {
        sequence.next().await.unwrap();
    }
    assert_eq!(engine.hears_credit(), credit / 2);
    assert!(engine.commands.try_recv().is_err());
}

/// An answer of no limit of its own is written as far as the quota has room for it, and ends there.
#[tokio::test]
async fn credit_is_given_only_for_what_is_set_aside() {
    const LIMIT: u64 = 90;
    let house = House::with(per_minute(output(LIMIT)));
    let (link, engine) = Played::start();
    let mut sequence = start_paying(&link, Some(house.ask_openly(0, 1000).await.unwrap()));
    let (id, mut credit) = engine.hears_start();
    assert_eq!(u64::from(credit), LIMIT / 4);
    let mut said = 0_u64;
    let last = loop {
        while credit > 0 {
            engine.says_token(id);
            credit -= 1;
            said += 1;
            assert!(matches!(sequence.next().await, Some(EventKind::Text { .. })));
        }
        match engine.commands.try_recv() {
            Ok(EngineCommand::Credit { tokens, .. }) => credit += tokens,
            Ok(EngineCommand::LastCredit(id)) => break id,
            Ok(_) | Err(_) => panic!("neither credit nor the last of it"),
        }
    };
    assert_eq!(last, id);
    assert_eq!((said + u64::from(credit), house.left().await), (LIMIT, 0));
    engine.says(id, finished(FinishReason::Length));
    assert!(matches!(
        sequence.next().await,
        Some(EventKind::Finished {
            reason: FinishReason::Length,
            ..
        })
    ));
    assert!(engine.commands.try_recv().is_err(), "the last is told once");
}

#[tokio::test]
async fn what_is_set_aside_and_not_used_comes_back_when_a_client_leaves() {
    let house = House::with(per_minute(output(4000)));
    let (link, engine) = Played::start();
    let mut sequence = start_paying(&link, Some(house.ask_openly(0, 4000).await.unwrap()));
    let (id, _) = engine.hears_start();
    for _ in 0..20 {
        engine.says_token(id);
        sequence.next().await.unwrap();
    }
    assert_eq!(house.left().await, 4000 - PIECE);
    drop(sequence);
    assert_eq!(house.left().await, 4000 - 20);
}

#[tokio::test]
async fn leaving_cancels() {
    let (link, engine) = Played::start();
    let sequence = start(&link);
    let (id, _) = engine.hears_start();
    drop(sequence);
    assert_eq!(engine.hears_cancel(), id);
    engine.says(id, finished(FinishReason::Cancelled));
    assert!(link.shared.readers().as_ref().unwrap().is_empty());
}

#[tokio::test]
async fn an_engine_that_overruns_its_credit_loses_the_sequence_not_the_bridge() {
    let (link, engine) = Played::start();
    let (mut overrun, mut other) = (start(&link), start(&link));
    let ((id, credit), (fine, _)) = (engine.hears_start(), engine.hears_start());
    let room = usize::try_from(credit).unwrap() + EVENTS_WITHOUT_CREDIT;
    for _ in 0..=room {
        engine.says_token(id);
    }
    assert_eq!(engine.hears_cancel(), id);
    engine.says_token(fine);
    assert!(matches!(other.next().await, Some(EventKind::Text { .. })));
    for _ in 0..room {
        assert!(matches!(overrun.next().await, Some(EventKind::Text { .. })));
    }
    assert!(matches!(
        overrun.next().await,
        Some(EventKind::Failed(Failure::EngineStopped))
    ));
}

#[tokio::test]
async fn an_engine_that_ends_is_seen_by_everybody() {
    let (link, engine) = Played::start();
    let mut sequence = start(&link);
    assert!(!link.has_ended());
    drop(engine);
    assert!(matches!(
        sequence.next().await,
        Some(EventKind::Failed(Failure::EngineStopped))
    ));
    assert!(sequence.next().await.is_none());
    assert!(link.has_ended());
}

#[tokio::test]
async fn a_prompt_is_counted_or_refused() {
    let (link, engine) = Played::start();
    let count = || {
        link.count(
            "m".parse().unwrap(),
            Prompt::Text(Content::new("a".to_owned())),
            7,
        )
    };
    let hears = |answer: EventKind| {
        let EngineCommand::Count {
            ticket, isolation, ..
        } = engine.commands.recv().unwrap()
        else {
            panic!("not a count")
        };
        assert_eq!(isolation, 7);
        engine.says(ticket, answer);
    };
    let (counted, ()) = tokio::join!(count(), async { hears(EventKind::Counted { tokens: 5 }) });
    assert_eq!(counted, Ok(Ok(5)));
    let (refused, ()) = tokio::join!(count(), async {
        hears(EventKind::Refused(Refusal::UnknownModel));
    });
    assert_eq!(refused, Ok(Err(Refusal::UnknownModel)));
    let (failed, ()) = tokio::join!(count(), async {
        hears(EventKind::Failed(Failure::EngineStopped));
    });
    assert_eq!(failed, Err(EngineGone));
    assert!(
        engine.commands.try_recv().is_err(),
        "what was answered is not given up"
    );
}

#[tokio::test]
async fn a_count_that_nobody_waits_for_is_given_up() {
    let (link, engine) = Played::start();
    {
        let count = std::pin::pin!(link.count(
            "m".parse().unwrap(),
            Prompt::Text(Content::new("a".to_owned())),
            0
        ));
        let nothing = std::future::ready(());
        tokio::select! {
            biased;
            _counted = count => panic!("nobody answered"),
            () = nothing => {}
        }
    }
    let EngineCommand::Count { ticket, .. } = engine.commands.recv().unwrap() else {
        panic!("not a count")
    };
    assert_eq!(engine.hears_cancel(), ticket);
    assert!(link.shared.readers().as_ref().unwrap().is_empty());
}

#[tokio::test]
async fn an_engine_that_has_ended_measures_nothing() {
    let (link, engine) = Played::start();
    let measured = async {
        let EngineCommand::Measure(ticket) = engine.commands.recv().unwrap() else {
            panic!("not a measure")
        };
        engine.says(ticket, EventKind::Measured(Vec::new()));
    };
    let (loads, ()) = tokio::join!(link.measure(), measured);
    assert_eq!(loads, Some(Vec::new()));
    drop(engine);
    assert_eq!(link.measure().await, None);
}
