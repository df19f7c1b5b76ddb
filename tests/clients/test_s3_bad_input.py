"""What no honest client sends to S3: documents that are none or too much, bodies that do not come whole, heads without end."""

import itertools
import socket
import ssl
import urllib.parse

import pytest
from kms_account import keeper
from s3_account import MALFORMED, PART, Refused, Wire, body, keys, md5, new_bucket, refused

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10))
    + "]>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
DELETE = "<Delete><Object><Key>{}</Key></Object></Delete>"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("bad-input")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture(scope="module")
def wire(account) -> Wire:
    return Wire(account)


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


@pytest.fixture(autouse=True)
def unharmed(account):
    yield
    account.moho.assert_unharmed()


@pytest.mark.parametrize("target", ["?delete", "/k?tagging", "?versioning", "?cors", "?encryption", "/k?retention", "?tagging", "?policy", ""])
@pytest.mark.parametrize(
    "document",
    [
        b"\x00",
        b"not xml",
        b"<",
        b"<a>" * 10_000,
        b"<a" + b" b='c'" * 10_000 + b"/>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b"<Other/>",
        b"<Delete></Other>",
        (BOMB + DELETE.format("&k;")).encode(),
        (OUTSIDE + DELETE.format("&e;")).encode(),
        b'{"Version":',
    ],
    ids=itertools.count(),
)
def test_documents_that_are_none(s3, wire, bucket, target, document):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    target, name = (f"/{bucket}{target}", "k") if target else (f"/{bucket}-other", "")
    answer = wire.ask("POST" if "delete" in target else "PUT", target, document, {"Content-MD5": md5(document)})
    assert answer.status == 400 and answer.code in ("MalformedXML", "MalformedPolicy", "InvalidRequest", "InvalidArgument"), answer
    assert b"root:" not in answer.body and b"lollol" not in answer.body
    assert keys(s3, bucket) == ["k"] and name in ("k", "")


def test_entities_are_not_expanded(s3, wire, bucket):
    s3.put_object(Bucket=bucket, Key="lol", Body=b"x")
    wire.ask("POST", f"/{bucket}?delete", (BOMB + DELETE.format("&a;")).encode())
    assert keys(s3, bucket) == ["lol"]
    # Those that XML has are.
    s3.put_object(Bucket=bucket, Key="<&\u00e4>", Body=b"x")
    assert wire.ask("POST", f"/{bucket}?delete", DELETE.format("&lt;&amp;&#xe4;&gt;").encode()).status == 200
    assert keys(s3, bucket) == ["lol"]


def test_documents_have_a_bound(wire, bucket, account):
    before = account.moho.memory("VmRSS")
    for size, prefix in ((9 << 20, b"<Delete>"), (30 << 20, b"")):
        document = prefix + b" " * size
        answer = wire.ask("POST", f"/{bucket}?delete", document, declared="UNSIGNED-PAYLOAD")
        assert answer.status in (400, 413), answer
        assert answer.code in ("MaxMessageLengthExceeded", "EntityTooLarge", "MalformedXML", "InvalidRequest"), answer
    assert account.moho.memory("VmRSS") < before + (200 << 20)


def test_more_parts_than_there_can_be(s3, wire, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = "<Part><PartNumber>{}</PartNumber><ETag>x</ETag></Part>"
    for numbers in (range(1, 10_002), [0], [-1], [10_001], [2**31], ["x"], [""], ["1.5"]):
        document = "<CompleteMultipartUpload>" + "".join(part.format(number) for number in numbers) + "</CompleteMultipartUpload>"
        answer = wire.ask("POST", f"/{bucket}/k?uploadId={upload}", document.encode())
        assert answer.status == 400 and answer.code in ("MalformedXML", "InvalidPart", "InvalidArgument"), (list(numbers)[-1], answer)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


@pytest.mark.parametrize("number", ["0", "10001", "99999999999999999999", "-1", "x", "", "1%00", "0x1", "1.0", "%D9%A1"])
def test_part_numbers_that_are_none(s3, wire, bucket, number):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    answer = wire.ask("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", b"x")
    assert answer.status == 400 and answer.code in ("InvalidArgument", "InvalidRequest"), answer
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "bytes=-", "bytes=--1", "bytes=0-18446744073709551616", "bytes=99999999999999999999-", "bytes=0-1,2-3", "bytes=0-0" * 500, "\u0661"],
)
def test_ranges_that_are_none(s3, wire, bucket, asked):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    answer = wire.ask("GET", f"/{bucket}/k", headers={"Range": asked.encode("latin-1", "replace").decode("latin-1")})
    assert answer.status in (200, 206, 416), answer
    if answer.status == 200:
        assert answer.body == b"0123456789"


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("?acl&policy", (400,)),
        ("?unknown", (501, 400)),
        ("?list-type=3", (200, 400, 501)),
        ("?max-keys=x", (400,)),
        ("?max-keys=1&max-keys=2", (400,)),
        ("?versionId=", (200, 400)),
        ("?uploads&max-uploads=-1", (400,)),
        ("?" + "&".join(f"a{number}=b" for number in range(500)), (200, 400, 414, 431)),
        ("?list-type=2&continuation-token=" + "x" * 4000, (400, 414, 431)),
        ("?prefix=%ff", (400, 403)),
    ],
)
def test_queries_that_are_none(wire, bucket, query, statuses):
    answer = wire.ask("GET", f"/{bucket}{query}")
    assert answer.status in statuses, answer


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-meta-long": "x" * 3000},
        {"x-amz-tagging": "a=" + "x" * 2000},
        {"x-amz-server-side-encryption-context": "A" * 5000},
        {"Content-MD5": "x" * 5000},
        {"If-Match": "x" * 5000},
        {"x-amz-copy-source": "x" * 3000},
        {"x-amz-copy-source": "%zz/%zz"},
        {"x-amz-copy-source": "/"},
        {"x-amz-copy-source": "a"},
        {"x-amz-object-lock-retain-until-date": "9" * 100, "x-amz-object-lock-mode": "GOVERNANCE"},
        {"x-amz-checksum-crc32": "\u00e4".encode().decode("latin-1")},
        {f"x-amz-meta-{number}": "x" for number in range(200)},
    ],
    ids=itertools.count(),
)
def test_heads_that_are_too_much(s3, wire, bucket, headers):
    answer = wire.ask("PUT", f"/{bucket}/k", b"x", headers)
    assert 400 <= answer.status < 500, answer
    assert keys(s3, bucket) == []


