"""Sockets without a client library in between, for what no honest client sends.

HTTP/2 is put together frame by frame (RFC 9113), header fields without compression (RFC 7541, 6.2.2).
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from serving import Moho

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
# How long anything may take that the server does by itself, such as closing a connection that has had its time.
PATIENCE = 60
# What memory may grow by while a server is warmed up by its first hostile clients: buffers that it keeps.
MEMORY = 64 << 20


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)


def plain(server: Moho) -> socket.socket:
    """A TCP connection on which nothing was said."""
    stream = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def tls(server: Moho, protocol: str = "http/1.1") -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=server.authority)
    context.set_alpn_protocols([protocol])
    stream = context.wrap_socket(plain(server), server_hostname="127.0.0.1")
    assert stream.selected_alpn_protocol() == protocol
    return stream


def rest(stream: socket.socket) -> bytes:
    """What comes until the server closes, however it does that."""
    read = bytearray()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := stream.recv(65536):
            read += piece
    return bytes(read)


def send_all(stream: socket.socket, data: bytes) -> bool:
    """Sends, reading and forgetting what comes meanwhile; false once the server has closed."""
    stream.settimeout(PATIENCE)
    try:
        stream.sendall(data)
    except (ConnectionError, ssl.SSLError):
        return False
    return True


def is_closed(stream: socket.socket) -> bool:
    """Whether the server has closed, as far as can be seen without waiting; what it sent is read and forgotten."""
    stream.setblocking(False)
    try:
        while True:
            if not stream.recv(65536):
                return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except (ConnectionError, ssl.SSLError):
        return True


def closed(streams: list[socket.socket]) -> None:
    """Waits until the server has closed all of them."""
    left = list(streams)

    def none_left() -> bool:
        left[:] = [stream for stream in left if not is_closed(stream)]
        return not left

    until(none_left, f"{len(streams)} connections are closed")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(first: int, bits: int, number: int) -> bytes:
    """RFC 7541, 5.1."""
    most = (1 << bits) - 1
    if number < most:
        return bytes([first | number])
    made, number = bytearray([first | most]), number - most
    while number >= 128:
        made.append(number % 128 | 128)
        number //= 128
    made.append(number)
    return bytes(made)


def field(name: str, value: str, kind: int = 0) -> bytes:
    """A header field with a new name; `kind` 0x40 puts it into the table."""
    text = [integer(0, 7, len(part)) + part for part in (name.encode(), value.encode())]
    return bytes([kind]) + b"".join(text)


def request(method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    start = {":method": method, ":scheme": "https", ":authority": "127.0.0.1", ":path": path}
    return b"".join(field(name.lower(), value) for name, value in (start | (headers or {})).items())


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def error(self) -> int:
        """The code of a RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[4:8] if self.kind == GOAWAY else self.payload[:4], "big")

    @property
    def status(self) -> int:
        """The status of HEADERS; the ones that servers send often have a number of their own."""
        block = self.payload
        while block[0] & 0xE0 == 0x20:
            block = block[1:]
        if block[0] & 0x80:
            return [200, 204, 206, 304, 400, 404, 500][(block[0] & 0x7F) - 8]
        length = block[1] & 0x7F
        if block[1] & 0x80:
            # Digits in the static Huffman code: 0, 1 and 2 have five bits, the others six.
            bits, digits = "".join(f"{byte:08b}" for byte in block[2 : 2 + length]), ""
            while len(digits) < 3:
                size = 5 if bits[:5] in ("00000", "00001", "00010") else 6
                digits += str(int(bits[:size], 2) if size == 5 else int(bits[:size], 2) - 0x19 + 3)
                bits = bits[size:]
            return int(digits)
        return int(block[2 : 2 + length])


class Http2:
    """A connection that has said hello, with windows as its user likes them."""

    def __init__(self, server: Moho, settings: dict[int, int] | None = None):
        self.socket = tls(server, "h2")
        said = b"".join(struct.pack(">HI", name, value) for name, value in (settings or {}).items())
        self.send(PREFACE, frame(SETTINGS, 0, 0, said))
        self._read = bytearray()

    def send(self, *pieces: bytes) -> bool:
        return send_all(self.socket, b"".join(pieces))

    def headers(self, stream: int, block: bytes, flags: int = END_HEADERS | END_STREAM) -> bytes:
        return frame(HEADERS, flags, stream, block)

    def frames(self) -> Iterator[Frame]:
        """Frames as they come, until the server closes."""
        while True:
            while len(self._read) >= 9:
                length = int.from_bytes(self._read[:3], "big")
                if len(self._read) < 9 + length:
                    break
                kind, flags, stream = struct.unpack(">BBI", self._read[3:9])
                payload = bytes(self._read[9 : 9 + length])
                del self._read[: 9 + length]
                yield Frame(kind, flags, stream, payload)
            try:
                piece = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return
            if not piece:
                return
            self._read += piece

    def next(self, stream: int, *kinds: int) -> Frame:
        """The next frame of a stream that is of one of the kinds."""
        for found in self.frames():
            if found.stream == stream and found.kind in kinds:
                return found
        raise AssertionError("the server closed the connection")

    def last_word(self) -> int | None:
        """Reads on until the server closes; the error of its GOAWAY, if it sent one."""
        error = None
        for found in self.frames():
            if found.kind == GOAWAY:
                error = found.error
        return error


def files(server: Moho) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


@contextlib.contextmanager
def bystander(server: Moho) -> Iterator[list[int]]:
    """An honest client that asks on connections of its own all the while, and is always answered."""
    enough, statuses, faults = threading.Event(), [], []

    def ask() -> None:
        while not enough.is_set():
            try:
                with server.http(server.bearer(), timeout=PATIENCE) as http:
                    statuses.append(http.get("/v1/models").status_code)
            except httpx2.TransportError as error:
                faults.append(repr(error))

    server.credentials()
    client = threading.Thread(target=ask)
    client.start()
    try:
        yield statuses
        before = len(statuses)
        until(lambda: len(statuses) > before + 1 or faults, "an honest client is answered")
    finally:
        enough.set()
        client.join()
    assert not faults, faults
    assert set(statuses) == {200}


@contextlib.contextmanager
def unharmed(server: Moho, memory: int = MEMORY) -> Iterator[None]:
    """What happens inside costs others nothing: they are answered meanwhile, and afterwards everything is given back."""
    server.assert_unharmed()
    open_before, held_before = files(server), server.memory("VmRSS")
    with bystander(server):
        yield
    until(lambda: files(server) <= open_before, "the server's files are closed again")
    grown = server.memory("VmRSS") - held_before
    assert grown < memory, f"the server holds {grown >> 20} MiB more than before"
    server.assert_unharmed()


def readable(stream: socket.socket, seconds: float) -> bool:
    return bool(select.select([stream], [], [], seconds)[0])
