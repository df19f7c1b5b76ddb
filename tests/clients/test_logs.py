"""CloudWatch Logs as boto3 uses it: groups and streams, events put, read and searched, keys, retention, policies and filters."""

import json
import secrets
import time

import pytest

import journal
from bedrock import client, narrowed
import sts
from test_inference_profiles import another_account

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DAY = 86_400_000


def now() -> int:
    return int(time.time() * 1000)


def named(kind: str) -> str:
    return f"/tests/{kind}-{secrets.token_hex(4)}"


def refused(call, code: str, part: str = "", **request) -> None:
    found = sts.refused(call, **request)
    assert (found.code, found.status) == (code, 400) and part in found.message, found


@pytest.fixture
def logs(moho):
    """An administrator's client; the groups that the test makes go with it."""
    made = client(moho, "logs", credentials=moho.credentials("Admin"))
    yield made
    for page in made.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            made.put_log_group_deletion_protection(logGroupIdentifier=group["logGroupName"], deletionProtectionEnabled=False)
            made.delete_log_group(logGroupName=group["logGroupName"])


@pytest.fixture
def group(logs):
    """A group with one stream."""
    name = named("group")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="one")
    return name


def put(logs, group: str, events: list, stream="one") -> dict:
    events = [{"timestamp": at, "message": text} for at, text in events]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def texts(found: dict) -> list[str]:
    return [event["message"] for event in found["events"]]


