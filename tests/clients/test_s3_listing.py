"""Lists of objects: both versions, pages, folders, versions, and keys of every kind."""

import json
import urllib.parse

import pytest
from kms_account import allow, keeper
from s3_account import DENIED, INVALID, Wire, arn, body, keys, new_bucket, outcome, refused

# Names that paths, XML, terminals and sorting make trouble with.
ODD = [
    ".",
    "..",
    "../../etc/passwd",
    "a b/../c",
    "/",
    "//",
    "/leading",
    "trailing/",
    "\u202egpj.exe",
    "\u00e4\U0001f980",
    "e\u0301",
    "\u00e9",
    "a+b&c=d?e#f%25",
    "<k>&amp;\"'",
    " ",
    "\t",
    "line\nfeed",
    "back\\slash",
    "\ufffd\uffef",
    "~",
    "\u007f",
    "x" * 1024,
    "\u00e4" * 512,
]
# What XML cannot say, encoded or not.
UNSPEAKABLE = ["a\x00b", "\x01", "\x1b[31m", "a\x0bb", "\ufffe"]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("listing")) as account:
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


@pytest.fixture(scope="module")
def library(s3) -> str:
    """A bucket with 25 objects in five folders."""
    name = new_bucket(s3, "library")
    for number in range(25):
        s3.put_object(Bucket=name, Key=f"{number % 5}/{number:02}", Body=bytes(number))
    return name


EVERY = sorted(f"{number % 5}/{number:02}" for number in range(25))


def test_keys_come_back_as_they_were(s3, bucket):
    for key in ODD:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ODD:
        assert body(s3, bucket, key) == key.encode(), ascii(key)
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())
    expected = sorted(ODD, key=lambda key: key.encode())
    assert keys(s3, bucket) == expected
    first = s3.list_objects(Bucket=bucket)["Contents"]
    assert [found["Key"] for found in first] == expected
    # One by one, each page begins after the last key of the one before.
    assert keys(s3, bucket, PaginationConfig={"PageSize": 1}) == expected
    for key in ODD:
        assert key in keys(s3, bucket, Prefix=key), ascii(key)
        s3.delete_object(Bucket=bucket, Key=key)
    assert keys(s3, bucket) == []


def test_keys_that_xml_cannot_say(s3, bucket, wire):
    for key in UNSPEAKABLE:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert body(s3, bucket, key) == key.encode()
    assert sorted(keys(s3, bucket)) == sorted(UNSPEAKABLE), "boto3 asks for them encoded"
    answer = wire.ask("GET", f"/{bucket}?encoding-type=url&list-type=2")
    assert b"a%00b" in answer.body and b"%1B%5B31m" in answer.body
    # Who does not ask for that is answered all the same, in what an XML parser need not take.
    plain = wire.ask("GET", f"/{bucket}?list-type=2")
    assert plain.status == 200 and b"<Key>a&#x0;b</Key>" in plain.body and b"<Key>&#x1b;[31m</Key>" in plain.body
    assert refused(s3.get_object, Bucket=bucket, Key="absent\x00").code == "NoSuchKey"
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "ok"}]})
    assert deleted["Deleted"]


def test_lengths_of_keys(s3, bucket):
    s3.put_object(Bucket=bucket, Key="x" * 1024)
    for key in ("x" * 1025, "\u00e4" * 513, "x" * 5000):
        assert refused(s3.put_object, Bucket=bucket, Key=key) == ("KeyTooLongError", 400)
        assert refused(s3.get_object, Bucket=bucket, Key=key) == ("KeyTooLongError", 400)
    assert len(keys(s3, bucket)) == 1


def test_keys_that_are_no_text(wire, bucket):
    for encoded in ("%ff", "a%c3", "%ed%a0%80", "%zz", "a%2"):
        answer = wire.ask("PUT", f"/{bucket}/{encoded}", b"x")
        assert answer.status == 400 and answer.code, (encoded, answer)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
