"""The Responses API as openai-python uses it."""

import asyncio
import json
import math
import typing

import openai
import pydantic
import pytest

from serving import MODEL
from vocabulary import token

QUESTION = "What is the capital of France?"

# Open Responses: every response object has all of these, nulls spelled out.
REQUIRED = set(
    """id object created_at completed_at status incomplete_details model previous_response_id instructions output error tools
    tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs temperature reasoning
    usage max_output_tokens max_tool_calls store background service_tier metadata safety_identifier prompt_cache_key""".split()
)

ABSENT = "resp_" + "0" * 48


def ask(client, question=QUESTION, **settings):
    return client.responses.create(**{"model": MODEL, "input": question, "temperature": 0, "max_output_tokens": 40, **settings})


def test_create(moho):
    response = ask(moho.openai())
    assert response.status == "completed"
    assert response.object == "response"
    assert response.id.startswith("resp_")
    assert response.model == MODEL
    assert "Paris" in response.output_text
    [message] = response.output
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed")
    [part] = message.content
    assert (part.type, part.annotations) == ("output_text", [])
    assert response.usage.input_tokens > 5
    assert 0 < response.usage.output_tokens <= 40
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.error is None
    assert response.incomplete_details is None


def test_every_required_key_is_there(moho):
    found = ask(moho.openai().with_raw_response, metadata={"team": "blue"}, instructions="Be short.").http_response.json()
    assert REQUIRED <= set(found)
    assert found["completed_at"] >= found["created_at"] > 1_600_000_000
    assert found["metadata"] == {"team": "blue"}
    assert found["instructions"] == "Be short."
    assert (found["store"], found["background"], found["temperature"], found["max_output_tokens"]) == (True, False, 0, 40)
    assert found["text"] == {"format": {"type": "text"}} or found["text"]["format"] == {"type": "text"}
    assert found["usage"]["input_tokens_details"].keys() >= {"cached_tokens"}
    assert found["usage"]["output_tokens_details"] == {"reasoning_tokens": 0}


def test_greedy_answers_are_the_same(moho):
    client = moho.openai()
    assert ask(client, store=False).output_text == ask(client, store=False).output_text


def test_a_cut_answer_is_incomplete(moho):
    response = ask(moho.openai(), "Tell me a long story about a dragon.", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 16
    assert response.output[-1].status == "incomplete"


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": QUESTION}],
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}],
        [{"role": "developer", "content": "Answer in one sentence."}, {"role": "user", "content": QUESTION}],
        [{"role": "system", "content": "Answer in one sentence."}, {"role": "user", "content": QUESTION}],
        [
            {"role": "user", "content": "Hi!"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello.", "annotations": []}]},
            {"role": "user", "content": QUESTION},
        ],
    ],
)
def test_forms_of_input(moho, turns):
    assert "Paris" in ask(moho.openai(), turns).output_text


def test_both_prefixes(moho):
    answers = {prefix: ask(moho.openai(prefix=prefix)) for prefix in ("/v1", "/openai/v1")}
    assert answers["/v1"].output_text == answers["/openai/v1"].output_text
    # One store behind both.
    assert moho.openai(prefix="/v1").responses.retrieve(answers["/openai/v1"].id).id == answers["/openai/v1"].id


def check_events(events):
    """The whole order for one text answer, every number and id in it."""
    kinds = [event["type"] for event in events]
    deltas = kinds.count("response.output_text.delta")
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert deltas > 1
    assert [event["sequence_number"] for event in events] == list(range(len(events)))

    created, in_progress, item_added, part_added = events[:4]
    text_done, part_done, item_done, completed = events[-4:]
    for event in (created, in_progress):
        assert event["response"]["status"] == "in_progress"
        assert event["response"]["output"] == []
        assert REQUIRED <= set(event["response"])
    item = item_added["item"]
    assert (item["type"], item["role"], item["status"], item["content"]) == ("message", "assistant", "in_progress", [])
    assert part_added["part"]["type"] == "output_text"
    assert (part_added["part"]["text"], part_added["part"]["annotations"]) == ("", [])
    for event in events[3:-2]:
        assert (event["item_id"], event["output_index"], event["content_index"]) == (item["id"], 0, 0)
    for event in events[4:-4]:
        assert event["delta"]
        assert event["logprobs"] == []
    whole = "".join(event["delta"] for event in events[4:-4])
    assert text_done["text"] == part_done["part"]["text"] == whole
    assert item_done["item"] == completed["response"]["output"][0]
    assert (item_done["item"]["id"], item_done["item"]["status"]) == (item["id"], "completed")
    assert item_done["item"]["content"][0]["text"] == whole
    assert completed["response"]["id"] == created["response"]["id"]
    assert completed["response"]["status"] == "completed"
    assert completed["response"]["usage"]["output_tokens"] > 0
    return whole, completed["response"]


