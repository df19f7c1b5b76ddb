//! The scheduler against a small model whose every number is known, under commands in any order.

mod accounts;
mod asked;
mod commands;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use moho_terms::{Content, ContentBytes};
use zeroize::Zeroizing;

use super::*;
use crate::kv::BLOCK_TOKENS;
use crate::message::{Failure, FinishReason, Sampling, Usage};
use crate::sampler::{Adjustments, Sampler, StopTexts};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::tests::tokenizer;

/// A model of 260 tokens that keeps what it was told in its own copy of the blocks, and answers with the token one
/// higher (`Count`) or with numbers that depend on every token before (`Mix`).
pub(crate) struct Tiny {
    config: LlamaConfig,
    blocks: HashMap<usize, [u32; BLOCK_TOKENS]>,
    mixes: bool,
    wiped: usize,
}

/// Told to a counting [`Tiny`], these tokens break it.
pub(crate) const PANICS: u32 = 7;
pub(crate) const FAILS: u32 = 6;
pub(crate) const NO_NUMBER: u32 = 5;

impl Tiny {
    pub(crate) fn new(mixes: bool, context: usize) -> Self {
        let config = LlamaConfig {
            vocabulary: 260,
            context,
            width: 2,
            layers: 1,
            heads: 1,
            kv_heads: 1,
            head_size: 2,
            feed_forward: 2,
            norm_epsilon: 1e-5,
            rope_base: 10_000.0,
        };
        Self {
            config,
            blocks: HashMap::new(),
            mixes,
            wiped: 0,
        }
    }

    fn logits(&self, history: &[u32], logits: &mut Vec<f32>) {
        let last = *history.last().unwrap();
        assert!(self.mixes || last != PANICS, "told to panic");
        let hash = history
            .iter()
            .fold(17_u64, |h, t| (h ^ u64::from(*t)).wrapping_mul(0x0100_0000_01b3));
        logits.extend((0..260_u32).map(|token| {
            if last == NO_NUMBER && !self.mixes {
                f32::NAN
            } else if self.mixes {
                let mixed = (hash ^ u64::from(token).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                    .wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (mixed >> 50) as f32 / 4096.0
            } else {
                f32::from(u8::from(token == last + 1))
            }
        }));
    }
}

impl Decoder for Tiny {
    fn config(&self) -> &LlamaConfig {
        &self.config
    }

    fn forward(&mut self, step: &mut Step<'_>) -> Result<(), StepError> {
        step.logits.clear();
        let mut known: Vec<usize> = step.tables.iter().map(|table| table.tokens()).collect();
        for row in step.rows {
            assert_eq!(row.position, known[row.slot], "rows of a sequence come in order");
            known[row.slot] += 1;
            let table = step.tables[row.slot];
            let block = |position: usize| table.blocks()[position / BLOCK_TOKENS].index();
            self.blocks.entry(block(row.position)).or_default()[row.position % BLOCK_TOKENS] = row.token;
            if row.token == FAILS && !self.mixes {
                return Err(StepError::Worker);
            }
            if row.wants_logits {
                let history: Vec<u32> = (0..=row.position)
                    .map(|p| self.blocks[&block(p)][p % BLOCK_TOKENS])
                    .collect();
                self.logits(&history, step.logits);
            }
        }
        Ok(())
    }

