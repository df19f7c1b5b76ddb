"""The marker on its way into objects: as bytes, as what is said about them, whole and in parts, and in what is refused."""

import hashlib
import json
import random
from collections.abc import Callable
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

import signing
from asking_s3 import Shelf, s3_operations
from canary import MARKER, spellings_of_bytes

MIB = 1 << 20
BUCKET, LOGS = "canary", "canary-logs"
# What can be said about an object besides its bytes. All of it is sealed as they are.
ABOUT = {
    "CacheControl": f"max-age=1, x={MARKER}",
    "ContentDisposition": f"attachment; filename={MARKER}.txt",
    "ContentEncoding": f"x-{MARKER}",
    "ContentLanguage": f"en-{MARKER}",
    "ContentType": f"text/x-{MARKER}",
    "Metadata": {"note": MARKER, MARKER.lower(): "a name, too"},
    "WebsiteRedirectLocation": f"/{MARKER}",
}
SSE_C = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": MARKER.ljust(32, "!")}
COPY_SSE_C = {f"CopySource{name}": value for name, value in SSE_C.items()}


def words(size: int) -> bytes:
    """Text of so many bytes with the marker in it, at the beginning, at the end and now and then; no compressor would make much of it."""
    chance, piece = random.Random(size), f" {MARKER} ".encode()
    middle = b"".join(chance.randbytes(1000).hex().encode() + piece for _ in range(size // 2026))
    return (piece + middle.ljust(size - 2 * len(piece), b".")[: size - 2 * len(piece)] + piece)[:size]


SMALL, LARGE = words(4000), words(3 * MIB + 17)


def digests() -> dict[str, bytes]:
    """The digests of what is sent: who knows one can tell whether an object is it."""
    made = {}
    for name, data in {"small": SMALL, "large": LARGE}.items():
        for kind in ("md5", "sha1", "sha256"):
            digest = hashlib.new(kind, data).digest()
            spelt = spellings_of_bytes(digest)
            made |= {f"the {kind} of the {name} object ({how})": spelt[how] for how in ("plain", "hexadecimal", "base64 at 0")}
    return made


def attempt(call: Callable, **arguments) -> str | None:
    """The code of the refusal, if it is one."""
    try:
        call(**arguments)
    except ClientError as refusal:
        return refusal.response["Error"]["Code"]
    return None


def want_access_logs(s3, account: str) -> None:
    """From here on every request about the bucket has a line, with what it says in its path, its query and its headers."""
    s3.create_bucket(Bucket=LOGS)
    service = {"Service": "logging.s3.amazonaws.com"}
    about = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}, "StringEquals": {"aws:SourceAccount": account}}
    allowed = {"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{LOGS}/*", "Condition": about}
    s3.put_bucket_policy(Bucket=LOGS, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    s3.put_bucket_logging(Bucket=BUCKET, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": LOGS, "TargetPrefix": "log"}})


def send_presigned(http, url: str, credentials) -> None:
    """By URLs that anybody can use who has them, with the marker in their query: as metadata, as some SDKs put it there, and as
    headers of the reply."""
    says = {"User-Agent": MARKER, "Referer": f"https://{MARKER}.example.org/"}
    for method, query in (
        ("PUT", {"x-amz-meta-note": MARKER, "x-amz-meta-other": f"{MARKER} {MARKER}"}),
        ("GET", {"response-content-type": f"text/x-{MARKER}", "response-cache-control": MARKER}),
    ):
        request = AWSRequest(method, f"{url}/{BUCKET}/presigned?{urlencode(query, quote_via=quote)}")
        S3SigV4QueryAuth(signing.boto(credentials), "s3", credentials.region, expires=600).add_auth(request)
        answer = http.request(method, request.url.removeprefix(url), content=SMALL if method == "PUT" else None, headers=says)
        assert answer.status_code == 200 and MARKER in request.url, answer.text
    assert answer.content == SMALL and answer.headers["x-amz-meta-note"] == MARKER


def send_to_s3(s3, key_arn: str) -> Shelf:
    """Puts the marker into objects of the bucket in every way there is, and reads it back."""
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    for name, body in {"small": SMALL, "large": LARGE}.items():
        for more in ({"ChecksumAlgorithm": "SHA256"}, {"ChecksumAlgorithm": "SHA1"}, sealed):
            s3.put_object(Bucket=BUCKET, Key=name, Body=body, **ABOUT, **more)
        assert s3.get_object(Bucket=BUCKET, Key=name)["Body"].read() == body
        assert MARKER in str(s3.head_object(Bucket=BUCKET, Key=name)["Metadata"])
    shelf = Shelf(BUCKET, "small")
    shelf.version = s3.head_object(Bucket=BUCKET, Key="small")["VersionId"]
    # As one part of an object, and for other names of it.
    s3.get_object(Bucket=BUCKET, Key="large", Range=f"bytes={MIB - 10}-{MIB + 10}")["Body"].read()
    saying = {f"Response{name}": value for name, value in ABOUT.items() if name not in ("Metadata", "WebsiteRedirectLocation")}
    s3.get_object(Bucket=BUCKET, Key="small", **saying)["Body"].read()
    s3.head_object(Bucket=BUCKET, Key="small", **saying)
    source = {"Bucket": BUCKET, "Key": "large"}
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source, MetadataDirective="REPLACE", **ABOUT)
    send_in_parts(s3, source)
    shelf.upload = s3.create_multipart_upload(Bucket=BUCKET, Key="small", **ABOUT)["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="small", UploadId=shelf.upload, PartNumber=1, Body=LARGE)
    send_wrongly_to_s3(s3, shelf)
    return shelf


def send_in_parts(s3, source: dict) -> None:
    """A multipart upload to its end, and one that is given up."""
    for is_kept in (True, False):
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts", **ABOUT)["UploadId"]
        part = {"Bucket": BUCKET, "Key": "parts", "UploadId": upload}
        body = words(5 * MIB)
        parts = [
            {"PartNumber": 1, "ETag": s3.upload_part(PartNumber=1, Body=body, **part)["ETag"]},
            {"PartNumber": 2, "ETag": s3.upload_part_copy(PartNumber=2, CopySource=source, **part)["CopyPartResult"]["ETag"]},
        ]
        s3.list_parts(**part)
        if is_kept:
            s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **part)
            assert s3.get_object(Bucket=BUCKET, Key="parts")["Body"].read() == body + LARGE
        else:
            s3.abort_multipart_upload(**part)


def send_wrongly_to_s3(s3, shelf: Shelf) -> None:
    """What is refused, with the marker in it."""
    item = {"Bucket": BUCKET, "Key": "small"}
    for wrong in (SSE_C, {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, {"ChecksumSHA256": "AAAA"}, {"IfNoneMatch": "*"}, {"ServerSideEncryption": MARKER}):
        assert attempt(s3.put_object, Body=SMALL, **item, **ABOUT, **wrong), wrong
    assert attempt(s3.put_object, Body=SMALL, Bucket="nowhere-at-all", Key="x", **ABOUT) == "NoSuchBucket"
    upload = item | {"UploadId": shelf.upload}
    source = {"CopySource": item}
    for call, asked in (
        (s3.get_object, item),
        (s3.head_object, item),
        (s3.get_object_attributes, item | {"ObjectAttributes": ["ETag"]}),
        (s3.create_multipart_upload, item),
        (s3.upload_part, upload | {"PartNumber": 3, "Body": SMALL}),
        (s3.list_parts, upload),
        (s3.complete_multipart_upload, upload | {"MultipartUpload": {"Parts": [{"ETag": "0" * 32, "PartNumber": 1}]}}),
        (s3.copy_object, item | source),
        (s3.upload_part_copy, upload | source | {"PartNumber": 4}),
    ):
        attempt(call, **asked, **SSE_C)
    assert attempt(s3.copy_object, **item, **source, **COPY_SSE_C)
    assert attempt(s3.upload_part_copy, **upload, **source, PartNumber=4, **COPY_SSE_C)
    for call, asked in (
        (s3.delete_object, item),
        (s3.delete_objects, {"Bucket": BUCKET, "Delete": {"Objects": [{"Key": "nothing"}]}}),
        (s3.put_bucket_versioning, {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled", "MFADelete": "Enabled"}}),
    ):
        attempt(call, MFA=MARKER, **asked)


def ask_s3_for_everything(s3, shelf: Shelf) -> None:
    """Every operation once, about what is there; what ends it comes last."""
    for operation in sorted(s3_operations(), key=lambda name: name.startswith(("Delete", "Abort", "Complete"))):
        attempt(s3._make_api_call, operation_name=operation, api_params=shelf.request(operation))  # noqa: SLF001