def server_sent(text: str) -> list[tuple[str | None, str]]:
    """(event, data) of each frame; comments are left out."""
    frames = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            named = dict(line.split(": ", 1) for line in lines)
            assert named.keys() <= {"event", "data"}
            frames.append((named.get("event"), named["data"]))
    return frames


def test_the_whole_order_of_events(moho):
    body = {"model": MODEL, "input": QUESTION, "temperature": 0, "max_output_tokens": 40, "stream": True}
    with moho.http(moho.bearer()) as http:
        answer = http.post("/v1/responses", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = server_sent(answer.text)
        assert frames.pop() == (None, "[DONE]")
        events = [json.loads(data) for _, data in frames]
        assert [event["type"] for event in events] == [name for name, _ in frames]
        text, response = check_events(events)
        assert "Paris" in text
        assert http.get(f"/v1/responses/{response['id']}").json() == response


def test_deltas_are_padded_unless_told_otherwise(moho):
    for options, padded in [({}, True), ({"stream_options": {"include_obfuscation": False}}, False)]:
        stream = ask(moho.openai(), stream=True, **options)
        deltas = [event.to_dict() for event in stream if event.type == "response.output_text.delta"]
        assert deltas
        assert all(("obfuscation" in delta) is padded for delta in deltas)


def test_stream(moho):
    events = list(ask(moho.openai(), stream=True))
    text, response = check_events([event.to_dict() for event in events])
    assert text == ask(moho.openai()).output_text
    assert response["store"] is True


def test_stream_of_a_cut_answer(moho):
    events = [event.to_dict() for event in ask(moho.openai(), "Tell me a long story.", stream=True, max_output_tokens=16)]
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert events[-2]["item"]["status"] == "incomplete"
    assert events[-1]["response"]["output"] == [events[-2]["item"]]


def test_stream_manager(moho):
    client = moho.openai()
    with client.responses.stream(model=MODEL, input=QUESTION, temperature=0, max_output_tokens=40) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert final.output_text == "".join(deltas)
    assert client.responses.retrieve(final.id).output_text == final.output_text


class Place(pydantic.BaseModel):
    """What the model is made to answer."""

    city: str
    country: str


def test_parse(moho):
    question = "Where is the Eiffel Tower? Answer as JSON with the keys city and country."
    response = moho.openai().responses.parse(
        model=MODEL, input=question, text_format=Place, temperature=0, max_output_tokens=200
    )
    assert response.status == "completed"
    assert isinstance(response.output_parsed, Place)
    assert json.loads(response.output_text).keys() == {"city", "country"}


def test_parse_holds_where_the_model_would_not(moho):
    """A schema is enforced on every token, not hoped for: this model, hot, writes no such thing on its own."""

    # Nothing in it is without end, so that the answer comes to its end however the dice fall.
    class Odd(pydantic.BaseModel):
        zq: typing.Annotated[list[bool], pydantic.Field(min_length=1, max_length=3)]
        code: typing.Literal[7, 9]

    response = moho.openai().responses.parse(
        model=MODEL, input="Tell me a joke.", text_format=Odd, temperature=1, max_output_tokens=400
    )
    assert response.status == "completed"
    assert isinstance(response.output_parsed, Odd)


def test_json_object(moho):
    response = ask(moho.openai(), "Reply with a small JSON object.", text={"format": {"type": "json_object"}}, max_output_tokens=200)
    if response.status == "completed":
        assert isinstance(json.loads(response.output_text), dict)
    else:
        assert response.output_text.lstrip().startswith("{")


def test_retrieve_is_what_was_answered(moho):
    client = moho.openai()
    raw = ask(client.with_raw_response, metadata={"k": "v"}).http_response.json()
    assert client.responses.with_raw_response.retrieve(raw["id"]).http_response.json() == raw
    assert client.responses.retrieve(raw["id"]).output_text == raw["output"][0]["content"][0]["text"]


def test_delete(moho):
    client = moho.openai()
    response = ask(client)
    deleted = client.responses.with_raw_response.delete(response.id).http_response
    assert deleted.status_code == 200
    assert (deleted.json()["id"], deleted.json()["deleted"]) == (response.id, True)
    for call in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            call(response.id)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_found"


def test_input_items(moho):
    client = moho.openai()
    response = ask(client, [{"role": "user", "content": "First."}, {"role": "user", "content": QUESTION}])
    items = list(client.responses.input_items.list(response.id, order="asc"))
    assert [item.content[0].text for item in items] == ["First.", QUESTION]


def test_what_is_not_stored_is_gone(moho):
    client = moho.openai()
    response = ask(client, store=False)
    assert response.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, previous_response_id=response.id)
    assert refused.value.code == "previous_response_not_found"