    fn wipe(&mut self) {
        self.wiped += 1;
    }
}

type Logprob = (Vec<u8>, f32, Vec<(Vec<u8>, f32)>);

/// Everything that was told about each sequence.
#[derive(Default)]
struct Told {
    admitted: usize,
    scheduled: usize,
    text: String,
    tokens: u32,
    /// For each token: its bytes, its log-probability, and those of the likeliest.
    logprobs: Vec<Logprob>,
    last: Vec<EventKind>,
}

#[derive(Default)]
struct Log(BTreeMap<SequenceId, Told>);

impl Events for Log {
    fn tell(&mut self, sequence: SequenceId, kind: EventKind) {
        let told = self.0.entry(sequence).or_default();
        assert!(told.last.is_empty(), "nothing follows a terminal event");
        match kind {
            EventKind::Admitted { cached_tokens, .. } => told.admitted += 1 + cached_tokens as usize,
            EventKind::Scheduled => {
                assert_eq!(
                    (told.admitted, told.scheduled),
                    (1, 0),
                    "admitted once, then begun once"
                );
                told.scheduled += 1;
            }
            EventKind::Text {
                text,
                tokens,
                logprobs,
            } => {
                assert_eq!(told.scheduled, 1, "begun before there is text");
                told.text.push_str(text.expose());
                told.tokens += tokens;
                let bytes = |bytes: &ContentBytes| bytes.expose().to_vec();
                told.logprobs.extend(logprobs.iter().map(|l| {
                    let top = l.top.iter().map(|(token, logprob)| (bytes(token), *logprob));
                    (bytes(&l.bytes), l.logprob, top.collect())
                }));
            }
            EventKind::Counted { .. } | EventKind::Measured(_) => panic!("nothing of a lane's"),
            last @ (EventKind::Finished { .. } | EventKind::Refused(_) | EventKind::Failed(_)) => {
                told.last.push(last)
            }
        }
    }
}

impl Told {
    fn reason(&self) -> Option<FinishReason> {
        match self.last.as_slice() {
            [EventKind::Finished { reason, .. }] => Some(*reason),
            [..] => None,
        }
    }

    fn usage(&self) -> Usage {
        let Some(EventKind::Finished { usage, .. }) = self.last.first() else {
            panic!("not finished")
        };
        *usage
    }
}

fn shared_tokenizer() -> Arc<Tokenizer> {
    static SHARED: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(tokenizer())))
}

fn lane(mixes: bool, blocks: usize, limits: LaneLimits) -> Lane<Tiny> {
    let tiny = Tiny::new(mixes, 200);
    let pool = tiny.pool(blocks).unwrap();
    Lane::new(tiny, shared_tokenizer(), pool, limits)
}

fn request(id: u64, prompt: &[u32], max_tokens: Option<u32>, credit: u32) -> Request {
    Request {
        id: SequenceId(id),
        prompt: Zeroizing::new(prompt.to_vec()),
        max_tokens,
        credit,
        isolation: id,
        sampler: Sampler::new(Sampling::GREEDY, None, 0),
        grammar: None,
        stop: StopTexts::new(Vec::new()),
        logprobs: None,
    }
}

const WIDE: LaneLimits = LaneLimits {
    max_sequences: 4,
    token_budget: 8,
};

fn text_of(prompt: &str) -> Vec<u32> {
    prompt.bytes().map(u32::from).collect()
}

#[test]
fn a_sequence_counts_up_to_its_limit() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    lane.enqueue(request(1, &text_of("a"), Some(5), 99), &mut log);
    while lane.step(&mut log) {}
    let told = &log.0[&SequenceId(1)];
    assert_eq!((told.text.as_str(), told.tokens, told.admitted), ("bcdef", 5, 1));
    assert_eq!(told.reason(), Some(FinishReason::Length));
    assert_eq!(
        told.usage(),
        Usage {
            prompt_tokens: 1,
            cached_tokens: 0,
            completion_tokens: 5
        }
    );
    assert_eq!(lane.free_blocks(), 13);
}

#[test]
fn the_last_credit_ends_it_with_all_its_words() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    // The last letter may become the stop text as long as more can follow.
    for id in [1, 2] {
        let mut held_back = request(id, &text_of("a"), None, 4);
        held_back.stop = StopTexts::new(vec![Content::new("ez".to_owned())]);
        lane.enqueue(held_back, &mut log);
    }
    lane.step(&mut log);
    lane.last_credit(SequenceId(1), &mut log);
    while lane.step(&mut log) {}
    assert_eq!(log.0[&SequenceId(2)].text, "bcd");
    lane.last_credit(SequenceId(2), &mut log);
    for id in [1, 2] {
        let told = &log.0[&SequenceId(id)];
        assert_eq!((told.text.as_str(), told.tokens), ("bcde", 4));
        assert_eq!(told.reason(), Some(FinishReason::Length));
        assert_eq!(told.usage().completion_tokens, 4);
    }
    assert_eq!(lane.free_blocks(), 13);
    // Who has ended, and who never was, is nobody any more.
    lane.last_credit(SequenceId(1), &mut log);
    lane.last_credit(SequenceId(3), &mut log);
    assert!(!log.0.contains_key(&SequenceId(3)));
}

