"""The marker on its way into prompts and conversations, and back."""

from collections.abc import Callable

from botocore.exceptions import ClientError

from canary import MARKER
from canary_cases import Routes
from serving import MODEL

SCHEMA = {"json": {"type": "object", "properties": {MARKER: {"type": "string"}}}}
TEXT = {
    "name": "text",
    "templateType": "TEXT",
    "modelId": MODEL,
    "inferenceConfiguration": {"text": {"temperature": 0, "maxTokens": 8, "stopSequences": [MARKER * 2]}},
    "metadata": [{"key": MARKER, "value": MARKER}],
    "templateConfiguration": {"text": {"text": f"Repeat {MARKER}, {{{{what}}}}.", "inputVariables": [{"name": "what"}]}},
}
CHAT = TEXT | {
    "name": "chat",
    "templateType": "CHAT",
    "templateConfiguration": {
        "chat": {
            "system": [{"text": MARKER}],
            "messages": [{"role": "user", "content": [{"text": f"{MARKER} {{{{what}}}}"}]}],
            "inputVariables": [{"name": "what"}],
        }
    },
}
VARIABLES = {"what": {"text": MARKER}}


def send_to_prompts(agent, runtime, key: str) -> str:
    """Through every operation on prompts, and through models that are asked with them. The id of one that stays."""
    chat = {"description": MARKER, "variants": [CHAT], "defaultVariant": "chat"}
    text = {"description": MARKER, "variants": [TEXT], "defaultVariant": "text"}
    kept = agent.create_prompt(name="kept", customerEncryptionKeyArn=key, **text)
    agent.update_prompt(promptIdentifier=kept["id"], name="kept", customerEncryptionKeyArn=key, **chat)
    version = agent.create_prompt_version(promptIdentifier=kept["id"], description=MARKER)
    assert MARKER in str(agent.get_prompt(promptIdentifier=kept["id"], promptVersion=version["version"])["variants"])
    agent.list_prompts(promptIdentifier=kept["id"])
    gone = agent.create_prompt(name="gone", **chat)
    agent.update_prompt(promptIdentifier=gone["id"], name="gone", **text)
    agent.delete_prompt(promptIdentifier=gone["id"])
    runtime.converse(modelId=kept["arn"], promptVariables=VARIABLES)
    list(runtime.converse_stream(modelId=version["arn"], promptVariables=VARIABLES)["stream"])
    send_wrongly_to_prompts(agent, runtime, kept)
    return kept["id"]


def send_wrongly_to_prompts(agent, runtime, kept: dict) -> None:
    """What is refused, with the marker in it."""
    tools = {"tools": [{"toolSpec": {"name": "tool", "description": MARKER, "inputSchema": SCHEMA}}]}
    called = CHAT | {"templateConfiguration": {"chat": CHAT["templateConfiguration"]["chat"] | {"toolConfiguration": tools}}}
    for name, variant in {
        "fields": TEXT | {"additionalModelRequestFields": {"canary": MARKER}},
        "tools": called,
        "kind": TEXT | {"templateType": MARKER},
        "model": TEXT | {"modelId": f"{MARKER}/none"},
        "variable": TEXT | {"templateConfiguration": {"text": {"text": f"{{{{{MARKER}}}}}", "inputVariables": []}}},
    }.items():
        attempt(agent.create_prompt, name=name, variants=[variant])
        attempt(agent.update_prompt, name="kept", variants=[variant], promptIdentifier=kept["id"])
    # What an update may have taken is put right.
    agent.update_prompt(promptIdentifier=kept["id"], name="kept", variants=[CHAT], defaultVariant="chat")
    for wrong in ({MARKER: {"text": MARKER}}, {}, {"what": {"text": MARKER * 9000}}):
        assert attempt(runtime.converse, modelId=kept["arn"], promptVariables=wrong)


def attempt(call: Callable, **asked) -> str | None:
    """The code of the refusal, if it is one."""
    try:
        call(**asked)
    except ClientError as refusal:
        assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] < 500, refusal
        return refusal.response["Error"]["Code"]
    return None


def message(text: str) -> dict:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def send_to_conversations(routes: Routes, prompt: str) -> str:
    """Through every route of conversations, and through responses that go on with one. The id of one that
    stays."""
    begun = {"items": [message(MARKER)], "metadata": {MARKER: MARKER}}
    kept = routes.ask("POST /conversations", begun).json()["id"]
    gone = routes.ask("POST /conversations", begun).json()["id"]
    routes.ask("POST /conversations/{conversation}", {"metadata": {MARKER: MARKER}}, conversation=kept)
    added = routes.ask("POST /conversations/{conversation}/items", {"items": [message(MARKER), message(MARKER)]}, conversation=kept).json()["data"]
    assert MARKER in routes.ask("GET /conversations/{conversation}", conversation=kept).text
    assert MARKER in routes.ask("GET /conversations/{conversation}/items", conversation=kept).text
    assert MARKER in routes.ask("GET /conversations/{conversation}/items/{item}", conversation=kept, item=added[0]["id"]).text
    routes.ask("DELETE /conversations/{conversation}/items/{item}", conversation=kept, item=added[1]["id"])
    routes.ask("DELETE /conversations/{conversation}", conversation=gone)
    ask = {"model": MODEL, "input": MARKER, "conversation": kept, "max_output_tokens": 16}
    assert routes.ask("POST /responses", ask).status_code == 200
    prompted = {"prompt": {"id": prompt, "variables": {"what": MARKER}}}
    assert routes.ask("POST /responses", prompted).status_code == 200
    wrong = ({"items": [message(MARKER) | {"role": MARKER}]}, {"metadata": {MARKER: {MARKER: MARKER}}}, {"items": MARKER}, {MARKER: MARKER})
    for body in wrong:
        for route in ("POST /conversations", "POST /conversations/{conversation}", "POST /conversations/{conversation}/items"):
            routes.ask(route, body, conversation=kept)
    for path in (f"/conversations/{MARKER}", f"/conversations/{kept}/items/{MARKER}", f"/conversations/{kept}/items?after={MARKER}"):
        routes.ask(f"GET {path}")
    return kept