def test_absent_responses(moho):
    client = moho.openai()
    with pytest.raises(openai.NotFoundError) as absent:
        client.responses.retrieve(ABSENT)
    with pytest.raises(openai.NotFoundError) as malformed:
        client.responses.retrieve("resp_nonsense")
    for error in (absent.value, malformed.value):
        assert error.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, previous_response_id=ABSENT)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


def test_previous_response_joins_the_context(moho):
    client = moho.openai()
    first = ask(client, "My name is Zebulon. Please remember it.")
    second = ask(client, "What is my name?", previous_response_id=first.id)
    alone = ask(client, "What is my name?")
    assert second.previous_response_id == first.id
    # The earlier question and answer are in the prompt, so it is longer by at least the answer.
    assert second.usage.input_tokens >= alone.usage.input_tokens + first.usage.output_tokens
    assert "Zebulon" in second.output_text
    third = ask(client, "Say it again.", previous_response_id=second.id)
    assert third.usage.input_tokens > second.usage.input_tokens + second.usage.output_tokens


def test_instructions_are_not_inherited(moho):
    client = moho.openai()
    wordy = "Speak like a pirate. " * 20
    first = ask(client, "Hello.", instructions=wordy)
    second = ask(client, "Hello.", previous_response_id=first.id)
    assert first.usage.input_tokens > 100
    assert second.instructions is None
    assert second.usage.input_tokens < first.usage.input_tokens + first.usage.output_tokens


def test_many_at_once_do_not_mix(moho):
    words = ["apple", "river", "candle", "window", "copper", "garden", "rocket", "violin"]

    async def one(client, word):
        stream = await client.responses.create(
            model=MODEL, input=f"Repeat this word: {word}", temperature=0, max_output_tokens=24, stream=True, store=False
        )
        return [event async for event in stream][-1].response

    async def all_of_them():
        async with moho.async_openai() as client:
            return await asyncio.gather(*(one(client, word) for word in words))

    answers = asyncio.run(all_of_them())
    assert len({answer.id for answer in answers}) == len(words)
    for word, answer in zip(words, answers, strict=True):
        assert word in answer.output_text.lower()
        assert not any(other in answer.output_text.lower() for other in words if other != word)


def test_unknown_fields_and_tools_do_not_fail_a_request(moho):
    response = ask(
        moho.openai(), tools=[{"type": "web_search"}], extra_body={"field_of_the_future": {"a": [1]}}, include=["reasoning.encrypted_content"]
    )
    assert "Paris" in response.output_text


def test_truncation_drops_the_oldest_turns_only_when_asked_to(moho):
    client = moho.openai()
    long = {"model": MODEL, "input": "word " * 4200, "max_output_tokens": 16}
    first = client.responses.create(**long)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**long, previous_response_id=first.id)
    assert refused.value.code == "context_length_exceeded"
    second = client.responses.create(**long, previous_response_id=first.id, truncation="auto")
    assert 4200 < second.usage.input_tokens < 8192


LOGPROBS = {"include": ["message.output_text.logprobs"], "top_logprobs": 3}


def test_log_probabilities(moho):
    response = ask(moho.openai(), **LOGPROBS)
    [part] = response.output[0].content
    assert response.top_logprobs == 3
    assert b"".join(bytes(each.bytes) for each in part.logprobs) == part.text.encode()
    # The token that ends the answer has no text.
    assert len(part.logprobs) == response.usage.output_tokens - 1
    for each in part.logprobs:
        assert len(each.top_logprobs) == 3
        # At temperature 0 the likeliest is what is said.
        chosen = each.top_logprobs[0]
        assert (each.token, each.bytes, each.logprob) == (chosen.token, chosen.bytes, chosen.logprob)
        assert sum(math.exp(other.logprob) for other in each.top_logprobs) <= 1 + 1e-5
    # The same numbers as Chat Completions gives.
    chat = moho.openai().chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        max_tokens=40,
        logprobs=True,
        top_logprobs=3,
    )
    assert [each.to_dict() for each in part.logprobs] == [each.to_dict() for each in chat.choices[0].logprobs.content]


