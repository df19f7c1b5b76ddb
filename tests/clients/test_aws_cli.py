"""The AWS CLI against STS, IAM and Bedrock, as an administrator would type it."""

import json
import subprocess

import pytest

from identity_provider import PlayedIssuer
from serving import MODEL, UNGRANTED, Credentials
from signing import bearer_key, replaced

# What the CLI ends with when the service refuses: version 1 and version 2.
SERVICE_ERROR = (255, 254)


@pytest.fixture
def aws(moho, tmp_path):
    """Runs `aws …` against the shared server; gives what it printed, or fails with what it complained of."""

    def run(*arguments, credentials=None, server=moho):
        command = ["aws", *arguments, "--output", "json"]
        environment = server.aws_environment(tmp_path, credentials or server.credentials("Admin"))
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


def printed(finished):
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def assert_refused(finished, code):
    assert finished.returncode in SERVICE_ERROR, (finished.returncode, finished.stderr, finished.stdout)
    assert f"An error occurred ({code})" in finished.stderr


@pytest.mark.parametrize("role", ["Admin", "Developer"])
def test_get_caller_identity(aws, moho, role):
    found = printed(aws("sts", "get-caller-identity", credentials=moho.credentials(role)))
    assert found.keys() == {"UserId", "Account", "Arn"}
    assert found["Account"].isdigit() and len(found["Account"]) == 12
    assert found["Arn"].startswith(f"arn:aws:sts::{found['Account']}:assumed-role/{role}/")
    unique, session = found["UserId"].split(":")
    assert unique.startswith("AROA")
    assert found["Arn"].endswith(f"/{session}")


def assume(aws, role, *arguments, credentials=None):
    account = printed(aws("sts", "get-caller-identity"))["Account"]
    arn = f"arn:aws:iam::{account}:role/{role}"
    return aws("sts", "assume-role", "--role-arn", arn, "--role-session-name", "probe", *arguments, credentials=credentials)


def taken(found, moho):
    return Credentials.of_sts(found, moho.credentials().region)


def test_assume_role(aws, moho):
    answer = printed(assume(aws, "Developer", "--duration-seconds", "900"))
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/Developer/probe")
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":probe")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    identity = printed(aws("sts", "get-caller-identity", credentials=taken(answer["Credentials"], moho)))
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_a_session_policy_narrows_the_role(aws, moho):
    nothing = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    answer = printed(assume(aws, "Developer", "--policy", nothing))
    key = bearer_key(taken(answer["Credentials"], moho))
    with moho.http({"Authorization": f"Bearer {key}"}) as http:
        refused = http.get("/v1/models")
    assert refused.status_code == 403, refused.text


def test_a_developer_does_not_become_administrator(aws, moho):
    assert_refused(assume(aws, "Admin", credentials=moho.credentials("Developer")), "AccessDenied")


def test_a_role_that_is_not_there_is_denied_as_one_that_is_not_allowed(aws):
    finished = assume(aws, "NoSuchRole")
    assert_refused(finished, "AccessDenied")
    assert "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::" in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--duration-seconds", "43201"], "less than or equal to 43200"),
        (["--external-id", "not allowed!"], "failed to satisfy constraint"),
        (["--policy", "not json"], ""),
    ],
)
def test_values_out_of_range(aws, arguments, words):
    finished = assume(aws, "Developer", *arguments)
    assert finished.returncode in SERVICE_ERROR, finished.stdout
    assert "An error occurred (ValidationError)" in finished.stderr or "(MalformedPolicyDocument)" in finished.stderr
    assert words in finished.stderr


