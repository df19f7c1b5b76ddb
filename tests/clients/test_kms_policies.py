"""Who may use a key: its policy first, which may leave that to the account; and everything that narrows it."""

import json

import bedrock
import journal
import pytest
from kms_account import ADMINISTRATION, Keeper, allow, granting, keeper, named, outcome, policy_of, put_policy, refused
from serving import MODEL
from signing import bearer_key
from sts import document

EVERYTHING = allow("kms:*")
ENCRYPT = allow("kms:Encrypt")
NOBODY = "12345678-1234-1234-1234-123456789012"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("policies")) as account:
        yield account


@pytest.fixture(scope="module")
def other(account) -> Keeper:
    """Another account of the same organisation."""
    return account.member("other")


def encrypts(kms, key: str, **more) -> str:
    return outcome(kms.encrypt, KeyId=key, Plaintext=b"x", **more)


def test_the_default_policy_leaves_it_to_the_account(account):
    key = account.key()
    assert policy_of(account.kms, key) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [granting(account.root, "kms:*", Sid="Enable IAM User Permissions")],
    }
    listed = account.kms.list_key_policies(KeyId=key)
    assert (listed["PolicyNames"], listed["Truncated"]) == (["default"], False)
    nobody = account.caller_role()
    said = refused("AccessDeniedException", account.as_role(nobody).encrypt, KeyId=key, Plaintext=b"x")
    session = nobody.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/probe"
    why = "because no identity-based policy allows the kms:Encrypt action"
    assert said.startswith(f"User: {session} is not authorized to perform: kms:Encrypt on resource: {key} {why}")
    clerk = account.caller(allow(["kms:Encrypt", "kms:Decrypt"], key))
    blob = clerk.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert clerk.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert encrypts(clerk, account.key()) == "AccessDeniedException"
    refused("AccessDeniedException", clerk.describe_key, KeyId=key)
    assert encrypts(account.caller(EVERYTHING, allow("kms:Encrypt", key, "Deny")), key) == "AccessDeniedException"


def test_what_the_key_policy_does_not_allow_no_other_does(account):
    key = account.key()
    admin = account.session("Admin")
    role = account.caller_role()
    put_policy(account.kms, key, granting(account.arn("Admin"), ADMINISTRATION), granting(role, ["kms:Encrypt", "kms:Decrypt"]))
    said = refused("AccessDeniedException", account.caller(EVERYTHING).encrypt, KeyId=key, Plaintext=b"x")
    assert "because no resource-based policy allows the kms:Encrypt action" in said
    assert encrypts(account.client(admin), key) == "AccessDeniedException"
    # Named, the role needs nothing else; and it may what is said, no more.
    named_one = account.as_role(role)
    blob = named_one.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert named_one.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    refused("AccessDeniedException", named_one.generate_data_key, KeyId=key, KeySpec="AES_256")
    refused("AccessDeniedException", named_one.put_key_policy, KeyId=key, PolicyName="default", Policy=account.key_policy())
    # What is attached to the role, or narrows its session, still denies.
    account.iam.put_role_policy(RoleName=role.rsplit("/")[1], PolicyName="no", PolicyDocument=document(allow("kms:Encrypt", key, "Deny")))
    said = refused("AccessDeniedException", named_one.encrypt, KeyId=key, Plaintext=b"x")
    assert "with an explicit deny in an identity-based policy" in said
    assert named_one.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    narrowed = account.as_role(role, Policy=document(allow("kms:DescribeKey")))
    refused("AccessDeniedException", narrowed.decrypt, CiphertextBlob=blob)


def test_an_explicit_deny_of_the_key_is_stronger_than_everything(account):
    role = account.caller_role(EVERYTHING)
    key = account.key(granting(account.root, "kms:*"), granting(role, "kms:Encrypt", "Deny"))
    kms = account.as_role(role)
    said = refused("AccessDeniedException", kms.encrypt, KeyId=key, Plaintext=b"x")
    assert "with an explicit deny in a resource-based policy" in said
    blob = account.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    # Moving to another key takes leave for both ends.
    told = refused("AccessDeniedException", kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=account.key(granting(role, "kms:ReEncryptFrom")))
    assert "kms:ReEncryptTo" in told
    put_policy(account.kms, key, granting(account.root, ["kms:PutKeyPolicy", "kms:ReEncryptTo"]))
    told = refused("AccessDeniedException", kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key)
    assert "kms:ReEncryptFrom" in told


