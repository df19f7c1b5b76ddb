"""Requests that hold only if an object is, or is not, what its client believes."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from kms_account import keeper
from s3_account import FAILED, NO_KEY, body, keys, new_bucket, outcome, refused

OLD = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
LATER = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
OTHER = '"00000000000000000000000000000000"'


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("conditional")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


def test_reading(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    unchanged = ("304", 304)
    for condition, expected in [
        ({"IfMatch": etag}, None),
        ({"IfMatch": etag.strip('"')}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": OTHER}, FAILED),
        ({"IfNoneMatch": OTHER}, None),
        ({"IfNoneMatch": etag}, unchanged),
        ({"IfNoneMatch": "*"}, unchanged),
        ({"IfModifiedSince": OLD}, None),
        ({"IfUnmodifiedSince": OLD}, FAILED),
        ({"IfUnmodifiedSince": LATER}, None),
        # A tag says more than a time.
        ({"IfMatch": etag, "IfUnmodifiedSince": OLD}, None),
        ({"IfNoneMatch": etag, "IfModifiedSince": OLD}, unchanged),
    ]:
        if expected is None:
            assert body(s3, bucket, "k", **condition) == b"x", condition
            assert s3.head_object(Bucket=bucket, Key="k", **condition)["ETag"] == etag
        else:
            assert refused(s3.get_object, Bucket=bucket, Key="k", **condition) == expected, condition
            assert refused(s3.head_object, Bucket=bucket, Key="k", **condition).status == expected[1]


def test_what_is_unchanged_is_told_without_a_body(s3, account, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    made = s3.head_object(Bucket=bucket, Key="k")
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=made["LastModified"]) == ("304", 304)
    with pytest.raises(Exception) as told:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=made["ETag"])
    headers = told.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["etag"] == made["ETag"] and headers.get("content-length", "0") == "0"


def test_a_tag_is_of_one_content(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    assert first != second, "it says nothing of the content"
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfMatch=first) == FAILED


def test_only_if_absent(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == FAILED
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch=etag) == ("NotImplemented", 501)
    assert body(s3, bucket, "k") == b"1"
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="*")


def test_only_if_the_same(s3, bucket):
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"0", IfMatch=OTHER) == NO_KEY
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"3", IfMatch=etag) == FAILED
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == new


def test_markers_are_absence(s3):
    bucket = new_bucket(s3, versioned=True)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="k")
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch=OTHER) == NO_KEY
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert body(s3, bucket, "k") == b"2"


@pytest.mark.parametrize("size", [1, 100_000])
def test_of_many_at_once_one_wins(account, s3, bucket, size):
    """Every client adds one to what it read; what is refused is tried again."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"0" * size)

    def won(number: int) -> str:
        return outcome(s3.put_object, Bucket=bucket, Key=f"new{size}", Body=bytes([number]) * size, IfNoneMatch="*")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(won, range(16)))
    assert outcomes.count("ok") == 1 and set(outcomes) <= {"ok", "PreconditionFailed", "ConditionalRequestConflict"}
    winner = outcomes.index("ok")
    assert body(s3, bucket, f"new{size}") == bytes([winner]) * size

    def add(_number: int) -> None:
        while True:
            read = s3.get_object(Bucket=bucket, Key="count")
            new = str(int(read["Body"].read()) + 1).encode()
            if outcome(s3.put_object, Bucket=bucket, Key="count", Body=new, IfMatch=read["ETag"]) == "ok":
                return

    s3.put_object(Bucket=bucket, Key="count", Body=b"0")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))
    assert body(s3, bucket, "count") == b"12"


def test_deleting_only_if_the_same(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    told = outcome(s3.delete_object, Bucket=bucket, Key="k", IfMatch=OTHER)
    assert told in ("PreconditionFailed", "NotImplemented") and keys(s3, bucket) == ["k"]
    if told == "PreconditionFailed":
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
        assert keys(s3, bucket) == []


def test_copying_onto_what_must_be_absent_or_the_same(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    etag = s3.put_object(Bucket=bucket, Key="c", Body=b"2")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": OTHER}):
        assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k", **condition) == FAILED
    assert body(s3, bucket, "c") == b"2"
    s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", IfMatch=etag)
    s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/k", IfNoneMatch="*")
    assert body(s3, bucket, "c") == body(s3, bucket, "new") == b"1"
