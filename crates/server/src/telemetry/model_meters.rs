//! What the sequences of one model did: vLLM's histograms, and those of OpenTelemetry's conventions.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use moho_terms::ModelId;

use super::bounds;
use super::meter::{Counter, Histogram};

/// What a sequence was asked for, as OpenTelemetry names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A conversation's next turn.
    Chat,
    /// More of a text.
    TextCompletion,
}

impl Operation {
    pub(crate) const ALL: [Self; 2] = [Self::Chat, Self::TextCompletion];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
        }
    }
}

/// The meters of one served model.
pub(crate) struct ModelMeters {
    pub(crate) model: ModelId,
    pub(crate) first_token: Histogram,
    pub(crate) between_tokens: Histogram,
    pub(crate) whole: Histogram,
    pub(crate) queue: Histogram,
    pub(crate) prefill: Histogram,
    pub(crate) decode: Histogram,
    pub(crate) inference: Histogram,
    pub(crate) prompt_tokens: Histogram,
    pub(crate) generated_tokens: Histogram,
    /// Sequences that ended, by vLLM's words.
    pub(crate) stopped: Counter,
    pub(crate) cut: Counter,
    pub(crate) aborted: Counter,
    chat: GenAi,
    text: GenAi,
}

/// What OpenTelemetry's conventions measure, for one operation.
pub(crate) struct GenAi {
    pub(crate) first_token: Histogram,
    pub(crate) per_token: Histogram,
    pub(crate) input: Histogram,
    pub(crate) output: Histogram,
    /// By kind of error; the empty one is none.
    durations: Mutex<BTreeMap<&'static str, Histogram>>,
}

impl ModelMeters {
    pub(crate) fn new(model: ModelId) -> Self {
        Self {
            model,
            first_token: Histogram::new(bounds::FIRST_TOKEN),
            between_tokens: Histogram::new(bounds::BETWEEN_TOKENS),
            whole: Histogram::new(bounds::PHASE),
            queue: Histogram::new(bounds::PHASE),
            prefill: Histogram::new(bounds::PHASE),
            decode: Histogram::new(bounds::PHASE),
            inference: Histogram::new(bounds::PHASE),
            prompt_tokens: Histogram::new(bounds::TOKENS),
            generated_tokens: Histogram::new(bounds::TOKENS),
            stopped: Counter::default(),
            cut: Counter::default(),
            aborted: Counter::default(),
            chat: GenAi::new(),
            text: GenAi::new(),
        }
    }

    pub(crate) fn of(&self, operation: Operation) -> &GenAi {
        match operation {
            Operation::Chat => &self.chat,
            Operation::TextCompletion => &self.text,
        }
    }
}

impl GenAi {
    fn new() -> Self {
        Self {
            first_token: Histogram::new(bounds::OTEL_FIRST_TOKEN),
            per_token: Histogram::new(bounds::OTEL_PER_TOKEN),
            input: Histogram::new(bounds::OTEL_TOKENS),
            output: Histogram::new(bounds::OTEL_TOKENS),
            durations: Mutex::new(BTreeMap::new()),
        }
    }

    /// A sequence took so long and ended with this kind of error, or none.
    pub(crate) fn ended(&self, error: Option<&'static str>, duration: Duration) {
        let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        durations
            .entry(error.unwrap_or_default())
            .or_insert_with(|| Histogram::new(bounds::OTEL_REQUEST))
            .observe_duration(duration);
    }

    /// Each kind of error, with its times.
    pub(crate) fn durations(&self) -> Vec<(&'static str, super::meter::Distribution)> {
        let durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = durations.iter();
        durations
            .map(|(error, times)| (*error, times.distribution()))
            .collect()
    }
}
