//! The whole engine through its messages, with a small model whose every number is known.

mod line;

use moho_terms::{Content, EntropyUnavailable};

use super::*;
use crate::grammar::Grammars;
use crate::message::*;
use crate::scheduler::tests::{PANICS, Tiny};
use crate::template::ChatTemplate;
use crate::tokenizer::tests::tokenizer;

struct Seven;
impl Entropy for Seven {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(7);
        Ok(())
    }
}

fn part(name: &str) -> Part<Tiny> {
    let tokenizer = Arc::new(tokenizer());
    let source =
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}";
    let template = ChatTemplate::new(source, &tokenizer).unwrap();
    let grammars = Grammars::new(&tokenizer).unwrap();
    let card = ModelCard {
        id: name.parse().unwrap(),
        context_length: 200,
        parameters: 1,
        digest: [0; 32],
        quantisation: "F32".to_owned(),
    };
    Part {
        card,
        decoder: Tiny::new(false, 200),
        reader: Reader::new(tokenizer, Some(template), grammars),
    }
}

const SMALL: EngineConfig = EngineConfig {
    kv_bytes: 1 << 16,
    max_sequences: 8,
    queue: 16,
    token_budget: 32,
};

fn engine(config: EngineConfig) -> (EngineHandle, Receiver<EngineEvent>) {
    start(config, vec![part("tiny"), part("other")], Arc::new(Seven)).unwrap_or_else(|e| panic!("{e}"))
}

fn text(id: u64, words: &str) -> Box<StartSequence> {
    Box::new(StartSequence {
        sequence: SequenceId(id),
        model: "tiny".parse().unwrap(),
        prompt: Prompt::Text(Content::new(words.to_owned())),
        sampling: Sampling::GREEDY,
        max_tokens: Some(4),
        bias: Vec::new(),
        logprobs: None,
        stop: Vec::new(),
        output: OutputFormat::Text,
        credit: 100,
        isolation: 0,
        together: Together::default(),
    })
}

fn count(id: u64, prompt: Prompt) -> EngineCommand {
    EngineCommand::Count {
        ticket: SequenceId(id),
        model: "tiny".parse().unwrap(),
        prompt,
        isolation: 0,
    }
}

/// All text of a sequence and its last event.
fn outcome(events: &Receiver<EngineEvent>, id: u64) -> (String, EventKind) {
    let mut text = String::new();
    // An engine that never answers fails the test instead of holding it up.
    let patience = std::time::Duration::from_secs(60);
    let told = std::iter::from_fn(|| events.recv_timeout(patience).ok());
    for event in told.filter(|e| e.sequence == SequenceId(id)) {
        match event.kind {
            EventKind::Text { text: more, .. } => text.push_str(more.expose()),
            EventKind::Admitted { .. } | EventKind::Scheduled => {}
            last @ (EventKind::Counted { .. }
            | EventKind::Measured(_)
            | EventKind::Finished { .. }
            | EventKind::Refused(_)
            | EventKind::Failed(_)) => {
                return (text, last);
            }
        }
    }
    panic!("the engine gave no answer");
}

fn refusal(events: &Receiver<EngineEvent>, id: u64) -> Refusal {
    let EventKind::Refused(refusal) = outcome(events, id).1 else {
        panic!("not refused")
    };
    refusal
}

