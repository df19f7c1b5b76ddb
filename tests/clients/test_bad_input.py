"""Input that is broken, huge or hostile: a clear error of the right kind, bounded memory, and the server goes on."""

import json
import re
import socket
import ssl
import subprocess

import openai
import pytest

import hostile
import serving
from serving import MODEL, UNGRANTED
from signing import signed_headers

JSON = {"Content-Type": "application/json"}
MIB = 1 << 20
GOOD = {"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False}
GOOD_CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 16}


def post(moho, content, path="/v1/responses", headers=JSON):
    with moho.http(moho.bearer()) as http:
        return http.post(path, content=content, headers=headers)


def assert_invalid(answer, param=..., code=...):
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    if param is not ...:
        assert error["param"] == param
    if code is not ...:
        assert error["code"] == code


BROKEN_JSON = [
    b"",
    b" ",
    b"{",
    b"}",
    b"null",
    b"[]",
    b'"text"',
    b"{}{}",
    b'{"model": }',
    b'{"model": "x",}',
    b"{'model': 'x'}",
    b'{"model": "\xff\xfe"}',
    b'{"model": "\xed\xa0\x80"}',
    b'{"model": "\\ud800"}',
    b'{"model": "\\x"}',
    b'{"model": "a\nb"}',
    b'\xef\xbb\xbf{"model": "x"',
    b'{"model": NaN}',
    b'{"model": 1e999999}',
    b"\0" * 64,
    json.dumps(GOOD).encode("utf-16"),
]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
@pytest.mark.parametrize("body", BROKEN_JSON)
def test_broken_json(moho, path, body):
    assert_invalid(post(moho, body, path))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("depth", [100, 10_000, 1_000_000])
def test_deep_json(moho, opening, depth):
    body = b'{"model": "' + MODEL.encode() + b'", "input": "Hi!", "metadata": ' + opening * depth
    assert_invalid(post(moho, body))


def test_deep_and_complete_json(moho):
    body = b'{"model": "' + MODEL.encode() + b'", "input": "Hi!", "unknown": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    assert_invalid(post(moho, body))


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": ["x"]}, "model"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": {}}, "input"),
        ({"input": []}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "emperor", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]}, "input[0].content[0].type"),
        ({"stream": "yes"}, "stream"),
        ({"store": 1}, "store"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"max_output_tokens": 1 << 70}, "max_output_tokens"),
        ({"instructions": 7}, "instructions"),
        ({"metadata": {"a": 1}}, None),
        ({"metadata": {f"k{i}": "v" for i in range(17)}}, "metadata"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"text": "plain"}, "text"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"background": True}, "background"),
        ({"tools": "none"}, "tools"),
    ],
)
def test_wrong_values_in_responses(moho, change, param):
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    answer = post(moho, json.dumps(body).encode())
    assert_invalid(answer)
    if param is not None:
        assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": "Hi!"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"seed": "x"}, "seed"),
        ({"n": 129}, "n"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"stream_options": {"include_usage": "yes"}, "stream": True}, "stream_options.include_usage"),
    ],
)
def test_wrong_values_in_chat(moho, change, param):
    body = {name: value for name, value in (GOOD_CHAT | change).items() if value is not None}
    assert_invalid(post(moho, json.dumps(body).encode(), "/v1/chat/completions"), param)


@pytest.mark.parametrize(
    ("setting", "param"),
    [
        ('"logit_bias": {%s}' % ", ".join(f'"{number}": 1' for number in range(600_000)), None),
        ('"logit_bias": {%s}' % ", ".join(f'"{number}": 1' for number in range(100_000)), "logit_bias"),
        ('"logit_bias": {%s}' % ", ".join(['"7": -100'] * 1025), "logit_bias"),
        ('"logit_bias": {"7": NaN}', None),
        ('"logit_bias": {"7": 1e999}', "logit_bias.7"),
        ('"logit_bias": {"7": "NaN"}', "logit_bias.7"),
        ('"logit_bias": %s1%s' % ('{"7": ' * 40, "}" * 40), "logit_bias.7"),
        ('"logit_bias": {"99999": 1}', "logit_bias"),
        ('"logit_bias": {"%s": 1}' % ("9" * 100_000), "logit_bias"),
        ('"logit_bias": {"\\u0000": 1}', "logit_bias"),
        ('"n": -%s' % ("9" * 100_000), "n"),
        ('"n": 1e2', "n"),
        ('"n": 1, "n": 129', "n"),
        ('"logprobs": true, "top_logprobs": 4294967297', "top_logprobs"),
        ('"min_p": 1e-999, "top_k": 1e999', "top_k"),
        ('"repetition_penalty": 1e-40', "repetition_penalty"),
        ('"presence_penalty": {}', "presence_penalty"),
        ('"stop": ["%s"]' % ("x" * 1025), "stop"),
    ],
    ids=range(18),
)
def test_hostile_sampling(moho, setting, param):
    body = json.dumps(GOOD_CHAT)[:-1] + ", " + setting + "}"
    assert_invalid(post(moho, body.encode(), "/v1/chat/completions"), param)


