"""Prompts as somebody keeps them who types `aws bedrock-agent`."""

import json
import secrets
import subprocess

import pytest

from serving import MODEL

SERVICE_ERROR = (255, 254)


@pytest.fixture
def aws(moho, tmp_path):
    """Runs `aws bedrock-agent …`; gives what came of it."""
    environment = moho.aws_environment(tmp_path, moho.credentials("Admin"))

    def run(*arguments) -> subprocess.CompletedProcess:
        command = ["aws", "bedrock-agent", *arguments, "--output", "json"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def told(aws):
    """The same, of what has to succeed; gives what it says."""

    def run(*arguments) -> dict:
        finished = aws(*arguments)
        assert finished.returncode == 0, (arguments, finished.stderr)
        return json.loads(finished.stdout)

    return run


def assert_refused(finished, code: str, operation: str) -> None:
    assert finished.returncode in SERVICE_ERROR, (finished.returncode, finished.stderr)
    assert f"An error occurred ({code}) when calling the {operation} operation" in finished.stderr


def of_text(text: str) -> str:
    template = {"text": {"text": text, "inputVariables": [{"name": "thing"}]}}
    return json.dumps([{"name": "only", "templateType": "TEXT", "modelId": MODEL, "templateConfiguration": template}])


def text_of(prompt: dict) -> str:
    return prompt["variants"][0]["templateConfiguration"]["text"]["text"]


def test_a_prompt_from_its_beginning_to_its_end(aws, told):
    name = f"typed-{secrets.token_hex(4)}"
    made = told("create-prompt", "--name", name, "--description", "asks", "--variants", of_text("What is {{thing}}?"), "--tags", "team=blue")
    prompt = made["id"]
    assert (made["name"], made["version"], made["description"]) == (name, "DRAFT", "asks")
    assert told("get-prompt", "--prompt-identifier", made["arn"])["variants"] == made["variants"]
    listed = {found["id"]: found["name"] for found in told("list-prompts")["promptSummaries"]}
    assert listed[prompt] == name
    version = told("create-prompt-version", "--prompt-identifier", prompt, "--description", "first")
    assert version["version"] == "1" and version["arn"] == f"{made['arn']}:1"
    changed = told("update-prompt", "--prompt-identifier", prompt, "--name", name, "--variants", of_text("Why {{thing}}?"))
    assert text_of(changed) == "Why {{thing}}?"
    assert text_of(told("get-prompt", "--prompt-identifier", prompt, "--prompt-version", "1")) == "What is {{thing}}?"
    of_one = told("list-prompts", "--prompt-identifier", prompt, "--max-items", "1")
    assert [found["version"] for found in of_one["promptSummaries"]] == ["DRAFT"] and of_one["NextToken"]
    assert told("list-tags-for-resource", "--resource-arn", made["arn"])["tags"] == {"team": "blue"}
    assert told("delete-prompt", "--prompt-identifier", prompt, "--prompt-version", "1")["version"] == "1"
    assert told("delete-prompt", "--prompt-identifier", prompt)["id"] == prompt
    assert_refused(aws("get-prompt", "--prompt-identifier", prompt), "ResourceNotFoundException", "GetPrompt")


def test_what_is_wrong_has_its_code(aws, told):
    name = f"typed-{secrets.token_hex(4)}"
    made = told("create-prompt", "--name", name)
    assert_refused(aws("create-prompt", "--name", name), "ConflictException", "CreatePrompt")
    wrong = of_text("x").replace("TEXT", "CHAT")
    assert_refused(aws("create-prompt", "--name", f"{name}-2", "--variants", wrong), "ValidationException", "CreatePrompt")
    told("delete-prompt", "--prompt-identifier", made["id"])
