"""Grants: leave to use one key, given to one principal, for some operations, under some encryption contexts."""

import re

import pytest
from kms_account import Keeper, allow, granting, keeper, named, outcome, pages, put_policy, refused
from sts import document

DENIED = "AccessDeniedException"
WRONG = "ValidationException"
UNKNOWN = ("NotFoundException", "InvalidGrantIdException")
CONTEXT = {"department": "finance", "Purpose": "test"}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("grants")) as account:
        yield account


@pytest.fixture(scope="module")
def kms(account):
    return account.kms


class Given:
    """A grant to a role that has no policies."""

    def __init__(self, account: Keeper, key: str, *operations: str, **more):
        self.role = account.caller_role()
        made = account.kms.create_grant(KeyId=key, GranteePrincipal=self.role, Operations=list(operations), **more)
        self.id, self.token = made["GrantId"], made["GrantToken"]
        self.kms = account.as_role(self.role)


def encrypts(kms, key: str, context=None, **more) -> str:
    return outcome(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context or {}, **more)


def test_a_grant_gives_what_it_says_and_at_once(account, kms):
    key, another = account.key(), account.key()
    given = Given(account, key, "Encrypt", "Decrypt", "DescribeKey")
    assert re.fullmatch("[0-9a-f]{64}", given.id) and 1 <= len(given.token) <= 8192
    blob = given.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert given.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert given.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    refused(DENIED, given.kms.generate_data_key, KeyId=key, KeySpec="AES_256")
    refused(DENIED, given.kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key)
    refused(DENIED, given.kms.create_grant, KeyId=key, GranteePrincipal=given.role, Operations=["Encrypt"])
    assert encrypts(given.kms, another) == DENIED
    # Whoever denies is stronger.
    put_policy(kms, key, granting(account.root, "kms:*"), granting(given.role, "kms:Encrypt", "Deny"))
    assert encrypts(given.kms, key) == DENIED
    assert given.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    narrowed = account.as_role(given.role, Policy=document(allow("kms:Decrypt", effect="Deny"), allow("*")))
    refused(DENIED, narrowed.decrypt, CiphertextBlob=blob)
    # A key whose policy names nobody serves its grantees all the same.
    put_policy(kms, key, granting(account.root, ["kms:PutKeyPolicy", "kms:RevokeGrant"]))
    assert given.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.revoke_grant(KeyId=key, GrantId=given.id)
    refused(DENIED, given.kms.decrypt, CiphertextBlob=blob)


def test_a_list_of_grants_says_what_they_are(account, kms):
    key = account.key()
    retiring = account.caller_role()
    more = {"Constraints": {"EncryptionContextSubset": CONTEXT}, "RetiringPrincipal": retiring, "Name": "for/finance:1_a-b"}
    given = Given(account, key, "Decrypt", "RetireGrant", **more)
    [listed] = kms.list_grants(KeyId=key)["Grants"]
    created = listed.pop("CreationDate")
    assert created.tzinfo and sorted(listed.pop("Operations")) == ["Decrypt", "RetireGrant"]
    assert listed == {
        "KeyId": key,
        "GrantId": given.id,
        "Name": "for/finance:1_a-b",
        "GranteePrincipal": given.role,
        "RetiringPrincipal": retiring,
        "IssuingAccount": account.root,
        "Constraints": {"EncryptionContextSubset": CONTEXT},
    }
    second = Given(account, key, "Encrypt")
    [plain] = kms.list_grants(KeyId=key, GrantId=second.id)["Grants"]
    assert not {"Constraints", "RetiringPrincipal"} & {name for name, value in plain.items() if value}
    [found] = kms.list_grants(KeyId=key, GranteePrincipal=given.role)["Grants"]
    assert found["GrantId"] == given.id
    assert kms.list_grants(KeyId=key, GranteePrincipal=retiring)["Grants"] == []
    assert outcome(kms.list_grants, KeyId=key, GrantId="0" * 64) in ("ok", *UNKNOWN)
    for _ in range(3):
        Given(account, key, "Encrypt", RetiringPrincipal=retiring)
    cut = pages(kms.list_grants, KeyId=key, Limit=2)
    assert [len(page["Grants"]) for page in cut] == [2, 2, 1]
    assert len({one["GrantId"] for page in cut for one in page["Grants"]}) == 5
    cut = pages(kms.list_retirable_grants, RetiringPrincipal=retiring, Limit=3)
    assert [len(page["Grants"]) for page in cut] == [3, 1]
    assert {one["RetiringPrincipal"] for page in cut for one in page["Grants"]} == {retiring}
    marker = kms.list_grants(KeyId=key, Limit=1)["NextMarker"]
    refused("InvalidMarkerException", kms.list_grants, KeyId=account.key(), Marker=marker)
    refused("InvalidMarkerException", kms.list_retirable_grants, RetiringPrincipal=retiring, Marker=marker)
    assert kms.list_retirable_grants(RetiringPrincipal=given.role)["Grants"] == []
    refused(DENIED, account.caller().list_grants, KeyId=key)
    refused(DENIED, account.caller().list_retirable_grants, RetiringPrincipal=retiring)


