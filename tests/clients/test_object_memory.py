"""What requests for S3 may hold of the server's memory: documents, bodies that come slowly, and readers that take nothing."""

import os
import resource
import socket
import ssl
from contextlib import suppress

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

import rawnet
import signing
from serving import Moho

MIB = 1 << 20
BUCKET = "memory"
OBJECT = os.urandom(16 * MIB)
# Of an object that is being read: two slices, what HTTP/1.1 and TLS have of others, and what a connection costs.
READER = 640 << 10
# Chunks that are open for all readers together.
CHUNKS = 64 * MIB
# Of a body that is being put: its chunk, what is gathered for it, and what is on its way.
WRITER = 1536 << 10
# So many bytes of bodies one address may have in the server, of 256 MiB, when a sixteenth is kept for small ones.
SHARE = 120 * MIB


@pytest.fixture(scope="module", autouse=True)
def enough_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def kept(make_moho) -> Moho:
    """A server with an object of 16 chunks, which has put and read one before."""
    server = make_moho(limits={resource.RLIMIT_NOFILE: (4096, 8192)}).start()
    s3 = server.boto3("s3", "Admin")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="object", Body=OBJECT)
    assert s3.get_object(Bucket=BUCKET, Key="object")["Body"].read() == OBJECT
    return server


def head(server: Moho, method: str, path: str, *headers: str) -> bytes:
    """The head of a request whose proof is in its URL."""
    found = server.credentials("Admin")
    request = AWSRequest(method, f"{server.url}/{BUCKET}{path}")
    S3SigV4QueryAuth(signing.boto(found), "s3", found.region, expires=3600).add_auth(request)
    host = server.url.removeprefix("https://")
    lines = (f"{method} {request.url.removeprefix(server.url)} HTTP/1.1", f"host: {host}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


class Remembering:
    """Connections with what was answered on each."""

    def __init__(self, server: Moho, count: int, first: bytes):
        self.streams = [rawnet.tls(server, receive_buffer=8192) for _ in range(count)]
        self.said: dict[int, bytes] = {}
        for stream in self.streams:
            stream.sendall(first)

    def answered(self) -> dict[int, str]:
        """The status on each connection that was answered by now; of a reply the first bytes only are taken."""
        for at, stream in enumerate(self.streams):
            if at not in self.said:
                stream.setblocking(False)
                with suppress(ssl.SSLWantReadError):
                    self.said[at] = stream.recv(64)
                stream.settimeout(rawnet.PATIENCE)
        return {at: said[9:12].decode() for at, said in self.said.items()}

    def close(self) -> None:
        for stream in self.streams:
            stream.close()


def test_readers_that_take_nothing_hold_little(kept):
    count = 400
    before = kept.memory("VmRSS")
    stalled = Remembering(kept, count, head(kept, "GET", "/object"))
    rawnet.until(lambda: len(stalled.answered()) == count, "all are being answered")
    assert set(stalled.answered().values()) == {"200"}
    # Whoever reads is served beside them, and those that are open change hands.
    s3 = kept.boto3("s3", "Admin")
    for _ in range(3):
        assert s3.get_object(Bucket=BUCKET, Key="object")["Body"].read() == OBJECT
    held = kept.memory("VmRSS") - before
    print(f"{held // count} bytes for one reader that takes nothing")
    assert held < count * READER + CHUNKS + rawnet.MEMORY
    # One that goes on gets all of it.
    late = stalled.streams[0]
    late.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
    read = bytearray(stalled.said[0])
    while (end := read.find(b"\r\n\r\n")) < 0 and (piece := late.recv(1 << 16)):
        read += piece
    assert end >= 0, "the server closed before the end of the head"
    while len(read) < end + 4 + len(OBJECT) and (piece := late.recv(1 << 16)):
        read += piece
    assert read[end + 4 :] == OBJECT
    stalled.close()
    kept.assert_unharmed()


def test_bodies_that_come_slowly_are_counted_with_all_they_hold(kept):
    count, length = 200, 4 * MIB
    before = kept.memory("VmRSS")
    slow = Remembering(kept, count, head(kept, "PUT", "/slow", f"content-length: {length}"))
    most = SHARE // (WRITER - 256 * 1024)
    rawnet.until(lambda: len(slow.answered()) >= count - most, "there is no room for all")
    assert set(slow.answered().values()) == {"503"}
    for at, stream in enumerate(slow.streams):
        if at not in slow.answered():
            rawnet.send_all(stream, b"x" * (length - 1))
    assert kept.memory("VmRSS") - before < most * WRITER + rawnet.MEMORY
    # Small ones have room of their own.
    small = rawnet.tls(kept)
    small.sendall(head(kept, "PUT", "/small", "content-length: 1000") + b"x" * 1000)
    assert small.recv(64).startswith(b"HTTP/1.1 200 ")
    slow.close()
    kept.assert_unharmed()


def test_documents_are_counted_before_they_are_read(kept):
    count, length = 60, 8 * MIB
    asked = head(kept, "POST", "/absent?uploadId=none", f"content-length: {length}")
    sent = Remembering(kept, count, asked + b" ")
    # Each counts as what everybody can have at once, which is 10 MiB.
    rawnet.until(lambda: len(sent.answered()) >= count - SHARE // (10 * MIB), "there is no room for all")
    assert set(sent.answered().values()) == {"503"}
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    kept.boto3("s3", "Admin").put_bucket_tagging(Bucket=BUCKET, Tagging=tags)
    sent.close()
    kept.assert_unharmed()


def test_what_is_in_a_document_is_counted_before_values_are_made_of_it(kept):
    parts = b"<Part/>" * (8 * MIB // 7 - 10)
    for path, document in (
        ("/absent?uploadId=none", b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"),
        ("?delete=", b"<Delete>" + b"<Object/>" * 900_000 + b"</Delete>"),
    ):
        before = kept.memory("VmHWM")
        stream = rawnet.tls(kept)
        length = f"content-length: {len(document)}"
        assert rawnet.send_all(stream, head(kept, "POST", path, length) + document)
        answer = stream.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400 ") and b"<Code>MalformedXML</Code>" in answer, answer
        assert kept.memory("VmHWM") - before < rawnet.MEMORY
    kept.assert_unharmed()


def test_only_what_names_many_objects_may_be_long(kept):
    stream = rawnet.tls(kept)
    length = f"content-length: {MIB + 1}"
    stream.sendall(head(kept, "PUT", "/object?tagging=", length))
    answer = stream.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"<Code>MaxMessageLengthExceeded</Code>" in answer, answer
