"""URLs that carry their own proof, as botocore presigns them: they work as sent, for as long as they say, and unchanged."""

import datetime
import json
import re
import urllib.parse

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from serving import MODEL
from signing import boto, clock_moved, replaced, signed_headers

IDENTITY = "/?Action=GetCallerIdentity&Version=2011-06-15"
SECOND = datetime.timedelta(seconds=1)


def presigned(moho, path, service, *, seconds=60, method="GET", role="Developer", headers=None, body=b""):
    """Path and query as botocore's own presigner makes them."""
    found = moho.credentials(role)
    request = AWSRequest(method, moho.url + path, headers=headers or {}, data=body)
    botocore.auth.SigV4QueryAuth(boto(found), service, found.region, expires=seconds).add_auth(request)
    assert "Authorization" not in request.headers
    return request.url.removeprefix(moho.url)


def send(moho, url, method="GET", headers=None, body=b""):
    with moho.http() as http:
        return http.request(method, url, headers=headers, content=body)


def changed(url, name, change):
    """The URL with one parameter's value changed, or left out where `change` gives nothing."""
    path, _, query = url.partition("?")
    pairs = []
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == name:
            value = change(urllib.parse.unquote(value))
            if value is None:
                continue
        pairs.append(f"{key}={urllib.parse.quote(urllib.parse.unquote(value), safe='')}")
    assert "&".join(pairs) != query
    return f"{path}?{'&'.join(pairs)}"


def refused_by_sts(answer, status, code):
    assert answer.status_code == status, answer.text
    assert f"<Code>{code}</Code>" in answer.text, answer.text
    assert answer.headers["x-amzn-requestid"] in answer.text
    return re.search("<Message>([^<]*)</Message>", answer.text)[1]


@pytest.mark.parametrize("service", ["bedrock", "bedrock-mantle"])
@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
def test_models_are_listed_by_a_url_alone(moho, prefix, service):
    answer = send(moho, presigned(moho, f"{prefix}/models", service))
    assert answer.status_code == 200, answer.text
    assert MODEL in [model["id"] for model in answer.json()["data"]]


@pytest.mark.parametrize("query", ["", "?byOutputModality=TEXT"])
def test_foundation_models_are_listed_by_a_url_alone(moho, query):
    url = presigned(moho, f"/foundation-models{query}", "bedrock")
    answer = send(moho, url)
    assert answer.status_code == 200, answer.text
    assert MODEL in [model["modelId"] for model in answer.json()["modelSummaries"]]
    expired = send(moho, changed(url, "X-Amz-Date", lambda value: "2025" + value[4:]))
    assert expired.status_code == 403 and expired.headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert send(moho, changed(url, "X-Amz-Signature", lambda value: replaced(value, 0))).status_code == 403


def test_a_stored_response_is_read_by_a_url_alone(moho):
    made = moho.openai().responses.create(model=MODEL, input="Hi!", max_output_tokens=16)
    url = presigned(moho, f"/v1/responses/{made.id}", "bedrock-mantle")
    assert send(moho, url).json()["id"] == made.id
    items = presigned(moho, f"/v1/responses/{made.id}/input_items?limit=1&order=asc", "bedrock-mantle")
    assert len(send(moho, items).json()["data"]) == 1
    assert send(moho, url, "DELETE").status_code == 401, "a URL to read is none to delete"
    assert send(moho, url).status_code == 200
    remove = presigned(moho, f"/v1/responses/{made.id}", "bedrock-mantle", method="DELETE")
    assert send(moho, remove, "DELETE").status_code == 200
    assert send(moho, url).status_code == 404


def test_who_made_the_url_is_told_by_sts(moho):
    for method in ("GET", "POST"):
        answer = send(moho, presigned(moho, IDENTITY, "sts", method=method), method, {"Accept": "application/xml"})
        assert answer.status_code == 200, answer.text
        assert re.search("<Arn>arn:aws:sts::[0-9]{12}:assumed-role/Developer/[^<]+</Arn>", answer.text)
    # As authenticators of clusters do: a header of theirs is part of what is signed.
    bound = {"x-k8s-aws-id": "cluster"}
    url = presigned(moho, IDENTITY, "sts", headers=bound)
    assert send(moho, url, headers=bound).status_code == 200
    refused_by_sts(send(moho, url, headers={"x-k8s-aws-id": "another"}), 403, "SignatureDoesNotMatch")
    refused_by_sts(send(moho, url), 400, "IncompleteSignature")


@pytest.mark.parametrize("method", [None, "GET"])
def test_what_boto3_generates_is_taken(moho, method):
    found = moho.credentials()
    client = boto3.client(
        "sts",
        endpoint_url=moho.url,
        region_name=found.region,
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
        config=Config(proxies={}),
    )
    url = client.generate_presigned_url("get_caller_identity", HttpMethod=method, ExpiresIn=60)
    answer = send(moho, url.removeprefix(moho.url), method or "POST")
    assert answer.status_code == 200, answer.text
    assert "/Developer/" in answer.text


