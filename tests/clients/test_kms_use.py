"""What keys are used for with boto3: encryption, data keys, signatures, grants, imports; checked with code that is not moho's."""

import datetime
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from sts import Account, client, document, refused

CONTEXT = {"Team": "a", "case": "b"}


@pytest.fixture(scope="module")
def account(moho):
    account = Account(moho, "kms-use-")
    yield account
    account.clear()


@pytest.fixture(scope="module")
def kms(moho):
    return client(moho, "kms")


@pytest.fixture(scope="module")
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def made(kms, spec, usage, **more):
    return kms.create_key(KeySpec=spec, KeyUsage=usage, **more)["KeyMetadata"]["Arn"]


def test_what_is_encrypted_opens_under_its_context_only(kms, key):
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    blob = sealed["CiphertextBlob"]
    for name in ({}, {"KeyId": key}):
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT, **name)
        assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key)
    for context in ({}, {"Team": "a"}, CONTEXT | {"x": "y"}, {"team": "a", "case": "b"}, {"Team": "A", "case": "b"}):
        assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context).code == "InvalidCiphertextException"
    for at in range(0, len(blob), 7):
        flipped = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        told = refused(kms.decrypt, CiphertextBlob=flipped, EncryptionContext=CONTEXT)
        assert told.code == "InvalidCiphertextException", at
    for cut in (1, 17, 64, len(blob) - 1):
        assert refused(kms.decrypt, CiphertextBlob=blob[:cut], EncryptionContext=CONTEXT).code == "InvalidCiphertextException"
    other = kms.create_key()["KeyMetadata"]["Arn"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other, EncryptionContext=CONTEXT).code == "IncorrectKeyException"


def test_only_so_much_is_encrypted(kms, key):
    kms.encrypt(KeyId=key, Plaintext=b"x" * 4096)
    for plain in (b"", b"x" * 4097):
        assert refused(kms.encrypt, KeyId=key, Plaintext=plain).code == "ValidationException"
    rsa_key = made(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    sealed = kms.encrypt(KeyId=rsa_key, Plaintext=b"x" * 190, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert kms.decrypt(KeyId=rsa_key, CiphertextBlob=sealed["CiphertextBlob"], EncryptionAlgorithm="RSAES_OAEP_SHA_256")["Plaintext"] == b"x" * 190
    assert refused(kms.encrypt, KeyId=rsa_key, Plaintext=b"x" * 191, EncryptionAlgorithm="RSAES_OAEP_SHA_256").code == "ValidationException"
    assert refused(kms.encrypt, KeyId=rsa_key, Plaintext=b"x").code == "InvalidKeyUsageException"
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1").code == "InvalidKeyUsageException"
    told = refused(kms.encrypt, KeyId=rsa_key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1", EncryptionContext=CONTEXT)
    assert told.code == "ValidationException"


def test_data_keys_and_random_bytes(kms, key):
    for wish, length in [({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 1024}, 1024)]:
        data_key = kms.generate_data_key(KeyId=key, EncryptionContext=CONTEXT, **wish)
        assert len(data_key["Plaintext"]) == length
        opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=CONTEXT)
        assert opened["Plaintext"] == data_key["Plaintext"]
    blind = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)
    assert "Plaintext" not in blind and len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 24
    for wish in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 1}, {"NumberOfBytes": 0}, {"NumberOfBytes": 1025}):
        assert refused(kms.generate_data_key, KeyId=key, **wish).code == "ValidationException", wish
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    for wish in ({}, {"NumberOfBytes": 0}, {"NumberOfBytes": 1025}):
        assert refused(kms.generate_random, **wish).code == "ValidationException", wish


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519", "ECC_SECG_P256K1"])
def test_data_key_pairs_belong_together(kms, key, spec):
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    public = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert public == pair["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == pair["PrivateKeyPlaintext"]
    blind = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in blind and blind["PublicKey"]
    assert refused(kms.generate_data_key_pair, KeyId=key, KeyPairSpec="SM2").code == "UnsupportedOperationException"


def test_nobody_gets_plaintext_by_an_attestation_that_is_none(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"none"}
    for call, wish in [
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.generate_data_key, {"KeyId": key, "NumberOfBytes": 16}),
        (kms.generate_data_key_pair, {"KeyId": key, "KeyPairSpec": "RSA_2048"}),
        (kms.generate_random, {"NumberOfBytes": 16}),
    ]:
        assert refused(call, Recipient=recipient, **wish).code == "ValidationException"


