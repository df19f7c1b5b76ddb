"""Stopping: what runs may end; what does not end in time says so in its own protocol, and never looks whole."""

import json
import signal

import httpx2
import openai
import pytest

import rawnet
from rawnet import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Http2, frame
from serving import MODEL

# An answer that cannot be short: the schema does not let the model stop.
ENDLESS = {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}
FORM = {"type": "json_schema", "name": "numbers", "schema": ENDLESS, "strict": True}
LONG_RESPONSE = {"model": MODEL, "input": "Count.", "text": {"format": FORM}, "max_output_tokens": 8000}
LONG_CHAT = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Count."}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "numbers", "schema": ENDLESS, "strict": True}},
    "max_completion_tokens": 8000,
}
QUICK, LONG = ("--drain-seconds", "1"), ("--drain-seconds", "600")


def ended(server) -> None:
    assert server.process.wait(rawnet.PATIENCE) == 0
    assert "panicked" not in server.log_text()


def refuses_connections(server) -> bool:
    try:
        rawnet.plain(server).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # the listener was closed while this one waited in its queue
    return False


def stopping(server) -> None:
    """Tells it to stop, and waits until it has heard."""
    server.process.send_signal(signal.SIGTERM)
    rawnet.until(lambda: refuses_connections(server), "nothing new is accepted")


def answer(connection: Http2, stream: int) -> bytes:
    """The body of a stream that ends well."""
    body = b""
    while True:
        found = connection.next(stream, DATA, rawnet.RST_STREAM)
        assert found.kind == DATA, f"the stream was reset with {found.error}"
        body += found.payload
        if found.flags & END_STREAM:
            return body


def test_a_stream_that_ends_in_time_is_whole(make_moho):
    server = make_moho(arguments=LONG).start()
    client = server.openai()
    ask = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_completion_tokens": 60}
    chat = client.chat.completions.create(model=MODEL, stream=True, **ask)
    response = server.openai().responses.create(model=MODEL, input="Tell me a story.", max_output_tokens=60, stream=True)
    next(chat), next(response)
    server.process.send_signal(signal.SIGTERM)
    assert [chunk.choices[0].finish_reason for chunk in chat if chunk.choices][-1] in ("stop", "length")
    last = list(response)[-1]
    assert last.type in ("response.completed", "response.incomplete")
    ended(server)
    server.start()
    assert server.openai().responses.retrieve(last.response.id).to_dict() == last.response.to_dict()


@pytest.mark.parametrize("arguments", [QUICK, LONG], ids=["at-the-limit", "at-the-second-signal"])
def test_a_stream_that_does_not_end_in_time_ends_in_an_error(make_moho, arguments):
    server = make_moho(arguments=arguments).start()
    chat = server.openai().chat.completions.create(**LONG_CHAT, stream=True)
    response = server.openai().responses.create(**LONG_RESPONSE, stream=True)
    next(chat)
    name = next(response).response.id
    stopping(server)
    if arguments == LONG:
        server.process.send_signal(signal.SIGTERM)
    for stream in (chat, response):
        with pytest.raises(openai.APIError, match="unavailable"):
            list(stream)
    ended(server)
    # Nobody was told that it was complete, so nothing of it was kept.
    server.start()
    with pytest.raises(openai.NotFoundError):
        server.openai().responses.retrieve(name)


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
@pytest.mark.parametrize(("path", "body"), [("chat/completions", LONG_CHAT), ("responses", LONG_RESPONSE)], ids=["chat", "responses"])
def test_what_the_wire_says_at_the_end(make_moho, prefix, path, body):
    server = make_moho(arguments=QUICK).start()
    with server.http(server.bearer()) as http, http.stream("POST", f"{prefix}/{path}", json=body | {"stream": True}) as reply:
        assert reply.status_code == 200
        lines = reply.iter_lines()
        assert next(lines)
        server.process.send_signal(signal.SIGTERM)
        said = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert "[DONE]" not in said
    last = json.loads(said[-1])
    assert last.get("type") == "response.failed" or last["error"]["type"] == "server_error"
    ended(server)


