"""S3's server access logs: the lines of requests, in the bucket that was named, by leave of its policy only."""

import json
import re
import subprocess
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

import journal
import serving
import signing

FIELDS = re.compile(r'"[^"]*"|\[[^\]]*\]|\S+')
SERVICE = "logging.s3.amazonaws.com"


def allow(server, bucket, target, account):
    s3, kms = server.boto3("s3", "Admin"), server.boto3("kms", "Admin")
    statement = {
        "Sid": "Logs",
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{target}/logs/*",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}, "StringEquals": {"aws:SourceAccount": account}},
    }
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"].append(
        {"Sid": "Logs", "Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "kms:GenerateDataKey", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=target, ServerSideEncryptionConfiguration={"Rules": [rule]})


def delivered(server, target) -> list[str]:
    """The keys of what was delivered. A server that ends delivers what it has, and does not wait for more."""
    assert server.stop() == 0
    s3 = server.start().boto3("s3", "Admin")
    return [one["Key"] for one in s3.list_objects_v2(Bucket=target).get("Contents", [])]


def evaded(server, url: str) -> str:
    """The same request, with its bucket's name and the slash behind it percent-encoded, signed as it is sent."""
    found = server.credentials("Admin")
    path = urlsplit(url).path.replace("/watched/", "/%77atched%2F", 1)
    request = AWSRequest("HEAD", server.url + path)
    auth = S3SigV4QueryAuth(signing.boto(found), "s3", found.region, expires=60)
    # As botocore would: what is encoded is signed as it stands.
    auth.add_auth(request)
    return request.url.removeprefix(server.url)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    server = serving.Moho(tmp_path_factory.mktemp("logged") / "data")
    try:
        yield server.start()
    finally:
        server.end()


def test_every_request_has_a_line_where_its_bucket_wants_it(logged):
    s3 = logged.boto3("s3", "Admin")
    account = logged.boto3("sts", "Admin").get_caller_identity()["Account"]
    for bucket in ("watched", "log-target", "dated-target"):
        s3.create_bucket(Bucket=bucket)
    allow(logged, "watched", "log-target", account)
    s3.put_bucket_logging(
        Bucket="watched", BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "log-target", "TargetPrefix": "logs/"}}
    )
    s3.put_object(Bucket="watched", Key="a b/ä", Body=b"x" * 123)
    assert s3.get_object(Bucket="watched", Key="a b/ä", Range="bytes=0-9")["Body"].read() == b"x" * 10
    found = logged.credentials("Admin")
    signs = boto3.client(
        "s3",
        endpoint_url=logged.url,
        region_name=found.region,
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    url = signs.generate_presigned_url("get_object", Params={"Bucket": "watched", "Key": "a b/ä"})
    with logged.http() as http:
        assert http.get(url.removeprefix(logged.url)).status_code == 200
        # However the bucket's name is written, it is that bucket.
        evading = signs.generate_presigned_url("head_object", Params={"Bucket": "watched", "Key": "a b/ä"})
        assert http.head(evaded(logged, evading)).status_code == 200
    # HTTP/2 is told as such.
    tags = signs.generate_presigned_url("get_object_tagging", Params={"Bucket": "watched", "Key": "a b/ä"})
    command = ["curl", "--disable", "--silent", "--fail", "--noproxy", "*", "--http2", "--cacert", str(logged.authority), tags]
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=120, check=True)
    # What is copied from it is read from it.
    s3.copy_object(Bucket="dated-target", Key="copy", CopySource={"Bucket": "watched", "Key": "a b/ä"})
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="watched", Key="absent")
    s3.delete_object(Bucket="watched", Key="a b/ä")
    batch = {"Quiet": True, "Objects": [{"Key": "one"}, {"Key": "t o"}, {"Key": "x" * 1025}]}
    s3.delete_objects(Bucket="watched", Delete=batch)
    keys = delivered(logged, "log-target")
    s3 = logged.boto3("s3", "Admin")
    assert keys and all(re.fullmatch(r"logs/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}", key) for key in keys), keys
    text = b"".join(s3.get_object(Bucket="log-target", Key=key)["Body"].read() for key in keys).decode()
    lines = [FIELDS.findall(line) for line in text.splitlines()]
    assert all(len(fields) == 26 for fields in lines), text
    by = {(fields[6], fields[9]): fields for fields in lines}
    put = by["REST.PUT.OBJECT", "200"]
    assert put[1] == "watched" and put[7] == "a%2520b/%25C3%25A4" and put[12] == "123"
    assert put[4].startswith(f"arn:aws:sts::{account}:assumed-role/Admin/") and [put[19], put[21]] == ["SigV4", "AuthHeader"]
    assert all(fields[20].startswith("TLS_") and fields[23] == "TLSv1.3" for fields in lines), text
    part = by["REST.GET.OBJECT", "206"]
    assert part[11:13] == ["10", "123"]
    presigned = by["REST.GET.OBJECT", "200"]
    assert presigned[21] == "QueryString" and "X-Amz-Signature=REDACTED" in presigned[8]
    assert by["REST.GET.OBJECT", "404"][10] == "NoSuchKey"
    evading = by["REST.HEAD.OBJECT", "200"]
    assert evading[1] == "watched" and evading[7] == "a%2520b/%25C3%25A4" and "/%77atched%2F" in evading[8]
    copied = by["REST.COPY.OBJECT_GET", "200"]
    assert copied[1] == "watched" and copied[7] == "a%2520b/%25C3%25A4" and "/dated-target/copy" in copied[8]
    assert ("REST.DELETE.OBJECT", "204") in by and by["REST.POST.MULTI_OBJECT_DELETE", "200"][7] == "-"
    each = [(fields[7][:7], *fields[8:11], *fields[16:18]) for fields in lines if fields[6] == "BATCH.DELETE.OBJECT"]
    assert sorted(each) == [
        ("one", "-", "204", "-", "-", "-"),
        ("t%2520o", "-", "204", "-", "-", "-"),
        ("xxxxxxx", "-", "400", "KeyTooLongError", "-", "-"),
    ]
    whole = [fields for fields in lines if fields[6] != "BATCH.DELETE.OBJECT"]
    assert by["REST.GET.OBJECT_TAGGING", "200"][8].endswith(' HTTP/2.0"')
    assert {fields[8].rstrip('"').rsplit(" ", 1)[1] for fields in whole} == {"HTTP/1.1", "HTTP/2.0"}
    assert re.search("X-Amz-(Signature|Security-Token)=(?!REDACTED)", text) is None
    entries = [entry for entry in journal.verified_entries(logged.data) if (entry.get("principal") or "").endswith(SERVICE)]
    assert {"s3:PutObject", "kms:GenerateDataKey"} <= {entry["action"] for entry in entries}
    assert {entry["scheme"] for entry in entries} == {"own-service"}


def test_a_target_that_does_not_allow_it_gets_nothing(logged):
    s3 = logged.boto3("s3", "Admin")
    for bucket in ("unallowed", "closed-target"):
        s3.create_bucket(Bucket=bucket)
    partitioned = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    asked = {"TargetBucket": "closed-target", "TargetPrefix": "", "TargetObjectKeyFormat": partitioned}
    s3.put_bucket_logging(Bucket="unallowed", BucketLoggingStatus={"LoggingEnabled": asked})
    assert s3.get_bucket_logging(Bucket="unallowed")["LoggingEnabled"] == asked
    s3.put_object(Bucket="unallowed", Key="k", Body=b"x")
    assert delivered(logged, "closed-target") == []
    denied = [e for e in journal.verified_entries(logged.data) if (e.get("principal") or "").endswith(SERVICE) and e["outcome"] == "deny"]
    assert {entry["action"] for entry in denied} == {"s3:PutObject"}


def test_nothing_is_logged_while_what_was_restored_waits(make_moho, tmp_path):
    """Before somebody accepts what was restored nothing is put into it, and so no log."""
    server = make_moho().start()
    s3 = server.boto3("s3", "Admin")
    for bucket in ("watched", "log-target"):
        s3.create_bucket(Bucket=bucket)
    allow(server, "watched", "log-target", server.boto3("sts", "Admin").get_caller_identity()["Account"])
    wanted = {"TargetBucket": "log-target", "TargetPrefix": "logs/"}
    s3.put_bucket_logging(Bucket="watched", BucketLoggingStatus={"LoggingEnabled": wanted})

    def moho(command: str, *arguments: str) -> None:
        called = [str(serving.binary()), command, str(tmp_path / "backups"), "--data", str(server.data), *arguments]
        subprocess.run(called, check=True, timeout=120)

    moho("backup")
    s3.put_object(Bucket="log-target", Key="too-late", Body=b"x")
    assert server.stop() == 0
    moho("restore", "--replace", "--accept-rollback")
    server.start()
    server._credentials.clear()
    s3 = server.boto3("s3", "Admin")
    with pytest.raises(ClientError):
        s3.get_object(Bucket="watched", Key="waiting")
    with server.http(server.bearer("Admin")) as http:
        assert http.post("/v1/restore/accept", json={"id": http.get("/v1/restore").json()["id"]}).status_code == 200
    s3.put_object(Bucket="watched", Key="accepted", Body=b"x")
    # What is left is delivered before it ends.
    assert server.stop() == 0
    server.start()
    s3 = server.boto3("s3", "Admin")
    listed = s3.list_objects_v2(Bucket="log-target")["Contents"]
    text = "".join(s3.get_object(Bucket="log-target", Key=one["Key"])["Body"].read().decode() for one in listed)
    assert "REST.PUT.OBJECT accepted" in text and "waiting" not in text, text
