"""The catalogue of models as boto3 reads it; the AWS CLI's side is in test_aws_cli.py."""

import botocore.exceptions
import pytest

import journal
from bedrock import bearer_client, client, model_arn, narrowed
from serving import MODEL, UNGRANTED


def test_list(moho, monkeypatch):
    listed = client(moho, "bedrock").list_foundation_models()["modelSummaries"]
    # The account did not agree to use the other one yet: it has to see it to do so.
    assert [model["modelId"] for model in listed] == [MODEL, UNGRANTED]
    model = listed[0]
    assert (model["modelId"], model["modelArn"]) == (MODEL, model_arn(moho))
    assert model["inputModalities"] == model["outputModalities"] == ["TEXT"]
    assert model["inferenceTypesSupported"] == ["ON_DEMAND"]
    assert model["responseStreamingSupported"] is True
    assert model["modelLifecycle"]["status"] == "ACTIVE"
    assert bearer_client(moho, monkeypatch, service="bedrock").list_foundation_models()["modelSummaries"] == listed


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"byOutputModality": "TEXT"}, 2),
        ({"byOutputModality": "IMAGE"}, 0),
        ({"byInferenceType": "ON_DEMAND"}, 2),
        ({"byInferenceType": "PROVISIONED"}, 0),
        ({"byCustomizationType": "FINE_TUNING"}, 0),
        ({"byProvider": "nobody"}, 0),
        ({"byOutputModality": "TEXT", "byInferenceType": "PROVISIONED"}, 0),
    ],
)
def test_filters(moho, wanted, count):
    assert len(client(moho, "bedrock").list_foundation_models(**wanted)["modelSummaries"]) == count


def test_the_provider_is_one_to_filter_by(moho):
    bedrock = client(moho, "bedrock")
    listed = bedrock.list_foundation_models()["modelSummaries"]
    assert bedrock.list_foundation_models(byProvider=listed[0]["providerName"])["modelSummaries"] == listed


def test_get(moho):
    bedrock = client(moho, "bedrock")
    model = bedrock.list_foundation_models()["modelSummaries"][0]
    for name in (MODEL, model_arn(moho)):
        found = bedrock.get_foundation_model(modelIdentifier=name)
        assert found["modelDetails"] == model
    entries = journal.verified_entries(moho.data)
    [entry] = journal.of_request(entries, found["ResponseMetadata"]["RequestId"])
    assert (entry["outcome"], entry["action"], entry["resource"]) == ("allow", "bedrock:GetFoundationModel", model_arn(moho))


def test_a_model_can_be_seen_before_it_is_agreed_to(moho):
    bedrock = client(moho, "bedrock")
    assert bedrock.get_foundation_model(modelIdentifier=UNGRANTED)["modelDetails"]["modelId"] == UNGRANTED
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        bedrock.get_foundation_model(modelIdentifier="no-such-model")
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_who_may_do_nothing_learns_nothing(moho):
    bedrock = client(moho, "bedrock", credentials=narrowed(moho, {"Effect": "Deny", "Action": "*", "Resource": "*"}))
    for call in (
        bedrock.list_foundation_models,
        lambda: bedrock.get_foundation_model(modelIdentifier=MODEL),
        lambda: bedrock.get_foundation_model(modelIdentifier="no-such-model"),
    ):
        with pytest.raises(bedrock.exceptions.AccessDeniedException) as refused:
            call()
        assert "is not authorized to perform: bedrock:" in refused.value.response["Error"]["Message"]
