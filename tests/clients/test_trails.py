"""CloudTrail's trails with boto3: made, changed and refused by rule, and what they deliver."""

import http.client
import json
import re
import sqlite3
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

import bedrock
import journal
import serving
import signing
import trailing
from test_organizations import create_account, within

ARGUMENTS = ("--audit-delivery-seconds", "1", "--audit-digest-seconds", "2", "--metrics-listen", "127.0.0.1:0")
OBJECTS = {"Type": "AWS::S3::Object"}


class Office:
    def __init__(self, server):
        self.server = server
        self.trails = server.boto3("cloudtrail", "Admin")
        self.s3 = server.boto3("s3", "Admin")
        self.kms = server.boto3("kms", "Admin")
        self.account = server.boto3("sts", "Admin").get_caller_identity()["Account"]
        self.region = server.credentials("Admin").region

    def arn(self, name: str) -> str:
        return f"arn:aws:cloudtrail:{self.region}:{self.account}:trail/{name}"

    def bucket(self, name: str, trail: str, path: str | None = None) -> str:
        trailing.open_bucket(self.s3, self.kms, name, path or f"AWSLogs/{self.account}", self.arn(trail))
        return name

    def select_objects(self, trail: str, bucket: str) -> None:
        resources = [OBJECTS | {"Values": [f"arn:aws:s3:::{bucket}/"]}]
        selector = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": resources}
        self.trails.put_event_selectors(TrailName=trail, EventSelectors=[selector])


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    server = serving.Moho(tmp_path_factory.mktemp("trails") / "data", models={}, arguments=ARGUMENTS)
    try:
        yield Office(server.start())
        server.assert_unharmed()
    finally:
        server.end()


def refused(call, code, **arguments) -> str:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    assert answer["Error"]["Code"] == code, answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer["Error"]["Message"]


def test_a_trail_is_made_shown_changed_and_deleted(office):
    trails = office.trails
    bucket = office.bucket("first-logs", "first", f"some/AWSLogs/{office.account}")
    tags = [{"Key": "team", "Value": "audit"}]
    made = trails.create_trail(Name="first", S3BucketName=bucket, S3KeyPrefix="some", TagsList=tags)
    made.pop("ResponseMetadata")
    expected = {
        "Name": "first",
        "S3BucketName": bucket,
        "S3KeyPrefix": "some",
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": False,
        "TrailARN": office.arn("first"),
        "LogFileValidationEnabled": False,
        "IsOrganizationTrail": False,
    }
    assert made == expected
    for name in ("first", office.arn("first")):
        trail = trails.get_trail(Name=name)["Trail"]
        assert trail == expected | {"HomeRegion": office.region, "HasCustomEventSelectors": False, "HasInsightSelectors": False}
        assert trails.describe_trails(trailNameList=[name])["trailList"] == [trail]
    assert trails.describe_trails(trailNameList=["absent"])["trailList"] == []
    listed = trails.list_trails()["Trails"]
    assert {"Name": "first", "TrailARN": office.arn("first"), "HomeRegion": office.region} in listed
    assert not trails.get_trail_status(Name="first")["IsLogging"]
    changed = trails.update_trail(Name="first", EnableLogFileValidation=True, IsMultiRegionTrail=True)
    assert changed["LogFileValidationEnabled"] and changed["IsMultiRegionTrail"] and changed["S3KeyPrefix"] == "some"
    message = refused(trails.update_trail, "InvalidParameterCombinationException", Name="first", IncludeGlobalServiceEvents=False)
    assert message == "Multi-Region trail must include global service events."
    refused(trails.update_trail, "InsufficientS3BucketPolicyException", Name="first", S3KeyPrefix="")
    refused(trails.create_trail, "TrailAlreadyExistsException", Name="first", S3BucketName=bucket, S3KeyPrefix="some")
    tagged = lambda: trails.list_tags(ResourceIdList=[office.arn("first")])["ResourceTagList"][0]["TagsList"]
    trails.add_tags(ResourceId=office.arn("first"), TagsList=[{"Key": "a", "Value": "b"}])
    assert tagged() == [{"Key": "a", "Value": "b"}, *tags]
    trails.remove_tags(ResourceId=office.arn("first"), TagsList=[{"Key": "a"}])
    assert tagged() == tags
    trails.delete_trail(Name="first")
    refused(trails.get_trail, "TrailNotFoundException", Name="first")
    refused(trails.delete_trail, "TrailNotFoundException", Name="first")