def test_a_key_among_headers_is_no_header(s3, wire, bucket):
    """What is told of an object is no more than what was said of it."""
    answer = wire.ask("PUT", f"/{bucket}/k", b"x", {"x-amz-meta-a": "1\t2", "Content-Disposition": 'attachment; filename="\\r\\nSet-Cookie: a"'})
    assert answer.status == 200
    told = s3.head_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert "set-cookie" not in told


def head(wire: Wire, method: str, target: str, length: int, declared="UNSIGNED-PAYLOAD") -> bytes:
    headers = wire.signed(method, target, headers={"Content-Length": str(length)}, declared=declared)
    host = urllib.parse.urlsplit(wire.moho.url).netloc
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() != "host"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def cut(wire: Wire, sent: bytes) -> None:
    """Sends this, and goes away."""
    host = urllib.parse.urlsplit(wire.moho.url)
    with socket.create_connection((host.hostname, host.port), timeout=30) as plain:
        with wire.moho.trust.wrap_socket(plain, server_hostname=host.hostname) as stream:
            stream.sendall(sent)


@pytest.mark.parametrize("size", [10, 100_000, 3 << 20])
def test_bodies_that_are_cut(s3, wire, bucket, size):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    for target in (f"/{bucket}/k", f"/{bucket}/parts?partNumber=1&uploadId={upload}"):
        for kept in (0, 1, size // 2, size - 1):
            cut(wire, head(wire, "PUT", target, size) + b"x" * kept)
    assert body(s3, bucket, "k") == b"before" and keys(s3, bucket) == ["k"]
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload)


def test_nothing_is_left_of_what_was_cut(s3, wire, bucket, account):
    def rest() -> int:
        return sum(path.stat().st_size for path in account.moho.data.rglob("objects/**/*") if path.is_file())

    before = rest()
    for _ in range(5):
        cut(wire, head(wire, "PUT", f"/{bucket}/k", 8 << 20) + b"x" * (6 << 20))
    s3.put_object(Bucket=bucket, Key="after", Body=b"x" * PART)
    for _ in range(200):
        if rest() < before + 2 * PART:
            break
        s3.head_bucket(Bucket=bucket)
    assert rest() < before + 2 * PART


def test_lengths_that_are_none(wire, s3, bucket):
    for length in (-1, 2**63, 2**64, (5 << 30) + 1):
        host = urllib.parse.urlsplit(wire.moho.url)
        with socket.create_connection((host.hostname, host.port), timeout=30) as plain:
            with wire.moho.trust.wrap_socket(plain, server_hostname=host.hostname) as stream:
                stream.sendall(head(wire, "PUT", f"/{bucket}/k", length))
                answer = b""
                try:
                    # The connection is closed later, so that who still sends can read this.
                    while b"</Error>" not in answer and (piece := stream.recv(65536)):
                        answer += piece
                except (ssl.SSLError, ConnectionResetError):
                    pass
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b"HTTP/1.1 411 ")), (length, answer)
        if length == (5 << 30) + 1:
            assert b"<Code>EntityTooLarge</Code>" in answer
    assert keys(s3, bucket) == []


def test_methods_that_are_none(wire, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for method, target in (("PATCH", "/k"), ("POST", "/k"), ("DELETE", "/k?acl"), ("DELETE", "?acl"), ("PUT", "?location"), ("TRACE", "/k")):
        answer = wire.ask(method, f"/{bucket}{target}")
        assert answer.status in (400, 403, 404, 405, 501), (method, target, answer)
    assert keys(s3, bucket) == ["k"]


def test_forms_are_refused(wire, bucket):
    form = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
    answer = wire.ask("POST", f"/{bucket}", form, {"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.refused == ("NotImplemented", 501)


def test_refusals_are_documents(wire, s3, bucket):
    answer = wire.ask("GET", f"/{bucket}/absent%3C%26%3E")
    text = answer.body.decode()
    assert answer.status == 404 and answer.headers["Content-Type"] == "application/xml"
    assert "<Code>NoSuchKey</Code>" in text and "<Key>absent&lt;&amp;&gt;</Key>" in text
    assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>" in text
    assert wire.ask("HEAD", f"/{bucket}/absent").body == b""
    missing = wire.ask("GET", "/no-such-bucket-here")
    assert missing.refused == Refused("NoSuchBucket", 404) and b"<BucketName>no-such-bucket-here</BucketName>" in missing.body
    assert refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "x"}) == MALFORMED
