"""Traces as a collector gets them: OpenTelemetry's conventions for generative AI, decoded by its own protocol's package."""

import httpx2
import pytest

from observing import Collector, attributes, eventually, metrics_url, scrape, value
from serving import MODEL, Moho

MARKER = "Numbat5Bassoon2Semolina"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, INTERNAL, ERROR = 2, 1, 2


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def traced(tmp_path_factory, collector):
    server = Moho(
        tmp_path_factory.mktemp("traced") / "data",
        arguments=("--otlp-endpoint", collector.url, "--metrics-listen", "127.0.0.1:0"),
    )
    try:
        yield server.start()
    finally:
        server.end()


def chat(server, headers=None, **settings):
    asked = {"model": MODEL, "messages": [{"role": "user", "content": f"Say {MARKER}."}], "max_tokens": 8} | settings
    with server.http(server.bearer() | (headers or {})) as http:
        return http.post("/v1/chat/completions", json=asked)


def spans_of(collector, answer, count):
    """The spans of one request, the server's first."""
    identity = answer.headers["x-request-id"]

    def found():
        spans = collector.spans()
        roots = [span for span in spans if attributes(span).get("moho.request_id") == identity]
        children = [span for span in spans for root in roots if span.parent_span_id == root.span_id]
        return [*roots, *children] if len(roots) + len(children) == count else None

    return eventually(f"{count} spans", found)


def test_a_question_is_a_span_below_its_request(traced, collector):
    answer = chat(traced, temperature=0.5, top_p=0.25, seed=7)
    usage, choice = answer.json()["usage"], answer.json()["choices"][0]
    request, inference = spans_of(collector, answer, 2)
    assert (request.name, request.kind) == ("POST /v1/chat/completions", SERVER)
    assert request.parent_span_id == b"" and len(request.trace_id) == 16
    said = attributes(request)
    assert said["http.request.method"] == "POST" and said["http.route"] == "/v1/chat/completions"
    assert said["http.response.status_code"] == 200
    assert (said["server.address"], said["server.port"]) == ("127.0.0.1", traced.port)
    assert (inference.name, inference.kind) == (f"chat {MODEL}", INTERNAL)
    assert inference.trace_id == request.trace_id and inference.parent_span_id == request.span_id
    assert attributes(inference) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "moho",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.max_tokens": 8,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.25,
        "gen_ai.request.seed": 7,
        "gen_ai.output.type": "text",
        "gen_ai.response.model": MODEL,
        "gen_ai.response.finish_reasons": [choice["finish_reason"]],
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "gen_ai.usage.cache_read.input_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": traced.port,
    }
    assert request.start_time_unix_nano <= inference.start_time_unix_nano < inference.end_time_unix_nano
    assert inference.end_time_unix_nano <= request.end_time_unix_nano


def test_the_callers_trace_goes_on(traced, collector):
    for stream in (False, True):
        answer = chat(traced, {"traceparent": f"00-{TRACE}-{PARENT}-01"}, stream=stream)
        request, inference = spans_of(collector, answer, 2)
        assert request.trace_id.hex() == inference.trace_id.hex() == TRACE
        assert request.parent_span_id.hex() == PARENT


def test_what_the_caller_does_not_record_is_not_recorded(traced, collector):
    unseen = chat(traced, {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    seen = chat(traced, {"traceparent": "nonsense"})
    spans_of(collector, seen, 2)
    identity = unseen.headers["x-request-id"]
    assert not [span for span in collector.spans() if attributes(span).get("moho.request_id") == identity]


def test_refusals_say_what_kind_they_are(traced, collector):
    refused = chat(traced, messages=[{"role": "user", "content": f"{MARKER} " * 9000}])
    assert refused.status_code == 400
    request, inference = spans_of(collector, refused, 2)
    assert attributes(request)["http.response.status_code"] == 400 and request.status.code != ERROR
    assert attributes(inference)["error.type"] == "context_overflow" and inference.status.code == ERROR
    invalid = chat(traced, temperature=-1)
    (request,) = spans_of(collector, invalid, 1)
    assert attributes(request)["http.response.status_code"] == 400


def test_no_word_of_a_tenant_reaches_the_collector(traced, collector):
    schema = {"type": "object", "properties": {MARKER: {"type": "string"}}, "required": [MARKER], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": MARKER, "schema": schema, "strict": True}}
    headers = {"user-agent": MARKER, "tracestate": f"x={MARKER}", "baggage": f"x={MARKER}", "traceparent": f"00-{MARKER}"}
    last = None
    for settings in ({}, {"stream": True}, {"stop": [MARKER]}, {"response_format": form, "max_tokens": 40}, {"user": MARKER}):
        last = chat(traced, headers, **settings)
        assert last.status_code == 200, last.text
    with traced.http(traced.bearer()) as http:
        for path in (f"/v1/responses/{MARKER}", f"/v1/models/{MARKER}", f"/{MARKER}?{MARKER}"):
            assert http.get(path).status_code in (403, 404)
        stored = http.post("/v1/responses", json={"model": MODEL, "input": MARKER, "max_output_tokens": 16})
    spans_of(collector, last, 2)
    spans_of(collector, stored, 2)
    everything = b"".join(collector.raw)
    assert MARKER.lower().encode() not in everything.lower()
    assert traced.credentials().bearer_token.encode() not in everything


def test_what_waits_is_sent_before_the_end(make_moho, collector):
    server = make_moho(arguments=("--otlp-endpoint", collector.url)).start()
    answer = chat(server)
    assert server.stop() == 0
    spans_of(collector, answer, 2)


def test_a_collector_is_only_trusted_with_its_certificate(make_moho, traced):
    secure = Collector(traced.data / "tls/server.pem", traced.data / "tls/server.key")
    try:
        arguments = ("--otlp-endpoint", secure.url, "--metrics-listen", "127.0.0.1:0")
        trusting = make_moho(arguments=(*arguments, "--otlp-ca", str(traced.authority))).start()
        answer = chat(trusting)
        spans_of(secure, answer, 2)
        trusting.end()
        # The system's authorities do not vouch for it.
        wary = make_moho(arguments=arguments).start()
        got = len(secure.raw)
        assert chat(wary).status_code == 200
        eventually("a drop", lambda: value(wary, "moho_otlp_spans_dropped_total", reason="unreachable") >= 2)
        assert len(secure.raw) == got
    finally:
        secure.close()


def test_a_collector_that_is_away_hurts_nobody(make_moho):
    away = Collector()
    away.close()
    server = make_moho(arguments=("--otlp-endpoint", away.url, "--metrics-listen", "127.0.0.1:0")).start()
    for _ in range(5):
        assert chat(server).status_code == 200
    assert httpx2.get(metrics_url(server) + "/readyz", trust_env=False).status_code == 200
    eventually("drops", lambda: value(server, "moho_otlp_spans_dropped_total", reason="unreachable") >= 10)
    assert "spans are not delivered" in server.log_text()
    assert MARKER not in server.log_text() and MARKER not in scrape(server)