#[test]
fn two_models_answer() {
    let (engine, events) = engine(SMALL);
    engine.send(EngineCommand::Start(text(1, "xa"))).unwrap();
    assert_eq!(outcome(&events, 1).0, "bcde");
    let mut other = text(1, "xA");
    other.model = "other".parse().unwrap();
    engine.send(EngineCommand::Start(other)).unwrap();
    assert_eq!(outcome(&events, 1).0, "BCDE");
    assert_eq!(engine.models().len(), 2);
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_reason() {
    let (engine, events) = engine(SMALL);
    type Spoil = fn(&mut StartSequence);
    let spoiled: [(Spoil, Refusal); 15] = [
        (|s| s.model = "absent".parse().unwrap(), Refusal::UnknownModel),
        (
            |s| s.prompt = Prompt::Text(Content::new("a".repeat(200))),
            Refusal::ContextOverflow {
                prompt_tokens: 200,
                limit: 200,
            },
        ),
        (
            |s| s.prompt = Prompt::Text(Content::new("a".repeat(10_000))),
            Refusal::InvalidPrompt(PromptFault::TooLong),
        ),
        (
            |s| s.prompt = Prompt::Text(Content::new(String::new())),
            Refusal::InvalidPrompt(PromptFault::Empty),
        ),
        (
            |s| s.prompt = Prompt::Chat(Vec::new()),
            Refusal::InvalidPrompt(PromptFault::Empty),
        ),
        (
            |s| s.prompt = Prompt::Tokens(vec![260].into()),
            Refusal::InvalidPrompt(PromptFault::UnknownToken),
        ),
        (
            |s| s.stop = vec![Content::new(String::new())],
            Refusal::InvalidStop,
        ),
        (
            |s| s.stop = (0..17).map(|_| Content::new("x".to_owned())).collect(),
            Refusal::InvalidStop,
        ),
        (
            |s| s.bias = (0..1025).map(|token| (token % 260, 1.0)).collect(),
            Refusal::InvalidBias,
        ),
        (|s| s.bias = vec![(260, 1.0)], Refusal::InvalidBias),
        (
            |s| s.bias = vec![(3, 1.0), (2, 1.0), (3, 1.0)],
            Refusal::InvalidBias,
        ),
        (|s| s.bias = vec![(3, 100.5)], Refusal::InvalidBias),
        (|s| s.bias = vec![(3, f32::NAN)], Refusal::InvalidBias),
        (|s| s.logprobs = Some(21), Refusal::InvalidLogprobs),
        (
            |s| s.output = OutputFormat::JsonSchema(Content::new("[]".to_owned())),
            Refusal::InvalidSchema("it is not a JSON object".to_owned()),
        ),
    ];
    for (spoil, expected) in spoiled {
        let mut start = text(1, "a");
        spoil(&mut start);
        engine.send(EngineCommand::Start(start)).unwrap();
        assert_eq!(refusal(&events, 1), expected);
    }
}

#[test]
fn a_count_is_what_the_prompt_later_takes() {
    let (engine, events) = engine(SMALL);
    let chat = |turns: &[(&'static str, &str)]| {
        let turn = |(role, words): &(&'static str, &str)| ChatTurn {
            role,
            text: Content::new((*words).to_owned()),
        };
        Prompt::Chat(turns.iter().map(turn).collect())
    };
    let prompt = |which| match which {
        0 => chat(&[("user", "he said <|im_end|>")]),
        1 => chat(&[("system", ""), ("user", "\u{1f600}"), ("assistant", "hehe")]),
        2 => chat(&[]),
        3 => Prompt::Text(Content::new("<think>he".to_owned())),
        4 => Prompt::Text(Content::new("a".repeat(200))),
        5 => Prompt::Tokens(vec![1, 2, 256].into()),
        _ => Prompt::Tokens(vec![260].into()),
    };
    for which in 0..7 {
        engine.send(count(1, prompt(which))).unwrap();
        let counted = outcome(&events, 1).1;
        let mut start = text(2, "");
        start.prompt = prompt(which);
        engine.send(EngineCommand::Start(start)).unwrap();
        match (counted, outcome(&events, 2).1) {
            (EventKind::Counted { tokens }, EventKind::Finished { usage, .. }) => {
                assert_eq!(tokens, usage.prompt_tokens);
            }
            (EventKind::Refused(one), EventKind::Refused(other)) => assert_eq!(one, other),
            _ => panic!("counted and taken differ"),
        }
    }
}

#[test]
fn as_many_streams_as_one_account_may_have_all_end() {
    let config = EngineConfig {
        kv_bytes: 1 << 20,
        ..EngineConfig::default()
    };
    assert_eq!((config.max_sequences, config.queue), (32, 512));
    let (engine, events) = engine(config);
    for id in 0..256 {
        let mut start = text(id, "a");
        start.max_tokens = Some(1 + u32::try_from(id % 7).unwrap());
        engine.send(EngineCommand::Start(start)).unwrap();
    }
    let finished = events.iter().filter(|event| event.kind.is_terminal()).take(256);
    let ended = finished.filter(|event| matches!(event.kind, EventKind::Finished { .. }));
    assert_eq!(ended.count(), 256);
}

#[test]
fn a_tenants_words_are_never_control_tokens() {
    let (engine, events) = engine(SMALL);
    let turns = |words: &str| {
        Prompt::Chat(vec![ChatTurn {
            role: "user",
            text: Content::new(words.to_owned()),
        }])
    };
    // Control tokens count as one: the template's two, and "user\n".
    for (words, tokens) in [("hi", 2), ("<|im_end|>", 10)] {
        let mut chat = text(1, "");
        chat.prompt = turns(words);
        engine.send(EngineCommand::Start(chat)).unwrap();
        let EventKind::Finished { usage, .. } = outcome(&events, 1).1 else {
            panic!("not finished")
        };
        assert_eq!(usage.prompt_tokens, 2 + 5 + tokens);
    }
}

#[test]
fn json_is_held_although_the_model_would_not() {
    let (engine, events) = engine(SMALL);
    let mut json = text(1, "a");
    json.output = OutputFormat::JsonSchema(Content::new(r#"{"type":"object","properties":{"ok":{"const":true}},"required":["ok"],"additionalProperties":false}"#.to_owned()));
    // White space comes to an end as well, but this model does write all that it may.
    json.max_tokens = Some(150);
    engine.send(EngineCommand::Start(json)).unwrap();
    let (words, last) = outcome(&events, 1);
    assert_eq!(words.replace([' ', '\t', '\r', '\n'], ""), r#"{"ok":true}"#);
    assert!(matches!(
        last,
        EventKind::Finished {
            reason: FinishReason::Stop,
            ..
        }
    ));
}

#[test]
fn more_than_the_queue_holds_is_turned_away_and_the_rest_still_served() {
    let (engine, events) = engine(EngineConfig {
        queue: 4,
        max_sequences: 1,
        ..SMALL
    });
    for id in 1..=4 {
        let mut start = text(id, "a");
        start.credit = 0;
        engine.send(EngineCommand::Start(start)).unwrap();
    }
    assert_eq!(refusal(&events, 4), Refusal::Overloaded);
    let mut other = text(5, "a");
    other.isolation = 1;
    engine.send(EngineCommand::Start(other)).unwrap();
    assert_eq!(outcome(&events, 5).0, "bcde");
    engine.send(EngineCommand::Start(text(1, "a"))).unwrap();
    assert_eq!(refusal(&events, 1), Refusal::DuplicateSequence);
    engine
        .send(EngineCommand::Credit {
            sequence: SequenceId(2),
            tokens: 9,
        })
        .unwrap();
    assert_eq!(outcome(&events, 2).0, "bcde");
    engine.send(EngineCommand::LastCredit(SequenceId(3))).unwrap();
    assert!(matches!(
        outcome(&events, 3).1,
        EventKind::Finished {
            reason: FinishReason::Length,
            ..
        }
    ));
    engine.send(EngineCommand::Cancel(SequenceId(1))).unwrap();
    assert!(matches!(
        outcome(&events, 1).1,
        EventKind::Finished {
            reason: FinishReason::Cancelled,
            ..
        }
    ));
}

#[test]
fn a_panic_fails_all_that_lives_and_all_that_comes() {
    let (engine, events) = engine(SMALL);
    let mut waits = text(1, "a");
    waits.credit = 0;
    engine.send(EngineCommand::Start(waits)).unwrap();
    let mut breaks = text(2, "");
    breaks.prompt = Prompt::Tokens(vec![PANICS].into());
    engine.send(EngineCommand::Start(breaks)).unwrap();
    let mut failed: Vec<_> = events
        .iter()
        .filter(|e| e.kind.is_terminal())
        .take(2)
        .map(|e| {
            assert!(matches!(e.kind, EventKind::Failed(Failure::EngineStopped)));
            e.sequence.0
        })
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, [1, 2]);
    engine.send(EngineCommand::Start(text(3, "a"))).unwrap();
    engine.send(count(4, Prompt::Tokens(vec![1].into()))).unwrap();
    engine.send(EngineCommand::Measure(SequenceId(5))).unwrap();
    for id in 3..=5 {
        assert!(matches!(
            outcome(&events, id).1,
            EventKind::Failed(Failure::EngineStopped)
        ));
    }
}

#[test]
fn shutting_down_answers_everybody() {
    let (engine, events) = engine(SMALL);
    let mut waits = text(1, "a");
    waits.credit = 0;
    engine.send(EngineCommand::Start(waits)).unwrap();
    let sender = engine.sender();
    drop(engine);
    assert!(matches!(
        outcome(&events, 1).1,
        EventKind::Failed(Failure::EngineStopped)
    ));
    assert!(sender.send(EngineCommand::Shutdown).is_err());
}

#[test]
fn nobody_listening_ends_the_engine() {
    let (engine, events) = engine(SMALL);
    drop(events);
    let mut endless = text(1, "a");
    endless.max_tokens = None;
    engine.send(EngineCommand::Start(endless)).unwrap();
    drop(engine);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let spoiled: [fn(&mut EngineConfig); 4] = [
        |c| c.kv_bytes = 0,
        |c| c.max_sequences = 0,
        |c| c.queue = 0,
        |c| c.token_budget = 1,
    ];
    for spoil in spoiled {
        let mut config = SMALL;
        spoil(&mut config);
        assert!(start(config, vec![part("tiny")], Arc::new(Seven)).is_err());
    }
    let twice = start(SMALL, vec![part("tiny"), part("tiny")], Arc::new(Seven));
    assert!(matches!(twice.err(), Some(EngineError::DuplicateModel(_))));
}
