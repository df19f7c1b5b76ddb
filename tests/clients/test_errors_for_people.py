"""Refusals as people meet them, in the exceptions of the real SDKs: what went wrong, and what to do next."""

import datetime
import json
import re
import socket

import botocore.exceptions
import httpx2
import openai
import pytest

from serving import MODEL, UNGRANTED, Credentials
from signing import bearer_key, clock_moved, short_bearer_key, signed_headers

MINUTE = datetime.timedelta(minutes=1)
IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
STAMP = r"\d{8}T\d{6}Z"


def asked(client, model=MODEL, **settings):
    return client.responses.create(**{"model": model, "input": "Hi!", "max_output_tokens": 16, "store": False} | settings)


def with_key(moho, key: str, path="/v1") -> openai.OpenAI:
    client = httpx2.Client(verify=moho.trust, timeout=60, trust_env=False)
    return openai.OpenAI(base_url=moho.url + path, api_key=key, http_client=client, max_retries=0)


def told(error: openai.APIStatusError, *words: str) -> str:
    """What OpenAI's SDK shows: the exception's own text holds the message."""
    message = error.body["message"]
    assert message in str(error)
    for word in words:
        assert word in message, message
    return message


def told_aws(error: botocore.exceptions.ClientError, code: str, *words: str) -> str:
    assert error.response["Error"]["Code"] == code
    message = error.response["Error"]["Message"]
    assert message in str(error)
    for word in words:
        assert word in message, message
    return message


def test_missing_model_access_names_the_operations_that_give_it(moho):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        asked(moho.openai(), UNGRANTED)
    sentence = "You don't have access to the model with the specified model ID."
    message = told(refused.value, "bedrock-mantle:CreateInference", "CreateFoundationModelAgreement", f"--model-id {UNGRANTED}")
    assert message.startswith(sentence)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        moho.boto3("bedrock-runtime").converse(modelId=UNGRANTED, messages=[{"role": "user", "content": [{"text": "Hi!"}]}])
    message = told_aws(refused.value, "AccessDeniedException", "bedrock:InvokeModel", f"--model-id {UNGRANTED}")
    assert message.startswith(sentence)


def test_a_model_that_is_not_there_says_where_to_look(moho):
    with pytest.raises(openai.NotFoundError) as refused:
        asked(moho.openai(), "llama-nowhere")
    told(refused.value, "llama-nowhere", "GET /v1/models")


def test_a_denial_says_which_kind_of_policy_and_who_can_change_it(moho):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        moho.boto3("iam").create_open_id_connect_provider(Url="https://idp.example.com", ThumbprintList=["a" * 40])
    message = told_aws(refused.value, "AccessDenied", "no identity-based policy allows the iam:CreateOpenIDConnectProvider action")
    assert message.startswith("User: arn:aws:sts::") and message.endswith("An administrator of the account can allow it there.")


def test_a_wrong_region_names_both(moho):
    found = moho.credentials()
    wanted = ("'eu-west-1'", f"region is '{found.region}'", f"AWS_REGION={found.region}")
    with pytest.raises(openai.AuthenticationError) as refused:
        asked(with_key(moho, bearer_key(found, "eu-west-1")))
    told(refused.value, *wanted)
    headers = signed_headers(moho, "/", IDENTITY, "sts", region="eu-west-1")
    with moho.http() as http:
        answer = http.post("/", content=IDENTITY, headers=headers)
    assert answer.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer.text
    for word in wanted:
        assert word.replace("'", "&apos;") in answer.text, answer.text


def test_a_wrong_service_names_the_right_one(moho):
    headers = signed_headers(moho, "/", IDENTITY, "bedrock")
    with moho.http() as http:
        answer = http.post("/v1/responses", content=b"{}", headers=signed_headers(moho, "/v1/responses", b"{}", "sqs"))
        assert "scoped to correct service: 'bedrock-mantle'" in answer.json()["error"]["message"]
        assert http.post("/", content=IDENTITY, headers=headers).status_code in (400, 403, 404)


@pytest.mark.parametrize("minutes", [-20, 20])
def test_clock_skew_has_both_times_and_names_the_tool(moho, minutes):
    with clock_moved(minutes * MINUTE), pytest.raises(botocore.exceptions.ClientError) as refused:
        moho.boto3("sts").get_caller_identity()
    message = told_aws(refused.value, "SignatureDoesNotMatch", "`timedatectl`", "moho doctor")
    assert re.match(rf"Signature (expired|not yet current): {STAMP} is .* {STAMP} \({STAMP} [-+] 5 min\.\)", message), message


