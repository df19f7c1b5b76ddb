"""Inference profiles: names that lead to models on every route, and what it takes to use them."""

import json
import secrets

import botocore.exceptions
import openai
import pytest

import journal
from bedrock import QUESTION, client, model_arn, narrowed
from serving import MODEL, UNGRANTED, Credentials
from sts import refused

SHORT = {"maxTokens": 4, "temperature": 0}


@pytest.fixture
def admin(moho):
    """Bedrock's control plane for an administrator; the profiles that the test makes go with it."""
    bedrock = client(moho, "bedrock", credentials=moho.credentials("Admin"))
    yield bedrock
    for profile in bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]:
        bedrock.delete_inference_profile(inferenceProfileIdentifier=profile["inferenceProfileArn"])


def account(moho):
    return moho.boto3("sts").get_caller_identity()["Account"]


def another_account(moho) -> Credentials:
    """The administrator's credentials in a second account of the organisation, which is made for it."""
    admin = moho.credentials("Admin")
    name = f"profiles-{secrets.token_hex(4)}"
    organizations = client(moho, "organizations", credentials=admin)
    made = organizations.create_account(AccountName=name, Email=f"{name}@example.org")["CreateAccountStatus"]
    role = f"arn:aws:iam::{made['AccountId']}:role/OrganizationAccountAccessRole"
    found = client(moho, "sts", credentials=admin).assume_role(RoleArn=role, RoleSessionName="visiting")["Credentials"]
    return Credentials.of_sts(found, admin.region)


def create(moho, admin, model=MODEL, name="team app", **more):
    made = admin.create_inference_profile(inferenceProfileName=name, modelSource={"copyFrom": model_arn(moho, model)}, **more)
    assert made["status"] == "ACTIVE" and made["ResponseMetadata"]["HTTPStatusCode"] == 201
    return made["inferenceProfileArn"]


