"""Every way not to be who one says, and what each protocol answers."""

import base64
import datetime
import json
import re
import urllib.parse

import pytest

from serving import MODEL, Credentials
from signing import bearer_key, clock_moved, replaced, short_bearer_key, signed_headers

ASK = json.dumps({"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False}).encode()
IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
MINUTE = datetime.timedelta(minutes=1)


def post(moho, path, body, headers):
    with moho.http() as http:
        return http.post(path, content=body, headers=headers)


def ask(moho, headers, path="/v1/responses"):
    return post(moho, path, ASK, {"Content-Type": "application/json"} | headers)


def identify(moho, headers):
    return post(moho, "/", IDENTITY, headers)


def assert_openai(answer, status=401, code="invalid_api_key", kind="invalid_request_error"):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["code"], error["type"], error["param"]) == (code, kind, None)
    assert error["message"]
    assert "x-request-id" in answer.headers and "date" in answer.headers


def assert_query(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    assert re.search(r"<ErrorResponse xmlns=\"https://sts\.amazonaws\.com/doc/2011-06-15/\">", answer.text), answer.text
    assert re.search(r"<Type>Sender</Type>\s*<Code>" + code + r"</Code>\s*<Message>[^<]+</Message>", answer.text), answer.text
    assert answer.headers["x-amzn-requestid"] in answer.text


def spoilt(credentials: Credentials, **fields) -> Credentials:
    names = ("access_key_id", "secret_access_key", "session_token", "bearer_token", "region")
    return Credentials(**({name: getattr(credentials, name) for name in names} | fields))


def altered_signature(headers):
    return headers | {"Authorization": replaced(headers["Authorization"], -1)}


def without(headers, name):
    return {key: value for key, value in headers.items() if key.lower() != name}


def test_good_signatures_are_taken(moho):
    assert ask(moho, signed_headers(moho, "/v1/responses", ASK, "bedrock-mantle")).status_code == 200
    path = "/openai/v1/responses"
    assert ask(moho, signed_headers(moho, path, ASK, "bedrock"), path).status_code == 200
    assert identify(moho, signed_headers(moho, "/", IDENTITY, "sts")).status_code == 200


def test_nothing_sent(moho):
    assert_openai(ask(moho, {}))
    for body in (IDENTITY, b"Action=AssumeRole&Version=2011-06-15"):
        assert_query(post(moho, "/", body, {"Content-Type": "application/x-www-form-urlencoded"}), 403, "MissingAuthenticationToken")


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/openai/v1/responses", "/openai/v1/chat/completions"])
def test_every_endpoint_wants_credentials(moho, path):
    with moho.http() as http:
        assert_openai(http.post(path, json={}))
        for method, known in [("GET", "/v1/models"), ("GET", f"/v1/models/{MODEL}"), ("GET", f"/v1/responses/resp_{'0' * 48}")]:
            assert_openai(http.request(method, known))
        assert_openai(http.delete(f"/v1/responses/resp_{'0' * 48}"))


def test_a_stranger_learns_nothing_about_the_body(moho):
    """Who is not known is told so, whatever else is wrong with the request."""
    assert_openai(post(moho, "/v1/responses", b"{not json", {"Content-Type": "application/json"}))
    assert_openai(post(moho, "/v1/responses", b'{"model": "no-such-model"}', {"Content-Type": "application/json"}))


def test_altered_signature(moho):
    assert_openai(ask(moho, altered_signature(signed_headers(moho, "/v1/responses", ASK, "bedrock-mantle"))))
    assert_query(identify(moho, altered_signature(signed_headers(moho, "/", IDENTITY, "sts"))), 403, "SignatureDoesNotMatch")


def test_altered_request(moho):
    headers = signed_headers(moho, "/v1/responses", ASK, "bedrock-mantle")
    assert_openai(post(moho, "/v1/responses", ASK.replace(b"Hi!", b"Ho!"), headers))
    assert_openai(post(moho, "/v1/responses?x=1", ASK, headers))
    assert_openai(post(moho, "/v1/chat/completions", ASK, headers))
    headers = signed_headers(moho, "/", IDENTITY, "sts")
    assert_query(post(moho, "/", IDENTITY + b"&X=1", headers), 403, "SignatureDoesNotMatch")
    assert_query(identify(moho, headers | {"X-Amz-Extra": "unsigned"}), 400, "IncompleteSignature")


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24 * 8])
def test_skewed(moho, minutes):
    with clock_moved(minutes * MINUTE):
        mantle = signed_headers(moho, "/v1/responses", ASK, "bedrock-mantle")
        sts = signed_headers(moho, "/", IDENTITY, "sts")
    assert_openai(ask(moho, mantle))
    answer = identify(moho, sts)
    assert_query(answer, 403, "SignatureDoesNotMatch")
    assert ("Signature expired: " if minutes < 0 else "Signature not yet current: ") in answer.text


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_little_skew_is_forgiven(moho, minutes):
    with clock_moved(minutes * MINUTE):
        headers = signed_headers(moho, "/", IDENTITY, "sts")
    assert identify(moho, headers).status_code == 200


def test_wrong_scope(moho):
    assert_openai(ask(moho, signed_headers(moho, "/v1/responses", ASK, "bedrock-mantle", region="eu-nowhere-9")))
    assert_openai(ask(moho, signed_headers(moho, "/v1/responses", ASK, "sqs")))
    assert_query(identify(moho, signed_headers(moho, "/", IDENTITY, "sts", region="eu-nowhere-9")), 403, "SignatureDoesNotMatch")


