"""Workloads with a token of a real identity provider, and everybody who only pretends to have one."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time

import boto3
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives import serialization

import journal
from federating import REFUSAL, WHOLE, Federated, authorities, trust
from identity_provider import Keys, OidcProvider, PlayedIssuer, encoded
from serving import Moho

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
CLIENTS = {"moho": "RS256", "moho-ec": "ES256", "moho-ed": "EdDSA"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    provider = OidcProvider(tmp_path_factory.mktemp("provider"), clients=CLIENTS)
    yield provider
    provider.end()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    played = PlayedIssuer(tmp_path_factory.mktemp("played"))
    yield played
    played.end()


@pytest.fixture(scope="module")
def federated(tmp_path_factory, provider, played):
    folder = tmp_path_factory.mktemp("federated")
    known = authorities(folder / "authorities.pem", provider.certificate.authority, played.certificate.authority)
    arguments = ("--federation-issuer", provider.issuer, "--federation-issuer", played.issuer)
    server = Moho(folder / "data", models={}, arguments=(*arguments, "--federation-ca", str(known)))
    try:
        yield Federated(server.start())
    finally:
        server.end()


@pytest.fixture(scope="module")
def trusted(federated, provider, played):
    """The ARNs of the account's providers."""
    return {
        "real": federated.trusts(provider.issuer, list(CLIENTS)),
        "played": federated.trusts(played.issuer, ["moho", "moho-other"]),
    }


@pytest.fixture(scope="module")
def role(federated, provider, trusted):
    """A role for the provider's workload."""
    conditions = {"StringEquals": {f"{provider.name}:sub": "workload"}}
    return federated.role("Workload", trust(trusted["real"], conditions))


@pytest.fixture(scope="module")
def played_role(federated, played, trusted):
    return federated.role("Played", trust(trusted["played"], {"StringEquals": {f"{played.name}:aud": "moho"}}, WHOLE))


@pytest.fixture(autouse=True)
def as_it_was(federated, played):
    played.answer = played.well
    yield
    federated.moho.assert_unharmed()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_becomes_a_session(federated, provider, role, algorithm):
    token = provider.keys.sign(provider.claims("moho"), algorithm)
    given = federated.assume(role, token, DurationSeconds=900)
    assert given["SubjectFromWebIdentityToken"] == "workload"
    assert (given["Provider"], given["Audience"]) == (provider.issuer, "moho")
    assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{federated.account}:assumed-role/Workload/probe"
    lasting = given["Credentials"]["Expiration"].timestamp() - time.time()
    assert 850 < lasting <= 901
    found = federated.client("sts", given["Credentials"]).get_caller_identity()
    assert found["Arn"] == given["AssumedRoleUser"]["Arn"]
    # The same token again, as at AWS.
    assert federated.assume(role, token)["AssumedRoleUser"] == given["AssumedRoleUser"]


def test_the_form_may_stand_in_the_query(federated, provider, role):
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": "by-query",
        "WebIdentityToken": provider.keys.sign(provider.claims("moho"), "ES256"),
    }
    with federated.moho.http() as http:
        answer = http.get("/", params=asked)
    assert answer.status_code == 200, answer.text
    assert "assumed-role/Workload/by-query" in answer.text


def test_keys_are_replaced_while_it_runs(federated, provider, role):
    old = provider.keys
    before = old.sign(provider.claims("moho"), "ES256")
    federated.assume(role, before)
    new = provider.rotate("second")
    token = new.sign(provider.claims("moho"), "ES256")

    def taken():
        try:
            return federated.assume(role, token)
        except federated.stranger().exceptions.InvalidIdentityTokenException:
            # An issuer is not asked again within ten seconds.
            return None

    deadline = time.monotonic() + 60
    while taken() is None:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert federated.refused(role, before)[0] == "InvalidIdentityToken", "what the issuer took back is gone"