def test_what_cannot_be_a_trail_is_refused_in_cloudtrails_words(office):
    create = office.trails.create_trail
    bucket = office.bucket("wrong-logs", "wrong")
    assert refused(create, "InvalidTrailNameException", Name="a", S3BucketName=bucket).startswith("Trail name too short.")
    refused(create, "InvalidTrailNameException", Name="192.168.5.4", S3BucketName=bucket)
    refused(create, "InvalidS3BucketNameException", Name="wrong", S3BucketName="No_Bucket")
    refused(create, "InvalidS3PrefixException", Name="wrong", S3BucketName=bucket, S3KeyPrefix="x" * 201)
    absent = refused(create, "S3BucketDoesNotExistException", Name="wrong", S3BucketName="absent-bucket")
    assert absent == "S3 bucket absent-bucket does not exist!"
    office.s3.create_bucket(Bucket="closed-logs")
    refused(create, "InsufficientS3BucketPolicyException", Name="wrong", S3BucketName="closed-logs")
    # The policy is for the trail `wrong` and nobody else.
    refused(create, "InsufficientS3BucketPolicyException", Name="another", S3BucketName=bucket)
    missing = "00000000-0000-4000-8000-000000000000"
    refused(create, "KmsKeyNotFoundException", Name="wrong", S3BucketName=bucket, KmsKeyId=missing)
    closed = office.kms.create_key()["KeyMetadata"]["Arn"]
    refused(create, "InsufficientEncryptionPolicyException", Name="wrong", S3BucketName=bucket, KmsKeyId=closed)
    disabled = trailing.open_key(office.kms)
    office.kms.disable_key(KeyId=disabled)
    refused(create, "KmsKeyDisabledException", Name="wrong", S3BucketName=bucket, KmsKeyId=disabled)
    other = f"arn:aws:cloudtrail:eu-west-3:{office.account}:trail/wrong"
    refused(office.trails.start_logging, "InvalidHomeRegionException", Name=other)
    refused(office.trails.get_trail, "TrailNotFoundException", Name=other)
    refused(office.trails.get_trail, "CloudTrailARNInvalidException", Name="arn:aws:s3:::wrong")
    log_group = "arn:aws:logs:us-east-1:123456789012:log-group:x:*"
    told = refused(create, "ValidationException", Name="wrong", S3BucketName=bucket, CloudWatchLogsLogGroupArn=log_group)
    assert "CloudWatchLogsLogGroupArn" in told or "cloudWatchLogsLogGroupArn" in told
    refused(create, "ValidationException", Name="wrong", S3BucketName=bucket, SnsTopicName="x")
    refused(office.trails.list_tags, "CloudTrailARNInvalidException", ResourceIdList=["wrong"])
    refused(office.trails.list_tags, "ResourceNotFoundException", ResourceIdList=[office.arn("wrong")])
    assert office.trails.list_trails()["Trails"] == []


def test_an_account_has_five_trails(office):
    for number in range(5):
        office.trails.create_trail(Name=f"trail-{number}", S3BucketName=office.bucket(f"five-{number}", f"trail-{number}"))
    bucket = office.bucket("five-more", "trail-5")
    refused(office.trails.create_trail, "MaximumNumberOfTrailsExceededException", Name="trail-5", S3BucketName=bucket)
    for number in range(5):
        office.trails.delete_trail(Name=f"trail-{number}")
    assert office.trails.list_trails()["Trails"] == []