def test_log_probabilities_come_only_if_included(moho):
    for settings, top in [({}, 0), ({"top_logprobs": 2}, 2), ({"include": ["reasoning.encrypted_content"], "top_logprobs": 2}, 2)]:
        response = ask(moho.openai(), store=False, max_output_tokens=16, **settings)
        assert (response.output[0].content[0].logprobs, response.top_logprobs) == ([], top)
    only = ask(moho.openai(), store=False, max_output_tokens=16, include=LOGPROBS["include"])
    parts = only.output[0].content[0].logprobs
    assert parts
    assert all(each.top_logprobs == [] for each in parts)


def test_log_probabilities_in_a_stream(moho):
    events = [event.to_dict() for event in ask(moho.openai(), stream=True, **LOGPROBS)]
    whole = ask(moho.openai(), **LOGPROBS).to_dict()["output"][0]["content"][0]
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    for delta in deltas:
        assert b"".join(bytes(each["bytes"]) for each in delta["logprobs"]) == delta["delta"].encode()
    assert [each for delta in deltas for each in delta["logprobs"]] == whole["logprobs"]
    text_done, part_done, item_done, completed = events[-4:]
    assert text_done["logprobs"] == part_done["part"]["logprobs"] == whole["logprobs"]
    assert item_done["item"]["content"] == completed["response"]["output"][0]["content"] == [whole]


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_are_kept(moho, stream):
    client = moho.openai()
    answer = ask(client, stream=stream, **LOGPROBS)
    response = list(answer)[-1].response if stream else answer
    kept = client.responses.retrieve(response.id, include=LOGPROBS["include"])
    assert kept.output[0].content[0].logprobs
    assert kept.to_dict() == response.to_dict()
    # They are no words: what follows does not read them.
    follow_up = ask(client, "And of Italy?", previous_response_id=response.id)
    plain = ask(client)
    assert follow_up.usage.input_tokens == ask(client, "And of Italy?", previous_response_id=plain.id).usage.input_tokens


def test_the_effective_sampling_is_told(moho):
    plain = moho.openai().responses.create(model=MODEL, input="Hi", max_output_tokens=16, store=False).to_dict()
    told = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs")
    assert [plain[name] for name in told] == [1, 1, 0, 0, 0]
    settings = {"temperature": 0.5, "top_p": 0.9, "extra_body": {"presence_penalty": 1.5, "frequency_penalty": -0.5}}
    found = ask(moho.openai(), "Hi", max_output_tokens=16, store=False, top_logprobs=4, **settings).to_dict()
    assert [found[name] for name in told] == [0.5, 0.9, 1.5, -0.5, 4]


def test_sampling(moho):
    """Settings that OpenAI has only in Chat Completions, or not at all."""

    def said(**settings):
        return ask(moho.openai(), "Tell me a story about a cat.", max_output_tokens=24, store=False, extra_body=settings).output_text

    greedy = said()
    hot = {"temperature": 2, "seed": 1}
    assert said(**hot) == said(**hot) != greedy
    for cut in ({"min_p": 1}, {"top_k": 1}, {"top_p": 0}):
        assert said(**hot, **cut) == greedy
    assert said(logit_bias={token(" cat"): 100}) == " cat" * 24
    pair = {token(" cat"): 100, token(" dog"): 95}
    assert " dog" not in said(logit_bias=pair)
    assert " dog" in said(logit_bias=pair, frequency_penalty=2)
    same = {token(" cat"): 100, token(" dog"): 100}
    assert said(logit_bias=same).startswith(" cat")
    assert said(logit_bias=same, repetition_penalty=1.5).startswith(" dog")
    assert said(logit_bias=same, presence_penalty=0) == " cat" * 24


@pytest.mark.parametrize(
    ("settings", "param", "code"),
    [
        ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"top_logprobs": -1}, "top_logprobs", "integer_below_min_value"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        ({"presence_penalty": 3}, "presence_penalty", "decimal_above_max_value"),
        ({"min_p": -1}, "min_p", "decimal_below_min_value"),
        ({"logit_bias": {"49152": 1}}, "logit_bias", None),
        # Other APIs' settings, which would change the answer.
        ({"stop": "Paris"}, "stop", "unsupported_parameter"),
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
    ],
)
def test_refusals(moho, settings, param, code):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(moho.openai(), extra_body=settings)
    assert (refused.value.param, refused.value.code) == (param, code)
