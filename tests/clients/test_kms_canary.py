"""Keys, and what they encrypt, rest nowhere in the clear: not in a file, not in a log line however much is logged, not after
`kill -9`, and not of requests that fail."""

import base64
import os

import botocore.exceptions
import pytest

import openssl
from canary import TELLING, spellings_of_bytes, whole_files
from serving import Moho
from test_kms_imported_kinds import Importing


def found(folders: list, secrets: dict[str, bytes]) -> list[str]:
    every = [(f"{name} ({how})", spelling) for name, secret in secrets.items() for how, spelling in spellings_of_bytes(secret[:TELLING]).items()]
    return [f"{name} is in {path}" for path, data in whole_files(folders) for name, spelling in every if spelling in data]


def use_keys(kms) -> dict[str, bytes]:
    """Has secrets brought, made, agreed on and encrypted; gives them."""
    symmetric, mac, pair = os.urandom(32), os.urandom(32), openssl.private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    brought = Importing(kms)
    brought.take(symmetric)
    newer = os.urandom(32)
    brought.take(newer, ImportType="NEW_KEY_MATERIAL")
    kms.rotate_key_on_demand(KeyId=brought.id)
    hashing = Importing(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    hashing.take(mac)
    signing = Importing(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    signing.take(pair)
    kms.sign(KeyId=signing.id, Message=b"words", SigningAlgorithm="ECDSA_SHA_256")
    context = {"tenant": "one"}
    plaintext = os.urandom(64)
    sealed = kms.encrypt(KeyId=brought.id, Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"]
    again = kms.re_encrypt(CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=brought.id)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=again)["Plaintext"] == plaintext
    made = kms.generate_data_key(KeyId=brought.id, KeySpec="AES_256", EncryptionContext=context)
    pairs = {
        spec: kms.generate_data_key_pair(KeyId=brought.id, KeyPairSpec=spec)["PrivateKeyPlaintext"] for spec in ("ECC_NIST_P256", "RSA_2048")
    }
    agreeing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    agreed = kms.derive_shared_secret(KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=openssl.public_of(pair))
    # What is brought as it should not be: material of another key, and not wrapped at all.
    wrong = os.urandom(32)
    for give in (lambda: brought.take(wrong), lambda: brought.give(brought.parameters()["ImportToken"], wrong)):
        with pytest.raises(botocore.exceptions.ClientError):
            give()
    for failing in (
        lambda: kms.encrypt(KeyId=hashing.id, Plaintext=plaintext),
        lambda: kms.encrypt(KeyId=brought.id, Plaintext=plaintext * 100),
        lambda: kms.decrypt(CiphertextBlob=plaintext),
    ):
        with pytest.raises(botocore.exceptions.ClientError):
            failing()
    return {
        "imported material": symmetric,
        "newer imported material": newer,
        "an imported HMAC key": mac,
        # Past what every such key begins with.
        "an imported private key": pair[40:],
        "a private key made for somebody": pairs["ECC_NIST_P256"][40:],
        "an RSA key made for somebody": pairs["RSA_2048"][len(pairs["RSA_2048"]) // 2 :],
        "a plaintext": plaintext,
        "a data key": made["Plaintext"],
        "a shared secret": agreed["SharedSecret"],
        "random bytes": kms.generate_random(NumberOfBytes=64)["Plaintext"],
        "refused material": wrong,
    }


def test_what_is_looked_for_would_be_found(tmp_path):
    secret = os.urandom(32)
    for how, text in {
        "list": str(list(secret)).encode(),
        "base64": base64.b64encode(b"x" + secret),
        "hex": secret.hex().encode(),
        "bytes": b"before" + secret + b"after",
    }.items():
        (tmp_path / how).write_bytes(text)
        assert found([tmp_path / how], {"it": secret}), how
    assert not found([tmp_path], {"another": os.urandom(32)})


@pytest.mark.parametrize("log", ["info", "trace"])
def test_no_key_rests_in_the_clear(make_moho, log):
    server: Moho = make_moho(arguments=("--log", log), models={}).start()
    secrets = use_keys(server.boto3("kms", "Admin"))
    assert all(len(secret) >= TELLING for secret in secrets.values())
    folders = [server.data, server.log]
    assert found(folders, secrets) == []
    server.assert_unharmed()
    server.kill()
    assert found(folders, secrets) == []
    server.start()
    assert server.stop() == 0
    assert found(folders, secrets) == []
    assert b"kms:ImportKeyMaterial" in b"".join(data for _, data in whole_files([server.data / "journal"]))