def test_the_sdk_and_the_cli_take_a_token_file(federated, provider, role, tmp_path):
    """As in a pod with a projected token: two variables, or a profile."""
    file = tmp_path / "token"
    file.write_text(provider.keys.sign(provider.claims("moho"), "RS256"))
    config = tmp_path / "config"
    config.write_text(
        f"[profile workload]\nrole_arn = {role}\nweb_identity_token_file = {file}\nrole_session_name = pod\n"
        f"region = us-east-1\nendpoint_url = {federated.moho.url}\nca_bundle = {federated.moho.authority}\n"
    )
    bare = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}
    variables = {
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_SESSION_NAME": "pod",
        "AWS_ENDPOINT_URL": federated.moho.url,
        "AWS_CA_BUNDLE": str(federated.moho.authority),
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    profile = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "workload"}
    ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    aws = ["aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    for environment in (variables, profile):
        for command in ([sys.executable, "-c", ask], aws):
            finished = subprocess.run(
                command, env=bare | environment, capture_output=True, text=True, timeout=120, check=False
            )
            assert finished.returncode == 0, finished.stderr
            assert finished.stdout.strip() == f"arn:aws:sts::{federated.account}:assumed-role/Workload/pod"


def test_a_token_that_boto3_renews_by_itself(federated, provider, role, tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(provider.keys.sign(provider.claims("moho"), "ES256"))
    for name, value in {
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_ENDPOINT_URL": federated.moho.url,
        "AWS_CA_BUNDLE": str(federated.moho.authority),
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    sts = boto3.Session().client("sts", config=Config(proxies={}))
    assert ":assumed-role/Workload/" in sts.get_caller_identity()["Arn"]


def test_tags_and_source_come_from_the_token(federated, played, played_role):
    aws = "https://aws.amazon.com/"
    tags = {"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]}
    token = played.token(**{f"{aws}tags": tags, f"{aws}source_identity": "alice"})
    given = federated.assume(played_role, token)
    assert given["SourceIdentity"] == "alice" and given["PackedPolicySize"] > 0
    own = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": played_role},
                    "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
                    "Condition": {"StringEquals": {"aws:PrincipalTag/Team": "red", "aws:SourceIdentity": "alice"}},
                }
            ],
        }
    )
    next_role = federated.role("ByTag", own)
    session = federated.client("sts", given["Credentials"])
    assert session.assume_role(RoleArn=next_role, RoleSessionName="chained")["SourceIdentity"] == "alice"
    without = federated.client("sts", federated.assume(played_role, played.token())["Credentials"])
    with pytest.raises(without.exceptions.ClientError, match="AccessDenied"):
        without.assume_role(RoleArn=next_role, RoleSessionName="chained")


def test_tags_need_leave(federated, provider, role):
    tags = {"principal_tags": {"Team": ["red"]}}
    token = provider.keys.sign(provider.claims("moho", **{"https://aws.amazon.com/tags": tags}))
    assert federated.refused(role, token) == ("AccessDenied", 403, REFUSAL)


CONDITIONS = [
    ("aud", {"StringEquals": {"{}:aud": "moho-other"}}, {"aud": "moho-other"}, {"aud": "moho"}),
    ("sub", {"StringLike": {"{}:sub": "repo:us/*"}}, {"sub": "repo:us/x"}, {"sub": "repo:them/x"}),
    ("amr", {"ForAnyValue:StringEquals": {"{}:amr": "mfa"}}, {"amr": ["pwd", "mfa"]}, {"amr": ["pwd"]}),
    ("email", {"StringEquals": {"{}:email": "a@example.com"}}, {"email": "a@example.com"}, {"email": "b@example.com"}),
    ("email-null", {"Null": {"{}:email": "false"}}, {"email": "a@example.com"}, {}),
    ("oaud", {"StringEquals": {"{}:oaud": "moho-other"}}, {"azp": "moho", "aud": "moho-other"}, {"oaud": "moho-other"}),
    ("session", {"StringEquals": {"sts:RoleSessionName": "probe"}}, {}, None),
]