def test_selectors_are_kept_as_they_are_given(office):
    trails = office.trails
    trails.create_trail(Name="choosy", S3BucketName=office.bucket("choosy-logs", "choosy"))
    usual = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
    assert trails.get_event_selectors(TrailName="choosy")["EventSelectors"] == [usual]
    office.select_objects("choosy", "watched")
    shown = trails.get_event_selectors(TrailName=office.arn("choosy"))["EventSelectors"]
    assert shown[0]["DataResources"] == [OBJECTS | {"Values": ["arn:aws:s3:::watched/"]}]
    assert trails.get_trail(Name="choosy")["Trail"]["HasCustomEventSelectors"]
    fields = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]
    advanced = [{"Name": "objects", "FieldSelectors": fields}]
    trails.put_event_selectors(TrailName="choosy", AdvancedEventSelectors=advanced)
    shown = trails.get_event_selectors(TrailName="choosy")
    assert "EventSelectors" not in shown and shown["AdvancedEventSelectors"] == advanced
    wrong = [{"Field": "eventCategory", "Equals": ["Cheese"]}]
    code = "InvalidEventSelectorsException"
    refused(trails.put_event_selectors, code, TrailName="choosy", AdvancedEventSelectors=[{"FieldSelectors": wrong}])
    refused(trails.put_event_selectors, code, TrailName="choosy", EventSelectors=[usual] * 6)
    trails.delete_trail(Name="choosy")


def test_objects_are_logged_once_each_under_the_trails_key(office):
    trails, s3 = office.trails, office.s3
    bucket = office.bucket("object-logs", "objects")
    key = trailing.open_key(office.kms)
    trails.create_trail(Name="objects", S3BucketName=bucket, KmsKeyId=key, EnableLogFileValidation=True)
    s3.create_bucket(Bucket="observed")
    office.select_objects("objects", "observed")
    s3.put_object(Bucket="observed", Key="before", Body=b"x")
    trails.start_logging(Name="objects")
    status = trails.get_trail_status(Name="objects")
    assert status["IsLogging"] and status["TimeLoggingStarted"]
    names = [f"one/{number} ä" for number in range(20)]
    for name in names:
        s3.put_object(Bucket="observed", Key=name, Body=b"x")
    mine = lambda: [
        record
        for record in trailing.records(s3, bucket)
        if record["eventName"] == "PutObject" and (record["requestParameters"] or {}).get("bucketName") == "observed"
    ]
    trailing.until(lambda: len(mine()) >= len(names))
    trails.stop_logging(Name="objects")
    s3.put_object(Bucket="observed", Key="after", Body=b"x")
    trailing.until(lambda: trails.get_trail_status(Name="objects").get("LatestDigestDeliveryTime"))
    trailing.until(lambda: named_by_digests(s3, bucket) == set(trailing.logs(s3, bucket)))
    told = [record["requestParameters"]["key"] for record in mine()]
    assert sorted(told) == sorted(names)
    pattern = rf"AWSLogs/{office.account}/CloudTrail/{office.region}/\d{{4}}/\d\d/\d\d/{office.account}_CloudTrail_{office.region}_\d{{8}}T\d{{4}}Z_[A-Za-z0-9]{{16}}\.json\.gz"
    for name in trailing.logs(s3, bucket):
        assert re.fullmatch(pattern, name), name
        head = s3.head_object(Bucket=bucket, Key=name)
        assert (head["ContentType"], head["ContentEncoding"]) == ("application/json", "gzip")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    for record in mine():
        assert record["eventVersion"] == "1.11" and record["recipientAccountId"] == office.account
        assert record["userIdentity"]["type"] == "AssumedRole" and record["eventCategory"] == "Data"
    status = trails.get_trail_status(Name="objects")
    assert not status["IsLogging"] and status["LatestDeliveryTime"] and "LatestDeliveryError" not in status
    trails.delete_trail(Name="objects")


