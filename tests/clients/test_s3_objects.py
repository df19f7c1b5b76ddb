"""Objects through boto3: put, read whole and in ranges, described, copied and deleted."""

import datetime
import hashlib
import os

import pytest
from boto3.s3.transfer import TransferConfig
from kms_account import keeper
from s3_account import INVALID, NO_BUCKET, NO_KEY, Refused, body, keys, new_bucket, outcome, refused

MIB = 1 << 20
# Around what rests in a row, one chunk of a sealed object, and several.
SIZES = [0, 1, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("objects")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


def test_buckets_are_made_told_and_deleted(account, s3):
    name = new_bucket(s3)
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == account.region
    # Where S3 began, whoever made a bucket may make it again.
    assert account.region == "us-east-1" and s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    listed = s3.list_buckets()
    assert name in [found["Name"] for found in listed["Buckets"]] and listed["Owner"]["ID"]
    page = s3.list_buckets(MaxBuckets=1, Prefix=name[:-1])
    assert len(page["Buckets"]) == 1
    s3.put_object(Bucket=name, Key="k")
    assert refused(s3.delete_bucket, Bucket=name) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert refused(s3.head_bucket, Bucket=name) == ("404", 404)
    for call in (s3.delete_bucket, s3.list_objects_v2, s3.get_bucket_versioning):
        assert refused(call, Bucket=name) == NO_BUCKET
    assert refused(s3.put_object, Bucket=name, Key="k") == NO_BUCKET
    s3.create_bucket(Bucket=name)


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Upper", "under_score", "192.168.5.4", "a..b", "-a1", "xn--abc", "abc-s3alias"])
def test_names_that_no_bucket_has(s3, name):
    assert refused(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400)


@pytest.mark.parametrize("size", SIZES)
def test_an_object_is_read_as_it_was_put(s3, bucket, size):
    content = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=content)
    assert put["ETag"].strip('"') != hashlib.md5(content).hexdigest()
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == content
    assert (got["ContentLength"], got["ETag"], got["AcceptRanges"]) == (size, put["ETag"], "bytes")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == size


def test_what_is_said_of_an_object_is_kept(s3, bucket):
    said = {
        "ContentType": "text/x; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentLanguage": "gsw",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "CacheControl": "no-store",
        "WebsiteRedirectLocation": "/elsewhere",
        "Metadata": {"colour": "red", "empty": "", "spaced": "a  b"},
    }
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **said)
    for got in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {name: got[name] for name in said} == said
        assert got["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
        assert abs((datetime.datetime.now(datetime.UTC) - got["LastModified"]).total_seconds()) < 60
    assert s3.get_object(Bucket=new_bucket_with(s3), Key="plain")["ContentType"] == "binary/octet-stream"
    changed = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="a/b", ResponseCacheControl="private", ResponseContentDisposition="inline")
    assert (changed["ContentType"], changed["CacheControl"], changed["ContentDisposition"]) == ("a/b", "private", "inline")


def new_bucket_with(s3) -> str:
    name = new_bucket(s3)
    s3.put_object(Bucket=name, Key="plain", Body=b"x")
    return name


def test_metadata_has_a_bound(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Metadata={"m": "x" * 2047})
    assert refused(s3.put_object, Bucket=bucket, Key="k", Metadata={"m": "x" * 2048}) == ("MetadataTooLarge", 400)


def test_ranges(s3, bucket):
    content = os.urandom(3 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=content)
    last = len(content) - 1
    for asked, first, end in [
        ("bytes=0-0", 0, 0),
        ("bytes=1048570-1048580", 1_048_570, 1_048_580),
        (f"bytes={last}-", last, last),
        ("bytes=100-", 100, last),
        ("bytes=-1", last, last),
        (f"bytes=-{10 * MIB}", 0, last),
        (f"bytes=5-{10 * MIB}", 5, last),
    ]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert got["Body"].read() == content[first : end + 1], asked
        assert got["ContentRange"] == f"bytes {first}-{end}/{len(content)}"
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert s3.head_object(Bucket=bucket, Key="k", Range=asked)["ContentLength"] == end - first + 1
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={len(content)}-") == ("InvalidRange", 416)
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=-0") == ("InvalidRange", 416)
    # What is no range is not there, and the whole is answered.
    for asked in ("bytes=5-1", "lines=1-2", "bytes=a-b"):
        assert s3.get_object(Bucket=bucket, Key="k", Range=asked)["ContentLength"] == len(content), asked


def test_what_is_empty_has_no_range(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=0-0") == ("InvalidRange", 416)


def test_what_is_not_there(s3, bucket):
    assert refused(s3.get_object, Bucket=bucket, Key="absent") == NO_KEY
    assert refused(s3.head_object, Bucket=bucket, Key="absent") == ("404", 404)
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="absent") == NO_KEY
    assert refused(s3.copy_object, Bucket=bucket, Key="k", CopySource=f"{bucket}/absent") == NO_KEY
    assert refused(s3.copy_object, Bucket=bucket, Key="k", CopySource="no-such-bucket-here/absent") == NO_BUCKET
    assert outcome(s3.delete_object, Bucket=bucket, Key="absent") == "ok"
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId="not-a-version") == INVALID


