"""What Bedrock refuses, as boto3 tells it: each error is the service's own, and each request that is decided is journaled."""

import datetime
import json

import botocore.exceptions
import pytest

import journal
from bedrock import GREEDY, QUESTION, bearer_client, client, model_arn, narrowed
from serving import MODEL, UNGRANTED, Credentials
from signing import bearer_key, clock_moved, replaced, short_bearer_key

MINUTE = datetime.timedelta(minutes=1)
MIB = 1 << 20
PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de")
CHAT = {"messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 16}


def loose(moho, **options):
    """A client that checks nothing itself."""
    return client(moho, parameter_validation=False, **options)


def refused(call, **arguments) -> dict:
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response


def assert_refused(answer, code, status, words=""):
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), answer
    assert words in answer["Error"]["Message"], answer
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-errortype"] == code


def every_operation(runtime, model):
    """The five ways to put a model to use, with a request each that is well formed."""
    body = json.dumps(CHAT)
    return {
        "bedrock:InvokeModel": [
            lambda: runtime.converse(modelId=model, messages=QUESTION, inferenceConfig=GREEDY),
            lambda: runtime.invoke_model(modelId=model, body=body),
        ],
        "bedrock:InvokeModelWithResponseStream": [
            lambda: runtime.converse_stream(modelId=model, messages=QUESTION, inferenceConfig=GREEDY),
            lambda: runtime.invoke_model_with_response_stream(modelId=model, body=body),
        ],
        "bedrock:CountTokens": [lambda: runtime.count_tokens(modelId=model, input={"converse": {"messages": QUESTION}})],
    }


def test_exceptions_are_the_service_s_own(moho):
    runtime = client(moho)
    with pytest.raises(runtime.exceptions.ValidationException):
        runtime.converse(modelId="no-such-model", messages=QUESTION)
    with pytest.raises(runtime.exceptions.AccessDeniedException):
        runtime.converse(modelId=UNGRANTED, messages=QUESTION)


def test_an_unknown_model(moho):
    for calls in every_operation(client(moho), "no-such-model").values():
        for call in calls:
            assert_refused(refused(call), "ValidationException", 400, "The provided model identifier is invalid.")
    for calls in every_operation(client(moho), model_arn(moho, "no-such-model")).values():
        for call in calls:
            assert_refused(refused(call), "ResourceNotFoundException", 404, "Could not resolve the foundation model")


def test_arns_of_something_else(moho):
    runtime = loose(moho)
    account = "123456789012"
    for name in (
        model_arn(moho, region="eu-nowhere-9"),
        model_arn(moho, partition="aws-cn"),
        model_arn(moho, account=account),
        model_arn(moho, "abcdefghijkl", account=account, kind="provisioned-model"),
        model_arn(moho, "abcdefghijkl", account=account, kind="imported-model"),
        f"arn:aws:s3:::{MODEL}",
    ):
        answer = refused(runtime.converse, modelId=name, messages=QUESTION)
        assert_refused(answer, "ResourceNotFoundException", 404, "Could not resolve the foundation model")
    # A profile is decided on first, and another account's is denied whether it is there or not.
    foreign = model_arn(moho, f"us.{MODEL}", account=account, kind="inference-profile")
    assert_refused(refused(runtime.converse, modelId=foreign, messages=QUESTION), "AccessDeniedException", 403)
    for name in ("arn:aws:bedrock", "no model\tat all", "a" * 2049, "%", "../converse", "é"):
        assert_refused(refused(runtime.converse, modelId=name, messages=QUESTION), "ValidationException", 400)


def test_a_model_that_the_account_did_not_agree_to_use(moho):
    for name in (UNGRANTED, model_arn(moho, UNGRANTED)):
        for action, calls in every_operation(client(moho), name).items():
            for call in calls:
                answer = refused(call)
                assert_refused(answer, "AccessDeniedException", 403, "You don't have access to the model with the specified model ID.")
                last = journal.of_request(journal.verified_entries(moho.data), answer["ResponseMetadata"]["RequestId"])[-1]
                assert (last["outcome"], last["action"], last["reason"]) == ("deny", action, "model-access")
                assert last["resource"] == model_arn(moho, UNGRANTED)