def test_management_events_of_every_service_are_delivered_by_default(office):
    trails, s3 = office.trails, office.s3
    bucket = office.bucket("manage-logs", "manage")
    trails.create_trail(Name="manage", S3BucketName=bucket, IncludeGlobalServiceEvents=False)
    trails.start_logging(Name="manage")
    iam = office.server.boto3("iam", "Admin")
    trust = trailing.document({"Effect": "Allow", "Principal": {"AWS": office.account}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName="global", AssumeRolePolicyDocument=trust)
    key = office.kms.create_key(Description="told")["KeyMetadata"]["KeyId"]
    s3.create_bucket(Bucket="managed")
    s3.put_object(Bucket="managed", Key="data", Body=b"x")
    with pytest.raises(ClientError):
        office.kms.describe_key(KeyId="alias/absent")
    told = lambda: {(record["eventSource"], record["eventName"]): record for record in trailing.records(s3, bucket)}
    wanted = {
        ("cloudtrail.amazonaws.com", "StartLogging"),
        ("kms.amazonaws.com", "CreateKey"),
        ("kms.amazonaws.com", "DescribeKey"),
        ("s3.amazonaws.com", "CreateBucket"),
    }
    trailing.until(lambda: told().keys() >= wanted)
    found = told()
    assert all(record["eventCategory"] == "Management" for record in found.values())
    assert ("iam.amazonaws.com", "CreateRole") not in found
    made = found["kms.amazonaws.com", "CreateKey"]
    assert made["responseElements"]["keyMetadata"]["keyId"] == key and made["readOnly"] is False
    assert found["kms.amazonaws.com", "DescribeKey"]["errorCode"] == "NotFoundException"
    assert found["cloudtrail.amazonaws.com", "StartLogging"]["requestParameters"] == {"name": "manage"}
    trails.update_trail(Name="manage", IncludeGlobalServiceEvents=True)
    iam.delete_role(RoleName="global")
    trailing.until(lambda: ("iam.amazonaws.com", "DeleteRole") in told())
    trails.delete_trail(Name="manage")


def test_whatever_cloudtrail_decides_for_a_trail_has_its_event(office):
    """What it asks of the bucket and its key, when a trail is made and when it delivers."""
    bucket, key = office.bucket("asked-logs", "asked"), trailing.open_key(office.kms)
    office.trails.create_trail(Name="asked", S3BucketName=bucket, KmsKeyId=key)
    office.trails.start_logging(Name="asked")
    told = lambda: {record["eventName"]: record for record in trailing.records(office.s3, bucket)}
    trailing.until(lambda: "StartLogging" in told())
    office.trails.delete_trail(Name="asked")
    trailing.until(lambda: untold(office.server, trailing.SERVICE) == [])
    entries = journal.verified_records(office.server.data)
    asked = [entry for entry in entries if entry.get("event") == "GetBucketAcl" and entry["subject"]["bucket"] == bucket]
    assert [(one["identity"]["invoked_by"], one["category"], one["read_only"]) for one in asked] == [(trailing.SERVICE, "management", True)]


def untold(server, service: str) -> list[str]:
    """What a service was let do, or refused, in requests that no event tells of."""
    entries = journal.verified_records(server.data)
    told = {entry["request_id"] for entry in entries if entry.get("kind") in ("call", "data-event")}
    decided = [entry for entry in entries if "kind" not in entry and service in (entry["principal"] or "")]
    assert decided, service
    return [entry["action"] for entry in decided if entry["request_id"] not in told]


def named_by_digests(s3, bucket) -> set[str]:
    return {log["s3Object"] for key in trailing.digests(s3, bucket) for log in trailing.read(s3, bucket, key)["logFiles"]}


def test_digests_are_chained_also_when_there_is_nothing(office):
    trails, s3 = office.trails, office.s3
    bucket = office.bucket("digest-logs", "quiet")
    trails.create_trail(Name="quiet", S3BucketName=bucket, EnableLogFileValidation=True)
    nothing = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::Nothing::Here"]}]
    trails.put_event_selectors(TrailName="quiet", AdvancedEventSelectors=[{"FieldSelectors": nothing}])
    trails.start_logging(Name="quiet")
    keys = trailing.until(lambda: (found := trailing.digests(s3, bucket)) and len(found) >= 3 and found)
    chain = [trailing.read(s3, bucket, key) for key in keys]
    assert chain[0]["previousDigestSignature"] is None and all(digest["logFiles"] == [] for digest in chain)
    now = datetime.now(UTC)
    public = trails.list_public_keys(StartTime=now - timedelta(hours=1), EndTime=now)["PublicKeyList"]
    assert {digest["digestPublicKeyFingerprint"] for digest in chain} <= {key["Fingerprint"] for key in public}
    for earlier, later, key in zip(chain, chain[1:], keys, strict=False):
        assert (later["previousDigestS3Object"], later["digestStartTime"]) == (key, earlier["digestEndTime"])
        metadata = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
        assert metadata["signature"] == later["previousDigestSignature"]
    refused(trails.list_public_keys, "InvalidTimeRangeException", StartTime=now, EndTime=now - timedelta(hours=1))
    # It goes on in the same chain after a crash.
    office.server.kill()
    office.server.start()
    more = trailing.until(lambda: (found := trailing.digests(s3, bucket)) and len(found) >= len(keys) + 2 and found)
    whole = [trailing.read(s3, bucket, key) for key in more]
    assert [digest["previousDigestS3Object"] for digest in whole[1:]] == more[:-1]
    trails.delete_trail(Name="quiet")


def test_what_cannot_be_delivered_is_delivered_later(office):
    trails, s3 = office.trails, office.s3
    bucket = office.bucket("stuck-logs", "stuck")
    trails.create_trail(Name="stuck", S3BucketName=bucket)
    s3.create_bucket(Bucket="stuck-observed")
    office.select_objects("stuck", "stuck-observed")
    trails.start_logging(Name="stuck")
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket="stuck-observed", Key="stuck", Body=b"x")
    error = trailing.until(lambda: trails.get_trail_status(Name="stuck").get("LatestDeliveryError"))
    assert error == "AccessDenied"
    assert trailing.logs(s3, bucket) == []
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    told = lambda: [record for record in trailing.records(s3, bucket) if (record.get("requestParameters") or {}).get("key") == "stuck"]
    assert len(trailing.until(told)) == 1
    trailing.until(lambda: "LatestDeliveryError" not in trails.get_trail_status(Name="stuck"))
    trails.delete_trail(Name="stuck")


