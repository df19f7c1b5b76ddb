"""Model invocation logging: every API's calls in the account's own bucket, as Bedrock's records, and none of them lost."""

import copy
import json
from pathlib import Path

import botocore.exceptions
import httpx2
import openai
import pytest
import urllib3

import bedrock as asking
import journal
import sts
from bedrock import GREEDY, QUESTION
from invocation_logs import Logs, backlog
from observing import eventually, scrape
from serving import MODEL, Moho
from test_organizations import create_account, within

CASES = [line.split() for line in Path(__file__).with_name("invocation_operations.txt").read_text().splitlines() if line[:1] != "#"]
SECRET = "Wombat4Saxophone9Tapioca"
CHAT = {"messages": [{"role": "user", "content": f"What is the capital of France? {SECRET}"}], "max_tokens": 12, "temperature": 0}
METRICS = ("--metrics-listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    server = Moho(tmp_path_factory.mktemp("logged") / "data", arguments=METRICS)
    try:
        yield Logs(server.start(), "call-logs").make().put()
    finally:
        server.end()


@pytest.fixture
def logs(make_moho):
    return Logs(make_moho(arguments=METRICS).start(), "call-logs").make()


def code(call, **request) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**request)
    return refused.value.response["Error"]["Code"]


def converse(server, **more) -> dict:
    return asking.client(server).converse(modelId=MODEL, messages=QUESTION, inferenceConfig=GREEDY, **more)


def request_of(answer: dict) -> str:
    return answer["ResponseMetadata"]["RequestId"]


# Each case: the request as the record has it, the reply as it was sent (events if it was streamed), and the counts it told.


def ask_openai(server, path: str, stream: bool):
    body = {"model": MODEL, "stream": stream}
    if path.endswith("/responses"):
        body |= {"input": f"What is the capital of France? {SECRET}", "max_output_tokens": 16, "temperature": 0}
    else:
        body |= CHAT | ({"stream_options": {"include_usage": True}} if stream else {})
    with server.http(server.bearer()) as http:
        answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    if not stream:
        said = answer.json()
        usage = said["usage"]
    else:
        data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
        said = [json.loads(one) for one in data if one != "[DONE]"]
        usage = said[-1].get("usage") or said[-1]["response"]["usage"]
    counts = [usage.get(name) for name in ("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens")]
    return answer.headers["x-request-id"], body, said, [count for count in counts if count is not None]


def ask_converse(server, stream: bool):
    runtime = asking.client(server)
    messages = [{"role": "user", "content": [{"text": SECRET}]}]
    body = {"messages": messages, "inferenceConfig": GREEDY, "requestMetadata": {"team": "blue"}}
    answer = (runtime.converse_stream if stream else runtime.converse)(modelId=MODEL, **body)
    if stream:
        said = list(answer["stream"])
        usage = said[-1]["metadata"]["usage"]
    else:
        said = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        usage = answer["usage"]
    return request_of(answer), body, said, [usage["inputTokens"], usage["outputTokens"]]


def ask_invoke(server, stream: bool):
    runtime = asking.client(server)
    body = {"prompt": SECRET, "max_gen_len": 12, "temperature": 0}
    call = runtime.invoke_model_with_response_stream if stream else runtime.invoke_model
    answer = call(modelId=MODEL, body=json.dumps(body))
    if stream:
        said = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
        counts = [said[-1]["prompt_token_count"] or said[0]["prompt_token_count"], said[-1]["generation_token_count"]]
    else:
        said = json.loads(answer["body"].read())
        counts = [said["prompt_token_count"], said["generation_token_count"]]
    return request_of(answer), body, said, counts


def ask(server, path: str, operation: str, stream: bool):
    if operation.startswith("Converse"):
        return ask_converse(server, stream)
    if operation.startswith("InvokeModel"):
        return ask_invoke(server, stream)
    return ask_openai(server, path, stream)


