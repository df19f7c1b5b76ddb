"""Every refusal is a body of its own protocol, about its own request: no word of another's is in it, nor the caller's own words."""

import itertools
import json
import re
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from serving import MODEL
from signing import signed_headers

WORKERS = 8
ROUNDS = 3


@dataclass(frozen=True)
class Wrong:
    """A request that must fail, with what marks it."""

    method: str
    path: str
    body: bytes
    shape: str
    service: str = "bedrock-mantle"


def chat(word, **fields):
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": word}], "max_completion_tokens": 8} | fields).encode()


def responses(word, **fields):
    return json.dumps({"model": MODEL, "input": word, "instructions": word, "max_output_tokens": 16, "store": False} | fields).encode()


def converse(word, **fields):
    return json.dumps({"messages": [{"role": "user", "content": [{"text": word}]}], "system": [{"text": word}]} | fields).encode()


def wrong(word: str, name: str) -> list[Wrong]:
    """One request of each kind. `word` stands where a tenant's words do, `name` where names do."""
    made = []
    for path in ("/v1", "/openai/v1"):
        for body in [
            chat(word, temperature=99),
            chat(word, messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": word}}]}]),
            chat(word, messages=[{"role": word, "content": word}]),
            chat(word, stop=[word] * 100),
            chat(word, n=word),
            chat(word, logit_bias={word: word}),
            chat(word, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": word}}}),
            chat(word, model=f"{name}-model"),
            chat(word * 2000),
            f'{{"model": "{MODEL}", "messages": [{{"content": "{word}'.encode(),
            word.encode(),
        ]:
            made.append(Wrong("POST", f"{path}/chat/completions", body, "openai"))
        for body in [
            responses(word, temperature="hot " + word),
            responses(word, input=[{"role": "user", "content": [{"type": "input_file", "file_data": word}]}]),
            responses(word, metadata={word: 5}),
            responses(word, text={"format": {"type": "json_schema", "name": "x", "schema": {"$ref": word}}}),
            responses(word, previous_response_id="resp_" + "0" * 48),
            responses(word, previous_response_id=word),
            responses(word, model=f"{name}-model"),
            responses(word * 2000),
        ]:
            made.append(Wrong("POST", f"{path}/responses", body, "openai"))
        made.append(Wrong("GET", f"{path}/responses/resp_{'1' * 48}", b"", "openai"))
        made.append(Wrong("DELETE", f"{path}/responses/{word}", b"", "openai"))
        made.append(Wrong("GET", f"{path}/responses/resp_{'1' * 48}/input_items?after={word}&limit={word}", b"", "openai"))
        made.append(Wrong("GET", f"{path}/models/{name}", b"", "openai"))
        made.append(Wrong("GET", f"{path}/{word}", b"", "openai"))
    for operation in ("converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens"):
        path = f"/model/{MODEL}/{operation}"
        for body in [
            converse(word, inferenceConfig={"temperature": 99}),
            converse(word, messages=[{"role": word, "content": [{"text": word}]}]),
            converse(word, toolConfig={"tools": [{"toolSpec": {"name": name, "description": word}}]}),
            json.dumps({"prompt": word, "temperature": word}).encode(),
            json.dumps({"input": {word: word}}).encode(),
            f'{{"messages": [{{"content": "{word}'.encode(),
            b"",
        ]:
            made.append(Wrong("POST", path, body, "rest-json", "bedrock"))
        made.append(Wrong("POST", f"/model/{name}-model/{operation}", b'{"messages": 1, "prompt": 1, "input": 1}', "rest-json", "bedrock"))
    made.append(Wrong("GET", f"/foundation-models/{name}", b"", "rest-json", "bedrock"))
    for form in [
        f"Action={name}&Version=2011-06-15",
        f"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/none&RoleSessionName={name}&Policy={word}",
        f"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/none&RoleSessionName={name}&DurationSeconds={word}",
        f"Action=AssumeRole&Version=2011-06-15&ExternalId={word}",
    ]:
        made.append(Wrong("POST", "/", form.encode(), "query", "sts"))
    return made


def told(answer, shape: str) -> str:
    """The message of an error that is whole and of its protocol."""
    assert 400 <= answer.status_code < 600, answer.text
    request_id = answer.headers["x-amzn-requestid"]
    assert answer.headers["x-request-id"] == request_id
    assert int(answer.headers["content-length"]) == len(answer.content)
    if shape == "query":
        root = xml.etree.ElementTree.fromstring(answer.text)
        spaced = re.fullmatch(r"\{(https://[a-z]+\.amazonaws\.com/doc/[0-9-]+/)\}ErrorResponse", root.tag)[1]
        values = {tag: root.findtext(f".//{{{spaced}}}{tag}") for tag in ("Type", "Code", "Message", "RequestId")}
        assert values["RequestId"] == request_id and values["Type"] in ("Sender", "Receiver") and values["Code"]
        return values["Message"]
    body = answer.json()
    if shape == "openai":
        assert body.keys() == {"error"} and body["error"].keys() == {"message", "type", "param", "code"}
        return body["error"]["message"]
    assert body.keys() == {"message"} and re.fullmatch("[A-Za-z]+Exception", answer.headers["x-amzn-errortype"])
    return body["message"]


def test_an_error_is_about_its_own_request_and_repeats_no_words(moho):
    counter = itertools.count()

    def caller(worker: int):
        role = ("Developer", "Admin")[worker % 2]
        answers = []
        with moho.http() as http:
            for _ in range(ROUNDS):
                number = next(counter)
                word, name = f"zword{number:06}w", f"zname{number:06}n"
                requests = wrong(word, name)
                # Each worker begins elsewhere, so that different requests meet.
                for request in (requests[worker * 7 :] + requests[: worker * 7])[:: 1 + worker % 3]:
                    if request.shape == "openai" and worker % 4 < 2:
                        headers = moho.bearer(role)
                    else:
                        found = moho.credentials(role)
                        headers = signed_headers(moho, request.path, request.body, request.service, credentials=found, method=request.method)
                    answer = http.request(request.method, request.path, content=request.body, headers=headers)
                    answers.append((request, word, name, answer))
        return answers

    for role in ("Developer", "Admin"):
        moho.credentials(role)
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = [answer for found in pool.map(caller, range(WORKERS)) for answer in found]
    ids = [answer.headers["x-amzn-requestid"] for *_, answer in answers]
    assert len(set(ids)) == len(ids) > 500
    for request, word, name, answer in answers:
        where = (request, answer.status_code, answer.text)
        assert told(answer, request.shape), where
        everything = answer.text + repr(answer.headers.multi_items())
        assert set(re.findall("zword[0-9]{6}w", everything)) == set(), where
        assert set(re.findall("zname[0-9]{6}n", everything)) <= {name}, where
        assert answer.status_code != 500, where
    words = re.findall("zword[0-9]{6}w|zname[0-9]{6}n", moho.log_text())
    assert words == []


@pytest.mark.parametrize("flag", ["authorization", "query"])
def test_a_stranger_is_told_nothing_of_what_was_sent(moho, flag):
    with moho.http() as http:
        for request in wrong("zword000000w", "zname000000n"):
            url, headers = request.path, {"Content-Type": "application/json"}
            if request.shape == "query":
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            if flag == "authorization":
                headers["Authorization"] = "Bearer zword000000w"
            else:
                url += ("&" if "?" in url else "?") + "X-Amz-Signature=zword000000w"
            answer = http.request(request.method, url, content=request.body, headers=headers)
            shape = "openai" if answer.headers["content-type"] == "application/json" and "error" in answer.json() else request.shape
            assert told(answer, shape)
            assert answer.status_code in (400, 401, 403, 404), (request, answer.text)
            assert "zword" not in answer.text and "zname" not in answer.text, (request, answer.text)
