"""Clients that keep to no rule, on raw sockets: others are served meanwhile, and the server gives everything back."""

import contextlib
import socket
import struct
import subprocess
import sys

import pytest

import rawnet
from rawnet import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2,
    closed,
    field,
    frame,
    rest,
    send_all,
    tls,
    unharmed,
    until,
)
from serving import MODEL, Moho

MANY = 200
# RFC 9113, 7.
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, ENHANCE_YOUR_CALM = 1, 3, 11


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A server of little patience."""
    hurried = ("--idle-seconds", "2", "--body-seconds", "2", "--stall-seconds", "2")
    server = Moho(tmp_path_factory.mktemp("target") / "data", arguments=hurried)
    try:
        yield server.start()
    finally:
        server.end()


def authorization(server: Moho) -> str:
    return server.bearer()["Authorization"]


# Slowness


def drip(streams: list[socket.socket], data: bytes) -> list[socket.socket]:
    """Sends byte by byte until the server has closed all; gives what each is left with."""
    open_ones, at = list(streams), 0

    def all_closed() -> bool:
        nonlocal at
        byte, at = data[at % len(data) : at % len(data) + 1], at + 1
        for stream in list(open_ones):
            stream.setblocking(True)
            if not send_all(stream, byte) or rawnet.is_closed(stream):
                open_ones.remove(stream)
        return not open_ones

    until(all_closed, "those who drip are closed")
    return streams


def test_heads_that_come_byte_by_byte(target):
    with unharmed(target):
        streams = [tls(target) for _ in range(MANY)]
        for stream in streams:
            send_all(stream, b"GET /v1/models HTTP/1.1\r\nhost: a\r\n")
        drip(streams, b"x-a: b\r\n")


def test_handshakes_that_come_byte_by_byte(target):
    with unharmed(target):
        streams = [rawnet.plain(target) for _ in range(MANY)]
        for stream in streams:
            send_all(stream, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        drip(streams, b"\0")


def test_bodies_that_come_byte_by_byte(target):
    head = f"POST /v1/responses HTTP/1.1\r\nhost: a\r\nauthorization: {authorization(target)}\r\ncontent-length: 1000\r\n\r\n"
    with unharmed(target):
        streams = [tls(target) for _ in range(MANY)]
        for stream in streams:
            send_all(stream, head.encode())
        first = streams.pop()
        drip(streams, b" ")
        assert rest(first).startswith(b"HTTP/1.1 408 ")


def test_bodies_of_strangers_are_not_waited_for(target):
    with unharmed(target):
        for _ in range(MANY):
            with tls(target) as stream:
                send_all(stream, b"POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n")
                assert rest(stream).startswith(b"HTTP/1.1 401 ")


def test_heads_and_bodies_that_never_end_on_http2(target):
    with unharmed(target):
        connections = [Http2(target) for _ in range(MANY)]
        for number, connection in enumerate(connections):
            if number % 2:
                block = rawnet.request("POST", "/v1/responses", {"authorization": authorization(target)})
                connection.send(connection.headers(1, block, END_HEADERS), frame(DATA, 0, 1, b" "))
            else:
                connection.send(connection.headers(1, rawnet.request("GET", "/v1/models")[:5], 0))
        waiting = connections[1]
        assert waiting.next(1, HEADERS, RST_STREAM).kind == HEADERS
        closed([connection.socket for connection in connections])


def test_thousands_who_say_nothing(target):
    """More than one address may have."""
    with unharmed(target):
        streams = [rawnet.plain(target) for _ in range(3000)]
        closed(streams)


FLOOD = """
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
for _ in range(3):
    streams = [socket.socket() for _ in range(min(5000, most - 100))]
    for stream in streams:
        stream.setblocking(False)
        stream.connect_ex(("127.0.0.1", int(sys.argv[1])))
    for stream in streams:
        stream.close()