def test_wrong_credentials(aws, moho):
    good = moho.credentials("Admin")

    def changed(**fields):
        made = {name: getattr(good, name) for name in ("access_key_id", "secret_access_key", "session_token", "bearer_token", "region")}
        return Credentials(**(made | fields))

    wrong = {
        "SignatureDoesNotMatch": [changed(secret_access_key=replaced(good.secret_access_key, 5))],
        "InvalidClientTokenId": [
            changed(access_key_id="ASIA0000000000000000"),
            changed(access_key_id="AKIAIOSFODNN7EXAMPLE"),
            changed(session_token=replaced(good.session_token, len(good.session_token) // 2)),
            changed(session_token="nonsense"),
        ],
    }
    for code, cases in wrong.items():
        for credentials in cases:
            assert_refused(aws("sts", "get-caller-identity", credentials=credentials), code)


def test_an_operation_that_is_not_served(aws):
    assert_refused(aws("iam", "get-account-password-policy"), "InvalidAction")


def test_list_foundation_models(aws, moho):
    models = printed(aws("bedrock", "list-foundation-models"))["modelSummaries"]
    # Those that the account has not agreed to, too.
    assert {model["modelId"] for model in models} == {MODEL, UNGRANTED}
    [model] = [model for model in models if model["modelId"] == MODEL]
    assert model["modelArn"] == f"arn:aws:bedrock:{moho.credentials().region}::foundation-model/{MODEL}"
    assert printed(aws("bedrock", "list-foundation-models", "--by-output-modality", "IMAGE"))["modelSummaries"] == []


def test_get_foundation_model(aws):
    for model in printed(aws("bedrock", "list-foundation-models"))["modelSummaries"]:
        for name in (model["modelId"], model["modelArn"]):
            found = printed(aws("bedrock", "get-foundation-model", "--model-identifier", name))
            assert found["modelDetails"] == model
    assert_refused(aws("bedrock", "get-foundation-model", "--model-identifier", "no-such-model"), "ValidationException")


def test_converse(aws, moho):
    messages = json.dumps([{"role": "user", "content": [{"text": "What is the capital of France?"}]}])
    ask = ["bedrock-runtime", "converse", "--messages", messages, "--inference-config", "temperature=0,maxTokens=40", "--model-id"]
    answer = printed(aws(*ask, MODEL, credentials=moho.credentials()))
    assert "Paris" in answer["output"]["message"]["content"][0]["text"]
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]
    assert_refused(aws(*ask, UNGRANTED, credentials=moho.credentials()), "AccessDeniedException")
    assert_refused(aws(*ask, "no-such-model", credentials=moho.credentials()), "ValidationException")


def test_invoke_model_writes_the_answer_to_a_file(aws, tmp_path):
    answer = tmp_path / "answer.json"
    body = json.dumps({"prompt": "The capital of France is", "max_gen_len": 12, "temperature": 0})
    printed(aws("bedrock-runtime", "invoke-model", "--model-id", MODEL, "--body", body, str(answer)))
    assert "Paris" in json.loads(answer.read_text())["generation"]


def setting(url: str) -> list[str]:
    """What an administrator types to set an identity provider."""
    thumbprints = ["--thumbprint-list", "0123456789abcdef0123456789abcdef01234567"]
    return ["iam", "create-open-id-connect-provider", "--url", url, "--client-id-list", "moho", *thumbprints]


@pytest.fixture
def issuer(tmp_path):
    played = PlayedIssuer(tmp_path)
    yield played
    played.end()


def test_the_first_identity_provider_closes_the_door_for_good(aws, make_moho, issuer):
    trusting = ("--federation-issuer", issuer.issuer, "--federation-ca", str(issuer.certificate.authority))
    server = make_moho(arguments=trusting).start()
    provider = setting(issuer.issuer)
    admin = server.credentials("Admin")
    assert server.run_credentials("Developer").returncode == 0

    away = aws(*setting("https://login.example.com"), credentials=admin, server=server)
    assert_refused(away, "OpenIdIdpCommunicationError")
    refused = aws(*provider, credentials=server.credentials("Developer"), server=server)
    assert_refused(refused, "AccessDenied")
    assert server.run_credentials("Developer").returncode == 0

    created = printed(aws(*provider, credentials=admin, server=server))
    assert created["OpenIDConnectProviderArn"].endswith(f":oidc-provider/{issuer.name}")
    assert server.run_credentials("Developer").returncode != 0
    assert_refused(aws(*provider, credentials=admin, server=server), "EntityAlreadyExists")
    # What was issued before lives to its end.
    printed(aws("sts", "get-caller-identity", credentials=admin, server=server))

    assert server.stop() == 0
    server.start()
    assert server.run_credentials("Admin").returncode != 0
    assert not list(server.data.glob("**/*.sock"))
    printed(aws("sts", "get-caller-identity", credentials=admin, server=server))