def every_case() -> list:
    found = []
    for _method, path, operation in CASES:
        own = path.startswith("/model/")
        for stream in [operation.endswith("Stream")] if own else [False, True]:
            found.append(pytest.param(path, operation, stream, id=f"{path} {'streamed' if stream else 'whole'}"))
    return found


@pytest.mark.parametrize(("path", "operation", "stream"), every_case())
def test_each_api_s_calls_are_logged_with_what_was_said(logged, path, operation, stream):
    server = logged.server
    request, asked, said, counts = ask(server, path, operation, stream)
    record = logged.of(request)
    assert (record["schemaType"], record["schemaVersion"]) == ("ModelInvocationLog", "1.0")
    assert (record["operation"], record["modelId"]) == (operation, MODEL)
    assert (record["accountId"], record["region"]) == (logged.account, logged.region)
    assert record["identity"]["arn"].startswith(f"arn:aws:sts::{logged.account}:assumed-role/Developer/")
    assert record["timestamp"].endswith("Z")
    assert record["input"]["inputBodyJson"] == asked
    assert record["input"]["inputContentType"] == record["output"]["outputContentType"] == "application/json"
    assert record["output"]["outputBodyJson"] == said
    assert [record["input"]["inputTokenCount"], record["output"]["outputTokenCount"]] == counts
    assert record["input"]["cacheWriteInputTokenCount"] == 0
    assert record.get("requestMetadata") == asked.get("requestMetadata")
    assert not {"errorCode", "status", "inferenceRegion"} & set(record)


def test_openai_s_own_client_is_logged_too(logged):
    client = logged.server.openai(prefix="/openai/v1")
    answered = client.chat.completions.with_raw_response.create(model=MODEL, **CHAT)
    record = logged.of(answered.headers["x-request-id"])
    assert record["output"]["outputBodyJson"]["id"] == answered.parse().id
    response = client.responses.with_raw_response.create(model=MODEL, input="hi", max_output_tokens=16)
    assert logged.of(response.headers["x-request-id"])["output"]["outputBodyJson"]["id"] == response.parse().id


def test_invoke_model_s_metadata_come_in_a_header(logged):
    runtime = asking.client(logged.server)
    body = json.dumps({"prompt": "hi", "max_gen_len": 4})
    answer = runtime.invoke_model(modelId=MODEL, body=body, requestMetadata=json.dumps({"team": "green"}))
    assert logged.of(request_of(answer))["requestMetadata"] == {"team": "green"}


def test_a_call_by_an_inference_profile_names_it(logged):
    bedrock = logged.bedrock
    arn = asking.model_arn(logged.server)
    made = bedrock.create_inference_profile(inferenceProfileName="logged", modelSource={"copyFrom": arn})["inferenceProfileArn"]
    answer = asking.client(logged.server, credentials=logged.server.credentials("Admin")).converse(
        modelId=made, messages=QUESTION, inferenceConfig=GREEDY
    )
    assert logged.of(request_of(answer))["modelId"] == made


def test_calls_that_fail_or_are_left_are_logged_as_such(logged):
    server = logged.server
    long = [{"role": "user", "content": [{"text": "word " * 9000}]}]
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        asking.client(server).converse(modelId=MODEL, messages=long)
    record = logged.of(refused.value.response["ResponseMetadata"]["RequestId"])
    assert (record["errorCode"], record["status"]) == ("ValidationException", "400")
    assert "outputBodyJson" not in record["output"]
    # A client that leaves in the middle.
    answer = asking.client(server).converse_stream(
        modelId=MODEL, messages=QUESTION, inferenceConfig={"maxTokens": 5000}, outputConfig=asking.endless_form()
    )
    stream = iter(answer["stream"])
    events = [next(stream) for _ in range(4)]
    answer["stream"].close()
    record = logged.of(request_of(answer))
    assert (record["errorCode"], record["status"]) == ("ClientClosedRequest", "499")
    assert record["output"]["outputBodyJson"][:4] == events and record["input"]["inputTokenCount"] > 0
    with pytest.raises(openai.BadRequestError) as bad:
        server.openai().responses.create(model=MODEL, input="word " * 9000)
    record = logged.of(bad.value.response.headers["x-request-id"])
    assert (record["operation"], record["status"]) == ("CreateResponse", "400")


