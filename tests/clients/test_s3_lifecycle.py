"""Lifecycles of buckets: told as they were set, and refused where they say nothing."""

import pytest
from kms_account import keeper
from s3_account import INVALID, MALFORMED, new_bucket, refused


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("lifecycle")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


LIFECYCLE = [
    {"ID": "days", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30}},
    {
        "ID": "tagged",
        "Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "t", "Value": "1"}]}},
        "Status": "Disabled",
        "Expiration": {"Days": 1},
    },
    {
        "ID": "old",
        "Filter": {"Prefix": ""},
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
    },
]


def test_lifecycle(s3, bucket):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": LIFECYCLE})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == LIFECYCLE
    rule = LIFECYCLE[0]
    for wrong in (
        [],
        [rule, rule],
        [{**rule, "Status": "Perhaps"}],
        [{**rule, "Expiration": {"Days": 0}}],
        [{**rule, "Expiration": {"Days": -1}}],
        [{"ID": "nothing", "Filter": {}, "Status": "Enabled"}],
        [{**rule, "ID": "x" * 256}],
        [{**rule, "ID": str(number)} for number in range(1001)],
    ):
        told = refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": wrong})
        assert told in (MALFORMED, INVALID, ("InvalidRequest", 400)), (wrong[:2], told)
    other = {**rule, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    assert refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": [other]}).status in (400, 501)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == LIFECYCLE
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == ("NoSuchLifecycleConfiguration", 404)


def test_an_expiry_is_told(s3, bucket):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": LIFECYCLE[:1]})
    s3.put_object(Bucket=bucket, Key="logs/1")
    told = s3.head_object(Bucket=bucket, Key="logs/1").get("Expiration")
    assert told is None or 'rule-id="days"' in told


