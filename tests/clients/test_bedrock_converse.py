"""Converse and ConverseStream as boto3 uses them, with both kinds of credentials."""

import json
import signal

import botocore.eventstream
import botocore.exceptions
import pytest

import journal
from bedrock import ENDLESS, GREEDY, QUESTION, bearer_client, client, endless_form, model_arn, streamed_text, text_of
from serving import MODEL, Moho
from signing import bearer_key

KINDS = ["sigv4", "bearer", "generated bearer"]


def made(kind, moho, monkeypatch, **options):
    if kind == "sigv4":
        return client(moho, **options)
    return bearer_client(moho, monkeypatch, bearer_key(moho.credentials()) if kind.startswith("generated") else None, **options)


def converse(runtime, messages=QUESTION, *, model=MODEL, **changes):
    return runtime.converse(**{"modelId": model, "messages": messages, "inferenceConfig": GREEDY} | changes)


def stream(runtime, messages=QUESTION, *, model=MODEL, **changes):
    answer = runtime.converse_stream(**{"modelId": model, "messages": messages, "inferenceConfig": GREEDY} | changes)
    return list(answer["stream"])


@pytest.mark.parametrize("kind", KINDS)
def test_converse(moho, monkeypatch, kind):
    answer = converse(made(kind, moho, monkeypatch))
    assert "Paris" in text_of(answer)
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert usage["inputTokens"] > 5 and 0 < usage["outputTokens"] <= 40
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert answer["metrics"]["latencyMs"] >= 0
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["moho-attestation"] == "development"


def test_the_answer_is_that_of_chat_completions(moho):
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    chat = moho.openai().chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=40)
    answer = converse(client(moho))
    assert text_of(answer) == chat.choices[0].message.content
    assert answer["usage"]["inputTokens"] == chat.usage.prompt_tokens
    assert answer["usage"]["outputTokens"] == chat.usage.completion_tokens


@pytest.mark.parametrize("kind", KINDS)
def test_converse_stream(moho, monkeypatch, kind):
    runtime = made(kind, moho, monkeypatch)
    events = stream(runtime)
    names = [next(iter(event)) for event in events]
    assert names[0] == "messageStart" and events[0]["messageStart"] == {"role": "assistant"}
    assert names[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert set(names[1:-3]) == {"contentBlockDelta"} and len(names) > 6
    assert {event["contentBlockDelta"]["contentBlockIndex"] for event in events[1:-3]} == {0}
    assert events[-3]["contentBlockStop"]["contentBlockIndex"] == 0
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    whole = converse(runtime)
    assert streamed_text(events) == text_of(whole)
    told = events[-1]["metadata"]
    assert told["usage"]["outputTokens"] == whole["usage"]["outputTokens"]
    assert told["usage"]["totalTokens"] == whole["usage"]["totalTokens"]
    assert told["metrics"]["latencyMs"] >= 0


def frames(answer) -> list[botocore.eventstream.EventStreamMessage]:
    """The messages of a raw body; botocore checks both CRCs of each."""
    buffer = botocore.eventstream.EventStreamBuffer()
    buffer.add_data(answer.content)
    found = list(buffer)
    assert sum(message.prelude.total_length for message in found) == len(answer.content), "there is something between the frames"
    return found


def test_stream_bytes(moho):
    body = {"messages": QUESTION, "inferenceConfig": GREEDY}
    with moho.http(moho.bearer()) as http:
        answer = http.post(f"/model/{MODEL}/converse-stream", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert "x-amzn-requestid" in answer.headers
    for message in frames(answer):
        assert message.headers[":message-type"] == "event"
        assert message.headers[":content-type"] == "application/json"
        assert isinstance(json.loads(message.payload), dict)


@pytest.mark.parametrize("form", ["id", "arn"])
def test_forms_of_a_model_s_name(moho, form):
    model = MODEL if form == "id" else model_arn(moho)
    runtime = client(moho)
    assert "Paris" in text_of(converse(runtime, model=model))
    assert "Paris" in streamed_text(stream(runtime, model=model))


@pytest.mark.parametrize("spelling", ["{id}", "{id_encoded}", "{arn_encoded}", "{arn_encoded_slash_only}"])
def test_spellings_of_a_model_s_name(moho, spelling):
    """A label is decoded once, whatever of it was encoded."""
    arn = model_arn(moho)
    encoded = "".join(f"%{byte:02x}" for byte in MODEL.encode())
    path = spelling.format(
        id=MODEL,
        id_encoded=encoded,
        arn_encoded=arn.replace(":", "%3A").replace("/", "%2F"),
        arn_encoded_slash_only=arn.replace("/", "%2f"),
    )
    with moho.http(moho.bearer()) as http:
        answer = http.post(f"/model/{path}/converse", json={"messages": QUESTION, "inferenceConfig": GREEDY})
        assert answer.status_code == 200, answer.text
        if "%" in path:
            twice = http.post(f"/model/{path.replace('%', '%25')}/converse", json={"messages": QUESTION, "inferenceConfig": GREEDY})
            assert twice.status_code in (400, 404), twice.text


def test_system_and_earlier_turns(moho):
    """They reach the model as those of a chat completion do."""
    turns = [("user", ["My name is Ada."]), ("assistant", ["Hello, Ada."]), ("user", ["What is the capital", " of France?"])]
    answer = converse(
        client(moho),
        [{"role": role, "content": [{"text": text} for text in texts]} for role, texts in turns],
        system=[{"text": "Answer in one sentence."}],
    )
    chat = moho.openai().chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Answer in one sentence."},
            *({"role": role, "content": [{"type": "text", "text": text} for text in texts]} for role, texts in turns),
        ],
        temperature=0,
        max_tokens=40,
    )
    assert text_of(answer) == chat.choices[0].message.content
    assert answer["usage"]["inputTokens"] == chat.usage.prompt_tokens