def test_a_session_a_user_and_who_comes_back_under_their_name(account):
    role = account.caller_role()
    name = role.rsplit("/")[1]
    one = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/one"
    key = account.key(granting(one, "kms:Encrypt"), granting(role, "kms:DescribeKey"))
    assert encrypts(account.as_role(role, session="one"), key) == "ok"
    assert encrypts(account.as_role(role, session="two"), key) == "AccessDeniedException"
    # A session that is named needs no leave of the policies that narrow it.
    assert encrypts(account.as_role(role, session="one", Policy=document(allow("s3:*"))), key) == "ok"
    account.as_role(role).describe_key(KeyId=key)
    account.remove(name)
    again = account.role(name, allowed=())
    assert again == role
    refused("AccessDeniedException", account.as_role(role).describe_key, KeyId=key)
    named_now = json.dumps(policy_of(account.kms, key))
    assert "AROA" in named_now and f'"{role}"' not in named_now


def test_nobody_is_locked_out_unawares(account):
    role = account.caller_role(EVERYTHING)
    somebody = granting(role, "kms:*")
    for statements in [
        [somebody],
        [granting(account.root, "kms:*"), granting("*", "kms:PutKeyPolicy", "Deny")],
        [granting(account.root, ["kms:Encrypt", "kms:GetKeyPolicy"])],
        [granting(account.root, "kms:*", Condition={"StringEquals": {"aws:username": "nobody"}})],
        [granting(account.root, "kms:*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.1/32"}})],
    ]:
        key = account.key()
        words = "The new key policy will not allow you to update the key policy in the future."
        assert refused("MalformedPolicyDocumentException", account.kms.create_key, Policy=document(*statements)) == words
        said = refused("MalformedPolicyDocumentException", account.kms.put_key_policy, KeyId=key, PolicyName="default", Policy=document(*statements))
        assert said == words
        assert policy_of(account.kms, key)["Id"] == "key-default-1"
    put_policy(account.kms, key, somebody, BypassPolicyLockoutSafetyCheck=True)
    refused("AccessDeniedException", account.kms.get_key_policy, KeyId=key)
    refused("AccessDeniedException", account.kms.schedule_key_deletion, KeyId=key)
    # Who is named brings it back.
    put_policy(account.as_role(role), key, granting(account.root, "kms:*"), somebody)
    assert account.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    lost = account.kms.create_key(Policy=document(somebody), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]
    refused("AccessDeniedException", account.kms.describe_key, KeyId=lost)
    careful = account.caller(EVERYTHING, allow("kms:*", effect="Deny", Condition={"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}}))
    careful.create_key()
    refused("AccessDeniedException", careful.create_key, Policy=document(somebody), BypassPolicyLockoutSafetyCheck=True)


def test_documents_that_are_no_key_policy(account):
    key = account.key()
    before = policy_of(account.kms, key)
    fine = granting(account.root, "kms:*")

    def put(text, **more):
        return refused(
            ("MalformedPolicyDocumentException", "ValidationException"),
            account.kms.put_key_policy,
            KeyId=key,
            PolicyName="default",
            Policy=text,
            **more,
        )

    whole = document(fine)
    for text in [
        "",
        "not JSON",
        "{}",
        "[]",
        whole[:-1],
        whole + "}",
        whole.replace("Allow", "Perhaps"),
        whole.replace('"Version"', '"version"'),
        whole.replace('"kms:*"', "7"),
        whole.replace('"Effect": "Allow"', '"Effect": "Deny", "Effect": "Allow"'),
        document(fine, {key: value for key, value in fine.items() if key != "Principal"}),
        document(fine, {key: value for key, value in fine.items() if key != "Action"}),
        document(fine, fine | {"Condition": {"StringIsNice": {"aws:username": "x"}}}),
        document(fine, granting(account.arn("no-such-role"), "kms:*")),
        document(fine, granting(f"arn:aws:iam::{account.number}:user/nobody", "kms:*")),
        document(fine, granting(f"arn:aws:iam::{account.number}:role/*", "kms:*")),
        document(fine, granting("AROAAAAAAAAAAAAAAAAAA", "kms:*")),
        document(fine, granting("everybody", "kms:*")),
        document(fine, granting("12345678901", "kms:*")),
        '{"Version":"2012-10-17","Statement":' + "[" * 5000,
        "\0" + whole,
    ]:
        put(text, BypassPolicyLockoutSafetyCheck=True)
        refused(("MalformedPolicyDocumentException", "ValidationException"), account.kms.create_key, Policy=text)
        assert policy_of(account.kms, key) == before, text[:200]
    put(None)
    refused(("NotFoundException", "ValidationException"), account.kms.put_key_policy, KeyId=key, PolicyName="mine", Policy=whole)
    refused(("NotFoundException", "ValidationException"), account.kms.get_key_policy, KeyId=key, PolicyName="mine")
    assert account.kms.get_key_policy(KeyId=key)["PolicyName"] == "default"


def test_a_key_policy_has_32_kilobytes_at_most(account):
    key = account.key()

    def of_size(size: int) -> str:
        made = document(granting(account.root, "kms:*"), granting(account.root, "kms:Encrypt", Condition={"StringEquals": {"aws:username": []}}))
        names = ["n" * 100] * 400
        made = made.replace("[]", json.dumps(names)).replace(" ", "")
        extra = len(made.encode()) - size
        kept = names[: len(names) - extra // 103 - 1]
        made = made.replace(json.dumps(names).replace(" ", ""), json.dumps([*kept, "LAST"]).replace(" ", ""))
        return made.replace("LAST", "LAST" + "x" * (size - len(made)))

    most = of_size(32_768)
    assert len(most) == 32_768
    account.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=most)
    assert json.loads(most)["Statement"] == policy_of(account.kms, key)["Statement"]
    for size in (32_769, 40_000):
        codes = ("LimitExceededException", "MalformedPolicyDocumentException", "ValidationException")
        refused(codes, account.kms.put_key_policy, KeyId=key, PolicyName="default", Policy=of_size(size))
    refused("ValidationException", account.kms.put_key_policy, KeyId=key, PolicyName="default", Policy="x" * 131_073)
    assert json.loads(most)["Statement"] == policy_of(account.kms, key)["Statement"]


def test_across_accounts_both_sides_must_allow(account, other):
    guest = other.caller_role(EVERYTHING)
    plain = other.caller_role()
    kms = other.as_role(guest)
    key = account.key()
    alias = account.alias(key)

    def opened(*statements):
        put_policy(account.kms, key, granting(account.root, "kms:*"), *statements)
        return encrypts(kms, key), encrypts(other.as_role(plain), key)

    assert opened() == ("AccessDeniedException",) * 2
    use = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:CreateGrant"]
    for principal in [other.root, other.number, [guest, plain], "*"]:
        assert opened(granting(principal, use)) == ("ok", "AccessDeniedException")
    assert opened(granting("*", use, Condition={"StringEquals": {"kms:CallerAccount": other.number}}))[0] == "ok"
    assert opened(granting("*", use, Condition={"StringEquals": {"kms:CallerAccount": account.number}}))[0] == "AccessDeniedException"
    opened(granting(other.root, "kms:*"))
    # The key is meant by its ARN or its alias's; else it would be one of the caller's account.
    assert encrypts(kms, account.alias_arn(alias)) == "ok"
    assert encrypts(kms, key.rsplit("/")[1]) == encrypts(kms, alias) == "NotFoundException"
    blob = kms.encrypt(KeyId=key, Plaintext=b"theirs")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"] == key
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == account.number
    # What belongs to the owner stays with it, whatever the policy says.
    for call, arguments in [
        (kms.put_key_policy, {"PolicyName": "default", "Policy": document(granting(other.root, "kms:*")), "BypassPolicyLockoutSafetyCheck": True}),
        (kms.get_key_policy, {}),
        (kms.schedule_key_deletion, {}),
        (kms.disable_key, {}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        (kms.enable_key_rotation, {}),
        (kms.update_key_description, {"Description": "mine"}),
    ]:
        assert outcome(call, KeyId=key, **arguments) != "ok", call
    assert outcome(kms.create_alias, AliasName="alias/mine", TargetKeyId=key) != "ok"
    assert account.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert opened(granting(other.root, "kms:*"), granting(guest, "kms:Encrypt", "Deny"))[0] == "AccessDeniedException"


def test_what_is_not_there_looks_like_what_may_not_be_used(account, other):
    key = account.key()
    absent, there = account.key_arn(NOBODY), key.rsplit("/")[1]
    for kms in [account.caller(), other.caller(), other.caller(EVERYTHING)]:
        for call, more in [
            (kms.encrypt, {"Plaintext": b"x"}),
            (kms.describe_key, {}),
            (kms.disable_key, {}),
            (kms.sign, {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}),
        ]:
            said = [refused("AccessDeniedException", call, KeyId=arn, **more).replace(NOBODY, there) for arn in (key, absent)]
            assert said[0] == said[1]
    # Who may see the account's keys is told.
    refused("NotFoundException", account.caller(EVERYTHING).describe_key, KeyId=absent)


def condition(operator: str, name: str, value) -> dict:
    return {"Condition": {operator: {name: value}}}


def cases(account: Keeper):
    """(what is allowed under which condition, requests that fulfil it, requests that do not)"""
    tagged, plain = account.key(Tags=[{"TagKey": "team", "TagValue": "blue"}]), account.key()
    alias, mac = account.alias(tagged), account.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    rsa = account.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    ecc = account.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    empty = account.key(Origin="EXTERNAL")
    use = {"KeyId": plain, "Plaintext": b"x"}
    blob = account.kms.encrypt(**use)["CiphertextBlob"]
    team = lambda value: {"Tags": [{"TagKey": "team", "TagValue": value}]}  # noqa: E731
    grant = {"KeyId": plain, "GranteePrincipal": account.root}
    signing = {"KeyId": ecc, "SigningAlgorithm": "ECDSA_SHA_256"}
    wrapping = {"KeyId": empty, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    context = lambda **pairs: use | {"EncryptionContext": pairs}  # noqa: E731
    return {
        "encrypt": [
            (("StringEquals", "kms:EncryptionContext:app", "web"), [context(app="web"), context(app="web", b="c")], [context(app="Web"), use]),
            (("StringLike", "kms:EncryptionContext:app", "w*"), [context(app="wx")], [context(app="x"), context(b="wx")]),
            (("Null", "kms:EncryptionContext:app", "false"), [context(app="any")], [use]),
            (("ForAnyValue:StringEquals", "kms:EncryptionContextKeys", "app"), [context(app="1", b="2")], [use, context(APP="1")]),
            (("ForAllValues:StringEquals", "kms:EncryptionContextKeys", ["app", "b"]), [context(app="1")], [context(app="1", c="2")]),
            (("StringEquals", "kms:CallerAccount", account.number), [use], []),
            (("StringNotEquals", "kms:CallerAccount", account.number), [], [use]),
            (("Null", "kms:ViaService", "true"), [use], []),
            (("StringEquals", "kms:ViaService", f"bedrock.{account.region}.amazonaws.com"), [], [use]),
            (("StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT"), [use], [use | {"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}]),
            (("StringEquals", "kms:KeyUsage", "SIGN_VERIFY"), [], [use]),
            (("StringEquals", "kms:KeyOrigin", "AWS_KMS"), [use], []),
            (("Bool", "kms:MultiRegion", "true"), [], [use]),
            (
                ("StringEquals", "kms:RequestAlias", alias),
                [use | {"KeyId": alias}, use | {"KeyId": account.alias_arn(alias)}],
                [use | {"KeyId": tagged}, use | {"KeyId": tagged.rsplit("/")[1]}],
            ),
            (("ForAnyValue:StringLike", "kms:ResourceAliases", alias[:-1] + "*"), [use | {"KeyId": tagged}, use | {"KeyId": alias}], [use]),
            (("StringEquals", "aws:ResourceTag/team", "blue"), [use | {"KeyId": tagged}], [use]),
            (
                ("StringEquals", "kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256"),
                [use | {"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}],
                [use, use | {"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}],
            ),
        ],
        "create_key": [
            (("StringEquals", "kms:KeySpec", "SYMMETRIC_DEFAULT"), [{}], [{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}]),
            (("StringEquals", "kms:KeyUsage", "GENERATE_VERIFY_MAC"), [{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}], [{}]),
            (("StringEquals", "kms:KeyOrigin", "AWS_KMS"), [{}], [{"Origin": "EXTERNAL"}]),
            (("Bool", "kms:MultiRegion", "false"), [{}], []),
            (("StringEquals", "aws:RequestTag/team", "blue"), [team("blue")], [team("red"), {}]),
            (("ForAllValues:StringEquals", "aws:TagKeys", "other"), [{}], [team("blue")]),
        ],
        "re_encrypt": [
            (
                ("Bool", "kms:ReEncryptOnSameKey", "true"),
                [{"CiphertextBlob": blob, "DestinationKeyId": plain}],
                [{"CiphertextBlob": blob, "DestinationKeyId": tagged}],
            ),
        ],
        "generate_data_key_pair": [
            (
                ("StringLike", "kms:DataKeyPairSpec", "ECC_*"),
                [{"KeyId": plain, "KeyPairSpec": "ECC_NIST_P256"}],
                [{"KeyId": plain, "KeyPairSpec": "RSA_2048"}],
            ),
        ],
        "generate_mac": [
            (("StringEquals", "kms:MacAlgorithm", "HMAC_SHA_256"), [{"KeyId": mac, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}], []),
            (("StringEquals", "kms:MacAlgorithm", "HMAC_SHA_512"), [], [{"KeyId": mac, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}]),
        ],
        "sign": [
            (("StringEquals", "kms:SigningAlgorithm", "ECDSA_SHA_256"), [signing | {"Message": b"x"}], []),
            (
                ("StringEquals", "kms:MessageType", "DIGEST"),
                [signing | {"Message": b"x" * 32, "MessageType": "DIGEST"}],
                [signing | {"Message": b"x" * 32}],
            ),
        ],
        "create_grant": [
            (("StringEquals", "kms:GranteePrincipal", account.root), [grant | {"Operations": ["Decrypt"]}], []),
            (
                ("ForAllValues:StringEquals", "kms:GrantOperations", ["Encrypt", "Decrypt"]),
                [grant | {"Operations": ["Decrypt"]}],
                [grant | {"Operations": ["Decrypt", "CreateGrant"]}],
            ),
            (
                ("StringEquals", "kms:GrantConstraintType", "EncryptionContextEquals"),
                [grant | {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextEquals": {"a": "b"}}}],
                [grant | {"Operations": ["Decrypt"]}, grant | {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}}],
            ),
            (
                ("Null", "kms:RetiringPrincipal", "true"),
                [grant | {"Operations": ["Decrypt"]}],
                [grant | {"Operations": ["Decrypt"], "RetiringPrincipal": account.root}],
            ),
        ],
        "schedule_key_deletion": [
            (
                ("NumericGreaterThanEquals", "kms:ScheduleKeyDeletionPendingWindowInDays", "30"),
                [{"KeyId": tagged}],
                [{"KeyId": plain, "PendingWindowInDays": 29}],
            ),
        ],
        "enable_key_rotation": [
            (("NumericLessThan", "kms:RotationPeriodInDays", "366"), [{"KeyId": plain}], [{"KeyId": plain, "RotationPeriodInDays": 366}]),
        ],
        "get_parameters_for_import": [
            (("StringLike", "kms:WrappingAlgorithm", "*_SHA_256"), [wrapping], [wrapping | {"WrappingAlgorithm": "RSAES_OAEP_SHA_1"}]),
            (("StringEquals", "kms:WrappingKeySpec", "RSA_2048"), [wrapping], [wrapping | {"WrappingKeySpec": "RSA_4096"}]),
        ],
    }


def test_conditions_of_kms(account):
    wrong = []
    for operation, conditions in cases(account).items():
        for (operator, name, value), fulfilled, unfulfilled in conditions:
            kms = account.caller(allow("kms:*", **condition(operator, name, value)))
            for expected, requests in [("ok", fulfilled), ("AccessDeniedException", unfulfilled)]:
                found = {outcome(getattr(kms, operation), **request) for request in requests}
                if found - {expected}:
                    wrong.append((operation, operator, name, expected, found))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_organisation_is_above_keys_too(account, other):
    organizations = account.client(service="organizations")
    key, shared = other.key(), account.key(granting([account.root, other.root], "kms:*"))
    attached = []

    def attach(kind, statement):
        made = organizations.create_policy(Name=named("guard"), Description="", Type=kind, Content=document(statement))["Policy"]
        attached.append({"PolicyId": made["PolicySummary"]["Id"], "TargetId": other.number})
        organizations.attach_policy(**attached[-1])

    assert encrypts(other.kms, key) == encrypts(other.kms, shared) == "ok"
    blob = other.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    attach("SERVICE_CONTROL_POLICY", allow("kms:Encrypt", effect="Deny"))
    for arn in (key, shared):
        said = refused("AccessDeniedException", other.kms.encrypt, KeyId=arn, Plaintext=b"x")
        assert "with an explicit deny in a service control policy" in said
    assert encrypts(account.kms, shared) == "ok"
    attach("RESOURCE_CONTROL_POLICY", {"Principal": "*", **allow("kms:Decrypt", effect="Deny")})
    said = refused("AccessDeniedException", other.kms.decrypt, CiphertextBlob=blob)
    assert "with an explicit deny in a resource control policy" in said
    for one in attached:
        organizations.detach_policy(**one)
    assert encrypts(other.kms, key) == encrypts(other.kms, shared) == "ok"


def test_every_decision_is_written_down_and_no_secret(account):
    key = account.key()
    role = account.caller_role()
    account.kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Encrypt"])
    kms = account.as_role(role)
    plaintext = b"canary of the journal " + named("secret").encode()
    allowed = kms.encrypt(KeyId=key, Plaintext=plaintext)["ResponseMetadata"]["RequestId"]
    refused("AccessDeniedException", kms.disable_key, KeyId=key)
    entries = journal.verified_entries(account.moho.data)
    [entry] = journal.of_request(entries, allowed)
    assert (entry["outcome"], entry["action"], entry["resource"]) == ("allow", "kms:Encrypt", key)
    last = entries[-1]
    assert (last["outcome"], last["action"], last["resource"]) == ("deny", "kms:DisableKey", key)
    for file in account.moho.data.glob("**/*"):
        if file.is_file():
            assert plaintext not in file.read_bytes(), file


def test_keys_that_moho_uses_for_a_caller_say_through_what(moho):
    def stores(*statements) -> int:
        credentials = bedrock.narrowed(moho, allow("*"), *statements)
        with moho.http({"Authorization": f"Bearer {bearer_key(credentials)}"}) as http:
            return http.post("/v1/responses", json={"model": MODEL, "input": "Hi!", "max_output_tokens": 16}).status_code

    service = f"bedrock-mantle.{moho.credentials().region}.amazonaws.com"
    deny = allow(["kms:GenerateDataKey", "kms:Decrypt"], effect="Deny")
    assert stores(deny | condition("StringEquals", "kms:ViaService", service)) == 403
    assert stores(deny | condition("StringNotEquals", "kms:ViaService", service)) == 200
