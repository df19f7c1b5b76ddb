"""What Prometheus reads: true numbers under the names that boards know, and nothing of what was said."""

import json
import socket

import httpx2
import pytest

from observing import eventually, metrics_url, promtool, samples, scrape, value
from serving import MODEL, Moho

MARKER = "Wombat3Saxophone8Tapioca"
CHAT = "/v1/chat/completions"
# An answer that cannot be short: the schema does not let the model stop.
ENDLESS = {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}
FORM = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": ENDLESS, "strict": True}}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    server = Moho(
        tmp_path_factory.mktemp("watched") / "data",
        arguments=("--metrics-listen", "127.0.0.1:0", "--log-format", "json"),
    )
    try:
        yield server.start()
    finally:
        server.end()


def chat(server, **settings):
    asked = {"model": MODEL, "messages": [{"role": "user", "content": f"Say {MARKER}."}], "max_tokens": 12} | settings
    with server.http(server.bearer()) as http:
        return http.post(CHAT, json=asked)


def talk(server) -> None:
    """A bit of everything, well and badly said."""
    assert chat(server).status_code == 200
    assert chat(server, stream=True).status_code == 200
    assert chat(server, model=f"no-{MARKER}").status_code in (403, 404)
    assert chat(server, temperature=-7).status_code == 400
    with server.http() as http:
        assert http.post(CHAT, json={}).status_code == 401
        assert http.get(f"/{MARKER}/{MARKER}").status_code == 404
        assert http.get("/healthz").status_code == 200
    with server.http(server.bearer()) as http:
        assert http.post("/v1/responses", json={"model": MODEL, "input": MARKER, "max_output_tokens": 16}).status_code == 200


def test_prometheus_itself_finds_no_fault(watched):
    talk(watched)
    page = scrape(watched)
    ours = "".join(line for line in page.splitlines(keepends=True) if "vllm:" not in line)
    assert promtool(ours) == (0, [])
    code, complaints = promtool(page)
    # vLLM chose these names, and boards and autoscalers look for them.
    theirs = ("metric names should not contain ':'", 'non-counter metrics should not have "_total" suffix')
    assert code in (0, 3), complaints
    for complaint in complaints:
        assert complaint.startswith("vllm:") and complaint.endswith(theirs), complaint
    assert promtool(page.replace("# TYPE moho_build_info gauge", "# TYPE moho_build_info counter"))[0] != 0, "it looks"


def test_each_family_is_there(watched):
    talk(watched)
    names = {name for name, *_ in samples(scrape(watched))}
    vllm = """num_requests_running num_requests_waiting kv_cache_usage_perc num_preemptions_total prompt_tokens_total
        generation_tokens_total iteration_tokens_total_count time_to_first_token_seconds_bucket inter_token_latency_seconds_sum
        e2e_request_latency_seconds_count request_queue_time_seconds_count request_prefill_time_seconds_count
        request_decode_time_seconds_count request_inference_time_seconds_count request_success_total request_prompt_tokens_sum
        request_generation_tokens_sum cache_config_info"""
    gen_ai = """server_request_duration_seconds_count server_time_to_first_token_seconds_count
        server_time_per_output_token_seconds_count client_token_usage_sum"""
    moho = """http_requests_total http_request_duration_seconds_count inflight_requests overhead_seconds_count
        auth_failures_total stream_aborts_total quota_rejections_total audit_lag_records build_info"""
    process = "cpu_seconds_total resident_memory_bytes open_fds max_fds start_time_seconds"
    for prefix, family in (("vllm:", vllm), ("gen_ai_", gen_ai), ("moho_", moho), ("process_", process)):
        missing = {prefix + name for name in family.split()} - names
        assert not missing
    assert not {name for name in names if "lora" in name}, "there are no adapters to tell of"


def test_numbers_are_what_the_clients_saw(watched):
    before = samples(scrape(watched))
    answers = [chat(watched, temperature=0).json() for _ in range(3)]
    after = samples(scrape(watched))

    def grown(name, **labels):
        key = (name, *sorted(labels.items()))
        return after[key] - before.get(key, 0)

    used = [answer["usage"] for answer in answers]
    prompt, generated = (sum(usage[kind] for usage in used) for kind in ("prompt_tokens", "completion_tokens"))
    assert grown("vllm:prompt_tokens_total", model_name=MODEL) == prompt
    assert grown("vllm:generation_tokens_total", model_name=MODEL) == generated
    assert grown("vllm:request_prompt_tokens_sum", model_name=MODEL) == prompt
    assert grown("vllm:request_generation_tokens_sum", model_name=MODEL) == generated
    assert grown("vllm:time_to_first_token_seconds_count", model_name=MODEL) == 3
    reasons = [grown("vllm:request_success_total", model_name=MODEL, finished_reason=reason) for reason in ("stop", "length")]
    said = [answer["choices"][0]["finish_reason"] for answer in answers]
    assert reasons == [said.count("stop"), said.count("length")]
    gen_ai = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "moho",
        "gen_ai_request_model": MODEL,
        "gen_ai_response_model": MODEL,
    }
    assert grown("gen_ai_client_token_usage_sum", gen_ai_token_type="output", **gen_ai) == generated
    assert grown("gen_ai_server_request_duration_seconds_count", **gen_ai) == 3
    assert grown("moho_http_requests_total", route=CHAT, method="POST", code="200") == 3
    assert grown("moho_overhead_seconds_count", route=CHAT) == 3
    own, whole = grown("moho_overhead_seconds_sum", route=CHAT), grown("moho_http_request_duration_seconds_sum", route=CHAT)
    assert 0 < own < whole, "the engine takes its part of the time"
    assert after[("moho_inflight_requests",)] == 0
    assert after[("vllm:num_requests_running", ("model_name", MODEL))] == 0


