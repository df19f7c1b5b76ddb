"""Chat Completions and Models as openai-python uses them."""

import json
import math

import openai
import pydantic
import pytest

from serving import MODEL
from vocabulary import token

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


def test_a_stop_text_may_span_tokens(moho):
    choice = ask(moho.openai(), logprobs=True).choices[0]
    first, second, third, fourth = (part.token for part in choice.logprobs.content[:4])
    # From inside one token, over a whole one, into a third.
    stop = second[-2:] + third + fourth[:2]
    before = choice.message.content.split(stop)[0]
    assert before == first + second[:-2]
    cut = ask(moho.openai(), stop=[stop], logprobs=True).choices[0]
    assert (cut.finish_reason, cut.message.content) == ("stop", before)
    # A token of which a part is cut off is not told of.
    assert [part.token for part in cut.logprobs.content] == [first]
    chunks = list(ask(moho.openai(), stop=[stop], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == before
    assert chunks[-1].choices[0].finish_reason == "stop"


STORY = [{"role": "user", "content": "Tell me a story about a cat."}]


def words(moho, messages=STORY, **settings):
    return ask(moho.openai(), messages, **settings).choices[0].message.content


def test_a_bias_forces_a_token(moho):
    for temperature in (0, 1):
        assert words(moho, logit_bias={token(" cat"): 100}, max_tokens=5, temperature=temperature) == " cat" * 5


def test_a_bias_bans_a_token(moho):
    likeliest = ask(moho.openai(), max_tokens=1, logprobs=True, top_logprobs=2).choices[0].logprobs.content[0].top_logprobs
    second = words(moho, QUESTION, max_tokens=1, logit_bias={token(bytes(likeliest[0].bytes)): -100})
    assert second == likeliest[1].token != likeliest[0].token


def test_a_bias_of_no_token(moho):
    for unknown in ("49152", "4294967295", "99999999999999999999"):
        with pytest.raises(openai.BadRequestError) as refused:
            ask(moho.openai(), logit_bias={token(" cat"): 1, unknown: 1})
        assert refused.value.param == "logit_bias"


def test_penalties_against_repetition(moho):
    pair = {token(" cat"): 100, token(" dog"): 95}

    def counts(**settings):
        said = words(moho, logit_bias=pair, max_tokens=40, **settings).split()
        return said.count("cat"), said.count("dog")

    assert counts() == (40, 0)
    # What each cat costs soon outweighs that it is likelier.
    cats, dogs = counts(frequency_penalty=2)
    assert (cats + dogs, cats > 10, dogs > 10) == (40, True, True)
    assert counts(frequency_penalty=-2) == (40, 0)


def test_a_penalty_for_having_been_there(moho):
    """Taken once: it only tells where one word is likelier than the other by less than that."""

    def said(**settings):
        biases = [{token(" cat"): bias, token(" dog"): 100} for bias in range(90, 101)]
        return [words(moho, logit_bias=bias, max_tokens=4, **settings) for bias in biases]

    changed = [with_it for without, with_it in zip(said(), said(presence_penalty=2), strict=True) if without != with_it]
    assert changed
    assert all(" cat" in each and " dog" in each for each in changed)


def test_a_penalty_counts_the_prompt(moho):
    pair = {token(" cat"): 100, token(" dog"): 100}
    assert words(moho, logit_bias=pair, max_tokens=1) == " cat"
    # The story is to be about a cat, so that it is penalized from the first word on.
    assert words(moho, logit_bias=pair, max_tokens=1, extra_body={"repetition_penalty": 1.5}) == " dog"


@pytest.mark.parametrize("cut", [{"min_p": 1}, {"top_k": 1}, {"top_p": 0}])
def test_only_the_likeliest_tokens_are_kept(moho, cut):
    greedy = words(moho, max_tokens=20)
    assert words(moho, max_tokens=20, temperature=2, seed=1) != greedy
    assert words(moho, max_tokens=20, temperature=2, seed=1, extra_body=cut) == greedy


@pytest.mark.parametrize("off", [{"min_p": 0, "top_k": 0, "repetition_penalty": 1}, {"top_k": -1}])
def test_what_is_off_changes_nothing(moho, off):
    assert words(moho, seed=3, temperature=1, max_tokens=20) == words(moho, seed=3, temperature=1, max_tokens=20, extra_body=off)


def assert_likely(parts, top):
    """What log-probabilities have to be, whatever the model."""
    for part in parts:
        likeliest = [other.logprob for other in part.top_logprobs]
        assert len(likeliest) == top
        assert likeliest == sorted(likeliest, reverse=True)
        assert part.logprob <= 0
        assert sum(map(math.exp, likeliest)) <= 1 + 1e-5
        assert len({bytes(other.bytes) for other in part.top_logprobs}) == top
        # Who is not among the likeliest is not likelier than they.
        assert part.logprob in likeliest or part.logprob <= min(likeliest, default=0)


def test_log_probabilities(moho):
    completion = ask(moho.openai(), logprobs=True, top_logprobs=20)
    [choice] = completion.choices
    parts = choice.logprobs.content
    assert_likely(parts, 20)
    for part in parts:
        # At temperature 0 the likeliest is what is said.
        chosen = part.top_logprobs[0]
        assert (part.token, part.bytes, part.logprob) == (chosen.token, chosen.bytes, chosen.logprob)
        assert bytes(part.bytes) == part.token.encode()
        # Twenty tokens are not all there are, but nearly all of the probability.
        assert sum(math.exp(other.logprob) for other in part.top_logprobs) > 0.5
    assert b"".join(bytes(part.bytes) for part in parts) == choice.message.content.encode()
    # The token that ends the answer has no text.
    assert len(parts) == completion.usage.completion_tokens - 1
    assert choice.logprobs.refusal is None


def test_log_probabilities_of_the_chosen_alone(moho):
    choice = ask(moho.openai(), logprobs=True, max_tokens=3).choices[0]
    assert len(choice.logprobs.content) == 3
    assert_likely(choice.logprobs.content, 0)
    for without in ({}, {"logprobs": False}, {"logprobs": False, "top_logprobs": 0}):
        assert ask(moho.openai(), max_tokens=3, **without).choices[0].logprobs is None


def test_log_probabilities_are_the_model_s_own(moho):
    """Neither temperature nor bias nor penalties change them, only what is chosen."""

    def first(**settings):
        [part] = ask(moho.openai(), logprobs=True, top_logprobs=5, max_tokens=1, **settings).choices[0].logprobs.content
        return part

    plain = first()
    cat = first(logit_bias={token(" cat"): 100}, temperature=1.7, extra_body={"repetition_penalty": 1.5})
    assert cat.token == " cat"
    assert cat.logprob < plain.top_logprobs[-1].logprob
    assert cat.top_logprobs == plain.top_logprobs


def test_log_probabilities_in_a_stream(moho):
    settings = {"logprobs": True, "top_logprobs": 3}
    whole = ask(moho.openai(), **settings).choices[0]
    first, *chunks, last = list(ask(moho.openai(), stream=True, **settings))
    assert first.choices[0].logprobs is None
    assert last.choices[0].logprobs is None
    parts = [part for chunk in chunks for part in chunk.choices[0].logprobs.content]
    assert parts == whole.logprobs.content
    for chunk in chunks:
        said = b"".join(bytes(part.bytes) for part in chunk.choices[0].logprobs.content)
        assert said == chunk.choices[0].delta.content.encode()


def test_part_of_a_character_is_told_as_bytes(moho):
    bias = {token(b"\xf0"): 100}
    for settings in ({}, {"stream": True}):
        answer = ask(moho.openai(), logit_bias=bias, max_tokens=2, logprobs=True, **settings)
        choices = [chunk.choices[0] for chunk in answer] if settings else answer.choices
        parts = [part for choice in choices if choice.logprobs for part in choice.logprobs.content]
        assert [(part.token, part.bytes) for part in parts] == [("\\xf0", [0xF0])] * 2


def test_the_stream_helper_gathers_log_probabilities(moho):
    client = moho.openai()
    settings = {"model": MODEL, "messages": QUESTION, "temperature": 0, "max_tokens": 40, "logprobs": True, "top_logprobs": 2}
    with client.chat.completions.stream(**settings) as stream:
        gathered = stream.get_final_completion().choices[0]
    assert gathered.logprobs.content == client.chat.completions.create(**settings).choices[0].logprobs.content


def test_several_choices(moho):
    def ask_three(**settings):
        return ask(moho.openai(), [{"role": "user", "content": "Invent a name."}], temperature=1, max_tokens=12, **settings)

    completion = ask_three(n=3, seed=7, logprobs=True)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in completion.choices]
    assert len(set(texts)) == 3
    # Each is as repeatable as one alone is, and the first is the one that comes alone.
    assert [choice.message.content for choice in ask_three(n=3, seed=7).choices] == texts
    alone = ask_three(seed=7)
    assert alone.choices[0].message.content == texts[0]
    assert [choice.message.content for choice in ask_three(n=3, seed=8).choices] != texts
    assert len({choice.message.content for choice in ask_three(n=3).choices}) > 1
    # The prompt counts once, and every word of every choice. A choice that stopped has a last token without text.
    stopped = sum(choice.finish_reason == "stop" for choice in completion.choices)
    assert completion.usage.prompt_tokens == alone.usage.prompt_tokens
    assert completion.usage.completion_tokens == sum(len(choice.logprobs.content) for choice in completion.choices) + stopped
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_several_choices_in_a_stream(moho):
    settings = {"n": 3, "seed": 7, "temperature": 1, "max_tokens": 24}
    whole = ask(moho.openai(), STORY, **settings)
    *chunks, last = list(ask(moho.openai(), STORY, stream=True, stream_options={"include_usage": True}, **settings))
    assert (last.choices, last.usage.to_dict()) == ([], whole.usage.to_dict())
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks)
    order = [chunk.choices[0].index for chunk in chunks]
    assert order[:3] == [0, 1, 2]
    # They speak in turns, not one after the other.
    assert order.index(2, 3) < len(order) - 1 - order[::-1].index(0)
    for choice in whole.choices:
        own = [chunk.choices[0] for chunk in chunks if chunk.choices[0].index == choice.index]
        assert [each.delta.role for each in own] == ["assistant"] + [None] * (len(own) - 1)
        assert [each.finish_reason for each in own] == [None] * (len(own) - 1) + [choice.finish_reason]
        assert "".join(each.delta.content or "" for each in own) == choice.message.content


