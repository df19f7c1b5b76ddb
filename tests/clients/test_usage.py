"""Usage as openai-python's administration client reads it: whose, of what, when; and of nobody else's account."""

import time

import httpx2
import openai
import pytest

from bedrock import QUESTION, client, model_arn, narrowed
from serving import MODEL, free_port

DAY = 86_400
HI = [{"role": "user", "content": "Hi!"}]


def administration(moho, role="Admin"):
    """OpenAI's client with an administrator's key."""
    http = httpx2.Client(verify=moho.trust, timeout=60, trust_env=False)
    key = moho.credentials(role).bearer_token
    return openai.OpenAI(base_url=moho.url + "/v1", api_key=key, admin_api_key=key, http_client=http, max_retries=0)


def completions(moho, role="Admin", **asked):
    found = administration(moho, role).admin.organization.usage.completions(**{"start_time": int(time.time()) - DAY} | asked)
    return found


def results(page):
    return [result for bucket in page.data for result in bucket.results]


def total(moho, **asked):
    found = results(completions(moho, **asked))
    return (
        sum(result.num_model_requests for result in found),
        sum(result.input_tokens for result in found),
        sum(result.output_tokens for result in found),
    )


def chat(moho, role="Developer", **more):
    return moho.openai(role).chat.completions.create(**{"model": MODEL, "messages": HI, "max_tokens": 4} | more)


def test_every_answer_is_usage_at_once(moho):
    before = total(moho)
    usages = [chat(moho).usage, chat(moho, n=2).usage]
    used = client(moho).converse(modelId=MODEL, messages=QUESTION, inferenceConfig={"maxTokens": 5})["usage"]
    after = total(moho)
    assert after[0] == before[0] + 3
    assert after[1] - before[1] == sum(usage.prompt_tokens for usage in usages) + used["inputTokens"] + used.get("cacheReadInputTokens", 0)
    assert after[2] - before[2] == sum(usage.completion_tokens for usage in usages) + used["outputTokens"]


def test_usage_is_told_apart_by_principal_model_and_profile(moho):
    account = moho.boto3("sts").get_caller_identity()["Account"]
    developer, admin = (f"arn:aws:iam::{account}:role/{role}" for role in ("Developer", "Admin"))
    profile = model_arn(moho, f"us.{MODEL}", account=account, kind="inference-profile")
    before = total(moho, user_ids=[admin], project_ids=[profile])
    chat(moho, "Admin", model=profile)
    chat(moho)
    after = total(moho, user_ids=[admin], project_ids=[profile])
    assert after[0] == before[0] + 1
    found = results(completions(moho, group_by=["user_id", "model", "project_id"]))
    groups = {(result.user_id, result.model, result.project_id) for result in found}
    assert {(admin, MODEL, profile), (developer, MODEL, None)} <= groups
    assert all(result.api_key_id is None and result.batch is None for result in found)
    assert {result.model for result in results(completions(moho, group_by=["model"], models=[MODEL]))} == {MODEL}
    assert results(completions(moho, models=["no-such-model"])) == []
    assert results(completions(moho, batch=True)) == []
    [batch] = {result.batch for result in results(completions(moho, group_by=["batch"]))}
    assert batch is False


@pytest.mark.parametrize(("width", "seconds", "usual"), [("1m", 60, 60), ("1h", 3600, 24), ("1d", DAY, 7)])
def test_times_are_whole_and_follow_one_another(moho, width, seconds, usual):
    chat(moho)
    start = int(time.time()) - 10 * seconds
    page = completions(moho, start_time=start, bucket_width=width)
    assert page.object == "page" and len(page.data) == min(usual, 11)
    for number, bucket in enumerate(page.data):
        assert bucket.object == "bucket" and bucket.end_time == bucket.start_time + seconds
        assert bucket.start_time == start - start % seconds + number * seconds
    if not page.has_more:
        assert sum(result.num_model_requests for result in page.data[-1].results + page.data[-2].results) > 0
        assert page.next_page is None


def test_pages_follow_one_another(moho):
    chat(moho)
    start = int(time.time()) - 30 * 60
    asked = {"start_time": start, "bucket_width": "1m", "limit": 7}
    seen, page = [], completions(moho, **asked)
    while True:
        seen += [bucket.start_time for bucket in page.data]
        assert len(page.data) <= 7
        if not page.has_more:
            break
        page = completions(moho, **asked, page=page.next_page)
    first = start - start % 60
    assert seen == list(range(first, first + 60 * len(seen), 60)) and len(seen) >= 31


def test_a_client_that_leaves_is_usage(moho):
    before = total(moho)
    stream = chat(moho, stream=True, max_tokens=100)
    next(iter(stream))
    stream.close()
    for _ in range(2000):
        after = total(moho)
        if after[0] > before[0]:
            break
    assert after[0] == before[0] + 1 and after[1] > before[1]


@pytest.mark.parametrize(
    "asked",
    [
        {"start_time": -1},
        {"end_time": 5},
        {"limit": 0},
        {"limit": 100},
        {"bucket_width": "1w"},
        {"group_by": ["tenant"]},
        {"page": "page_zz"},
        {"api_key_ids": ["key"]},
    ],
)
def test_what_cannot_be_is_refused_with_its_name(moho, asked):
    with pytest.raises(openai.BadRequestError) as refused:
        completions(moho, **asked)
    assert refused.value.param in asked


def test_it_takes_an_action_of_its_own(moho):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        completions(moho, "Developer")
    assert "bedrock-mantle:GetUsage" in str(refused.value)


def test_usage_survives_a_restart(make_moho):
    moho = make_moho().start()
    chat(moho)
    moho.stop()
    moho.start()
    assert total(moho)[0] == 1


def test_a_crash_loses_seconds_and_not_more(make_moho):
    moho = make_moho(arguments=("--metrics-listen", f"127.0.0.1:{free_port()}")).start()
    chat(moho)
    assert total(moho)[0] == 1, "what was asked for is on the disk"
    moho.kill()
    moho.start()
    assert total(moho)[0] == 1
    assert narrowed(moho, {"Effect": "Allow", "Action": "*", "Resource": "*"})