def test_a_cut_answer(moho):
    story = [{"role": "user", "content": [{"text": "Tell me a long story."}]}]
    runtime = client(moho)
    limits = {"temperature": 0, "maxTokens": 9}
    answer = converse(runtime, story, inferenceConfig=limits)
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 9)
    events = stream(runtime, story, inferenceConfig=limits)
    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 9


def test_stop_sequences(moho):
    runtime = client(moho)
    whole = text_of(converse(runtime))
    limits = GREEDY | {"stopSequences": ["nowhere to be seen", "Paris"]}
    answer = converse(runtime, inferenceConfig=limits)
    assert answer["stopReason"] == "stop_sequence"
    assert text_of(answer) == whole.split("Paris")[0]
    events = stream(runtime, inferenceConfig=limits)
    assert streamed_text(events) == whole.split("Paris")[0]
    assert events[-2]["messageStop"]["stopReason"] == "stop_sequence"


def test_a_schema_is_kept_to(moho):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema), "name": "place"}}}}
    answer = converse(client(moho), outputConfig=form, inferenceConfig={"temperature": 0, "maxTokens": 200})
    assert json.loads(text_of(answer)).keys() == {"city"}


def test_decisions_are_journaled(moho):
    runtime = client(moho)
    answers = {
        "bedrock:InvokeModel": converse(runtime),
        "bedrock:InvokeModelWithResponseStream": runtime.converse_stream(modelId=MODEL, messages=QUESTION, inferenceConfig=GREEDY),
    }
    list(answers["bedrock:InvokeModelWithResponseStream"]["stream"])
    with moho.http(moho.bearer()) as http:
        by_key = http.post(f"/model/{MODEL}/converse", json={"messages": QUESTION, "inferenceConfig": GREEDY})
    entries = journal.verified_entries(moho.data)
    for action, answer in answers.items():
        [entry] = journal.of_request(entries, answer["ResponseMetadata"]["RequestId"])
        assert (entry["outcome"], entry["action"], entry["resource"]) == ("allow", action, model_arn(moho))
        assert (entry["scheme"], entry["source_ip"]) == ("sigv4", "127.0.0.1")
    first, second = journal.of_request(entries, by_key.headers["x-amzn-requestid"])
    assert [entry["action"] for entry in (first, second)] == ["bedrock:CallWithBearerToken", "bedrock:InvokeModel"]
    assert {entry["outcome"] for entry in (first, second)} == {"allow"}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server that runs one sequence at a time, so that one left behind would hold up the next for minutes."""
    server = Moho(tmp_path_factory.mktemp("narrow") / "data", arguments=("--sequences", "1", "--queue", "1"))
    try:
        yield server.start()
    finally:
        server.end()


LONG = {"inferenceConfig": {"temperature": 0, "maxTokens": 8000}, "outputConfig": endless_form()}


@pytest.mark.parametrize("events", [1, 2, 20])
def test_leaving_a_stream(narrow, events):
    for _ in range(3):
        answer = client(narrow).converse_stream(modelId=MODEL, messages=QUESTION, **LONG)
        read = iter(answer["stream"])
        for _ in range(events):
            next(read)
        answer["stream"].close()
        assert text_of(converse(client(narrow, read_timeout=30)))
    narrow.assert_unharmed()


@pytest.mark.parametrize("operation", ["converse", "llama", "chat"])
def test_a_stream_that_cannot_go_on_ends_in_an_exception(make_moho, operation):
    """Never in silence, and never as if all had been said."""
    server = make_moho(arguments=("--drain-seconds", "1")).start()
    runtime = client(server)
    if operation == "converse":
        answer = runtime.converse_stream(modelId=MODEL, messages=QUESTION, **LONG)["stream"]
    else:
        form = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": ENDLESS}}
        chat = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 8000, "response_format": form}
        llama = {"prompt": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,", "max_gen_len": 8000, "temperature": 0}
        body = json.dumps(chat if operation == "chat" else llama)
        answer = runtime.invoke_model_with_response_stream(modelId=MODEL, body=body)["body"]
    events = iter(answer)
    next(events)
    server.process.send_signal(signal.SIGTERM)
    with pytest.raises(botocore.exceptions.EventStreamError) as failed:
        list(events)
    error = failed.value.response["Error"]
    assert error["Code"] == "serviceUnavailableException" and error["Message"]
    assert server.process.wait(60) == 0


def test_a_reader_that_does_not_read_holds_up_nobody(moho):
    """It is given a window of its answer and no more; what it takes later is whole."""
    limits = {"temperature": 0, "maxTokens": 600}
    answer = client(moho).converse_stream(modelId=MODEL, messages=QUESTION, inferenceConfig=limits, outputConfig=endless_form())
    assert "Paris" in text_of(converse(client(moho)))
    events = list(answer["stream"])
    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 600


def test_what_has_no_place_is_sent_away(narrow):
    """One runs, one waits, and the next is told to come again."""
    runtime = client(narrow)
    taken = [runtime.converse_stream(modelId=MODEL, messages=QUESTION, **LONG) for _ in range(2)]
    next(iter(taken[0]["stream"]))
    for call in (runtime.converse, runtime.converse_stream):
        with pytest.raises(runtime.exceptions.ServiceUnavailableException) as refused:
            call(modelId=MODEL, messages=QUESTION)
        told = refused.value.response["ResponseMetadata"]
        assert told["HTTPStatusCode"] == 503
        assert int(told["HTTPHeaders"]["retry-after"]) >= 1
    for answer in taken:
        answer["stream"].close()
    assert text_of(converse(client(narrow, read_timeout=30)))
    narrow.assert_unharmed()
