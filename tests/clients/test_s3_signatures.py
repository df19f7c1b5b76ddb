"""S3's signatures and bodies: every form that clients send is taken, and nothing that was not signed has an effect."""

import datetime
import hashlib
import hmac
import itertools
import socket
import ssl
import urllib.parse

import boto3
import botocore.auth
import botocore.exceptions
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from serving import Moho
from signing import boto, clock_moved

ROLE = "Admin"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
NOTHING = hashlib.sha256(b"").hexdigest()
numbers = itertools.count(1)


def client(moho: Moho, **options):
    found = moho.credentials(ROLE)
    return boto3.client(
        "s3",
        endpoint_url=moho.url,
        verify=str(moho.authority),
        region_name=options.pop("region", found.region),
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path", **options.pop("s3", {})}, **options),
    )


@pytest.fixture
def bucket(moho) -> str:
    name = f"signatures-{next(numbers)}"
    client(moho).create_bucket(Bucket=name)
    return name


def code(refused) -> tuple[str, int]:
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def keys(moho: Moho, bucket: str) -> list[str]:
    return [found["Key"] for found in client(moho).list_objects_v2(Bucket=bucket).get("Contents", [])]


def head(moho: Moho, path: str, declared: str, more: dict[str, str], method="PUT") -> tuple[bytes, str, str, bytes]:
    """A signed head, its signature, time and scope, and the key for chunks."""
    found = moho.credentials(ROLE)
    request = AWSRequest(method, moho.url + path, headers={"X-Amz-Content-SHA256": declared, **more})
    request.context["payload_signing_enabled"] = True
    signer = botocore.auth.S3SigV4Auth(boto(found), "s3", found.region)
    signer.payload = lambda _request: declared
    signer.add_auth(request)
    request.headers.replace_header("X-Amz-Content-SHA256", declared)
    time = request.headers["X-Amz-Date"]
    key = b"AWS4" + found.secret_access_key.encode()
    for part in (time[:8], found.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{time[:8]}/{found.region}/s3/aws4_request"
    host = urllib.parse.urlsplit(moho.url).netloc
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "host"]
    signature = request.headers["Authorization"].rsplit("Signature=", 1)[1]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), signature, f"{time}\n{scope}", key


def ask(moho: Moho, data: bytes, cut: bool = False) -> bytes:
    host = urllib.parse.urlsplit(moho.url)
    with socket.create_connection((host.hostname, host.port), timeout=30) as plain:
        with moho.trust.wrap_socket(plain, server_hostname=host.hostname) as stream:
            stream.sendall(data)
            if cut:
                return b""
            answer = b""
            try:
                while piece := stream.recv(65536):
                    answer += piece
            except ssl.SSLError:
                pass
            return answer


def chunks(previous: str, scope: str, key: bytes, data: list[bytes]) -> bytes:
    body = b""
    for piece in [*data, b""]:
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{NOTHING}\n{hashlib.sha256(piece).hexdigest()}"
        previous = hmac.new(key, text.encode(), "sha256").hexdigest()
        body += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + b"\r\n"
    return body


@pytest.mark.parametrize("options", [
    {},
    {"request_checksum_calculation": "when_required"},
    {"s3": {"payload_signing_enabled": True}},
    {"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": True}},
])
def test_boto3_in_all_its_ways(moho, bucket, options):
    s3 = client(moho, **options)
    for size in (0, 1, 70_000, 3 << 20):
        data = bytes(index % 251 for index in range(size))
        s3.put_object(Bucket=bucket, Key="a key/with ünïcode", Body=data, ContentEncoding="gzip", Metadata={"a": "b"})
        found = s3.get_object(Bucket=bucket, Key="a key/with ünïcode")
        assert found["Body"].read() == data
        assert found["ContentEncoding"] == "gzip" and found["Metadata"] == {"a": "b"}
        assert found["ContentLength"] == size
        assert s3.head_object(Bucket=bucket, Key="a key/with ünïcode")["ContentLength"] == size
    answer = found["ResponseMetadata"]["HTTPHeaders"]
    assert answer["x-amz-request-id"] == answer["x-request-id"] and answer["x-amz-id-2"]