def test_whoever_makes_a_bucket_of_a_deleted_ones_name_gets_nothing(office):
    trails, s3 = office.trails, office.s3
    bucket = office.bucket("left-logs", "left")
    trails.create_trail(Name="left", S3BucketName=bucket, EnableLogFileValidation=True)
    empty(s3, bucket)
    s3.delete_bucket(Bucket=bucket)
    organizations = office.server.boto3("organizations", "Admin")
    account = create_account(organizations, "successor")
    theirs = lambda service: bedrock.client(office.server, service, credentials=within(office.server, account))
    trailing.open_bucket(theirs("s3"), theirs("kms"), bucket, f"AWSLogs/{office.account}", office.arn("left"))
    trails.start_logging(Name="left")
    # It is tried for at least as long as a digest takes.
    failed = lambda: trails.get_trail_status(Name="left").get("LatestDeliveryError")
    assert trailing.until(failed) == "NoSuchBucket"
    message = refused(trails.update_trail, "S3BucketDoesNotExistException", Name="left", EnableLogFileValidation=False)
    assert bucket in message
    assert trailing.keys(theirs("s3"), bucket) == []
    # Whoever names it means it.
    trails.update_trail(Name="left", S3BucketName=bucket)
    trailing.until(lambda: trailing.logs(theirs("s3"), bucket))
    trails.delete_trail(Name="left")


def empty(s3, bucket: str) -> None:
    for key in trailing.keys(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key)


def test_a_killed_server_loses_and_repeats_nothing(office):
    trails, s3 = office.trails, office.s3
    bucket = office.bucket("killed-logs", "killed")
    trails.create_trail(Name="killed", S3BucketName=bucket, EnableLogFileValidation=True)
    s3.create_bucket(Bucket="killed-observed")
    office.select_objects("killed", "killed-observed")
    trails.start_logging(Name="killed")
    names = []
    for round in range(6):
        for number in range(5):
            names.append(f"{round}-{number}")
            s3.put_object(Bucket="killed-observed", Key=names[-1], Body=b"x")
        office.server.kill()
        office.server.start()
    mine = lambda: [
        record["requestParameters"]["key"]
        for record in trailing.records(s3, bucket)
        if record["eventName"] == "PutObject" and (record["requestParameters"] or {}).get("bucketName") == "killed-observed"
    ]
    trailing.until(lambda: set(mine()) >= set(names))
    assert sorted(mine()) == sorted(names)
    trails.delete_trail(Name="killed")