def test_missing_and_foreign_tokens(moho):
    good = moho.credentials()
    headers = signed_headers(moho, "/", IDENTITY, "sts")
    assert_query(identify(moho, without(headers, "x-amz-security-token")), 403, "InvalidClientTokenId")
    cases = {
        "unknown key": spoilt(good, access_key_id="ASIA" + "A" * 16),
        "altered token": spoilt(good, session_token=replaced(good.session_token, len(good.session_token) // 2)),
        "somebody else's token": spoilt(good, session_token=moho.credentials("Admin").session_token),
        "no token at all": spoilt(good, session_token=""),
        "a long-term key": spoilt(good, access_key_id="AKIA" + "A" * 16, session_token=""),
    }
    for name, credentials in cases.items():
        answer = identify(moho, signed_headers(moho, "/", IDENTITY, "sts", credentials=credentials))
        assert answer.status_code == 403, name
        assert_query(answer, 403, "InvalidClientTokenId")
        assert_openai(ask(moho, signed_headers(moho, "/v1/responses", ASK, "bedrock-mantle", credentials=credentials)))


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-ECDSA-P256-SHA256 Credential=A/20260101/sts/aws4_request, SignedHeaders=host, Signature=00",
        "AWS ASIAAAAAAAAAAAAAAAAA:c2lnbmF0dXJl",
        "Basic dXNlcjpwYXNz",
        "Bearer",
        "Negotiate x",
        b"\xe9",
    ],
)
def test_malformed_authorization(moho, value):
    assert_openai(ask(moho, {"Authorization": value}))
    answer = identify(moho, {"Content-Type": "application/x-www-form-urlencoded", "Authorization": value})
    assert answer.status_code in (400, 403), answer.text
    assert re.search("<Code>(IncompleteSignature|MissingAuthenticationToken|InvalidClientTokenId)</Code>", answer.text), answer.text


def with_bearer(moho, key, path="/v1/models"):
    with moho.http({"Authorization": f"Bearer {key}"}) as http:
        return http.get(path)


def reworded(key: str, change) -> str:
    """A bearer key whose inner text is changed."""
    inner = base64.b64decode(key.removeprefix("bedrock-api-key-")).decode()
    return "bedrock-api-key-" + base64.b64encode(change(inner).encode()).decode()


def parameter(name: str, value: str):
    return lambda inner: re.sub(rf"{name}=[^&]*", f"{name}={urllib.parse.quote(value, safe='')}", inner)


def test_altered_bearer_keys(moho):
    key = bearer_key(moho.credentials())
    assert with_bearer(moho, key).status_code == 200
    assert with_bearer(moho, reworded(key, lambda inner: inner)).status_code == 200
    changes = {
        "signature": lambda inner: re.sub(r"(X-Amz-Signature=)([0-9a-f])", lambda m: m[1] + replaced(m[2], 0), inner),
        "longer life": parameter("X-Amz-Expires", "43199"),
        "too long a life": parameter("X-Amz-Expires", "43201"),
        "no life": parameter("X-Amz-Expires", "0"),
        "another date": parameter("X-Amz-Date", "20990101T000000Z"),
        "another action": parameter("Action", "GetCallerIdentity"),
        "another host": lambda inner: inner.replace("bedrock.amazonaws.com", "evil.example.com", 1),
        "another version": lambda inner: inner.replace("&Version=1", "&Version=2"),
        "no version": lambda inner: inner.replace("&Version=1", ""),
        "version twice": lambda inner: inner + "&Version=1",
        "one more parameter": lambda inner: inner.replace("&X-Amz-Signature", "&Extra=1&X-Amz-Signature"),
        "another scheme": parameter("X-Amz-Algorithm", "AWS4-HMAC-SHA1"),
        "no token": lambda inner: re.sub(r"&X-Amz-Security-Token=[^&]*", "", inner),
        "nothing": lambda inner: "",
    }
    for name, change in changes.items():
        spoiled = reworded(key, change)
        assert spoiled != key, name
        answer = with_bearer(moho, spoiled)
        assert answer.status_code == 401, (name, answer.text)
        assert_openai(answer)


@pytest.mark.parametrize("key", ["x", "sk-1234", "bedrock-api-key-", "bedrock-api-key-%%%", "bedrock-api-key-AAAA", "ABSK" + "A" * 100, "a" * 20000])
def test_foreign_bearer_keys(moho, key):
    assert_openai(with_bearer(moho, key))


def test_expired_bearer_keys(moho):
    with clock_moved(-10 * MINUTE):
        live = short_bearer_key(moho.credentials(), 3600)
        expired = short_bearer_key(moho.credentials(), 60)
    # Old, but not over: a bearer key's own life counts, not the five minutes of a signed request.
    assert with_bearer(moho, live).status_code == 200
    answer = with_bearer(moho, expired)
    assert_openai(answer)
    assert "expired" in answer.json()["error"]["message"].lower()


def test_a_bearer_key_from_the_future(moho):
    with clock_moved(30 * MINUTE):
        key = bearer_key(moho.credentials())
    assert_openai(with_bearer(moho, key))


def test_bearer_keys_are_for_models_only(moho):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {bearer_key(moho.credentials('Admin'))}"}
    answer = identify(moho, headers)
    assert answer.status_code in (400, 403)
    assert "<Arn>" not in answer.text


def test_header_and_query_authentication_do_not_mix(moho):
    headers = signed_headers(moho, "/v1/responses?X-Amz-Signature=00", ASK, "bedrock-mantle")
    assert_openai(post(moho, "/v1/responses?X-Amz-Signature=00", ASK, headers))