def test_what_no_policy_allows_is_no_call(logged):
    narrow = asking.narrowed(logged.server, {"Effect": "Allow", "Action": "bedrock:List*", "Resource": "*"})
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        asking.client(logged.server, credentials=narrow).converse(modelId=MODEL, messages=QUESTION)
    denied = refused.value.response["ResponseMetadata"]["RequestId"]
    logged.of(request_of(converse(logged.server)))
    assert denied not in {record["requestId"] for record in logged.records()}


def test_objects_are_where_and_as_bedrock_puts_them(logged):
    logged.of(request_of(converse(logged.server)))
    folder = f"calls/AWSLogs/{logged.account}/BedrockModelInvocationLogs/"
    keys = logged.keys()
    assert folder + "amazon-bedrock-logs-permission-check" in keys
    others = [key.removeprefix(f"{folder}{logged.region}/") for key in keys if not key.endswith("-check")]
    assert others and all(len(key.split("/")) in (5, 6) and key.endswith(".json.gz") for key in others), others
    head = logged.s3.head_object(Bucket=logged.bucket, Key=f"{folder}{logged.region}/{others[0]}")
    assert head["SSEKMSKeyId"] == logged.key


def test_large_bodies_stand_beside_their_record(logged):
    runtime = asking.client(logged.server)
    text = "z" * (120 << 10)
    body = json.dumps({"prompt": "hi", "max_gen_len": 4})
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        runtime.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": text}]}])
    record = logged.of(refused.value.response["ResponseMetadata"]["RequestId"])
    assert "inputBodyJson" not in record["input"]
    bucket, key = record["input"]["inputBodyS3Path"].removeprefix("s3://").split("/", 1)
    assert bucket == logged.bucket and key.endswith(f"/data/{record['requestId']}_input.json.gz")
    assert json.loads(logged.read(key))["messages"][0]["content"][0]["text"] == text
    small = logged.of(request_of(runtime.invoke_model(modelId=MODEL, body=body)))
    assert small["input"]["inputBodyJson"] == json.loads(body)