def test_a_dry_run_says_what_would_be_and_does_nothing(kms, key, account):
    blob = kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    grantee = account.role("Dry")
    for call, wish in [
        (kms.encrypt, {"KeyId": key, "Plaintext": b"a"}),
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.decrypt, {"KeyId": key, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}),
        (kms.generate_data_key, {"KeyId": key, "NumberOfBytes": 16}),
        (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
        (kms.create_grant, {"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Decrypt"]}),
    ]:
        told = refused(call, DryRun=True, **wish)
        assert (told.code, told.status) == ("DryRunOperationException", 400), wish
    assert kms.list_grants(KeyId=key, GranteePrincipal=grantee)["Grants"] == []
    assert refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=CONTEXT, DryRun=True).code == "InvalidCiphertextException"
    assert refused(kms.decrypt, CiphertextBlob=blob, DryRunModifiers=["IGNORE_CIPHERTEXT"]).code == "ValidationException"
    assert refused(kms.encrypt, KeyId="alias/none", Plaintext=b"a", DryRun=True).code == "NotFoundException"


def test_reencryption_takes_leave_on_both_keys(moho, kms, key, account):
    other = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"a", EncryptionContext=CONTEXT)["CiphertextBlob"]
    wish = {"CiphertextBlob": blob, "SourceEncryptionContext": CONTEXT, "DestinationEncryptionContext": {"new": "1"}}
    done = kms.re_encrypt(DestinationKeyId=other, **wish)
    assert (done["SourceKeyId"], done["KeyId"]) == (key, other)
    assert kms.decrypt(CiphertextBlob=done["CiphertextBlob"], EncryptionContext={"new": "1"})["Plaintext"] == b"a"
    to_itself = {"Bool": {"kms:ReEncryptOnSameKey": "true"}}
    account.role("Halves", allowed=[
        {"Effect": "Allow", "Action": "kms:ReEncryptFrom", "Resource": key},
        {"Effect": "Allow", "Action": "kms:ReEncryptTo", "Resource": "*", "Condition": to_itself},
    ])
    half = client(moho, "kms", account.session("Halves"))
    assert half.re_encrypt(DestinationKeyId=key, **wish)
    assert "kms:ReEncryptTo" in refused(half.re_encrypt, DestinationKeyId=other, **wish).message


