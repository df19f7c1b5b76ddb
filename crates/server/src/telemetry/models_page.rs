//! The families of vLLM and of OpenTelemetry's conventions, as boards and autoscalers for them read them.
//!
//! What has no counterpart here is left out: there are no LoRA adapters, so there is no `vllm:lora_requests_info`.

use std::sync::Arc;

use moho_engine::{ModelLoad, StepTokens};

use super::meter::{Distribution, Histogram};
use super::model_meters::{GenAi, ModelMeters, Operation};
use super::page::{Kind, Page, Unit};

/// What the link measured, by vLLM's names.
type OfMeters = (&'static str, Unit, &'static str, fn(&ModelMeters) -> &Histogram);

const MEASURED: [OfMeters; 9] = [
    (
        "vllm:time_to_first_token_seconds",
        Unit::Time,
        "From the question to the first token.",
        |meters| &meters.first_token,
    ),
    (
        "vllm:inter_token_latency_seconds",
        Unit::Time,
        "Between two tokens.",
        |meters| &meters.between_tokens,
    ),
    (
        "vllm:e2e_request_latency_seconds",
        Unit::Time,
        "From the question to the end of the answer.",
        |meters| &meters.whole,
    ),
    (
        "vllm:request_queue_time_seconds",
        Unit::Time,
        "Waiting until the first step.",
        |meters| &meters.queue,
    ),
    (
        "vllm:request_prefill_time_seconds",
        Unit::Time,
        "From the first step to the first token.",
        |meters| &meters.prefill,
    ),
    (
        "vllm:request_decode_time_seconds",
        Unit::Time,
        "From the first token to the last.",
        |meters| &meters.decode,
    ),
    (
        "vllm:request_inference_time_seconds",
        Unit::Time,
        "From the first step to the last token.",
        |meters| &meters.inference,
    ),
    (
        "vllm:request_prompt_tokens",
        Unit::Count,
        "Tokens of a prompt.",
        |meters| &meters.prompt_tokens,
    ),
    (
        "vllm:request_generation_tokens",
        Unit::Count,
        "Tokens generated for a prompt.",
        |meters| &meters.generated_tokens,
    ),
];

/// What the engine counts itself, by vLLM's names.
type OfLoad = (&'static str, Kind, &'static str, fn(&ModelLoad) -> String);

const LOADS: [OfLoad; 9] = [
    (
        "vllm:num_requests_running",
        Kind::Gauge,
        "Sequences that have KV blocks.",
        |load| load.running.to_string(),
    ),
    (
        "vllm:num_requests_waiting",
        Kind::Gauge,
        "Sequences that wait for KV blocks.",
        |load| load.waiting.to_string(),
    ),
    (
        "vllm:kv_cache_usage_perc",
        Kind::Gauge,
        "Share of the KV blocks in use: 1 is all.",
        |load| share(load.kv_blocks_used, load.kv_blocks),
    ),
    (
        "vllm:num_preemptions_total",
        Kind::Counter,
        "Sequences that lost their KV blocks to others.",
        |load| load.preemptions.to_string(),
    ),
    (
        "vllm:prefix_cache_queries_total",
        Kind::Counter,
        "Tokens looked for in the prefix cache.",
        |load| load.prefix_queries.to_string(),
    ),
    (
        "vllm:prefix_cache_hits_total",
        Kind::Counter,
        "Tokens found in the prefix cache.",
        |load| load.prefix_hits.to_string(),
    ),
    (
        "vllm:prompt_tokens_total",
        Kind::Counter,
        "Tokens of prompts.",
        |load| load.prompt_tokens.to_string(),
    ),
    (
        "vllm:prompt_tokens_cached_total",
        Kind::Counter,
        "Tokens of prompts that were found in the prefix cache.",
        |load| load.cached_tokens.to_string(),
    ),
    (
        "vllm:generation_tokens_total",
        Kind::Counter,
        "Tokens generated.",
        |load| load.generated_tokens.to_string(),
    ),
];

/// Those of [`LOADS`] that only a prefix cache has.
const OF_PREFIX_CACHE: [&str; 3] = [
    "vllm:prefix_cache_queries_total",
    "vllm:prefix_cache_hits_total",
    "vllm:prompt_tokens_cached_total",
];

/// What the link measured of each model.
pub(super) fn write_measured(page: &mut Page, models: &[Arc<ModelMeters>]) {
    if models.is_empty() {
        return;
    }
    for (name, unit, help, histogram) in MEASURED {
        page.family(name, Kind::Histogram, help);
        for meters in models {
            let labels = [("model_name", meters.model.as_str())];
            page.histogram(name, &labels, &histogram(meters).distribution(), unit);
        }
    }
    let name = "vllm:request_success_total";
    page.family(name, Kind::Counter, "Sequences that ended, by how.");
    for meters in models {
        for (reason, count) in [
            ("stop", &meters.stopped),
            ("length", &meters.cut),
            ("abort", &meters.aborted),
        ] {
            let labels = [("model_name", meters.model.as_str()), ("finished_reason", reason)];
            page.sample(name, &labels, count.get());
        }
    }
    write_gen_ai(page, models);
}

