"""Conversations as openai-python uses them, the keys they rest under, and how long content may stay."""

import json

import openai
import pytest

import journal
from bedrock import client, narrowed
from serving import MODEL
from test_inference_profiles import another_account

ABSENT = "conv_" + "0" * 48
SHORT = {"model": MODEL, "temperature": 0, "max_output_tokens": 16}


def refused(code: str, status: int, call, *arguments, **request) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        call(*arguments, **request)
    assert (caught.value.status_code, caught.value.code) == (status, code), caught.value.message


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
def test_a_conversation_is_made_read_changed_and_deleted(moho, prefix):
    conversations = moho.openai(prefix=prefix).conversations
    items = [{"role": "user", "content": "one"}, {"type": "message", "role": "assistant", "content": "two"}]
    made = conversations.create(metadata={"topic": "x"}, items=items)
    assert made.object == "conversation" and made.id.startswith("conv_") and made.metadata == {"topic": "x"}
    assert conversations.retrieve(made.id) == made
    assert conversations.update(made.id, metadata={"topic": "y"}).metadata == {"topic": "y"}
    assert conversations.retrieve(made.id).metadata == {"topic": "y"}
    listed = list(conversations.items.list(made.id, order="asc"))
    assert [(item.role, item.content[0].type, item.content[0].text, item.status) for item in listed] == [
        ("user", "input_text", "one", "completed"),
        ("assistant", "output_text", "two", "completed"),
    ]
    added = conversations.items.create(made.id, items=[{"role": "developer", "content": [{"type": "input_text", "text": "three"}]}])
    assert added.object == "list" and added.first_id == added.last_id == added.data[0].id
    assert [item.content[0].text for item in conversations.items.list(made.id)] == ["three", "two", "one"]
    assert conversations.items.retrieve(listed[1].id, conversation_id=made.id) == listed[1]
    assert conversations.items.delete(listed[0].id, conversation_id=made.id).id == made.id
    refused("item_not_found", 404, conversations.items.retrieve, listed[0].id, conversation_id=made.id)
    assert [item.content[0].text for item in conversations.items.list(made.id, order="asc")] == ["two", "three"]
    gone = conversations.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "conversation.deleted", True)
    refused("conversation_not_found", 404, conversations.retrieve, made.id)
    refused("conversation_not_found", 404, conversations.delete, made.id)


def test_items_come_in_pages(moho):
    conversations = moho.openai().conversations
    made = conversations.create()
    for start in range(0, 45, 15):
        conversations.items.create(made.id, items=[{"role": "user", "content": f"{number}"} for number in range(start, start + 15)])
    page = conversations.items.list(made.id, limit=10, order="asc")
    assert page.has_more and [item.content[0].text for item in page.data] == [f"{number}" for number in range(10)]
    assert [item.content[0].text for item in conversations.items.list(made.id, limit=7)] == [f"{number}" for number in range(44, -1, -1)]
    after = conversations.items.list(made.id, after=page.data[-1].id, order="asc", limit=100)
    assert len(after.data) == 35 and not after.has_more
    refused("item_not_found", 404, conversations.items.list, made.id, after="msg_" + "0" * 48)
    refused("array_above_max_length", 400, conversations.items.create, made.id, items=[{"role": "user", "content": "x"}] * 21)


@pytest.mark.parametrize("stream", [False, True])
def test_responses_go_on_in_a_conversation(moho, stream):
    api = moho.openai()
    made = api.conversations.create(items=[{"role": "user", "content": "My name is Ann."}, {"role": "assistant", "content": "Hello Ann."}])

    def ask(**settings):
        answer = api.responses.create(**SHORT, stream=stream, **settings)
        return list(answer)[-1].response if stream else answer

    first = ask(input="What is my name?", conversation=made.id)
    assert first.conversation.id == made.id
    items = list(api.conversations.items.list(made.id, order="asc"))
    assert [item.role for item in items] == ["user", "assistant", "user", "assistant"]
    assert items[3].id == first.output[0].id and items[3].content[0].text == first.output_text
    second = ask(input="And again?", conversation={"id": made.id}, store=False)
    assert second.usage.input_tokens > first.usage.input_tokens and second.store is False
    assert len(list(api.conversations.items.list(made.id))) == 6
    refused("response_not_found", 404, api.responses.retrieve, second.id)
    both = {"conversation": made.id, "previous_response_id": first.id}
    refused("mutually_exclusive_parameters", 400, api.responses.create, **SHORT, input="x", **both)
    refused("conversation_not_found", 404, api.responses.create, **SHORT, input="x", conversation=ABSENT)
    refused("conversation_not_found", 404, api.responses.create, **SHORT, input="x", conversation="none")


def test_content_rests_under_a_chosen_key(moho):
    kms = client(moho, "kms", credentials=moho.credentials("Admin"))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/chosen-{key}", TargetKeyId=key)
    api = moho.openai("Admin")
    made = api.conversations.create(items=[{"role": "user", "content": "hi"}], extra_headers={"moho-kms-key-id": f"alias/chosen-{key}"})
    answer = api.responses.create(**SHORT, input="hi", extra_headers={"moho-kms-key-id": key})
    kms.disable_key(KeyId=key)
    for call, named in ((api.conversations.retrieve, made.id), (api.conversations.items.list, made.id), (api.responses.retrieve, answer.id)):
        refused("invalid_value", 400, call, named)
    kms.enable_key(KeyId=key)
    assert api.conversations.retrieve(made.id).id == made.id and api.responses.retrieve(answer.id).id == answer.id
    sealed = moho.http(moho.bearer("Admin")).get(f"/v1/keys/{key}").json()["sealed"]
    assert {one["what"]: one["count"] for one in sealed} == {"conversations": 1, "stored responses": 1}
    with pytest.raises(openai.APIStatusError):
        api.conversations.create(extra_headers={"moho-kms-key-id": "alias/none"})