def test_a_constraint_is_met_to_the_letter(account, kms):
    key = account.key()
    equal = Given(account, key, "Encrypt", "Decrypt", "GenerateDataKey", Constraints={"EncryptionContextEquals": CONTEXT})
    subset = Given(account, key, "Encrypt", "Decrypt", "GenerateDataKey", Constraints={"EncryptionContextSubset": CONTEXT})
    turned = dict(reversed(CONTEXT.items()))
    for context, equals, contains in [
        (CONTEXT, "ok", "ok"),
        (turned, "ok", "ok"),
        (CONTEXT | {"more": "1"}, DENIED, "ok"),
        (CONTEXT | {"PURPOSE": "test"}, DENIED, "ok"),
        ({}, DENIED, DENIED),
        ({"department": "finance"}, DENIED, DENIED),
        (CONTEXT | {"Purpose": "Test"}, DENIED, DENIED),
        ({"department": "finance", "purpose": "test"}, DENIED, DENIED),
        ({"Department": "finance", "Purpose": "test"}, DENIED, DENIED),
        (CONTEXT | {"department": "finance "}, DENIED, DENIED),
    ]:
        assert (encrypts(equal.kms, key, context), encrypts(subset.kms, key, context)) == (equals, contains), context
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    assert equal.kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"x"
    assert "Plaintext" in subset.kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    refused(DENIED, subset.kms.decrypt, CiphertextBlob=blob)
    # Of re-encryption, each end has its own context.
    source = Given(account, key, "ReEncryptFrom", "ReEncryptTo", Constraints={"EncryptionContextEquals": CONTEXT})
    move = {"CiphertextBlob": blob, "DestinationKeyId": key, "SourceEncryptionContext": CONTEXT}
    refused(DENIED, source.kms.re_encrypt, **move)
    assert source.kms.re_encrypt(DestinationEncryptionContext=CONTEXT, **move)["KeyId"] == key


def test_a_constraint_does_not_bind_what_has_no_context(account):
    key = account.key()
    given = Given(account, key, "Decrypt", "DescribeKey", "RetireGrant", Constraints={"EncryptionContextEquals": CONTEXT})
    given.kms.describe_key(KeyId=key)
    given.kms.retire_grant(KeyId=key, GrantId=given.id)
    refused(DENIED, given.kms.describe_key, KeyId=key)


