"""What buckets are set to, and objects are labelled with: told as it was set, and refused where nothing would come of it."""

import pytest
from kms_account import keeper
from s3_account import DENIED, INVALID, MALFORMED, NO_KEY, Refused, arn, new_bucket, outcome, refused

ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
NO_ACLS = Refused("AccessControlListNotSupported", 400)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("configuration")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


def tags(**pairs: str) -> dict:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def test_what_a_new_bucket_is_set_to(account, s3, bucket):
    location = s3.get_bucket_location(Bucket=bucket)["LocationConstraint"]
    assert location == (None if account.region == "us-east-1" else account.region)
    owned = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    for call, expected in [
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_policy_status, "NoSuchBucketPolicy"),
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
    ]:
        assert refused(call, Bucket=bucket) == (expected, 404)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    empty = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert empty.keys() == {"ResponseMetadata"}


def test_a_place(account, s3):
    for place in ("eu-nowhere-1", "EU"):
        told = refused(s3.create_bucket, Bucket=f"place-{place.lower()}", CreateBucketConfiguration={"LocationConstraint": place})
        assert told.status == 400 and told.code in ("IllegalLocationConstraintException", "InvalidLocationConstraint"), told


def test_tags_of_buckets(s3, bucket):
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(a="1", b=""))
    assert sorted(s3.get_bucket_tagging(Bucket=bucket)["TagSet"], key=lambda tag: tag["Key"]) == tags(a="1", b="")["TagSet"]
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags(c="\u00e4 +=:/@"))
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags(c="\u00e4 +=:/@")["TagSet"]
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    many = tags(**{f"k{number}": "" for number in range(51)})
    for wrong in (twice, many, tags(**{"aws:own": "x"}), tags(**{"k" * 129: ""}), tags(k="v" * 257), {"TagSet": [{"Key": "", "Value": "x"}]}):
        told = refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=wrong)
        assert told.status == 400 and told.code in ("InvalidTag", "BadRequest", "MalformedXML"), (wrong, told)
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags(c="\u00e4 +=:/@")["TagSet"]
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)


def test_tags_of_objects(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Tagging="a=1&b=x%20y%2B&c=")
    told = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]}
    assert told == {"a": "1", "b": "x y+", "c": ""} and s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 3
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags(d="4"))
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags(d="4")["TagSet"]
    eleven = tags(**{f"k{number}": "" for number in range(11)})
    for wrong in (eleven, tags(**{"aws:own": "x"}), tags(**{"k" * 129: ""}), tags(k="v" * 257)):
        told = refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=wrong)
        assert told.status == 400 and told.code in ("InvalidTag", "BadRequest"), (wrong, told)
    for wrong in ("a=1&a=2", "=1", "&".join(f"k{number}=" for number in range(11)), "aws:own=x"):
        told = refused(s3.put_object, Bucket=bucket, Key="k", Tagging=wrong)
        assert told.status == 400 and told.code in ("InvalidTag", "BadRequest", "InvalidArgument"), (wrong, told)
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="absent", Tagging=tags(a="1")) == NO_KEY


def test_cors(s3, bucket):
    rule = {
        "ID": "one",
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://example.org", "https://*.example.org"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    for wrong in ([], [{"AllowedMethods": ["GET"]}], [{**rule, "AllowedMethods": ["PATCH"]}], [rule] * 101):
        told = refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": wrong})
        assert told in (MALFORMED, ("InvalidRequest", 400)), told
    s3.delete_bucket_cors(Bucket=bucket)
    assert refused(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)


def test_access_control_lists_are_off(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    for told in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        owner = told["Owner"]["ID"]
        assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in told["Grants"]] == [(owner, "FULL_CONTROL")]
    for more in ({"ACL": "public-read"}, {"ACL": "authenticated-read"}, {"GrantRead": ALL_USERS}):
        assert refused(s3.put_bucket_acl, Bucket=bucket, **more) in (NO_ACLS, DENIED)
        assert refused(s3.put_object_acl, Bucket=bucket, Key="k", **more) in (NO_ACLS, DENIED)
        assert refused(s3.put_object, Bucket=bucket, Key="k", **more) in (NO_ACLS, DENIED)
    for fine in ("private", "bucket-owner-full-control"):
        s3.put_object(Bucket=bucket, Key="k", ACL=fine)
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert outcome(s3.create_bucket, Bucket=f"{bucket}-public", ACL="public-read") != "ok"


def test_ownership(s3, bucket):
    def put(what: str):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": what}]})

    put("BucketOwnerEnforced")
    assert refused(put, what="Somebody").status == 400
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert refused(s3.get_bucket_ownership_controls, Bucket=bucket) == ("OwnershipControlsNotFoundError", 404)


def test_public_access_is_blocked_in_four_ways(s3, bucket):
    every = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    for chosen in every:
        asked = {name: name == chosen for name in every}
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=asked)
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == asked
    s3.delete_public_access_block(Bucket=bucket)
    assert refused(s3.get_public_access_block, Bucket=bucket) == ("NoSuchPublicAccessBlockConfiguration", 404)


def test_logging(s3, bucket):
    target = new_bucket(s3, "logs")
    asked = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "access/"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=asked)
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == asked["LoggingEnabled"]
    wrong = {"LoggingEnabled": {"TargetBucket": "no-such-bucket-anywhere", "TargetPrefix": ""}}
    assert refused(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=wrong) == ("InvalidTargetBucketForLogging", 400)
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


def test_nobody_is_notified(s3, bucket):
    """What nobody would hear is refused, rather than kept and forgotten."""
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:111122223333:q", "Events": ["s3:ObjectCreated:*"]}
    for asked in ({"QueueConfigurations": [queue]}, {"EventBridgeConfiguration": {}}):
        told = refused(s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=asked)
        assert told == ("NotImplemented", 501)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}}),
        ("put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Enabled"}}),
        ("put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
        ("list_bucket_inventory_configurations", {}),
        ("list_bucket_metrics_configurations", {}),
        ("get_bucket_website", {}),
        ("delete_bucket_website", {}),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(s3, bucket, method, more):
    told = refused(getattr(s3, method), Bucket=bucket, **more)
    assert told.status in (404, 405, 501), told
    assert s3.head_bucket(Bucket=bucket)
