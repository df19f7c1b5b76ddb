"""A marker sent through every API rests nowhere in the clear: not in a file, not in a log line, in no common encoding."""

import base64
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedrock import client, endless_form, streamed_text, text_of
from serving import MODEL, Moho
from signing import bearer_key, signed_headers

MARKER = "Quokka7Xylophone9Marmalade"


def spellings(text: str) -> dict[str, bytes]:
    """The marker as it could stand in a file."""
    plain = text.encode()
    made = {
        "plain": plain,
        "lower case": plain.lower(),
        "UTF-16": text.encode("utf-16-le"),
        "UTF-32": text.encode("utf-32-le"),
        "hexadecimal": plain.hex().encode(),
        "HEXADECIMAL": plain.hex().upper().encode(),
        "backwards": plain[::-1],
        "URL": urllib.parse.quote(text).encode(),
    }
    for shift in range(3):
        # Base64 depends on where in its input the text begins: cut what its neighbours decide.
        whole = base64.b64encode(b"\0" * shift + plain)
        made[f"base64 at {shift}"] = whole[4 if shift else 0 : -4]
    return made


def whole_files(folders: list[Path]) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        for path in [folder, *folder.rglob("*")] if folder.is_dir() else [folder]:
            yield path, path.name.encode()
            if path.is_file():
                yield path, path.read_bytes()


def assert_absent(folders: list[Path], secrets: dict[str, bytes]) -> int:
    looked = 0
    for path, data in whole_files(folders):
        looked += len(data)
        for name, spelling in secrets.items():
            assert spelling not in data and spelling not in data.lower(), f"{name} is in {path}"
    return looked


def send_everywhere(server: Moho) -> list[str]:
    """Puts the marker wherever a tenant's words can go; gives the answers."""
    client = server.openai()
    say = f"Repeat this exactly: {MARKER} {MARKER}"
    schema = {"type": "object", "properties": {MARKER: {"type": "string"}}, "required": [MARKER], "additionalProperties": False}
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    answers = []
    for stream in (False, True):
        for settings in (
            {"input": say, "instructions": f"The password is {MARKER}.", "metadata": {"note": MARKER}, "user": MARKER},
            {"input": [{"role": "developer", "content": MARKER}, {"role": "assistant", "content": MARKER}, {"role": "user", "content": say}]},
            {"input": say, "text": {"format": form}},
            {"input": say, "store": False},
        ):
            made = client.responses.create(model=MODEL, temperature=0, max_output_tokens=48, stream=stream, **settings)
            response = list(made)[-1].response if stream else made
            answers.append(response.output_text)
            if settings.get("store") is not False:
                client.responses.retrieve(response.id)
                list(client.responses.input_items.list(response.id))
                client.responses.create(model=MODEL, input=MARKER, previous_response_id=response.id, max_output_tokens=16)
        for settings in (
            {"messages": [{"role": "system", "content": MARKER}, {"role": "user", "content": say}]},
            {"messages": [{"role": "user", "content": say}], "stop": [f"{MARKER}{MARKER}"], "user": MARKER},
            {"messages": [{"role": "user", "content": say}], "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}},
        ):
            made = client.chat.completions.create(model=MODEL, temperature=0, max_tokens=48, stream=stream, **settings)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in made) if stream else made.choices[0].message.content
            answers.append(text)
    return answers


