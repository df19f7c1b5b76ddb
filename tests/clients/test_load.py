"""Many at once, some of them slow: all are served or told when to come again, and nobody pays for anybody else."""

import asyncio
import concurrent.futures
import json
import resource

import botocore.exceptions
import httpx2
import openai
import pytest

import bedrock
import rawnet
from observing import eventually, value
from rawnet import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, WINDOW_UPDATE, Http2, frame
from serving import MODEL, Moho

CONNECTIONS, STREAMS = 1000, 256
# Measured: 48 KiB. With twice that, the default of 4096 connections costs less than half a GiB.
IDLE_CONNECTION = 96 << 10
# An answer that cannot be short: the schema does not let the model stop.
ENDLESS = {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}
LONG = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Count."}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "numbers", "schema": ENDLESS, "strict": True}},
    "max_completion_tokens": 8000,
    "stream": True,
}
GET_MODELS = "GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\n\r\n"


@pytest.fixture(scope="module", autouse=True)
def enough_files():
    """A thousand connections are a thousand files on this side, too."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def authorization(server: Moho) -> str:
    return server.bearer()["Authorization"]


def post(server: Moho, path: str = "/v1/chat/completions") -> bytes:
    return rawnet.request("POST", path, {"authorization": authorization(server)})


def ask(connection: Http2, stream: int, block: bytes, body: dict) -> None:
    connection.send(connection.headers(stream, block, END_HEADERS), frame(DATA, END_STREAM, stream, json.dumps(body).encode()))


# Connections


def reply(stream) -> bytes:
    """One small reply with a length, of HTTP/1.1."""
    said = b""
    while True:
        said += stream.recv(65536)
        head, found, body = said.partition(b"\r\n\r\n")
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if found and len(body) == int(length[0].split(b":")[1]):
            return said


def test_a_thousand_connections_from_one_address(make_moho):
    # As a service manager starts programs: a low limit on open files that may be raised.
    server = make_moho(limits={resource.RLIMIT_NOFILE: (1024, 8192)}).start()
    get = GET_MODELS.format(authorization(server)).encode()
    rawnet.tls(server).close()
    before = server.memory("VmRSS")
    first, second = [], []
    for _ in range(CONNECTIONS // 2):
        first.append(rawnet.tls(server))
        second.append(Http2(server))
    held = server.memory("VmRSS") - before
    print(f"{held // CONNECTIONS} bytes for one idle connection")
    assert held < IDLE_CONNECTION * CONNECTIONS
    # All are asked before any is read, and again, as all are kept.
    block = rawnet.request("GET", "/v1/models", {"authorization": authorization(server)})
    for number in (1, 3):
        for stream in first:
            assert rawnet.send_all(stream, get)
        for connection in second:
            assert connection.send(connection.headers(number, block))
        assert all(reply(stream).startswith(b"HTTP/1.1 200 ") for stream in first)
        assert {connection.next(number, HEADERS).status for connection in second} == {200}
    assert rawnet.files(server) > CONNECTIONS
    server.assert_unharmed()


def test_fewer_files_are_fewer_connections(make_moho):
    server = make_moho(limits={resource.RLIMIT_NOFILE: (256, 512)}).start()
    rawnet.until(lambda: "raise `ulimit -n`" in server.log_text(), "the log says why there are fewer")
    idle = [rawnet.tls(server) for _ in range(600)]
    assert rawnet.files(server) < 512
    # Those who came first and did nothing made room.
    assert rawnet.is_closed(idle[0])
    assert rawnet.send_all(idle[-1], GET_MODELS.format(authorization(server)).encode())
    assert reply(idle[-1]).startswith(b"HTTP/1.1 200 ")
    server.assert_unharmed()


def test_idle_connections_keep_nobody_out(make_moho):
    server = make_moho(arguments=("--max-connections", "20", "--max-peer-connections", "20")).start()
    busy = Http2(server)
    ask(busy, 1, post(server), LONG)
    assert busy.next(1, HEADERS).status == 200
    with rawnet.bystander(server):
        idle = [rawnet.tls(server) for _ in range(100)]
        assert rawnet.is_closed(idle[0]) and not rawnet.is_closed(idle[-1])
        # Who is being served stays.
        assert busy.next(1, DATA).payload
    # Those with requests are not sent away, so that one too many is closed; it does not wait for ever.
    others = [Http2(server) for _ in range(19)]
    for other in others:
        ask(other, 1, post(server), LONG)
        assert other.next(1, HEADERS).status == 200
    assert rawnet.rest(rawnet.plain(server)) == b""


# Admission


def refused_all_ways(server: Moho, status: int) -> None:
    """Every API says in its own words that it is too much, and when to come again."""
    with server.http(server.bearer()) as http:
        for prefix in ("/v1", "/openai/v1"):
            for path, body in {"chat/completions": LONG, "responses": {"model": MODEL, "input": "Hi!"}}.items():
                refused = http.post(f"{prefix}/{path}", json=body)
                assert refused.status_code == status, refused.text
                assert int(refused.headers["retry-after"]) > 0
                code, kind = {429: ("rate_limit_exceeded", "rate_limit_error"), 503: ("server_overloaded", "server_error")}[status]
                assert (refused.json()["error"]["code"], refused.json()["error"]["type"]) == (code, kind)
        refused = http.post(f"/model/{MODEL}/converse", json={"messages": [{"role": "user", "content": [{"text": "Hi!"}]}]})
        assert refused.status_code == status and int(refused.headers["retry-after"]) > 0
    kind = {429: openai.RateLimitError, 503: openai.InternalServerError}[status]
    with pytest.raises(kind):
        server.openai().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi!"}])
    with pytest.raises(botocore.exceptions.ClientError) as error:
        bedrock.client(server).converse(modelId=MODEL, messages=bedrock.QUESTION)
    assert error.value.response["Error"]["Code"] == {429: "ThrottlingException", 503: "ServiceUnavailableException"}[status]


def test_a_full_engine_says_when_to_come_again(make_moho):
    server = make_moho(arguments=("--sequences", "1", "--queue", "2")).start()
    connection, block = Http2(server), post(server)
    # One runs, one waits: the other half of the queue is for other accounts.
    statuses = []
    for stream in range(1, 9, 2):
        ask(connection, stream, block, LONG)
        statuses.append(connection.next(stream, HEADERS).status)
    assert statuses[0] == 200 and statuses[-1] == 503
    refused_all_ways(server, 503)
    # Whoever comes again when there is room is served.
    connection.socket.close()
    retrying = server.openai().with_options(max_retries=20)
    assert retrying.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi!"}], max_completion_tokens=4).usage
    server.assert_unharmed()


def test_one_address_does_not_get_every_request(make_moho):
    server = make_moho(arguments=("--max-requests", "8")).start()
    connection, block = Http2(server), post(server)
    for stream in (1, 3, 5, 7):
        ask(connection, stream, block, LONG)
        assert connection.next(stream, HEADERS).status == 200
    refused_all_ways(server, 429)
    # Health is not a request that waits for anything.
    assert server.healthy()
    connection.socket.close()
    retrying = server.openai().with_options(max_retries=20)
    assert retrying.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi!"}], max_completion_tokens=4).usage


# Streams


def constant(number: int) -> dict:
    """Lets the model say one thing only, which nobody else is let say."""
    schema = {"const": said(number)}
    return {"type": "json_schema", "json_schema": {"name": "constant", "schema": schema, "strict": True}}


def said(number: int) -> str:
    return f"{number:03} is {number:03}"


async def one_of_many(client: openai.AsyncOpenAI, number: int, all_began: asyncio.Barrier) -> None:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"Say {number}."}],
        response_format=constant(number),
        max_completion_tokens=60,
        stream=True,
        stream_options={"include_usage": True},
    )
    await all_began.wait()
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert json.loads(text) == said(number)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("second", [False, True], ids=["http1", "http2"])
def test_256_streams_at_once(make_moho, second):
    server = make_moho().start()
    if second:
        return streams_over_http2(server)

    async def all_of_them() -> None:
        unlimited = httpx2.AsyncClient(verify=server.trust, timeout=600, trust_env=False, limits=httpx2.Limits(max_connections=None))
        client = openai.AsyncOpenAI(
            base_url=server.url + "/v1", api_key=server.credentials().bearer_token, http_client=unlimited, max_retries=0
        )
        all_began = asyncio.Barrier(STREAMS)
        async with client:
            await asyncio.gather(*(one_of_many(client, number, all_began) for number in range(STREAMS)))

    asyncio.run(all_of_them())
    server.assert_unharmed()


def streams_over_http2(server: Moho) -> None:
    """The same on two connections, whose streams share their windows."""
    connections, block = [Http2(server) for _ in range(2)], post(server)
    for number in range(STREAMS):
        body = {"model": MODEL, "messages": [{"role": "user", "content": f"Say {number}."}], "max_completion_tokens": 60, "stream": True}
        ask(connections[number % 2], number // 2 * 2 + 1, block, body | {"response_format": constant(number)})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        read = list(pool.map(read_all, connections))
    for parity, bodies in enumerate(read):
        assert len(bodies) == STREAMS // 2
        for stream, body in bodies.items():
            number = stream - 1 + parity
            events = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
            assert events[-1] == b"[DONE]"
            deltas = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
            assert json.loads("".join(deltas)) == said(number)
    server.assert_unharmed()


def read_all(connection: Http2) -> dict[int, bytes]:
    """The bodies of all streams of a connection, once all have ended."""
    bodies, left = {}, STREAMS // 2
    for found in connection.frames():
        assert found.kind not in (RST_STREAM, GOAWAY), found
        if found.kind == DATA:
            bodies[found.stream] = bodies.get(found.stream, b"") + found.payload
            more = len(found.payload).to_bytes(4, "big")
            connection.send(*(frame(WINDOW_UPDATE, 0, which, more) for which in (0, found.stream) if found.payload))
            left -= found.flags & END_STREAM
        if not left:
            return bodies
    raise AssertionError("the server closed the connection")


# Slow readers

# What a stream may send before its reader says that it has read something.
SHUT = {rawnet.INITIAL_WINDOW_SIZE: 500}


def test_a_stream_that_is_not_read_holds_up_no_other_of_its_connection(make_moho):
    server = make_moho(arguments=("--sequences", "2", "--stall-seconds", "600")).start()
    connection, block = Http2(server, SHUT), post(server)
    ask(connection, 1, block, LONG)
    assert connection.next(1, HEADERS).status == 200
    short = {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_completion_tokens": 8}
    for stream in (3, 5, 7):
        ask(connection, stream, block, short | {"stream": True})
        connection.send(frame(WINDOW_UPDATE, 0, stream, (1 << 20).to_bytes(4, "big")))
        while not (found := connection.next(stream, DATA, RST_STREAM)).flags & END_STREAM:
            assert found.kind == DATA
    # The one that was not read went no further than its window; read, it goes on where it was.
    connection.send(frame(WINDOW_UPDATE, 0, 1, (1 << 20).to_bytes(4, "big")))
    read = b""
    while len(read) < 20_000:
        found = connection.next(1, DATA, RST_STREAM)
        assert found.kind == DATA
        read += found.payload
        connection.send(frame(WINDOW_UPDATE, 0, 0, max(1, len(found.payload)).to_bytes(4, "big")))


def test_a_stream_that_is_not_read_is_cut_alone(make_moho):
    """Its sequence is gone with it: there is only one place, and the next gets it."""
    server = make_moho(arguments=("--sequences", "1", "--stall-seconds", "2")).start()
    connection, block = Http2(server, SHUT), post(server)
    for stream in (1, 3):
        ask(connection, stream, block, LONG)
        assert connection.next(stream, HEADERS).status == 200
        assert connection.next(stream, RST_STREAM).kind == RST_STREAM
    connection.send(connection.headers(5, rawnet.request("GET", "/v1/models", {"authorization": authorization(server)})))
    assert connection.next(5, HEADERS).status == 200, "the connection goes on"
    with server.http(server.bearer(), timeout=rawnet.PATIENCE) as http:
        short = {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_completion_tokens": 4}
        assert http.post("/v1/chat/completions", json=short).status_code == 200


def test_a_connection_that_is_not_read_is_cut(make_moho):
    """HTTP/1.1: the system's buffers fill first, which are bounded too."""
    limits = ("--sequences", "1", "--stall-seconds", "2")
    server = make_moho(arguments=(*limits, "--metrics-listen", "127.0.0.1:0")).start()
    wordy = LONG | {"logprobs": True, "top_logprobs": 20}
    body = json.dumps(wordy)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: {authorization(server)}\r\ncontent-length: {len(body)}\r\n\r\n"
    stream = rawnet.tls(server, receive_buffer=4096)
    before = server.memory("VmRSS")
    assert rawnet.send_all(stream, (head + body).encode())
    # Read before it is cut, the answer would simply go on.
    eventually("the cut", lambda: value(server, "moho_stream_aborts_total", side="client") == 1)
    with server.http(server.bearer(), timeout=rawnet.PATIENCE) as http:
        short = {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_completion_tokens": 4}
        # There is only one place for a sequence, and it is free.
        assert http.post("/v1/chat/completions", json=short).status_code == 200
    assert server.memory("VmRSS") - before < 64 << 20
    assert b"[DONE]" not in rawnet.rest(stream)
    server.assert_unharmed()


def test_slow_readers_cost_one_buffer_each(make_moho):
    """Fifty who read nothing, and one who does: it is served meanwhile, and they take no memory to speak of."""
    server = make_moho(arguments=("--sequences", "64", "--stall-seconds", "600")).start()
    block = post(server)
    client = server.openai()
    question = {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_completion_tokens": 8}
    client.chat.completions.create(**question)
    before = server.memory("VmRSS")
    slow = [Http2(server, SHUT) for _ in range(50)]
    for connection in slow:
        ask(connection, 1, block, LONG)
        assert connection.next(1, HEADERS).status == 200
    for _ in range(3):
        chunks = list(client.chat.completions.create(**question, stream=True))
        assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    grown = server.memory("VmRSS") - before
    print(f"{grown // 50} bytes for one slow reader")
    # With the keys and values that their sequences hold in the engine.
    assert grown < 50 * (2 << 20)
    server.assert_unharmed()
