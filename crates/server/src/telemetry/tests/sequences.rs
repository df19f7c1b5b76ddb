//! Sequences whose every moment the test chooses.

use std::time::Duration;

use moho_engine::Sampling;
use tokio::time::Instant;

use super::*;

const LABEL: &str = "{model_name=\"m\"}";

fn question() -> Question {
    Question {
        model: model(),
        operation: Operation::Chat,
        max_tokens: Some(9),
        sampling: Sampling::GREEDY,
        output: "text",
    }
}

/// A sequence, and when it began.
fn begin(span: &RequestSpan) -> (Watch, Instant) {
    let watch = Watch::begin(span, question());
    let began = watch.began();
    (watch, began)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn each_phase_has_its_time() {
    let telemetry = telemetry();
    let span = RequestSpan::begin(&telemetry, &head(), "/v1/chat/completions");
    let (mut watch, began) = begin(&span);
    watch.admitted(began + millis(5), 7, 2);
    watch.scheduled(began + millis(100));
    watch.scheduled(began + millis(999));
    watch.tokens(began + millis(300), 1);
    watch.tokens(began + millis(340), 0);
    watch.tokens(began + millis(400), 4);
    watch.used(7, 2, 5);
    watch.ended(began + millis(410), Ending::Length);
    drop(watch);
    let page = page(&telemetry);
    for (name, sum, count) in [
        ("vllm:time_to_first_token_seconds", "0.3", "1"),
        ("vllm:inter_token_latency_seconds", "0.1", "4"),
        ("vllm:e2e_request_latency_seconds", "0.41", "1"),
        ("vllm:request_queue_time_seconds", "0.1", "1"),
        ("vllm:request_prefill_time_seconds", "0.2", "1"),
        ("vllm:request_decode_time_seconds", "0.1", "1"),
        ("vllm:request_inference_time_seconds", "0.3", "1"),
        ("vllm:request_prompt_tokens", "7", "1"),
        ("vllm:request_generation_tokens", "5", "1"),
    ] {
        assert_eq!(sample(&page, &format!("{name}_sum{LABEL}")), sum, "{name}");
        assert_eq!(sample(&page, &format!("{name}_count{LABEL}")), count, "{name}");
    }
    let ended = |reason| {
        let name = "vllm:request_success_total";
        sample(
            &page,
            &format!("{name}{{model_name=\"m\",finished_reason=\"{reason}\"}}"),
        )
    };
    assert_eq!(
        (ended("stop"), ended("length"), ended("abort")),
        ("0".into(), "1".into(), "0".into())
    );
    let labels = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"moho\",gen_ai_request_model=\"m\",gen_ai_response_model=\"m\"";
    for (name, more, sum) in [
        ("gen_ai_server_request_duration_seconds", "", "0.41"),
        ("gen_ai_server_time_to_first_token_seconds", "", "0.3"),
        ("gen_ai_server_time_per_output_token_seconds", "", "0.025"),
        ("gen_ai_client_token_usage", ",gen_ai_token_type=\"input\"", "7"),
        ("gen_ai_client_token_usage", ",gen_ai_token_type=\"output\"", "5"),
    ] {
        assert_eq!(
            sample(&page, &format!("{name}_sum{{{labels}{more}}}")),
            sum,
            "{name}"
        );
    }
}

#[test]
fn a_reader_that_leaves_aborts_and_only_a_stream_is_broken_off() {
    let telemetry = telemetry();
    let aborts = || {
        ["client", "server"].map(|side| {
            let name = format!("moho_stream_aborts_total{{side=\"{side}\"}}");
            sample(&page(&telemetry), &name)
        })
    };
    let span = || RequestSpan::begin(&telemetry, &head(), "/v1/chat/completions");
    let stream = || {
        let span = span();
        span.replied(StatusCode::OK);
        span
    };
    drop(begin(&span()));
    assert_eq!(aborts(), ["0", "0"], "it was answered whole, or not at all");
    drop(begin(&stream()));
    assert_eq!(aborts(), ["1", "0"]);
    let choices = stream();
    let (mut failed, began) = begin(&choices);
    let sibling = begin(&choices);
    failed.ended(began, Ending::Failed("computation"));
    drop((failed, sibling));
    assert_eq!(aborts(), ["1", "1"], "one stream, however many choices it had");
    telemetry.closing.advance(crate::closing::Stage::Draining);
    drop(begin(&stream()));
    assert_eq!(aborts(), ["2", "1"], "it might have gone on");
    telemetry.closing.advance(crate::closing::Stage::Ending);
    drop(begin(&stream()));
    assert_eq!(aborts(), ["2", "2"]);
    let name = "vllm:request_success_total{model_name=\"m\",finished_reason=\"abort\"}";
    assert_eq!(sample(&page(&telemetry), name), "6");
}

#[test]
fn what_the_engine_does_not_take_is_no_sequence_but_an_error() {
    let telemetry = telemetry();
    let span = RequestSpan::begin(&telemetry, &head(), "/v1/chat/completions");
    let (mut watch, began) = begin(&span);
    watch.ended(began + millis(2), Ending::Refused("overloaded"));
    drop(watch);
    let page = page(&telemetry);
    assert_eq!(
        sample(&page, "moho_quota_rejections_total{kind=\"engine_queue\"}"),
        "1"
    );
    assert_eq!(
        sample(&page, &format!("vllm:e2e_request_latency_seconds_count{LABEL}")),
        "0"
    );
    assert!(page.contains("error_type=\"overloaded\"} 0.002\n"), "{page}");
}

#[test]
fn the_engines_time_is_not_ours() {
    let telemetry = telemetry();
    let route = "/v1/chat/completions";
    let span = RequestSpan::begin(&telemetry, &head(), route);
    let (mut watch, began) = begin(&span);
    watch.admitted(began + Duration::from_secs(3600), 1, 0);
    span.replied(StatusCode::OK);
    let name = format!("moho_overhead_seconds_sum{{route=\"{route}\"}}");
    assert_eq!(sample(&page(&telemetry), &name), "0");
    drop(watch);
}