def test_who_may_not_ask_learns_nothing_of_a_model(moho):
    """Served or not, agreed or not: a policy that says no says it alike."""
    runtime = client(moho, credentials=narrowed(moho, {"Effect": "Deny", "Action": "bedrock:*", "Resource": "*"}))
    for model in (MODEL, UNGRANTED, "no-such-model"):
        for action, calls in every_operation(runtime, model).items():
            for call in calls:
                answer = refused(call)
                assert_refused(answer, "AccessDeniedException", 403)
                message = answer["Error"]["Message"].replace(model, "MODEL")
                assert f"is not authorized to perform: {action} on resource: {model_arn(moho, 'MODEL')}" in message
                [entry] = journal.of_request(journal.verified_entries(moho.data), answer["ResponseMetadata"]["RequestId"])
                assert (entry["outcome"], entry["action"], entry["resource"]) == ("deny", action, model_arn(moho, model))


@pytest.mark.parametrize("only", ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:CountTokens"])
def test_each_action_is_one_of_its_own(moho, only):
    runtime = client(moho, credentials=narrowed(moho, {"Effect": "Allow", "Action": only, "Resource": model_arn(moho)}))
    for action, calls in every_operation(runtime, MODEL).items():
        for call in calls:
            if action == only:
                call()
            else:
                assert_refused(refused(call), "AccessDeniedException", 403, action)
    elsewhere = narrowed(moho, {"Effect": "Allow", "Action": only, "Resource": model_arn(moho, "another")})
    for call in every_operation(client(moho, credentials=elsewhere), MODEL)[only]:
        assert_refused(refused(call), "AccessDeniedException", 403, "session policy")


def test_a_bearer_key_takes_leave_to_be_used(moho, monkeypatch):
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "bedrock:CallWithBearerToken", "Resource": "*"}
    key = bearer_key(narrowed(moho, everything, denied))
    runtime = bearer_client(moho, monkeypatch, key)
    assert_refused(refused(runtime.converse, modelId=MODEL, messages=QUESTION), "AccessDeniedException", 403, "bedrock:CallWithBearerToken")
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    runtime = client(moho, credentials=narrowed(moho, everything, denied))
    assert runtime.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=GREEDY)


def of_user(*blocks):
    return {"messages": [{"role": "user", "content": list(blocks)}]}