#[test]
fn stop_texts_and_ending_tokens_end_it() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    let mut stopped = request(1, &text_of("a"), None, 99);
    stopped.stop = StopTexts::new(vec![Content::new("ef".to_owned())]);
    lane.enqueue(stopped, &mut log);
    lane.enqueue(request(2, &[254], None, 99), &mut log);
    while lane.step(&mut log) {}
    assert_eq!(
        (
            log.0[&SequenceId(1)].text.as_str(),
            log.0[&SequenceId(1)].reason()
        ),
        ("bcd", Some(FinishReason::StopSequence))
    );
    // Byte 255 is no text, 256 steers, 257 ends.
    assert_eq!(
        (
            log.0[&SequenceId(2)].text.as_str(),
            log.0[&SequenceId(2)].reason()
        ),
        ("\u{fffd}", Some(FinishReason::Stop))
    );
    assert_eq!(log.0[&SequenceId(2)].usage().completion_tokens, 3);
}

#[test]
fn without_credit_it_waits_and_others_go_on() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    lane.enqueue(request(1, &text_of("a"), Some(9), 2), &mut log);
    lane.enqueue(request(2, &text_of("A"), Some(9), 99), &mut log);
    while lane.step(&mut log) {}
    assert_eq!(log.0[&SequenceId(1)].text, "bc");
    assert_eq!(log.0[&SequenceId(2)].text, "BCDEFGHIJ");
    lane.credit(SequenceId(1), 3);
    while lane.step(&mut log) {}
    assert_eq!(log.0[&SequenceId(1)].text, "bcdef");
    assert!(log.0[&SequenceId(1)].last.is_empty());
    lane.cancel(SequenceId(1), &mut log);
    assert_eq!(log.0[&SequenceId(1)].reason(), Some(FinishReason::Cancelled));
    assert_eq!(lane.free_blocks(), 13);
}

#[test]
fn who_has_no_credit_cannot_keep_others_from_running() {
    let limits = LaneLimits {
        max_sequences: 1,
        token_budget: 64,
    };
    let (mut lane, mut log) = (lane(false, 3, limits), Log::default());
    lane.enqueue(request(1, &text_of(&"a".repeat(40)), Some(3), 1), &mut log);
    while lane.step(&mut log) {}
    assert_eq!(log.0[&SequenceId(1)].text, "b");
    lane.enqueue(request(2, &text_of(&"A".repeat(40)), Some(3), 9), &mut log);
    while lane.step(&mut log) {}
    assert_eq!(log.0[&SequenceId(2)].text, "BCD");
    lane.credit(SequenceId(1), 9);
    while lane.step(&mut log) {}
    assert_eq!(log.0[&SequenceId(1)].text, "bcd");
    assert_eq!(lane.load("tiny".parse().unwrap()).preemptions, 1);
}

#[test]
fn who_lost_its_blocks_waits_for_credit_that_is_worth_it() {
    let limits = LaneLimits {
        max_sequences: 1,
        token_budget: 64,
    };
    let (mut lane, mut log) = (lane(false, 3, limits), Log::default());
    lane.enqueue(request(1, &text_of(&"a".repeat(20)), None, 8), &mut log);
    while lane.step(&mut log) {}
    lane.enqueue(request(2, &text_of("A"), Some(1), 9), &mut log);
    while lane.step(&mut log) {}
    for (credits, tokens) in [(1, 8), (2, 8), (3, 8), (4, 12), (5, 13)] {
        lane.credit(SequenceId(1), 1);
        while lane.step(&mut log) {}
        assert_eq!(log.0[&SequenceId(1)].tokens, tokens, "{credits}");
    }
}

#[test]
fn who_is_computed_in_vain_again_and_again_ends() {
    let limits = LaneLimits {
        max_sequences: 1,
        token_budget: 64,
    };
    let (mut lane, mut log) = (lane(false, 12, limits), Log::default());
    lane.enqueue(request(1, &text_of(&"a".repeat(100)), None, 1), &mut log);
    for id in 2..40 {
        while lane.step(&mut log) {}
        lane.enqueue(request(id, &text_of("A"), Some(1), 9), &mut log);
        while lane.step(&mut log) {}
        assert_eq!(log.0[&SequenceId(id)].text, "B");
        lane.credit(SequenceId(1), 1);
    }
    let told = &log.0[&SequenceId(1)];
    assert!(matches!(told.last.as_slice(), [EventKind::Failed(_)]));
    assert!((14..18).contains(&told.tokens), "{}", told.tokens);
    assert_eq!(lane.free_blocks(), 12);
}