def test_whoever_may_read_the_bucket_but_not_use_the_key_reads_nothing(logged):
    request = request_of(converse(logged.server))
    logged.of(request)
    [key] = [key for key in logged.keys() if key.endswith(".gz") and request in logged.read(key).decode()]
    only_s3 = asking.narrowed(logged.server, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, role="Admin")
    s3 = asking.client(logged.server, "s3", credentials=only_s3, s3={"addressing_style": "path"})
    assert code(s3.get_object, Bucket=logged.bucket, Key=key) == "AccessDenied"
    both = asking.narrowed(
        logged.server, {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"}, role="Admin"
    )
    s3 = asking.client(logged.server, "s3", credentials=both, s3={"addressing_style": "path"})
    assert s3.get_object(Bucket=logged.bucket, Key=key)["Body"].read()


def test_nothing_is_logged_until_an_account_wants_it_and_when_it_wants_it_no_more(logs):
    server, bedrock = logs.server, logs.bedrock
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    converse(server)
    config = logs.config(textDataDeliveryEnabled=True, imageDataDeliveryEnabled=False)
    bedrock.put_model_invocation_logging_configuration(loggingConfig=config)
    assert bedrock.get_model_invocation_logging_configuration()["loggingConfig"] == config
    request = request_of(converse(server))
    assert logs.of(request)["input"]["inputBodyJson"]["messages"] == QUESTION
    on_its_way = request_of(converse(server))
    bedrock.delete_model_invocation_logging_configuration()
    bedrock.delete_model_invocation_logging_configuration()
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    converse(server)
    assert {record["requestId"] for record in logs.wait_for(2)} == {request, on_its_way}


def test_an_account_that_wants_no_text_has_counts_only(logs):
    logs.put(textDataDeliveryEnabled=False)
    for operation in ("Converse", "ConverseStream"):
        request, _, _, counts = ask_converse(logs.server, operation == "ConverseStream")
        record = logs.of(request)
        assert set(record["input"]) == {"inputContentType", "inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"}
        assert record["output"] == {"outputContentType": "application/json", "outputTokenCount": counts[1]}


def test_a_place_that_cannot_be_written_to_is_refused(logs):
    put = logs.bedrock.put_model_invocation_logging_configuration
    s3 = {"bucketName": logs.bucket, "keyPrefix": "calls"}
    group = {"logGroupName": "g", "roleArn": f"arn:aws:iam::{logs.account}:role/Admin"}
    for config in (
        {},
        {"s3Config": {"bucketName": "no-such-bucket"}},
        {"s3Config": {"bucketName": "No Bucket"}},
        # The policy allows another prefix.
        {"s3Config": s3 | {"keyPrefix": "elsewhere"}},
        {"cloudWatchConfig": group},
        {"cloudWatchConfig": group, "s3Config": s3},
    ):
        assert code(put, loggingConfig=config) == "ValidationException", config
    for actions in (["kms:GenerateDataKey"], ["kms:Decrypt"]):
        logs.allow_key(actions)
        assert code(put, loggingConfig={"s3Config": s3}) == "ValidationException", actions
    assert "loggingConfig" not in logs.bedrock.get_model_invocation_logging_configuration()
    developer = logs.server.boto3("bedrock")
    for call in ("get", "delete"):
        assert code(getattr(developer, f"{call}_model_invocation_logging_configuration")) == "AccessDeniedException"
    assert code(developer.put_model_invocation_logging_configuration, loggingConfig={"s3Config": s3}) == "AccessDeniedException"


def test_what_a_bucket_refuses_waits_and_is_delivered_when_it_does_no_more(logs):
    server = logs.put().server
    logs.s3.delete_bucket_policy(Bucket=logs.bucket)
    requests = {request_of(converse(server)) for _ in range(3)}
    eventually("a failure", lambda: backlog(scrape(server))["delivery_failures_total"])
    waits = backlog(scrape(server))
    assert waits["backlog_records"] == 3 and waits["backlog_bytes"] > 500
    assert server.stop() == 0
    # The clock goes on, whoever delivers.
    server.start()
    logs = Logs(server, logs.bucket)
    eventually("the age of what waits", lambda: backlog(scrape(server))["backlog_age_seconds"] >= 1)
    assert logs.records() == []
    logs.allow()
    assert {record["requestId"] for record in logs.wait_for(3, seconds=90)} == requests
    eventually("nothing waits", lambda: backlog(scrape(server))["backlog_records"] == 0)
    entries = [entry for entry in journal.verified_entries(server.data) if (entry.get("principal") or "").endswith("bedrock.amazonaws.com")]
    assert {"s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"} <= {entry["action"] for entry in entries}


def test_whoever_makes_a_bucket_of_a_deleted_ones_name_gets_nothing(logs):
    server = logs.put().server
    logs.s3.delete_bucket_policy(Bucket=logs.bucket)
    waits = request_of(converse(server))
    eventually("a failure", lambda: backlog(scrape(server))["delivery_failures_total"])
    for key in logs.keys():
        logs.s3.delete_object(Bucket=logs.bucket, Key=key)
    logs.s3.delete_bucket(Bucket=logs.bucket)
    account = create_account(server.boto3("organizations", "Admin"), "successor")
    theirs = copy.copy(logs)
    theirs.s3, theirs.kms = (asking.client(server, service, credentials=within(server, account)) for service in ("s3", "kms"))
    theirs.make()
    before = backlog(scrape(server))["delivery_failures_total"]
    eventually("another failure", lambda: backlog(scrape(server))["delivery_failures_total"] > before)
    assert theirs.keys() == []
    # No more is logged, or answered, until the account has a bucket of its own.
    assert code(asking.client(server).converse, modelId=MODEL, messages=QUESTION) == "ServiceUnavailableException"
    theirs.s3.delete_bucket(Bucket=logs.bucket)
    logs.make()
    assert [record["requestId"] for record in logs.wait_for(1, seconds=90)] == [waits]


def test_no_call_is_answered_that_cannot_be_logged(logs):
    server = logs.put().server
    logs.allow_key([])
    runtime = asking.client(server)
    assert code(runtime.converse, modelId=MODEL, messages=QUESTION) == "ServiceUnavailableException"
    assert code(runtime.converse_stream, modelId=MODEL, messages=QUESTION) == "ServiceUnavailableException"
    with pytest.raises(openai.InternalServerError):
        server.openai().chat.completions.create(model=MODEL, **CHAT)
    # What calls no model goes on.
    assert server.openai().models.list().data
    logs.allow_key(["kms:GenerateDataKey", "kms:Decrypt"])
    logs.of(request_of(converse(server)))
    assert len(logs.records()) == 1


def test_a_stream_that_cannot_be_logged_in_the_end_has_none(logs):
    server = logs.put().server
    answer = asking.client(server).converse_stream(
        modelId=MODEL, messages=QUESTION, inferenceConfig={"maxTokens": 600}, outputConfig=asking.endless_form()
    )
    with server.http(server.bearer()) as http:
        with http.stream("POST", "/v1/responses", json={"model": MODEL, "input": "Count!", "stream": True, "max_output_tokens": 600}) as other:
            lines = other.iter_lines()
            events, said = [next(iter(answer["stream"]))], [next(lines)]
            logs.kms.disable_key(KeyId=logs.key)
            with pytest.raises(urllib3.exceptions.ProtocolError):
                events += iter(answer["stream"])
            with pytest.raises(httpx2.RemoteProtocolError):
                said += lines
    assert "messageStart" in events[0] and not any("metadata" in event for event in events)
    assert "response.created" in said[0] and not any("response.completed" in line for line in said)
    eventually("both are counted", lambda: backlog(scrape(server))["refused_total"] == 2)


def test_what_was_answered_before_a_kill_is_logged_once(logs):
    server = logs.put().server
    seen: set[str] = set()
    for number in range(4):
        asked = {request_of(converse(server)) for _ in range(3)}
        if number % 2:
            # In the middle of a delivery, as far as that can be met.
            eventually("a delivery", lambda before=len(logs.keys()): len(logs.keys()) > before)
        seen |= asked
        server.kill()
        logs = Logs(server.start(), logs.bucket)
    records = [record["requestId"] for record in logs.wait_for(len(seen), seconds=120)]
    assert sorted(records) == sorted(seen)


def test_what_waits_rests_sealed_and_goes_with_its_key(logs):
    server = logs.put().server
    logs.s3.delete_bucket_policy(Bucket=logs.bucket)
    for path, operation, stream in [one.values for one in every_case()]:
        ask(server, path, operation, stream)
    server.stop()
    words = SECRET.encode()
    for file in server.data.rglob("*"):
        if file.is_file() and file.name != "moho.log":
            assert words not in file.read_bytes(), file
    assert words not in server.log_text().encode()


def test_the_keys_command_counts_what_waits(logs):
    logs.put()
    logs.s3.delete_bucket_policy(Bucket=logs.bucket)
    converse(logs.server)
    with logs.server.http(logs.server.bearer("Admin")) as http:
        said = http.get("/v1/keys").text
    assert "undelivered invocation records" in said


GROUP = "/bedrock/calls"
STREAM = "aws/bedrock/modelinvocations"


def new_role(logs: Logs, name: str, trust: dict, allowed: list[str]) -> str:
    iam = logs.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return arn


def writer(logs: Logs, *, trusts: str, allowed: list[str]) -> str:
    """A role that a service may assume for this account, and that may do this."""
    trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
    return new_role(logs, "CallWriter", trust | {"Condition": {"StringEquals": {"aws:SourceAccount": logs.account}}}, allowed)


WRITING = ["logs:CreateLogStream", "logs:PutLogEvents", "kms:GenerateDataKey"]


def test_calls_are_logged_to_a_log_group_by_the_role_that_was_given(logs):
    cloudwatch = logs.server.boto3("logs", "Admin")
    cloudwatch.create_log_group(logGroupName=GROUP, kmsKeyId=logs.key)
    role = writer(logs, trusts="bedrock.amazonaws.com", allowed=WRITING)
    config = {"cloudWatchConfig": {"logGroupName": GROUP, "roleArn": role}}
    put = logs.bedrock.put_model_invocation_logging_configuration
    put(loggingConfig=config)
    assert logs.bedrock.get_model_invocation_logging_configuration()["loggingConfig"]["cloudWatchConfig"]["roleArn"] == role
    asked = {request_of(converse(logs.server)), ask_converse(logs.server, True)[0]}

    def found() -> set[str]:
        events = cloudwatch.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True)["events"]
        return {json.loads(event["message"])["requestId"] for event in events}

    eventually("both records", lambda: found() >= asked)
    # What Bedrock did for it is told, too: it opened what waited, and took the role.
    does = {(event["event"], event["identity"].get("invoked_by")) for event in journal.events(logs.server.data, "call")}
    assert does >= {("Decrypt", "bedrock.amazonaws.com"), ("AssumeRole", "bedrock.amazonaws.com")}, does
    # In the role it made the stream and put events.
    told = [event for event in journal.events(logs.server.data, "call") if event["source"] == "logs.amazonaws.com" and ":assumed-role/CallWriter/" in event["identity"]["principal"]]
    assert {(event["event"], event["answer"].get("error_code"), event["read_only"]) for event in told} >= {("CreateLogStream", None, False), ("PutLogEvents", None, False)}, told
    matched = cloudwatch.filter_log_events(logGroupName=GROUP, filterPattern=f'{{ $.input.inputBodyJson.messages[0].content[0].text = "{SECRET}" }}')
    assert len(matched["events"]) == 1
    # Whoever may read log groups, but has no leave for the key, reads nothing of it.
    reader = in_role(logs, "logs", "Reader", ["logs:*"])
    assert code(reader.get_log_events, logGroupName=GROUP, logStreamName=STREAM) == "AccessDeniedException"