def test_of_two_settings_the_last_counts(moho):
    body = json.dumps(GOOD_CHAT)[:-1] + ', "n": 129, "n": 2, "logit_bias": {"7": 1000}, "logit_bias": {"7": 1, "07": 2}}'
    answer = post(moho, body.encode(), "/v1/chat/completions")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"]) == 2


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/nowhere"},
        {"type": "string", "pattern": "("},
    ],
)
def test_schemas_that_cannot_be_held(moho, schema):
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    assert_invalid(post(moho, json.dumps(GOOD | {"text": {"format": form}}).encode()))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "(a{1000}){1000}"},
        {"type": "string", "pattern": "(.*a){40}.*"},
        {"type": "string", "minLength": 1_000_000_000},
        {"type": "array", "items": {"type": "integer"}, "minItems": 1_000_000_000},
        {"enum": [f"{number:040}" for number in range(20_000)]},
        {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(5_000)}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}},
        {"allOf": [{"anyOf": [{"multipleOf": a}, {"multipleOf": a + 1}]} for a in range(1, 40)]},
    ],
)
def test_heavy_schemas_cost_little(moho, schema):
    """Held or refused, but neither for long nor with much memory, and nobody else is kept waiting."""
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    body = json.dumps(GOOD | {"text": {"format": form}}).encode()

    def send():
        with moho.http(moho.bearer(), timeout=30) as http:
            answer = http.post("/v1/responses", content=body, headers=JSON)
        if answer.status_code != 200:
            assert_invalid(answer)

    assert grown(moho, send) < 256 * MIB


def test_no_error_repeats_the_words_of_a_request(moho):
    marker = "zanzibar-7f3a"
    bodies = [
        GOOD | {"input": [{"role": marker, "content": "x"}]},
        GOOD | {"temperature": marker},
        GOOD | {"input": marker * 20_000},
        GOOD | {"text": {"format": {"type": marker}}},
    ]
    for body in bodies:
        answer = post(moho, json.dumps(body).encode())
        assert_invalid(answer)
        assert marker not in answer.text
    broken = post(moho, b'{"input": "' + marker.encode() + b'", ')
    assert_invalid(broken)
    assert marker not in broken.text


def test_context_overflow(moho):
    for path, body in [("/v1/responses", GOOD | {"input": "word " * 9000}), ("/v1/chat/completions", dict(GOOD_CHAT))]:
        if "messages" in body:
            body["messages"] = [{"role": "user", "content": "word " * 9000}]
        for stream in (False, True):
            answer = post(moho, json.dumps(body | {"stream": stream}).encode(), path)
            assert_invalid(answer, "messages" if "messages" in body else "input", "context_length_exceeded")
            assert "8192" in answer.json()["error"]["message"]


def test_unknown_and_ungranted_models(moho):
    client = moho.openai()
    for create in (
        lambda model: client.responses.create(model=model, input="Hi!"),
        lambda model: client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi!"}]),
    ):
        with pytest.raises(openai.PermissionDeniedError) as denied:
            create(UNGRANTED)
        assert denied.value.code == "access_denied"
        with pytest.raises((openai.NotFoundError, openai.PermissionDeniedError)):
            create("no-such-model")
        with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
            create("no such model/../../etc/passwd")
    assert client.responses.create(**GOOD).status in ("completed", "incomplete")


def test_paths_and_methods(moho):
    with moho.http(moho.bearer()) as http:
        for path in ("/v1", "/v1/", "/v1/nothing", "/v2/responses", "/v1/%2e%2e/healthz", "/%00", "/v1/responses/%ff"):
            answer = http.get(path)
            assert answer.status_code in (400, 404, 405), (path, answer.status_code)
            assert answer.json()["error"]["type"] == "invalid_request_error"
        for method in ("PUT", "PATCH", "TRACE", "OPTIONS", "BREW"):
            answer = http.request(method, "/v1/responses")
            assert answer.status_code in (404, 405), (method, answer.status_code)
        assert http.get("/v1/responses").status_code in (404, 405)


def grown(moho, act, name="VmHWM") -> int:
    before = moho.memory(name)
    act()
    return moho.memory(name) - before