def test_a_url_ends_when_it_says(moho):
    with clock_moved(-40 * SECOND):
        live, over = (presigned(moho, IDENTITY, "sts", seconds=seconds) for seconds in (600, 30))
        models = presigned(moho, "/v1/models", "bedrock", seconds=30)
    assert send(moho, live).status_code == 200
    told = refused_by_sts(send(moho, over), 403, "SignatureDoesNotMatch")
    assert re.fullmatch(r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 30 sec\.\).*", told), told
    assert send(moho, models).status_code == 401
    with clock_moved(-1000 * SECOND):
        old = presigned(moho, IDENTITY, "sts", seconds=3600)
    assert send(moho, old).status_code == 200, "not the five minutes of a header"
    with clock_moved(600 * SECOND):
        early = presigned(moho, IDENTITY, "sts")
    assert refused_by_sts(send(moho, early), 403, "SignatureDoesNotMatch").startswith("Signature not yet current: ")


def test_an_altered_url_is_refused(moho):
    url = presigned(moho, IDENTITY, "sts")
    assert send(moho, url).status_code == 200
    mismatch, incomplete = (403, "SignatureDoesNotMatch"), (400, "IncompleteSignature")
    unknown = (403, "InvalidClientTokenId")
    for name, change, expected in [
        ("X-Amz-Signature", lambda value: replaced(value, -1), mismatch),
        ("X-Amz-Expires", lambda _: "61", mismatch),
        ("Version", lambda _: "2011-06-16", mismatch),
        ("X-Amz-Date", lambda value: replaced(value, -2), mismatch),
        ("X-Amz-Credential", lambda value: value.replace("/sts/", "/iam/"), mismatch),
        ("X-Amz-Credential", lambda value: replaced(value, 10), unknown),
        ("X-Amz-Security-Token", lambda value: replaced(value, len(value) // 2), unknown),
        ("X-Amz-Security-Token", lambda _: None, unknown),
        ("X-Amz-Expires", lambda _: "604801", incomplete),
        ("X-Amz-Expires", lambda _: "0", incomplete),
        ("X-Amz-Expires", lambda _: None, incomplete),
        ("X-Amz-Signature", lambda _: None, incomplete),
        ("X-Amz-Algorithm", lambda _: "AWS4-HMAC-SHA1", incomplete),
        ("X-Amz-SignedHeaders", lambda _: "user-agent", incomplete),
    ]:
        answer = send(moho, changed(url, name, change))
        assert answer.status_code == expected[0], (name, expected, answer.text)
        refused_by_sts(answer, *expected)
    refused_by_sts(send(moho, url + "&x=1"), *mismatch)
    refused_by_sts(send(moho, url + "&X-Amz-Expires=60"), *incomplete)
    refused_by_sts(send(moho, url, "POST"), *mismatch)
    refused_by_sts(send(moho, url, body=b"Action=AssumeRole"), *mismatch)


def test_one_proof_not_two(moho):
    url = presigned(moho, IDENTITY, "sts")
    header = signed_headers(moho, url, b"", "sts", method="GET")
    refused_by_sts(send(moho, url, headers=header), 400, "IncompleteSignature")
    token = {"X-Amz-Security-Token": moho.credentials().session_token}
    refused_by_sts(send(moho, url, headers=token), 400, "IncompleteSignature")
    models = presigned(moho, "/v1/models", "bedrock")
    assert send(moho, models, headers=moho.bearer()).status_code == 401


def test_a_body_is_what_was_signed(moho):
    """Without a word about the body, a URL is for an empty one; a client may sign another."""
    body = json.dumps({"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False}).encode()
    kind = {"Content-Type": "application/json"}
    empty = presigned(moho, "/v1/responses", "bedrock-mantle", method="POST")
    assert send(moho, empty, "POST", kind, body).status_code == 401
    assert send(moho, empty, "POST", kind).status_code == 400, "nothing to read"


def test_what_the_caller_may_not_do_a_url_may_not(moho):
    made = moho.openai().responses.create(model=MODEL, input="Hi!", max_output_tokens=16)
    url = presigned(moho, f"/v1/responses/{made.id}", "bedrock-mantle", role="Admin")
    by_header = send(moho, f"/v1/responses/{made.id}", headers=moho.bearer("Admin")).status_code
    assert send(moho, url).status_code == by_header


def test_a_url_is_written_nowhere(moho):
    url = presigned(moho, "/v1/models", "bedrock")
    assert send(moho, url).status_code == 200
    signature = re.search("X-Amz-Signature=([0-9a-f]{64})", url)[1]
    assert signature not in moho.log_text()
    files = [path for path in moho.data.rglob("*") if path.is_file()]
    assert files and not any(signature.encode() in path.read_bytes() for path in files)
