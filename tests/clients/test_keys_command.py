"""`moho keys`: who can use a key, by what, and what is lost with it, told before it is disabled or deleted, and true."""

import json
import subprocess

import pytest
from kms_account import Keeper, allow, granting, named, outcome
from serving import MODEL, binary, model_file
from sts import document

CONTEXT = {"team": "a"}


@pytest.fixture(scope="module")
def account(moho):
    account = Keeper(moho)
    yield account
    account.clear()


def run(moho, home, *arguments, role="Admin", credentials=None, **environment):
    given = moho.aws_environment(home, credentials or moho.credentials(role)) | environment
    command = [str(binary()), "keys", *arguments]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)


def told(moho, home, *arguments):
    found = run(moho, home, *arguments, "--json")
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def decisions(key, arn, group="use"):
    """What is decided for a principal on each action."""
    (one,) = [one for one in key["principals"] if one["principal"] == arn]
    return {action: decided for decided in one[group] for action in decided["actions"]}


def statements(decided):
    return {(by["policy"], by["statement"]) for by in decided["by"]}


def test_it_tells_who_may_and_by_what(moho, account, tmp_path):
    """What it tells is what happens: each caller is tried."""
    key = account.key()
    alias = account.alias(key)
    other = account.key()
    allowed = account.caller_role(allow(["kms:Encrypt"], key, Sid="Mine"))
    denied = account.caller_role(allow("kms:*"), allow("kms:*", effect="Deny", Sid="Never"))
    nobody = account.caller_role()
    granted = account.caller_role()
    account.kms.create_grant(
        KeyId=key, GranteePrincipal=granted, Operations=["Encrypt"], Name="backup", Constraints={"EncryptionContextSubset": CONTEXT}
    )
    conditional = account.caller_role(allow("kms:Encrypt", key, Condition={"StringEquals": {"kms:EncryptionContext:team": "a"}}))
    account.kms.put_key_policy(
        KeyId=key,
        Policy=account.key_policy(
            granting(account.root, ["kms:Encrypt", "kms:Decrypt", "kms:DisableKey"], Sid="Account"),
            granting("210987654321", "kms:Decrypt", Sid="Partner"),
        ),
    )

    one = told(moho, tmp_path, alias)
    assert (one["arn"], one["aliases"], one["state"], one["sealed"]) == (key, [alias], "Enabled", [])
    encrypt = {role: decisions(one, role)["kms:Encrypt"] for role in (allowed, denied, nobody, granted, conditional)}
    assert {role: decided["decision"] for role, decided in encrypt.items()} == {
        allowed: "allowed",
        denied: "denied",
        nobody: "denied",
        granted: "conditional",
        conditional: "conditional",
    }
    inline = f"role/{allowed.rsplit('/', 1)[1]}/inline:allowed"
    assert statements(encrypt[allowed]) == {(key, "Account"), (inline, "Mine")}
    assert {statement for _, statement in statements(encrypt[denied])} == {"Never"}
    assert encrypt[denied]["reason"] == "explicit-deny/identity" and encrypt[nobody]["reason"] == "not-allowed/identity"
    ((policy, name),) = statements(encrypt[granted])
    assert policy.startswith("grant/") and name == "backup"
    assert encrypt[granted]["conditions"] == ["kms:EncryptionContext"]
    assert encrypt[conditional]["conditions"] == ["kms:EncryptionContext:team"]
    assert decisions(one, allowed)["kms:Decrypt"]["decision"] == "denied"
    admin = f"arn:aws:iam::{account.number}:role/Admin"
    assert decisions(one, admin, "manage")["kms:ScheduleKeyDeletion"]["decision"] == "allowed"
    assert [(named["principal"], named["by"]["statement"]) for named in one["named"]] == [("arn:aws:iam::210987654321:root", "Partner")]

    for role, decided in encrypt.items():
        client = account.as_role(role)
        with_context = outcome(client.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)
        without = outcome(client.encrypt, KeyId=key, Plaintext=b"x")
        happened = {("ok", "ok"): "allowed", ("ok", "AccessDeniedException"): "conditional"}
        assert happened.get((with_context, without), "denied") == decided["decision"], role

    keys = {one["id"]: one for one in told(moho, tmp_path)}
    assert keys[key.rsplit("/", 1)[1]] == one
    assert other.rsplit("/", 1)[1] in keys
    shown = run(moho, tmp_path, alias)
    assert shown.returncode == 0, shown.stderr
    (line,) = [line for line in shown.stdout.splitlines() if f"role/{allowed.rsplit('/', 1)[1]} " in line and " may use " in line]
    assert "Encrypt" in line and f"key policy Account and {inline} Mine" in line
    assert "moho keeps nothing that is sealed under it" in shown.stdout
    account.kms.disable_key(KeyId=key)
    assert told(moho, tmp_path, key)["state"] == "Disabled"


