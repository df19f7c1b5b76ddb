"""The marker on its way to models: through every API that asks them, in what they are asked rightly and wrongly."""

import base64
import json

from bedrock import client, endless_form, streamed_text, text_of
from canary import MARKER
from serving import MODEL, Moho
from signing import signed_headers


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


def send_to_bedrock(server: Moho, runtime=None) -> list[str]:
    """The same through every operation of Bedrock's runtime."""
    runtime = runtime or client(server)
    say = f"Repeat this exactly: {MARKER} {MARKER}"
    schema = {"type": "object", "properties": {MARKER: {"type": "string"}}, "required": [MARKER], "additionalProperties": False}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema), "name": "x"}}}}
    turn = [{"role": "user", "content": [{"text": say}]}]
    earlier = [*turn, {"role": "assistant", "content": [{"text": MARKER}]}, *turn]
    answers = []
    for settings in (
        {"messages": turn, "system": [{"text": MARKER}], "inferenceConfig": {"temperature": 0, "maxTokens": 48}, "requestMetadata": {MARKER: MARKER}},
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
        sent, about = json.dumps(body), json.dumps({MARKER: MARKER})
        whole = json.loads(runtime.invoke_model(modelId=MODEL, body=sent, requestMetadata=about)["body"].read())
        answers.append(whole["generation"] if "generation" in whole else whole["choices"][0]["message"]["content"])
        chunks = list(runtime.invoke_model_with_response_stream(modelId=MODEL, body=sent, requestMetadata=about)["body"])
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
