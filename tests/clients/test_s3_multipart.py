"""Objects that come in parts: put together, in any order, copied, listed, given up, and refused."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from kms_account import keeper
from s3_account import INVALID, MALFORMED, NO_KEY, PART, Refused, body, keys, new_bucket, refused

NO_UPLOAD = Refused("NoSuchUpload", 404)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("multipart")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


class Upload:
    """An upload, and its parts as they are to be named in completing it."""

    def __init__(self, s3, bucket: str, key="k", **more):
        self.s3 = s3
        made = s3.create_multipart_upload(Bucket=bucket, Key=key, **more)
        self.names = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
        self.parts: dict[int, str] = {}

    def put(self, number: int, content: bytes, **more) -> dict:
        told = self.s3.upload_part(PartNumber=number, Body=content, **self.names, **more)
        self.parts[number] = told["ETag"]
        return told

    def complete(self, parts: list | None = None, **more) -> dict:
        named = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self.parts.items())]
        return self.s3.complete_multipart_upload(MultipartUpload={"Parts": named if parts is None else parts}, **self.names, **more)

    def refused(self, parts: list | None = None, **more) -> Refused:
        return refused(self.complete, parts=parts, **more)

    def listed(self) -> list[int]:
        return [part["PartNumber"] for part in self.s3.list_parts(**self.names).get("Parts", [])]


def test_parts_become_an_object(s3, bucket):
    contents = {1: os.urandom(PART), 2: os.urandom(PART + 1), 3: b"end"}
    upload = Upload(s3, bucket, Metadata={"a": "b"}, ContentType="text/x", Tagging="t=1")
    for number, content in contents.items():
        upload.put(number, content)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == NO_KEY and keys(s3, bucket) == []
    made = upload.complete()
    assert made["ETag"].strip('"').endswith("-3") and made["Bucket"] == bucket and made["Key"] == "k"
    got = s3.get_object(Bucket=bucket, Key="k")
    whole = b"".join(contents.values())
    assert got["Body"].read() == whole
    assert (got["Metadata"], got["ContentType"], got["TagCount"], got["ETag"]) == ({"a": "b"}, "text/x", 1, made["ETag"])
    across = f"bytes={PART - 3}-{PART + 3}"
    assert body(s3, bucket, "k", Range=across) == whole[PART - 3 : PART + 4]
    for number, content in contents.items():
        part = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert part["Body"].read() == content and part["PartsCount"] == 3
        assert s3.head_object(Bucket=bucket, Key="k", PartNumber=number)["ContentLength"] == len(content)
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=4) == ("InvalidPartNumber", 416)
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts", "ObjectSize"])
    assert (attributes["ObjectParts"]["TotalPartsCount"], attributes["ObjectSize"]) == (3, len(whole))


def test_parts_come_in_any_order_and_at_once(s3, bucket):
    contents = {number: os.urandom(PART) for number in (1, 2, 4)} | {10_000: b"last"}
    upload = Upload(s3, bucket)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: upload.put(number, contents[number]), reversed(contents)))
    upload.complete()
    assert body(s3, bucket, "k") == b"".join(contents.values())


def test_a_part_is_put_again(s3, bucket):
    upload = Upload(s3, bucket)
    old = upload.put(1, b"first")["ETag"]
    new = upload.put(1, b"second")["ETag"]
    assert old != new and upload.listed() == [1]
    assert upload.refused([{"PartNumber": 1, "ETag": old}]) == ("InvalidPart", 400)
    upload.complete()
    assert body(s3, bucket, "k") == b"second"


def test_only_the_named_parts_are_taken(s3, bucket):
    upload = Upload(s3, bucket)
    for number in (1, 2, 3):
        upload.put(number, bytes([number]) * PART)
    upload.complete([{"PartNumber": number, "ETag": upload.parts[number]} for number in (1, 3)])
    assert body(s3, bucket, "k") == b"\x01" * PART + b"\x03" * PART


def test_what_cannot_be_put_together(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"small")
    upload.put(2, b"end")
    one, two = ({"PartNumber": number, "ETag": upload.parts[number]} for number in (1, 2))
    for parts, expected in [
        ([one, two], ("EntityTooSmall", 400)),
        ([two, one], ("InvalidPartOrder", 400)),
        ([one, one], ("InvalidPartOrder", 400)),
        ([one, {"PartNumber": 3, "ETag": one["ETag"]}], ("InvalidPart", 400)),
        ([{"PartNumber": 1, "ETag": two["ETag"]}], ("InvalidPart", 400)),
        ([], MALFORMED),
    ]:
        assert upload.refused(parts) == expected, parts
    assert upload.listed() == [1, 2], "an upload goes on after what was refused"
    upload.complete([one])
    assert body(s3, bucket, "k") == b"small"


@pytest.mark.parametrize("number", [0, -1, 10_001, 2**31, 2**63])
def test_part_numbers(s3, bucket, number):
    upload = Upload(s3, bucket)
    assert refused(s3.upload_part, PartNumber=number, Body=b"x", **upload.names) == INVALID
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=number).status in (400, 416)
    assert upload.listed() == []


def test_the_part_of_what_has_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"words")
    assert body(s3, bucket, "k", PartNumber=1) == b"words"
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=2) == ("InvalidPartNumber", 416)
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=1, Range="bytes=0-1") == ("InvalidRequest", 400)


def test_what_is_given_up_is_gone(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"x" * PART)
    s3.abort_multipart_upload(**upload.names)
    for call in (s3.list_parts, s3.abort_multipart_upload):
        assert refused(call, **upload.names) == NO_UPLOAD
    assert refused(s3.upload_part, PartNumber=2, Body=b"x", **upload.names) == NO_UPLOAD
    assert upload.refused() == NO_UPLOAD
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("upload_id", ["x", "x" * 5000, "../..", "\u00e4"])
def test_uploads_that_are_none(s3, bucket, upload_id):
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    assert refused(s3.upload_part, PartNumber=1, Body=b"x", **names) == NO_UPLOAD
    assert refused(s3.list_parts, **names) == NO_UPLOAD


def test_an_upload_is_of_one_key(s3, bucket):
    upload = Upload(s3, bucket)
    names = {**upload.names, "Key": "other"}
    assert refused(s3.upload_part, PartNumber=1, Body=b"x", **names) == NO_UPLOAD
    assert refused(s3.abort_multipart_upload, **names) == NO_UPLOAD
    assert refused(s3.list_parts, **{**upload.names, "Bucket": new_bucket(s3)}) == NO_UPLOAD
    assert upload.listed() == []


def test_parts_are_told_in_pages(s3, bucket):
    upload = Upload(s3, bucket)
    for number in range(1, 8):
        upload.put(number, bytes(number))
    pages = list(s3.get_paginator("list_parts").paginate(PaginationConfig={"PageSize": 3}, **upload.names))
    assert [[part["PartNumber"] for part in page["Parts"]] for page in pages] == [[1, 2, 3], [4, 5, 6], [7]]
    assert [part["Size"] for page in pages for part in page["Parts"]] == list(range(1, 8))
    assert {part["PartNumber"]: part["ETag"] for page in pages for part in page["Parts"]} == upload.parts


def test_uploads_are_told_in_pages(s3, bucket):
    names = ["a/1", "a/2", "b/1", "c", "c"]
    made = [Upload(s3, bucket, key).names["UploadId"] for key in names]
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    assert [found["Key"] for page in pages for found in page["Uploads"]] == names
    assert {found["UploadId"] for page in pages for found in page["Uploads"]} == set(made)
    folders = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [found["Prefix"] for found in folders["CommonPrefixes"]] == ["a/", "b/"] and len(folders["Uploads"]) == 2
    assert len(s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")["Uploads"]) == 2


def test_parts_are_copied(s3, bucket):
    content = os.urandom(PART + 100)
    s3.put_object(Bucket=bucket, Key="source", Body=content)
    source = {"Bucket": bucket, "Key": "source"}
    upload = Upload(s3, bucket)
    upload.parts[1] = s3.upload_part_copy(PartNumber=1, CopySource=source, **upload.names)["CopyPartResult"]["ETag"]
    told = s3.upload_part_copy(PartNumber=2, CopySource=source, CopySourceRange="bytes=10-19", **upload.names)
    upload.parts[2] = told["CopyPartResult"]["ETag"]
    upload.complete()
    assert body(s3, bucket, "k") == content + content[10:20]
    again = Upload(s3, bucket)
    for wrong in ("bytes=10-", "bytes=-5", "10-19", f"bytes=0-{len(content)}", "bytes=5-1"):
        told = refused(s3.upload_part_copy, PartNumber=1, CopySource=source, CopySourceRange=wrong, **again.names)
        assert told.code in ("InvalidArgument", "InvalidRange", "InvalidRequest") and told.status in (400, 416), wrong
    absent = {"Bucket": bucket, "Key": "absent"}
    assert refused(s3.upload_part_copy, PartNumber=1, CopySource=absent, **again.names) == NO_KEY


def test_parts_make_a_version(s3):
    bucket = new_bucket(s3, versioned=True)
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    upload = Upload(s3, bucket)
    upload.put(1, b"second")
    made = upload.complete()
    assert made["VersionId"] not in (first, "null")
    assert body(s3, bucket, "k", VersionId=first) == b"first" and body(s3, bucket, "k") == b"second"


def test_conditions_on_completing(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"parts")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"whole")["ETag"]
    assert upload.refused(IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert upload.refused(IfMatch='"other"') == ("PreconditionFailed", 412)
    upload.complete(IfMatch=etag)
    assert body(s3, bucket, "k") == b"parts"


def test_an_upload_keeps_no_bucket_from_being_deleted(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"x")
    s3.delete_bucket(Bucket=bucket)
    assert refused(s3.list_parts, **upload.names).status == 404


def test_the_whole_must_have_the_size_that_is_said(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"12345")
    assert upload.refused(MpuObjectSize=6) == ("InvalidRequest", 400)
    upload.complete(MpuObjectSize=5)


def test_completing_twice_gives_the_same(s3, bucket):
    """A client that did not get the answer asks again."""
    upload = Upload(s3, bucket)
    upload.put(1, b"x")
    made, again = upload.complete(), upload.complete()
    assert again["ETag"] == made["ETag"] and body(s3, bucket, "k") == b"x"
    assert refused(upload.put, number=2, content=b"y") == NO_UPLOAD