def test_it_tells_what_is_lost(make_moho, tmp_path):
    moho = make_moho(models={MODEL: model_file()}).start()
    account = Keeper(moho)
    spare = account.key()
    client = moho.openai()
    for text in ("one", "two"):
        client.responses.create(model=MODEL, input=text, max_output_tokens=16)
    keys = told(moho, tmp_path)
    (own,) = [key for key in keys if key["accounts_own"]]
    (sealed,) = own["sealed"]
    assert (sealed["what"], sealed["count"]) == ("stored responses", 2) and sealed["bytes"] > 100
    assert told(moho, tmp_path, spare)["sealed"] == []
    shown = run(moho, tmp_path, own["id"]).stdout
    assert "2 stored responses (" in shown and "could not be opened by anybody, for good" in shown
    listed = run(moho, tmp_path).stdout
    assert "the account's own key" in listed and "2 stored responses (" in listed
    # Away from the data directory, with nothing but what `moho credentials` prints for OpenAI's clients.
    bearer = moho.credentials("Admin").bearer_token
    alone = {"OPENAI_BASE_URL": f"{moho.url}/v1", "OPENAI_API_KEY": bearer, "SSL_CERT_FILE": str(moho.authority), "HOME": str(tmp_path)}
    found = subprocess.run([str(binary()), "keys"], env=alone, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 0 and own["id"] in found.stdout, found.stderr


def test_it_shows_nobody_more_than_they_may_see(moho, account, tmp_path):
    key = account.key()
    lister = account.caller_role(allow(["kms:ListKeys", "bedrock-mantle:CallWithBearerToken"]))
    session = account.session(lister)
    environment = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    listed = run(moho, tmp_path, **environment)
    assert listed.returncode == 0, listed.stderr
    assert key.rsplit("/", 1)[1] in listed.stdout and "not shown: " in listed.stdout and " may use " not in listed.stdout
    for wanted in (key, account.key_arn("11111111-2222-4333-8444-555555555555")):
        refused = run(moho, tmp_path, wanted, **environment)
        assert refused.returncode == 4 and "kms:DescribeKey" in refused.stderr and "moho keys --help" in refused.stderr
    described = account.caller_role(allow(["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants", "bedrock-mantle:CallWithBearerToken"]))
    session = account.session(described)
    environment |= {"AWS_ACCESS_KEY_ID": session["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"]}
    environment |= {"AWS_SESSION_TOKEN": session["SessionToken"]}
    refused = run(moho, tmp_path, key, **environment)
    assert refused.returncode == 4 and "iam:GetAccountAuthorizationDetails" in refused.stderr


def test_what_goes_wrong_says_what_to_do(moho, tmp_path):
    without = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
    for changed, status, words in [
        (without, 2, "moho credentials --role Admin"),
        ({"AWS_SESSION_TOKEN": ""}, 2, "no session token"),
        ({"AWS_SESSION_TOKEN": "x"}, 4, "moho login"),
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, 3, "does not answer"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, 2, "no address of moho's"),
    ]:
        found = run(moho, tmp_path, **changed)
        assert found.returncode == status and words in found.stderr, (changed, found.returncode, found.stderr)
        assert found.stdout == ""
    absent = run(moho, tmp_path, "alias/" + named("absent"))
    assert absent.returncode == 4 and "is not found" in absent.stderr


def test_keys_of_other_accounts_are_absent(moho, account, tmp_path):
    """A key of another account is as absent as one that is not there, whatever its policy says."""
    member = account.member()
    foreign = member.kms.create_key(Policy=document(granting([member.root, account.root], "kms:*")))["KeyMetadata"]["Arn"]
    found = run(moho, tmp_path, foreign)
    assert found.returncode == 4 and "does not exist" in found.stderr, found.stderr