def in_role(logs: Logs, service: str, name: str, allowed: list[str]):
    """A client in a new role that may do this."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{logs.account}:root"}, "Action": "sts:AssumeRole"}
    role = new_role(logs, name, trust, allowed)
    session = logs.client("sts").assume_role(RoleArn=role, RoleSessionName="probe")["Credentials"]
    return sts.client(logs.server, service, session)


@pytest.mark.parametrize("wrong", ["no group", "no trust", "no leave", "no key", "not passed"])
def test_a_log_group_that_cannot_be_written_to_is_refused(logs, wrong):
    cloudwatch = logs.server.boto3("logs", "Admin")
    cloudwatch.create_log_group(logGroupName=GROUP, kmsKeyId=logs.key)
    trusts = "s3.amazonaws.com" if wrong == "no trust" else "bedrock.amazonaws.com"
    allowed = {"no leave": ["kms:GenerateDataKey"], "no key": WRITING[:2]}.get(wrong, WRITING)
    role = writer(logs, trusts=trusts, allowed=allowed)
    config = {"cloudWatchConfig": {"logGroupName": "absent" if wrong == "no group" else GROUP, "roleArn": role}}
    bedrock = logs.bedrock
    if wrong == "not passed":
        bedrock = in_role(logs, "bedrock", "Setter", ["bedrock:*"])
    expected = "AccessDeniedException" if wrong == "not passed" else "ValidationException"
    assert code(bedrock.put_model_invocation_logging_configuration, loggingConfig=config) == expected
    assert "loggingConfig" not in logs.bedrock.get_model_invocation_logging_configuration()
