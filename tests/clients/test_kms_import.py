"""Key material of customers' own: wrapped by openssl for every algorithm, imported, expired, deleted and brought again."""

import datetime
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from kms_account import allow, keeper, pages, refused

WRONG = "ValidationException"
BROKEN = "InvalidCiphertextException"
INCORRECT = "IncorrectKeyMaterialException"
PENDING = "KMSInvalidStateException"
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
# An alternative initial value of RFC 5649, as openssl wants to be told.
PADDED = "A65959A6"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("import")) as account:
        yield account


@pytest.fixture(scope="module")
def kms(account):
    return account.kms


def openssl(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], cwd=folder, input=given, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Importer:
    """Somebody with a key to bring, and openssl."""

    def __init__(self, account, folder: Path, algorithm="RSAES_OAEP_SHA_256", size=2048):
        self.account, self.kms, self.folder = account, account.kms, folder
        self.asked = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": f"RSA_{size}"}

    def key(self, **more) -> str:
        return self.account.key(Origin="EXTERNAL", **more)

    def parameters(self, key: str) -> dict:
        return self.kms.get_parameters_for_import(KeyId=key, **self.asked)

    def encrypt(self, public: bytes, plaintext: bytes, digest: str) -> bytes:
        (self.folder / "wrapping.der").write_bytes(public)
        padding = ["rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}"]
        options = [part for option in padding for part in ("-pkeyopt", option)]
        return openssl(self.folder, "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "wrapping.der", *options, given=plaintext)

    def wrap(self, public: bytes, material: bytes, algorithm: str | None = None) -> bytes:
        algorithm = algorithm or self.asked["WrappingAlgorithm"]
        digest = "sha256" if algorithm.endswith("_256") else "sha1"
        if algorithm.startswith("RSAES_OAEP"):
            return self.encrypt(public, material, digest)
        secret = os.urandom(32)
        wrapped = openssl(self.folder, "enc", "-id-aes256-wrap-pad", "-K", secret.hex(), "-iv", PADDED, given=material)
        return self.encrypt(public, secret, digest) + wrapped

    def brings(self, key: str, material: bytes, **more) -> dict:
        """What to import the material with; `more` replaces some of it."""
        asked = self.parameters(key)
        asked = {"KeyId": key, "ImportToken": asked["ImportToken"], "EncryptedKeyMaterial": self.wrap(asked["PublicKey"], material)}
        return asked | FOREVER | more

    def imports(self, key: str, material: bytes, **more) -> dict:
        asked = self.brings(key, material, **more)
        return self.kms.import_key_material(**{name: value for name, value in asked.items() if value is not None})

    def described(self, key: str) -> dict:
        return self.kms.describe_key(KeyId=key)["KeyMetadata"]


@pytest.fixture
def importer(account, tmp_path):
    return Importer(account, tmp_path)


@pytest.mark.parametrize(
    ("algorithm", "size"),
    [
        ("RSAES_OAEP_SHA_1", 2048),
        ("RSAES_OAEP_SHA_256", 3072),
        ("RSAES_OAEP_SHA_256", 4096),
    ],
)
def test_material_comes_wrapped_in_each_algorithm(account, kms, tmp_path, algorithm, size):
    importer = Importer(account, tmp_path, algorithm, size)
    key, material = importer.key(), os.urandom(32)
    waiting = importer.described(key)
    assert (waiting["KeyState"], waiting["Enabled"], waiting["Origin"]) == ("PendingImport", False, "EXTERNAL")
    assert "ExpirationModel" not in waiting and "ValidTo" not in waiting
    assert refused(PENDING, kms.encrypt, KeyId=key, Plaintext=b"x") == f"{key} is pending import."
    asked = importer.parameters(key)
    assert asked.keys() - {"ResponseMetadata"} == {"KeyId", "ImportToken", "PublicKey", "ParametersValidTo"} and asked["KeyId"] == key
    left = asked["ParametersValidTo"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=23, minutes=59) < left <= datetime.timedelta(hours=24)
    (tmp_path / "public.der").write_bytes(asked["PublicKey"])
    assert f"Public-Key: ({size} bit)" in openssl(tmp_path, "rsa", "-pubin", "-inform", "DER", "-in", "public.der", "-text", "-noout").decode()

    wrapped = importer.wrap(asked["PublicKey"], material)
    done = kms.import_key_material(KeyId=key, ImportToken=asked["ImportToken"], EncryptedKeyMaterial=wrapped, **FOREVER)
    assert done["KeyId"] == key and re.fullmatch("[0-9a-f]{64}", done["KeyMaterialId"])
    found = importer.described(key)
    assert (found["KeyState"], found["Enabled"], found["ExpirationModel"]) == ("Enabled", True, FOREVER["ExpirationModel"])
    assert found["CurrentKeyMaterialId"] == done["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"x"


def test_the_material_is_used_as_it_is(importer, kms, tmp_path):
    for bits, digest in [(224, "sha224"), (256, "sha256"), (384, "sha384"), (512, "sha512")]:
        material, message = os.urandom(bits // 8), os.urandom(100)
        key = importer.key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
        importer.imports(key, material)
        made = kms.generate_mac(KeyId=key, Message=message, MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
        assert made == openssl(tmp_path, "dgst", f"-{digest}", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", "-binary", given=message)
    for number, (spec, algorithm, how) in enumerate(
        [
            ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
            ("ECC_NIST_P256", "ECDSA_SHA_256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:named_curve"]),
            ("ECC_NIST_P521", "ECDSA_SHA_512", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-pkeyopt", "ec_param_enc:named_curve"]),
        ]
    ):
        # What is too long for RSA comes under a key of its own.
        wrapped = Importer(importer.account, tmp_path, f"RSA_AES_KEY_WRAP_SHA_{(1, 256)[number % 2]}")
        pem = openssl(tmp_path, "genpkey", *how)
        material = openssl(tmp_path, "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", given=pem)
        public = openssl(tmp_path, "pkey", "-pubout", "-outform", "DER", given=pem)
        key = wrapped.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        refused(PENDING, kms.get_public_key, KeyId=key)
        wrapped.imports(key, material)
        assert kms.get_public_key(KeyId=key)["PublicKey"] == public
        (tmp_path / "public.der").write_bytes(public)
        signed = kms.sign(KeyId=key, Message=b"message", SigningAlgorithm=algorithm)["Signature"]
        (tmp_path / "signature").write_bytes(signed)
        digest = "-sha512" if algorithm.endswith("512") else "-sha256"
        openssl(tmp_path, "dgst", digest, "-verify", "public.der", "-keyform", "DER", "-signature", "signature", given=b"message")


def test_material_that_is_none_of_the_keys_kind(importer, kms, account, tmp_path):
    wrapped = Importer(account, tmp_path, "RSA_AES_KEY_WRAP_SHA_256")
    key = importer.key()
    for size in (1, 16, 24, 31, 33, 64):
        refused((INCORRECT, BROKEN), kms.import_key_material, **importer.brings(key, os.urandom(size)))
    mac = importer.key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")
    # HMAC keys may be longer than the digest, up to 1024 bits.
    for size in (16, 32, 47, 129, 190):
        refused((INCORRECT, BROKEN), kms.import_key_material, **importer.brings(mac, os.urandom(size)))
    curve = openssl(tmp_path, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-outform", "DER")
    ecc = wrapped.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    for material in (curve, os.urandom(32), os.urandom(138), b"0"):
        refused((INCORRECT, BROKEN), kms.import_key_material, **wrapped.brings(ecc, material))
    rsa = wrapped.key(KeySpec="RSA_3072", KeyUsage="SIGN_VERIFY")
    small = openssl(tmp_path, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER")
    refused((INCORRECT, BROKEN), kms.import_key_material, **wrapped.brings(rsa, small))
    for name in (key, mac, ecc, rsa):
        assert importer.described(name)["KeyState"] == "PendingImport"


def test_material_that_is_wrapped_otherwise(importer, kms):
    key, material = importer.key(), os.urandom(32)
    asked = importer.parameters(key)
    public, token = asked["PublicKey"], asked["ImportToken"]
    right = importer.wrap(public, material)

    def brought(wrapped: bytes) -> str:
        return refused(BROKEN, kms.import_key_material, KeyId=key, ImportToken=token, EncryptedKeyMaterial=wrapped, **FOREVER)

    said = {
        brought(wrapped)
        for wrapped in [
            material,
            right[:-1],
            right + b"\0",
            right[:-1] + bytes([right[-1] ^ 1]),
            bytes([right[0] ^ 1]) + right[1:],
            os.urandom(256),
            importer.wrap(public, material, "RSAES_OAEP_SHA_1"),
            importer.wrap(public, material, "RSA_AES_KEY_WRAP_SHA_256"),
            importer.wrap(importer.parameters(key)["PublicKey"], material),
        ]
    }
    assert len(said) == 1
    refused(WRONG, kms.import_key_material, KeyId=key, ImportToken=token, EncryptedKeyMaterial=b"x" * 6145, **FOREVER)
    refused(WRONG, kms.import_key_material, KeyId=key, ImportToken=token, EncryptedKeyMaterial=b"", **FOREVER)
    assert importer.described(key)["KeyState"] == "PendingImport"
    kms.import_key_material(KeyId=key, ImportToken=token, EncryptedKeyMaterial=right, **FOREVER)


def test_an_import_token_is_for_its_key_and_as_it_was_given(importer, kms, account):
    key, other, material = importer.key(), importer.key(), os.urandom(32)
    asked = importer.brings(key, material)
    token = asked["ImportToken"]
    wrong = ("InvalidImportTokenException",)
    for at in range(0, len(token), max(1, len(token) // 40)):
        changed = token[:at] + bytes([token[at] ^ 4]) + token[at + 1 :]
        refused(wrong, kms.import_key_material, **(asked | {"ImportToken": changed}))
    for changed in [
        token[:-1],
        token + b"\0",
        b"x",
        os.urandom(len(token)),
        asked["EncryptedKeyMaterial"],
        importer.parameters(other)["ImportToken"],
    ]:
        refused(wrong, kms.import_key_material, **(asked | {"ImportToken": changed}))
    refused(wrong, kms.import_key_material, **(asked | {"KeyId": other}))
    refused(WRONG, kms.import_key_material, **(asked | {"ImportToken": b""}))
    refused(WRONG, kms.import_key_material, **(asked | {"ImportToken": b"x" * 6145}))
    # A second pair leaves the first one good, and one pair can be used again.
    importer.parameters(key)
    done = kms.import_key_material(**asked)
    assert kms.import_key_material(**asked)["KeyMaterialId"] == done["KeyMaterialId"]
    refused("AccessDeniedException", account.caller(allow("kms:GetParametersForImport")).import_key_material, **asked)


def test_what_no_material_can_be_brought_for(importer, kms, account):
    own, key = account.key(), importer.key()
    refused("UnsupportedOperationException", importer.parameters, key=own)
    refused("UnsupportedOperationException", kms.delete_imported_key_material, KeyId=own)
    asked = importer.brings(key, os.urandom(32))
    refused(("UnsupportedOperationException", "InvalidImportTokenException"), kms.import_key_material, **(asked | {"KeyId": own}))
    for change in [
        {"WrappingAlgorithm": "RSAES_PKCS1_V1_5"},
        {"WrappingAlgorithm": "SM2PKE"},
        {"WrappingKeySpec": "SM2"},
        {"WrappingKeySpec": "RSA_1024"},
    ]:
        refused((WRONG, "UnsupportedOperationException"), kms.get_parameters_for_import, KeyId=key, **(importer.asked | change))
    rsa = importer.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    refused((WRONG, "UnsupportedOperationException"), importer.parameters, key=rsa)
    alias = account.alias(key)
    refused(("NotFoundException", WRONG, "InvalidArnException"), importer.parameters, key=alias)
    for state in (kms.enable_key, kms.disable_key):
        refused(PENDING, state, KeyId=key)


def test_a_key_that_had_material_takes_no_other(importer, kms):
    key, material = importer.key(), os.urandom(32)
    first = importer.imports(key, material)["KeyMaterialId"]
    refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    refused(INCORRECT, kms.import_key_material, **importer.brings(key, os.urandom(32)))
    gone = kms.delete_imported_key_material(KeyId=key)
    assert (gone["KeyId"], gone["KeyMaterialId"]) == (key, first)
    found = importer.described(key)
    assert (found["KeyState"], found["Enabled"]) == ("PendingImport", False)
    refused(PENDING, kms.decrypt, CiphertextBlob=blob)
    refused((PENDING, INCORRECT), kms.import_key_material, **importer.brings(key, os.urandom(32)))
    refused((WRONG, INCORRECT), kms.import_key_material, **importer.brings(key, material, KeyMaterialId="0" * 64))
    assert importer.imports(key, material)["KeyMaterialId"] == first
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    # The same material in another key is another's.
    twin = importer.key()
    assert importer.imports(twin, material)["KeyMaterialId"] != first
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, KeyId=twin)
    # Of a key that waits for its end, material can go; it waits on.
    kms.schedule_key_deletion(KeyId=twin, PendingWindowInDays=7)
    kms.delete_imported_key_material(KeyId=twin)
    assert importer.described(twin)["KeyState"] == "PendingDeletion"
    # And a disabled key stays disabled, whatever comes and goes; so does one whose deletion was called off.
    kms.disable_key(KeyId=key)
    kms.cancel_key_deletion(KeyId=twin)
    for held in (key, twin):
        kms.delete_imported_key_material(KeyId=held)
        assert importer.described(held)["KeyState"] == "PendingImport"
        importer.imports(held, material)
        assert importer.described(held)["KeyState"] == "Disabled"
    refused("DisabledException", kms.decrypt, CiphertextBlob=blob)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"

    mac = importer.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    importer.imports(mac, material)
    refused((INCORRECT, WRONG, "UnsupportedOperationException"), kms.import_key_material, **importer.brings(mac, os.urandom(32)))
    refused((WRONG, "UnsupportedOperationException"), kms.import_key_material, **importer.brings(mac, os.urandom(32), ImportType="NEW_KEY_MATERIAL"))
    kms.delete_imported_key_material(KeyId=mac)
    importer.imports(mac, material)


def test_new_material_is_rotated_to_on_demand(importer, kms):
    key, old, new = importer.key(), os.urandom(32), os.urandom(32)

    def listed() -> dict:
        found = pages(kms.list_key_rotations, KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1)
        return {one["KeyMaterialId"]: one for page in found for one in page["Rotations"]}

    first = importer.imports(key, old, KeyMaterialDescription="of the first year")["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    refused((PENDING, "UnsupportedOperationException", WRONG), kms.rotate_key_on_demand, KeyId=key)
    refused(INCORRECT, kms.import_key_material, **importer.brings(key, old, ImportType="NEW_KEY_MATERIAL"))
    second = importer.imports(key, new, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    found = listed()
    assert found[first]["KeyMaterialDescription"] == "of the first year"
    states = {name: (one["KeyMaterialState"], one["ImportState"]) for name, one in found.items()}
    assert states == {first: ("CURRENT", "IMPORTED"), second: ("PENDING_ROTATION", "IMPORTED")}
    assert importer.described(key)["CurrentKeyMaterialId"] == first

    kms.rotate_key_on_demand(KeyId=key)
    assert importer.described(key)["CurrentKeyMaterialId"] == second
    assert {name: one["KeyMaterialState"] for name, one in listed().items()} == {first: "NON_CURRENT", second: "CURRENT"}
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first
    [rotation] = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (second, "ON_DEMAND")
    # Without any of its materials, a key is of no use.
    assert kms.delete_imported_key_material(KeyId=key, KeyMaterialId=first)["KeyMaterialId"] == first
    assert importer.described(key)["KeyState"] == "PendingImport"
    assert listed()[first]["ImportState"] == "PENDING_IMPORT"
    refused(PENDING, kms.encrypt, KeyId=key, Plaintext=b"x")
    importer.imports(key, old, KeyMaterialId=first)
    assert importer.described(key)["KeyState"] == "Enabled"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"


def test_material_that_waits_for_rotation_can_be_exchanged(importer, kms):
    key = importer.key()
    first = importer.imports(key, os.urandom(32))["KeyMaterialId"]
    waiting = importer.imports(key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    refused((PENDING, INCORRECT), kms.import_key_material, **importer.brings(key, os.urandom(32), ImportType="NEW_KEY_MATERIAL"))
    assert kms.delete_imported_key_material(KeyId=key, KeyMaterialId=waiting)["KeyMaterialId"] == waiting
    assert importer.described(key)["KeyState"] == "Enabled"
    other = importer.imports(key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    kms.rotate_key_on_demand(KeyId=key)
    assert importer.described(key)["CurrentKeyMaterialId"] == other not in (first, waiting)


def test_when_material_expires(importer, kms):
    now = datetime.datetime.now(datetime.UTC)
    key, material = importer.key(), os.urandom(32)
    expires = {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    day = datetime.timedelta(days=1)
    for wrong in [
        expires,
        {},
        expires | {"ValidTo": now - day},
        expires | {"ValidTo": now + 367 * day},
        FOREVER | {"ValidTo": now + day},
        {"ExpirationModel": "NEVER"},
    ]:
        asked = importer.brings(key, material)
        del asked["ExpirationModel"]
        refused(WRONG, kms.import_key_material, **asked, **wrong)
    assert importer.described(key)["KeyState"] == "PendingImport"
    later = (now + 300 * day).replace(microsecond=0)
    importer.imports(key, material, ExpirationModel=None, ValidTo=later)
    found = importer.described(key)
    assert (found["ExpirationModel"], found["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", later)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    # To come earlier, it is brought again.
    soon = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=3)
    kms.delete_imported_key_material(KeyId=key)
    importer.imports(key, material, **expires, ValidTo=soon)
    assert importer.described(key)["ValidTo"] == soon
    deadline = time.monotonic() + 30
    while importer.described(key)["KeyState"] == "Enabled":
        assert time.monotonic() < deadline, "the material is gone in time"
    assert datetime.datetime.now(datetime.UTC) >= soon
    assert importer.described(key)["KeyState"] == "PendingImport"
    refused(PENDING, kms.decrypt, CiphertextBlob=blob)
    importer.imports(key, material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert "ValidTo" not in importer.described(key)
