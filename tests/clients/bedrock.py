"""Bedrock's clients as its users make them: boto3 with a session's credentials or with a bearer key."""

import json

import boto3
import pytest
from botocore.config import Config

from serving import MODEL, Credentials, Moho

QUESTION = [{"role": "user", "content": [{"text": "What is the capital of France?"}]}]
GREEDY = {"temperature": 0, "maxTokens": 40}
# An answer that cannot be short: the schema does not let the model stop.
ENDLESS = {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}


def settings(moho: Moho, **changes) -> dict:
    """What every client is made with. Retries would hide the first answer."""
    config = {"retries": {"total_max_attempts": 1}, "proxies": {}, "read_timeout": 120} | changes
    return {"endpoint_url": moho.url, "verify": str(moho.authority), "config": Config(**config)}


def client(moho: Moho, service="bedrock-runtime", *, credentials: Credentials | None = None, region: str | None = None, **config):
    """Signs with SigV4."""
    found = credentials or moho.credentials()
    return boto3.client(
        service,
        region_name=region or found.region,
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
        **settings(moho, **config),
    )


def bearer_client(moho: Moho, monkeypatch: pytest.MonkeyPatch, key: str | None = None, service="bedrock-runtime", **config):
    """Brings a bearer key, which boto3 takes from the environment as long as nothing else is set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key or moho.credentials().bearer_token)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    made = boto3.session.Session().client(service, region_name=moho.credentials().region, **settings(moho, **config))
    made.meta.events.register("before-send", sends_a_key)
    return made


def sends_a_key(request, **_) -> None:
    sent = request.headers["Authorization"]
    assert (sent if isinstance(sent, str) else sent.decode()).startswith("Bearer ")


def narrowed(moho: Moho, *statements: dict, role="Developer") -> Credentials:
    """A session of a role that may do what the role may and these statements allow."""
    sts = client(moho, "sts", credentials=moho.credentials("Admin"))
    found = sts.assume_role(
        RoleArn=f"arn:aws:iam::{sts.get_caller_identity()['Account']}:role/{role}",
        RoleSessionName="narrowed",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
    )["Credentials"]
    return Credentials.of_sts(found, moho.credentials().region)


def model_arn(moho: Moho, model: str = MODEL, *, region: str | None = None, partition="aws", account="", kind="foundation-model") -> str:
    return f"arn:{partition}:bedrock:{region or moho.credentials().region}:{account}:{kind}/{model}"


def text_of(answer: dict) -> str:
    message = answer["output"]["message"]
    assert message["role"] == "assistant"
    return "".join(block["text"] for block in message["content"])


def streamed_text(events: list[dict]) -> str:
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)


def endless_form() -> dict:
    """`outputConfig` for an answer that goes on until the token limit."""
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(ENDLESS), "name": "numbers"}}}}
