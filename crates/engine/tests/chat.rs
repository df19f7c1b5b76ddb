//! The demo model through the engine's whole interface: what a server would see.
#![expect(clippy::expect_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use moho_engine::eval::Evaluator;
use moho_engine::{
    ActivationPath, ChatTurn, Engine, EngineCommand, EngineConfig, EngineEvent, EngineHandle, EventKind,
    FinishReason, LoadedModel, OutputFormat, Prompt, Sampling, SequenceId, StartSequence, Together, Usage,
};
use moho_terms::{Content, Entropy, EntropyUnavailable};

struct Zeros;
impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(0);
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is its own rim")]
fn demo_model() -> PathBuf {
    PathBuf::from(std::env::var("MOHO_TEST_MODEL").expect("MOHO_TEST_MODEL names the demo model"))
}

/// The engine with the model that `MOHO_TEST_MODEL` names.
fn engine(config: EngineConfig) -> (EngineHandle, Receiver<EngineEvent>) {
    let path = demo_model();
    let id = "smollm2-135m-instruct".parse().expect("a model id");
    let model = LoadedModel::open(id, &path, 2, &mut |_, _| ()).expect("the demo model opens");
    assert_eq!(
        (model.card().context_length, model.card().quantisation.as_str()),
        (8192, "Q4_1")
    );
    assert!((130_000_000..140_000_000).contains(&model.card().parameters));
    Engine::start(config, vec![model], Arc::new(Zeros)).expect("the engine starts")
}

fn chat(id: u64, question: &str) -> Box<StartSequence> {
    Box::new(StartSequence {
        sequence: SequenceId(id),
        model: "smollm2-135m-instruct".parse().expect("a model id"),
        prompt: Prompt::Chat(vec![ChatTurn {
            role: "user",
            text: Content::new(question.to_owned()),
        }]),
        sampling: Sampling::GREEDY,
        max_tokens: Some(40),
        bias: Vec::new(),
        logprobs: None,
        stop: Vec::new(),
        output: OutputFormat::Text,
        credit: 1000,
        isolation: id,
        together: Together::default(),
    })
}

type Answer = (String, FinishReason, Usage);

/// Waits until so many sequences have finished.
fn answers(events: &Receiver<EngineEvent>, count: usize) -> BTreeMap<u64, Answer> {
    let (mut texts, mut finished) = (BTreeMap::<u64, String>::new(), BTreeMap::new());
    while finished.len() < count {
        let EngineEvent {
            sequence: SequenceId(id),
            kind,
        } = events.recv().expect("the engine lives");
        match kind {
            EventKind::Admitted { .. } | EventKind::Scheduled => {}
            EventKind::Text { text, .. } => texts.entry(id).or_default().push_str(text.expose()),
            EventKind::Finished { reason, usage } => {
                finished.insert(id, (texts.remove(&id).unwrap_or_default(), reason, usage));
            }
            EventKind::Counted { tokens } => assert_eq!(tokens, 0, "nothing is counted here"),
            EventKind::Measured(loads) => assert_eq!(loads.len(), 0, "nothing is measured here"),
            EventKind::Refused(refusal) => assert_eq!(refusal.to_string(), "", "refused"),
            EventKind::Failed(failure) => assert_eq!(failure.to_string(), "", "failed"),
        }
    }
    finished
}

const CAPITAL: &str = "What is the capital of France?";

#[test]
#[ignore = "needs the demo model"]
fn the_capital_of_france_is_paris_alone_and_among_others() {
    let (engine, events) = engine(EngineConfig {
        token_budget: 256,
        max_sequences: 4,
        ..EngineConfig::default()
    });
    engine
        .send(EngineCommand::Start(chat(0, CAPITAL)))
        .expect("the engine lives");
    let (alone, reason, usage) = answers(&events, 1).remove(&0).expect("an answer");
    assert!(alone.contains("Paris"), "{alone}");
    // As Hugging Face's apply_chat_template counts.
    assert_eq!((reason, usage.prompt_tokens), (FinishReason::Stop, 37));

    let others = [
        "Name three colours.",
        "Tell me a story about a fox.",
        "2+2=",
        "Say hello.",
        "Why is the sky blue?",
    ];
    for (id, question) in (1..).zip(others) {
        let mut start = chat(id, question);
        start.sampling = Sampling::new(0.7, 0.9, 40, Some(id)).expect("settings");
        engine
            .send(EngineCommand::Start(start))
            .expect("the engine lives");
    }
    engine
        .send(EngineCommand::Start(chat(9, CAPITAL)))
        .expect("the engine lives");
    let all = answers(&events, 6);
    assert_eq!(all.get(&9).map(|a| a.0.as_str()), Some(alone.as_str()));
    assert!(all.values().all(|(text, _, _)| !text.is_empty()));
}