@pytest.mark.parametrize("name, condition, good, bad", CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_trust_asks_about_claims(federated, played, trusted, name, condition, good, bad):
    named = {operator: {key.format(played.name): value for key, value in keys.items()} for operator, keys in condition.items()}
    arn = federated.role(f"Asking-{name}", trust(trusted["played"], named))
    assert federated.assume(arn, played.token(**good))
    if bad is None:
        assert federated.refused(arn, played.token(**good), RoleSessionName="other") == ("AccessDenied", 403, REFUSAL)
    else:
        assert federated.refused(arn, played.token(**bad)) == ("AccessDenied", 403, REFUSAL)


def forged(played, header: dict, claims: dict | None = None, signature: bytes = b"") -> str:
    return f"{encoded(header)}.{encoded(claims or played.claims())}.{encoded(signature)}"


def by_public_key(played) -> str:
    """HS256 with the public key as the secret, as libraries once took it."""
    public = played.keys.private["RS256"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encoded({'alg': 'HS256', 'kid': played.keys.name('RS256')})}.{encoded(played.claims())}"
    return f"{signed}.{encoded(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


def with_own_key(played) -> str:
    own = Keys("mallory")
    return own.sign(played.claims(), "ES256", kid=played.keys.name("ES256"), jwk=own.jwk("ES256", private=False))


def another_shape(played) -> str:
    """An ECDSA signature as other protocols write it."""
    good = played.token("ES256")
    signed, _, signature = good.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    halves = [raw[:32].lstrip(b"\0") or b"\0", raw[32:].lstrip(b"\0") or b"\0"]
    halves = [b"\0" + half if half[0] & 0x80 else half for half in halves]
    body = b"".join(bytes([2, len(half)]) + half for half in halves)
    return f"{signed}.{encoded(bytes([0x30, len(body)]) + body)}"


NOW = int(time.time())
ATTACKS = {
    "none": (lambda p: forged(p, {"alg": "none"}), "InvalidIdentityToken", 400),
    "None": (lambda p: forged(p, {"alg": "nOnE"}), "InvalidIdentityToken", 400),
    "unsigned": (lambda p: forged(p, {"alg": "RS256", "kid": p.keys.name("RS256")}), "InvalidIdentityToken", 400),
    "key confusion": (by_public_key, "InvalidIdentityToken", 400),
    "own key in the header": (with_own_key, "InvalidIdentityToken", 400),
    "own key under its name": (
        lambda p: Keys("m").sign(p.claims(), "RS256", kid=p.keys.name("RS256")),
        "InvalidIdentityToken",
        400,
    ),
    "algorithm of another key": (
        lambda p: p.keys.sign(p.claims(), "RS256", kid=p.keys.name("ES256")),
        "InvalidIdentityToken",
        400,
    ),
    "jku": (lambda p: p.keys.sign(p.claims(), "RS256", jku="https://127.0.0.1:1/keys"), "InvalidIdentityToken", 400),
    "x5u": (lambda p: p.keys.sign(p.claims(), "RS256", x5u="https://127.0.0.1:1/keys"), "InvalidIdentityToken", 400),
    "crit": (lambda p: p.keys.sign(p.claims(), "RS256", crit=["exp"]), "InvalidIdentityToken", 400),
    "access token": (lambda p: p.keys.sign(p.claims(), "RS256", typ="at+jwt"), "InvalidIdentityToken", 400),
    "huge header": (lambda p: p.keys.sign(p.claims(), "RS256", pad="x" * 9000), "InvalidIdentityToken", 400),
    "unknown key": (lambda p: p.keys.sign(p.claims(), "RS256", kid="nobody"), "InvalidIdentityToken", 400),
    "path as key": (lambda p: p.keys.sign(p.claims(), "RS256", kid="../../dev/null"), "InvalidIdentityToken", 400),
    "another shape": (another_shape, "InvalidIdentityToken", 400),
    "five parts": (lambda p: ".".join([encoded({"alg": "dir", "enc": "A256GCM"}), "", "AA", "AA", "AA"]), "InvalidIdentityToken", 400),
    "no token": (lambda p: "token", "InvalidIdentityToken", 400),
    "audience": (lambda p: p.token(aud="somebody-else"), "AccessDenied", 403),
    "authorized party": (lambda p: p.token(azp="somebody-else"), "AccessDenied", 403),
    "issuer": (lambda p: p.token(iss="https://issuer.example"), "InvalidIdentityToken", 400),
    "issuer with a slash": (lambda p: p.token(iss=p.issuer + "/"), "InvalidIdentityToken", 400),
    "no subject": (lambda p: p.token(sub=None), "InvalidIdentityToken", 400),
    "no end": (lambda p: p.token(exp=None), "InvalidIdentityToken", 400),
    "ended": (lambda p: p.token(exp=NOW - 1), "ExpiredTokenException", 400),
    "not begun": (lambda p: p.token(nbf=NOW + 7200), "IDPRejectedClaim", 403),
    "from the future": (lambda p: p.token(iat=NOW + 7200, exp=NOW + 9000), "IDPRejectedClaim", 403),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_only_looks_like_a_token_is_refused(federated, played, played_role, attack):
    make, code, status = ATTACKS[attack]
    token = make(played)
    found = federated.refused(played_role, token)
    assert found[:2] == (code, status), found
    assert token not in found[2]
    assert federated.assume(played_role, played.token()), "and the next one is taken"


def test_another_issuers_key_signs_nothing(federated, provider, played, played_role):
    """Each issuer's keys are for its own tokens, though both are trusted."""
    token = provider.keys.sign(played.claims(), "RS256")
    assert federated.refused(played_role, token)[0] == "InvalidIdentityToken"


def test_nobody_learns_what_there_is(federated, provider, played, role, trusted):
    """No such provider there, one with other client ids, no such role, a role of somebody else: the same words."""
    other = "111122223333" if federated.account != "111122223333" else "111122224444"
    token = provider.keys.sign(provider.claims("moho"))
    told = {
        federated.refused(arn, each)
        for arn, each in [
            (f"arn:aws:iam::{federated.account}:role/Absent", token),
            (f"arn:aws:iam::{federated.account}:role/Admin", token),
            (f"arn:aws:iam::{federated.account}:role/some/path/Workload", token),
            (f"arn:aws:iam::{other}:role/Workload", token),
            (role, provider.keys.sign(provider.claims("moho", sub="mallory"))),
            (role, played.token()),
            (role, provider.keys.sign(provider.claims("somebody-else"))),
            (f"arn:aws:iam::{other}:role/Workload", provider.keys.sign(provider.claims("somebody-else"))),
        ]
    }
    assert told == {("AccessDenied", 403, REFUSAL)}
    # What is wrong with the token itself is told alike, whatever the account.
    ended = provider.keys.sign(provider.claims("moho", exp=NOW - 10))
    codes = {federated.refused(f"arn:aws:iam::{account}:role/X", ended)[0] for account in (federated.account, other)}
    assert codes == {"ExpiredTokenException"}


def test_a_provider_that_is_gone_is_not_trusted(federated, played, trusted):
    arn = federated.role("ForGone", trust(trusted["played"]))
    assert federated.assume(arn, played.token())
    federated.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=trusted["played"])
    try:
        assert federated.refused(arn, played.token()) == ("AccessDenied", 403, REFUSAL)
    finally:
        federated.trusts(played.issuer, ["moho", "moho-other"])
    assert federated.assume(arn, played.token())


BAD_REQUESTS = [
    ({"Policy": "{"}, "MalformedPolicyDocument", 400),
    ({"DurationSeconds": 43200}, "ValidationError", 400),
    ({"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/{'x' * 200}{i}"} for i in range(10)]}, "PackedPolicyTooLarge", 400),
    ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/None"}]}, "ValidationError", 400),
    ({"ProviderId": "www.amazon.com"}, "ValidationError", 400),
    ({"RoleArn": "arn:aws:iam::123456789012:user/x/yyyyyyyyyy"}, "ValidationError", 400),
]