def test_a_trail_of_the_organisation_is_everybodys_and_only_its_managers(office):
    organizations = office.server.boto3("organizations", "Admin")
    organization = organizations.describe_organization()["Organization"]["Id"]
    archive = create_account(organizations, "log-archive")
    member = create_account(organizations, "workload")
    client = lambda service, account: bedrock.client(office.server, service, credentials=within(office.server, account))
    vault = client("s3", archive)
    trailing.open_bucket(vault, client("kms", archive), "archive-logs", f"AWSLogs/{organization}", office.arn("whole"))
    made = office.trails.create_trail(
        Name="whole", S3BucketName="archive-logs", IsOrganizationTrail=True, EnableLogFileValidation=True
    )
    assert made["IsOrganizationTrail"]
    theirs = client("cloudtrail", member)
    shown = theirs.describe_trails()["trailList"]
    assert [trail["TrailARN"] for trail in shown] == [office.arn("whole")]
    assert theirs.describe_trails(includeShadowTrails=False)["trailList"] == []
    assert theirs.get_trail(Name=office.arn("whole"))["Trail"]["Name"] == "whole"
    for call in (theirs.stop_logging, theirs.start_logging, theirs.delete_trail, theirs.update_trail):
        refused(call, "NotOrganizationMasterAccountException", Name=office.arn("whole"))
        refused(call, "NotOrganizationMasterAccountException", Name="whole")
    refused(theirs.create_trail, "NotOrganizationMasterAccountException", Name="mine", S3BucketName="x-y-z", IsOrganizationTrail=True)
    objects = client("s3", member)
    objects.create_bucket(Bucket="members-own")
    resources = [OBJECTS | {"Values": ["arn:aws:s3:::"]}]
    selector = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True, "DataResources": resources}
    office.trails.put_event_selectors(TrailName="whole", EventSelectors=[selector])
    office.trails.start_logging(Name="whole")
    objects.put_object(Bucket="members-own", Key="secret", Body=b"x")
    prefix = f"AWSLogs/{organization}/{member}/CloudTrail/"
    told = lambda: [
        record
        for key in trailing.logs(vault, "archive-logs")
        if key.startswith(prefix)
        for record in trailing.read(vault, "archive-logs", key)["Records"]
        if record["eventName"] == "PutObject" and (record["requestParameters"] or {}).get("key") == "secret"
    ]
    assert trailing.until(told)[0]["recipientAccountId"] == member
    digests = f"AWSLogs/{organization}/{member}/CloudTrail-Digest/"
    trailing.until(lambda: [key for key in trailing.digests(vault, "archive-logs") if key.startswith(digests)])
    # The member can take nothing of it away.
    with pytest.raises(ClientError, match="AccessDenied"):
        objects.delete_object(Bucket="archive-logs", Key=trailing.logs(vault, "archive-logs")[0])
    office.trails.delete_trail(Name="whole")


def test_policies_say_who_may_do_what_with_trails(office):
    allowed = {"Effect": "Allow", "Action": ["cloudtrail:DescribeTrails", "cloudtrail:GetTrail"], "Resource": "*"}
    narrowed = bedrock.narrowed(office.server, allowed, role="Admin")
    looking = bedrock.client(office.server, "cloudtrail", credentials=narrowed)
    assert looking.describe_trails()["trailList"] == []
    refused(looking.get_trail, "TrailNotFoundException", Name="absent")
    message = refused(looking.start_logging, "AccessDeniedException", Name="absent")
    assert "cloudtrail:StartLogging" in message and office.arn("absent") in message


