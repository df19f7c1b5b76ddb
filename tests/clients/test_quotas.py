"""Quotas as their clients meet them: no route is a way around, a client that leaves has used what it used, and no crowd
passes a limit."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from bedrock import QUESTION, client, endless_form, narrowed
from serving import MODEL, Credentials
from sts import Account, refused

HI = [{"role": "user", "content": "Hi!"}]
SHORT = {"maxTokens": 4, "temperature": 0}
# An answer that goes on until its limit.
ENDLESS = {
    "type": "json_schema",
    "json_schema": {"name": "numbers", "schema": {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}},
}


@pytest.fixture
def limited(make_moho, tmp_path):
    """Makes servers with the quotas of a settings file."""

    def make(*quotas: dict, **options):
        lines = []
        for quota in quotas:
            lines += ["[[quotas]]", *(f"{key} = {json.dumps(value)}" for key, value in quota.items())]
        file = tmp_path / "quotas.toml"
        file.write_text("\n".join(lines))
        return make_moho(arguments=("--config", str(file)), **options).start()

    return make


def chat(moho, *, raw=False, prefix="/v1", role="Developer", **more):
    made = moho.openai(role, prefix).chat.completions
    made = made.with_raw_response if raw else made
    return made.create(**{"model": MODEL, "messages": HI, "max_tokens": 4} | more)


def limited_openai(call) -> openai.RateLimitError:
    with pytest.raises(openai.RateLimitError) as found:
        call()
    assert found.value.code == "rate_limit_exceeded" and found.value.status_code == 429
    return found.value


def every_route(moho):
    runtime = client(moho)
    body = json.dumps({"prompt": "Once", "max_gen_len": 2})
    answer = {"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False}
    return {
        "converse": lambda: runtime.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=SHORT),
        "converse_stream": lambda: list(runtime.converse_stream(modelId=MODEL, messages=QUESTION, inferenceConfig=SHORT)["stream"]),
        "invoke": lambda: runtime.invoke_model(modelId=MODEL, body=body),
        "invoke_stream": lambda: list(runtime.invoke_model_with_response_stream(modelId=MODEL, body=body)["body"]),
        "count": lambda: runtime.count_tokens(modelId=MODEL, input={"converse": {"messages": QUESTION}}),
        "profile": lambda: runtime.converse(modelId=f"us.{MODEL}", messages=QUESTION, inferenceConfig=SHORT),
        "chat": lambda: chat(moho),
        "chat_stream": lambda: list(chat(moho, stream=True)),
        "chat_openai": lambda: chat(moho, prefix="/openai/v1"),
        "responses": lambda: moho.openai().responses.create(**answer),
        "responses_stream": lambda: list(moho.openai().responses.create(**answer, stream=True)),
        "responses_openai": lambda: moho.openai(prefix="/openai/v1").responses.create(**answer),
    }


def test_requests_of_every_route_count_and_every_route_is_refused(limited):
    count = 12
    moho = limited({"principal": "arn:aws:iam::*:role/Developer", "requests_per_day": count})
    routes = every_route(moho)
    assert len(routes) == count
    for ask in routes.values():
        ask()
    for name, ask in routes.items():
        try:
            ask()
        except openai.RateLimitError as error:
            assert error.body["type"] == "requests"
            assert "requests per day (RPD): Limit 12, Used 12, Requested 1." in error.body["message"]
            assert 0 < int(error.response.headers["retry-after"]) <= 86_400
            assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
        except Exception as error:
            told = error.response
            assert told["Error"]["Code"] == "ThrottlingException", name
            assert told["ResponseMetadata"]["HTTPStatusCode"] == 429
            assert told["Error"]["Message"].startswith("Too many requests per day, please wait before trying again."), name
            assert int(told["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) > 0
            assert not [header for header in told["ResponseMetadata"]["HTTPHeaders"] if header.startswith("x-ratelimit")]
        else:
            raise AssertionError(f"{name} is a way around")
    # Another principal has a quota of nobody's.
    assert client(moho, credentials=moho.credentials("Admin")).converse(modelId=MODEL, messages=QUESTION, inferenceConfig=SHORT)


def test_headers_say_what_is_left(limited):
    moho = limited({"principal": "*", "requests_per_minute": 5, "tokens_per_minute": 1000, "tokens_per_day": 900})
    first = chat(moho, raw=True)
    used = first.parse().usage.total_tokens
    prompt = first.parse().usage.prompt_tokens
    headers = first.headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("5", "4")
    # The day's quota is nearest to its end; all that the answer may have is set aside.
    assert headers["x-ratelimit-limit-tokens"] == "900"
    assert int(headers["x-ratelimit-remaining-tokens"]) == 900 - prompt - 4
    assert headers["x-ratelimit-reset-requests"].endswith("s") and headers["x-ratelimit-reset-tokens"].endswith("s")
    second = chat(moho, raw=True, stream=True)
    assert int(second.headers["x-ratelimit-remaining-tokens"]) == 900 - used - prompt - 4
    assert second.headers["x-ratelimit-remaining-requests"] == "3"


def test_no_quota_no_headers(moho):
    assert not [name for name in chat(moho, raw=True).headers if name.startswith("x-ratelimit")]


def test_tokens_are_limited_in_and_out(limited):
    moho = limited({"principal": "*", "input_tokens_per_minute": 100, "output_tokens_per_minute": 50})
    error = limited_openai(lambda: chat(moho, messages=[{"role": "user", "content": "word " * 200}]))
    assert error.body["type"] == "tokens" and "input tokens per min" in error.body["message"]
    # So much never fits, and no client should try again.
    assert error.response.headers["x-should-retry"] == "false" and "retry-after" not in error.response.headers
    runtime = client(moho)
    denied = refused(runtime.converse, modelId=MODEL, messages=QUESTION, inferenceConfig={"maxTokens": 51})
    assert (denied.code, denied.status) == ("ServiceQuotaExceededException", 400)
    assert "shorten the prompt, or allow fewer tokens" in denied.message
    assert chat(moho, max_tokens=40, response_format=ENDLESS).usage.completion_tokens == 40
    error = limited_openai(lambda: chat(moho, max_tokens=11))
    assert "output tokens per min: Limit 50, Used 40, Requested 11." in error.body["message"]
    assert 0 < int(error.response.headers["retry-after"]) <= 65
    denied = refused(runtime.converse, modelId=MODEL, messages=QUESTION, inferenceConfig={"maxTokens": 11})
    assert denied.message.startswith("Too many tokens, please wait before trying again.")


def test_who_names_no_maximum_gets_what_the_quota_could_ever_give(limited):
    moho = limited({"principal": "*", "output_tokens_per_minute": 30})
    answer = chat(moho, max_tokens=openai.omit, response_format=ENDLESS)
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (30, "length")


def test_who_names_no_maximum_is_answered_as_long_as_something_is_left(limited):
    moho = limited({"principal": "*", "tokens_per_day": 2000})
    chat(moho)
    open_ended = {"max_tokens": openai.omit, "temperature": 0}
    answer = chat(moho, raw=True, **open_ended)
    assert answer.parse().choices[0].finish_reason in ("stop", "length")
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) > 1000
    assert moho.openai().responses.create(model=MODEL, input="Hi!", store=False, temperature=0).status in ("completed", "incomplete")
    assert client(moho).converse(modelId=MODEL, messages=QUESTION, inferenceConfig={"temperature": 0})["stopReason"] in ("end_turn", "max_tokens")
    # Two at once, which together want more than there is, end at its end, and never beyond it.
    with ThreadPoolExecutor(2) as both:
        ask = lambda _number: chat(moho, **open_ended, response_format=ENDLESS)  # noqa: E731
        answers = list(both.map(ask, range(2)))
    assert [answer.choices[0].finish_reason for answer in answers] == ["length"] * 2
    denied = limited_openai(lambda: chat(moho, **open_ended))
    used = int(denied.body["message"].split("Used ")[1].split(",")[0])
    # What is left is too little for an answer.
    assert 2000 - 60 < used <= 2000 and int(denied.response.headers["retry-after"]) > 0


def test_who_names_no_maximum_leaves_others_of_the_same_tag_room(limited):
    moho = limited({"tag": "team", "output_tokens_per_day": 3000})
    account = Account(moho, "Open")
    for name in ("One", "Two"):
        account.role(name, Tags=[{"Key": "team", "Value": "red"}])
    one, two = (client(moho, credentials=as_credentials(moho, account.session(name))) for name in ("One", "Two"))
    events = iter(one.converse_stream(modelId=MODEL, messages=QUESTION, outputConfig=endless_form())["stream"])
    next(events)
    said = two.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=SHORT)
    assert said["usage"]["outputTokens"] <= 4
    last = list(events)
    [stop] = [event["messageStop"]["stopReason"] for event in last if "messageStop" in event]
    [used] = [event["metadata"]["usage"]["outputTokens"] for event in last if "metadata" in event]
    assert (stop, used + said["usage"]["outputTokens"]) == ("max_tokens", 3000)
    assert refused(two.converse, modelId=MODEL, messages=QUESTION).code == "ThrottlingException"


def test_a_client_that_leaves_has_used_what_it_used(limited):
    moho = limited({"principal": "*", "output_tokens_per_day": 400})

    def left():
        headers = chat(moho, raw=True, max_tokens=1).headers
        return int(headers["x-ratelimit-remaining-tokens"]) + 1

    before = left()
    stream = chat(moho, max_tokens=300, response_format=ENDLESS, stream=True)
    for number, _chunk in enumerate(stream):
        if number == 40:
            break
    stream.close()
    # The end of the sequence is seen by the quota a moment after the client has left.
    for _ in range(2000):
        try:
            after = left()
        except openai.RateLimitError:
            continue
        if after > before - 290:
            break
    assert before - 250 < after <= before - 35, (before, after)
    events = client(moho).converse_stream(modelId=MODEL, messages=QUESTION, outputConfig=endless_form(), inferenceConfig={"maxTokens": 50})
    next(iter(events["stream"]))
    events["stream"].close()
    assert left() < after


def test_a_crowd_never_passes_a_limit(limited):
    moho = limited({"principal": "*", "requests_per_day": 10, "output_tokens_per_day": 60, "concurrent_sequences": 3})
    used, refusals, lock = [], [], threading.Lock()

    def ask(_number):
        try:
            answer = chat(moho, max_tokens=8)
        except openai.RateLimitError as error:
            with lock:
                refusals.append(error.body["message"])
        else:
            with lock:
                used.append(answer.usage.completion_tokens)

    with ThreadPoolExecutor(24) as crowd:
        list(crowd.map(ask, range(120)))
    assert 0 < len(used) <= 10 and sum(used) <= 60
    assert len(used) + len(refusals) == 120
    assert all("Rate limit reached" in message for message in refusals)


def test_choices_count_as_sequences(limited):
    moho = limited({"principal": "*", "concurrent_sequences": 3})
    assert len(chat(moho, n=3).choices) == 3
    error = limited_openai(lambda: chat(moho, n=4))
    assert "concurrent sequences: Limit 3, Requested 4." in error.body["message"]
    stream = chat(moho, n=3, max_tokens=200, response_format=ENDLESS, stream=True)
    next(iter(stream))
    error = limited_openai(lambda: chat(moho))
    assert error.response.headers["retry-after"] == "1"
    stream.close()


def test_days_survive_a_restart_and_a_crash(limited):
    moho = limited({"principal": "*", "requests_per_day": 4})
    chat(moho)
    moho.stop()
    moho.start()
    chat(moho)
    moho.kill()
    moho.start()
    chat(moho)
    chat(moho)
    limited_openai(lambda: chat(moho))


def test_a_role_tag_has_a_quota_for_each_value_and_for_one(limited):
    moho = limited({"tag": "team", "requests_per_day": 3}, {"tag": "team=red", "requests_per_day": 2})
    account = Account(moho, "Quota")
    for name, team in (("One", "red"), ("Two", "red"), ("Three", "blue")):
        account.role(name, Tags=[{"Key": "team", "Value": team}])

    def ask(name):
        runtime = client(moho, credentials=as_credentials(moho, account.session(name)))
        return runtime.converse(modelId=MODEL, messages=QUESTION, inferenceConfig=SHORT)

    ask("One")
    ask("Two")
    assert refused(ask, "One").code == refused(ask, "Two").code == "ThrottlingException"
    for _ in range(3):
        ask("Three")
    assert refused(ask, "Three").code == "ThrottlingException"
    # Who has no such tag has no such quota.
    for _ in range(4):
        chat(moho)


def as_credentials(moho, found):
    return Credentials.of_sts(found, moho.credentials().region)


def test_another_session_of_a_role_has_no_quota_of_its_own(limited):
    moho = limited({"principal": "arn:aws:iam::*:role/Developer", "requests_per_day": 1})
    chat(moho)
    runtime = client(moho, credentials=narrowed(moho, {"Effect": "Allow", "Action": "*", "Resource": "*"}))
    assert refused(runtime.converse, modelId=MODEL, messages=QUESTION).code == "ThrottlingException"


def test_models_are_counted_apart_or_together(limited):
    from serving import model_file

    models = {MODEL: model_file(), "other": model_file()}
    moho = limited({"model": "*", "requests_per_day": 2}, {"requests_per_day": 3}, models=models)
    admin = client(moho, "bedrock", credentials=moho.credentials("Admin"))
    [offer] = admin.list_foundation_model_agreement_offers(modelId="other")["offers"]
    admin.create_foundation_model_agreement(modelId="other", offerToken=offer["offerToken"])
    chat(moho)
    chat(moho)
    limited_openai(lambda: chat(moho))
    chat(moho, model="other")
    assert "Limit 3" in limited_openai(lambda: chat(moho, model="other")).body["message"]


def test_a_continued_response_counts_once(limited):
    moho = limited({"principal": "*", "requests_per_day": 2})
    responses = moho.openai().responses
    first = responses.create(model=MODEL, input="word " * 3000, max_output_tokens=16)
    # What does not fit loses its oldest turns: the engine is asked several times.
    second = responses.with_raw_response.create(
        model=MODEL, input="word " * 6000, previous_response_id=first.id, truncation="auto", max_output_tokens=16
    )
    assert second.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_continued_response_pays_for_the_one_question_that_is_answered(limited):
    moho = limited({"principal": "*", "input_tokens_per_day": 100_000})
    responses = moho.openai().responses
    short = {"model": MODEL, "max_output_tokens": 16}
    first = responses.create(**short, input="word " * 3000)
    second = responses.create(**short, input="word", previous_response_id=first.id)
    # Two, three and no more than three of the four turns fit.
    third = responses.with_raw_response.create(
        **short, input="word " * 5500, previous_response_id=second.id, truncation="auto"
    )
    said = [first.usage, second.usage, third.parse().usage]
    assert said[2].input_tokens < 8192
    assert int(third.headers["x-ratelimit-remaining-tokens"]) == 100_000 - sum(usage.input_tokens for usage in said)


def test_what_is_wrong_with_the_settings_is_said(limited):
    with pytest.raises(RuntimeError, match="it limits nothing"):
        limited({"principal": "*"})
    with pytest.raises(RuntimeError, match="quotas.requests_per_day"):
        limited({"request_per_day": 3})


def test_refusals_are_counted(limited, tmp_path):
    from serving import free_port

    port = free_port()
    moho = limited({"principal": "*", "requests_per_day": 1})
    moho.stop()
    moho.arguments = (*moho.arguments, "--metrics-listen", f"127.0.0.1:{port}")
    moho.start()
    chat(moho)
    limited_openai(lambda: chat(moho))
    import httpx2

    page = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert 'moho_quota_rejections_total{kind="quota_requests"} 1' in page
    [line] = [line for line in page.splitlines() if line.startswith("moho_usage_requests_total{")]
    assert 'principal="AROA' in line and "Developer" not in line and line.endswith(" 1")