def test_conditions_see_the_encryption_context(moho, kms, key, account):
    only = {"StringEquals": {"kms:EncryptionContext:Team": "a"}, "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["Team", "case"]}}
    account.role("Contexts", allowed=[{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key, "Condition": only}])
    narrow = client(moho, "kms", account.session("Contexts"))
    narrow.encrypt(KeyId=key, Plaintext=b"a", EncryptionContext=CONTEXT)
    for context in ({}, {"Team": "b"}, CONTEXT | {"other": "1"}):
        assert refused(narrow.encrypt, KeyId=key, Plaintext=b"a", EncryptionContext=context).code == "AccessDeniedException"


@pytest.mark.parametrize("spec, algorithm", [
    ("RSA_2048", "RSASSA_PSS_SHA_256"), ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"), ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ("ECC_NIST_P384", "ECDSA_SHA_384"), ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
])
def test_signatures_are_those_that_others_check(kms, spec, algorithm):
    arn = made(kms, spec, "SIGN_VERIFY")
    signature = kms.sign(KeyId=arn, Message=b"words", SigningAlgorithm=algorithm)["Signature"]
    shown = kms.get_public_key(KeyId=arn)
    assert algorithm in shown["SigningAlgorithms"] and shown["KeySpec"] == spec
    public = serialization.load_der_public_key(shown["PublicKey"])
    digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[-3:]]()
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, b"words", ec.ECDSA(digest))
    elif "PSS" in algorithm:
        public.verify(signature, b"words", padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    else:
        public.verify(signature, b"words", padding.PKCS1v15(), digest)
    hashed = hashlib.new(digest.name, b"words").digest()
    wish = {"KeyId": arn, "SigningAlgorithm": algorithm}
    assert kms.verify(Message=hashed, MessageType="DIGEST", Signature=signature, **wish)["SignatureValid"] is True
    assert refused(kms.verify, Message=b"others", Signature=signature, **wish).code == "KMSInvalidSignatureException"
    assert refused(kms.sign, Message=b"words", MessageType="DIGEST", **wish).code == "ValidationException"


def test_message_authentication_codes_are_those_of_everybody_else(kms, key):
    arn = made(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    mac = kms.generate_mac(KeyId=arn, Message=b"words", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert kms.verify_mac(KeyId=arn, Message=b"words", MacAlgorithm="HMAC_SHA_256", Mac=mac)["MacValid"] is True
    told = refused(kms.verify_mac, KeyId=arn, Message=b"words", MacAlgorithm="HMAC_SHA_256", Mac=mac[:-1] + bytes([mac[-1] ^ 1]))
    assert told.code == "KMSInvalidMacException"
    assert refused(kms.generate_mac, KeyId=key, Message=b"a", MacAlgorithm="HMAC_SHA_256").code == "InvalidKeyUsageException"


def test_secrets_are_agreed_on(kms):
    arn = made(kms, "ECC_NIST_P256", "KEY_AGREEMENT")
    peer = ec.generate_private_key(ec.SECP256R1())
    theirs = peer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    shared = kms.derive_shared_secret(KeyId=arn, KeyAgreementAlgorithm="ECDH", PublicKey=theirs)
    own = serialization.load_der_public_key(kms.get_public_key(KeyId=arn)["PublicKey"])
    assert shared["SharedSecret"] == peer.exchange(ec.ECDH(), own) and shared["KeyOrigin"] == "AWS_KMS"
    assert refused(kms.derive_shared_secret, KeyId=arn, KeyAgreementAlgorithm="ECDH", PublicKey=b"none").code == "ValidationException"
    kem = made(kms, "ML_KEM_768", "ENCAPSULATE_DECAPSULATE")
    told = kms.encapsulate(KeyId=kem, EncapsulationAlgorithm="ML_KEM")
    opened = kms.decapsulate(KeyId=kem, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=told["SharedSecretCiphertextBlob"])
    assert opened["SharedSecret"] == told["SharedSecret"] and len(told["SharedSecret"]) == 32


def test_material_is_imported_deleted_and_imported_again(kms):
    arn = made(kms, "HMAC_256", "GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingImport"
    wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    told = kms.get_parameters_for_import(KeyId=arn, **wrapping)
    public = serialization.load_der_public_key(told["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    wrap = lambda bytes_: public.encrypt(bytes_, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))  # noqa: E731
    secret = bytes(range(32))
    wish = {"KeyId": arn, "ImportToken": told["ImportToken"], "EncryptedKeyMaterial": wrap(secret)}
    assert refused(kms.import_key_material, **wish).code == "ValidationException"
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    kms.import_key_material(ValidTo=soon, **wish)
    said = kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (said["KeyState"], said["ExpirationModel"]) == ("Enabled", "KEY_MATERIAL_EXPIRES")
    mac = kms.generate_mac(KeyId=arn, Message=b"words", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert mac == hmac.digest(secret, b"words", "sha256")
    kms.delete_imported_key_material(KeyId=arn)
    assert refused(kms.generate_mac, KeyId=arn, Message=b"a", MacAlgorithm="HMAC_SHA_256").code == "KMSInvalidStateException"
    for_ever = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    told = refused(kms.import_key_material, **(wish | for_ever | {"EncryptedKeyMaterial": wrap(b"x" * 32)}))
    assert told.code == "IncorrectKeyMaterialException"
    kms.import_key_material(**(wish | for_ever))
    assert kms.generate_mac(KeyId=arn, Message=b"words", MacAlgorithm="HMAC_SHA_256")["Mac"] == mac
    other = made(kms, "HMAC_256", "GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    assert refused(kms.import_key_material, **(wish | for_ever | {"KeyId": other})).code == "InvalidImportTokenException"
    assert refused(kms.get_parameters_for_import, KeyId=arn, **(wrapping | {"WrappingAlgorithm": "RSAES_PKCS1_V1_5"})).code == "UnsupportedOperationException"


def test_a_grant_lets_a_role_do_what_it_says_and_no_more(moho, kms, key, account):
    grantee = account.role("Grantee", allowed=None)
    theirs = client(moho, "kms", account.session("Grantee"))
    wish = {"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt", "Decrypt", "CreateGrant", "RetireGrant"]}
    assert refused(theirs.encrypt, KeyId=key, Plaintext=b"a").code == "AccessDeniedException"
    subset = {"EncryptionContextSubset": {"Team": "a"}}
    grant = kms.create_grant(Constraints=subset, Name="one", **wish)
    again = kms.create_grant(Constraints=subset, Name="one", **wish)
    assert again["GrantId"] == grant["GrantId"]
    [listed] = kms.list_grants(KeyId=key, GranteePrincipal=grantee)["Grants"]
    assert (listed["GrantId"], listed["Constraints"], listed["Name"], listed["KeyId"]) == (grant["GrantId"], subset, "one", key)
    blob = theirs.encrypt(KeyId=key, Plaintext=b"a", EncryptionContext=CONTEXT, GrantTokens=[grant["GrantToken"]])["CiphertextBlob"]
    assert theirs.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"a"
    assert refused(theirs.encrypt, KeyId=key, Plaintext=b"a", EncryptionContext={"team": "a"}).code == "AccessDeniedException"
    assert refused(theirs.generate_data_key, KeyId=key, NumberOfBytes=16, EncryptionContext=CONTEXT).code == "AccessDeniedException"
    told = refused(kms.encrypt, KeyId=key, Plaintext=b"a", GrantTokens=[grant["GrantToken"] + "A"])
    assert told.code == "InvalidGrantTokenException"
    # It hands on no more than it has.
    second = {"KeyId": key, "GranteePrincipal": account.role("Second", allowed=None)}
    for wider in ({"Operations": ["Sign"]}, {"Operations": ["Decrypt"]}, {"Operations": ["GenerateDataKey"], "Constraints": subset}):
        assert refused(theirs.create_grant, **second, **wider).code in ("AccessDeniedException", "ValidationException"), wider
    theirs.create_grant(Operations=["Decrypt"], Constraints=subset, **second)
    assert refused(theirs.list_grants, KeyId=key).code == "AccessDeniedException"
    theirs.retire_grant(KeyId=key, GrantId=grant["GrantId"])
    assert refused(theirs.decrypt, CiphertextBlob=blob, EncryptionContext=CONTEXT).code == "AccessDeniedException"
    assert refused(kms.revoke_grant, KeyId=key, GrantId=grant["GrantId"]).code == "NotFoundException"


def test_a_grant_is_retired_by_its_token_by_whom_it_names(moho, kms, key, account):
    grantee, retiring = account.role("Used", allowed=None), account.role("Retiring", allowed=None)
    wish = {"KeyId": key, "GranteePrincipal": grantee, "RetiringPrincipal": retiring, "Operations": ["Decrypt"]}
    grant = kms.create_grant(**wish)
    assert [found["GrantId"] for found in kms.list_retirable_grants(RetiringPrincipal=retiring)["Grants"]] == [grant["GrantId"]]
    used = client(moho, "kms", account.session("Used"))
    ends = client(moho, "kms", account.session("Retiring"))
    assert refused(used.retire_grant, GrantToken=grant["GrantToken"]).code == "AccessDeniedException"
    assert refused(ends.retire_grant, GrantToken="none").code == "InvalidGrantTokenException"
    assert refused(ends.retire_grant).code == "ValidationException"
    assert refused(ends.retire_grant, GrantToken=grant["GrantToken"], DryRun=True).code == "DryRunOperationException"
    ends.retire_grant(GrantToken=grant["GrantToken"])
    assert kms.list_retirable_grants(RetiringPrincipal=retiring)["Grants"] == []


@pytest.mark.parametrize("wish, code", [
    ({"Operations": ["Sign"]}, "ValidationException"),
    ({"Operations": []}, "ValidationException"),
    ({"GranteePrincipal": "arn:aws:s3:::bucket"}, "InvalidArnException"),
    ({"GranteePrincipal": "none"}, "InvalidArnException"),
    ({"Constraints": {"EncryptionContextEquals": {"a": "1"}, "EncryptionContextSubset": {"a": "1"}}}, "ValidationException"),
    ({"GranteeServicePrincipal": "s3.amazonaws.com"}, "UnsupportedOperationException"),
])
def test_grants_that_cannot_be_are_refused(kms, key, account, wish, code):
    grantee = f"arn:aws:iam::{account.number}:role/Admin"
    whole = {"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Decrypt"]} | wish
    assert refused(kms.create_grant, **whole).code == code


def test_a_key_policy_alone_lets_nobody_else_in(moho, kms, account):
    own = json.loads(kms.get_key_policy(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])["Policy"])["Statement"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    arn = kms.create_key(Policy=document(*own, deny))["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=arn, Plaintext=b"a")["CiphertextBlob"]
    told = refused(kms.decrypt, CiphertextBlob=blob)
    assert told.code == "AccessDeniedException" and "explicit deny in a resource-based policy" in told.message