def ask_everywhere(moho, name, credentials=None):
    """Asks by this name on every route that takes a model, and gives what each answered."""
    runtime = client(moho, credentials=credentials)
    body = json.dumps({"prompt": "Once", "max_gen_len": 2})
    chat = {"model": name, "messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 2}
    whole = runtime.converse(modelId=name, messages=QUESTION, inferenceConfig=SHORT)
    assert whole["usage"]["outputTokens"] > 0
    streamed = list(runtime.converse_stream(modelId=name, messages=QUESTION, inferenceConfig=SHORT)["stream"])
    assert "metadata" in streamed[-1]
    assert json.loads(runtime.invoke_model(modelId=name, body=body)["body"].read())["generation_token_count"] > 0
    assert list(runtime.invoke_model_with_response_stream(modelId=name, body=body)["body"])
    own_body = json.dumps(chat)
    assert json.loads(runtime.invoke_model(modelId=name, body=own_body)["body"].read())["choices"]
    for prefix in ("/v1", "/openai/v1"):
        found = moho.openai(prefix=prefix)
        assert found.chat.completions.create(**chat).model == name
        assert list(found.chat.completions.create(**chat, stream=True))
        answer = found.responses.create(model=name, input="Hi!", max_output_tokens=16, store=False)
        assert answer.model == name
        assert found.models.retrieve(name).id == name
    return whole["ResponseMetadata"]["RequestId"]


def test_every_model_has_system_profiles(moho):
    bedrock = client(moho, "bedrock", credentials=moho.credentials("Admin"))
    found = bedrock.list_inference_profiles(typeEquals="SYSTEM_DEFINED")["inferenceProfileSummaries"]
    assert sorted(profile["inferenceProfileId"] for profile in found) == sorted(
        f"{prefix}.{model}" for prefix in ("us", "global") for model in (MODEL, UNGRANTED)
    )
    profile = next(profile for profile in found if profile["inferenceProfileId"] == f"us.{MODEL}")
    assert profile["inferenceProfileArn"] == model_arn(moho, f"us.{MODEL}", account=account(moho), kind="inference-profile")
    assert profile["models"] == [{"modelArn": model_arn(moho)}]
    assert (profile["type"], profile["status"]) == ("SYSTEM_DEFINED", "ACTIVE")
    for name in (profile["inferenceProfileId"], profile["inferenceProfileArn"]):
        got = bedrock.get_inference_profile(inferenceProfileIdentifier=name)
        assert {key: got[key] for key in profile} == profile


def test_a_system_profile_leads_to_its_model_on_every_route(moho):
    arn = model_arn(moho, f"us.{MODEL}", account=account(moho), kind="inference-profile")
    for name in (f"us.{MODEL}", arn, f"global.{MODEL}"):
        request = ask_everywhere(moho, name)
    entries = journal.of_request(journal.verified_entries(moho.data), request)
    told = [(entry["action"], entry["resource"]) for entry in entries]
    other = arn.replace("/us.", "/global.")
    assert told == [("bedrock:InvokeModel", other), ("bedrock:InvokeModel", model_arn(moho))]


def test_an_application_profile_leads_to_its_model_on_every_route(moho, admin):
    arn = create(moho, admin, tags=[{"key": "team", "value": "red"}])
    for name in (arn, arn.split("/")[1]):
        ask_everywhere(moho, name)
    admin.delete_inference_profile(inferenceProfileIdentifier=arn)
    runtime = client(moho)
    denied = refused(runtime.converse, modelId=arn, messages=QUESTION)
    assert (denied.code, denied.status) == ("ResourceNotFoundException", 404)
    with pytest.raises(openai.NotFoundError):
        moho.openai().chat.completions.create(model=arn, messages=[{"role": "user", "content": "Hi!"}])


def test_counting_takes_a_model_and_no_profile(moho):
    runtime = client(moho)
    for name in (f"us.{MODEL}", model_arn(moho, f"us.{MODEL}", account=account(moho), kind="inference-profile")):
        denied = refused(runtime.count_tokens, modelId=name, input={"converse": {"messages": QUESTION}})
        assert denied.code in ("ValidationException", "ResourceNotFoundException")


def test_a_profile_and_its_model_both_have_to_be_allowed(moho, admin):
    arn = create(moho, admin)
    invoke = {"Effect": "Allow", "Action": "bedrock:InvokeModel"}
    only_by_profile = {"Condition": {"StringEquals": {"bedrock:InferenceProfileArn": arn}}}

    def asked(name, *statements):
        return client(moho, credentials=narrowed(moho, *statements)).converse(modelId=name, messages=QUESTION, inferenceConfig=SHORT)

    denied = refused(asked, arn, {**invoke, "Resource": model_arn(moho)})
    assert denied.code == "AccessDeniedException" and arn in denied.message
    denied = refused(asked, arn, {**invoke, "Resource": arn})
    assert denied.code == "AccessDeniedException" and model_arn(moho) in denied.message
    both = [{**invoke, "Resource": arn}, {**invoke, "Resource": model_arn(moho), **only_by_profile}]
    assert asked(arn, *both)["usage"]["outputTokens"] > 0
    denied = refused(asked, MODEL, *both)
    assert denied.code == "AccessDeniedException", "by the profile only"


def test_tags_of_a_profile_are_conditions(moho, admin):
    red = create(moho, admin, name="red", tags=[{"key": "team", "value": "red"}])
    blue = create(moho, admin, name="blue", tags=[{"key": "team", "value": "blue"}])
    any_model = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": model_arn(moho)}
    red_only = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModel",
        "Resource": "arn:aws:bedrock:*:*:application-inference-profile/*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}},
    }
    runtime = client(moho, credentials=narrowed(moho, any_model, red_only))
    runtime.converse(modelId=red, messages=QUESTION, inferenceConfig=SHORT)
    assert refused(runtime.converse, modelId=blue, messages=QUESTION).code == "AccessDeniedException"
    admin.tag_resource(resourceARN=blue, tags=[{"key": "team", "value": "red"}])
    runtime.converse(modelId=blue, messages=QUESTION, inferenceConfig=SHORT)


def test_a_profile_does_not_replace_the_agreement(moho, admin):
    for name in (create(moho, admin, UNGRANTED), f"us.{UNGRANTED}"):
        denied = refused(client(moho).converse, modelId=name, messages=QUESTION)
        assert denied.code == "AccessDeniedException"
        assert "You don't have access to the model with the specified model ID." in denied.message


def test_a_foreign_or_absent_profile_looks_the_same(moho, admin):
    runtime = client(moho)
    told = set()
    for name in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        arn = model_arn(moho, name, account="999999999999", kind="application-inference-profile")
        denied = refused(runtime.converse, modelId=arn, messages=QUESTION)
        told.add((denied.code, denied.status, denied.message.replace(name, "…")))
    assert len(told) == 1 and next(iter(told))[0] == "AccessDeniedException"
    nobody = client(moho, credentials=narrowed(moho, {"Effect": "Deny", "Action": "*", "Resource": "*"}))
    there = create(moho, admin)
    absent = there[:-1] + ("a" if there[-1] != "a" else "b")
    for names in ((there, absent), (there.split("/")[1], absent.split("/")[1])):
        denied = [refused(nobody.converse, modelId=name, messages=QUESTION) for name in names]
        assert denied[0].code == denied[1].code == "AccessDeniedException"
        assert denied[0].message.replace(there, "…") == denied[1].message.replace(absent, "…")


