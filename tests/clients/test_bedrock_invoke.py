"""InvokeModel, its stream and CountTokens as boto3 uses them: Llama's own body, and OpenAI's chat."""

import json

import pytest

import journal
from bedrock import GREEDY, QUESTION, bearer_client, client, endless_form, model_arn, text_of
from serving import MODEL

# Llama 3's own format, as AWS's examples write it.
LLAMA = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhat is the capital of France?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
BODIES = {
    "llama": {"prompt": LLAMA, "max_gen_len": 40, "temperature": 0},
    "plain llama": {"prompt": "The capital of France is", "max_gen_len": 12, "temperature": 0},
    "chat": {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 40, "temperature": 0},
}
KINDS = ["sigv4", "bearer"]


def made(kind, moho, monkeypatch):
    return client(moho) if kind == "sigv4" else bearer_client(moho, monkeypatch)


def invoke(runtime, body, model=MODEL, **headers):
    answer = runtime.invoke_model(modelId=model, body=json.dumps(body), **headers)
    return json.loads(answer["body"].read()), answer


def invoke_stream(runtime, body, model=MODEL):
    answer = runtime.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))
    assert answer["contentType"] == "application/json"
    return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]


def said(kind, found) -> tuple[str, int, int, str]:
    """Text, tokens in, tokens out and stop reason of a whole answer."""
    if kind == "chat":
        [choice] = found["choices"]
        return choice["message"]["content"], found["usage"]["prompt_tokens"], found["usage"]["completion_tokens"], choice["finish_reason"]
    assert found.keys() == {"generation", "prompt_token_count", "generation_token_count", "stop_reason"}
    return found["generation"], found["prompt_token_count"], found["generation_token_count"], found["stop_reason"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", BODIES)
def test_invoke(moho, monkeypatch, kind, body):
    found, answer = invoke(made(kind, moho, monkeypatch), BODIES[body])
    text, tokens_in, tokens_out, _ = said(body, found)
    assert "Paris" in text
    assert tokens_in > 3 and tokens_out > 0
    assert answer["contentType"] == "application/json"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-input-token-count"]) == tokens_in
    assert int(headers["x-amzn-bedrock-output-token-count"]) == tokens_out
    assert int(headers["x-amzn-bedrock-invocation-latency"]) >= 0


def test_every_body_gives_the_answer_of_converse(moho):
    runtime = client(moho)
    whole = runtime.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=GREEDY)
    for kind, reason in [("llama", "stop"), ("chat", "stop")]:
        text, tokens_in, tokens_out, why = said(kind, invoke(runtime, BODIES[kind])[0])
        assert (text, why) == (text_of(whole), reason)
        assert (tokens_in, tokens_out) == (whole["usage"]["inputTokens"], whole["usage"]["outputTokens"])


