"""Versions of objects: made, read, copied, deleted and brought back, with versioning on, suspended and never set."""

import pytest
from kms_account import keeper, named
from s3_account import INVALID, NO_KEY, body, keys, new_bucket, refused


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("versions")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3, versioned=True)


def versions(s3, bucket: str, **more) -> list[tuple[str, str, bool]]:
    told = s3.list_object_versions(Bucket=bucket, **more)
    return [(found["Key"], found["VersionId"], found["IsLatest"]) for found in told.get("Versions", [])]


def markers(s3, bucket: str) -> list[tuple[str, str, bool]]:
    told = s3.list_object_versions(Bucket=bucket)
    return [(found["Key"], found["VersionId"], found["IsLatest"]) for found in told.get("DeleteMarkers", [])]


def suspend(s3, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def test_versioning_is_told(s3):
    name = new_bucket(s3)
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    suspend(s3, name)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    for wrong in ({"Status": "On"}, {"Status": "Disabled"}, {}):
        told = refused(s3.put_bucket_versioning, Bucket=name, VersioningConfiguration=wrong)
        assert told.code in ("MalformedXML", "IllegalVersioningConfigurationException") and told.status == 400


def test_each_put_is_a_version(s3, bucket):
    made = [s3.put_object(Bucket=bucket, Key="k", Body=text)["VersionId"] for text in (b"1", b"2", b"3")]
    assert len(set(made)) == 3
    assert body(s3, bucket, "k") == b"3"
    for version, text in zip(made, (b"1", b"2", b"3"), strict=True):
        got = s3.get_object(Bucket=bucket, Key="k", VersionId=version)
        assert (got["Body"].read(), got["VersionId"]) == (text, version)
        assert s3.head_object(Bucket=bucket, Key="k", VersionId=version)["VersionId"] == version
    assert versions(s3, bucket) == [("k", version, at == 0) for at, version in enumerate(reversed(made))]
    assert keys(s3, bucket) == ["k"]


def test_a_marker_hides_and_its_deletion_brings_back(s3, bucket):
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert deleted["DeleteMarker"] and deleted["VersionId"] != version
    marker = deleted["VersionId"]
    assert refused(s3.get_object, Bucket=bucket, Key="k") == NO_KEY
    assert refused(s3.head_object, Bucket=bucket, Key="k") == ("404", 404)
    assert keys(s3, bucket) == []
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=marker) == ("MethodNotAllowed", 405)
    assert refused(s3.head_object, Bucket=bucket, Key="k", VersionId=marker) == ("405", 405)
    assert body(s3, bucket, "k", VersionId=version) == b"1"
    assert markers(s3, bucket) == [("k", marker, True)]
    undone = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert undone["DeleteMarker"] and undone["VersionId"] == marker
    assert body(s3, bucket, "k") == b"1"


def test_what_a_marker_is_told_by(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with pytest.raises(s3.exceptions.NoSuchKey) as told:
        s3.get_object(Bucket=bucket, Key="k")
    headers = told.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    # What is not there gets a marker too.
    assert s3.delete_object(Bucket=bucket, Key="never")["DeleteMarker"]
    assert len(markers(s3, bucket)) == 2


def test_a_version_that_is_deleted_is_gone(s3, bucket):
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=text)["VersionId"] for text in (b"1", b"2"))
    assert s3.delete_object(Bucket=bucket, Key="k", VersionId=second)["VersionId"] == second
    assert body(s3, bucket, "k") == b"1"
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=second) == ("NoSuchVersion", 404)
    # Once more is no error.
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first)
    assert versions(s3, bucket) == []
    s3.delete_bucket(Bucket=bucket)


def test_a_bucket_with_versions_is_not_empty(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k")
    assert keys(s3, bucket) == []
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)


def test_suspended_versioning_writes_null(s3, bucket):
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    suspend(s3, bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"2").get("VersionId", "null") == "null"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3")
    assert versions(s3, bucket) == [("k", "null", True), ("k", kept, False)]
    assert body(s3, bucket, "k", VersionId="null") == b"3"
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert versions(s3, bucket) == [("k", kept, False)] and markers(s3, bucket) == [("k", "null", True)]
    assert body(s3, bucket, "k", VersionId=kept) == b"1"