def test_a_profile_of_another_account_is_not_there_for_this_one(moho, admin):
    other = another_account(moho)
    theirs = client(moho, "bedrock", credentials=other)
    arn = create(moho, theirs)
    assert theirs.get_inference_profile(inferenceProfileIdentifier=arn)["status"] == "ACTIVE"
    absent = arn[:-1] + ("a" if arn[-1] != "a" else "b")

    def told(call, name, **more):
        denied = refused(call, **more)
        return (denied.code, denied.status, denied.message.replace(name, "…"))

    runtime = client(moho, credentials=moho.credentials("Admin"))
    own = moho.openai("Admin")
    for name, nobody in ((arn, absent), (arn.split("/")[1], absent.split("/")[1])):
        for call, parameter in (
            (admin.get_inference_profile, "inferenceProfileIdentifier"),
            (admin.delete_inference_profile, "inferenceProfileIdentifier"),
        ):
            assert told(call, name, **{parameter: name}) == told(call, nobody, **{parameter: nobody})
        asked = {"messages": QUESTION, "inferenceConfig": SHORT}
        assert told(runtime.converse, name, modelId=name, **asked) == told(runtime.converse, nobody, modelId=nobody, **asked)
        with pytest.raises(openai.APIStatusError) as denied:
            own.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hi!"}])
        assert denied.value.status_code in (403, 404)
    for call, more in (
        (admin.tag_resource, {"tags": [{"key": "team", "value": "red"}]}),
        (admin.untag_resource, {"tagKeys": ["team"]}),
        (admin.list_tags_for_resource, {}),
    ):
        assert told(call, arn, resourceARN=arn, **more) == told(call, absent, resourceARN=absent, **more)
    listed = admin.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    assert arn not in [profile["inferenceProfileArn"] for profile in listed]
    # It is still theirs, but leads nowhere, as their account has not agreed to the model.
    assert theirs.get_inference_profile(inferenceProfileIdentifier=arn)["status"] == "ACTIVE"
    denied = refused(client(moho, credentials=other).converse, modelId=arn, messages=QUESTION)
    assert "You don't have access to the model with the specified model ID." in denied.message
    theirs.delete_inference_profile(inferenceProfileIdentifier=arn)


def test_a_client_request_token_makes_one_profile(moho, admin):
    source = {"copyFrom": model_arn(moho)}
    first = admin.create_inference_profile(inferenceProfileName="one", modelSource=source, clientRequestToken="token-1")
    again = admin.create_inference_profile(inferenceProfileName="one", modelSource=source, clientRequestToken="token-1")
    assert first["inferenceProfileArn"] == again["inferenceProfileArn"]
    denied = refused(admin.create_inference_profile, inferenceProfileName="two", modelSource=source, clientRequestToken="token-1")
    assert (denied.code, denied.status) == ("ConflictException", 400)


def test_profiles_are_listed_in_pages(moho, admin):
    made = {create(moho, admin, name=f"app {number}") for number in range(5)}
    pages = admin.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 3})
    listed = [profile["inferenceProfileArn"] for page in pages for profile in page["inferenceProfileSummaries"]]
    assert len(listed) == len(set(listed)) == 9
    assert made < set(listed)
    token = admin.list_inference_profiles(maxResults=1)["nextToken"]
    denied = refused(admin.list_inference_profiles, typeEquals="APPLICATION", nextToken=token)
    assert denied.code == "ValidationException", "it is another list's"
    for wrong in ({"nextToken": "nonsense"}, {"typeEquals": "CUSTOM"}, {"maxResults": 1001}):
        assert refused(admin.list_inference_profiles, **wrong).code == "ValidationException", wrong


def test_what_a_profile_says_of_itself(moho, admin):
    arn = create(moho, admin, name="my-app_1", description="For the app of the team")
    got = admin.get_inference_profile(inferenceProfileIdentifier=arn)
    assert (got["inferenceProfileName"], got["description"]) == ("my-app_1", "For the app of the team")
    assert (got["type"], got["status"], got["inferenceProfileArn"]) == ("APPLICATION", "ACTIVE", arn)
    assert got["models"] == [{"modelArn": model_arn(moho)}] and got["createdAt"] == got["updatedAt"]
    system = model_arn(moho, f"us.{MODEL}", account=account(moho), kind="inference-profile")
    copy = admin.create_inference_profile(inferenceProfileName="copy", modelSource={"copyFrom": system})
    copied = admin.get_inference_profile(inferenceProfileIdentifier=copy["inferenceProfileArn"].split("/")[1])
    assert copied["models"] == got["models"]