@pytest.mark.parametrize("more, code, status", BAD_REQUESTS, ids=[row[1] + str(i) for i, row in enumerate(BAD_REQUESTS)])
def test_requests_that_ask_too_much(federated, played, played_role, more, code, status):
    found = federated.refused(played_role, played.token(), **more)
    assert found[:2] == (code, status), found


def test_a_session_policy_narrows(federated, played, played_role):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}
    given = federated.assume(played_role, played.token(), Policy=json.dumps(policy))
    iam = federated.client("iam", given["Credentials"])
    assert iam.list_roles()["Roles"]
    with pytest.raises(iam.exceptions.ClientError, match="AccessDenied"):
        iam.list_users()


def test_strangers_bring_little(federated, played, played_role):
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": played_role}
    with federated.moho.http() as http:
        long = http.post("/", data=form | {"WebIdentityToken": "x" * 70_000})
        assert long.status_code == 413, long.text
        refused = http.post("/", data=form | {"RoleSessionName": "probe", "WebIdentityToken": "x" * 20_001})
        assert refused.status_code == 400 and "<Code>ValidationError</Code>" in refused.text
        for other in ("GetCallerIdentity", "AssumeRole", "Nothing", ""):
            answer = http.post("/", data={"Action": other, "Version": "2011-06-15"})
            assert answer.status_code == 403 and "<Code>MissingAuthenticationToken</Code>" in answer.text, other
            answer = http.get("/", params={"Action": other, "Version": "2011-06-15"})
            assert answer.status_code == 403 and "<Code>MissingAuthenticationToken</Code>" in answer.text, other