#[test]
#[ignore = "needs the demo model"]
fn a_schema_holds_the_demo_model_to_json() {
    let (engine, events) = engine(EngineConfig::default());
    let mut start = chat(1, "Name the capital of France and its population, as JSON.");
    let schema = r#"{"type":"object","properties":{"city":{"type":"string","maxLength":20},"population":{"type":"integer","minimum":0,"maximum":99999999}},"required":["city","population"],"additionalProperties":false}"#;
    start.output = OutputFormat::JsonSchema(Content::new(schema.to_owned()));
    start.max_tokens = Some(80);
    engine
        .send(EngineCommand::Start(start))
        .expect("the engine lives");
    let (text, reason, _) = answers(&events, 1).remove(&1).expect("an answer");
    assert_eq!(reason, FinishReason::Stop, "{text}");
    assert!(
        text.contains("\"city\"") && text.contains("\"population\"") && text.trim_end().ends_with('}'),
        "{text}"
    );
    assert!(
        serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(),
        "{text}"
    );
}

#[test]
#[ignore = "needs the demo model"]
fn log_probabilities_are_the_models_and_spell_the_text() {
    let (engine, events) = engine(EngineConfig::default());
    // "The capital of France is", with a sampler whose choice the distribution does not depend on.
    let prompt = vec![504, 3575, 282, 4649, 314];
    let mut start = chat(1, "");
    start.prompt = Prompt::Tokens(prompt.clone().into());
    start.sampling = Sampling::new(1.5, 1.0, 0, Some(4))
        .and_then(|sampling| sampling.with_penalties(1.0, 1.0, 1.5))
        .expect("settings");
    start.logprobs = Some(20);
    start.bias = vec![(0, -100.0)];
    engine
        .send(EngineCommand::Start(start))
        .expect("the engine lives");
    let (mut text, mut bytes, mut likeliest) = (String::new(), Vec::new(), None);
    for event in &events {
        if let EventKind::Text {
            text: more, logprobs, ..
        } = event.kind
        {
            text.push_str(more.expose());
            for token in logprobs {
                bytes.extend_from_slice(token.bytes.expose());
                assert_eq!(token.top.len(), 20);
                assert!(token.top.is_sorted_by(|a, b| a.1 >= b.1));
                let share: f32 = token.top.iter().map(|(_, logprob)| logprob.exp()).sum();
                assert!(
                    share <= 1.0001 && token.logprob <= 0.0,
                    "{share} {}",
                    token.logprob
                );
                likeliest = likeliest.or_else(|| token.top.first().map(|(_, logprob)| *logprob));
            }
        } else if event.kind.is_terminal() {
            break;
        }
    }
    assert!(text.len() > 20 && text.as_bytes() == bytes, "{text}");
    let mut evaluator =
        Evaluator::open(&demo_model(), ActivationPath::Int8, 2).expect("the demo model opens");
    let all = evaluator.log_probabilities(&prompt).expect("tokens of the model");
    let expected = all
        .last()
        .and_then(|all| all.iter().copied().max_by(f32::total_cmp));
    let (expected, likeliest) = (expected.expect("a distribution"), likeliest.expect("a token"));
    assert!((expected - likeliest).abs() < 1e-3, "{expected} {likeliest}");
}

#[test]
#[ignore = "needs the demo model"]
fn a_conversation_is_counted_as_it_is_taken() {
    let (engine, events) = engine(EngineConfig::default());
    let asked = *chat(7, CAPITAL);
    let count = EngineCommand::Count {
        ticket: asked.sequence,
        model: asked.model,
        prompt: asked.prompt,
        isolation: 0,
    };
    engine.send(count).expect("the engine lives");
    // As Hugging Face's apply_chat_template counts.
    let counted = events.recv().expect("the engine lives").kind;
    assert!(matches!(counted, EventKind::Counted { tokens: 37 }));
}