@pytest.mark.parametrize("size", [1, 7, 24, 25, 1000])
def test_pages(s3, library, operation, size):
    pages = list(s3.get_paginator(operation).paginate(Bucket=library, PaginationConfig={"PageSize": size}))
    what = "Versions" if operation == "list_object_versions" else "Contents"
    assert [found["Key"] for page in pages for found in page[what]] == EVERY
    assert len(pages) == -(-25 // size)
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_folders(s3, library, operation):
    call = getattr(s3, operation)
    folders = [{"Prefix": f"{number}/"} for number in range(5)]
    assert call(Bucket=library, Delimiter="/")["CommonPrefixes"] == folders
    pages = s3.get_paginator(operation).paginate(Bucket=library, Delimiter="/", PaginationConfig={"PageSize": 2})
    assert [found for page in pages for found in page.get("CommonPrefixes", [])] == folders
    inside = call(Bucket=library, Delimiter="/", Prefix="3/")
    assert "CommonPrefixes" not in inside
    other = call(Bucket=library, Delimiter="/1", Prefix="")
    assert {"Prefix": "0/1"} in other["CommonPrefixes"]
    assert "Contents" not in call(Bucket=library, Prefix="absent") and "Versions" not in call(Bucket=library, Prefix="absent")


def test_the_second_version(s3, library, account):
    told = s3.list_objects_v2(Bucket=library, MaxKeys=3, StartAfter="1/11")
    assert [found["Key"] for found in told["Contents"]] == ["1/16", "1/21", "2/02"]
    assert (told["KeyCount"], told["MaxKeys"], told["StartAfter"], told["IsTruncated"]) == (3, 3, "1/11", True)
    assert "Owner" not in told["Contents"][0]
    owned = s3.list_objects_v2(Bucket=library, FetchOwner=True, MaxKeys=1)["Contents"][0]
    assert owned["Owner"]["ID"] and owned["StorageClass"] == "STANDARD" and owned["ETag"]
    after = s3.list_objects_v2(Bucket=library, ContinuationToken=told["NextContinuationToken"], StartAfter="4/24")
    assert after["Contents"][0]["Key"] == "2/07" and after["ContinuationToken"] == told["NextContinuationToken"]
    for wrong in ("not a token", "", "\u00e4", "%%%"):
        assert outcome(s3.list_objects_v2, Bucket=library, ContinuationToken=wrong) in ("InvalidArgument", "ok")
    assert refused(s3.list_objects_v2, Bucket=library, ContinuationToken="not a token") == INVALID


def test_the_first_version(s3, library):
    told = s3.list_objects(Bucket=library, MaxKeys=2, Marker="1/11")
    assert [found["Key"] for found in told["Contents"]] == ["1/16", "1/21"]
    assert told["Marker"] == "1/11" and told["IsTruncated"] and "Owner" in told["Contents"][0]
    folders = s3.list_objects(Bucket=library, MaxKeys=2, Delimiter="/")
    assert folders["NextMarker"] == "1/"


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_how_many(s3, library, operation):
    call = getattr(s3, operation)
    none = call(Bucket=library, MaxKeys=0)
    assert not none["IsTruncated"] and "Contents" not in none and "Versions" not in none
    assert call(Bucket=library, MaxKeys=10**9)["MaxKeys"] in (1000, 10**9)
    for wrong in (-1, 2**31, 2**63, "x", ""):
        told = outcome(call, Bucket=library, MaxKeys=wrong)
        assert told in ("InvalidArgument",) or (wrong == "" and told == "ok"), (wrong, told)
    assert refused(call, Bucket=library, EncodingType="base64") == INVALID


def test_names_are_told_encoded(s3, bucket, wire):
    s3.put_object(Bucket=bucket, Key="a b/\u00e4+/c&d")
    answer = wire.ask("GET", f"/{bucket}?delimiter=%2B&encoding-type=url&list-type=2&prefix=a%20b")
    text = answer.body.decode()
    assert "<EncodingType>url</EncodingType>" in text
    assert "<Prefix>a%20b</Prefix>" in text or "<Prefix>a+b</Prefix>" in text
    assert "<Delimiter>%2B</Delimiter>" in text and "%C3%A4%2B</Prefix>" in text
    raw = wire.ask("GET", f"/{bucket}?list-type=2").body.decode()
    assert "a b/\u00e4+/c&amp;d" in raw


def test_versions_in_pages_begin_within_a_key(s3):
    name = new_bucket(s3, versioned=True)
    made = {key: [s3.put_object(Bucket=name, Key=key)["VersionId"] for _ in range(3)] for key in ("a", "b")}
    s3.delete_object(Bucket=name, Key="a")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=name, PaginationConfig={"PageSize": 2}))
    found = [version["VersionId"] for page in pages for version in page.get("Versions", [])]
    assert found == [*reversed(made["a"]), *reversed(made["b"])]
    assert sum(len(page.get("DeleteMarkers", [])) for page in pages) == 1
    told = s3.list_object_versions(Bucket=name, KeyMarker="a", VersionIdMarker=made["a"][1])
    assert [version["VersionId"] for version in told["Versions"]] == [made["a"][0], *reversed(made["b"])]
    assert refused(s3.list_object_versions, Bucket=name, VersionIdMarker=made["a"][1]) == INVALID


def test_a_list_is_of_what_one_may_list(account, s3, library):
    statement = allow("s3:ListBucket", arn(library), Condition={"StringLike": {"s3:prefix": "3/*"}})
    lister = account.client(account.session(account.caller_role(statement)), "s3")
    assert len(keys(lister, library, Prefix="3/")) == 5
    assert refused(lister.list_objects_v2, Bucket=library) == DENIED
    assert refused(lister.list_object_versions, Bucket=library, Prefix="3/") == DENIED


def test_paths_name_what_they_say(s3, bucket, wire):
    """No part of the way to the store takes a path for anything but a key."""
    other = new_bucket(s3, "other")
    s3.put_object(Bucket=other, Key="k", Body=b"secret")
    for key in (f"../{other}/k", f"./../{other}/k", f"%2e%2e/{other}/k"):
        told = wire.ask("GET", f"/{bucket}/{key}")
        assert told.status == 404 and b"secret" not in told.body, (key, told)
    target = "/" + bucket + "/" + urllib.parse.quote("..") + "/" + "k"
    assert wire.ask("PUT", target, b"x").status == 200
    assert keys(s3, bucket) == ["../k"] and keys(s3, other) == ["k"]
    assert json.dumps(keys(s3, bucket))
