"""What keys do for their callers: seal and open, data keys, random bytes, MACs; and what must never open."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from kms_account import allow, keeper, outcome, refused

DENIED = "AccessDeniedException"
WRONG = "ValidationException"
BROKEN = "InvalidCiphertextException"
DRY = "DryRunOperationException"
# A ciphertext that names no key there is, or another: not told apart at AWS either.
NO_SUCH = (BROKEN, DENIED, "NotFoundException", "IncorrectKeyException")
CONTEXT = {"app": "web", "Stage": "prod", "ключ": "значение"}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("crypto")) as account:
        yield account


@pytest.fixture(scope="module")
def kms(account):
    return account.kms


@pytest.fixture(scope="module")
def key(account) -> str:
    return account.key()


@pytest.fixture(scope="module")
def mac_key(account) -> str:
    return account.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")


@pytest.fixture(scope="module")
def rsa_key(account) -> str:
    return account.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")


@pytest.fixture(scope="module")
def ecc_key(account) -> str:
    return account.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")


def fields(answer: dict) -> set:
    return answer.keys() - {"ResponseMetadata"}


@pytest.mark.parametrize("size", [1, 16, 1000, 4095, 4096])
@pytest.mark.parametrize("context", [{}, CONTEXT], ids=["bare", "context"])
def test_what_is_sealed_opens(kms, key, size, context):
    plaintext = os.urandom(size)
    sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)
    assert fields(sealed) == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    blob = sealed["CiphertextBlob"]
    assert size < len(blob) <= 6144 and (size < 16 or plaintext not in blob)
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(context.items())))
    assert fields(opened) == {"Plaintext", "KeyId", "EncryptionAlgorithm", "KeyMaterialId"}
    assert (opened["Plaintext"], opened["KeyId"], opened["EncryptionAlgorithm"]) == (plaintext, key, "SYMMETRIC_DEFAULT")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == opened["KeyMaterialId"]
    assert kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"] != blob


def test_sizes(kms, key):
    refused(WRONG, kms.encrypt, KeyId=key, Plaintext=b"")
    said = refused(WRONG, kms.encrypt, KeyId=key, Plaintext=b"x" * 4097)
    assert (
        said == "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
    )
    refused(WRONG, kms.encrypt, KeyId=key)
    refused(WRONG, kms.decrypt, CiphertextBlob=b"")
    refused(WRONG, kms.decrypt, CiphertextBlob=b"x" * 6145)
    refused(WRONG, kms.decrypt)
    many = {f"name-{number}": "v" * 20 for number in range(150)}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=many)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=many)["Plaintext"] == b"x"
    assert outcome(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"k": "v" * 9000}) in (WRONG, "LimitExceededException")


def test_only_the_same_context_opens(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    bare = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    said = set()
    for context in [
        {},
        {"app": "web"},
        CONTEXT | {"more": ""},
        CONTEXT | {"app": "Web"},
        CONTEXT | {"app": "web "},
        {"App": "web", "Stage": "prod", "ключ": "значение"},
        {"app": "prod", "Stage": "web", "ключ": "значение"},
        {"appweb": "", "Stage": "prod", "ключ": "значение"},
        {"ap": "pweb", "Stage": "prod", "ключ": "значение"},
    ]:
        said.add(refused(BROKEN, kms.decrypt, CiphertextBlob=blob, EncryptionContext=context))
        refused(BROKEN, kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key, SourceEncryptionContext=context)
    for context in [{"a": "b"}, {"": ""}]:
        assert outcome(kms.decrypt, CiphertextBlob=bare, EncryptionContext=context) in (BROKEN, WRONG)
    assert len(said) == 1
    # The same letters in another form of Unicode are another context.
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"k": "\u00e9"})["CiphertextBlob"]
    refused(BROKEN, kms.decrypt, CiphertextBlob=blob, EncryptionContext={"k": "e\u0301"})


def flips(blob: bytes):
    """One bit of each byte, another one for each."""
    for at in range(len(blob)):
        yield at, blob[:at] + bytes([blob[at] ^ 1 << at % 8]) + blob[at + 1 :]


def test_no_bit_can_be_changed(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"attack at dawn", EncryptionContext=CONTEXT)["CiphertextBlob"]
    for at, changed in flips(blob):
        refused(NO_SUCH, kms.decrypt, CiphertextBlob=changed, EncryptionContext=CONTEXT)
        if at >= len(blob) - 30:
            # What was sealed and its tag, the key being told.
            refused(BROKEN, kms.decrypt, CiphertextBlob=changed, EncryptionContext=CONTEXT, KeyId=key)


def test_pieces_of_ciphertexts_are_none(kms, key, account):
    other = account.key()
    one, two, theirs = (kms.encrypt(KeyId=name, Plaintext=b"sixteen bytes ok")["CiphertextBlob"] for name in (key, key, other))
    assert len(one) == len(two) == len(theirs)
    for at in range(1, len(one)):
        refused(NO_SUCH, kms.decrypt, CiphertextBlob=one[:at])
    for spliced in [pair for at in range(4, len(one), 4) for pair in (one[:at] + two[at:], one[:at] + theirs[at:])]:
        if spliced not in (one, two, theirs):
            refused(NO_SUCH, kms.decrypt, CiphertextBlob=spliced)
    for wrong in [one + b"\0", one + two, b"\0" + one, one[1:], base64.b64encode(one), b"\0" * len(one), b"\xff" * len(one), os.urandom(200), b"{}"]:
        refused(NO_SUCH, kms.decrypt, CiphertextBlob=wrong)
        refused((*NO_SUCH, WRONG), kms.re_encrypt, CiphertextBlob=wrong, DestinationKeyId=key)
    assert {kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in (one, two, theirs)} == {b"sixteen bytes ok"}


def test_a_key_that_is_named_must_be_the_one(account, kms, key, mac_key, rsa_key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    alias, another = account.alias(key), account.key()
    for name in (key, key.rsplit("/")[1], alias, account.alias_arn(alias)):
        assert kms.decrypt(CiphertextBlob=blob, KeyId=name)["KeyId"] == key
    said = refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, KeyId=another)
    assert said == "The key ID in the request does not identify a CMK that can perform this operation."
    refused("IncorrectKeyException", kms.re_encrypt, CiphertextBlob=blob, SourceKeyId=another, DestinationKeyId=key)
    refused("NotFoundException", kms.decrypt, CiphertextBlob=blob, KeyId="alias/none")
    for wrong in (mac_key, rsa_key):
        refused(("IncorrectKeyException", "InvalidKeyUsageException"), kms.decrypt, CiphertextBlob=blob, KeyId=wrong)
    # Without leave for the named key, nothing is said of the ciphertext.
    clerk = account.caller(allow("kms:Decrypt", key))
    assert clerk.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    refused(DENIED, clerk.decrypt, CiphertextBlob=blob, KeyId=another)
    refused(DENIED, account.caller(allow("kms:Decrypt", another)).decrypt, CiphertextBlob=blob)
    sealed = kms.encrypt(KeyId=rsa_key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
    refused(BROKEN, kms.decrypt, CiphertextBlob=sealed)


def test_re_encryption_moves_between_keys_and_contexts(account, kms, key):
    target = account.key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"moved", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=target, DestinationEncryptionContext={"new": "1"})
    assert fields(moved) == {
        *("CiphertextBlob", "SourceKeyId", "KeyId", "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"),
        *("SourceKeyMaterialId", "DestinationKeyMaterialId"),
    }
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, target)
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"new": "1"})
    assert (opened["Plaintext"], opened["KeyId"], opened["KeyMaterialId"]) == (b"moved", target, moved["DestinationKeyMaterialId"])
    refused(BROKEN, kms.decrypt, CiphertextBlob=moved["CiphertextBlob"], EncryptionContext=CONTEXT)
    ask = {"CiphertextBlob": blob, "SourceEncryptionContext": CONTEXT, "DestinationKeyId": target}
    refused(DENIED, account.caller(allow("kms:ReEncryptFrom", key)).re_encrypt, **ask)
    refused(DENIED, account.caller(allow("kms:ReEncryptTo", target)).re_encrypt, **ask)
    refused(DENIED, account.caller(allow(["kms:Encrypt", "kms:Decrypt"])).re_encrypt, **ask)
    assert account.caller(allow("kms:ReEncryptFrom", key), allow("kms:ReEncryptTo", target)).re_encrypt(**ask)["KeyId"] == target


def test_data_keys(kms, key):
    for size, asked in [(32, {"KeySpec": "AES_256"}), (16, {"KeySpec": "AES_128"}), *((n, {"NumberOfBytes": n}) for n in (1, 64, 1024))]:
        made = kms.generate_data_key(KeyId=key, EncryptionContext=CONTEXT, **asked)
        assert fields(made) == {"CiphertextBlob", "Plaintext", "KeyId", "KeyMaterialId"} and made["KeyId"] == key
        assert len(made["Plaintext"]) == size
        opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
        assert opened["Plaintext"] == made["Plaintext"]
        refused(BROKEN, kms.decrypt, CiphertextBlob=made["CiphertextBlob"])
        blind = kms.generate_data_key_without_plaintext(KeyId=key, **asked)
        assert fields(blind) == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
        assert len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == size
    assert len({kms.generate_data_key(KeyId=key, NumberOfBytes=16)["Plaintext"] for _ in range(20)}) == 20
    for wrong in [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}, {"NumberOfBytes": 0}, {"NumberOfBytes": 1025}, {"KeySpec": "AES_192"}]:
        refused(WRONG, kms.generate_data_key, KeyId=key, **wrong)
        refused(WRONG, kms.generate_data_key_without_plaintext, KeyId=key, **wrong)


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"])
def test_data_key_pairs(kms, key, spec):
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=CONTEXT)
    assert fields(made) == {"PrivateKeyCiphertextBlob", "PrivateKeyPlaintext", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}
    assert (made["KeyId"], made["KeyPairSpec"]) == (key, spec)
    private = load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == made["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    refused(BROKEN, kms.decrypt, CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    blind = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert fields(blind) == {"PrivateKeyCiphertextBlob", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}
    private = load_der_private_key(kms.decrypt(CiphertextBlob=blind["PrivateKeyCiphertextBlob"])["Plaintext"], None)
    assert private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == blind["PublicKey"]


def test_random_bytes(account, kms):
    for size in (1, 32, 1024):
        assert len(kms.generate_random(NumberOfBytes=size)["Plaintext"]) == size
    assert len({kms.generate_random(NumberOfBytes=16)["Plaintext"] for _ in range(50)}) == 50
    for wrong in [{}, {"NumberOfBytes": 0}, {"NumberOfBytes": 1025}, {"NumberOfBytes": -1}]:
        refused(WRONG, kms.generate_random, **wrong)
    refused(DENIED, account.caller().generate_random, NumberOfBytes=1)


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs(account, kms, bits):
    key, other = (account.key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC") for _ in range(2))
    algorithm = f"HMAC_SHA_{bits}"
    ask = {"KeyId": key, "Message": b"m" * 4096, "MacAlgorithm": algorithm}
    made = kms.generate_mac(**ask)
    assert (made["KeyId"], made["MacAlgorithm"], len(made["Mac"])) == (key, algorithm, bits // 8)
    assert kms.generate_mac(**ask)["Mac"] == made["Mac"] != kms.generate_mac(**(ask | {"KeyId": other}))["Mac"]
    checked = kms.verify_mac(Mac=made["Mac"], **ask)
    assert (checked["KeyId"], checked["MacValid"], checked["MacAlgorithm"]) == (key, True, algorithm)
    mac = made["Mac"]
    for wrong in [mac[:-1], mac + b"\0", mac[:-1] + bytes([mac[-1] ^ 1]), bytes([mac[0] ^ 128]) + mac[1:], b"\0" * len(mac)]:
        refused("KMSInvalidMacException", kms.verify_mac, Mac=wrong, **ask)
    refused("KMSInvalidMacException", kms.verify_mac, Mac=mac, **(ask | {"Message": b"other"}))
    refused("KMSInvalidMacException", kms.verify_mac, Mac=mac, **(ask | {"KeyId": other}))
    another = "HMAC_SHA_256" if bits != 256 else "HMAC_SHA_512"
    refused("InvalidKeyUsageException", kms.generate_mac, **(ask | {"MacAlgorithm": another}))
    refused("InvalidKeyUsageException", kms.verify_mac, Mac=mac, **(ask | {"MacAlgorithm": another}))
    for wrong in [{"Message": b""}, {"Message": b"m" * 4097}, {"MacAlgorithm": "HMAC_MD5"}, {"MacAlgorithm": None}]:
        refused(WRONG, kms.generate_mac, **(ask | wrong))


def test_keys_are_used_for_what_they_are_for(account, kms, key, mac_key, rsa_key, ecc_key):
    signing = {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    for name in (mac_key, ecc_key, rsa_key):
        refused("InvalidKeyUsageException", kms.encrypt, KeyId=name, Plaintext=b"x")
        refused("InvalidKeyUsageException", kms.generate_data_key, KeyId=name, KeySpec="AES_256")
        refused("InvalidKeyUsageException", kms.generate_data_key_without_plaintext, KeyId=name, KeySpec="AES_256")
        refused("InvalidKeyUsageException", kms.generate_data_key_pair, KeyId=name, KeyPairSpec="ECC_NIST_P256")
    said = refused("InvalidKeyUsageException", kms.encrypt, KeyId=mac_key, Plaintext=b"x")
    assert said == f"{mac_key} key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt."
    for name in (key, mac_key, rsa_key):
        refused("InvalidKeyUsageException", kms.sign, KeyId=name, **signing)
        refused("InvalidKeyUsageException", kms.verify, KeyId=name, Signature=b"x" * 70, **signing)
    for name in (key, ecc_key, rsa_key):
        refused("InvalidKeyUsageException", kms.generate_mac, KeyId=name, Message=b"x", MacAlgorithm="HMAC_SHA_256")
    for name in (key, mac_key):
        refused(("UnsupportedOperationException", "InvalidKeyUsageException"), kms.get_public_key, KeyId=name)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")
    refused(
        (WRONG, "InvalidKeyUsageException"),
        kms.encrypt,
        KeyId=rsa_key,
        Plaintext=b"x",
        EncryptionAlgorithm="RSAES_OAEP_SHA_1",
        EncryptionContext=CONTEXT,
    )
    refused(WRONG, kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="AES")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    refused("InvalidKeyUsageException", kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=mac_key)


def test_a_dry_run_tells_whether_it_would_be_done_and_does_nothing(account, kms, key, mac_key, ecc_key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    mac = kms.generate_mac(KeyId=mac_key, Message=b"x", MacAlgorithm="HMAC_SHA_256")["Mac"]
    signing = {"KeyId": ecc_key, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**signing)["Signature"]
    stranger = account.caller()
    for operation, arguments in [
        ("encrypt", {"KeyId": key, "Plaintext": b"x"}),
        ("decrypt", {"CiphertextBlob": blob}),
        ("decrypt", {"CiphertextBlob": blob, "KeyId": key}),
        ("re_encrypt", {"CiphertextBlob": blob, "DestinationKeyId": key}),
        ("generate_data_key", {"KeyId": key, "KeySpec": "AES_256"}),
        ("generate_data_key_without_plaintext", {"KeyId": key, "KeySpec": "AES_256"}),
        ("generate_data_key_pair", {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        ("generate_data_key_pair_without_plaintext", {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        ("generate_mac", {"KeyId": mac_key, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}),
        ("verify_mac", {"KeyId": mac_key, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256", "Mac": mac}),
        ("sign", signing),
        ("verify", signing | {"Signature": signature}),
    ]:
        said = refused(DRY, getattr(kms, operation), DryRun=True, **arguments)
        assert said == "The request would have succeeded, but the DryRun option is set."
        refused(DENIED, getattr(stranger, operation), DryRun=True, **arguments)
        getattr(kms, operation)(DryRun=False, **arguments)
    refused("NotFoundException", kms.encrypt, KeyId="alias/none", Plaintext=b"x", DryRun=True)
    refused(WRONG, kms.encrypt, KeyId=key, Plaintext=b"", DryRun=True)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=mac_key, Plaintext=b"x", DryRun=True)
    off = account.key()
    kms.disable_key(KeyId=off)
    refused("DisabledException", kms.encrypt, KeyId=off, Plaintext=b"x", DryRun=True)


def test_no_plaintext_for_a_recipient_that_is_not_attested(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for recipient in [
        {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"\xd2\x84" + b"\0" * 500},
        {"AttestationDocument": b"x"},
        {},
    ]:
        for call, arguments in [
            (kms.decrypt, {"CiphertextBlob": blob}),
            (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
            (kms.generate_data_key_pair, {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
            (kms.generate_random, {"NumberOfBytes": 16}),
        ]:
            refused((WRONG, "UnsupportedOperationException"), call, Recipient=recipient, **arguments)


def test_rotation_and_switches_under_load_open_everything_that_was_sealed(account, kms):
    key = account.key()
    sealed, codes = [], set()

    def seal(number: int) -> None:
        try:
            sealed.append((number, kms.encrypt(KeyId=key, Plaintext=str(number).encode())["CiphertextBlob"]))
        except kms.exceptions.ClientError as error:
            codes.add(error.response["Error"]["Code"])

    def turn(number: int) -> None:
        [kms.rotate_key_on_demand, kms.disable_key, kms.enable_key][number % 3](KeyId=key)

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(seal, number) for number in range(300)]
        turns = [pool.submit(outcome, turn, number=number) for number in range(30)]
        assert not [done.exception() for done in work if done.exception()]
        assert {done.result() for done in turns} <= {"ok", "DisabledException"}
    assert codes <= {"DisabledException"}
    kms.enable_key(KeyId=key)
    assert len(sealed) > 20
    for number, blob in sealed:
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == str(number).encode()
