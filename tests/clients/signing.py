"""Requests signed by botocore, and then spoilt in one way: what an attacker or a broken client would send."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import botocore.auth
from aws_bedrock_token_generator import BedrockTokenGenerator
from aws_bedrock_token_generator.token_generator import _generate_token
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from serving import Credentials, Moho


def boto(credentials: Credentials) -> BotoCredentials:
    return BotoCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)


@contextmanager
def clock_moved(by: datetime.timedelta) -> Iterator[None]:
    """botocore signs as if it were earlier or later."""
    moved = botocore.auth.get_current_datetime() + by
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: moved):
        yield


def signed_headers(
    moho: Moho, path: str, body: bytes, service: str, *, credentials: Credentials | None = None, region: str | None = None, method="POST"
) -> dict[str, str]:
    """The headers of a request as botocore signs it."""
    found = credentials or moho.credentials()
    kind = "application/x-www-form-urlencoded" if service in ("sts", "iam") else "application/json"
    request = AWSRequest(method, moho.url + path, headers={"Content-Type": kind}, data=body)
    botocore.auth.SigV4Auth(boto(found), service, region or found.region).add_auth(request)
    return dict(request.headers.items())


def bearer_key(credentials: Credentials, region: str | None = None) -> str:
    """A key as AWS's own generator makes it."""
    return BedrockTokenGenerator().get_token(boto(credentials), region or credentials.region)


def short_bearer_key(credentials: Credentials, seconds: int) -> str:
    return _generate_token(boto(credentials), credentials.region, seconds)


def replaced(text: str, at: int) -> str:
    """The text with one character exchanged for another of its kind."""
    at %= len(text)
    for kind in ("12", "bc", "BC"):
        if (text[at].isdigit(), text[at].isupper()) == (kind[0].isdigit(), kind[0].isupper()):
            return text[:at] + (kind[1] if text[at] == kind[0] else kind[0]) + text[at + 1 :]
    raise ValueError("no character to exchange")