def test_it_takes_the_conversation_and_its_key(moho):
    api = moho.openai("Admin")
    made = api.conversations.create(items=[{"role": "user", "content": "hi"}])
    with moho.http(moho.bearer("Admin")) as http:
        request = http.get(f"/v1/conversations/{made.id}").headers["x-request-id"]
    allowed = [entry["action"] for entry in journal.of_request(journal.verified_entries(moho.data), request) if entry["outcome"] == "allow"]
    assert [action for action in allowed if not action.endswith("CallWithBearerToken")] == ["bedrock-mantle:GetConversation", "kms:Decrypt"]
    from signing import bearer_key

    for action in ("bedrock-mantle:GetConversation", "kms:Decrypt"):
        less = narrowed(moho, {"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": action, "Resource": "*"}, role="Admin")
        with moho.http({"Authorization": f"Bearer {bearer_key(less)}"}) as http:
            for path in ("", "/items"):
                assert http.get(f"/v1/conversations/{made.id}{path}").status_code == 403, (action, path)
            body = SHORT | {"input": "x", "conversation": made.id}
            assert http.post("/v1/responses", json=body).status_code == 403
    other = another_account(moho)
    with moho.http({"Authorization": f"Bearer {bearer_key(other)}"}) as http:
        assert http.get(f"/v1/conversations/{made.id}").json()["error"]["code"] == "conversation_not_found"
        assert http.delete(f"/v1/conversations/{made.id}").status_code == 404


def test_nothing_is_kept_where_nothing_may_be(make_moho):
    moho = make_moho().start()
    bedrock = client(moho, "bedrock", credentials=moho.credentials("Admin"))
    assert bedrock.get_account_data_retention()["mode"] == "default"
    for mode in ("aws_review", "provider_data_share"):
        with pytest.raises(bedrock.exceptions.ValidationException):
            bedrock.put_account_data_retention(mode=mode)
    api = moho.openai()
    before = api.conversations.create(items=[{"role": "user", "content": "hi"}])
    assert bedrock.put_account_data_retention(mode="none")["mode"] == "none"
    assert api.responses.create(**SHORT, input="hi").store is False
    refused("zero_data_retention", 400, api.responses.create, **SHORT, input="hi", store=True)
    refused("unsupported_value", 400, api.responses.create, **SHORT, input="hi", background=True)
    refused("zero_data_retention", 400, api.conversations.create)
    refused("zero_data_retention", 400, api.responses.create, **SHORT, input="hi", conversation=before.id)
    refused("zero_data_retention", 400, api.conversations.items.create, before.id, items=[{"role": "user", "content": "x"}])
    assert api.conversations.retrieve(before.id).id == before.id
    assert bedrock.put_account_data_retention(mode="default")["updatedAt"]
    assert api.responses.create(**SHORT, input="hi", store=True).store is True


def test_all_that_is_kept_is_taken_out_and_erased(make_moho):
    moho = make_moho().start()
    marker = "Quokka7Xylophone9Marmalade"
    api = moho.openai()
    agent = client(moho, "bedrock-agent", credentials=moho.credentials("Admin"))
    prompt = agent.create_prompt(name="kept", description=marker)
    for _ in range(3):
        api.responses.create(**SHORT, input=marker)
    talk = api.conversations.create(items=[{"role": "user", "content": marker}])
    with moho.http(moho.bearer()) as http:
        assert http.get("/v1/content").status_code == http.delete("/v1/content").status_code == 403
    with moho.http(moho.bearer("Admin")) as http:
        assert http.post("/v1/data_retention", json={"days": 7}).json() == {"object": "data_retention", "mode": "default", "days": 7}
        answer = http.get("/v1/content")
        assert answer.headers["content-type"] == "application/jsonl"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert [line["kind"] for line in lines] == ["response"] * 3 + ["conversation", "prompt", "end"]
        assert all(marker in json.dumps(line) for line in lines[:-1])
        assert (lines[3]["id"], lines[4]["id"]) == (talk.id, prompt["id"])
        rest = http.get("/v1/content", params={"after": f"conversation/{talk.id}"})
        assert [json.loads(line)["kind"] for line in rest.text.splitlines()] == ["prompt", "end"]
        assert http.delete("/v1/content").json() == {"object": "content.erased", "responses": 3, "conversations": 1, "prompts": 1}
        assert http.get("/v1/content").text == '{"kind":"end"}\n'
    refused("conversation_not_found", 404, api.conversations.retrieve, talk.id)
    for file in (moho.data / "store").rglob("*"):
        if file.is_file() and file.name.startswith("moho.sqlite"):
            assert talk.id.encode() not in file.read_bytes(), file


def test_a_page_of_an_export_names_so_many_things_and_no_more(make_moho):
    """Of what the caller may read as of what not: each takes decisions."""
    moho = make_moho().start()
    count = 520
    with moho.http(moho.bearer()) as http:
        for _ in range(count):
            assert http.post("/v1/conversations", json={}).status_code == 200
    pages, after = [], {}
    with moho.http(moho.bearer("Admin")) as http:
        while not pages or pages[-1][-1]["kind"] == "more":
            pages.append([json.loads(line) for line in http.get("/v1/content", params=after).text.splitlines()])
            after = {"after": pages[-1][-1].get("after")}
    assert [len(page) for page in pages] == [501, count - 500 + 1]
    assert len({line["id"] for page in pages for line in page[:-1]}) == count