def test_signed_chunks(moho, bucket):
    more = {"X-Amz-Decoded-Content-Length": "140000", "Content-Encoding": "aws-chunked"}
    data = [b"a" * 65536, b"b" * 65536, b"c" * (140000 - 131072)]
    size = {**more, "Content-Length": str(len(chunks("0" * 64, "x\ny", b"k", data)))}
    sent = head(moho, f"/{bucket}/chunked", SIGNED_CHUNKS, size)
    body = chunks(*sent[1:], data)
    answer = ask(moho, sent[0] + body)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    found = client(moho).get_object(Bucket=bucket, Key="chunked")
    assert found["Body"].read() == b"".join(data) and "ContentEncoding" not in found
    for at in (10, 1000, 70_000, len(body) - 20):
        sent = head(moho, f"/{bucket}/altered", SIGNED_CHUNKS, size)
        body = bytearray(chunks(*sent[1:], data))
        body[at] ^= 1
        answer = ask(moho, sent[0] + bytes(body))
        assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")), answer
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer or b"<Code>IncompleteBody</Code>" in answer, answer
    assert keys(moho, bucket) == ["chunked"]


def test_what_does_not_come_whole_has_no_effect(moho, bucket):
    size = {"Content-Length": "100000"}
    for declared in ("UNSIGNED-PAYLOAD", hashlib.sha256(b"x" * 100_000).hexdigest()):
        sent = head(moho, f"/{bucket}/short", declared, size)
        ask(moho, sent[0] + b"x" * 99_999, cut=True)
    more = {"X-Amz-Decoded-Content-Length": "3", "Content-Length": "8"}
    answer = ask(moho, head(moho, f"/{bucket}/short", UNSIGNED_CHUNKS, more)[0] + b"3\r\nabc\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"<Code>IncompleteBody</Code>" in answer, answer
    wrong = head(moho, f"/{bucket}/wrong", hashlib.sha256(b"abc").hexdigest(), {"Content-Length": "3"})
    answer = ask(moho, wrong[0] + b"abd")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"<Code>XAmzContentSHA256Mismatch</Code>" in answer, answer
    assert keys(moho, bucket) == []


def test_presigned_urls(moho, bucket):
    # Without being told so, boto3 signs URLs for regions that it does not know by version 2.
    s3 = client(moho, signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "by url"}, ExpiresIn=60)
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "by url"}, ExpiresIn=60)
    with moho.http() as http:
        assert http.put(put, content=b"anything").status_code == 200
        assert http.get(get).content == b"anything"
        assert b"<Code>SignatureDoesNotMatch</Code>" in http.get(get.replace("by%20url", "other")).content
        with clock_moved(datetime.timedelta(hours=-1)):
            old = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "by url"}, ExpiresIn=60)
        answer = http.get(old)
        assert answer.status_code == 403 and b"<Message>Request has expired</Message>" in answer.content
        malformed = get.replace("X-Amz-Expires=60", "X-Amz-Expires=x")
        assert b"<Code>AuthorizationQueryParametersError</Code>" in http.get(malformed).content


def test_refusals_are_s3s(moho, bucket):
    with pytest.raises(botocore.exceptions.ClientError) as refused, clock_moved(datetime.timedelta(minutes=-20)):
        client(moho).list_buckets()
    assert code(refused) == ("RequestTimeTooSkewed", 403)
    with clock_moved(datetime.timedelta(minutes=-10)):
        client(moho).list_buckets()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client(moho, signature_version="s3").list_objects_v2(Bucket=bucket)
    assert code(refused) == ("InvalidRequest", 400)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client(moho, region="eu-nowhere-1").list_buckets()
    assert code(refused) == ("AuthorizationHeaderMalformed", 400)
    assert client(moho, region="eu-nowhere-1").list_objects_v2(Bucket=bucket)["KeyCount"] == 0, "boto3 corrects itself"
