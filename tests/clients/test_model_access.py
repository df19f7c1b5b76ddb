"""Access to models as an administrator gives it, with Bedrock's own operations: nothing is usable before, and nothing after."""

import json
import subprocess

import botocore.exceptions
import openai
import pytest

import journal
from bedrock import QUESTION, client, model_arn, narrowed
from serving import MODEL, UNGRANTED
from sts import refused

SHORT = {"maxTokens": 4, "temperature": 0}


@pytest.fixture
def admin(moho):
    """Bedrock's control plane for an administrator, whose agreement with the other model ends with the test."""
    bedrock = client(moho, "bedrock", credentials=moho.credentials("Admin"))
    yield bedrock
    try:
        bedrock.delete_foundation_model_agreement(modelId=UNGRANTED)
    except bedrock.exceptions.ResourceNotFoundException:
        pass


def token(bedrock, model=UNGRANTED):
    [offer] = bedrock.list_foundation_model_agreement_offers(modelId=model)["offers"]
    return offer["offerToken"]


def accept(bedrock, model=UNGRANTED):
    return bedrock.create_foundation_model_agreement(modelId=model, offerToken=token(bedrock, model))


def converse(moho, model=UNGRANTED):
    return client(moho).converse(modelId=model, messages=QUESTION, inferenceConfig=SHORT)


