"""The life of KMS keys through boto3: made, described, disabled, deleted after a wait, tagged, named and listed."""

import datetime
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from kms_account import Keeper, keeper, named, outcome, pages, policy_of, put_policy, refused
from serving import Moho

NOBODY = "12345678-1234-1234-1234-123456789012"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
RSA_SIGNING = [f"RSASSA_{padding}_SHA_{bits}" for padding in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)]
RSA_ENCRYPTION = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
SPECS = [
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["SYMMETRIC_DEFAULT"]),
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_224"]),
    ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_256"]),
    ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_384"]),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_512"]),
    ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", RSA_ENCRYPTION),
    ("RSA_3072", "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING),
    ("RSA_4096", "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING),
    ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
    ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
    ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_384"]),
    ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
    # AWS has `ED25519_PH_SHA_512`, too, which is not made here.
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", ["ED25519_SHA_512"]),
    ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
    ("ML_DSA_87", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]),
]
ALGORITHMS = ["EncryptionAlgorithms", "SigningAlgorithms", "MacAlgorithms", "KeyAgreementAlgorithms", "EncapsulationAlgorithms"]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("keys")) as account:
        yield account


@pytest.fixture(scope="module")
def kms(account):
    return account.kms


def described(kms, key: str) -> dict:
    return kms.describe_key(KeyId=key)["KeyMetadata"]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def test_a_key_is_described_as_aws_does(account, kms):
    before = now().replace(microsecond=0)
    answer = kms.create_key(Description="for tests", Tags=[{"TagKey": "team", "TagValue": "blue"}])
    found = dict(answer["KeyMetadata"])
    key_id, created, material = (found.pop(name) for name in ("KeyId", "CreationDate", "CurrentKeyMaterialId"))
    assert UUID.fullmatch(key_id) and re.fullmatch("[0-9a-f]{64}", material)
    assert before <= created <= now()
    assert found == {
        "AWSAccountId": account.number,
        "Arn": account.key_arn(key_id),
        "Enabled": True,
        "Description": "for tests",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    assert described(kms, key_id) == described(kms, found["Arn"]) == answer["KeyMetadata"]
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "team", "TagValue": "blue"}]
    assert re.fullmatch(UUID, answer["ResponseMetadata"]["RequestId"])


@pytest.mark.parametrize(("spec", "usage", "kind", "algorithms"), SPECS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_spec_has_its_algorithms(kms, spec, usage, kind, algorithms):
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert (made["KeySpec"], made["CustomerMasterKeySpec"], made["KeyUsage"], made["KeyState"]) == (spec, spec, usage, "Enabled")
    assert {name: sorted(made[name]) for name in ALGORITHMS if name in made} == {kind: sorted(algorithms)}
    assert ("CurrentKeyMaterialId" in made) == (spec == "SYMMETRIC_DEFAULT")
    assert described(kms, made["Arn"]) == made
    kms.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7)


