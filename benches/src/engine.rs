//! The engine called directly, by its messages alone: what one process can do with one model file.
//!
//! `throughput` measures what a peer measures of itself; `latency` is what the road adds to.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use moho_benches::{Stopwatch, cpu_seconds, memory, print};
use moho_engine::{
    ChatTurn, Engine, EngineCommand, EngineConfig, EngineEvent, EngineHandle, EventKind, LoadedModel,
    OutputFormat, Prompt, Sampling, SequenceId, StartSequence, Together, Usage,
};
use moho_terms::{Content, Entropy, EntropyUnavailable, ModelId};
use serde::Serialize;
use zeroize::Zeroizing;

/// Measures the engine.
#[derive(Parser)]
struct Options {
    /// The model file.
    #[arg(long)]
    model: PathBuf,
    /// How many threads compute.
    #[arg(long)]
    threads: usize,
    /// Chooses the tokens of the prompts, so that no run finds another's in a cache.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Tokens a second: reading a prompt, writing alone, writing together; and memory.
    Throughput,
    /// Requests of one token, one after the other.
    Latency {
        /// How many.
        #[arg(long)]
        requests: usize,
        /// What is asked each time.
        #[arg(long)]
        question: String,
    },
}

/// Tokens of the prompt that is read.
const PREFILL: u32 = 512;
/// Tokens of the prompts that are continued.
const PROMPT: u32 = 32;
/// Tokens that are written alone.
const DECODE: u32 = 128;
/// Sequences that write together.
const TOGETHER: u32 = 8;
/// Tokens that each of them writes.
const EACH: u32 = 64;

#[derive(Serialize)]
struct Throughput {
    prefill: f64,
    decode: f64,
    together: f64,
    memory: u64,
    load_seconds: f64,
}

#[derive(Serialize)]
struct Latency {
    milliseconds: Vec<f64>,
    cpu_seconds: f64,
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(bytes))
            .map_err(|_unread| EntropyUnavailable)
    }
}

/// The engine with one model, and the number of the next sequence.
struct Bench {
    handle: EngineHandle,
    events: Receiver<EngineEvent>,
    model: ModelId,
    next: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let before = memory("VmRSS")?;
    let since = Stopwatch::start();
    let mut bench = Bench::start(&options)?;
    let load_seconds = since.elapsed().as_secs_f64();
    match &options.what {
        What::Throughput => {
            bench.run(vec![tokens(options.seed, 0, PROMPT)], 4)?;
            let prefill = bench.prefill(options.seed)?;
            let decode = bench.decode(options.seed)?;
            let together = bench.together(options.seed)?;
            let memory = memory("VmHWM")?.saturating_sub(before);
            print(&Throughput {
                prefill,
                decode,
                together,
                memory,
                load_seconds,
            })
        }
        What::Latency { requests, question } => print(&bench.latency(*requests, question)?),
    }
}

impl Bench {
    fn start(options: &Options) -> Result<Self> {
        let model: ModelId = "bench".parse().context("no model id")?;
        let loaded = LoadedModel::open(
            model.clone(),
            &options.model,
            options.threads,
            &mut |_done, _total| (),
        )?;
        let (handle, events) = Engine::start(EngineConfig::default(), vec![loaded], Arc::new(SystemEntropy))?;
        Ok(Self {
            handle,
            events,
            model,
            next: 0,
        })
    }

    /// Reading: all time until the one token after it.
    fn prefill(&mut self, seed: u32) -> Result<f64> {
        let since = Stopwatch::start();
        let run = self.run(vec![tokens(seed, 1, PREFILL)], 1)?;
        let took = since.elapsed().as_secs_f64();
        if run.usage.iter().any(|usage| usage.cached_tokens > 0) {
            bail!("the prompt was found in the cache");
        }
        Ok(f64::from(PREFILL) / took)
    }