def test_an_expired_key_says_when_and_how_to_go_on(moho):
    with clock_moved(-10 * MINUTE):
        key = short_bearer_key(moho.credentials(), 60)
    with pytest.raises(openai.AuthenticationError) as refused:
        asked(with_key(moho, key))
    message = told(refused.value, "`moho login`", "`moho credentials`", "AssumeRole")
    [ended] = re.findall(r"is expired: it ended at (\S+Z)\.", message)
    ago = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(ended)
    assert datetime.timedelta(minutes=8) < ago < datetime.timedelta(minutes=12)


@pytest.mark.parametrize("key", ["sk-proj-1234", "bedrock-api-key-AAAA"])
def test_a_key_of_somebody_else_says_whose_are_known(moho, key):
    with pytest.raises(openai.AuthenticationError) as refused:
        asked(with_key(moho, key))
    message = told(refused.value)
    assert "`moho credentials`" in message or "as it was printed" in message
    assert key not in message


def test_credentials_of_another_server_are_told(moho, make_moho):
    other = make_moho().start().credentials()
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        foreign = Credentials(other.access_key_id, other.secret_access_key, other.session_token, other.bearer_token, other.region)
        client = moho.boto3("sts")
        client._request_signer._credentials = type(client._request_signer._credentials)(foreign.access_key_id, foreign.secret_access_key, foreign.session_token)
        client.get_caller_identity()
    told_aws(refused.value, "InvalidClientTokenId", "older data directory", "`moho login`", "`moho credentials`")


def test_a_base_url_without_v1_is_told_what_it_lacks(moho):
    client = with_key(moho, moho.credentials().bearer_token, path="")
    with pytest.raises(openai.NotFoundError) as refused:
        asked(client)
    told(refused.value, "/v1", "base_url")


def test_a_wrong_method_is_told_the_right_one(moho):
    with moho.http(moho.bearer()) as http:
        answer = http.get("/v1/chat/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "only POST" in answer.json()["error"]["message"]


def test_plain_http_is_told_to_use_https(moho):
    with socket.create_connection(("127.0.0.1", moho.port), timeout=10) as stream:
        stream.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := stream.recv(4096):
            answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b"https://" in body and f"content-length: {len(body)}".encode() in head


def test_what_does_not_fit_is_told_in_numbers(moho):
    with pytest.raises(openai.BadRequestError) as refused:
        asked(moho.openai(), input="word " * 9000)
    message = told(refused.value, "8192 tokens", "reduce the length")
    assert refused.value.code == "context_length_exceeded"
    assert re.search(r"resulted in (\d+ tokens|far more)", message)
    with moho.http(moho.bearer()) as http:
        answer = http.post("/v1/responses", content=b" " * ((8 << 20) + 1), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert str(8 << 20) in answer.json()["error"]["message"]


def test_responses_that_are_gone_and_unseen_are_told_alike(moho, make_moho):
    client = moho.openai()
    gone = asked(client, store=True).id
    client.responses.delete(gone)
    never = "resp_" + "0" * 48
    texts = set()
    for name in (gone, never):
        with pytest.raises(openai.NotFoundError) as refused:
            client.responses.retrieve(name)
        texts.add(told(refused.value, "not found", "is not yours").replace(name, "ID"))
        with pytest.raises(openai.BadRequestError) as refused:
            asked(client, previous_response_id=name)
        told(refused.value, "send the whole conversation")
    assert len(texts) == 1


def test_operations_that_are_not_served_say_so(moho):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        moho.boto3("iam").get_account_password_policy()
    told_aws(refused.value, "InvalidAction", "GetAccountPasswordPolicy", "docs/api.md")


def test_no_refusal_repeats_what_was_said(moho):
    marker = "zanzibar-7781"
    bodies = [
        {"model": MODEL, "input": marker, "temperature": marker},
        {"model": MODEL, "input": [{"role": marker, "content": marker}]},
        {"model": MODEL, "input": marker, "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": marker}}}},
        {"model": MODEL, "input": marker * 90000},
    ]
    with moho.http(moho.bearer()) as http:
        for body in bodies:
            answer = http.post("/v1/responses", content=json.dumps(body), headers={"Content-Type": "application/json"})
            assert answer.status_code == 400, answer.text
            assert marker not in answer.text
