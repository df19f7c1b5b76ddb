"""Object Lock: what is locked stays, for whom it may be taken away, and what cannot be said of it."""

import datetime
import json

import pytest
import sts
from kms_account import allow, keeper
from s3_account import DENIED, INVALID, MALFORMED, Refused, arn, body, md5, new_bucket, refused

NO_LOCK = Refused("InvalidRequest", 400)
GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"


def ahead(**by) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**by)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("lock")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3, "locked", ObjectLockEnabledForBucket=True)


def put(s3, bucket: str, mode: str | None = None, key="k", until=None, **more) -> dict:
    """An object's version, as it is named."""
    if mode:
        more |= {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until or ahead(days=2)}
    return {"Bucket": bucket, "Key": key, "VersionId": s3.put_object(Bucket=bucket, Key=key, Body=b"words", **more)["VersionId"]}


def retention(mode=GOVERNANCE, **by) -> dict:
    return {"Mode": mode, "RetainUntilDate": ahead(**(by or {"days": 2}))}


def test_a_bucket_with_locks_has_versions(s3, bucket):
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    suspended = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert suspended == ("InvalidBucketState", 409)


@pytest.mark.parametrize("mode", [GOVERNANCE, COMPLIANCE])
def test_what_is_retained_is_not_deleted(s3, bucket, mode):
    version = put(s3, bucket, mode)
    assert refused(s3.delete_object, **version) == DENIED
    several = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version["VersionId"]}]})
    assert [(found["Code"], found["Key"]) for found in several["Errors"]] == [("AccessDenied", "k")]
    # A marker hides it, and a new version is above it; it stays.
    assert s3.delete_object(Bucket=bucket, Key="k")["DeleteMarker"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"other")
    assert body(s3, bucket, "k", VersionId=version["VersionId"]) == b"words"
    told = s3.head_object(**version)
    assert told["ObjectLockMode"] == mode and told["ObjectLockRetainUntilDate"] > ahead(days=1)
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)


def test_governance_yields_to_who_may_bypass_it(account, s3, bucket):
    version = put(s3, bucket, GOVERNANCE)
    role = account.caller_role(allow("s3:*"), allow("s3:BypassGovernanceRetention", effect="Deny"), allow("kms:*"))
    may_not = account.client(account.session(role), "s3")
    assert refused(may_not.delete_object, BypassGovernanceRetention=True, **version) == DENIED
    assert refused(may_not.put_object_retention, Retention=retention(days=1), BypassGovernanceRetention=True, **version) == DENIED
    assert refused(s3.delete_object, **version) == DENIED
    s3.delete_object(BypassGovernanceRetention=True, **version)
    assert refused(s3.head_object, **version).status == 404


def test_compliance_yields_to_nobody(s3, bucket):
    version = put(s3, bucket, COMPLIANCE)
    assert refused(s3.delete_object, BypassGovernanceRetention=True, **version) == DENIED
    for shorter in (retention(COMPLIANCE, days=1), retention(GOVERNANCE, days=5), {}):
        assert refused(s3.put_object_retention, Retention=shorter, BypassGovernanceRetention=True, **version) == DENIED, shorter
    s3.put_object_retention(Retention=retention(COMPLIANCE, days=3), **version)
    assert s3.get_object_retention(**version)["Retention"]["RetainUntilDate"] > ahead(days=2, hours=12)


def test_a_retention_is_shortened_only_with_leave(s3, bucket):
    version = put(s3, bucket, GOVERNANCE)
    s3.put_object_retention(Retention=retention(days=3), **version)
    assert refused(s3.put_object_retention, Retention=retention(days=1), **version) == DENIED
    s3.put_object_retention(Retention=retention(days=1), BypassGovernanceRetention=True, **version)
    s3.put_object_retention(Retention={}, BypassGovernanceRetention=True, **version)
    assert refused(s3.get_object_retention, **version) == ("NoSuchObjectLockConfiguration", 404)
    s3.delete_object(**version)


def test_a_retention_ends(s3, bucket):
    until = ahead(seconds=3).replace(microsecond=0)
    version = put(s3, bucket, COMPLIANCE, until=until)
    deadline = ahead(seconds=20)
    while (now := ahead()) < deadline:
        try:
            s3.delete_object(**version)
            break
        except sts.botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied" and now < until + datetime.timedelta(seconds=1), (error, now, until)
    assert until <= ahead() < deadline


def test_a_legal_hold_has_no_end_but_its_own(s3, bucket):
    version = put(s3, bucket, ObjectLockLegalHoldStatus="ON")
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "ON"}
    assert refused(s3.delete_object, BypassGovernanceRetention=True, **version) == DENIED
    assert s3.head_object(**version)["ObjectLockLegalHoldStatus"] == "ON"
    s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, **version)
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "OFF"}
    assert s3.head_object(**version)["ObjectLockLegalHoldStatus"] == "OFF"
    never = put(s3, bucket)
    assert refused(s3.get_object_legal_hold, **never) == ("NoSuchObjectLockConfiguration", 404)
    assert "ObjectLockLegalHoldStatus" not in s3.head_object(**never)
    s3.delete_object(**version)