def test_events_are_looked_up(office):
    started = datetime.now(UTC) - timedelta(minutes=1)
    office.s3.create_bucket(Bucket="looked-up")
    wanted = [{"AttributeKey": "EventName", "AttributeValue": "CreateBucket"}]
    mine = lambda: [
        event
        for event in office.trails.lookup_events(LookupAttributes=wanted, StartTime=started)["Events"]
        if "looked-up" in event["CloudTrailEvent"]
    ]
    event = trailing.until(mine)[0]
    record = json.loads(event["CloudTrailEvent"])
    assert (event["EventSource"], event["ReadOnly"]) == ("s3.amazonaws.com", "false")
    assert record["eventID"] == event["EventId"] and record["managementEvent"] is True
    pages = office.trails.get_paginator("lookup_events").paginate(StartTime=started, PaginationConfig={"PageSize": 2})
    ids = [event["EventId"] for page in pages for event in page["Events"]]
    assert len(ids) == len(set(ids)) > 2
    two = wanted + [{"AttributeKey": "EventId", "AttributeValue": "x"}]
    refused(office.trails.lookup_events, "InvalidLookupAttributesException", LookupAttributes=two)
    refused(office.trails.lookup_events, "InvalidNextTokenException", NextToken="x")
    backwards = {"StartTime": started, "EndTime": started - timedelta(days=1)}
    refused(office.trails.lookup_events, "InvalidTimeRangeException", **backwards)


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1_3, None),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AES128+AESGCM"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AES256+AESGCM"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20"),
    ],
)
def test_records_tell_which_cipher_suite_was_agreed_on(office, version, ciphers):
    context = ssl.create_default_context(cafile=office.server.authority)
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = signing.signed_headers(office.server, "/", body, "sts", credentials=office.server.credentials("Admin"))
    connection = http.client.HTTPSConnection(office.server.url.removeprefix("https://"), context=context, timeout=60)
    connection.request("POST", "/", body, headers)
    # OpenSSL's own words for it.
    suite, tls, _ = connection.sock.cipher()
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    wanted = [{"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}]
    records = [json.loads(event["CloudTrailEvent"]) for event in office.trails.lookup_events(LookupAttributes=wanted)["Events"]]
    [details] = [record["tlsDetails"] for record in records if record["requestID"] == answer.headers["x-amzn-RequestId"]]
    assert details == {"tlsVersion": tls, "cipherSuite": suite, "clientProvidedHostHeader": office.server.url.removeprefix("https://")}
    connection.close()


def test_an_index_of_events_that_is_damaged_while_it_is_used_is_made_anew(make_moho):
    server = make_moho(models={}).start()
    trails, kms = server.boto3("cloudtrail", "Admin"), server.boto3("kms", "Admin")
    for _ in range(40):
        kms.create_key()
    wanted = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]}
    before = trails.lookup_events(**wanted)["Events"]
    assert len(before) == 40
    server.stop()
    file = server.data / "store" / "events.sqlite"
    whole = file.read_bytes()
    # What the disk has lost is behind the first page, which is all that the start looks at.
    file.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    server.start()
    after = server.boto3("cloudtrail", "Admin").lookup_events(**wanted)["Events"]
    assert [event["EventId"] for event in after] == [event["EventId"] for event in before]
    [found] = journal.events(server.data, "finding")
    assert found["event"] == "EventHistoryDamaged" and "events.sqlite" in found["damage"]
    assert "the history of events is damaged" in server.log_text()

    # A row whose sealed record is not what was sealed: no page of it is damaged.
    server.stop()
    with sqlite3.connect(file) as database:
        database.execute("UPDATE event SET sealed = replace(sealed, substr(sealed, 40, 8), 'AAAAAAAA') WHERE name = 'CreateKey'")
    database.close()
    server.start()
    again = server.boto3("cloudtrail", "Admin").lookup_events(**wanted)["Events"]
    assert [event["EventId"] for event in again] == [event["EventId"] for event in before]
    assert [found["event"] for found in journal.events(server.data, "finding")] == ["EventHistoryDamaged"] * 2