def filtered(logs, group: str, pattern="", **more) -> list[str]:
    """What matches, of all pages."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=pattern, **more)
    return [event["message"] for page in pages for event in page["events"]]


def test_groups_are_made_described_and_deleted(moho, logs):
    account = moho.boto3("sts").get_caller_identity()["Account"]
    names = sorted(named(f"group-{number}") for number in range(3))
    for name in names:
        logs.create_log_group(logGroupName=name, tags={"team": "blue"})
    refused(logs.create_log_group, "ResourceAlreadyExistsException", logGroupName=names[0])
    found = logs.describe_log_groups(logGroupNamePrefix=names[0])["logGroups"][0]
    arn = f"arn:aws:logs:{moho.credentials().region}:{account}:log-group:{names[0]}"
    assert (found["logGroupArn"], found["arn"], found["logGroupClass"]) == (arn, f"{arn}:*", "STANDARD")
    assert (found["storedBytes"], found["metricFilterCount"]) == (0, 0) and abs(found["creationTime"] - now()) < 60_000
    assert "retentionInDays" not in found and "kmsKeyId" not in found
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/tests/group-", PaginationConfig={"PageSize": 1})
    assert [group["logGroupName"] for page in pages for group in page["logGroups"]] == names
    middle = logs.describe_log_groups(logGroupNamePattern=names[1][8:])["logGroups"]
    assert [set(group) for group in middle] == [{"logGroupName", "creationTime", "arn"}]
    both = logs.describe_log_groups(logGroupIdentifiers=[names[2], arn])["logGroups"]
    assert {group["logGroupName"] for group in both} == {names[0], names[2]}
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "blue"}
    logs.tag_resource(resourceArn=arn, tags={"a b": "c"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a b": "c"}
    logs.put_log_group_deletion_protection(logGroupIdentifier=names[0], deletionProtectionEnabled=True)
    refused(logs.delete_log_group, "ValidationException", "deletion protection", logGroupName=names[0])
    logs.put_log_group_deletion_protection(logGroupIdentifier=arn, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=names[0])
    refused(logs.delete_log_group, "ResourceNotFoundException", logGroupName=names[0])
    refused(logs.list_tags_for_resource, "ResourceNotFoundException", resourceArn=arn)


@pytest.mark.parametrize("name", ["a b", "a:b", "a*", "x" * 513, "aws/things"])
def test_names_that_groups_cannot_have(logs, name):
    refused(logs.create_log_group, "InvalidParameterException", logGroupName=name)


def test_streams_are_made_described_and_deleted(logs, group):
    names = ["[$LATEST]abc/2026", "one", "öffentlich 1"]
    for name in (names[0], names[2]):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    refused(logs.create_log_stream, "ResourceAlreadyExistsException", logGroupName=group, logStreamName="one")
    refused(logs.create_log_stream, "ResourceNotFoundException", logGroupName=named("none"), logStreamName="one")
    put(logs, group, [(now() - 5000, "a")], names[2])
    put(logs, group, [(now(), "b")], names[0])
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, PaginationConfig={"PageSize": 1})
    assert [stream["logStreamName"] for page in pages for stream in page["logStreams"]] == names
    latest = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 1}
    )
    streams = [stream for page in latest for stream in page["logStreams"]]
    assert [stream["logStreamName"] for stream in streams] == [names[0], names[2], "one"]
    assert streams[0]["firstEventTimestamp"] == streams[0]["lastEventTimestamp"] and "firstEventTimestamp" not in streams[2]
    assert logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="ö")["logStreams"][0]["logStreamName"] == names[2]
    refused(logs.describe_log_streams, "InvalidParameterException", logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="o")
    logs.delete_log_stream(logGroupName=group, logStreamName=names[2])
    refused(logs.get_log_events, "ResourceNotFoundException", "log stream", logGroupName=group, logStreamName=names[2])
    assert filtered(logs, group) == ["b"]
    logs.create_log_stream(logGroupName=group, logStreamName=names[2])
    assert texts(logs.get_log_events(logGroupName=group, logStreamName=names[2])) == []


def test_events_come_back_in_order_and_tokens_lead_both_ways(logs, group):
    start = now() - 10_000
    put(logs, group, [(start + number, f"event {number}") for number in range(10)])
    # A batch that is put late, and one that is put twice: AWS keeps it twice.
    for _again in range(2):
        put(logs, group, [(start - 1000, "early")])
    head = logs.get_log_events(logGroupName=group, logStreamName="one", startFromHead=True, limit=5)
    assert texts(head) == ["early", "early", "event 0", "event 1", "event 2"]
    forward = logs.get_log_events(logGroupName=group, logStreamName="one", nextToken=head["nextForwardToken"], startFromHead=True)
    assert texts(forward) == [f"event {number}" for number in range(3, 10)]
    end = logs.get_log_events(logGroupName=group, logStreamName="one", nextToken=forward["nextForwardToken"], startFromHead=True)
    assert (texts(end), end["nextForwardToken"]) == ([], forward["nextForwardToken"])
    back = logs.get_log_events(logGroupName=group, logStreamName="one", nextToken=end["nextBackwardToken"], limit=2)
    assert texts(back) == ["event 8", "event 9"]
    before = logs.get_log_events(logGroupName=group, logStreamName="one", nextToken=head["nextBackwardToken"])
    assert (texts(before), before["nextBackwardToken"]) == ([], head["nextBackwardToken"])
    put(logs, group, [(now(), "new")])
    later = logs.get_log_events(logGroupName=group, logStreamName="one", nextToken=end["nextForwardToken"], startFromHead=True)
    assert texts(later) == ["new"]
    tail = logs.get_log_events(logGroupName=group, logStreamName="one", limit=1)
    assert texts(tail) == ["new"] and tail["events"][0]["ingestionTime"] >= tail["events"][0]["timestamp"] - 1000
    between = logs.get_log_events(logGroupName=group, logStreamName="one", startTime=start + 3, endTime=start + 5, startFromHead=True)
    assert texts(between) == ["event 3", "event 4"]
    refused(logs.get_log_events, "InvalidParameterException", "nextToken", logGroupName=group, logStreamName="one", nextToken="f/no")
    logs.create_log_stream(logGroupName=group, logStreamName="two")
    other = {"logGroupName": group, "logStreamName": "two", "nextToken": head["nextForwardToken"]}
    refused(logs.get_log_events, "InvalidParameterException", "nextToken", **other)


def test_batches_are_bounded_and_what_is_too_old_or_new_is_told(logs, group):
    at = now()
    whole = put(logs, group, [(at, "x" * (1_048_576 - 26))])
    assert "rejectedLogEventsInfo" not in whole and len(whole["nextSequenceToken"]) == 56
    refused(logs.put_log_events, "InvalidParameterException", "too large", logGroupName=group, logStreamName="one",
            logEvents=[{"timestamp": at, "message": "x" * (1_048_576 - 25)}])
    refused(logs.put_log_events, "InvalidParameterException", "chronological", logGroupName=group, logStreamName="one",
            logEvents=[{"timestamp": at, "message": "a"}, {"timestamp": at - 1, "message": "b"}])
    refused(logs.put_log_events, "InvalidParameterException", "24 hours", logGroupName=group, logStreamName="one",
            logEvents=[{"timestamp": at - DAY - 1, "message": "a"}, {"timestamp": at, "message": "b"}])
    refused(logs.put_log_events, "ResourceNotFoundException", "log stream", logGroupName=group, logStreamName="no",
            logEvents=[{"timestamp": at, "message": "a"}])
    many = [(at, "") for _ in range(10_001)]
    refused(logs.put_log_events, "InvalidParameterException", logGroupName=group, logStreamName="one",
            logEvents=[{"timestamp": at, "message": "m"} for _ in many])
    old = put(logs, group, [(at - 14 * DAY - 60_000, "old"), (at - 14 * DAY + 3_600_000, "kept")])
    assert old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    new = put(logs, group, [(at, "now"), (at + 3 * 3_600_000, "new")])
    assert new["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    expired = put(logs, group, [(at - 3 * DAY - 60_000, "expired"), (at - 3 * DAY + 3_600_000, "young")])
    assert expired["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    found = filtered(logs, group)
    assert len(found[1]) == 1_048_576 - 26 and [found[0], *found[2:]] == ["young", "now"], "what is too old is gone at once"
    logs.delete_retention_policy(logGroupName=group)
    assert filtered(logs, group, "kept") == ["kept"]
    for days in (0, 2, 3654):
        refused(logs.put_retention_policy, "InvalidParameterException", "retentionInDays", logGroupName=group, retentionInDays=days)


def test_single_events_are_put_together_and_all_found(logs, group):
    start = now() - 100_000
    for number in range(200):
        put(logs, group, [(start + number * 7 % 50, f"single {number:03}")])
    found = logs.get_log_events(logGroupName=group, logStreamName="one", startFromHead=True)
    assert sorted(texts(found)) == [f"single {number:03}" for number in range(200)]
    times = [(event["timestamp"], event["ingestionTime"]) for event in found["events"]]
    assert times == sorted(times)
    assert filtered(logs, group, '"single 137"') == ["single 137"]
    stored = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"]
    assert stored == 200 * (10 + 26)


PATTERNS = [
    ("", [0, 1, 2, 3, 4]),
    ("ERROR", [0, 2]),
    ("ERROR timeout", [2]),
    ("?timeout ?started", [1, 2]),
    ("ERROR -timeout", [0]),
    ('"out of memory"', [0]),
    ('{ $.level = "WARN" }', [3]),
    ("{ $.ms > 100 && $.ms < 1000 }", [3]),
    ("[a, b = GET, c, status = 5*]", [4]),
    ("%m[ei]mory|time.ut%", [0, 2]),
]


@pytest.mark.parametrize("pattern,places", PATTERNS)
def test_patterns_find_what_they_say(logs, group, pattern, places):
    at = now() - 1000
    lines = [
        "ERROR out of memory",
        "started",
        "ERROR timeout after 5 s",
        json.dumps({"level": "WARN", "ms": 250}),
        "10.0.0.1 GET /index 503",
    ]
    put(logs, group, list(enumerate(lines, at)))
    assert filtered(logs, group, pattern) == [lines[place] for place in places]


def test_searches_have_pages_streams_and_times(logs, group):
    start = now() - 60_000
    for stream in ("two", "three"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    for number in range(30):
        put(logs, group, [(start + number, f"event {number:02}")], ("one", "two", "three")[number % 3])
    every = [f"event {number:02}" for number in range(30)]
    assert filtered(logs, group, "event", PaginationConfig={"PageSize": 7}) == every
    assert filtered(logs, group, logStreamNames=["two"]) == every[1::3]
    assert filtered(logs, group, logStreamNamePrefix="t") == [text for number, text in enumerate(every) if number % 3]
    assert filtered(logs, group, startTime=start + 10, endTime=start + 12) == every[10:13]
    latest = filtered(logs, group, startTime=start, startFromHead=False, PaginationConfig={"PageSize": 7})
    assert latest == every[::-1]
    found = logs.filter_log_events(logGroupName=group, limit=2)
    assert found["searchedLogStreams"] == [] and len({event["eventId"] for event in found["events"]}) == 2
    assert all(len(event["eventId"]) == 56 and event["eventId"].isdigit() for event in found["events"])
    assert [event["logStreamName"] for event in found["events"]] == ["one", "two"]
    other = {"logGroupName": group, "filterPattern": "other", "nextToken": found["nextToken"]}
    refused(logs.filter_log_events, "InvalidParameterException", "nextToken", **other)
    both = {"logStreamNames": ["one"], "logStreamNamePrefix": "o"}
    refused(logs.filter_log_events, "InvalidParameterException", "mutually exclusive", logGroupName=group, **both)
    for pattern in ("{ $.a", '"open', "%a", "[a, b", "a&b"):
        refused(logs.filter_log_events, "InvalidParameterException", "Invalid filter pattern", logGroupName=group, filterPattern=pattern)
    refused(logs.filter_log_events, "ResourceNotFoundException", "log group", logGroupName=named("none"))


def test_a_hostile_pattern_gives_pages_in_time(logs, group):
    """It costs more than a second to look for, so pages end before, and every event is found in the end."""
    start = now() - 60_000
    for number in range(8):
        put(logs, group, [(start + number, ("ab" * 300_000) + f" {number}")])
    hostile = "%[ab]+[ab]+[ab]+[ab]+c|[ab]*[ab]*[ab]*d|[ab]+ [0-9]%"
    slowest, found, pages, more = 0.0, 0, 0, {}
    while True:
        before = time.monotonic()
        page = logs.filter_log_events(logGroupName=group, filterPattern=hostile, **more)
        slowest = max(slowest, time.monotonic() - before)
        found, pages = found + len(page["events"]), pages + 1
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert found == 8 and pages < 50
    assert slowest < 30, "one page is bounded"


def test_events_need_the_key_of_their_group(moho, logs):
    kms = client(moho, "kms", credentials=moho.credentials("Admin"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    other = kms.create_key()["KeyMetadata"]["Arn"]
    group = named("sealed")
    logs.create_log_group(logGroupName=group, kmsKeyId=key)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["kmsKeyId"] == key
    put(logs, group, [(now(), "under the first key")])
    region = moho.credentials().region
    deny = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": key}
    without = client(moho, "logs", credentials=narrowed(moho, EVERYTHING, deny, role="Admin"))
    for call, more in ((without.filter_log_events, {}), (without.get_log_events, {"logStreamName": "one"})):
        refused(call, "AccessDeniedException", "kms:Decrypt", logGroupName=group, **more)
    no_writing = {"Effect": "Deny", "Action": "kms:GenerateDataKey", "Resource": key}
    without = client(moho, "logs", credentials=narrowed(moho, EVERYTHING, no_writing, role="Admin"))
    events = [{"timestamp": now(), "message": "no"}]
    refused(without.put_log_events, "AccessDeniedException", "kms:GenerateDataKey", logGroupName=group, logStreamName="one", logEvents=events)
    account = moho.boto3("sts").get_caller_identity()["Account"]
    only = {
        "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
        "Condition": {
            "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:log-group:{group}"},
            "StringEquals": {"kms:ViaService": f"logs.{region}.amazonaws.com"},
        },
    }
    reader = client(moho, "logs", credentials=narrowed(moho, {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}, only, role="Admin"))
    assert filtered(reader, group) == ["under the first key"]
    logs.associate_kms_key(logGroupName=group, kmsKeyId=other)
    put(logs, group, [(now(), "under the second")])
    assert filtered(logs, group) == ["under the first key", "under the second"]
    kms.disable_key(KeyId=key)
    refused(logs.filter_log_events, "InvalidParameterException", "KMS key", logGroupName=group)
    refused(logs.associate_kms_key, "InvalidParameterException", "KMS key", logGroupName=group, kmsKeyId=key)
    put(logs, group, [(now(), "goes on")])
    kms.enable_key(KeyId=key)
    logs.disassociate_kms_key(logGroupName=group)
    assert "kmsKeyId" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    put(logs, group, [(now(), "under the account's")])
    assert len(filtered(logs, group)) == 4
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    missing = key.rsplit("/", 1)[0] + "/11111111-2222-4333-8444-555555555555"
    for wrong in (signing, missing, "alias/x", "arn:aws:kms:nowhere-1:" + key.split(":", 4)[4]):
        found = sts.refused(logs.associate_kms_key, logGroupName=group, kmsKeyId=wrong)
        assert found.code in ("InvalidParameterException", "AccessDeniedException"), (wrong, found)


def test_other_accounts_see_nothing(moho, logs, group):
    put(logs, group, [(now(), "own")])
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    visitor = client(moho, "logs", credentials=another_account(moho))
    assert visitor.describe_log_groups()["logGroups"] == []
    refused(visitor.filter_log_events, "ResourceNotFoundException", logGroupName=group)
    for call, more in (
        (visitor.filter_log_events, {"logGroupIdentifier": arn}),
        (visitor.get_log_events, {"logGroupIdentifier": arn, "logStreamName": "one"}),
        (visitor.describe_log_streams, {"logGroupIdentifier": arn}),
        (visitor.list_tags_for_resource, {"resourceArn": arn}),
    ):
        assert sts.refused(call, **more).code == "AccessDeniedException"
    developer = client(moho, "logs")
    assert sts.refused(developer.filter_log_events, logGroupName=group).code == "AccessDeniedException"


def test_permission_is_for_a_group_and_for_a_stream(moho, logs, group):
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    logs.create_log_stream(logGroupName=group, logStreamName="two")
    keys = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    stream = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": f"{arn}:log-stream:one"}
    writer = client(moho, "logs", credentials=narrowed(moho, stream, keys, role="Admin"))
    put(writer, group, [(now(), "written")])
    events = [{"timestamp": now(), "message": "no"}]
    refused(writer.put_log_events, "AccessDeniedException", logGroupName=group, logStreamName="two", logEvents=events)
    refused(writer.filter_log_events, "AccessDeniedException", logGroupName=group)
    whole = {"Effect": "Allow", "Action": "logs:*", "Resource": f"{arn}:*"}
    reader = client(moho, "logs", credentials=narrowed(moho, whole, keys, role="Admin"))
    assert filtered(reader, group) == ["written"]
    refused(reader.create_log_group, "AccessDeniedException", logGroupName=named("other"))
    logs.tag_resource(resourceArn=arn, tags={"team": "blue"})
    of_team = whole | {"Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}
    team = client(moho, "logs", credentials=narrowed(moho, of_team, keys, role="Admin"))
    assert filtered(team, group) == ["written"]
    logs.tag_resource(resourceArn=arn, tags={"team": "red"})
    refused(team.filter_log_events, "AccessDeniedException", logGroupName=group)


def test_resource_policies_are_kept_and_count(moho, logs, group):
    statement = {"Sid": "a", "Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = logs.put_resource_policy(policyName="delivery", policyDocument=text)["resourcePolicy"]
    assert (made["policyName"], made["policyDocument"]) == ("delivery", text)
    listed = logs.describe_resource_policies()["resourcePolicies"]
    assert [(found["policyName"], found["policyDocument"]) for found in listed] == [("delivery", text)]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "logs:FilterLogEvents", "Resource": "*"}
    logs.put_resource_policy(policyName="hush", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": deny}))
    refused(logs.filter_log_events, "AccessDeniedException", "explicit deny", logGroupName=group)
    logs.delete_resource_policy(policyName="hush")
    assert filtered(logs, group) == []
    for wrong in ("{", json.dumps({"Statement": []}), json.dumps({"Version": "2012-10-17", "Statement": statement | {"Action": "s3:*"}})):
        refused(logs.put_resource_policy, "InvalidParameterException", policyName="x", policyDocument=wrong)
    for number in range(9):
        logs.put_resource_policy(policyName=f"n{number}", policyDocument=text)
    refused(logs.put_resource_policy, "LimitExceededException", policyName="more", policyDocument=text)
    assert len(logs.describe_resource_policies()["resourcePolicies"]) == 10
    for name in ("delivery", *(f"n{number}" for number in range(9))):
        logs.delete_resource_policy(policyName=name)
    refused(logs.delete_resource_policy, "ResourceNotFoundException", policyName="delivery")


def test_metric_filters_are_kept_and_tried(logs, group):
    metric = {"metricName": "Errors", "metricNamespace": "App", "metricValue": "1", "defaultValue": 0.0, "unit": "Count"}
    logs.put_metric_filter(logGroupName=group, filterName="errors", filterPattern="ERROR", metricTransformations=[metric])
    latency = {"metricName": "Latency", "metricNamespace": "App", "metricValue": "$.ms", "dimensions": {"Path": "$.path"}}
    logs.put_metric_filter(logGroupName=group, filterName="latency", filterPattern="{ $.ms > 0 }", metricTransformations=[latency])
    found = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    assert [(one["filterName"], one["filterPattern"], one["metricTransformations"]) for one in found] == [
        ("errors", "ERROR", [metric]), ("latency", "{ $.ms > 0 }", [latency]),
    ]
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["metricFilterCount"] == 2
    of_metric = logs.describe_metric_filters(metricName="Latency", metricNamespace="App")["metricFilters"]
    assert [one["filterName"] for one in of_metric] == ["latency"]
    pages = logs.get_paginator("describe_metric_filters").paginate(logGroupName=group, PaginationConfig={"PageSize": 1})
    assert [one["filterName"] for page in pages for one in page["metricFilters"]] == ["errors", "latency"]
    wrong = [metric | {"metricValue": "$.no"}, latency | {"defaultValue": 1.0}, metric | {"metricNamespace": "AWS/Logs"}]
    for one in wrong:
        pattern = "ERROR" if one["metricName"] == "Errors" else "{ $.ms > 0 }"
        refused(logs.put_metric_filter, "InvalidParameterException", logGroupName=group, filterName="x", filterPattern=pattern, metricTransformations=[one])
    tried = logs.test_metric_filter(filterPattern="[ip, user, ..., size > 100]", logEventMessages=["1.2.3.4 me GET 200", "1.2.3.4 me GET 20"])
    assert [(match["eventNumber"], match["extractedValues"]["$ip"]) for match in tried["matches"]] == [(1, "1.2.3.4")]
    logs.delete_metric_filter(logGroupName=group, filterName="errors")
    refused(logs.delete_metric_filter, "ResourceNotFoundException", logGroupName=group, filterName="errors")
    regular = {"filterPattern": "%a.c%", "metricTransformations": [metric]}
    for number in range(5):
        logs.put_metric_filter(logGroupName=group, filterName=f"r{number}", **regular)
    refused(logs.put_metric_filter, "LimitExceededException", logGroupName=group, filterName="r5", **regular)


def test_subscriptions_have_nowhere_to_go(moho, logs, group):
    region, account = moho.credentials().region, moho.boto3("sts").get_caller_identity()["Account"]
    for arn in (f"arn:aws:lambda:{region}:{account}:function:f", f"arn:aws:kinesis:{region}:{account}:stream/s", "arn:aws:sqs:r:1:q"):
        refused(logs.put_subscription_filter, "InvalidParameterException", logGroupName=group, filterName="f", filterPattern="", destinationArn=arn)
    assert logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"] == []
    refused(logs.delete_subscription_filter, "ResourceNotFoundException", logGroupName=group, filterName="f")


def test_what_was_put_is_there_after_a_kill(make_moho):
    moho = make_moho().start()
    logs = client(moho, "logs", credentials=moho.credentials("Admin"))
    logs.create_log_group(logGroupName="kept")
    logs.create_log_stream(logGroupName="kept", logStreamName="one")
    at = now()
    for number in range(40):
        put(logs, "kept", [(at + number, f"acknowledged {number}")])
    moho.kill()
    moho.start()
    logs = client(moho, "logs", credentials=moho.credentials("Admin"))
    assert filtered(logs, "kept") == [f"acknowledged {number}" for number in range(40)]
    entries = journal.verified_entries(moho.data)
    assert {entry["action"] for entry in entries} >= {"logs:PutLogEvents", "logs:FilterLogEvents"}
    assert not any("acknowledged" in json.dumps(entry) for entry in entries)
    files = [file for file in moho.data.rglob("*") if file.is_file()]
    assert not any(b"acknowledged" in file.read_bytes() for file in files)