"""


def test_thousands_who_come_faster_than_others_can_leave(target):
    """Who comes when seats change hands that fast waits for one, and is not turned away."""
    with unharmed(target, memory=256 << 20):
        for _ in range(3):
            floods = [subprocess.Popen([sys.executable, "-c", FLOOD, str(target.port)]) for _ in range(2)]
            assert [flood.wait(rawnet.PATIENCE) for flood in floods] == [0, 0]


def test_thousands_who_say_nothing_after_the_handshake(target):
    with unharmed(target, memory=256 << 20):
        for _ in range(2):
            closed([tls(target, protocol) for _ in range(MANY) for protocol in ("http/1.1", "h2")])
    # What the first ones cost is used again for the next.
    with unharmed(target, memory=16 << 20):
        closed([tls(target, protocol) for _ in range(MANY) for protocol in ("http/1.1", "h2")])


def test_connections_that_are_reset(target):
    abrupt = struct.pack("ii", 1, 0)
    with unharmed(target):
        for number in range(MANY * 2):
            stream = tls(target) if number % 4 == 0 else rawnet.plain(target)
            if number % 4 == 1:
                send_all(stream, b"\x16\x03\x01")
            if number % 4 == 0:
                send_all(stream, b"GET /v1/models HTTP/1.1\r\nho")
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abrupt)
            stream.close()


# Size


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\n" + b"x-a: b\r\n" * 1000 + b"\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx-a: " + b"b" * (1 << 20) + b"\r\n\r\n",
        b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /v1/models?" + b"a=b&" * (1 << 18) + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"A" * (1 << 20),
        b"GET /v1/models HTTP/1.1\r\n" + b"a" * (1 << 20) + b": b\r\n\r\n",
    ],
    ids=["many-headers", "a-long-header", "a-long-path", "a-long-query", "a-long-method", "a-long-name"],
)
def test_heads_that_are_too_large(target, head):
    with unharmed(target):
        for _ in range(20):
            with tls(target) as stream:
                send_all(stream, head)
                answer = rest(stream)
                assert not answer or answer.split()[1] in (b"400", b"414", b"431"), answer[:100]


def test_a_body_without_end(target):
    head = f"POST /v1/responses HTTP/1.1\r\nhost: a\r\nauthorization: {authorization(target)}\r\ntransfer-encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with unharmed(target), tls(target) as stream:
        send_all(stream, head.encode())
        # Read on and forgotten for a while, so that an honest client sees why it was refused; but not for ever.
        until(lambda: not send_all(stream, piece * 16), "the connection is closed")


def test_continuation_without_end(target):
    with unharmed(target):
        connection = Http2(target)
        connection.send(connection.headers(1, rawnet.request("GET", "/v1/models"), END_STREAM))
        filling = frame(CONTINUATION, 0, 1, field("x-a", "b" * 4000) * 4)
        for _ in range(10_000):
            if not connection.send(filling):
                break
        else:
            raise AssertionError("160 MiB of one head were taken")
        # One byte each, and not even a byte.
        for payload in (b"\0", b""):
            connection = Http2(target)
            connection.send(connection.headers(1, b"", END_STREAM))
            for _ in range(10_000):
                if not connection.send(frame(CONTINUATION, 0, 1, payload) * 100):
                    break
            else:
                raise AssertionError("a million CONTINUATION frames were taken")


def test_heads_that_unpack_to_much_more(target):
    """A field of 4000 bytes in the table, and then a thousand times its number: one byte each (HPACK bomb)."""
    with unharmed(target):
        for _ in range(20):
            connection = Http2(target)
            block = rawnet.request("GET", "/v1/models") + field("x-a", "b" * 4000, 0x40) + b"\xbe" * 12_000
            connection.send(connection.headers(1, block))
            answer = next(found for found in connection.frames() if found.kind in (HEADERS, RST_STREAM, GOAWAY))
            assert answer.kind != HEADERS or answer.status == 431


# HTTP/2


def flood(connection: Http2, piece: bytes, times: int = 2000) -> None:
    """Sends without reading a word, until the server closes or takes no more."""
    connection.socket.settimeout(2)
    with contextlib.suppress(OSError):
        for _ in range(times):
            connection.socket.sendall(piece)
    connection.socket.settimeout(rawnet.PATIENCE)


def test_rapid_reset(target):
    """CVE-2023-44487."""
    block = rawnet.request("POST", "/v1/responses", {"authorization": authorization(target)})
    with unharmed(target):
        connection, stream, taken = Http2(target), 1, True
        while taken:
            assert stream < 200_000, "a hundred thousand requests were begun and reset"
            piece = b""
            for _ in range(50):
                piece += frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
                stream += 2
            taken = connection.send(piece)


def test_rapid_reset_of_requests_that_had_begun(target):
    """Slower: each is reset only once the server works on it."""
    block = rawnet.request("POST", "/v1/responses", {"authorization": authorization(target)})
    with unharmed(target):
        connection, stream, taken = Http2(target), 1, True
        while taken:
            assert stream < 100_000, "fifty thousand requests were begun and reset"
            begun = range(stream, stream + 100, 2)
            stream += 100
            piece = b"".join(frame(HEADERS, END_HEADERS, each, block) + frame(DATA, 0, each, b"{") for each in begun)
            connection.send(piece, frame(PING, 0, 0, struct.pack(">Q", stream)))
            # The answer to the ping comes after the server has seen the heads.
            taken = any(found.kind == PING for found in connection.frames())
            taken = taken and connection.send(b"".join(frame(RST_STREAM, 0, each, struct.pack(">I", 8)) for each in begun))


@pytest.mark.parametrize(
    "offence",
    [
        lambda stream: frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0)),
        lambda stream: frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7FFF_FFFF)),
        lambda stream: frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 1)),
        lambda stream: frame(DATA, END_STREAM, stream, b"more than was said"),
    ],
    ids=["no-window", "too-much-window", "own-parent", "longer-than-said"],
)
def test_made_to_reset(target, offence):
    """CVE-2025-8671: the client does something for which the server resets the stream, again and again."""
    headers = {"authorization": authorization(target), "content-length": "1"}
    block = rawnet.request("POST", "/v1/responses", headers)
    with unharmed(target):
        connection, stream, taken = Http2(target), 1, True
        while taken:
            assert stream < 100_000, "fifty thousand streams were reset by the server"
            piece = b""
            for _ in range(50):
                piece += frame(HEADERS, END_HEADERS, stream, block) + offence(stream)
                stream += 2
            taken = connection.send(piece)


@pytest.mark.parametrize(
    "piece",
    [
        frame(SETTINGS, 0, 0),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535) * 100),
        frame(PING, 0, 0, b"\0" * 8),
        frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)),
        frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)),
        frame(0xFA, 0, 0, b"nobody knows this kind"),
        frame(SETTINGS, 1, 0),
    ],
    ids=["settings", "many-settings", "ping", "priority", "window", "unknown", "unasked-acknowledgements"],
)
def test_floods_of_small_frames(target, piece):
    """None of them is a request, so the connection is idle, and closed when it has been for long enough."""
    with unharmed(target):
        connection = Http2(target)
        flood(connection, piece * 200)
        closed([connection.socket])


@pytest.mark.parametrize("piece", [frame(SETTINGS, 0, 0), frame(PING, 0, 0, b"\0" * 8)], ids=["settings", "ping"])
def test_floods_beside_a_request(target, piece):
    """The connection is not idle; what it is sent costs no memory all the same, even if it reads no acknowledgement."""
    ask = rawnet.request("POST", "/v1/responses", {"authorization": authorization(target)})
    body = b'{"model":"%s","input":"Hi","stream":true,"max_output_tokens":4000}' % MODEL.encode()
    with unharmed(target):
        connection = Http2(target, {rawnet.INITIAL_WINDOW_SIZE: 0})
        connection.send(connection.headers(1, ask, END_HEADERS), frame(DATA, END_STREAM, 1, body))
        flood(connection, piece * 200)
        connection.socket.close()


@pytest.mark.parametrize("payload", [b"", b" "], ids=["empty", "one-byte"])
def test_floods_of_small_data_frames(target, payload):
    """Each costs the server more than the client."""
    ask = rawnet.request("POST", "/v1/responses", {"authorization": authorization(target)})
    with unharmed(target):
        for _ in range(8):
            connection = Http2(target)
            connection.send(connection.headers(1, ask, END_HEADERS))
            flood(connection, frame(DATA, 0, 1, payload) * 1000, 100)
            assert connection.last_word() in (ENHANCE_YOUR_CALM, None)


@pytest.mark.parametrize(
    ("offence", "error"),
    [
        (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0)), PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF_FFFF)), FLOW_CONTROL_ERROR),
        (frame(DATA, 0, 7, b"x"), PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
        (frame(PING, 0, 0, b"short"), None),
        (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS, 2, b"\x82"), PROTOCOL_ERROR),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), None),
        (b"\xff" * 4000, None),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", None),
    ],
    ids=[
        "no-window",
        "too-much-window",
        "data-without-a-stream",
        "settings-of-a-stream",
        "a-short-ping",
        "data-of-no-stream",
        "a-stream-of-the-server",
        "no-table-has-it",
        "garbage",
        "another-protocol",
    ],
)
def test_broken_rules_end_the_connection(target, offence, error):
    with unharmed(target):
        connection = Http2(target)
        connection.send(offence)
        said = connection.last_word()
        assert said == error or error is None


def test_requests_beyond_the_streams_of_a_connection_are_refused(target):
    """The server says how many it takes; whoever begins more is refused those, or all."""
    ask = rawnet.request("POST", "/v1/responses", {"authorization": authorization(target)})
    with unharmed(target):
        connection = Http2(target)
        for stream in range(1, 2001, 2):
            if not connection.send(connection.headers(stream, ask, END_HEADERS)):
                break
        assert any(found.kind in (RST_STREAM, GOAWAY) for found in connection.frames())
        connection.socket.close()


# TLS


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 1000,
        b"\xff" * 1000,
        b"\x16\x03\x01\xff\xff" + b"\0" * 70_000,
        b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00",
        b"\x14\x03\x03\x00\x01\x01" * 1000,
        b"\x15\x03\x03\x00\x02\x01\x00" * 1000,
        b"\x17\x03\x03\x40\x00" + b"\0" * 16_384,
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 40,
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
    ids=["zeros", "ones", "long-record", "wrong-message", "cipher-changes", "warnings", "data", "ssl-2", "ssh"],
)
def test_what_is_no_tls(target, garbage):
    with unharmed(target):
        for _ in range(20):
            with rawnet.plain(target) as stream:
                send_all(stream, garbage)
                with contextlib.suppress(OSError):
                    stream.shutdown(socket.SHUT_WR)
                answer = rest(stream)
                # An alert, if anything; the plain refusal is for plain HTTP.
                assert not answer or answer[0] == 0x15 or answer.startswith(b"HTTP/1.1 400 ")


def test_plain_http_is_told_to_speak_tls(target):
    with unharmed(target), rawnet.plain(target) as stream:
        send_all(stream, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert rest(stream).endswith(b"this port speaks HTTPS, not plain HTTP: begin the URL with https://")


def hello(version: int) -> bytes:
    """A ClientHello of an old time, with cipher suites of its time and no extensions."""
    suites = struct.pack(">H5H", 10, 0xC013, 0xC014, 0x002F, 0x0035, 0x000A)
    body = struct.pack(">H", version) + b"r" * 32 + b"\0" + suites + b"\x01\0"
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302], ids=["ssl-3", "tls-1.0", "tls-1.1"])
def test_old_tls_is_refused(target, version):
    with unharmed(target), rawnet.plain(target) as stream:
        send_all(stream, hello(version))
        alert = rest(stream)
        # Fatal: protocol_version, or handshake_failure as nothing of that time is left to agree on.
        assert alert[0] == 0x15 and alert[5] == 2 and alert[6] in (40, 70), alert


def test_renegotiation_is_refused(target):
    """`R` asks for a new handshake inside a TLS 1.2 connection."""
    with unharmed(target):
        command = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{target.port}", "-CAfile", str(target.authority)]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            lines = []
            while not any(b"Verify return code: 0" in line for line in lines):
                lines.append(client.stdout.readline())
                assert lines[-1], b"".join(lines)
            client.stdin.write(b"R\n")
            client.stdin.flush()
            said, _ = client.communicate(b"GET /healthz HTTP/1.1\nhost: a\n\n", timeout=rawnet.PATIENCE)
        finally:
            client.kill()
            client.wait()
        assert b"RENEGOTIATING" in said
        # It is cut off, or goes on as it was; no second handshake is finished.
        assert said.count(b"Verify return code") == 0
        assert b"no renegotiation" in said or b"alert" in said or b"HTTP/1.1 200" in said or client.returncode != 0, said
