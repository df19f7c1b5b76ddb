"""Chat Completions and Models as openai-python uses them."""

import json

import openai
import pydantic
import pytest

from serving import MODEL

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def ask(client, messages=QUESTION, **settings):
    return client.chat.completions.create(**{"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 40, **settings})


def test_create(moho):
    completion = ask(moho.openai())
    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion.model == MODEL
    [choice] = completion.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert "Paris" in choice.message.content
    usage = completion.usage
    assert usage.prompt_tokens > 5
    assert 0 < usage.completion_tokens <= 40
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_cut_answer(moho, name):
    completion = ask(
        moho.openai(), [{"role": "user", "content": "Tell me a long story."}], **{"max_tokens": openai.omit, name: 9}
    )
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 9


def test_both_prefixes(moho):
    answers = [ask(moho.openai(prefix=prefix)).choices[0].message.content for prefix in ("/v1", "/openai/v1")]
    assert answers[0] == answers[1]


def test_parts_and_roles(moho):
    messages = [
        {"role": "developer", "content": "Answer in one sentence."},
        {"role": "user", "content": [{"type": "text", "text": "What is the capital"}, {"type": "text", "text": " of France?"}]},
    ]
    assert "Paris" in ask(moho.openai(), messages).choices[0].message.content


def test_stream(moho):
    chunks = list(ask(moho.openai(), stream=True))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert all(len(chunk.choices) == 1 and chunk.choices[0].index == 0 for chunk in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len(chunks) > 3
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == ask(moho.openai()).choices[0].message.content
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(moho):
    *chunks, last = list(ask(moho.openai(), stream=True, stream_options={"include_usage": True}))
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage.to_dict() == ask(moho.openai()).usage.to_dict()


def test_stream_bytes(moho):
    body = {"model": MODEL, "messages": QUESTION, "temperature": 0, "max_tokens": 20, "stream": True}
    with moho.http(moho.bearer()) as http:
        answer = http.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [frame for frame in answer.text.split("\n\n") if frame and not frame.startswith(":")]
    assert frames.pop() == "data: [DONE]"
    assert all(json.loads(frame.removeprefix("data: "))["object"] == "chat.completion.chunk" for frame in frames)


def test_the_same_seed_gives_the_same_answer(moho):
    client = moho.openai()

    def text(seed):
        return ask(client, [{"role": "user", "content": "Invent a name."}], temperature=1, seed=seed).choices[0].message.content

    assert text(7) == text(7)
    assert len({text(seed) for seed in range(4)}) > 1


def test_stop(moho):
    whole = ask(moho.openai()).choices[0].message.content
    assert "Paris" in whole
    for stop in ("Paris", ["nowhere to be seen", "Paris"]):
        choice = ask(moho.openai(), stop=stop).choices[0]
        assert choice.finish_reason == "stop"
        assert choice.message.content == whole.split("Paris")[0]
    chunks = ask(moho.openai(), stop="Paris", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.split("Paris")[0]


class Place(pydantic.BaseModel):
    """What the model is made to answer."""

    city: str
    population_in_millions: float


def test_json_schema(moho):
    completion = moho.openai().chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Describe Paris as JSON."}],
        response_format=Place,
        temperature=0,
        max_tokens=200,
    )
    assert completion.choices[0].finish_reason == "stop"
    assert isinstance(completion.choices[0].message.parsed, Place)


def test_json_object(moho):
    choice = ask(moho.openai(), response_format={"type": "json_object"}, max_tokens=200).choices[0]
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content), dict)
    else:
        assert choice.message.content.lstrip().startswith("{")


def test_models(moho):
    client = moho.openai()
    listed = client.models.list()
    assert listed.object == "list"
    assert MODEL in {model.id for model in listed}
    assert client.models.retrieve(MODEL).to_dict() == next(model for model in listed if model.id == MODEL).to_dict()
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