def test_several_choices_fail_as_one(make_moho):
    """A server that stops ends none of them as if it were whole."""
    endless = {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}
    form = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": endless, "strict": True}}
    server = make_moho(arguments=("--drain-seconds", "1")).start()
    stream = ask(server.openai(), STORY, n=3, stream=True, response_format=form, max_tokens=8000)
    seen = [next(stream) for _ in range(6)]
    server.process.terminate()
    with pytest.raises(openai.APIError) as failed:
        seen.extend(stream)
    assert failed.value.body["code"] == "service_unavailable"
    assert {chunk.choices[0].index for chunk in seen} == {0, 1, 2}
    assert all(chunk.choices[0].finish_reason is None for chunk in seen)
    assert server.stop() == 0


def test_greedy_choices_are_equal(moho):
    assert len({choice.message.content for choice in ask(moho.openai(), n=2).choices}) == 1


def test_as_many_choices_as_there_may_be(moho):
    completion = ask(moho.openai(), [{"role": "user", "content": "Hi"}], n=128, max_tokens=1, temperature=1, seed=1)
    assert [choice.index for choice in completion.choices] == list(range(128))
    assert completion.usage.completion_tokens == 128
    assert len({choice.message.content for choice in completion.choices}) > 10


def test_the_fingerprint_stays(moho):
    completions = [ask(moho.openai(), max_tokens=1, seed=seed) for seed in (1, 2)]
    [fingerprint] = {completion.system_fingerprint for completion in completions}
    assert fingerprint.startswith("fp_")
    assert {chunk.system_fingerprint for chunk in ask(moho.openai(), max_tokens=1, stream=True)} == {fingerprint}


@pytest.mark.parametrize(
    ("settings", "param", "code"),
    [
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": -1}, "n", "integer_below_min_value"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"top_logprobs": 2}, "top_logprobs", None),
        ({"presence_penalty": 2.5}, "presence_penalty", "decimal_above_max_value"),
        ({"frequency_penalty": -2.5}, "frequency_penalty", "decimal_below_min_value"),
        ({"logit_bias": {"Paris": 1}}, "logit_bias", None),
        ({"logit_bias": {"5": 101}}, "logit_bias.5", "decimal_above_max_value"),
        ({"logit_bias": {"5": "NaN"}}, "logit_bias.5", "invalid_type"),
        ({"logit_bias": {str(number): 1 for number in range(1025)}}, "logit_bias", "object_above_max_properties"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "array_above_max_length"),
        ({"extra_body": {"min_p": 1.5}}, "min_p", "decimal_above_max_value"),
        ({"extra_body": {"top_k": -2}}, "top_k", "integer_below_min_value"),
        ({"extra_body": {"repetition_penalty": 0}}, "repetition_penalty", "decimal_below_min_value"),
    ],
)
def test_refusals(moho, settings, param, code):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(moho.openai(), **settings)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert refused.value.type == "invalid_request_error"


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