def test_what_runs_shows_while_it_runs_and_who_left_afterwards(watched):
    aborts = value(watched, "moho_stream_aborts_total", side="client")
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Count."}], "response_format": FORM, "stream": True}
    with watched.http(watched.bearer()) as http, http.stream("POST", CHAT, json=asked | {"max_tokens": 4000}) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        assert eventually("a running sequence", lambda: value(watched, "vllm:num_requests_running", model_name=MODEL)) == 1
        assert value(watched, "moho_inflight_requests") == 1
        assert 0 < value(watched, "vllm:kv_cache_usage_perc", model_name=MODEL) <= 1
    eventually("an abort", lambda: value(watched, "moho_stream_aborts_total", side="client") == aborts + 1)
    eventually("rest", lambda: value(watched, "moho_inflight_requests") == 0)


def test_strangers_choose_no_label(watched):
    talk(watched)
    page = scrape(watched)
    assert MARKER.lower() not in page.lower()
    before = len(samples(page))
    with watched.http() as http:
        for number in range(50):
            http.get(f"/{MARKER}{number}")
            http.request(f"METHOD{number}", "/v1/models")
            http.post(f"/model/{MARKER}{number}/converse", json={})
    after = samples(scrape(watched))
    routes = {value for key in after for name, value in key[1:] if name in ("route", "method")}
    assert len(after) - before < 100 and not any(MARKER in route or "METHOD" in route for route in routes)


def test_each_request_has_its_line_and_no_words(watched):
    answer = chat(watched)
    identity = answer.headers["x-request-id"]

    def line():
        lines = [json.loads(each) for each in watched.log_text().splitlines() if each.startswith("{")]
        return [each for each in lines if each.get("target") == "moho_access" and each["request_id"] == identity]

    (said,) = eventually("the line", line)
    usage = answer.json()["usage"]
    assert said["level"] == "INFO" and said["message"] == "request"
    assert (said["method"], said["route"], said["status"]) == ("POST", CHAT, 200)
    assert (said["model"], said["input_tokens"], said["output_tokens"]) == (MODEL, usage["prompt_tokens"], usage["completion_tokens"])
    assert said["ending"] == answer.json()["choices"][0]["finish_reason"]
    assert said["duration_ms"] > 0
    assert set(said) == {
        *("timestamp", "level", "target", "message", "request_id", "method", "route", "status"),
        *("duration_ms", "model", "input_tokens", "output_tokens", "ending"),
    }
    with watched.http() as http:
        for _ in range(300):
            http.get(f"/{MARKER}")
    log = watched.log_text()
    assert MARKER.lower() not in log.lower()
    assert watched.credentials().bearer_token not in log


def test_the_pages_are_on_their_own_listener(watched):
    with watched.http() as http:
        assert http.get("/metrics").status_code == 404
        ready = http.get("/readyz")
    assert ready.status_code == 200
    checks = ready.json()["checks"]
    assert checks == dict.fromkeys(("engine", "journal", "store", "models", "restored", "serving"), "ok")
    base = metrics_url(watched)
    assert httpx2.get(base + "/readyz", trust_env=False).text == ready.text
    assert httpx2.get(base + "/healthz", trust_env=False).json()["status"] == "ok"
    assert httpx2.get(base + "/v1/models", trust_env=False).status_code == 404
    assert httpx2.post(base + "/metrics", trust_env=False).status_code == 405


def test_those_who_misuse_it_hurt_nobody(watched):
    host, port = metrics_url(watched).removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(60)]
    for number, connection in enumerate(held):
        connection.sendall((b"GET /metrics HTTP/1.1\r\nhost: x\r\nx: ", b"\x16\x03\x01\x02\x00", b"")[number % 3])
    assert chat(watched).status_code == 200
    watched.assert_unharmed()
    for connection in held:
        connection.close()
    assert "moho_build_info" in scrape(watched)


def test_a_server_that_stops_is_not_ready(make_moho):
    server = make_moho(arguments=("--metrics-listen", "127.0.0.1:0")).start()
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Count."}], "response_format": FORM, "stream": True}
    base = metrics_url(server)
    with server.http(server.bearer()) as http, http.stream("POST", CHAT, json=asked | {"max_tokens": 4000}) as answer:
        lines = answer.iter_lines()
        next(lines)
        server.process.terminate()
        ready = eventually(
            "draining",
            lambda: (found := httpx2.get(base + "/readyz", trust_env=False)).status_code == 503 and found,
        )
        assert ready.json() == {
            "status": "unready",
            "checks": {"engine": "ok", "journal": "ok", "store": "ok", "models": "ok", "restored": "ok", "serving": "draining"},
        }
    assert server.process.wait(60) == 0


def test_nothing_is_served_unless_asked_for(moho):
    assert json.loads((moho.data / "endpoint.json").read_text())["metrics"] is None
    assert "metrics are served nowhere" in moho.log_text()
