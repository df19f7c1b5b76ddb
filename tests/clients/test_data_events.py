"""What came of every call of S3 stands in the journal, and so does what goes or is damaged by itself: with names, and no content."""

import json
import time
from collections.abc import Callable

import boto3
import pytest
from botocore.config import Config

import journal
from asking import asked
from asking_s3 import Shelf, s3_operations
from canary import MARKER
from kms_account import Keeper, allow, granting, keeper
from rot import files_of, is_segment
from s3_account import Wire, arn, body, new_bucket, outcome, put_policy

LARGE = 24 << 20


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("events")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


def waited(look: Callable[[], list], seconds: float = 60) -> list:
    """What is found, as soon as it is there."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def of_call(account: Keeper, request_id: str) -> dict:
    """The one event of a call, but for those of what it was made of."""
    events = journal.of_request(journal.events(account.moho.data), request_id)
    [event] = [event for event in events if "part_of" not in event["subject"]]
    return event


def test_every_operation_leaves_an_event(account, s3):
    shelf = Shelf(new_bucket(s3, "shelf"), "item", other="made-anew")
    s3.put_object(Bucket=shelf.bucket, Key=shelf.key, Body=b"words")
    shelf.upload = s3.create_multipart_upload(Bucket=shelf.bucket, Key=shelf.key)["UploadId"]
    names = s3_operations()
    for operation in sorted(names, key=lambda name: (name == "DeleteBucket", name.startswith(("Delete", "Abort")), names.index(name))):
        request = shelf.request(operation)
        answer = asked(s3, operation, request)
        event = of_call(account, answer.request_id)
        told, subject, identity = event["answer"], event["subject"], event["identity"]
        assert (event["event"], event["form"], told["status"]) == (operation, 1, answer.status), event
        assert told["delivery"] == "complete", event
        if answer.status >= 400 and answer.code not in ("400", "403", "404", "405"):
            assert told["error_code"] == answer.code, event
        assert ("error_code" in told) == (answer.status >= 300), event
        assert event["read_only"] == operation.startswith(("Get", "Head", "List")), event
        assert subject.get("bucket") == request.get("Bucket"), event
        assert subject.get("key") == request.get("Key"), event
        assert subject.get("upload_id", shelf.upload) == request.get("UploadId", subject.get("upload_id", shelf.upload)), event
        assert identity["type"] == "AssumedRole" and identity["principal"].startswith(f"arn:aws:sts::{account.number}:assumed-role/Admin/")
        assert identity["issuer"] == f"arn:aws:iam::{account.number}:role/Admin" and identity["account"] == account.number
        assert identity["access_key_id"].startswith("ASIA") and identity["principal_id"].startswith("AROA") and identity["issued_at"]
        origin = event["origin"]
        assert (origin["source_ip"], origin["secure"], origin["tls"]) == ("127.0.0.1", True, "1.3")
        assert origin["authentication"] == "AuthHeader" and len(origin["user_agent_sha256"]) == 64
        is_data = "key" in subject or operation in (
            *("DeleteObjects", "HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"),
        )
        assert event["category"] == ("data" if is_data else "management"), event


def test_bytes_versions_and_seals_are_told(account, s3):
    bucket = new_bucket(s3, "told", versioned=True)
    key = account.key()
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    def event(answer: dict) -> dict:
        return of_call(account, answer["ResponseMetadata"]["RequestId"])

    first = s3.put_object(Bucket=bucket, Key="a b/ä", Body=b"x" * 5000, **sealed)
    put = event(first)
    assert put["subject"] == {"bucket": bucket, "bucket_account": account.number, "key": "a b/ä", "version_id": first["VersionId"]}
    assert put["sealing"] == {"sse": "aws:kms", "key": key}
    assert put["answer"]["bytes_in"] >= 5000 and put["answer"]["bytes_out"] == 0
    got = s3.get_object(Bucket=bucket, Key="a b/ä", VersionId=first["VersionId"], Range="bytes=10-19")
    assert got["Body"].read() == b"x" * 10
    read = event(got)
    assert read["subject"]["requested_version_id"] == read["subject"]["version_id"] == first["VersionId"]
    assert (read["answer"]["status"], read["answer"]["bytes_out"], read["sealing"]["key"]) == (206, 10, key)
    source = {"Bucket": bucket, "Key": "a b/ä", "VersionId": first["VersionId"]}
    copied = event(s3.copy_object(Bucket=bucket, Key="copy", CopySource=source))
    assert copied["subject"]["copy_source"] == {"bucket": bucket, "key": "a b/ä", "version_id": first["VersionId"], "account": account.number}
    gone = s3.delete_object(Bucket=bucket, Key="copy")
    deleted = event(gone)["subject"]
    assert deleted["version_id"] == gone["VersionId"] and deleted["delete_marker"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")
    assert event(upload)["subject"]["upload_id"] == upload["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload["UploadId"], PartNumber=7, Body=b"part")
    assert (event(part)["subject"]["part"], event(part)["subject"]["upload_id"]) == (7, upload["UploadId"])


def test_whoever_has_what_is_copied_from_is_told_of_it(account, s3):
    source, member = new_bucket(s3, "copied-from"), account.member("copier")
    key = account.key(granting(account.root, "kms:*"), granting(member.root, "kms:Decrypt"))
    s3.put_object(Bucket=source, Key="k", Body=b"x" * 10, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    put_policy(s3, source, allow("s3:GetObject", arn(source, "*"), Principal={"AWS": member.root}))
    theirs = member.client(member.credentials, "s3")
    own = new_bucket(theirs, "copied-to")
    theirs.put_object(Bucket=own, Key="k", Body=b"x" * 10)
    upload = theirs.create_multipart_upload(Bucket=own, Key="parts")["UploadId"]
    part = {"Bucket": own, "Key": "parts", "UploadId": upload, "PartNumber": 1}
    to, both = {"Bucket": own, "Key": "copy"}, {account.number, member.number}

    def told(call, bucket: str, key: str, **more) -> tuple[int, str, set[str]]:
        event = of_call(account, asked(theirs, call, {"CopySource": f"{bucket}/{key}"} | more).request_id)
        copied = event["subject"]["copy_source"]
        assert event["identity"]["account"] == member.number and (copied["bucket"], copied["key"]) == (bucket, key)
        return event["answer"]["status"], event["event"], set(event["recipients"])

    for call, more in {"CopyObject": to, "UploadPartCopy": part}.items():
        assert told(call, source, "k", **more) == (200, call, both)
        assert told(call, own, "k", **more) == (200, call, {member.number})
    # Also of what may not be done.
    s3.delete_bucket_policy(Bucket=source)
    for call, more in {"CopyObject": to, "UploadPartCopy": part}.items():
        assert told(call, source, "k", **more) == (403, call, both)


def test_a_batch_says_what_came_of_each(account, s3):
    bucket = new_bucket(s3, "batch", versioned=True)
    for name in ("a", "b", "kept"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    kept = f"arn:aws:s3:::{bucket}/kept"
    statements = (allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/*"), allow("s3:DeleteObject", kept, effect="Deny"))
    caller = account.client(account.session(account.caller_role(*statements)), "s3")
    named = [{"Key": name} for name in ("a", "kept", "b")]
    answer = caller.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
    request_id = answer["ResponseMetadata"]["RequestId"]
    *each, batch = journal.of_request(journal.events(account.moho.data), request_id)
    assert (batch["event"], batch["subject"]["keys"], batch["answer"]["status"]) == ("DeleteObjects", 3, 200)
    assert {one["event"] for one in each} == {"DeleteObject"} and {one["subject"]["part_of"] for one in each} == {"DeleteObjects"}
    came = {one["subject"]["key"]: one for one in each}
    assert {name: one["answer"].get("error_code") for name, one in came.items()} == {"a": None, "b": None, "kept": "AccessDenied"}
    markers = {one["Key"]: one["VersionId"] for one in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]}
    assert {name: came[name]["subject"]["version_id"] for name in markers} == markers


def test_who_is_refused_is_told_of_and_strangers_leave_none(account, s3):
    bucket = new_bucket(s3, "closed")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    nobody = account.client(account.session(account.caller_role()), "s3")
    for operation in ("GetObject", "HeadObject", "PutObject"):
        answer = asked(nobody, operation, Shelf(bucket, "k").request(operation))
        event = of_call(account, answer.request_id)
        assert (event["answer"]["status"], event["answer"]["error_code"]) == (403, "AccessDenied"), event
        assert event["identity"]["principal"].startswith(f"arn:aws:sts::{account.number}:assumed-role/caller-")
    wire = Wire(account)
    target = f"/{bucket}/k"
    head = wire.signed("GET", target)
    forged = wire.send("GET", target, headers={**head, "Authorization": head["Authorization"][:-8] + "00000000"})
    assert forged.code == "SignatureDoesNotMatch"
    request_id = forged.headers["x-amz-request-id"]
    assert journal.of_request(journal.events(account.moho.data), request_id) == []
    [entry] = journal.of_request(journal.verified_entries(account.moho.data), request_id)
    assert entry["outcome"] == "unauthenticated"
    # What is not what its head said is told of whoever signed that head.
    lying = wire.send("PUT", target, b"other", wire.signed("PUT", target, b"words"))
    assert of_call(account, lying.headers["x-amz-request-id"])["answer"]["error_code"] == lying.code


def test_a_download_that_is_broken_off_says_so(account, s3):
    bucket = new_bucket(s3, "broken")
    s3.put_object(Bucket=bucket, Key="large", Body=bytes(LARGE))
    wire = Wire(account)
    target = f"/{bucket}/large"
    connection = wire.connection()
    connection.request("GET", target, headers=wire.signed("GET", target))
    answer = connection.getresponse()
    assert len(answer.read(1000)) == 1000
    request_id = answer.headers["x-amz-request-id"]
    assert journal.of_request(journal.events(account.moho.data), request_id) == [], "it is not over yet"
    answer.close()
    connection.close()
    [event] = waited(lambda: journal.of_request(journal.events(account.moho.data), request_id))
    told = event["answer"]
    assert (told["status"], told["delivery"]) == (200, "abandoned")
    assert 1000 <= told["bytes_out"] < LARGE


def test_an_upload_that_is_broken_off_says_so(account, s3):
    bucket = new_bucket(s3, "unfinished")
    wire = Wire(account)
    target = f"/{bucket}/large"
    head = wire.signed("PUT", target, declared="UNSIGNED-PAYLOAD")
    connection = wire.connection()
    connection.putrequest("PUT", target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"host": wire.moho.url.removeprefix("https://"), **head, "content-length": str(LARGE)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(bytes(1 << 20))
    connection.close()

    def left() -> list:
        found = journal.events(account.moho.data)
        return [event for event in found if event["subject"].get("bucket") == bucket and event["event"] == "PutObject"]

    [event] = waited(left)
    assert event["answer"]["delivery"] in ("unanswered", "complete", "broken-off"), event
    assert event["answer"]["bytes_in"] <= 1 << 20
    assert outcome(s3.head_object, Bucket=bucket, Key="large") == "404"


def test_a_presigned_url_is_told_apart(account, s3):
    bucket = new_bucket(s3, "presigned")
    s3.put_object(Bucket=bucket, Key="k", Body=b"words")
    found = account.moho.credentials("Admin")
    signer = boto3.client(
        "s3",
        endpoint_url=account.moho.url,
        region_name=found.region,
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    with account.moho.http() as client:
        answer = client.get(url.removeprefix(account.moho.url), headers={"User-Agent": MARKER})
    event = of_call(account, answer.headers["x-amz-request-id"])
    assert event["origin"]["authentication"] == "QueryString"
    written = json.dumps(journal.verified_records(account.moho.data))
    assert MARKER not in written and "X-Amz-Signature" not in written


def test_what_expires_is_in_the_journal_before_it_is_gone(account, s3):
    plain, versioned = new_bucket(s3, "expiring"), new_bucket(s3, "expiring-versions", versioned=True)
    rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}
    for bucket in (plain, versioned):
        s3.put_object(Bucket=bucket, Key="old", Body=b"x")
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    # A round begins when it starts.
    account.moho.stop()
    account.moho.start()

    def of(bucket: str) -> list:
        found = journal.events(account.moho.data, "service-event")
        return [event for event in found if event["subject"].get("bucket") == bucket]

    [gone], [marked] = waited(lambda: of(plain)), waited(lambda: of(versioned))
    assert (gone["event"], marked["event"]) == ("LifecycleExpiration:Delete", "LifecycleExpiration:DeleteMarkerCreated")
    for event in (gone, marked):
        assert event["identity"] == {"type": "AWSService", "account": account.number, "invoked_by": "s3.amazonaws.com"}
        assert (event["subject"]["key"], event["subject"]["bucket_account"]) == ("old", account.number)
    s3 = account.client(service="s3")
    assert waited(lambda: ["gone"] if outcome(s3.head_object, Bucket=plain, Key="old") == "404" else [])
    [marker] = waited(lambda: s3.list_object_versions(Bucket=versioned).get("DeleteMarkers", []))
    assert marker["VersionId"] == marked["subject"]["version_id"]


def test_what_is_damaged_is_told_with_its_name(tmp_path):
    with keeper(tmp_path) as account:
        s3, store = account.client(service="s3"), account.moho.data / "store"
        bucket = new_bucket(s3, "damaged", versioned=True)
        before = set(files_of(store))
        version = s3.put_object(Bucket=bucket, Key="precious", Body=bytes(range(256)) * 1024)["VersionId"]
        [segment] = [path for name, path in files_of(store).items() if name not in before and is_segment(name)]
        whole = segment.read_bytes()
        segment.write_bytes(whole[:30_000] + bytes([whole[30_000] ^ 1]) + whole[30_001:])
        answer = asked(s3, "GetObject", {"Bucket": bucket, "Key": "precious"})
        assert answer.status == 500
        refused = [event for event in journal.events(account.moho.data) if event.get("damage")]
        assert refused and refused[-1]["subject"]["key"] == "precious", refused
        assert refused[-1]["damage"].startswith("chunk 0 of segment"), refused
        # A round of the scrub begins when it starts.
        account.moho.stop()
        account.moho.start()
        [found, *_] = waited(lambda: journal.events(account.moho.data, "finding"))
        assert found["event"] == "ScrubFinding" and "not those that were written" in found["damage"]
        told = {"bucket": bucket, "bucket_account": account.number, "key": "precious", "version_id": version}
        assert found["subject"] == told
        segment.write_bytes(whole)
        assert len(body(account.client(service="s3"), bucket, "precious")) == 256 * 1024