/// What the engine counts of each model.
pub(super) fn write_loads(page: &mut Page, loads: &[ModelLoad]) {
    if loads.is_empty() {
        return;
    }
    // Without a prefix cache there is nothing to say of one.
    let cached = loads.iter().any(|load| load.prefix_queries > 0);
    for (name, kind, help, value) in LOADS {
        if OF_PREFIX_CACHE.contains(&name) && !cached {
            continue;
        }
        page.family(name, kind, help);
        for load in loads {
            page.sample(name, &[("model_name", load.model.as_str())], value(load));
        }
    }
    let name = "vllm:iteration_tokens_total";
    page.family(name, Kind::Histogram, "Tokens computed in one step.");
    for load in loads {
        let labels = [("model_name", load.model.as_str())];
        page.histogram(name, &labels, &steps(&load.step_tokens), Unit::Count);
    }
    let name = "vllm:cache_config_info";
    page.family(name, Kind::Gauge, "How the KV cache is cut into blocks.");
    for load in loads {
        let (blocks, tokens) = (load.kv_blocks.to_string(), load.block_tokens.to_string());
        let labels = [
            ("model_name", load.model.as_str()),
            ("num_gpu_blocks", blocks.as_str()),
            ("block_size", tokens.as_str()),
        ];
        page.sample(name, &labels, 1);
    }
}

/// A share with four digits: a block among ten thousand shows.
fn share(part: u32, whole: u32) -> String {
    match (u64::from(part) * 10_000).checked_div(u64::from(whole)) {
        Some(share) => format!("{}.{:04}", share / 10_000, share % 10_000),
        None => "0".to_owned(),
    }
}

fn steps(tokens: &StepTokens) -> Distribution {
    let below = StepTokens::BOUNDS.into_iter().zip(tokens.cumulative);
    Distribution {
        below: below.collect(),
        count: tokens.cumulative.last().copied().unwrap_or_default(),
        sum: tokens.sum,
    }
}

/// A histogram of OpenTelemetry's conventions.
struct Convention {
    name: &'static str,
    unit: Unit,
    help: &'static str,
    /// A further label and its value, or an empty one.
    label: (&'static str, &'static str),
    histogram: fn(&GenAi) -> &Histogram,
}

const CONVENTIONS: [&[Convention]; 3] = [
    &[Convention {
        name: "gen_ai_server_time_to_first_token_seconds",
        unit: Unit::Time,
        help: "From the question to the first token, of answers that came to their end.",
        label: ("", ""),
        histogram: |gen_ai| &gen_ai.first_token,
    }],
    &[Convention {
        name: "gen_ai_server_time_per_output_token_seconds",
        unit: Unit::Time,
        help: "Time for each token after the first, of answers that came to their end.",
        label: ("", ""),
        histogram: |gen_ai| &gen_ai.per_token,
    }],
    &[
        Convention {
            name: "gen_ai_client_token_usage",
            unit: Unit::Count,
            help: "Tokens that a question used.",
            label: ("gen_ai_token_type", "input"),
            histogram: |gen_ai| &gen_ai.input,
        },
        Convention {
            name: "gen_ai_client_token_usage",
            unit: Unit::Count,
            help: "",
            label: ("gen_ai_token_type", "output"),
            histogram: |gen_ai| &gen_ai.output,
        },
    ],
];

fn write_gen_ai(page: &mut Page, models: &[Arc<ModelMeters>]) {
    let name = "gen_ai_server_request_duration_seconds";
    page.family(
        name,
        Kind::Histogram,
        "From the question to the end of the answer, or of the attempt.",
    );
    for (meters, operation) in combined(models) {
        for (error, times) in meters.of(operation).durations() {
            let labels = labels(meters, operation, ("error_type", error));
            page.histogram(name, &labels, &times, Unit::Time);
        }
    }
    for family in CONVENTIONS {
        if let Some(first) = family.first() {
            page.family(first.name, Kind::Histogram, first.help);
        }
        for (meters, operation) in combined(models) {
            for Convention {
                name,
                unit,
                label,
                histogram,
                ..
            } in family
            {
                let values = histogram(meters.of(operation)).distribution();
                if values.count > 0 {
                    page.histogram(name, &labels(meters, operation, *label), &values, *unit);
                }
            }
        }
    }
}

fn combined(models: &[Arc<ModelMeters>]) -> impl Iterator<Item = (&ModelMeters, Operation)> {
    let each = models.iter().map(|meters| &**meters);
    each.flat_map(|meters| Operation::ALL.map(|operation| (meters, operation)))
}

fn labels<'a>(
    meters: &'a ModelMeters,
    operation: Operation,
    more: (&'static str, &'static str),
) -> Vec<(&'static str, &'a str)> {
    let model = meters.model.as_str();
    let mut labels = vec![
        ("gen_ai_operation_name", operation.name()),
        ("gen_ai_provider_name", "moho"),
        ("gen_ai_request_model", model),
        ("gen_ai_response_model", model),
    ];
    if !more.1.is_empty() {
        labels.push(more);
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        assert_eq!(share(0, 0), "0");
        assert_eq!(share(1, 3), "0.3333");
        assert_eq!(share(7, 7), "1.0000");
        assert_eq!(share(u32::MAX, u32::MAX), "1.0000");
    }
}