def test_grants_that_cannot_be(account, kms):
    key = account.key()
    ecc = account.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    mac = account.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    fine = {"KeyId": key, "GranteePrincipal": account.caller_role(), "Operations": ["Decrypt"]}

    def pairs(number: int, length=1) -> dict:
        return {"Constraints": {"EncryptionContextEquals": {f"k{n}": "v" * length for n in range(number)}}}

    for change in [
        {"Operations": []},
        {"Operations": ["decrypt"]},
        {"Operations": ["kms:Decrypt"]},
        {"Operations": ["PutKeyPolicy"]},
        {"Operations": ["Decrypt", "Sign"]},
        {"Operations": ["GenerateMac"]},
        {"KeyId": ecc, "Operations": ["Decrypt"]},
        {"KeyId": ecc, "Operations": ["Sign", "GenerateDataKey"]},
        {"KeyId": mac, "Operations": ["Encrypt"]},
        {"KeyId": ecc, "Operations": ["Sign"], **pairs(1)},
        {"Name": "with space"},
        {"Name": ""},
        {"Name": "n" * 257},
        {"GranteePrincipal": "with space"},
        {"GranteePrincipal": None},
        {"Operations": None},
        {"GrantTokens": ["x"] * 11},
    ]:
        asked = {name: value for name, value in (fine | change).items() if value is not None}
        refused((WRONG, "InvalidArnException"), kms.create_grant, **asked)
    for change in [pairs(9), pairs(1, 385)]:
        refused((WRONG, "LimitExceededException"), kms.create_grant, **(fine | change))
    nobody = account.arn("no-such-role")
    for principal in [nobody, "nobody", "*", "arn:aws:iam::1:role/x", f"arn:aws:iam::{account.number}:role/*", f"arn:aws:s3:::{account.number}"]:
        for member in ("GranteePrincipal", "RetiringPrincipal"):
            refused(("InvalidArnException", WRONG), kms.create_grant, **(fine | {member: principal}))
    services = {"GranteeServicePrincipal": "s3.amazonaws.com", "RetiringPrincipal": account.root}
    refused((WRONG, "UnsupportedOperationException"), kms.create_grant, KeyId=key, Operations=["Decrypt"], **services)
    refused("NotFoundException", kms.create_grant, **(fine | {"KeyId": "12345678-1234-1234-1234-123456789012"}))
    alias = account.alias(key)
    refused(("NotFoundException", WRONG, "InvalidArnException"), kms.create_grant, **(fine | {"KeyId": alias}))
    assert kms.list_grants(KeyId=key)["Grants"] == [] == kms.list_grants(KeyId=ecc)["Grants"]


