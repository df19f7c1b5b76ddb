"""A call that moho was killed at has been decided on, and may have been done: the next start tells of it."""

import json
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import journal
from bedrock import QUESTION, client
from observing import eventually
from serving import MODEL

LONG = {"maxTokens": 500, "temperature": 0}


def told(server) -> list[dict]:
    return [event for event in journal.events(server.data, "service-event") if event["event"] == "InterruptedCall"]


def killed_at(server) -> str:
    """Begins a call that takes long, and kills the server once that is allowed: its request's id."""
    runtime = client(server)

    def ask():
        with pytest.raises((BotoCoreError, ClientError)):
            runtime.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=LONG)

    def allowed() -> set[str]:
        decided = {entry["request_id"] for entry in journal.verified_entries(server.data) if entry["action"] == "bedrock:InvokeModel"}
        return decided - {event["request_id"] for event in journal.verified_records(server.data) if "kind" in event}

    asking = threading.Thread(target=ask)
    asking.start()
    eventually("the call is allowed", allowed)
    server.kill()
    asking.join()
    [request] = allowed()
    return request


def test_a_call_that_it_was_killed_at_is_told_of_once_at_the_next_start(make_moho):
    server = make_moho().start()
    caller = server.boto3("sts", role="Developer").get_caller_identity()
    request = killed_at(server)
    server.start()
    [event] = told(server)
    assert (event["request_id"], event["source"], event["category"]) == (request, "bedrock.amazonaws.com", "management")
    assert event["answer"] == {"status": None, "bytes_in": 0, "bytes_out": 0, "delivery": "interrupted"}
    assert (event["identity"]["type"], event["identity"]["account"]) == ("AssumedRole", caller["Account"])
    assert event["recipients"] == [caller["Account"]]

    wanted = [{"AttributeKey": "EventName", "AttributeValue": "InterruptedCall"}]
    trails = server.boto3("cloudtrail", role="Admin")
    [found] = eventually("it is looked up", lambda: trails.lookup_events(LookupAttributes=wanted)["Events"])
    record = json.loads(found["CloudTrailEvent"])
    assert (record["eventType"], record["requestID"], record["sourceIPAddress"]) == ("AwsServiceEvent", request, "127.0.0.1")
    assert record["userIdentity"]["arn"] == event["identity"]["principal"]
    assert record["serviceEventDetails"]["actions"][0].startswith("bedrock:")
    assert found["EventId"] == event["event_id"] == record["eventID"]

    # Told once is enough, however it ends.
    server.kill()
    server.start()
    assert server.stop() == 0
    server.start()
    assert told(server) == [event]