def test_keys_that_cannot_be_made(kms):
    for wrong in [
        {"KeySpec": "RSA_2048"},
        {"KeySpec": "HMAC_256"},
        {"KeySpec": "RSA_2048", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"},
        {"KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "KEY_AGREEMENT"},
        {"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "KEY_AGREEMENT"},
        {"KeySpec": "ML_DSA_44", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
        {"KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "CustomerMasterKeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"KeySpec": "AES_256"},
        {"KeyUsage": "WRAP"},
        {"Origin": "HERE"},
        {"Description": "x" * 8193},
        {"Tags": [{"TagKey": "k" * 129, "TagValue": ""}]},
        {"Tags": [{"TagKey": "k", "TagValue": "v" * 257}]},
        {"Tags": [{"TagKey": "", "TagValue": "v"}]},
        {"Tags": [{"TagKey": "k"}]},
    ]:
        refused("ValidationException", kms.create_key, **wrong)
    refused("TagException", kms.create_key, Tags=[{"TagKey": "k", "TagValue": "1"}] * 2)
    refused("TagException", kms.create_key, Tags=[{"TagKey": "aws:k", "TagValue": "1"}])
    elsewhere = ("UnsupportedOperationException", "ValidationException", "CustomKeyStoreNotFoundException")
    for wrong in [{"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, {"Origin": "AWS_CLOUDHSM"}, {"Origin": "EXTERNAL_KEY_STORE"}]:
        refused(elsewhere, kms.create_key, **wrong)
    refused(elsewhere, kms.create_key, CustomKeyStoreId="cks-1234567890abcdef0", Origin="AWS_CLOUDHSM")
    old = kms.create_key(CustomerMasterKeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    assert (old["KeySpec"], old["CustomerMasterKeySpec"]) == ("HMAC_256", "HMAC_256")


def test_which_key_is_meant(account, kms):
    elsewhere = account.key_arn(NOBODY).replace(account.region, "eu-nowhere-9")
    key = account.key()
    assert refused("NotFoundException", kms.describe_key, KeyId=NOBODY) == f"Key '{account.key_arn(NOBODY)}' does not exist"
    said = refused("NotFoundException", kms.describe_key, KeyId="alias/no-such")
    assert said == f"Alias {account.alias_arn('alias/no-such')} is not found."
    for nonsense in ["nonsense", NOBODY[:-1], f"key/{NOBODY}", "alias/", "alias", "*", key.rsplit("/")[1] + "/", "key id"]:
        refused(("NotFoundException", "ValidationException"), kms.describe_key, KeyId=nonsense)
    for arn in [elsewhere, "arn:aws:kms", "arn:aws:s3:::bucket", key.replace(":key/", ":"), f"{key}:x", key.replace("arn:aws:", "arn:aws-cn:")]:
        refused(("InvalidArnException", "NotFoundException", "AccessDeniedException"), kms.describe_key, KeyId=arn)
    refused("ValidationException", kms.describe_key, KeyId="")
    refused("ValidationException", kms.describe_key, KeyId="k" * 2049)
    refused("ValidationException", kms.describe_key)
    # An alias names a key only where it is used, not where it is administered.
    alias = account.alias(key)
    for call in [kms.disable_key, kms.schedule_key_deletion, kms.list_resource_tags, kms.enable_key_rotation, kms.list_grants]:
        refused(("NotFoundException", "ValidationException", "InvalidArnException"), call, KeyId=alias)
        refused(("NotFoundException", "ValidationException", "InvalidArnException"), call, KeyId=account.alias_arn(alias))
    assert described(kms, key)["KeyState"] == "Enabled"


def test_a_disabled_key_serves_nobody_until_it_is_enabled(account, kms):
    key = account.key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    for _ in range(2):
        kms.disable_key(KeyId=key)
    assert (described(kms, key)["KeyState"], described(kms, key)["Enabled"]) == ("Disabled", False)
    for call, arguments in [
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_pair, {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        (kms.enable_key_rotation, {"KeyId": key}),
        (kms.disable_key_rotation, {"KeyId": key}),
        (kms.rotate_key_on_demand, {"KeyId": key}),
        (kms.create_grant, {"KeyId": key, "GranteePrincipal": account.root, "Operations": ["Decrypt"]}),
    ]:
        assert refused("DisabledException", call, **arguments) == f"{key} is disabled."
    # Administration goes on.
    kms.update_key_description(KeyId=key, Description="out of use")
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    account.alias(key)
    for _ in range(2):
        kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    assert described(kms, key)["Description"] == "out of use"
    kms.update_key_description(KeyId=key, Description="x" * 8192)
    refused("ValidationException", kms.update_key_description, KeyId=key, Description="x" * 8193)
    kms.update_key_description(KeyId=key, Description="")
    assert described(kms, key)["Description"] == ""


def test_deletion_waits_and_can_be_called_off(account, kms):
    key = account.key()
    alias = account.alias(key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    refused("KMSInvalidStateException", kms.cancel_key_deletion, KeyId=key)
    for days in (0, 1, 6, 31, 365, 366, -7):
        refused("ValidationException", kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=days)
    for days in (7, 30, None):
        asked = now().replace(microsecond=0)
        told = kms.schedule_key_deletion(KeyId=key, **({"PendingWindowInDays": days} if days else {}))
        assert (told["KeyId"], told["KeyState"], told["PendingWindowInDays"]) == (key, "PendingDeletion", days or 30)
        late = told["DeletionDate"] - datetime.timedelta(days=days or 30)
        assert asked <= late <= now()
        found = described(kms, alias)
        assert (found["KeyState"], found["Enabled"], found["DeletionDate"]) == ("PendingDeletion", False, told["DeletionDate"])
        assert refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob) == f"{key} is pending deletion."
        assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
        assert described(kms, key)["KeyState"] == "Disabled" and "DeletionDate" not in described(kms, key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"


def test_what_may_be_done_to_a_key_that_waits_for_its_end(account, kms):
    key, other = account.key(), account.key()
    alias = account.alias(other)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=account.root, Operations=["Decrypt"])["GrantId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for call, arguments in [
        (kms.encrypt, {"Plaintext": b"x"}),
        (kms.generate_data_key, {"KeySpec": "AES_256"}),
        (kms.enable_key, {}),
        (kms.disable_key, {}),
        (kms.schedule_key_deletion, {}),
        (kms.update_key_description, {"Description": "late"}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        (kms.untag_resource, {"TagKeys": ["a"]}),
        (kms.enable_key_rotation, {}),
        (kms.disable_key_rotation, {}),
        (kms.rotate_key_on_demand, {}),
        (kms.create_grant, {"GranteePrincipal": account.root, "Operations": ["Decrypt"]}),
    ]:
        refused("KMSInvalidStateException", call, KeyId=key, **arguments)
    refused("KMSInvalidStateException", kms.create_alias, AliasName=named("alias/late"), TargetKeyId=key)
    refused("KMSInvalidStateException", kms.update_alias, AliasName=alias, TargetKeyId=key)
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [] and kms.list_aliases(KeyId=key)["Aliases"] == []
    put_policy(kms, key, *policy_of(kms, key)["Statement"])
    assert [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]] == [grant]
    kms.revoke_grant(KeyId=key, GrantId=grant)
    assert key in [one["KeyArn"] for page in pages(kms.list_keys) for one in page["Keys"]]


def test_tags(account, kms):
    key = account.key()

    def tags() -> dict:
        found = [tag for page in pages(kms.list_resource_tags, KeyId=key, Limit=7) for tag in page["Tags"]]
        assert len({tag["TagKey"] for tag in found}) == len(found)
        return {tag["TagKey"]: tag["TagValue"] for tag in found}

    def put(*pairs):
        return {"KeyId": key, "Tags": [{"TagKey": name, "TagValue": value} for name, value in pairs]}

    kms.tag_resource(**put(("team", "blue"), ("Team", "red"), ("grün", "ja")))
    kms.tag_resource(**put(("team", "")))
    assert tags() == {"team": "", "Team": "red", "grün": "ja"}
    refused("TagException", kms.tag_resource, **put(("a", "1"), ("a", "2")))
    refused("TagException", kms.tag_resource, **put(("AWS:a", "1")))
    refused("ValidationException", kms.tag_resource, **put(("a" * 129, "1")))
    kms.untag_resource(KeyId=key, TagKeys=["team", "never"])
    kms.tag_resource(**put(*((f"tag-{number}", "x") for number in range(48))))
    assert len(tags()) == 50
    refused(("LimitExceededException", "TagException"), kms.tag_resource, **put(("one more", "")))
    kms.tag_resource(**put(("Team", "orange")))
    assert len(tags()) == 50 and tags()["Team"] == "orange"
    refused("ValidationException", kms.list_resource_tags, KeyId=key, Limit=0)
    refused("InvalidMarkerException", kms.list_resource_tags, KeyId=key, Marker="AAAA")


def test_lists_are_cut_into_pages_that_only_their_list_goes_on_from(account, kms):
    made = {account.key() for _ in range(5)}
    found = pages(kms.list_keys, Limit=2)
    assert all(1 <= len(page["Keys"]) <= 2 for page in found)
    keys = [one for page in found for one in page["Keys"]]
    assert all(one["KeyArn"] == account.key_arn(one["KeyId"]) for one in keys)
    arns = [one["KeyArn"] for one in keys]
    assert len(arns) == len(set(arns)) and made <= set(arns)
    assert not kms.list_keys(Limit=1000)["Truncated"]

    key = min(made)
    aliases = sorted(account.alias(key, "alias/paged/name") for _ in range(5))
    found = pages(kms.list_aliases, KeyId=key, Limit=2)
    assert [len(page["Aliases"]) for page in found] == [2, 2, 1]
    assert sorted(one["AliasName"] for page in found for one in page["Aliases"]) == aliases
    every = [one["AliasName"] for page in pages(kms.list_aliases, Limit=3) for one in page["Aliases"]]
    assert set(aliases) <= set(every) and len(every) == len(set(every))

    marker = kms.list_keys(Limit=1)["NextMarker"]
    assert not any(one["KeyId"] in marker for one in keys)
    refused("InvalidMarkerException", kms.list_aliases, Marker=marker)
    refused("InvalidMarkerException", kms.list_aliases, KeyId=max(made), Marker=found[0]["NextMarker"])
    refused("InvalidMarkerException", kms.list_keys, Marker=marker[:-4] + "AAAA")
    refused("InvalidMarkerException", kms.list_keys, Marker="nonsense")
    for limit in (0, 1001, -1):
        refused("ValidationException", kms.list_keys, Limit=limit)
    refused("ValidationException", kms.list_keys, Marker="m" * 1025)
    refused("NotFoundException", kms.list_aliases, KeyId=NOBODY)


def test_an_alias_is_a_name_that_can_be_moved(account, kms):
    first, second = account.key(), account.key()
    alias = account.alias(first, "alias/deep/er_Name")
    arn = account.alias_arn(alias)
    blobs = []
    for form in [first.rsplit("/")[1], first, alias, arn]:
        assert described(kms, form)["Arn"] == first
        answer = kms.encrypt(KeyId=form, Plaintext=b"x")
        assert answer["KeyId"] == first
        assert kms.decrypt(KeyId=form, CiphertextBlob=answer["CiphertextBlob"])["KeyId"] == first
        blobs.append(answer["CiphertextBlob"])
    [listed] = kms.list_aliases(KeyId=first)["Aliases"]
    created, updated = listed.pop("CreationDate"), listed.pop("LastUpdatedDate")
    assert listed == {"AliasName": alias, "AliasArn": arn, "TargetKeyId": first.rsplit("/")[1]}
    said = refused("AlreadyExistsException", kms.create_alias, AliasName=alias, TargetKeyId=second)
    assert said == f"An alias with the name {arn} already exists"

    kms.update_alias(AliasName=alias, TargetKeyId=second)
    assert described(kms, alias)["Arn"] == second
    assert kms.list_aliases(KeyId=first)["Aliases"] == []
    [moved] = kms.list_aliases(KeyId=second)["Aliases"]
    assert moved["CreationDate"] == created and moved["LastUpdatedDate"] >= updated
    assert kms.decrypt(CiphertextBlob=blobs[0])["KeyId"] == first
    refused("IncorrectKeyException", kms.decrypt, KeyId=alias, CiphertextBlob=blobs[0])
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    refused(("ValidationException", "UnsupportedOperationException"), kms.update_alias, AliasName=alias, TargetKeyId=mac)
    assert described(kms, alias)["Arn"] == second

    kms.delete_alias(AliasName=alias)
    gone = f"Alias {arn} is not found."
    assert refused("NotFoundException", kms.delete_alias, AliasName=alias) == gone
    assert refused("NotFoundException", kms.update_alias, AliasName=alias, TargetKeyId=first) == gone
    assert refused("NotFoundException", kms.encrypt, KeyId=alias, Plaintext=b"x") == gone
    kms.create_alias(AliasName=alias, TargetKeyId=first.rsplit("/")[1])
    assert described(kms, alias)["Arn"] == first


def test_names_that_no_alias_may_have(account, kms):
    key = account.key()
    wrong = ("InvalidAliasNameException", "ValidationException")
    for name in [
        "alias/aws/mine",
        "alias/aws/s3",
        "alias/",
        "mine",
        "alias",
        "ALIAS/mine",
        "alias/a b",
        "alias/ä",
        "alias/a.b",
        "alias/" + "x" * 251,
        "",
    ]:
        refused((*wrong, "NotAuthorizedException"), kms.create_alias, AliasName=name, TargetKeyId=key)
    assert kms.list_aliases(KeyId=key)["Aliases"] == []
    kms.create_alias(AliasName="alias/" + "x" * 250, TargetKeyId=key)
    alias = account.alias(key)
    refused(("ValidationException", "NotFoundException"), kms.create_alias, AliasName=named("alias/of"), TargetKeyId=alias)
    refused("NotFoundException", kms.create_alias, AliasName=named("alias/of"), TargetKeyId=NOBODY)
    # Names are what they are to the letter.
    refused("NotFoundException", kms.describe_key, KeyId=alias.replace("test", "Test"))
    theirs = account.key_arn(NOBODY).replace(account.number, "999999999999")
    refused(("NotFoundException", "AccessDeniedException", "InvalidArnException"), kms.create_alias, AliasName=named("alias/of"), TargetKeyId=theirs)
    theirs = account.alias_arn("alias/theirs").replace(account.number, "999999999999")
    refused(("NotFoundException", "AccessDeniedException"), kms.describe_key, KeyId=theirs)


def test_automatic_rotation_is_a_plan(account, kms):
    key = account.key()
    off = {"KeyId", "KeyRotationEnabled", "ResponseMetadata"}
    assert kms.get_key_rotation_status(KeyId=key).keys() == off

    def status() -> tuple:
        found = kms.get_key_rotation_status(KeyId=key)
        assert found["KeyRotationEnabled"] and found["KeyId"] in (key, key.rsplit("/")[1])
        return found["RotationPeriodInDays"], (found["NextRotationDate"] - now()).total_seconds() / 86400

    for period in (None, 90, 2560, 365):
        kms.enable_key_rotation(KeyId=key, **({"RotationPeriodInDays": period} if period else {}))
        days, left = status()
        assert days == (period or 365) and days - 1.1 < left < days + 1.1
    for period in (0, 89, 2561):
        refused("ValidationException", kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=period)
    assert status()[0] == 365
    assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert status()[0] == 365
    kms.disable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key).keys() == off
    for spec, usage in [("HMAC_256", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P256", "SIGN_VERIFY")]:
        other = account.key(KeySpec=spec, KeyUsage=usage)
        for call in [kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand, kms.list_key_rotations]:
            refused("UnsupportedOperationException", call, KeyId=other)
        assert outcome(kms.get_key_rotation_status, KeyId=other) in ("ok", "UnsupportedOperationException")


def test_what_old_material_sealed_stays_open(account, kms):
    key = account.key()
    materials, blobs = [described(kms, key)["CurrentKeyMaterialId"]], []
    for number in range(25):
        blobs.append(kms.encrypt(KeyId=key, Plaintext=bytes([number]))["CiphertextBlob"])
        assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] in (key, key.rsplit("/")[1])
        materials.append(described(kms, key)["CurrentKeyMaterialId"])
    assert len(set(materials)) == 26
    refused("LimitExceededException", kms.rotate_key_on_demand, KeyId=key)
    assert described(kms, key)["CurrentKeyMaterialId"] == materials[-1]
    for number, blob in enumerate(blobs):
        opened = kms.decrypt(CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (bytes([number]), materials[number])
    moved = kms.re_encrypt(CiphertextBlob=blobs[0], DestinationKeyId=key)
    assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (materials[0], materials[-1])
    assert kms.generate_data_key(KeyId=key, KeySpec="AES_256")["KeyMaterialId"] == materials[-1]

    rotations = [one for page in pages(kms.list_key_rotations, KeyId=key, Limit=10) for one in page["Rotations"]]
    assert {one["KeyMaterialId"] for one in rotations} == set(materials[1:])
    assert {one["RotationType"] for one in rotations} == {"ON_DEMAND"} and all(one["RotationDate"] for one in rotations)
    assert [one["KeyMaterialId"] for one in rotations if one["KeyMaterialState"] == "CURRENT"] == materials[-1:]
    whole = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1000)["Rotations"]
    [first] = [one for one in whole if one["KeyMaterialId"] == materials[0]]
    assert len(whole) == 26 and first["KeyMaterialState"] == "NON_CURRENT"
    assert "RotationType" not in first and "RotationDate" not in first
    assert not {"ImportState", "ExpirationModel", "ValidTo"} & first.keys()
    refused("InvalidMarkerException", kms.list_key_rotations, KeyId=key, Marker="AAAA")


def test_the_last_use_of_a_key(account, kms):
    key = account.key()
    unused = kms.get_key_last_usage(KeyId=key)
    assert unused["KeyLastUsage"] == {} and unused["KeyCreationDate"] == described(kms, key)["CreationDate"]
    assert unused["TrackingStartDate"] >= unused["KeyCreationDate"]
    request = kms.encrypt(KeyId=key, Plaintext=b"x")["ResponseMetadata"]["RequestId"]
    assert outcome(kms.decrypt, CiphertextBlob=b"not of any key") == "InvalidCiphertextException"
    for _ in range(1000):
        used = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
        if used:
            break
    assert (used["Operation"], used["KmsRequestId"]) == ("Encrypt", request)
    assert used["Timestamp"] >= unused["TrackingStartDate"]


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    moho = Moho(tmp_path / "data", models={})
    try:
        account = Keeper(moho.start())
        kms = account.kms
        key, gone = account.key(Description="kept"), account.key()
        alias = account.alias(key)
        blobs = [kms.encrypt(KeyId=alias, Plaintext=b"kept", EncryptionContext={"a": "b"})["CiphertextBlob"]]
        kms.rotate_key_on_demand(KeyId=key)
        blobs.append(kms.encrypt(KeyId=alias, Plaintext=b"kept", EncryptionContext={"a": "b"})["CiphertextBlob"])
        grant = kms.create_grant(KeyId=key, GranteePrincipal=account.root, Operations=["Decrypt"])["GrantId"]
        due = kms.schedule_key_deletion(KeyId=gone, PendingWindowInDays=7)["DeletionDate"]
        before = described(kms, key)
        moho.kill()
        moho.start()
        assert described(kms, alias) == before
        for blob in blobs:
            assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"kept"
        assert [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]] == [grant]
        assert described(kms, gone)["DeletionDate"] == due
        moho.assert_unharmed()
    finally:
        moho.end()


def test_of_many_at_once_one_wins(account, kms):
    keys = [account.key() for _ in range(8)]
    key, alias = keys[0], named("alias/raced")
    grant = {"KeyId": key, "GranteePrincipal": account.root, "Operations": ["Decrypt"], "Name": "raced"}
    with ThreadPoolExecutor(8) as pool:

        def at_once(call, *each: dict) -> list:
            return list(pool.map(lambda arguments: outcome(call, **arguments), each))

        made = at_once(kms.create_alias, *({"AliasName": alias, "TargetKeyId": one} for one in keys))
        assert sorted(made) == ["AlreadyExistsException"] * 7 + ["ok"]
        assert described(kms, alias)["Arn"] == keys[made.index("ok")]
        assert set(at_once(kms.create_grant, *[grant] * 8)) == {"ok"}
        assert len(kms.list_grants(KeyId=key)["Grants"]) == 1
        tags = [{"KeyId": key, "Tags": [{"TagKey": f"{number}-{n}", "TagValue": ""} for n in range(10)]} for number in range(8)]
        assert at_once(kms.tag_resource, *tags).count("ok") == 5
        assert len(kms.list_resource_tags(KeyId=key)["Tags"]) == 50
        ended = at_once(kms.schedule_key_deletion, *[{"KeyId": key}] * 8)
        assert sorted(ended) == ["KMSInvalidStateException"] * 7 + ["ok"]
        assert at_once(kms.cancel_key_deletion, *[{"KeyId": key}] * 8).count("ok") == 1
    assert described(kms, key)["KeyState"] == "Disabled"
