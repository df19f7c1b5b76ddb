"""Checksums: compared before anything is kept, in a header or after the body, of parts and of what they make, and told again."""

import base64
import hashlib
import os
import zlib

import pytest
from kms_account import keeper
from s3_account import INVALID, PART, Refused, Wire, body, keys, md5, new_bucket, refused, sha256
from test_s3_multipart import Upload

CONTENT = b"123456789"
# Of the content, as the definitions of these algorithms give them.
VALUES = {
    "CRC32": "y/Q5Jg==",
    "CRC32C": "4waSgw==",
    "CRC64NVME": "rosUhgp5mIg=",
    "SHA1": base64.b64encode(hashlib.sha1(CONTENT).digest()).decode(),
    "SHA256": sha256(CONTENT),
}
BAD = Refused("BadDigest", 400)
BAD_REQUEST = Refused("InvalidRequest", 400)
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("checksums")) as account:
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


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def name(algorithm: str) -> str:
    return f"Checksum{algorithm}"


def header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


@pytest.mark.parametrize("algorithm", VALUES)
def test_in_a_header(s3, bucket, algorithm):
    value = VALUES[algorithm]
    put = s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, **{name(algorithm): value})
    assert put[name(algorithm)] == value and put["ChecksumType"] == "FULL_OBJECT"
    told = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert told[name(algorithm)] == value and told["ChecksumType"] == "FULL_OBJECT"
    assert name(algorithm) not in s3.head_object(Bucket=bucket, Key="k")
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"123456788", **{name(algorithm): value}) == BAD
    for malformed in ("", "x", value[:-4] or "=", value + "AAAA"):
        assert refused(s3.put_object, Bucket=bucket, Key="k", Body=CONTENT, **{name(algorithm): malformed}) == BAD_REQUEST
    assert body(s3, bucket, "k", ChecksumMode="ENABLED") == CONTENT


def trailed(wire: Wire, target: str, algorithm: str, value: str, announced: str | None = None, content=CONTENT):
    data = f"{len(content):x}\r\n".encode() + content + f"\r\n0\r\n{header(algorithm)}:{value}\r\n\r\n".encode()
    headers = {
        "X-Amz-Decoded-Content-Length": str(len(content)),
        "Content-Encoding": "aws-chunked",
        "X-Amz-Trailer": announced or header(algorithm),
    }
    return wire.ask("PUT", target, data, headers, declared=TRAILER)


@pytest.mark.parametrize("algorithm", VALUES)
def test_after_the_body(s3, wire, bucket, algorithm):
    value = VALUES[algorithm]
    put = trailed(wire, f"/{bucket}/k", algorithm, value)
    assert put.status == 200 and put.headers[header(algorithm)] == value
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == CONTENT and got[name(algorithm)] == value and "ContentEncoding" not in got
    assert trailed(wire, f"/{bucket}/wrong", algorithm, value, content=b"123456788").refused == BAD
    assert trailed(wire, f"/{bucket}/wrong", algorithm, "x").status == 400
    assert keys(s3, bucket) == ["k"]


def test_what_comes_after_the_body_is_what_was_announced(s3, wire, bucket):
    other = trailed(wire, f"/{bucket}/k", "CRC32", VALUES["CRC32"], announced=header("SHA256"))
    assert other.refused == ("MalformedTrailerError", 400)
    assert trailed(wire, f"/{bucket}/k", "SHA512", "x", announced=header("SHA512")).refused == BAD_REQUEST
    assert keys(s3, bucket) == []


def test_boto3s_own(s3, bucket):
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        assert s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm)[name(algorithm)] == VALUES[algorithm]
    assert s3.get_object(Bucket=bucket, Key="k")["ChecksumSHA256"] == VALUES["SHA256"]


def test_without_one_there_is_one(wire, s3, bucket):
    assert wire.ask("PUT", f"/{bucket}/k", CONTENT).status == 200
    told = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert told["ChecksumCRC64NVME"] == VALUES["CRC64NVME"]


def test_md5(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ContentMD5=md5(CONTENT))
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5=md5(CONTENT)) == BAD
    for malformed in ("x", "AAAA", md5(CONTENT)[:-1]):
        assert refused(s3.put_object, Bucket=bucket, Key="k", Body=CONTENT, ContentMD5=malformed) == ("InvalidDigest", 400)
    assert body(s3, bucket, "k") == CONTENT


def test_what_cannot_be_compared_is_refused(wire, s3, bucket):
    for headers in (
        {"x-amz-checksum-sha512": "x"},
        {"x-amz-checksum-md5": md5(CONTENT)},
        {"x-amz-checksum-crc32": VALUES["CRC32"], "x-amz-checksum-sha1": VALUES["SHA1"]},
        {"x-amz-sdk-checksum-algorithm": "SHA256"},
        {"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": VALUES["CRC32"]},
        {"x-amz-sdk-checksum-algorithm": "MD4", "x-amz-checksum-crc32": VALUES["CRC32"]},
    ):
        assert wire.ask("PUT", f"/{bucket}/k", CONTENT, headers).refused == BAD_REQUEST, headers
    assert keys(s3, bucket) == []