#[test]
fn a_step_that_fails_ends_its_sequences_and_no_others() {
    for (token, failure) in [(FAILS, Failure::Computation), (NO_NUMBER, Failure::Computation)] {
        let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
        lane.enqueue(request(1, &[token], None, 9), &mut log);
        while lane.step(&mut log) {}
        assert!(matches!(log.0[&SequenceId(1)].last.as_slice(), [EventKind::Failed(f)] if *f == failure));
        lane.enqueue(request(2, &text_of("a"), Some(1), 9), &mut log);
        while lane.step(&mut log) {}
        assert_eq!(log.0[&SequenceId(2)].text, "b");
        assert_eq!(lane.free_blocks(), 13);
    }
}

#[test]
fn a_panic_while_choosing_ends_one_sequence_and_no_other() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    let mut breaks = request(1, &text_of("a"), None, 9);
    breaks.sampler = Sampler::broken();
    lane.enqueue(breaks, &mut log);
    lane.enqueue(request(2, &text_of("a"), Some(3), 9), &mut log);
    while lane.step(&mut log) {}
    assert!(matches!(
        log.0[&SequenceId(1)].last.as_slice(),
        [EventKind::Failed(Failure::Computation)]
    ));
    assert_eq!(log.0[&SequenceId(2)].text, "bcd");
    assert_eq!(lane.free_blocks(), 13);
}

#[test]
fn buffers_are_wiped_once_when_there_is_nothing_to_do() {
    let (mut lane, mut log) = (lane(true, 13, WIDE), Log::default());
    for (id, times) in [(1, 1), (2, 2)] {
        lane.enqueue(sampled(id, &Start::new(b"ab", Some(3), 2)), &mut log);
        assert!(lane.step(&mut log));
        assert!(!lane.is_wiped());
        while lane.step(&mut log) {}
        lane.step(&mut log);
        assert!(lane.is_wiped());
        assert_eq!(lane.decoder().wiped, times);
    }
}

#[test]
fn no_tokens_asked_for_is_no_work() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    lane.enqueue(request(1, &text_of("a"), Some(0), 9), &mut log);
    assert!(!lane.step(&mut log));
    assert_eq!(log.0[&SequenceId(1)].reason(), Some(FinishReason::Length));
}

/// A request whose tokens are drawn.
#[derive(Debug, Clone)]
struct Start {
    prompt: Vec<u8>,
    max_tokens: Option<u32>,
    credit: u32,
    seed: u64,
    /// Presence, frequency and repetition penalty, and `min_p`.
    settings: (f32, f32, f32, f32),
    bias: Vec<(u32, f32)>,
    stop: Option<String>,
    logprobs: Option<u8>,
}

impl Start {
    fn new(prompt: &[u8], max_tokens: Option<u32>, credit: u32) -> Self {
        Self {
            prompt: prompt.to_vec(),
            max_tokens,
            credit,
            seed: 7,
            settings: (0.0, 0.0, 1.0, 0.0),
            bias: Vec::new(),
            stop: None,
            logprobs: None,
        }
    }
}

fn sampled(id: u64, start: &Start) -> Request {
    let prompt: Vec<u32> = start.prompt.iter().map(|b| u32::from(*b)).collect();
    let (presence, frequency, repetition, min_p) = start.settings;
    let sampling = Sampling::new(0.8, 0.95, 50, Some(start.seed))
        .and_then(|s| s.with_penalties(presence, frequency, repetition))
        .and_then(|s| s.with_min_p(min_p))
        .unwrap();
    let adjustments = Adjustments::new(&sampling, start.bias.clone(), &prompt);
    Request {
        sampler: Sampler::new(sampling, adjustments, start.seed),
        stop: StopTexts::new(start.stop.iter().map(|stop| Content::new(stop.clone())).collect()),
        logprobs: start.logprobs,
        ..request(id, &prompt, start.max_tokens, start.credit)
    }
}