def test_attributes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"words", ChecksumAlgorithm="SHA256")
    every = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=every)
    assert told["ETag"].strip('"') == s3.head_object(Bucket=bucket, Key="k")["ETag"].strip('"')
    assert (told["ObjectSize"], told["StorageClass"]) == (5, "STANDARD") and "ObjectParts" not in told
    assert told["Checksum"]["ChecksumSHA256"] and told["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only and only["ObjectSize"] == 5
    assert refused(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["Colour"]) == INVALID
    assert refused(s3.get_object_attributes, Bucket=bucket, Key="absent", ObjectAttributes=every) == NO_KEY


def test_copies_keep_or_replace_what_is_said(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"words", Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    kept = s3.get_object(Bucket=bucket, Key="kept")
    assert (kept["Body"].read(), kept["Metadata"], kept["ContentType"], kept["TagCount"]) == (b"words", {"a": "1"}, "text/x", 1)
    s3.copy_object(
        Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"}, TaggingDirective="REPLACE", Tagging="u=2"
    )
    new = s3.get_object(Bucket=bucket, Key="new")
    assert (new["Metadata"], new["ContentType"]) == ({"b": "2"}, "binary/octet-stream")
    assert s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"] == [{"Key": "u", "Value": "2"}]
    assert refused(s3.copy_object, Bucket=bucket, Key="k", CopySource=source) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE")
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {}


def test_a_copy_lies_in_another_bucket_under_an_odd_name(s3, bucket):
    other, key = new_bucket(s3), "a b/../ü+%25?&=#"
    content = os.urandom(2 * MIB)
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    copied = s3.copy_object(Bucket=other, Key=key, CopySource={"Bucket": bucket, "Key": key})
    assert body(s3, other, key) == content
    assert copied["CopyObjectResult"]["ETag"] == s3.head_object(Bucket=other, Key=key)["ETag"]


def test_a_copy_has_its_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    source = {"Bucket": bucket, "Key": "k"}
    old = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    for wrong in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": etag}, {"CopySourceIfUnmodifiedSince": old}):
        assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=source, **wrong) == ("PreconditionFailed", 412)
    s3.copy_object(Bucket=bucket, Key="c", CopySource=source, CopySourceIfMatch=etag, CopySourceIfModifiedSince=old)
    assert keys(s3, bucket) == ["c", "k"]


def test_several_are_deleted_at_once(s3, bucket):
    for number in range(4):
        s3.put_object(Bucket=bucket, Key=str(number))
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "0"}, {"Key": "1"}, {"Key": "absent"}]})
    assert sorted(found["Key"] for found in deleted["Deleted"]) == ["0", "1", "absent"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "2"}], "Quiet": True})
    assert "Deleted" not in quiet and keys(s3, bucket) == ["3"]
    every = [{"Key": str(number)} for number in range(1000)]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": every})["Deleted"]) == 1000
    assert refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": [*every, {"Key": "more"}]}) == ("MalformedXML", 400)
    assert refused(s3.delete_objects, Bucket=bucket, Delete={"Objects": []}) == ("MalformedXML", 400)


def test_a_large_file_goes_up_and_down(s3, bucket, tmp_path):
    """boto3 puts it in parts at the same time, and reads it in ranges."""
    up, down = tmp_path / "up", tmp_path / "down"
    up.write_bytes(os.urandom(21 * MIB))
    ways = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    s3.upload_file(str(up), bucket, "k", Config=ways, ExtraArgs={"Metadata": {"a": "b"}})
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"].endswith('-5"')
    s3.download_file(bucket, "k", str(down), Config=ways)
    assert down.read_bytes() == up.read_bytes()
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=ways)
    s3.download_file(bucket, "copy", str(down), Config=ways)
    assert down.read_bytes() == up.read_bytes()


def test_storage_classes_that_are_not_there_are_refused(s3, bucket):
    assert s3.put_object(Bucket=bucket, Key="k", StorageClass="STANDARD")["ETag"]
    for name in ("GLACIER", "REDUCED_REDUNDANCY", "WARM"):
        assert refused(s3.put_object, Bucket=bucket, Key="k", StorageClass=name) == Refused("InvalidStorageClass", 400)


def test_what_nobody_implements(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"a,b")
    for call, more in [
        (s3.get_bucket_website, {}),
        (s3.get_bucket_replication, {}),
        (s3.restore_object, {"Key": "k"}),
        (s3.get_object_torrent, {"Key": "k"}),
    ]:
        assert refused(call, Bucket=bucket, **more).status in (400, 404, 405, 501), call
