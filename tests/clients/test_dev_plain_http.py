"""Plain HTTP for tools on this machine: loopback only, development only, said loudly, and every request signed."""

import json
import subprocess

import boto3
import httpx2
import pytest
from botocore.exceptions import ClientError

import serving
from serving import MODEL, free_port


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    port = free_port()
    arguments = ("--dev-plain-http", f"127.0.0.1:{port}", "--log-format", "json")
    server = serving.Moho(tmp_path_factory.mktemp("plain") / "data", arguments=arguments)
    server.plain_url = f"http://127.0.0.1:{port}"
    try:
        yield server.start()
    finally:
        server.end()


def client_of(server, service, **credentials):
    found = server.credentials("Admin")
    keys = {
        "aws_access_key_id": found.access_key_id,
        "aws_secret_access_key": found.secret_access_key,
        "aws_session_token": found.session_token,
    }
    return boto3.client(service, endpoint_url=server.plain_url, region_name=found.region, **(keys | credentials))


def test_requests_are_answered_without_tls(plain):
    assert client_of(plain, "sts").get_caller_identity()["Arn"].endswith("/moho-credentials")
    answer = client_of(plain, "bedrock-runtime").converse(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}], inferenceConfig={"maxTokens": 4}
    )
    assert answer["usage"]["outputTokens"] > 0
    with httpx2.Client(base_url=plain.plain_url, headers=plain.bearer(), trust_env=False, timeout=120) as http:
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "stream": True}
        assert "data: [DONE]" in http.post("/v1/chat/completions", json=asked).text
        assert http.get("/healthz").status_code == 200


def test_nobody_gets_in_unsigned(plain):
    with httpx2.Client(base_url=plain.plain_url, trust_env=False) as http:
        assert http.get("/v1/models").status_code == 401
    with pytest.raises(ClientError) as refused:
        client_of(plain, "sts", aws_secret_access_key="x" * 40).get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_policies_know_that_it_is_not_encrypted(plain):
    def listed(url_of, secure: str) -> int:
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": secure}}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sts = plain.boto3("sts", "Admin")
        role = f"arn:aws:iam::{sts.get_caller_identity()['Account']}:role/Admin"
        made = sts.assume_role(RoleArn=role, RoleSessionName="narrow", Policy=policy)["Credentials"]
        keys = {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }
        try:
            client = boto3.client("bedrock", endpoint_url=url_of, verify=str(plain.authority), region_name="us-east-1", **keys)
            client.list_foundation_models()
            return 200
        except ClientError as refused:
            return refused.response["ResponseMetadata"]["HTTPStatusCode"]

    assert listed(plain.plain_url, "false") == 200 and listed(plain.plain_url, "true") == 403
    assert listed(plain.url, "true") == 200 and listed(plain.url, "false") == 403


def test_the_start_says_it_loudly(plain):
    lines = [json.loads(line) for line in plain.log_text().splitlines()]
    [said] = [line for line in lines if line.get("exposure") == "plain"]
    assert said["level"] == "WARN" and "WITHOUT encryption" in said["message"] and "development" in said["message"]
    command = [str(serving.binary()), "doctor", "--data", str(plain.data), "--dev-plain-http", plain.plain_url.removeprefix("http://"), "--json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout)
    assert any(found["level"] == "warning" and "plain HTTP" in found["what"] for found in report["findings"])


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "10.0.0.5:8080", "[::]:8080", "[::ffff:10.0.0.5]:8080", "localhost:8080"])
def test_only_this_machine_can_be_served_so(address, tmp_path):
    command = [str(serving.binary()), "serve", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", "--dev-plain-http", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "loopback" in done.stderr, done.stderr
    assert not (tmp_path / "data").exists()


def test_tls_on_the_plain_port_is_no_harm(plain):
    with pytest.raises(httpx2.TransportError):
        httpx2.get(plain.plain_url.replace("http:", "https:") + "/healthz", trust_env=False)
    plain.assert_unharmed()