def test_the_hash_that_is_signed_is_compared(wire, s3, bucket):
    other = hashlib.sha256(b"other").hexdigest()
    assert wire.ask("PUT", f"/{bucket}/k", CONTENT, declared=other).refused == ("XAmzContentSHA256Mismatch", 400)
    assert wire.ask("PUT", f"/{bucket}/k", CONTENT, declared="not a hash").status == 400
    assert keys(s3, bucket) == []


def test_documents_are_compared_too(wire, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert wire.ask("POST", f"/{bucket}?delete", document, {"Content-MD5": md5(b"other")}).refused == BAD
    assert wire.ask("POST", f"/{bucket}?delete", document, {"x-amz-checksum-crc32": crc32(b"other")}).refused == BAD
    assert keys(s3, bucket) == ["k"]
    assert wire.ask("POST", f"/{bucket}?delete", document, {"x-amz-checksum-crc32": crc32(document)}).status == 200
    assert keys(s3, bucket) == []


CONTENTS = [os.urandom(PART), os.urandom(PART), b"end"]


def completed(upload: Upload, told: list[dict], algorithm: str, **more) -> dict:
    parts = [
        {"PartNumber": number, "ETag": part["ETag"], name(algorithm): part[name(algorithm)]} for number, part in enumerate(told, 1)
    ]
    return upload.complete(parts, **more)


def test_of_parts_each(s3, bucket):
    """A hash of a whole is that of its parts' hashes."""
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    told = [upload.put(number, content, ChecksumAlgorithm="SHA256") for number, content in enumerate(CONTENTS, 1)]
    assert [part["ChecksumSHA256"] for part in told] == [sha256(content) for content in CONTENTS]
    listed = s3.list_parts(**upload.names)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ("SHA256", "COMPOSITE")
    assert [part["ChecksumSHA256"] for part in listed["Parts"]] == [sha256(content) for content in CONTENTS]
    wrong = [{"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": VALUES["SHA256"]} for number, part in enumerate(told, 1)]
    assert upload.refused(wrong) == ("InvalidPart", 400)
    expected = sha256(b"".join(hashlib.sha256(content).digest() for content in CONTENTS)) + "-3"
    made = completed(upload, told, "SHA256")
    assert (made["ChecksumSHA256"], made["ChecksumType"]) == (expected, "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (expected, "COMPOSITE")
    part = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", PartNumber=2)
    assert part["ChecksumSHA256"] == sha256(CONTENTS[1])
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts"])
    assert attributes["Checksum"]["ChecksumType"] == "COMPOSITE"
    assert [part["ChecksumSHA256"] for part in attributes["ObjectParts"]["Parts"]] == [sha256(content) for content in CONTENTS]


@pytest.mark.parametrize("said", [False, True])
def test_of_parts_as_a_whole(s3, bucket, said):
    """A cyclic checksum of a whole is that of all its bytes, as if they had come at once."""
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    told = [upload.put(number, content, ChecksumAlgorithm="CRC32") for number, content in enumerate(CONTENTS, 1)]
    whole = crc32(b"".join(CONTENTS))
    if said:
        assert upload.refused(ChecksumCRC32=crc32(b"other")) == BAD
    made = completed(upload, told, "CRC32", **({"ChecksumCRC32": whole, "ChecksumType": "FULL_OBJECT"} if said else {}))
    assert (made["ChecksumCRC32"], made["ChecksumType"]) == (whole, "FULL_OBJECT")
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == whole


def test_a_part_that_is_not_what_was_said(s3, bucket):
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    assert refused(upload.put, number=1, content=CONTENT, ChecksumSHA256=sha256(b"other")) == BAD
    assert refused(upload.put, number=1, content=CONTENT, ChecksumSHA256=sha256(CONTENT), ContentMD5=md5(b"other")) == BAD
    other = refused(upload.put, number=1, content=CONTENT, ChecksumSHA1=VALUES["SHA1"])
    assert other == BAD_REQUEST, "another algorithm than the upload's"
    assert upload.listed() == []


@pytest.mark.parametrize(
    "asked",
    [
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        {"ChecksumAlgorithm": "MD4"},
        {"ChecksumType": "OTHER", "ChecksumAlgorithm": "CRC32"},
    ],
)
def test_kinds_that_are_none(s3, bucket, asked):
    assert refused(s3.create_multipart_upload, Bucket=bucket, Key="k", **asked) in (BAD_REQUEST, INVALID)


def test_a_copy_has_its_own(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumSHA256=VALUES["SHA256"])
    kept = s3.copy_object(Bucket=bucket, Key="kept", CopySource=f"{bucket}/k")
    assert kept["CopyObjectResult"]["ChecksumSHA256"] == VALUES["SHA256"]
    other = s3.copy_object(Bucket=bucket, Key="other", CopySource=f"{bucket}/k", ChecksumAlgorithm="CRC32C")
    assert other["CopyObjectResult"]["ChecksumCRC32C"] == VALUES["CRC32C"]


def test_a_range_has_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=CONTENT, ChecksumSHA256=VALUES["SHA256"])
    part = s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-3", ChecksumMode="ENABLED")
    assert part["Body"].read() == CONTENT[:4] and "ChecksumSHA256" not in part
