"""Keys with boto3: how they are named, what becomes of them, who may what, and what is said where there is none."""

import json

import pytest

import journal
import serving
from serving import MODEL
from sts import Account, client, document, refused

NO_KEY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def account(moho):
    account = Account(moho, "kms-keys-")
    yield account
    account.clear()


@pytest.fixture(scope="module")
def kms(moho):
    return client(moho, "kms")


@pytest.fixture
def key(kms):
    return kms.create_key(Description="a key")["KeyMetadata"]


def test_a_new_key_is_described_as_aws_does(kms, key, account):
    assert key["Arn"] == f"arn:aws:kms:{kms.meta.region_name}:{account.number}:key/{key['KeyId']}"
    said = {
        "AWSAccountId": account.number,
        "Enabled": True,
        "Description": "a key",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    assert {name: key[name] for name in said} == said
    assert len(key["CurrentKeyMaterialId"]) == 64
    assert kms.describe_key(KeyId=key["Arn"])["KeyMetadata"] == key
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{account.number}:root"}


@pytest.mark.parametrize("wish, code", [
    ({"MultiRegion": True}, "UnsupportedOperationException"),
    ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
    ({"Origin": "AWS_CLOUDHSM"}, "UnsupportedOperationException"),
    ({"CustomKeyStoreId": "cks-1"}, "UnsupportedOperationException"),
    ({"KeySpec": "RSA_2048"}, "ValidationException"),
    ({"KeySpec": "ECC_NIST_P256", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException"),
    ({"KeySpec": "NONE"}, "ValidationException"),
    ({"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "ValidationException"),
    ({"Policy": "{}"}, "MalformedPolicyDocumentException"),
    ({"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]}, "TagException"),
    ({"Tags": [{"TagKey": "aws:a", "TagValue": "1"}]}, "TagException"),
])
def test_keys_that_cannot_be_are_refused_as_aws_does(kms, wish, code):
    assert refused(kms.create_key, **wish)[::2] == (code, 400)


def test_a_key_is_found_by_each_of_its_names(kms, key):
    alias = f"alias/team/{key['KeyId']}"
    kms.create_alias(AliasName=alias, TargetKeyId=key["Arn"])
    alias_arn = key["Arn"].replace(f"key/{key['KeyId']}", alias)
    for name in (key["KeyId"], key["Arn"], alias, alias_arn):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key["Arn"], name
        assert kms.encrypt(KeyId=name, Plaintext=b"a")["KeyId"] == key["Arn"], name
    # Aliases are names for use, not for administration.
    assert refused(kms.disable_key, KeyId=alias).code == "NotFoundException"


def test_what_is_not_there_is_told_in_aws_words(kms, key):
    region = kms.meta.region_name
    arn = key["Arn"].replace(key["KeyId"], NO_KEY)
    alias = key["Arn"].replace(f"key/{key['KeyId']}", "alias/none")
    for name, code, message in [
        (NO_KEY, "NotFoundException", f"Key '{arn}' does not exist"),
        (arn, "NotFoundException", f"Key '{arn}' does not exist"),
        ("alias/none", "NotFoundException", f"Alias {alias} is not found."),
        (alias, "NotFoundException", f"Alias {alias} is not found."),
        ("none", "NotFoundException", "Invalid keyId 'none'"),
        (key["Arn"].replace(region, "elsewhere-1"), "NotFoundException", "Invalid arn elsewhere-1"),
        (f"arn:aws:iam::{key['AWSAccountId']}:role/a", "InvalidArnException", None),
        ("arn:aws:kms", "InvalidArnException", None),
    ]:
        told = refused(kms.describe_key, KeyId=name)
        assert (told.code, told.status) == (code, 400), (name, told)
        assert message is None or told.message == message, (name, told)


def test_a_key_is_disabled_enabled_deleted_and_had_back(kms, key):
    name = key["KeyId"]
    blob = kms.encrypt(KeyId=name, Plaintext=b"a")["CiphertextBlob"]
    kms.disable_key(KeyId=name)
    told = refused(kms.decrypt, CiphertextBlob=blob)
    assert (told.code, told.message, told.status) == ("DisabledException", f"{key['Arn']} is disabled.", 400)
    kms.enable_key(KeyId=name)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"a"
    for days in (6, 31):
        assert refused(kms.schedule_key_deletion, KeyId=name, PendingWindowInDays=days).code == "ValidationException"
    ending = kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=7)
    assert (ending["KeyId"], ending["KeyState"], ending["PendingWindowInDays"]) == (key["Arn"], "PendingDeletion", 7)
    told = refused(kms.encrypt, KeyId=name, Plaintext=b"a")
    assert (told.code, told.message) == ("KMSInvalidStateException", f"{key['Arn']} is pending deletion.")
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["DeletionDate"] == ending["DeletionDate"]
    assert kms.cancel_key_deletion(KeyId=name)["KeyId"] == key["Arn"]
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == "Disabled"
    assert refused(kms.cancel_key_deletion, KeyId=name).code == "KMSInvalidStateException"


def test_a_policy_that_locks_its_author_out_is_refused_unless_he_says_so(kms, key, account):
    someone = account.role("someone-else")
    other = document({"Effect": "Allow", "Principal": {"AWS": someone}, "Action": "kms:*", "Resource": "*"})
    for attempt in (
        lambda **more: kms.put_key_policy(KeyId=key["KeyId"], Policy=other, **more),
        lambda **more: kms.create_key(Policy=other, **more),
    ):
        told = refused(attempt)
        assert told.code == "MalformedPolicyDocumentException"
        assert "will not allow you to update the key policy in the future" in told.message
        attempt(BypassPolicyLockoutSafetyCheck=True)
    assert refused(kms.describe_key, KeyId=key["KeyId"]).code == "AccessDeniedException"


def test_tags_and_policies_are_listed_in_pages(kms, key):
    name = key["KeyId"]
    kms.tag_resource(KeyId=name, Tags=[{"TagKey": f"k{n:02}", "TagValue": str(n)} for n in range(7)])
    kms.untag_resource(KeyId=name, TagKeys=["k03", "none"])
    pages = list(kms.get_paginator("list_resource_tags").paginate(KeyId=name, PaginationConfig={"PageSize": 4}))
    assert [page["Truncated"] for page in pages] == [True, False]
    assert [tag["TagKey"] for page in pages for tag in page["Tags"]] == ["k00", "k01", "k02", "k04", "k05", "k06"]
    assert kms.list_key_policies(KeyId=name)["PolicyNames"] == ["default"]
    assert refused(kms.get_key_policy, KeyId=name, PolicyName="other").code == "NotFoundException"
    for marker in ("none", pages[0]["NextMarker"].swapcase()):
        assert refused(kms.list_resource_tags, KeyId=name, Marker=marker).code == "InvalidMarkerException"
    assert refused(kms.list_keys, Marker=pages[0]["NextMarker"]).code == "InvalidMarkerException"
    assert refused(kms.list_resource_tags, KeyId=name, Limit=51).code == "ValidationException"
    listed = [entry["KeyArn"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}) for entry in page["Keys"]]
    assert key["Arn"] in listed and len(listed) == len(set(listed))


def test_an_alias_is_made_turned_and_deleted(kms, key):
    other, alias = kms.create_key()["KeyMetadata"], f"alias/turned-{key['KeyId']}"
    signs = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    assert refused(kms.create_alias, AliasName=alias, TargetKeyId=other["KeyId"]).code == "AlreadyExistsException"
    assert refused(kms.update_alias, AliasName=alias, TargetKeyId=signs["KeyId"]).code == "UnsupportedOperationException"
    kms.update_alias(AliasName=alias, TargetKeyId=other["KeyId"])
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == other["Arn"]
    assert [found["AliasName"] for found in kms.list_aliases(KeyId=other["KeyId"])["Aliases"]] == [alias]
    assert refused(kms.list_aliases, KeyId=NO_KEY).code == "NotFoundException"
    kms.delete_alias(AliasName=alias)
    assert refused(kms.delete_alias, AliasName=alias).code == "NotFoundException"
    for name, code in [("alias/aws/s3", "InvalidAliasNameException"), ("none", "ValidationException"), ("alias/a:b", "ValidationException")]:
        assert refused(kms.create_alias, AliasName=name, TargetKeyId=key["KeyId"]).code == code, name
    assert refused(kms.create_alias, AliasName="alias/x", TargetKeyId=alias).code == "ValidationException"


def test_conditions_see_what_a_request_says_of_itself(moho, account, kms, key):
    allow = lambda actions, condition: {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition}  # noqa: E731
    account.role("Narrow", allowed=[
        allow("kms:CreateKey", {"StringEquals": {"kms:KeySpec": "ECC_NIST_P256", "aws:RequestTag/team": "a"}}),
        allow("kms:TagResource", {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
        allow("kms:ScheduleKeyDeletion", {"NumericGreaterThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": "20"}}),
        allow("kms:EnableKeyRotation", {"NumericEquals": {"kms:RotationPeriodInDays": "365"}}),
        allow("kms:DescribeKey", {"StringEquals": {"kms:RequestAlias": "alias/conditional"}}),
        allow("kms:PutKeyPolicy", {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}),
    ])
    narrow = client(moho, "kms", account.session("Narrow"))
    denied = lambda call, **more: refused(call, **more).code == "AccessDeniedException"  # noqa: E731
    tags = [{"TagKey": "team", "TagValue": "a"}]
    wish = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Tags": tags}
    assert narrow.create_key(**wish)
    assert denied(narrow.create_key, **(wish | {"KeySpec": "ECC_NIST_P384"}))
    assert denied(narrow.create_key, **(wish | {"Tags": [*tags, {"TagKey": "b", "TagValue": "c"}]}))
    assert denied(narrow.create_key, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.create_alias(AliasName="alias/conditional", TargetKeyId=key["KeyId"])
    assert narrow.describe_key(KeyId="alias/conditional")
    assert denied(narrow.describe_key, KeyId=key["KeyId"])
    assert denied(narrow.enable_key_rotation, KeyId=key["KeyId"], RotationPeriodInDays=100)
    narrow.enable_key_rotation(KeyId=key["KeyId"])
    assert denied(narrow.put_key_policy, KeyId=key["KeyId"], Policy="{}", BypassPolicyLockoutSafetyCheck=True)
    assert denied(narrow.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=7)
    narrow.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=20)


def test_rotation_is_turned_on_listed_and_done_on_demand(kms, key):
    name = key["KeyId"]
    blob = kms.encrypt(KeyId=name, Plaintext=b"a")["CiphertextBlob"]
    assert kms.get_key_rotation_status(KeyId=name)["KeyRotationEnabled"] is False
    assert refused(kms.enable_key_rotation, KeyId=name, RotationPeriodInDays=89).code == "ValidationException"
    kms.enable_key_rotation(KeyId=name, RotationPeriodInDays=100)
    status = kms.get_key_rotation_status(KeyId=name)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 100)
    kms.disable_key_rotation(KeyId=name)
    assert kms.rotate_key_on_demand(KeyId=name)["KeyId"] == key["Arn"]
    rotations = kms.list_key_rotations(KeyId=name)["Rotations"]
    assert [rotation["RotationType"] for rotation in rotations] == ["ON_DEMAND"]
    everything = kms.list_key_rotations(KeyId=name, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1)
    assert everything["Truncated"] and len(everything["Rotations"]) == 1
    opened = kms.decrypt(CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"a", key["CurrentKeyMaterialId"])
    assert kms.encrypt(KeyId=name, Plaintext=b"a")["CiphertextBlob"] != blob
    signs = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    assert refused(kms.rotate_key_on_demand, KeyId=signs["KeyId"]).code == "UnsupportedOperationException"


def test_a_key_says_what_it_was_last_used_for(kms, key):
    before = kms.get_key_last_usage(KeyId=key["KeyId"])
    assert before["KeyCreationDate"] == key["CreationDate"] and before["KeyLastUsage"] == {}
    made = kms.generate_data_key(KeyId=key["KeyId"], NumberOfBytes=16)
    last = kms.get_key_last_usage(KeyId=key["KeyId"])["KeyLastUsage"]
    assert (last["Operation"], last["KmsRequestId"]) == ("GenerateDataKey", made["ResponseMetadata"]["RequestId"])


def test_another_accounts_key_is_used_only_if_it_says_so_and_managed_never(moho, account, kms, key):
    organizations = client(moho, "organizations")
    status = organizations.create_account(Email="kms@example.org", AccountName="kms")["CreateAccountStatus"]
    other = status["AccountId"]
    session = account.assume(f"arn:aws:iam::{other}:role/OrganizationAccountAccessRole")["Credentials"]
    theirs = client(moho, "kms", session)
    absent = key["Arn"].replace(key["KeyId"], NO_KEY)
    same = lambda told: told.message.replace(key["KeyId"], NO_KEY)  # noqa: E731
    for call in (theirs.describe_key, theirs.disable_key, theirs.get_key_policy):
        there, nowhere = refused(call, KeyId=key["Arn"]), refused(call, KeyId=absent)
        assert (there.code, same(there)) == (nowhere.code, nowhere.message)
    statements = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])["Statement"]
    shared = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other}:root"}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=document(*statements, shared))
    blob = theirs.encrypt(KeyId=key["Arn"], Plaintext=b"a")["CiphertextBlob"]
    assert theirs.decrypt(CiphertextBlob=blob)["Plaintext"] == b"a"
    assert theirs.describe_key(KeyId=key["Arn"])["KeyMetadata"]["AWSAccountId"] == account.number
    assert refused(theirs.disable_key, KeyId=key["Arn"]).code == "NotFoundException"
    kms.put_key_policy(KeyId=key["KeyId"], Policy=document(*statements))
    told, nowhere = (refused(theirs.decrypt, CiphertextBlob=of) for of in (blob, blob[:1] + bytes([blob[1] ^ 1]) + blob[2:]))
    assert (told.code, told.message) == (nowhere.code, nowhere.message)
    assert told.code == "InvalidCiphertextException" and key["KeyId"] not in told.message


def test_a_key_that_is_taken_away_is_the_callers_error_and_the_journal_says_for_whom_it_is_used(make_moho):
    server = make_moho(models={MODEL: serving.model_file()})
    server.start()
    kms, bedrock = server.boto3("kms", "Admin"), server.boto3("bedrock", "Admin")
    bedrock.put_use_case_for_model_access(formData=b"{\"companyName\": 1}")
    [own] = kms.list_keys()["Keys"]
    kms.disable_key(KeyId=own["KeyId"])
    told = refused(bedrock.get_use_case_for_model_access)
    assert (told.code, told.status) == ("ValidationException", 400) and own["KeyArn"] in told.message
    asking = {"model": MODEL, "input": "Hi!", "max_output_tokens": 16}
    with server.http(server.bearer()) as http:
        answer = http.post("/v1/responses", json=asking)
        assert answer.status_code == 400 and own["KeyArn"] in answer.json()["error"]["message"], answer.text
        assert http.post("/v1/responses", json=asking | {"store": False}).status_code == 200
    kms.enable_key(KeyId=own["KeyId"])
    assert bedrock.get_use_case_for_model_access()["formData"] == b"{\"companyName\": 1}"
    via = [entry.get("via_service") for entry in journal.verified_entries(server.data) if entry["action"] == "kms:Decrypt"]
    assert set(via) == {f"bedrock.{kms.meta.region_name}.amazonaws.com"}