def test_what_was_there_before_versioning_is_null(s3):
    name = new_bucket(s3)
    assert "VersionId" not in s3.put_object(Bucket=name, Key="k", Body=b"old")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    assert s3.head_object(Bucket=name, Key="k")["VersionId"] == "null"
    new = s3.put_object(Bucket=name, Key="k", Body=b"new")["VersionId"]
    assert versions(s3, name) == [("k", new, True), ("k", "null", False)]
    assert body(s3, name, "k", VersionId="null") == b"old"
    s3.delete_object(Bucket=name, Key="k", VersionId="null")
    assert versions(s3, name) == [("k", new, True)]


def test_without_versioning_there_is_one(s3):
    name = new_bucket(s3)
    for text in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="k", Body=text)
    assert versions(s3, name) == [("k", "null", True)]
    assert "DeleteMarker" not in s3.delete_object(Bucket=name, Key="k")
    assert versions(s3, name) == [] and markers(s3, name) == []


def test_a_version_is_copied_over_the_current_one(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="a=1", Metadata={"m": "1"})["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    source = {"Bucket": bucket, "Key": "k", "VersionId": first}
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert copied["CopySourceVersionId"] == first and copied["VersionId"] != first
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"], got["TagCount"]) == (b"1", {"m": "1"}, 1)
    s3.delete_object(Bucket=bucket, Key="k")
    assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}) == NO_KEY
    marker = markers(s3, bucket)[0][1]
    assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource={**source, "VersionId": marker}) == ("InvalidRequest", 400)


def test_each_version_has_its_tags(s3, bucket):
    first, second = (s3.put_object(Bucket=bucket, Key="k", Tagging=tags)["VersionId"] for tags in ("a=1", "a=2"))
    told = s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging={"TagSet": [{"Key": "b", "Value": "3"}]})
    assert told["VersionId"] == first
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)["TagSet"] == [{"Key": "b", "Value": "3"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "2"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=second)
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="k", VersionId=marker) == ("MethodNotAllowed", 405)


def test_several_versions_are_deleted_at_once(s3, bucket):
    made = [s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"] for _ in range(3)]
    named = [{"Key": "k", "VersionId": version} for version in made[:2]]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [*named, {"Key": "other"}]})["Deleted"]
    told = {found.get("VersionId"): found for found in deleted if found["Key"] == "k"}
    assert told.keys() == set(made[:2]) and not any(found.get("DeleteMarker") for found in told.values())
    other = next(found for found in deleted if found["Key"] == "other")
    assert other["DeleteMarker"] and other["DeleteMarkerVersionId"]
    assert versions(s3, bucket) == [("k", made[2], True)]
    undone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "other", "VersionId": other["DeleteMarkerVersionId"]}]})
    assert undone["Deleted"][0]["DeleteMarker"] and undone["Deleted"][0]["DeleteMarkerVersionId"] == other["DeleteMarkerVersionId"]


@pytest.mark.parametrize("wrong", ["x", "x" * 2000, "nu\u00e4ll", "../null", "NULL"])
def test_versions_that_are_none(s3, bucket, wrong):
    s3.put_object(Bucket=bucket, Key="k")
    for call in (s3.get_object, s3.delete_object, s3.get_object_tagging):
        assert refused(call, Bucket=bucket, Key="k", VersionId=wrong) in (INVALID, ("NoSuchVersion", 404))
    assert len(versions(s3, bucket)) == 1


def test_another_objects_version_is_not_its_own(s3, bucket):
    other = s3.put_object(Bucket=bucket, Key="other", Body=b"o")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"k")
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=other) == ("NoSuchVersion", 404)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=other)
    assert body(s3, bucket, "other") == b"o"


def test_version_ids_are_of_one_bucket(s3, bucket):
    other = new_bucket(s3, named("other"), versioned=True)
    version = s3.put_object(Bucket=other, Key="k", Body=b"o")["VersionId"]
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=version) == ("NoSuchVersion", 404)