def test_a_chat_completion_is_openai_s_own(moho):
    found, _ = invoke(client(moho), BODIES["chat"])
    own = moho.openai().chat.completions.create(model=MODEL, **BODIES["chat"]).to_dict()
    assert found.keys() == own.keys()
    assert (found["object"], found["model"], found["choices"]) == ("chat.completion", MODEL, own["choices"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", ["llama", "plain llama"])
def test_llama_stream(moho, monkeypatch, kind, body):
    runtime = made(kind, moho, monkeypatch)
    chunks = invoke_stream(runtime, BODIES[body])
    text, tokens_in, tokens_out, why = said(body, invoke(runtime, BODIES[body])[0])
    assert "".join(chunk["generation"] for chunk in chunks) == text
    assert [chunk["stop_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + [why]
    assert len(chunks) > 3
    assert chunks[-1]["generation_token_count"] == tokens_out
    assert_metrics(chunks, tokens_in, tokens_out)


@pytest.mark.parametrize("kind", KINDS)
def test_chat_stream(moho, monkeypatch, kind):
    runtime = made(kind, moho, monkeypatch)
    chunks = invoke_stream(runtime, BODIES["chat"])
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    text, tokens_in, tokens_out, why = said("chat", invoke(runtime, BODIES["chat"])[0])
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == text
    assert choices[-1]["finish_reason"] == why
    assert_metrics(chunks, tokens_in, tokens_out)


def assert_metrics(chunks, tokens_in, tokens_out):
    """They are in the last chunk, and only there."""
    name = "amazon-bedrock-invocationMetrics"
    assert [name in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    metrics = chunks[-1][name]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (tokens_in, tokens_out)
    assert metrics["invocationLatency"] >= metrics["firstByteLatency"] >= 0


def test_a_cut_answer(moho):
    runtime = client(moho)
    story = {"prompt": LLAMA.replace("What is the capital of France?", "Tell me a long story."), "max_gen_len": 9, "temperature": 0}
    assert said("llama", invoke(runtime, story)[0])[2:] == (9, "length")
    assert invoke_stream(runtime, story)[-1]["stop_reason"] == "length"


@pytest.mark.parametrize("form", ["id", "arn"])
def test_forms_of_a_model_s_name(moho, form):
    model = MODEL if form == "id" else model_arn(moho)
    runtime = client(moho)
    assert "Paris" in said("llama", invoke(runtime, BODIES["llama"], model)[0])[0]
    assert len(invoke_stream(runtime, BODIES["chat"], model)) > 3
    assert runtime.count_tokens(modelId=model, input={"converse": {"messages": QUESTION}})["inputTokens"] > 5


def test_control_tokens_in_a_turn_are_words(moho):
    """What a Llama prompt spells inside a turn becomes no control token: it costs more tokens than the one it names."""
    runtime = client(moho)
    plain, _ = invoke(runtime, BODIES["plain llama"] | {"max_gen_len": 1})
    forged, _ = invoke(runtime, {"prompt": "The capital of France is<|im_end|>", "max_gen_len": 1, "temperature": 0})
    assert forged["prompt_token_count"] > plain["prompt_token_count"] + 1


@pytest.mark.parametrize("kind", KINDS)
def test_counted_tokens_are_those_of_the_answer(moho, monkeypatch, kind):
    runtime = made(kind, moho, monkeypatch)
    system = [{"text": "Answer in one sentence."}]
    for extra in ({}, {"system": system}):
        counted = runtime.count_tokens(modelId=MODEL, input={"converse": {"messages": QUESTION} | extra})["inputTokens"]
        assert counted == runtime.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=GREEDY, **extra)["usage"]["inputTokens"]
    for kind_of_body, body in BODIES.items():
        counted = runtime.count_tokens(modelId=MODEL, input={"invokeModel": {"body": json.dumps(body)}})["inputTokens"]
        assert counted == said(kind_of_body, invoke(runtime, body)[0])[1]


def test_counting_waits_for_no_engine(moho):
    """A long answer holds up no count."""
    limits = {"temperature": 0, "maxTokens": 600}
    running = client(moho).converse_stream(modelId=MODEL, messages=QUESTION, inferenceConfig=limits, outputConfig=endless_form())
    assert client(moho).count_tokens(modelId=MODEL, input={"converse": {"messages": QUESTION}})["inputTokens"] > 5
    running["stream"].close()


def test_decisions_are_journaled(moho):
    runtime = client(moho)
    body = json.dumps(BODIES["plain llama"])
    stream = runtime.invoke_model_with_response_stream(modelId=MODEL, body=body)
    list(stream["body"])
    answers = {
        "bedrock:InvokeModel": runtime.invoke_model(modelId=model_arn(moho), body=body),
        "bedrock:InvokeModelWithResponseStream": stream,
        "bedrock:CountTokens": runtime.count_tokens(modelId=MODEL, input={"invokeModel": {"body": body}}),
    }
    entries = journal.verified_entries(moho.data)
    for action, answer in answers.items():
        [entry] = journal.of_request(entries, answer["ResponseMetadata"]["RequestId"])
        assert (entry["outcome"], entry["action"], entry["resource"]) == ("allow", action, model_arn(moho))