# What is asked for, and a word of the refusal.
NOT_SERVED = {
    "guardrailConfig": ({"guardrailConfig": {"guardrailIdentifier": "abcdefgh", "guardrailVersion": "1"}}, "guardrail"),
    "guardContent": (of_user({"guardContent": {"text": {"text": "Hi!"}}}), "guardrail"),
    "toolConfig": ({"toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]}}, "tool use"),
    "toolResult": (of_user({"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}), "tool use"),
    "image": (of_user({"image": {"format": "png", "source": {"bytes": PIXEL}}}, {"text": "What is it?"}), "image"),
    "document": (of_user({"document": {"format": "txt", "name": "d", "source": {"bytes": b"x"}}}, {"text": "?"}), "document"),
    "video": (of_user({"video": {"format": "mp4", "source": {"bytes": b"x"}}}, {"text": "?"}), "video"),
    "cachePoint": (of_user({"text": "Hi!"}, {"cachePoint": {"type": "default"}}), "cachePoint"),
}


@pytest.mark.parametrize("what", NOT_SERVED)
def test_what_is_not_served_is_refused(moho, what):
    """Never dropped: an answer without what was asked for would look like one with it."""
    asked, word = NOT_SERVED[what]
    for call in (client(moho).converse, client(moho).converse_stream):
        answer = refused(call, **{"modelId": MODEL, "messages": QUESTION} | asked)
        assert_refused(answer, "ValidationException", 400, word)


@pytest.mark.parametrize("header", [{"guardrailIdentifier": "abcdefgh", "guardrailVersion": "1"}, {"performanceConfigLatency": "optimized"}])
def test_headers_that_are_not_served_are_refused(moho, header):
    runtime = client(moho)
    for call in (runtime.invoke_model, runtime.invoke_model_with_response_stream):
        assert_refused(refused(call, modelId=MODEL, body=json.dumps(CHAT), **header), "ValidationException", 400)


def turns(*roles):
    return [{"role": role, "content": [{"text": "Hi!"}]} for role in roles]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": []}, ""),
        ({"messages": turns("user", "user")}, "alternate"),
        ({"messages": turns("user", "assistant", "assistant", "user")}, "alternate"),
        ({"messages": turns("assistant", "user")}, "user"),
        ({"messages": turns("emperor")}, "role"),
        ({"messages": [{"role": "user", "content": []}]}, "content"),
        ({"messages": [{"role": "user", "content": [{"text": ""}]}]}, "blank"),
        ({"messages": [{"role": "user", "content": [{"text": " \n"}]}]}, "blank"),
        ({"messages": [{"role": "user"}]}, "content"),
        ({"inferenceConfig": {"maxTokens": 0}}, "Value '0' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"inferenceConfig": {"maxTokens": -1}}, "greater than or equal to 1"),
        ({"inferenceConfig": {"temperature": 1.1}}, "less than or equal to 1"),
        ({"inferenceConfig": {"topP": -0.5}}, "greater than or equal to 0"),
        ({"inferenceConfig": {"stopSequences": [""]}}, "inferenceConfig.stopSequences"),
        ({"system": [{"text": ""}]}, "system"),
    ],
)
def test_values_out_of_range(moho, change, words):
    for call in (loose(moho).converse, loose(moho).converse_stream):
        answer = refused(call, **{"modelId": MODEL, "messages": QUESTION} | change)
        assert_refused(answer, "ValidationException", 400, words)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"prompt": 7}',
        b'{"prompt": ""}',
        b'{"prompt": "x", "messages": []}',
        b'{"prompt": "x", "max_gen_len": 0}',
        b'{"prompt": "x", "max_gen_len": "many"}',
        b'{"prompt": "x", "temperature": 7}',
        b'{"prompt": "x", "images": ["x"]}',
        b'{"messages": []}',
        b'{"messages": [{"role": "emperor", "content": "x"}]}',
        b'{"inputText": "x"}',
        b'{"prompt": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_bodies_of_no_model(moho, body):
    runtime = client(moho)
    for call in (runtime.invoke_model, runtime.invoke_model_with_response_stream):
        assert_refused(refused(call, modelId=MODEL, body=body), "ValidationException", 400)
    counted = refused(runtime.count_tokens, modelId=MODEL, input={"invokeModel": {"body": body}})
    assert_refused(counted, "ValidationException", 400)


BROKEN = [b"", b"{", b"[]", b"null", b'"x"', b'{"messages": 7}', b'{"messages": [7]}', b'{"messages": [{"role": 7}]}', b"\0" * 64, b"[" * 100_000, b'{"messages": {"a": 1}}']


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("operation", ["converse", "converse-stream", "count-tokens"])
def test_broken_json(moho, operation, body):
    with moho.http(moho.bearer()) as http:
        answer = http.post(f"/model/{MODEL}/{operation}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["x-amzn-errortype"] in ("ValidationException", "SerializationException")
    assert answer.json().keys() == {"message"} and answer.json()["message"]


def test_a_prompt_that_does_not_fit(moho):
    text = "word " * 20_000
    runtime = client(moho)
    messages = [{"role": "user", "content": [{"text": text}]}]
    for call in (runtime.converse, runtime.converse_stream):
        assert_refused(refused(call, modelId=MODEL, messages=messages), "ValidationException", 400)
    for body in ({"prompt": text}, {"messages": [{"role": "user", "content": text}]}):
        for call in (runtime.invoke_model, runtime.invoke_model_with_response_stream):
            assert_refused(refused(call, modelId=MODEL, body=json.dumps(body)), "ValidationException", 400)
    assert_refused(refused(runtime.count_tokens, modelId=MODEL, input={"converse": {"messages": messages}}), "ValidationException", 400)


def test_a_schema_that_cannot_be_enforced(moho):
    """What the engine refuses is a validation error here, on every way to it."""
    schema = {"type": "nonsense"}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}}
    runtime = client(moho)
    for call in (runtime.converse, runtime.converse_stream):
        answer = refused(call, modelId=MODEL, messages=QUESTION, outputConfig=form)
        assert_refused(answer, "ValidationException", 400, "the JSON schema cannot be enforced")
    body = json.dumps(CHAT | {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}})
    for call in (runtime.invoke_model, runtime.invoke_model_with_response_stream):
        assert_refused(refused(call, modelId=MODEL, body=body), "ValidationException", 400, "the JSON schema cannot be enforced")


def test_a_body_that_is_too_large(moho):
    messages = [{"role": "user", "content": [{"text": "x" * (11 * MIB)}]}]
    answer = refused(client(moho).converse, modelId=MODEL, messages=messages)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_signatures_of_another_region(moho):
    answer = refused(client(moho, region="eu-nowhere-9").converse, modelId=MODEL, messages=QUESTION)
    assert_refused(answer, "InvalidSignatureException", 403)


def test_signatures_of_another_time(moho):
    with clock_moved(-6 * MINUTE):
        answer = refused(client(moho).converse, modelId=MODEL, messages=QUESTION)
    assert_refused(answer, "InvalidSignatureException", 403, "Signature expired: ")


def test_wrong_credentials(moho):
    good = moho.credentials()
    names = ("access_key_id", "secret_access_key", "session_token", "bearer_token", "region")

    def spoilt(**fields):
        return Credentials(**({name: getattr(good, name) for name in names} | fields))

    cases = {
        "InvalidSignatureException": spoilt(secret_access_key=replaced(good.secret_access_key, 5)),
        "UnrecognizedClientException": spoilt(session_token=replaced(good.session_token, len(good.session_token) // 2)),
    }
    for code, credentials in cases.items():
        assert_refused(refused(client(moho, credentials=credentials).converse, modelId=MODEL, messages=QUESTION), code, 403)


def test_bearer_keys_that_are_over_or_unknown(moho, monkeypatch):
    with clock_moved(-10 * MINUTE):
        expired = short_bearer_key(moho.credentials(), 60)
    for key, code in [(expired, "ExpiredTokenException"), ("bedrock-api-key-AAAA", "IncompleteSignatureException"), ("sk-1234", "UnrecognizedClientException")]:
        answer = refused(bearer_client(moho, monkeypatch, key).converse, modelId=MODEL, messages=QUESTION)
        assert_refused(answer, code, 403)


def test_every_endpoint_wants_credentials(moho):
    with moho.http() as http:
        for operation in ("converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens"):
            answer = http.post(f"/model/{MODEL}/{operation}", json={})
            assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
        for path in ("/foundation-models", f"/foundation-models/{MODEL}"):
            answer = http.get(path)
            assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/model/{MODEL}/converse"),
        ("POST", f"/model/{MODEL}/conjure"),
        ("POST", f"/model/{MODEL}/converse/again"),
        ("POST", f"/model/{MODEL}"),
        ("PUT", "/foundation-models"),
        ("POST", "/async-invoke"),
        ("GET", "/guardrails"),
    ],
)
def test_operations_that_are_not_served(moho, method, path):
    with moho.http(moho.bearer()) as http:
        answer = http.request(method, path)
    assert answer.status_code in (403, 404, 405), answer.text


def test_errors_repeat_no_words(moho):
    secret = "Quokka7Xylophone9Marmalade"
    for change in (
        {"messages": [{"role": "user", "content": [{"text": secret}]}], "inferenceConfig": {"maxTokens": 0}},
        {"messages": [{"role": "user", "content": [{secret: secret}]}]},
        {"messages": [{"role": "user", "content": secret}]},
        {"messages": [{"role": "user", "content": [{"text": secret}] * 2}] * 2},
        {"messages": QUESTION, "system": secret},
        {"messages": QUESTION, "additionalModelRequestFields": {secret: secret}, "toolConfig": {secret: secret}},
    ):
        with moho.http(moho.bearer()) as http:
            answer = http.post(f"/model/{MODEL}/converse", json=change)
        assert answer.status_code == 400
        assert secret not in answer.text