def test_a_whole_answer_that_does_not_come_in_time_is_refused(make_moho):
    server = make_moho(arguments=QUICK).start()
    block = rawnet.request("POST", "/v1/responses", server.bearer())
    connection = Http2(server)
    connection.send(connection.headers(1, block, END_HEADERS), frame(DATA, END_STREAM, 1, json.dumps(LONG_RESPONSE).encode()))
    # It runs once the next one is answered.
    short = LONG_RESPONSE | {"max_output_tokens": 1}
    connection.send(connection.headers(3, block, END_HEADERS), frame(DATA, END_STREAM, 3, json.dumps(short).encode()))
    assert connection.next(3, HEADERS).status == 200
    with server.http(server.bearer()) as http:
        stopping(server)
        assert connection.next(1, HEADERS).status == 503
        assert json.loads(answer(connection, 1))["error"]["code"] == "service_unavailable"
        with pytest.raises(httpx2.TransportError):
            http.get("/v1/models")
    ended(server)


def test_a_refusal_says_when_to_try_again(make_moho):
    server = make_moho(arguments=QUICK).start()
    stream = rawnet.tls(server)
    body = json.dumps(LONG_RESPONSE).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nhost: a\r\nauthorization: {server.bearer()['Authorization']}\r\n"
    head += f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n"
    stream.sendall(head.encode())
    # It waits for the body, half of which comes.
    assert stream.recv(1000).startswith(b"HTTP/1.1 100 ")
    stream.sendall(body[: len(body) // 2])
    stopping(server)
    said = rawnet.rest(stream).decode()
    assert said.startswith("HTTP/1.1 503 ")
    assert "\r\nretry-after: " in said and "\r\nconnection: close\r\n" in said
    ended(server)


def test_idle_connections_are_told_to_go(make_moho):
    server = make_moho(arguments=LONG).start()
    busy, idle = Http2(server), Http2(server)
    block = rawnet.request("POST", "/v1/responses", server.bearer())
    ask = LONG_RESPONSE | {"max_output_tokens": 200}
    busy.send(busy.headers(1, block, END_HEADERS), frame(DATA, END_STREAM, 1, json.dumps(ask).encode()))
    busy.send(busy.headers(3, rawnet.request("GET", "/healthz")))
    assert busy.next(3, HEADERS).status == 200
    kept = rawnet.tls(server)
    kept.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    assert kept.recv(1000).startswith(b"HTTP/1.1 200 ")
    half = rawnet.tls(server)
    half.sendall(b"GET /healthz HTTP/1.1\r\nho")
    silent = rawnet.plain(server)
    stopping(server)
    # The last stream that is served is in it, and no error.
    goodbye = busy.next(0, GOAWAY)
    assert goodbye.error == 0
    assert idle.last_word() == 0
    for stream in (kept, half, silent):
        assert rawnet.rest(stream) == b""
    # Where something runs, it runs on.
    assert busy.next(1, HEADERS).status == 200
    assert json.loads(answer(busy, 1))["status"] == "incomplete"
    ended(server)


def test_who_reads_nothing_does_not_hold_up_the_end(make_moho):
    server = make_moho(arguments=(*QUICK, "--stall-seconds", "600")).start()
    block = rawnet.request("POST", "/v1/responses", server.bearer())
    body = json.dumps(LONG_RESPONSE | {"stream": True}).encode()
    shut = Http2(server, {rawnet.INITIAL_WINDOW_SIZE: 100})
    shut.send(shut.headers(1, block, END_HEADERS), frame(DATA, END_STREAM, 1, body))
    assert shut.next(1, HEADERS).status == 200
    stopping(server)
    ended(server)
    # No end that looks like one.
    assert not any(found.stream == 1 and found.kind == DATA and found.flags & END_STREAM for found in shut.frames())