def send_to_bedrock(server: Moho) -> list[str]:
    """The same through every operation of Bedrock's runtime."""
    runtime = client(server)
    say = f"Repeat this exactly: {MARKER} {MARKER}"
    schema = {"type": "object", "properties": {MARKER: {"type": "string"}}, "required": [MARKER], "additionalProperties": False}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema), "name": "x"}}}}
    turn = [{"role": "user", "content": [{"text": say}]}]
    earlier = [*turn, {"role": "assistant", "content": [{"text": MARKER}]}, *turn]
    answers = []
    for settings in (
        {"messages": turn, "system": [{"text": MARKER}], "inferenceConfig": {"temperature": 0, "maxTokens": 48}},
        {"messages": earlier, "inferenceConfig": {"temperature": 0, "maxTokens": 48, "stopSequences": [MARKER * 2]}},
        {"messages": turn, "inferenceConfig": {"temperature": 0, "maxTokens": 48}, "outputConfig": form},
    ):
        answers.append(text_of(runtime.converse(modelId=MODEL, **settings)))
        answers.append(streamed_text(list(runtime.converse_stream(modelId=MODEL, **settings)["stream"])))
    runtime.count_tokens(modelId=MODEL, input={"converse": {"messages": earlier, "system": [{"text": MARKER}]}})
    for body in (
        {"prompt": say, "max_gen_len": 48, "temperature": 0},
        {"messages": [{"role": "user", "content": say}], "max_tokens": 48, "temperature": 0, "user": MARKER},
    ):
        sent = json.dumps(body)
        whole = json.loads(runtime.invoke_model(modelId=MODEL, body=sent)["body"].read())
        answers.append(whole["generation"] if "generation" in whole else whole["choices"][0]["message"]["content"])
        chunks = list(runtime.invoke_model_with_response_stream(modelId=MODEL, body=sent)["body"])
        assert len(chunks) > 1
        runtime.count_tokens(modelId=MODEL, input={"invokeModel": {"body": sent}})
    return answers


def send_wrongly_to_bedrock(server: Moho) -> None:
    """Requests that fail, each with the marker in what is wrong with it; and what a stream says when it is left."""
    turn = {"role": "user", "content": [{"text": MARKER}]}
    broken = [
        b'{"messages": [{"role": "user", "content": [{"text": "' + MARKER.encode(),
        json.dumps({"messages": [turn, turn]}).encode(),
        json.dumps({"messages": [turn | {"role": MARKER}]}).encode(),
        json.dumps({"messages": [turn], "inferenceConfig": {"temperature": MARKER}}).encode(),
        json.dumps({"messages": [turn], "guardrailConfig": {"guardrailIdentifier": MARKER, "guardrailVersion": "1"}}).encode(),
        json.dumps({"messages": [turn], "toolConfig": {"tools": [{"toolSpec": {"name": MARKER, "inputSchema": {"json": {MARKER: MARKER}}}}]}}).encode(),
        json.dumps({"messages": [{"role": "user", "content": [{"text": MARKER * 5000}]}]}).encode(),
        json.dumps({"prompt": MARKER, "max_gen_len": MARKER}).encode(),
        json.dumps({"input": {"converse": {"messages": [turn, turn]}, MARKER: MARKER}}).encode(),
        json.dumps({"input": {"invokeModel": {"body": base64.b64encode(MARKER.encode()).decode()}}}).encode(),
    ]
    headers = {"Content-Type": "application/json"}
    with server.http(headers | server.bearer()) as http, server.http(headers) as stranger:
        for operation in ("converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens"):
            for body in broken:
                assert http.post(f"/model/{MODEL}/{operation}", content=body).status_code >= 400
                assert stranger.post(f"/model/{MODEL}/{operation}", content=body).status_code == 403
            for model in ("ungranted", f"{MARKER}%2Fnot%20a%20name", f"arn%3Aaws%3A{MARKER}"):
                assert http.post(f"/model/{model}/{operation}", json={"messages": [turn]}).status_code >= 400
        for path in (f"/foundation-models/{MARKER}%2F", f"/foundation-models?byProvider={MARKER}", f"/model/{MODEL}/{MARKER}"):
            http.get(path)
    long = {"messages": [turn], "inferenceConfig": {"temperature": 0, "maxTokens": 8000}, "outputConfig": endless_form()}
    left = client(server).converse_stream(modelId=MODEL, **long)
    next(iter(left["stream"]))
    left["stream"].close()