def test_what_cannot_be_is_refused(moho, admin):
    def made(**changes):
        wanted = {"inferenceProfileName": "app", "modelSource": {"copyFrom": model_arn(moho)}} | changes
        return refused(admin.create_inference_profile, **wanted)

    assert made(inferenceProfileName="no/slash").code == "ValidationException"
    assert made(modelSource={"copyFrom": model_arn(moho, "no-such-model")}).code == "ResourceNotFoundException"
    assert made(modelSource={"copyFrom": MODEL}).code == "ValidationException"
    own = create(moho, admin)
    assert made(modelSource={"copyFrom": own}).code == "ValidationException"
    many = [{"key": f"k{number}", "value": ""} for number in range(51)]
    assert made(tags=many).code == "TooManyTagsException"
    assert made(tags=[{"key": "aws:x", "value": ""}]).code == "ValidationException"
    assert made(tags=[{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]).code == "ValidationException"
    system = model_arn(moho, f"us.{MODEL}", account=account(moho), kind="inference-profile")
    assert refused(admin.delete_inference_profile, inferenceProfileIdentifier=system).code == "ValidationException"
    for absent in ("zzzzzzzzzzzz", "us.no-such-model", "nothing"):
        for call in (admin.get_inference_profile, admin.delete_inference_profile):
            denied = refused(call, inferenceProfileIdentifier=absent)
            assert denied.code in ("ResourceNotFoundException", "ValidationException"), absent


def test_tags_are_set_listed_and_taken_off(moho, admin):
    arn = create(moho, admin, tags=[{"key": "team", "value": "red"}, {"key": "stage", "value": "test"}])

    def tags():
        return {tag["key"]: tag["value"] for tag in admin.list_tags_for_resource(resourceARN=arn)["tags"]}

    assert tags() == {"team": "red", "stage": "test"}
    admin.tag_resource(resourceARN=arn, tags=[{"key": "team", "value": "blue"}, {"key": "cost", "value": "7"}])
    admin.untag_resource(resourceARN=arn, tagKeys=["stage", "not-there"])
    assert tags() == {"team": "blue", "cost": "7"}
    many = [{"key": f"k{number}", "value": ""} for number in range(49)]
    assert refused(admin.tag_resource, resourceARN=arn, tags=many).code == "TooManyTagsException"
    system = model_arn(moho, f"us.{MODEL}", account=account(moho), kind="inference-profile")
    for other in (system, arn[:-1] + ("a" if arn[-1] != "a" else "b")):
        assert refused(admin.list_tags_for_resource, resourceARN=other).code == "ResourceNotFoundException"
        assert refused(admin.tag_resource, resourceARN=other, tags=[]).code == "ResourceNotFoundException"
        assert refused(admin.untag_resource, resourceARN=other, tagKeys=[]).code == "ResourceNotFoundException"


def test_tags_in_a_request_are_conditions(moho, admin):
    red = {"StringEquals": {"aws:RequestTag/team": "red"}}
    allowed = [
        {"Effect": "Allow", "Action": "bedrock:CreateInferenceProfile", "Resource": "*", "Condition": red},
        {"Effect": "Allow", "Action": "bedrock:TagResource", "Resource": "*"},
    ]
    bedrock = client(moho, "bedrock", credentials=narrowed(moho, *allowed, role="Admin"))
    wanted = {"inferenceProfileName": "app", "modelSource": {"copyFrom": model_arn(moho)}}
    bedrock.create_inference_profile(**wanted, tags=[{"key": "team", "value": "red"}])
    for tags in ([], [{"key": "team", "value": "blue"}]):
        assert refused(bedrock.create_inference_profile, **wanted, tags=tags).code == "AccessDeniedException"
    bedrock = client(moho, "bedrock", credentials=narrowed(moho, allowed[0], role="Admin"))
    denied = refused(bedrock.create_inference_profile, **wanted, tags=[{"key": "team", "value": "red"}])
    assert "bedrock:TagResource" in denied.message


def test_developers_see_profiles_and_make_none(moho):
    bedrock = client(moho, "bedrock")
    assert bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    bedrock.get_inference_profile(inferenceProfileIdentifier=f"us.{MODEL}")
    with pytest.raises(botocore.exceptions.ClientError) as denied:
        bedrock.create_inference_profile(inferenceProfileName="app", modelSource={"copyFrom": model_arn(moho)})
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