def test_grants_of_other_kinds_of_keys(account):
    mac = account.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    made = Given(account, mac, "GenerateMac").kms.generate_mac(KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_256")["Mac"]
    checking = Given(account, mac, "VerifyMac").kms
    assert checking.verify_mac(KeyId=mac, Message=b"x", Mac=made, MacAlgorithm="HMAC_SHA_256")["MacValid"]
    refused(DENIED, checking.generate_mac, KeyId=mac, Message=b"x", MacAlgorithm="HMAC_SHA_256")
    ecc = account.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    signing = Given(account, ecc, "Sign", "GetPublicKey").kms
    signature = signing.sign(KeyId=ecc, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    assert signing.get_public_key(KeyId=ecc)["KeySpec"] == "ECC_NIST_P256"
    refused(DENIED, signing.verify, KeyId=ecc, Message=b"x", Signature=signature, SigningAlgorithm="ECDSA_SHA_256")


def test_a_name_makes_asking_again_harmless(account, kms):
    key = account.key()
    asked = {"KeyId": key, "GranteePrincipal": account.caller_role(), "Operations": ["Decrypt", "Encrypt"], "Name": "once"}
    asked |= {"Constraints": {"EncryptionContextSubset": CONTEXT}}
    first, again = kms.create_grant(**asked), kms.create_grant(**(asked | {"Operations": ["Encrypt", "Decrypt"]}))
    assert first["GrantId"] == again["GrantId"] and len(kms.list_grants(KeyId=key)["Grants"]) == 1
    for token in (first["GrantToken"], again["GrantToken"]):
        assert encrypts(kms, key, GrantTokens=[token]) == "ok"
    for change in [{"Operations": ["Decrypt"]}, {"Name": "twice"}, {"Constraints": {"EncryptionContextEquals": CONTEXT}}]:
        assert kms.create_grant(**(asked | change))["GrantId"] != first["GrantId"]
    del asked["Name"]
    assert kms.create_grant(**asked)["GrantId"] != kms.create_grant(**asked)["GrantId"]


def test_a_token_must_be_one_of_this_key(account, kms):
    key, another = account.key(), account.key()
    given = Given(account, key, "Encrypt", "CreateGrant")
    foreign = Given(account, another, "Encrypt")
    assert encrypts(given.kms, key, GrantTokens=[given.token]) == "ok"
    assert encrypts(kms, key, GrantTokens=[given.token]) == "ok"
    for wrong in ["nonsense", given.token[:-4], given.token + "AAAA", foreign.token, given.token.swapcase()]:
        assert encrypts(given.kms, key, GrantTokens=[wrong]) == "InvalidGrantTokenException", wrong
    assert encrypts(given.kms, key, GrantTokens=[given.token, "nonsense"]) == "InvalidGrantTokenException"
    refused(WRONG, kms.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=[given.token] * 11)
    # A token is no bearer's: who is not the grantee gets nothing by it, and is told nothing.
    stranger = account.caller()
    assert encrypts(stranger, key, GrantTokens=[given.token]) == DENIED
    refused(DENIED, stranger.create_grant, KeyId=key, GranteePrincipal=account.root, Operations=["Encrypt"], GrantTokens=[given.token])


def test_nobody_gives_more_than_it_has(account, kms):
    key = account.key()
    friend = account.caller_role()
    free = Given(account, key, "Encrypt", "CreateGrant")
    bound = Given(account, key, "Encrypt", "Decrypt", "CreateGrant", Constraints={"EncryptionContextSubset": CONTEXT})
    exact = Given(account, key, "Encrypt", "CreateGrant", Constraints={"EncryptionContextEquals": CONTEXT})
    equals = lambda context: {"Constraints": {"EncryptionContextEquals": context}}  # noqa: E731
    subset = lambda context: {"Constraints": {"EncryptionContextSubset": context}}  # noqa: E731
    more = CONTEXT | {"more": "1"}
    for giver, operations, constraints, expected in [
        (free, ["Encrypt"], {}, "ok"),
        (free, ["Encrypt"], equals(CONTEXT), "ok"),
        (free, ["Decrypt"], {}, DENIED),
        (free, ["Encrypt", "Decrypt"], equals(CONTEXT), DENIED),
        (free, ["DescribeKey"], {}, DENIED),
        (bound, ["Decrypt"], {}, DENIED),
        (bound, ["Decrypt"], subset(CONTEXT), "ok"),
        (bound, ["Decrypt"], equals(CONTEXT), "ok"),
        (bound, ["Decrypt"], subset(more), "ok"),
        (bound, ["Decrypt"], equals(more), "ok"),
        (bound, ["Decrypt"], subset({"department": "finance"}), DENIED),
        (bound, ["Decrypt"], equals({"department": "finance"}), DENIED),
        (bound, ["Decrypt"], equals({"department": "finance", "purpose": "test"}), DENIED),
        (exact, ["Encrypt"], equals(CONTEXT), "ok"),
        (exact, ["Encrypt"], equals(more), DENIED),
        (exact, ["Encrypt"], subset(CONTEXT), DENIED),
        (exact, ["Encrypt"], {}, DENIED),
    ]:
        asked = {"KeyId": key, "GranteePrincipal": friend, "Operations": operations, **constraints}
        assert outcome(giver.kms.create_grant, **asked) == expected, (operations, constraints)
    # Two grants are not one that gives both; who needs no grant to give is not bound by one.
    kms.create_grant(KeyId=key, GranteePrincipal=free.role, Operations=["Decrypt"])
    for operations in (["Decrypt"], ["Encrypt", "Decrypt"]):
        refused(DENIED, free.kms.create_grant, KeyId=key, GranteePrincipal=friend, Operations=operations)
    rich = account.caller_role(allow("kms:CreateGrant"))
    kms.create_grant(KeyId=key, GranteePrincipal=rich, Operations=["Encrypt", "CreateGrant"])
    account.as_role(rich).create_grant(KeyId=key, GranteePrincipal=rich, Operations=["Decrypt"])
    # What was given outlives the giver's own grant, as at AWS, but the giver gives no more.
    kms.revoke_grant(KeyId=key, GrantId=free.id)
    assert encrypts(account.as_role(friend), key) == "ok"
    refused(DENIED, free.kms.create_grant, KeyId=key, GranteePrincipal=friend, Operations=["Encrypt"])


def test_who_may_retire_and_who_revoke(account, kms):
    key = account.key()
    retiring = account.caller_role()
    retirer, stranger = account.as_role(retiring), account.caller()

    def given(*operations):
        return Given(account, key, "Encrypt", *operations, RetiringPrincipal=retiring)

    one = given()
    for call in (stranger, one.kms):
        refused(DENIED, call.retire_grant, KeyId=key, GrantId=one.id)
        refused(DENIED, call.retire_grant, GrantToken=one.token)
        refused(DENIED, call.revoke_grant, KeyId=key, GrantId=one.id)
    refused(DENIED, retirer.revoke_grant, KeyId=key, GrantId=one.id)
    assert encrypts(one.kms, key) == "ok"
    retirer.retire_grant(KeyId=key, GrantId=one.id)
    assert encrypts(one.kms, key) == DENIED
    by_token, own = given(), given("RetireGrant")
    retirer.retire_grant(GrantToken=by_token.token)
    own.kms.retire_grant(GrantToken=own.token)
    assert encrypts(by_token.kms, key) == encrypts(own.kms, key) == DENIED
    # One grant's leave to retire is not another's.
    last, other = given("RetireGrant"), given()
    refused(DENIED, last.kms.retire_grant, KeyId=key, GrantId=other.id)
    kms.retire_grant(KeyId=key, GrantId=other.id)
    account.caller(allow("kms:RevokeGrant", key)).revoke_grant(KeyId=key, GrantId=last.id)
    assert kms.list_grants(KeyId=key)["Grants"] == []

    for grant in (one.id, "0" * 64, "nonsense"):
        refused(UNKNOWN, kms.revoke_grant, KeyId=key, GrantId=grant)
        refused(UNKNOWN, kms.retire_grant, KeyId=key, GrantId=grant)
    refused((*UNKNOWN, "InvalidGrantTokenException"), kms.retire_grant, GrantToken=one.token)
    refused("InvalidGrantTokenException", kms.retire_grant, GrantToken="nonsense")
    kept = given()
    for wrong in [{}, {"KeyId": key}, {"GrantId": kept.id}]:
        refused(WRONG, kms.retire_grant, **wrong)
    elsewhere = account.key()
    refused(UNKNOWN, kms.revoke_grant, KeyId=elsewhere, GrantId=kept.id)
    refused(UNKNOWN, kms.retire_grant, KeyId=elsewhere, GrantId=kept.id)
    assert encrypts(kept.kms, key) == "ok"


def test_a_dry_run_changes_nothing(account, kms):
    key = account.key()
    role = account.caller_role()
    asked = {"KeyId": key, "GranteePrincipal": role, "Operations": ["Encrypt"], "DryRun": True}
    refused("DryRunOperationException", kms.create_grant, **asked)
    refused(DENIED, account.caller().create_grant, **asked)
    assert kms.list_grants(KeyId=key)["Grants"] == []
    given = Given(account, key, "Encrypt")
    refused("DryRunOperationException", kms.revoke_grant, KeyId=key, GrantId=given.id, DryRun=True)
    refused("DryRunOperationException", kms.retire_grant, KeyId=key, GrantId=given.id, DryRun=True)
    refused("DryRunOperationException", kms.retire_grant, GrantToken=given.token, DryRun=True)
    refused(DENIED, account.caller().revoke_grant, KeyId=key, GrantId=given.id, DryRun=True)
    assert encrypts(given.kms, key) == "ok"


def test_a_session_is_given_what_its_role_is_not(account, kms):
    key = account.key()
    role = account.caller_role()
    one = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/one"
    kms.create_grant(KeyId=key, GranteePrincipal=one, Operations=["Encrypt"])
    assert encrypts(account.as_role(role, session="one"), key) == "ok"
    assert encrypts(account.as_role(role, session="two"), key) == DENIED
    # The whole account: whoever its own policies allow.
    shared = account.key(granting(account.root, "kms:DescribeKey"))
    kms.create_grant(KeyId=shared, GranteePrincipal=account.root, Operations=["Encrypt"])
    assert encrypts(account.caller(allow("kms:Encrypt")), shared) == "ok"
    assert encrypts(account.caller(), shared) == DENIED


def test_who_comes_back_under_a_grantees_name_is_another(account, kms):
    key = account.key()
    given = Given(account, key, "Encrypt", RetiringPrincipal=account.root)
    name = given.role.rsplit("/")[1]
    assert encrypts(given.kms, key) == "ok"
    account.remove(name)
    assert account.role(name, allowed=()) == given.role
    assert encrypts(account.as_role(given.role), key) == DENIED
    assert [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]] == [given.id]
    kms.revoke_grant(KeyId=key, GrantId=given.id)


def test_across_accounts_a_grant_is_one_side(account, kms):
    other = account.member("grantee")
    guest, idle = other.caller_role(allow(["kms:Encrypt", "kms:RetireGrant"])), other.caller_role()
    key = account.key()
    for role in (guest, idle):
        kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Encrypt"], RetiringPrincipal=guest)
    assert encrypts(other.as_role(guest), key) == "ok"
    assert encrypts(other.as_role(idle), key) == DENIED
    mine = other.kms.list_retirable_grants(RetiringPrincipal=guest)["Grants"]
    assert {one["GranteePrincipal"] for one in mine} == {guest, idle} and {one["KeyId"] for one in mine} == {key}
    assert (
        outcome(account.kms.list_retirable_grants, RetiringPrincipal=guest) != "ok"
        or not account.kms.list_retirable_grants(RetiringPrincipal=guest)["Grants"]
    )
    other.as_role(guest).retire_grant(KeyId=key, GrantId=mine[0]["GrantId"])
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 1
    # A guest's own policies do not widen what it may hand on.
    giver = other.caller_role(allow("kms:*"))
    kms.create_grant(KeyId=key, GranteePrincipal=giver, Operations=["Encrypt", "CreateGrant"])
    hands_on = {"KeyId": key, "GranteePrincipal": giver}
    assert outcome(other.as_role(giver).create_grant, Operations=["Encrypt"], **hands_on) == "ok"
    assert outcome(other.as_role(giver).create_grant, Operations=["Decrypt"], **hands_on) == DENIED
    # A guest whom the key's policy lets give: the grant is its account's, on the other's key.
    put_policy(kms, key, granting(account.root, "kms:*"), granting(other.root, ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]))
    helper = other.caller_role()
    made = other.kms.create_grant(KeyId=key, GranteePrincipal=guest, Operations=["Decrypt"], RetiringPrincipal=helper, Name=named("given"))
    [listed] = kms.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"]
    assert listed["IssuingAccount"] in (other.root, account.root)
    other.kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