def every_route(moho, model):
    """Each way to ask a model, as its client asks."""
    runtime = client(moho)
    body = json.dumps({"prompt": "Once", "max_gen_len": 2})
    chat = {"model": model, "messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 2}
    answer = {"model": model, "input": "Hi!", "max_output_tokens": 16, "store": False}
    return [
        lambda: runtime.converse(modelId=model, messages=QUESTION, inferenceConfig=SHORT),
        lambda: list(runtime.converse_stream(modelId=model, messages=QUESTION, inferenceConfig=SHORT)["stream"]),
        lambda: runtime.invoke_model(modelId=model, body=body)["body"].read(),
        lambda: list(runtime.invoke_model_with_response_stream(modelId=model, body=body)["body"]),
        lambda: runtime.count_tokens(modelId=model, input={"converse": {"messages": QUESTION}}),
        lambda: moho.openai().chat.completions.create(**chat),
        lambda: moho.openai(prefix="/openai/v1").chat.completions.create(**chat),
        lambda: moho.openai().responses.create(**answer),
        lambda: moho.openai(prefix="/openai/v1").responses.create(**answer),
    ]


def test_nothing_is_usable_before_the_agreement_everything_with_it_and_nothing_after(moho, admin):
    def denied():
        for ask in every_route(moho, UNGRANTED):
            with pytest.raises((botocore.exceptions.ClientError, openai.PermissionDeniedError)) as found:
                ask()
            assert "You don't have access to the model with the specified model ID." in str(found.value)

    denied()
    assert UNGRANTED not in [model.id for model in moho.openai().models.list()]
    agreed = accept(admin)
    assert agreed["modelId"] == UNGRANTED and agreed["ResponseMetadata"]["HTTPStatusCode"] == 202
    for ask in every_route(moho, UNGRANTED):
        ask()
    assert UNGRANTED in [model.id for model in moho.openai().models.list()]
    assert admin.delete_foundation_model_agreement(modelId=UNGRANTED)["ResponseMetadata"]["HTTPStatusCode"] == 202
    denied()


def test_availability_says_what_is_missing(moho, admin):
    def availability(bedrock=admin, model=UNGRANTED):
        found = bedrock.get_foundation_model_availability(modelId=model)
        assert found["modelId"] == model
        names = ("authorizationStatus", "entitlementAvailability", "regionAvailability")
        return (found["agreementAvailability"]["status"], *(found[name] for name in names))

    assert availability() == ("NOT_AVAILABLE", "AUTHORIZED", "NOT_AVAILABLE", "AVAILABLE")
    accept(admin)
    assert availability() == ("AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE")
    looking = {"Effect": "Allow", "Action": "bedrock:GetFoundationModelAvailability", "Resource": "*"}
    looker = client(moho, "bedrock", credentials=narrowed(moho, looking, role="Admin"))
    assert availability(looker) == ("AVAILABLE", "NOT_AUTHORIZED", "AVAILABLE", "AVAILABLE")
    assert availability(looker, MODEL)[:2] == ("AVAILABLE", "NOT_AUTHORIZED")


def test_an_offer_is_accepted_once_by_its_account_for_its_model(admin):
    mine = token(admin)
    for wrong in ("", "nonsense", token(admin, MODEL), mine[:-2], mine + "A"):
        denied = refused(admin.create_foundation_model_agreement, modelId=UNGRANTED, offerToken=wrong)
        assert (denied.code, denied.status) == ("ValidationException", 400), wrong
    assert token(admin) != mine and UNGRANTED not in mine
    admin.create_foundation_model_agreement(modelId=UNGRANTED, offerToken=mine)
    denied = refused(admin.create_foundation_model_agreement, modelId=UNGRANTED, offerToken=mine)
    assert (denied.code, denied.status) == ("ConflictException", 400)
    admin.delete_foundation_model_agreement(modelId=UNGRANTED)
    denied = refused(admin.delete_foundation_model_agreement, modelId=UNGRANTED)
    assert (denied.code, denied.status) == ("ResourceNotFoundException", 404)


def test_an_offer_says_what_the_model_costs(admin):
    [offer] = admin.list_foundation_model_agreement_offers(modelId=UNGRANTED, offerType="PUBLIC")["offers"]
    rates = offer["termDetails"]["usageBasedPricingTerm"]["rateCard"]
    assert {rate["dimension"]: rate["price"] for rate in rates} == {"InputTokenCount": "0", "OutputTokenCount": "0"}
    for wrong in ({"modelId": "no-such-model"}, {"modelId": UNGRANTED, "offerType": "PRIVATE"}):
        denied = refused(admin.list_foundation_model_agreement_offers, **wrong)
        assert (denied.code, denied.status) == ("ValidationException", 400), wrong


def test_developers_may_not_agree(moho):
    bedrock = client(moho, "bedrock")
    for call in (
        lambda: bedrock.list_foundation_model_agreement_offers(modelId=UNGRANTED),
        lambda: bedrock.create_foundation_model_agreement(modelId=UNGRANTED, offerToken="x"),
        lambda: bedrock.delete_foundation_model_agreement(modelId=MODEL),
        lambda: bedrock.create_foundation_model_agreement(modelId="no-such-model", offerToken="x"),
        lambda: bedrock.put_use_case_for_model_access(formData=b"0123456789"),
        bedrock.get_use_case_for_model_access,
    ):
        denied = refused(call)
        assert (denied.code, denied.status) == ("AccessDeniedException", 403)


def test_what_was_ended_does_not_come_back_with_a_restart(make_moho):
    moho = make_moho().start()
    admin = client(moho, "bedrock", credentials=moho.credentials("Admin"))
    admin.delete_foundation_model_agreement(modelId=MODEL)
    moho.stop()
    moho.start()
    moho._credentials.clear()
    assert refused(converse, moho, MODEL).code == "AccessDeniedException"
    accept(client(moho, "bedrock", credentials=moho.credentials("Admin")), MODEL)
    moho.stop()
    moho.start()
    assert converse(moho, MODEL)["usage"]["outputTokens"] > 0


def test_the_use_case_is_kept_for_its_account_alone_and_sealed(moho, admin):
    denied = refused(admin.get_use_case_for_model_access)
    assert (denied.code, denied.status) == ("ResourceNotFoundException", 404)
    for form in (b'{"companyName": "zanzibar-works"}', b'{"companyName": "zanzibar-other"}'):
        put = admin.put_use_case_for_model_access(formData=form)
        assert put["ResponseMetadata"]["HTTPStatusCode"] == 201
        assert admin.get_use_case_for_model_access()["formData"] == form
    for wrong in (b"short", b"x" * 16385):
        assert refused(admin.put_use_case_for_model_access, formData=wrong).code == "ValidationException"
    for path in (moho.data / "store").iterdir():
        assert b"zanzibar" not in path.read_bytes(), path


def test_the_journal_has_who_agreed_to_what(moho, admin):
    agreed = accept(admin)
    [entry] = journal.of_request(journal.verified_entries(moho.data), agreed["ResponseMetadata"]["RequestId"])
    assert (entry["outcome"], entry["action"]) == ("allow", "bedrock:CreateFoundationModelAgreement")
    assert entry["resource"] == model_arn(moho, UNGRANTED)


def test_the_aws_cli_agrees_as_the_refusal_says(moho, admin, tmp_path):
    def run(*words):
        environment = moho.aws_environment(tmp_path, moho.credentials("Admin"))
        done = subprocess.run(["aws", "bedrock", *words], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    offers = run("list-foundation-model-agreement-offers", "--model-id", UNGRANTED)["offers"]
    run("create-foundation-model-agreement", "--model-id", UNGRANTED, "--offer-token", offers[0]["offerToken"])
    assert converse(moho)["usage"]["inputTokens"] > 0
