//! Memory stays flat: thousands of sequences of every kind through the whole engine, in a process of its own, over a model
//! made on the spot. A usual run does a tenth of what `MOHO_SOAK=full` asks for.
#![expect(clippy::expect_used, reason = "a test ends where it cannot go on")]

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use moho_engine::{
    ChatTurn, Engine, EngineCommand, EngineConfig, EngineEvent, EngineHandle, EventKind, LoadedModel,
    OutputFormat, Prompt, Sampling, SequenceId, StartSequence, Together,
};
use moho_terms::{Content, Entropy, EntropyUnavailable};

#[path = "support/tiny.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod tiny;

use tiny::{Entry, TINY, llama};

/// Sequences at once, and of a usual run in all.
const AT_ONCE: u64 = 48;
const USUAL: u64 = 3_000;
/// What the system may count more after a run than before: its allocator's own, in pages that it has not given back.
const ROOM_KIB: u64 = 4 << 10;

struct Ones;
impl Entropy for Ones {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(1);
        Ok(())
    }
}

/// Random weights, a token for each byte, and control tokens enough to fill the vocabulary.
fn model() -> LoadedModel {
    let letters = (0x21..=0x7e)
        .chain(0xa1..=0xac)
        .chain(0xae..=0xff)
        .chain(0x100..=0x143_u32);
    let letters = letters.filter_map(char::from_u32).map(String::from);
    let mut tokens: Vec<String> = letters.collect();
    assert_eq!(tokens.len(), 256);
    let mut kinds = vec![1; 256];
    for index in tokens.len()..TINY.vocabulary {
        tokens.push(format!("<|control_{index}|>"));
        kinds.push(3);
    }
    let template = "{% for m in messages %}{{ '<|control_256|>' + m.content }}{% endfor %}<|control_257|>";
    let mut container = llama(TINY, 0, 5);
    for (key, entry) in [
        ("tokenizer.ggml.model", Entry::Text("gpt2".to_owned())),
        ("tokenizer.ggml.pre", Entry::Text("smollm".to_owned())),
        ("tokenizer.ggml.tokens", Entry::Texts(tokens)),
        ("tokenizer.ggml.token_type", Entry::I32s(kinds)),
        ("tokenizer.ggml.merges", Entry::Texts(Vec::new())),
        ("tokenizer.ggml.eos_token_id", Entry::U32(299)),
        ("tokenizer.chat_template", Entry::Text(template.to_owned())),
    ] {
        container.set(key, entry);
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&container.to_bytes())
        .expect("room for a tiny model");
    let id = "tiny".parse().expect("a model id");
    LoadedModel::open(id, file.path(), 1, &mut |_, _| ()).expect("the tiny model opens")
}

/// One of many kinds of sequences.
fn start(id: u64) -> Box<StartSequence> {
    let words = |words: &str| Content::new(words.repeat(1 + usize::try_from(id % 9).unwrap_or(0)));
    let sampling = Sampling::new(1.0, 0.9, 0, (id.is_multiple_of(2)).then_some(id))
        .and_then(|sampling| sampling.with_min_p(if id.is_multiple_of(3) { 0.05 } else { 0.0 }))
        .and_then(|sampling| sampling.with_penalties(0.5, 0.5, if id.is_multiple_of(4) { 1.2 } else { 1.0 }))
        .expect("settings");
    Box::new(StartSequence {
        sequence: SequenceId(id),
        model: "tiny".parse().expect("a model id"),
        prompt: match id % 3 {
            0 => Prompt::Text(words("words, ")),
            1 => Prompt::Tokens(vec![1, 2, 3].into()),
            _ => Prompt::Chat(vec![ChatTurn {
                role: "user",
                text: words("a question? "),
            }]),
        },
        sampling,
        max_tokens: Some(u32::try_from(1 + id % 20).expect("small")),
        bias: if id.is_multiple_of(5) {
            vec![(7, 5.0), (299, -100.0)]
        } else {
            Vec::new()
        },
        logprobs: (id.is_multiple_of(6)).then_some(20),
        stop: if id.is_multiple_of(7) {
            vec![Content::new("e".to_owned())]
        } else {
            Vec::new()
        },
        output: match id % 64 {
            0 => OutputFormat::JsonObject,
            1 => OutputFormat::JsonSchema(Content::new(r#"{"type":"object"}"#.to_owned())),
            2 => OutputFormat::JsonSchema(Content::new("[".to_owned())),
            _ => OutputFormat::Text,
        },
        credit: 100,
        isolation: id % 10,
        together: Together::default(),
    })
}

/// Starts, counts and cancels, until all from `from` on have ended.
fn run(engine: &EngineHandle, events: &Receiver<EngineEvent>, from: u64, count: u64) {
    let (mut next, mut ended) = (0, 0);
    while ended < count {
        while next < count && next - ended < AT_ONCE {
            let start = start(from + next);
            let command = if next.is_multiple_of(11) {
                EngineCommand::Count {
                    ticket: start.sequence,
                    model: start.model,
                    prompt: start.prompt,
                    isolation: start.isolation,
                }
            } else {
                EngineCommand::Start(start)
            };
            engine.send(command).expect("the engine lives");
            if next.is_multiple_of(13) {
                engine
                    .send(EngineCommand::Cancel(SequenceId(from + next)))
                    .expect("the engine lives");
            }
            next += 1;
        }
        let event = events.recv().expect("the engine lives");
        assert!(!matches!(event.kind, EventKind::Failed(_)), "nothing fails");
        ended += u64::from(event.kind.is_terminal());
    }
}

/// Memory that the process has, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system's account");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a line of it");
    let number: String = line.chars().filter(char::is_ascii_digit).collect();
    number.parse().expect("a number")
}

#[test]
fn memory_stays_flat_over_thousands_of_sequences() {
    #[expect(clippy::disallowed_methods, reason = "a test is its own rim")]
    let full = std::env::var("MOHO_SOAK").is_ok_and(|soak| soak == "full");
    let count = if full { USUAL * 10 } else { USUAL };
    let config = EngineConfig {
        kv_bytes: 1 << 20,
        ..EngineConfig::default()
    };
    let (engine, events) = Engine::start(config, vec![model()], Arc::new(Ones)).expect("the engine starts");
    run(&engine, &events, 0, USUAL / 3);
    let before = resident();
    run(&engine, &events, USUAL / 3, count);
    let after = resident();
    assert!(
        after <= before + ROOM_KIB,
        "{before} KiB before, {after} KiB after"
    );
    engine
        .send(EngineCommand::Measure(SequenceId(0)))
        .expect("the engine lives");
    let EventKind::Measured(loads) = events.recv().expect("the engine lives").kind else {
        panic!("not measured")
    };
    let now: Vec<_> = loads
        .iter()
        .map(|load| (load.running, load.waiting, load.kv_blocks_used))
        .collect();
    assert_eq!(now, [(0, 0, 0)]);
}
