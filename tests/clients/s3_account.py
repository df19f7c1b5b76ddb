"""What the tests of S3 share: buckets, clients, refusals by their codes, and requests that no client library sends."""

import base64
import hashlib
import http.client
import json
import urllib.parse
from typing import NamedTuple

import botocore.auth
import sts
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from kms_account import Keeper, named

PART = 5 << 20


class Refused(NamedTuple):
    """A refusal: S3's code and HTTP's status."""

    code: str
    status: int


NO_KEY = Refused("NoSuchKey", 404)
NO_BUCKET = Refused("NoSuchBucket", 404)
DENIED = Refused("AccessDenied", 403)
FAILED = Refused("PreconditionFailed", 412)
MALFORMED = Refused("MalformedXML", 400)
INVALID = Refused("InvalidArgument", 400)


def refused(call, **arguments) -> Refused:
    told = sts.refused(call, **arguments)
    return Refused(told.code, told.status)


def outcome(call, **arguments) -> str:
    """`ok`, or the code of the refusal."""
    try:
        call(**arguments)
    except sts.botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def new_bucket(s3, word="bucket", versioned=False, **more) -> str:
    name = named(word)
    s3.create_bucket(Bucket=name, **more)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def body(s3, bucket: str, key: str, **more) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def keys(s3, bucket: str, **more) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **more)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def arn(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key is not None else "")


def put_policy(s3, bucket: str, *statements: dict) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=sts.document(*statements))


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def encryption_context(**pairs: str) -> str:
    return base64.b64encode(json.dumps(pairs).encode()).decode()


class Answer(NamedTuple):
    """What came back, as it was sent."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """The code of an error's document."""
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()

    @property
    def refused(self) -> Refused:
        return Refused(self.code, self.status)


class Wire:
    """Requests as they are written: signed, and otherwise whatever a test says."""

    def __init__(self, account: Keeper):
        self.moho = account.moho
        admin = self.moho.credentials("Admin")
        self.region = admin.region
        self.credentials = Credentials(admin.access_key_id, admin.secret_access_key, admin.session_token)

    def signed(self, method: str, target: str, data: bytes = b"", headers: dict | None = None, declared: str | None = None) -> dict:
        """The headers of a request, with its signature. `declared` is what is said of the body's hash."""
        said = declared or hashlib.sha256(data).hexdigest()
        request = AWSRequest(method, self.moho.url + target, headers={"X-Amz-Content-SHA256": said, **(headers or {})})
        signer = botocore.auth.S3SigV4Auth(self.credentials, "s3", self.region)
        signer.payload = lambda _request: said
        request.context["payload_signing_enabled"] = True
        signer.add_auth(request)
        request.headers.replace_header("X-Amz-Content-SHA256", said)
        return dict(request.headers.items())

    def ask(self, method: str, target: str, data: bytes = b"", headers: dict | None = None, **more) -> Answer:
        return self.send(method, target, data, self.signed(method, target, data, headers, **more))

    def send(self, method: str, target: str, data: bytes = b"", headers: dict | None = None) -> Answer:
        connection = self.connection()
        try:
            connection.request(method, target, data or None, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPSConnection:
        host = urllib.parse.urlsplit(self.moho.url)
        return http.client.HTTPSConnection(host.hostname, host.port, timeout=30, context=self.moho.trust)
