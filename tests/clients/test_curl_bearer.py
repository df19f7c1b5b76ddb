"""curl with bearer keys, over both versions of HTTP."""

import email.utils
import json
import re
import subprocess
import time

import pytest

from serving import MODEL
from signing import bearer_key

BODY = {"model": MODEL, "input": "What is the capital of France?", "temperature": 0, "max_output_tokens": 40}


@pytest.fixture
def curl(moho, tmp_path):
    """Runs curl; gives (status, version, headers, body)."""

    def run(path, *arguments, key=None, body=None):
        configuration = tmp_path / "curlrc"
        configuration.write_text(f'header = "Authorization: Bearer {key or moho.credentials().bearer_token}"\n')
        command = ["curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--config", str(configuration)]
        command += ["--cacert", str(moho.authority), "--dump-header", str(tmp_path / "head"), *arguments]
        if body is not None:
            command += ["--header", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        finished = subprocess.run([*command, moho.url + path], capture_output=True, text=True, timeout=120, check=False)
        assert finished.returncode == 0, finished.stderr
        first, *lines = [line for line in (tmp_path / "head").read_text().splitlines() if line]
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines if ":" in line)}
        version, status = first.split()[:2]
        return int(status), version, headers, finished.stdout

    return run


@pytest.mark.parametrize(("flag", "version"), [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")])
def test_both_versions(curl, flag, version):
    status, spoken, headers, body = curl("/v1/responses", flag, body=BODY)
    assert (status, spoken) == (200, version)
    assert headers["content-type"].startswith("application/json")
    assert headers["moho-attestation"] == "development"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-request-id"])
    sent = email.utils.parsedate_to_datetime(headers["date"]).timestamp()
    assert abs(sent - time.time()) < 60
    assert "Paris" in json.loads(body)["output"][0]["content"][0]["text"]


@pytest.mark.parametrize("flag", ["--http1.1", "--http2"])
def test_streams_over_both_versions(curl, flag):
    status, _, headers, body = curl("/v1/responses", flag, "--no-buffer", body=BODY | {"stream": True})
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert body.startswith("event: response.created\ndata: {")
    assert body.endswith("data: [DONE]\n\n")


def test_every_reply_has_its_own_request_id_errors_too(curl):
    ids = set()
    for path, key, expected in [("/v1/models", None, 200), ("/v1/models", "wrong", 401), ("/nowhere", None, 404)]:
        status, _, headers, _ = curl(path, key=key)
        assert status == expected
        assert headers["moho-attestation"] == "development"
        assert "date" in headers
        ids.add(headers["x-request-id"])
    assert len(ids) == 3


def test_a_key_from_aws_s_own_generator(curl, moho):
    key = bearer_key(moho.credentials())
    assert key.startswith("bedrock-api-key-")
    for path in ("/v1/models", "/openai/v1/models"):
        status, _, _, body = curl(path, key=key)
        assert status == 200, body
        assert MODEL in {model["id"] for model in json.loads(body)["data"]}


def test_provide_token_as_its_readme_says(curl, moho, tmp_path):
    script = "from aws_bedrock_token_generator import provide_token; print(provide_token())"
    environment = moho.aws_environment(tmp_path, moho.credentials())
    made = subprocess.run(["python", "-c", script], env=environment, capture_output=True, text=True, check=True)
    status, _, _, body = curl("/v1/responses", key=made.stdout.strip(), body=BODY)
    assert status == 200, body


def test_health_needs_no_credentials(moho):
    with moho.http() as http:
        answer = http.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["attestation"] == "development"
    assert answer.headers["moho-attestation"] == "development"


def test_tls_is_not_optional_and_not_old(moho):
    plain = ["curl", "--disable", "--silent", "--noproxy", "*", f"http://127.0.0.1:{moho.port}/healthz"]
    assert subprocess.run(plain, capture_output=True, check=False).returncode != 0
    untrusted = ["curl", "--disable", "--silent", "--noproxy", "*", f"{moho.url}/healthz"]
    assert subprocess.run(untrusted, capture_output=True, check=False).returncode == 60
    old = [*untrusted, "--insecure", "--tls-max", "1.1"]
    assert subprocess.run(old, capture_output=True, check=False).returncode == 35
