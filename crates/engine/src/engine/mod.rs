//! The engine's life: its settings, its threads, and the handle that commands it.
//!
//! Two threads: `reception` turns requests into tokens, samplers and grammars, which may take long for a large prompt
//! or schema; `worker` owns the models and does nothing else than steps, so that nobody's decode waits for another's
//! preparation. Both sleep in `recv` when there is nothing to do. Credit, cancellation and measuring go to the worker alone,
//! so that they never wait for what is being read.

mod reception;
mod registry;
mod room;
mod turns;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use moho_terms::{Entropy, ModelId};

use crate::kv::KvPool;
use crate::loaded::{LoadedModel, ModelCard, Reader};
use crate::message::{EngineCommand, EngineEvent};
use crate::scheduler::{Decoder, Lane, LaneLimits};
use reception::Reception;
use registry::Registry;
use worker::{Note, Worker};

/// How much the engine may use.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Bytes of KV blocks for each model. A prompt that would not fit in them alone is refused as too long.
    pub kv_bytes: usize,
    /// Sequences of one model that run together; at most `token_budget`.
    pub max_sequences: usize,
    /// Sequences of one model that may wait besides those for which there is a free place to run; half of them of one
    /// account.
    pub queue: usize,
    /// Tokens of one model in one step.
    pub token_budget: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            kv_bytes: 256 << 20,
            max_sequences: 32,
            queue: 512,
            token_budget: 256,
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Settings with which nothing could ever run.
    #[error("{0}")]
    Config(&'static str),
    /// Two models under one name.
    #[error("the model {0} is loaded twice")]
    DuplicateModel(ModelId),
    /// The KV blocks cannot be had.
    #[error("the model {0} cannot have its KV blocks")]
    KvBlocks(ModelId),
    /// The system gave no thread.
    #[error("the engine's thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// The engine has ended, so that nothing can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has stopped")]
pub struct EngineGone;

/// The engine; see [`Engine::start`].
pub struct Engine;

/// Commands the engine. Dropping it shuts the engine down and waits for its threads.
pub struct EngineHandle {
    sender: EngineSender,
    cards: Vec<ModelCard>,
    threads: Vec<JoinHandle<()>>,
}

/// Sends commands from any thread.
#[derive(Clone)]
pub struct EngineSender {
    inbox: Sender<Note>,
}

/// One model's parts, generic so that tests can put in a model whose every number is known.
struct Part<D> {
    card: ModelCard,
    decoder: D,
    reader: Reader,
}

impl Engine {
    /// Starts the engine over `models`. Events of all sequences come out of the one receiver; when it is dropped, the
    /// engine shuts down. `entropy` seeds the sampling of requests that name no seed.
    ///
    /// # Errors
    /// [`EngineError`]: settings that cannot work, or no memory or thread.
    pub fn start(
        config: EngineConfig,
        models: Vec<LoadedModel>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<(EngineHandle, Receiver<EngineEvent>), EngineError> {
        let parts = models.into_iter().map(|model| {
            let (card, decoder, reader) = model.into_parts();
            Part {
                card,
                decoder,
                reader,
            }
        });
        start(config, parts.collect(), entropy)
    }
}

fn start<D: Decoder + 'static>(
    config: EngineConfig,
    parts: Vec<Part<D>>,
    entropy: Arc<dyn Entropy>,
) -> Result<(EngineHandle, Receiver<EngineEvent>), EngineError> {
    config.check()?;
    let limits = LaneLimits {
        max_sequences: config.max_sequences,
        token_budget: config.token_budget,
    };
    let (mut cards, mut lanes, mut readers) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let id = part.card.id.clone();
        if cards.iter().any(|card: &ModelCard| card.id == id) {
            return Err(EngineError::DuplicateModel(id));
        }
        let blocks = config.kv_bytes / KvPool::block_bytes(part.decoder.config()).max(1);
        let pool = part.decoder.pool(blocks).filter(|pool| pool.capacity() > 0);
        let Some(pool) = pool else {
            return Err(EngineError::KvBlocks(id));
        };
        let lane = Lane::new(part.decoder, Arc::clone(part.reader.tokenizer()), pool, limits);
        readers.push((part.reader, lane.limit()));
        lanes.push((id, lane));
        cards.push(part.card);
    }
    let (inbox, notes) = channel();
    let (outbox, events) = channel();
    let (jobs, requests) = channel();
    let reception = Reception {
        readers,
        entropy,
        inbox: inbox.clone(),
    };
    let worker = Worker::new(lanes, jobs, config.queue);
    let threads = vec![
        spawn("moho-reception", move || reception.run(&requests))?,
        spawn("moho-engine", move || worker.run(&notes, Registry::new(outbox)))?,
    ];
    Ok((
        EngineHandle {
            sender: EngineSender { inbox },
            cards,
            threads,
        },
        events,
    ))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(EngineError::Thread)
}

impl EngineConfig {
    fn check(self) -> Result<(), EngineError> {
        if self.max_sequences == 0 || self.queue == 0 {
            return Err(EngineError::Config(
                "at least one sequence must be able to run and to wait",
            ));
        }
        if self.token_budget < self.max_sequences {
            return Err(EngineError::Config(
                "the token budget must be at least the number of sequences",
            ));
        }
        Ok(())
    }
}

impl EngineSender {
    /// Sends one command.
    ///
    /// # Errors
    /// [`EngineGone`]: the engine has ended.
    pub fn send(&self, command: EngineCommand) -> Result<(), EngineGone> {
        self.inbox
            .send(Note::Command(command))
            .map_err(|_dropped| EngineGone)
    }
}

impl EngineHandle {
    /// Sends one command.
    ///
    /// # Errors
    /// [`EngineGone`]: the engine has ended.
    pub fn send(&self, command: EngineCommand) -> Result<(), EngineGone> {
        self.sender.send(command)
    }

    /// A sender of its own, for another thread.
    #[must_use]
    pub fn sender(&self) -> EngineSender {
        self.sender.clone()
    }

    /// The models that are loaded.
    #[must_use]
    pub fn models(&self) -> &[ModelCard] {
        &self.cards
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        // An engine that has ended already needs no command to end.
        let _gone = self.sender.send(EngineCommand::Shutdown);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