@pytest.mark.parametrize("flag", ["--http1.1", "--http2"])
def test_a_body_of_100_megabytes(moho, tmp_path, flag):
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.write(b'{"model": "x", "input": "')
        file.truncate(100 * MIB)
    sent = tmp_path / "sent"

    def upload(*arguments):
        configuration = tmp_path / "curlrc"
        configuration.write_text(f'header = "Authorization: Bearer {moho.credentials().bearer_token}"\n')
        command = ["curl", "--disable", "--silent", "--noproxy", "*", "--config", str(configuration), "--cacert", str(moho.authority), flag]
        command += ["--header", "Content-Type: application/json", "--output", str(sent), "--write-out", "%{http_code}", *arguments]
        command += ["--data-binary", f"@{body}", moho.url + "/v1/responses"]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if finished.returncode == 92:
            # Old versions of curl drop a whole HTTP/2 reply that comes before they have sent all (RFC 9113, 8.1).
            assert flag == "--http2"
            return
        assert finished.stdout == "413", (finished.stdout, finished.stderr)
        error = json.loads(sent.read_text())["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "payload_too_large")

    assert grown(moho, upload) < 40 * MIB
    if flag == "--http1.1":
        assert grown(moho, lambda: upload("--header", "Transfer-Encoding: chunked")) < 40 * MIB


def test_bodies_of_strangers_are_not_kept(moho):
    def send():
        with moho.http() as http:
            for _ in range(8):
                assert http.post("/v1/responses", content=b"x" * (9 * MIB), headers=JSON).status_code == 401

    assert grown(moho, send) < 40 * MIB


def raw(moho, data: bytes, protocols=("http/1.1",)) -> bytes:
    """What comes back for bytes of our own."""
    context = ssl.create_default_context(cafile=moho.authority)
    context.set_alpn_protocols(list(protocols))
    with socket.create_connection(("127.0.0.1", moho.port), timeout=30) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        answer = b""
        try:
            tls.sendall(data)
            while chunk := tls.recv(65536):
                answer += chunk
        except (ConnectionError, ssl.SSLError):
            pass
        return answer


HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\nGARBAGE\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"a\x00b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n folded\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"a%d: b\r\n" % i for i in range(1000)) + b"\r\n",
        b"POST /v1/responses HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        b"POST /v1/responses HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/responses HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"POST /v1/responses HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
        b"\x16\x03\x01\x00\x05hello",
    ],
)
def test_broken_http(moho, data):
    answer = raw(moho, data)
    assert not answer or re.match(rb"HTTP/1\.[01] 4\d\d |\0\0", answer), answer[:200]


def test_no_host_or_two(moho):
    for hosts in (b"", HOST + b"Host: other.example\r\n"):
        answer = raw(moho, b"GET /v1/models HTTP/1.1\r\n" + hosts + CLOSE + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_nothing_is_smuggled(moho):
    """Length and chunks together: whatever is answered, the second request inside the body is not."""
    inner = b"GET /healthz HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    head = b"POST /v1/responses HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = raw(moho, head + inner)
    assert b"HTTP/1.1 200" not in answer


def test_broken_http2(moho):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    frames = {
        "no settings": b"",
        "frame too long": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
        "headers on stream 0": b"\0\0\1\1\4\0\0\0\0\x82",
        "bad compression": b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff",
        "window of nothing": b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\x08\0\0\0\0\0\0\0\0\0",
        "reset flood": b"\0\0\0\4\0\0\0\0\0" + b"".join(
            b"\0\0\1\1\5" + stream.to_bytes(4) + b"\x82" + b"\0\0\4\3\0" + stream.to_bytes(4) + b"\0\0\0\x08" for stream in range(1, 4001, 2)
        ),
    }
    for name, data in frames.items():
        if name != "no settings":
            answer = raw(moho, preface + data, protocols=("h2",))
            assert not answer.startswith(b"HTTP/1.1 2"), name


def test_a_broken_form(moho):
    for body in (b"", b"Action", b"Action=", b"Action=%ff&Version=2011-06-15", b"Action=%zz", b"Version=2011-06-15", b"Action=A&Action=B", b"&" * 10_000):
        with moho.http() as http:
            answer = http.post("/", content=body, headers=signed_headers(moho, "/", body, "sts"))
        assert 400 <= answer.status_code < 404, (body[:40], answer.status_code, answer.text)
        assert "<ErrorResponse" in answer.text


@pytest.fixture
def refused_start(make_moho):
    """Starts moho with a model that must be refused; gives what it said."""

    def start(path) -> str:
        server = make_moho(models={"bad": path})
        server.spawn()
        assert server.process.wait(60) not in (0, 101), server.log_text()
        said = server.log_text()
        assert server.process.returncode > 0, (server.process.returncode, said)
        assert "panicked" not in said
        return said

    return start


@pytest.mark.parametrize("name", list(hostile.files()))
def test_hostile_model_files(refused_start, tmp_path, name):
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(hostile.files()[name])
    said = refused_start(path)
    assert "bad" in said or path.name in said, said
    if name == "refused-type":
        assert "Q2_K" in said


def test_changed_model_files(refused_start, tmp_path):
    for path in hostile.changed_model(serving.model_file(), tmp_path).values():
        said = refused_start(path)
        assert "bad" in said or path.name in said, said


def test_model_files_that_are_no_files(refused_start, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "absent", tmp_path / "folder", "/dev/zero"):
        refused_start(path)
