//! One sequence, measured as its events come. It is told when each event was said and how many tokens it brought, and
//! never what it said.

use std::sync::Arc;

use moho_engine::Sampling;
use moho_terms::ModelId;
use tokio::time::Instant;

use super::RequestSpan;
use super::meter::micros;
use super::model_meters::{ModelMeters, Operation};
use super::span::Inference;
use super::trace::{Kind, Place, Span, Value};

/// What is asked of a model, without its words.
pub(crate) struct Question {
    pub(crate) model: ModelId,
    pub(crate) operation: Operation,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) sampling: Sampling,
    /// OpenTelemetry's word for the form of the output.
    pub(crate) output: &'static str,
}

/// How a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The model said that it was done, or a stop text came.
    Stop,
    /// The limit on tokens.
    Length,
    /// Its reader has gone, or the server stops.
    Abandoned,
    /// The engine did not take it: why, in a fixed word.
    Refused(&'static str),
    /// The engine failed: how, in a fixed word.
    Failed(&'static str),
}

/// A sequence that is measured.
pub(crate) struct Watch {
    span: RequestSpan,
    meters: Option<Arc<ModelMeters>>,
    question: Question,
    place: Option<Place>,
    began: Instant,
    scheduled: Option<Instant>,
    first: Option<Instant>,
    last: Instant,
    prompt_tokens: u64,
    cached_tokens: u64,
    generated_tokens: u64,
    ended: bool,
}

impl Watch {
    /// The sequence is asked for now.
    pub(crate) fn begin(span: &RequestSpan, question: Question) -> Self {
        let telemetry = span.telemetry();
        let now = Instant::now();
        Self {
            meters: telemetry.model(&question.model),
            place: span.place().and_then(|place| place.child(&*telemetry.entropy)),
            span: span.clone(),
            question,
            began: now,
            scheduled: None,
            first: None,
            last: now,
            prompt_tokens: 0,
            cached_tokens: 0,
            generated_tokens: 0,
            ended: false,
        }
    }

    #[cfg(test)]
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The engine took the prompt.
    pub(crate) fn admitted(&mut self, at: Instant, prompt_tokens: u32, cached_tokens: u32) {
        self.prompt_tokens = u64::from(prompt_tokens);
        self.cached_tokens = u64::from(cached_tokens);
        self.span.with_engine(self.began, at);
    }

    /// The engine began to work on it.
    pub(crate) fn scheduled(&mut self, at: Instant) {
        self.scheduled.get_or_insert(at);
    }

    /// The engine made tokens.
    pub(crate) fn tokens(&mut self, at: Instant, count: u32) {
        if count == 0 {
            return;
        }
        let count = u64::from(count);
        self.generated_tokens = self.generated_tokens.saturating_add(count);
        if self.first.is_some() {
            if let Some(meters) = &self.meters {
                let since = micros(at.saturating_duration_since(self.last));
                let each = since.checked_div(count).unwrap_or(since);
                meters.between_tokens.observe_many(each, count);
            }
        } else {
            self.first = Some(at);
            if let Some(meters) = &self.meters {
                let since = at.saturating_duration_since(self.began);
                meters.first_token.observe_duration(since);
            }
        }
        self.last = at;
    }

    /// What it took in the end, as the engine counts it.
    pub(crate) fn used(&mut self, prompt_tokens: u32, cached_tokens: u32, generated_tokens: u32) {
        self.prompt_tokens = u64::from(prompt_tokens);
        self.cached_tokens = u64::from(cached_tokens);
        self.generated_tokens = u64::from(generated_tokens);
    }

    /// It has ended.
    pub(crate) fn ended(&mut self, at: Instant, ending: Ending) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.span.with_engine(self.began, at);
        self.count(at, ending);
        let telemetry = self.span.telemetry();
        match ending {
            Ending::Refused("overloaded") => telemetry.http.rejections.add("engine_queue"),
            Ending::Abandoned | Ending::Failed(_) if self.span.breaks_off() => {
                let ours = ending != Ending::Abandoned || telemetry.is_ending();
                let side = if ours { "server" } else { "client" };
                telemetry.http.stream_aborts.add(side);
            }
            Ending::Stop | Ending::Length | Ending::Abandoned | Ending::Refused(_) | Ending::Failed(_) => {}
        }
        if let Some(place) = self.place {
            telemetry.record(|| self.record(place, at, ending));
        }
        self.span.inferred(Inference {
            model: self.question.model.clone(),
            input_tokens: self.prompt_tokens,
            output_tokens: self.generated_tokens,
            ending: ending.word(),
        });
    }

    fn count(&self, at: Instant, ending: Ending) {
        let Some(meters) = &self.meters else { return };
        let whole = at.saturating_duration_since(self.began);
        let gen_ai = meters.of(self.question.operation);
        gen_ai.ended(ending.error(), whole);
        match ending {
            Ending::Stop => meters.stopped.add(1),
            Ending::Length => meters.cut.add(1),
            Ending::Abandoned | Ending::Failed(_) => meters.aborted.add(1),
            Ending::Refused(_) => return,
        }
        meters.whole.observe_duration(whole);
        meters.prompt_tokens.observe(self.prompt_tokens);
        meters.generated_tokens.observe(self.generated_tokens);
        gen_ai.input.observe(self.prompt_tokens);
        gen_ai.output.observe(self.generated_tokens);
        self.count_phases(meters, ending);
    }

    /// How long it waited and worked, as far as it came.
    fn count_phases(&self, meters: &ModelMeters, ending: Ending) {
        let Some(scheduled) = self.scheduled else { return };
        meters
            .queue
            .observe_duration(scheduled.saturating_duration_since(self.began));
        let Some(first) = self.first else { return };
        meters
            .prefill
            .observe_duration(first.saturating_duration_since(scheduled));
        let decoding = self.last.saturating_duration_since(first);
        meters.decode.observe_duration(decoding);
        meters
            .inference
            .observe_duration(self.last.saturating_duration_since(scheduled));
        if ending.error().is_some() {
            return;
        }
        let gen_ai = meters.of(self.question.operation);
        gen_ai
            .first_token
            .observe_duration(first.saturating_duration_since(self.began));
        let more = u32::try_from(self.generated_tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some(each) = decoding.checked_div(more) {
            gen_ai.per_token.observe_duration(each);
        }
    }

    fn record(&self, place: Place, at: Instant, ending: Ending) -> Span {
        let question = &self.question;
        let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
        let sampling = &question.sampling;
        let mut attributes = vec![
            ("gen_ai.operation.name", Value::Word(question.operation.name())),
            ("gen_ai.provider.name", Value::Word("moho")),
            ("gen_ai.request.model", Value::Model(question.model.clone())),
            (
                "gen_ai.request.temperature",
                Value::Fraction(sampling.temperature().into()),
            ),
            ("gen_ai.request.top_p", Value::Fraction(sampling.top_p().into())),
            ("gen_ai.output.type", Value::Word(question.output)),
        ];
        attributes.extend(self.span.address());
        let max_tokens = question.max_tokens.map(u64::from);
        attributes.extend(max_tokens.map(|most| ("gen_ai.request.max_tokens", number(most))));
        let seed = sampling.seed().and_then(|seed| i64::try_from(seed).ok());
        attributes.extend(seed.map(|seed| ("gen_ai.request.seed", Value::Number(seed))));
        if self.prompt_tokens > 0 {
            attributes.extend([
                ("gen_ai.response.model", Value::Model(question.model.clone())),
                ("gen_ai.usage.input_tokens", number(self.prompt_tokens)),
                ("gen_ai.usage.output_tokens", number(self.generated_tokens)),
                ("gen_ai.usage.cache_read.input_tokens", number(self.cached_tokens)),
            ]);
        }
        if let Some(reason) = ending.finish_reason() {
            attributes.push(("gen_ai.response.finish_reasons", Value::Words(vec![reason])));
        }
        attributes.extend(ending.error().map(|error| ("error.type", Value::Word(error))));
        Span {
            place,
            kind: Kind::Internal,
            name: format!("{} {}", question.operation.name(), question.model),
            start: self.span.unix_nanos(self.began),
            end: self.span.unix_nanos(at),
            attributes,
            failed: ending.error().is_some(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended(Instant::now(), Ending::Abandoned);
    }
}

impl Ending {
    fn word(self) -> &'static str {
        self.finish_reason().or_else(|| self.error()).unwrap_or_default()
    }

    fn finish_reason(self) -> Option<&'static str> {
        match self {
            Self::Stop => Some("stop"),
            Self::Length => Some("length"),
            Self::Abandoned | Self::Refused(_) | Self::Failed(_) => None,
        }
    }

    fn error(self) -> Option<&'static str> {
        match self {
            Self::Stop | Self::Length => None,
            Self::Abandoned => Some("abandoned"),
            Self::Refused(word) | Self::Failed(word) => Some(word),
        }
    }
}
