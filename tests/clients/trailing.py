"""Trails for tests: buckets that let CloudTrail in, and what it has put there."""

import gzip
import json
import time

SERVICE = "cloudtrail.amazonaws.com"
WAIT_SECONDS = 60


def document(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def bucket_statements(bucket: str, path: str, trail: str) -> list[dict]:
    """The policy that AWS's documentation gives for a trail's bucket."""
    source = {"aws:SourceArn": trail}
    principal = {"Service": SERVICE}
    return [
        {
            "Sid": "AWSCloudTrailAclCheck",
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:GetBucketAcl",
            "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"StringEquals": source},
        },
        {
            "Sid": "AWSCloudTrailWrite",
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/{path}/*",
            "Condition": {"StringEquals": source | {"s3:x-amz-acl": "bucket-owner-full-control"}},
        },
    ]


def open_key(kms) -> str:
    """A key that CloudTrail may seal under."""
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    seal = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "kms:GenerateDataKey", "Resource": "*"}
    policy["Statement"].append(seal)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    return key


def open_bucket(s3, kms, bucket: str, path: str, trail: str) -> str:
    """A bucket that a trail may deliver to, and its key."""
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=document(*bucket_statements(bucket, path, trail)))
    key = open_key(kms)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return key


def keys(s3, bucket: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def logs(s3, bucket: str) -> list[str]:
    return [key for key in keys(s3, bucket) if "/CloudTrail/" in key and key.endswith(".json.gz")]


def digests(s3, bucket: str) -> list[str]:
    return [key for key in keys(s3, bucket) if "/CloudTrail-Digest/" in key and key.endswith(".json.gz")]


def read(s3, bucket: str, key: str) -> dict:
    found = s3.get_object(Bucket=bucket, Key=key)
    return json.loads(gzip.decompress(found["Body"].read()))


def records(s3, bucket: str) -> list[dict]:
    return [record for key in logs(s3, bucket) for record in read(s3, bucket, key)["Records"]]


def until(what, seconds=WAIT_SECONDS):
    """What `what` gives once it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError(f"nothing after {seconds} s")
