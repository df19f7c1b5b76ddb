"""What came of every call of every API stands in the journal, once: with names and ids in the clear, and the rest sealed."""

import json
import re
from collections import Counter

import httpx2
import pytest

import journal
from asking import try_all
from route_world import operations, two_accounts
from serving import MODEL

UNSIGNED = {"AssumeRoleWithWebIdentity"}
WORDS = "unsaid-words-of-nobody"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with two_accounts(tmp_path_factory.mktemp("calls")) as world:
        yield world


def calls(world) -> list[dict]:
    return journal.events(world.server.data, "call")


def test_every_operation_leaves_one_event_whatever_comes_of_it(world):
    """By whoever may, and whoever may not."""
    wrong = []
    for caller in (world.nobody, world.stranger):
        tried = list(try_all(world, caller))
        events = calls(world)
        told = Counter(event["request_id"] for event in events)
        by_request = {event["request_id"]: event for event in events}
        for service, operation, _spoken, answer in tried:
            if operation in UNSIGNED or service == "s3":
                continue
            event = by_request.get(answer.request_id)
            if told[answer.request_id] != 1:
                wrong.append((service, operation, "events", told[answer.request_id]))
                continue
            source = {"bedrock-runtime": "bedrock", "bedrock-agent": "bedrock"}.get(service, service) + ".amazonaws.com"
            if (event["source"], event["event"]) != (source, operation):
                wrong.append((service, operation, event["source"], event["event"]))
            if event["answer"]["status"] != answer.status or event["answer"].get("error_code") != answer.code:
                wrong.append((service, operation, event["answer"], answer.refusal))
            if not (UUID.fullmatch(event["event_id"]) and event["record"] and event["recipients"]):
                wrong.append((service, operation, "no record"))
    assert not wrong, wrong
    assert len(operations()) > 200


def test_every_call_with_a_decision_has_an_event_and_none_has_one_without_it(world):
    bearer = {"Authorization": f"Bearer {world.admin.bearer_token}"}
    trust = world.server.clients.shown_to(world.server.authority)
    ask = {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 1}
    with httpx2.Client(base_url=world.server.url, verify=trust, headers=bearer, timeout=60, trust_env=False) as http:
        assert http.post("/v1/chat/completions", json=ask | {"stream": True}).status_code == 200
        assert http.get("/v1/models").status_code == 200
    records = journal.verified_records(world.server.data)
    decided = {entry["request_id"]: entry for entry in records if "kind" not in entry and entry["outcome"] in ("allow", "deny") and entry["principal"]}
    told = {entry["request_id"] for entry in records if entry.get("kind") in ("call", "data-event", "service-event")}
    missing = {(decided[request]["action"], decided[request]["reason"]) for request in decided.keys() - told}
    assert not missing
    calls = {entry["request_id"]: entry for entry in records if entry.get("kind") == "call"}
    every = {entry["request_id"] for entry in records if "kind" not in entry}
    # What breaks a rule of its protocol is refused before anything is decided.
    undecided = {(calls[request]["event"], calls[request]["answer"].get("error_code")) for request in calls.keys() - every}
    assert all(code for _, code in undecided), undecided


def test_an_event_says_who_asked_whence_and_about_what(world):
    kms = world.client("kms", world.admin)
    made = kms.create_key(Description=WORDS)
    [event] = journal.of_request(calls(world), made["ResponseMetadata"]["RequestId"])
    assert event["identity"]["type"] == "AssumedRole" and event["identity"]["account"] == world.account
    assert (event["origin"]["source_ip"], event["origin"]["tls"], event["origin"]["secure"]) == ("127.0.0.1", "1.3", True)
    assert (event["category"], event["read_only"], event["form"]) == ("management", False, 1)
    assert event["recipients"] == [world.account]
    assert event["answer"]["delivery"] == "complete" and event["answer"]["bytes_out"] > 0
    described = kms.describe_key(KeyId=made["KeyMetadata"]["KeyId"])
    [event] = journal.of_request(calls(world), described["ResponseMetadata"]["RequestId"])
    assert event["read_only"] and event["subject"]["resources"] == [made["KeyMetadata"]["Arn"]]
    assert WORDS not in json.dumps(journal.verified_records(world.server.data))


def test_a_stream_is_told_as_one(world):
    runtime = world.client("bedrock-runtime", world.admin)
    answer = runtime.converse_stream(modelId=MODEL, messages=[{"role": "user", "content": [{"text": WORDS}]}], inferenceConfig={"maxTokens": 1})
    [event] = journal.of_request(calls(world), answer["ResponseMetadata"]["RequestId"])
    assert (event["event"], event["answer"]["delivery"]) == ("ConverseStream", "begun")
    list(answer["stream"])


def test_whoever_was_answered_is_not_told_of_as_interrupted(world):
    """Of every operation, by whoever may and whoever may not, and of what services do by themselves."""
    for caller in (world.admin, world.stranger):
        assert list(try_all(world, caller))
    world.server.stop()
    world.server.start()
    interrupted = [event for event in journal.events(world.server.data, "service-event") if event["event"] == "InterruptedCall"]
    assert not interrupted, [(event["source"], event["identity"], event["subject"]) for event in interrupted]