def test_a_default_holds_for_what_is_put_after_it(s3, bucket):
    before = put(s3, bucket)
    rule = {"DefaultRetention": {"Mode": GOVERNANCE, "Days": 2}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["Rule"] == rule
    after = put(s3, bucket)
    told = s3.get_object_retention(**after)["Retention"]
    assert told["Mode"] == GOVERNANCE and ahead(days=1, hours=23) < told["RetainUntilDate"] < ahead(days=2, minutes=1)
    assert refused(s3.delete_object, **after) == DENIED
    s3.delete_object(**before)
    chosen = put(s3, bucket, COMPLIANCE, until=ahead(days=1))
    assert s3.get_object_retention(**chosen)["Retention"]["Mode"] == COMPLIANCE
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    made = s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert refused(s3.delete_object, Bucket=bucket, Key="parts", VersionId=made["VersionId"]) == DENIED


@pytest.mark.parametrize(
    "rule",
    [
        {"Mode": GOVERNANCE},
        {"Mode": GOVERNANCE, "Days": 1, "Years": 1},
        {"Mode": GOVERNANCE, "Days": 0},
        {"Mode": GOVERNANCE, "Days": -1},
        {"Mode": GOVERNANCE, "Days": 36_501},
        {"Mode": COMPLIANCE, "Years": 101},
        {"Mode": "OTHER", "Days": 1},
        {"Days": 1},
    ],
)
def test_defaults_that_are_none(s3, bucket, rule):
    asked = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}}
    told = refused(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=asked)
    assert told in (MALFORMED, INVALID, ("InvalidRetentionPeriod", 400)), told
    assert "Rule" not in s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]


def test_what_cannot_be_said(s3, bucket):
    names = {"Bucket": bucket, "Key": "k"}
    later = ahead(days=2)
    for wrong in (
        {"ObjectLockMode": GOVERNANCE},
        {"ObjectLockRetainUntilDate": later},
        {"ObjectLockMode": "OTHER", "ObjectLockRetainUntilDate": later},
        {"ObjectLockMode": GOVERNANCE, "ObjectLockRetainUntilDate": ahead(days=-1)},
        {"ObjectLockLegalHoldStatus": "PERHAPS"},
    ):
        assert refused(s3.put_object, **names, **wrong) == INVALID, wrong
    version = put(s3, bucket)
    assert refused(s3.put_object_retention, Retention=retention(days=-1), **version) == INVALID
    assert refused(s3.put_object_retention, Retention={"Mode": "OTHER", "RetainUntilDate": later}, **version) == MALFORMED
    assert refused(s3.put_object_legal_hold, LegalHold={"Status": "PERHAPS"}, **version) == MALFORMED
    s3.delete_object(**version)


def test_a_bucket_without_locks_has_none(s3):
    plain = new_bucket(s3)
    assert refused(s3.get_object_lock_configuration, Bucket=plain) == ("ObjectLockConfigurationNotFoundError", 404)
    assert refused(s3.put_object, Bucket=plain, Key="k", ObjectLockLegalHoldStatus="ON") == NO_LOCK
    assert refused(s3.put_object, Bucket=plain, Key="k", ObjectLockMode=GOVERNANCE, ObjectLockRetainUntilDate=ahead(days=1)) == NO_LOCK
    s3.put_object(Bucket=plain, Key="k")
    assert refused(s3.put_object_retention, Bucket=plain, Key="k", Retention=retention()) == NO_LOCK
    assert refused(s3.put_object_legal_hold, Bucket=plain, Key="k", LegalHold={"Status": "ON"}) == NO_LOCK
    asked = {"ObjectLockEnabled": "Enabled"}
    assert refused(s3.put_object_lock_configuration, Bucket=plain, ObjectLockConfiguration=asked) == ("InvalidBucketState", 409)
    s3.put_bucket_versioning(Bucket=plain, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=plain, ObjectLockConfiguration=asked)
    put(s3, plain, GOVERNANCE)


def test_locks_take_leave_of_their_own(account, s3, bucket):
    role = account.caller_role(allow("s3:PutObject", arn(bucket, "*")), allow("kms:*"))
    writer = account.client(account.session(role), "s3")
    assert writer.put_object(Bucket=bucket, Key="k")["VersionId"]
    assert refused(writer.put_object, Bucket=bucket, Key="k", ObjectLockLegalHoldStatus="ON") == DENIED
    assert refused(writer.put_object, Bucket=bucket, Key="k", ObjectLockMode=GOVERNANCE, ObjectLockRetainUntilDate=ahead(days=1)) == DENIED
    assert refused(writer.get_object_retention, Bucket=bucket, Key="k") == DENIED


def test_policies_bound_a_retention(account, s3, bucket):
    bound = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectRetention", "Resource": arn(bucket, "*"), "Condition": bound}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    version = put(s3, bucket)
    assert refused(s3.put_object_retention, Retention=retention(days=30), **version) == DENIED
    s3.put_object_retention(Retention=retention(days=5), **version)


def test_a_copy_is_not_locked_as_its_source_is(s3, bucket):
    version = put(s3, bucket, COMPLIANCE)
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=version)["VersionId"]
    s3.delete_object(Bucket=bucket, Key="copy", VersionId=copied)


def test_a_document_must_come_whole(s3, bucket):
    """As the older clients send it: with the digest of what they meant."""
    version = put(s3, bucket)
    told = refused(s3.put_object_legal_hold, LegalHold={"Status": "ON"}, ContentMD5=md5(b"another"), **version)
    assert told == ("BadDigest", 400)