def send_wrongly(server: Moho) -> None:
    """Requests that fail, each with the marker in what is wrong with it. (A name that a model can have is no content.)"""
    broken = [
        b'{"model": "' + MODEL.encode() + b'", "input": "' + MARKER.encode(),
        json.dumps({"model": MODEL, "input": [{"role": MARKER, "content": MARKER}]}).encode(),
        json.dumps({"model": MODEL, "input": MARKER, "temperature": MARKER}).encode(),
        json.dumps({"model": MODEL, "input": MARKER * 5000}).encode(),
        json.dumps({"model": MODEL, "input": MARKER, "previous_response_id": MARKER}).encode(),
        json.dumps({"model": f"{MARKER}/not a name", "input": MARKER}).encode(),
        json.dumps({"model": "ungranted", "input": MARKER, MARKER: MARKER}).encode(),
        json.dumps({"model": MODEL, "input": MARKER, "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": MARKER}}}}).encode(),
    ]
    headers = {"Content-Type": "application/json"}
    with server.http(headers | server.bearer()) as http, server.http(headers) as stranger:
        for path in ("/v1/responses", "/v1/chat/completions", "/openai/v1/responses"):
            for body in broken:
                assert http.post(path, content=body).status_code >= 400
                assert stranger.post(path, content=body).status_code == 401
        for path in (f"/v1/{MARKER}", f"/v1/responses/{MARKER}", f"/v1/models?x={MARKER}"):
            http.get(path)
        http.get("/v1/models", headers={"User-Agent": MARKER, "Cookie": MARKER, "X-Custom": MARKER})
    form = f"Action=AssumeRole&Version=2011-06-15&RoleSessionName={MARKER}!&RoleArn={MARKER}&{MARKER}={MARKER}".encode()
    with server.http() as http:
        answer = http.post("/", content=form, headers=signed_headers(server, "/", form, "sts", credentials=server.credentials("Admin")))
        assert answer.status_code >= 400


@pytest.mark.parametrize("log", ["info", "trace"])
def test_the_marker_rests_nowhere(make_moho, log):
    server = make_moho(arguments=("--log", log)).start()
    answers = send_everywhere(server) + send_to_bedrock(server)
    assert any(MARKER in answer for answer in answers), "the model never said the marker, so its words were not tried"
    send_wrongly(server)
    send_wrongly_to_bedrock(server)
    folders = [server.data, server.log]

    looked = assert_absent(folders, spellings(MARKER))
    assert looked > 10_000
    server.assert_unharmed()
    server.kill()
    assert_absent(folders, spellings(MARKER))
    # What the model wrote by itself, too.
    own = {f"answer {i}": answer[:60].encode() for i, answer in enumerate(answers) if len(answer) > 30}
    assert_absent(folders, own)
    server.start()
    assert server.stop() == 0
    assert_absent(folders, spellings(MARKER))


def test_no_credential_rests_in_the_clear(make_moho):
    server = make_moho(arguments=("--log", "trace")).start()
    secrets = {}
    for role in ("Admin", "Developer"):
        found = server.credentials(role)
        server.boto3("sts", role).get_caller_identity()
        key = bearer_key(found)
        with server.http({"Authorization": f"Bearer {key}"}) as http:
            assert http.get("/v1/models").status_code == 200
        secrets |= {
            f"{role}'s secret": found.secret_access_key.encode(),
            f"{role}'s token": found.session_token[20:80].encode(),
            f"{role}'s bearer key": key[-60:-4].encode(),
        }
    assert server.stop() == 0
    for path, data in whole_files([server.data, server.log]):
        for name, secret in secrets.items():
            assert secret not in data, f"{name} is in {path}"


def test_nothing_dumps_its_memory(moho):
    """No core file, and no process of the same user may read along (root may: see SECURITY.md)."""
    limits = Path(f"/proc/{moho.pid}/limits").read_text()
    assert any(line.split()[:6] == ["Max", "core", "file", "size", "0", "0"] for line in limits.splitlines())
    status = Path(f"/proc/{moho.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    # Keys are in memory that is never swapped out.
    assert moho.memory("VmLck") > 0
    stat = subprocess.run(["stat", "--format=%u", f"/proc/{moho.pid}/mem"], capture_output=True, text=True, check=True)
    assert stat.stdout.strip() == "0"
