"""The log of calls of models as an account sets it up and reads it, with boto3."""

import gzip
import json
import time

import boto3
from botocore.config import Config

from observing import samples

SERVICE = "bedrock.amazonaws.com"


class Logs:
    """A bucket with a key of its own that calls are logged to, and a reader."""

    def __init__(self, server, bucket: str, prefix: str | None = "calls"):
        self.server, self.bucket, self.prefix = server, bucket, prefix
        self.s3, self.kms, self.bedrock = (self.client(service) for service in ("s3", "kms", "bedrock"))
        self.account = self.client("sts").get_caller_identity()["Account"]
        self.region = server.credentials("Admin").region

    def client(self, service: str):
        found = self.server.credentials("Admin")
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            verify=str(self.server.authority),
            region_name=found.region,
            aws_access_key_id=found.access_key_id,
            aws_secret_access_key=found.secret_access_key,
            aws_session_token=found.session_token,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
        )

    def make(self, *, actions=("kms:GenerateDataKey", "kms:Decrypt")) -> "Logs":
        self.s3.create_bucket(Bucket=self.bucket)
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.allow_key(actions)
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}, "BucketKeyEnabled": True}
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        return self.allow()

    def allow_key(self, actions) -> None:
        policy = json.loads(self.kms.get_key_policy(KeyId=self.key, PolicyName="default")["Policy"])
        policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "Logs"]
        statement = {"Sid": "Logs", "Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": list(actions), "Resource": "*"}
        policy["Statement"] += [statement | {"Condition": self.condition()}] if actions else []
        self.kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy=json.dumps(policy))

    def condition(self) -> dict:
        arn = f"arn:aws:bedrock:{self.region}:{self.account}:*"
        return {"StringEquals": {"aws:SourceAccount": self.account}, "ArnLike": {"aws:SourceArn": arn}}

    def allow(self) -> "Logs":
        where = f"arn:aws:s3:::{self.bucket}/{self.prefix + '/' if self.prefix else ''}AWSLogs/{self.account}/BedrockModelInvocationLogs/*"
        statement = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "s3:PutObject", "Resource": where}
        policy = {"Version": "2012-10-17", "Statement": [statement | {"Condition": self.condition()}]}
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))
        return self

    def config(self, **more) -> dict:
        to = {"bucketName": self.bucket} | ({} if self.prefix is None else {"keyPrefix": self.prefix})
        return {"s3Config": to} | more

    def put(self, **more) -> "Logs":
        self.bedrock.put_model_invocation_logging_configuration(loggingConfig=self.config(**more))
        return self

    def keys(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return gzip.decompress(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def records(self) -> list[dict]:
        keys = [key for key in self.keys() if key.endswith(".json.gz") and "/data/" not in key]
        return [json.loads(line) for key in keys for line in self.read(key).decode().splitlines()]

    def wait_for(self, count: int, seconds: float = 60) -> list[dict]:
        """All records, once there are so many."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.records()
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, [(one["operation"], one["requestId"]) for one in found]
                return found
            time.sleep(0.2)

    def of(self, request: str, seconds: float = 60) -> dict:
        """The record of one request."""
        deadline = time.monotonic() + seconds
        while True:
            found = [one for one in self.records() if one["requestId"] == request]
            if found or time.monotonic() > deadline:
                assert len(found) == 1, found
                return found[0]
            time.sleep(0.2)


def backlog(page: str) -> dict[str, float]:
    """What the metrics say of it."""
    prefix = "moho_invocation_log_"
    return {name.removeprefix(prefix): number for (name, *_), number in samples(page).items() if name.startswith(prefix)}