    /// Writing alone, after the first token.
    fn decode(&mut self, seed: u32) -> Result<f64> {
        let run = self.run(vec![tokens(seed, 2, PROMPT)], DECODE)?;
        Ok(f64::from(run.written.saturating_sub(1)) / run.writing)
    }

    /// Writing together, after everybody's first token.
    fn together(&mut self, seed: u32) -> Result<f64> {
        let prompts = (0..TOGETHER)
            .map(|number| tokens(seed, number.saturating_add(3), PROMPT))
            .collect();
        let run = self.run(prompts, EACH)?;
        Ok(f64::from(run.written.saturating_sub(run.written_before)) / run.writing)
    }

    fn latency(&mut self, requests: usize, question: &str) -> Result<Latency> {
        let chat = || {
            Prompt::Chat(vec![ChatTurn {
                role: "user",
                text: Content::new(question.to_owned()),
            }])
        };
        self.run(vec![chat()], 1)?;
        let before = cpu_seconds()?;
        let mut milliseconds = Vec::with_capacity(requests);
        for _ in 0..requests {
            let since = Stopwatch::start();
            self.run(vec![chat()], 1)?;
            milliseconds.push(since.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Latency {
            milliseconds,
            cpu_seconds: cpu_seconds()? - before,
        })
    }

    /// Starts all prompts at once and waits for the last to end.
    fn run(&mut self, prompts: Vec<Prompt>, max_tokens: u32) -> Result<Run> {
        let count = prompts.len();
        for prompt in prompts {
            self.next = self.next.saturating_add(1);
            let start = StartSequence {
                sequence: SequenceId(self.next),
                model: self.model.clone(),
                prompt,
                sampling: Sampling::GREEDY,
                max_tokens: Some(max_tokens),
                bias: Vec::new(),
                logprobs: None,
                stop: Vec::new(),
                output: OutputFormat::Text,
                credit: max_tokens,
                // One tenant: prompts may be found in the cache, as on the road; those of `throughput` all differ.
                isolation: 0,
                together: Together::default(),
            };
            self.handle.send(EngineCommand::Start(Box::new(start)))?;
        }
        let mut run = Run::default();
        let mut first_words = 0_usize;
        let mut since = Stopwatch::start();
        let mut began = Vec::with_capacity(count);
        while run.usage.len() < count {
            let event = self.events.recv().context("the engine has ended")?;
            match event.kind {
                EventKind::Admitted { .. } | EventKind::Scheduled => {}
                EventKind::Text { tokens, .. } => {
                    run.written = run.written.saturating_add(tokens);
                    if !began.contains(&event.sequence) {
                        began.push(event.sequence);
                        first_words = first_words.saturating_add(1);
                        if first_words == count {
                            since = Stopwatch::start();
                            run.written_before = run.written;
                        }
                    }
                }
                EventKind::Finished { usage, .. } => {
                    run.writing = since.elapsed().as_secs_f64();
                    run.usage.push(usage);
                }
                EventKind::Counted { .. } | EventKind::Measured(_) => bail!("an answer to no question"),
                EventKind::Refused(refusal) => bail!("refused: {refusal}"),
                EventKind::Failed(failure) => bail!("failed: {failure}"),
            }
        }
        Ok(run)
    }
}

/// What came of sequences that ran together.
#[derive(Default)]
struct Run {
    usage: Vec<Usage>,
    /// Tokens in all.
    written: u32,
    /// Tokens up to the moment when all had begun.
    written_before: u32,
    /// Seconds from that moment to the end.
    writing: f64,
}

/// The same tokens as the peer's program makes: no language, but the same work.
fn tokens(seed: u32, number: u32, count: u32) -> Prompt {
    let mut state = seed.wrapping_mul(1_000_003).wrapping_add(number);
    let mut ids = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for _ in 0..count {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ids.push(
            (state >> 8)
                .checked_rem(40_000)
                .unwrap_or(0)
                .saturating_add(1_000),
        );
    }
    Prompt::Tokens(Zeroizing::new(ids))
}