def test_whoever_fails_too_often_is_slowed(federated, played, played_role):
    found = set()
    deadline = time.monotonic() + 30
    while "Throttling" not in found and time.monotonic() < deadline:
        found.add(federated.refused_at_once(played_role, "token")[0])
    assert found == {"InvalidIdentityToken", "Throttling"}
    assert federated.assume(played_role, played.token()), "a second later it is as before"


def test_whoever_shares_an_address_with_who_fails_is_let_in(federated, played, played_role):
    good, deadline = played.token(), time.monotonic() + 60
    assert federated.assume(played_role, good)
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": played_role, "RoleSessionName": "probe"}
    with federated.moho.http() as http:

        def ask(token):
            return http.post("/", data=form | {"WebIdentityToken": token}).text

        def is_slowed():
            return "<Code>Throttling</Code>" in ask("token")

        # The good token came within the second of the bad ones if these are slowed before and after it.
        while time.monotonic() < deadline:
            if is_slowed():
                assert "<SessionToken>" in ask(good)
                if is_slowed():
                    return
    raise AssertionError("nobody was slowed for long enough")


def test_decisions_are_written_down(federated, played, played_role, trusted):
    given = federated.assume(played_role, played.token())
    request = given["ResponseMetadata"]["RequestId"]
    entries = journal.of_request(journal.verified_entries(federated.moho.data), request)
    assert [entry["action"] for entry in entries] == ["sts:AssumeRoleWithWebIdentity"]
    entry = entries[0]
    assert (entry["outcome"], entry["scheme"], entry["principal"]) == ("allow", "web-identity", trusted["played"])
    assert entry["resource"] == played_role
    everything = b"".join(path.read_bytes() for path in journal.files(federated.moho.data))
    assert b"workload" not in everything, "whom the token is of stays out of it"


def test_a_request_that_asks_in_vain_is_written_down(federated, played, played_role):
    stranger = federated.stranger()

    def written_of(wrong):
        ask = {"RoleArn": played_role, "RoleSessionName": "probe", "WebIdentityToken": played.token()} | wrong
        with pytest.raises(stranger.exceptions.ClientError) as refused:
            stranger.assume_role_with_web_identity(**ask)
        request = refused.value.response["ResponseMetadata"]["RequestId"]
        return journal.of_request(journal.verified_entries(federated.moho.data), request)

    for wrong in ({"ProviderId": "www.amazon.com"}, {"RoleArn": "arn:aws:iam::123456789012:user/x/yyyyyyyyyy"}):
        found, deadline = written_of(wrong), time.monotonic() + 30
        # Tests before this one may have had all entries of their own that an address gets within this second.
        while not found and time.monotonic() < deadline:
            found = written_of(wrong)
        assert [entry.get("reason") for entry in found] == ["web-identity/request"], found


def test_it_says_whose_tokens_it_takes(federated, provider, played):
    said = federated.moho.log_text()
    for issuer in (provider.issuer, played.issuer):
        assert f"identity tokens of this issuer are taken, and its keys are asked for: {issuer}" in said
    assert "the bootstrap door is closed for good" in said
