//! The access log: one event for each request. docs/operations.md names its fields, which stay as they are.

use tracing::info;

use super::span::Summary;

/// Says that a request has ended. Its target is its own, so that a filter can choose it.
pub(super) fn log(request: &Summary<'_>) {
    if !tracing::enabled!(target: "moho_access", tracing::Level::INFO) {
        return;
    }
    let inference = request.inference;
    info!(
        target: "moho_access",
        request_id = %request.id,
        method = request.method,
        route = request.route,
        status = request.status,
        duration_ms = milliseconds(request.duration),
        model = inference.map(|inference| tracing::field::display(&inference.model)),
        input_tokens = inference.map(|inference| inference.input_tokens),
        output_tokens = inference.map(|inference| inference.output_tokens),
        ending = inference.map(|inference| inference.ending),
        trace_id = request.place.map(|place| tracing::field::display(place.trace_id())),
        "request"
    );
}

/// With three digits behind the point.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
