"""Imported key material: made and wrapped by openssl's command line, imported with boto3, and then used on both sides."""

import pytest

import openssl
from iam_account import refused

FOREVER = "KEY_MATERIAL_DOES_NOT_EXPIRE"
WRAPPINGS = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
MESSAGE = b"what was agreed on"


@pytest.fixture(scope="module")
def kms(moho):
    return moho.boto3("kms", "Admin")


class Importing:
    """A key without material, and what it takes to give it some."""

    def __init__(self, kms, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT"):
        self.kms = kms
        made = kms.create_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")["KeyMetadata"]
        assert (made["KeyState"], made["Origin"]) == ("PendingImport", "EXTERNAL")
        self.id = made["KeyId"]

    def parameters(self, algorithm: str = "RSAES_OAEP_SHA_256", wrapping: str = "RSA_2048") -> dict:
        return self.kms.get_parameters_for_import(KeyId=self.id, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping)

    def take(self, material: bytes, algorithm: str = "RSAES_OAEP_SHA_256", wrapping: str = "RSA_2048", **more) -> dict:
        found = self.parameters(algorithm, wrapping)
        assert f"({wrapping[4:]} bit)" in openssl.text_of(found["PublicKey"])
        wrapped = openssl.wrap(found["PublicKey"], algorithm, material)
        return self.give(found["ImportToken"], wrapped, **more)

    def give(self, token: bytes, wrapped: bytes, **more) -> dict:
        more = {"ExpirationModel": FOREVER, **more}
        return self.kms.import_key_material(KeyId=self.id, ImportToken=token, EncryptedKeyMaterial=wrapped, **more)

    def state(self) -> str:
        return self.kms.describe_key(KeyId=self.id)["KeyMetadata"]["KeyState"]


def curve(name: str) -> bytes:
    return openssl.private_key("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{name}")


def rsa(bits: int) -> bytes:
    return openssl.private_key("-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")


@pytest.mark.parametrize("algorithm", WRAPPINGS)
@pytest.mark.parametrize(
    ("spec", "name", "signing"),
    [
        ("ECC_NIST_P256", "P-256", "ECDSA_SHA_256"),
        ("ECC_NIST_P384", "P-384", "ECDSA_SHA_384"),
        ("ECC_NIST_P521", "P-521", "ECDSA_SHA_512"),
        ("ECC_SECG_P256K1", "secp256k1", "ECDSA_SHA_256"),
    ],
)
def test_a_curve_key_signs_on_both_sides(kms, spec, name, signing, algorithm):
    private = curve(name)
    key = Importing(kms, spec, "SIGN_VERIFY")
    key.take(private, algorithm, "RSA_3072")
    assert key.state() == "Enabled"
    assert kms.get_public_key(KeyId=key.id)["PublicKey"] == openssl.public_of(private)
    how = {"KeyId": key.id, "SigningAlgorithm": signing, "Message": MESSAGE}
    assert openssl.verifies(openssl.public_of(private), signing, MESSAGE, kms.sign(**how)["Signature"])
    assert kms.verify(Signature=openssl.sign(private, signing, MESSAGE), **how)["SignatureValid"] is True


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_an_rsa_key_signs_and_decrypts_on_both_sides(kms, bits):
    private, spec = rsa(bits), f"RSA_{bits}"
    key = Importing(kms, spec, "SIGN_VERIFY")
    key.take(private, "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
    for signing in ("RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256"):
        how = {"KeyId": key.id, "SigningAlgorithm": signing, "Message": MESSAGE}
        made = kms.sign(**how)["Signature"]
        assert openssl.verifies(openssl.public_of(private), signing, MESSAGE, made)
        own = openssl.sign(private, signing, MESSAGE)
        assert kms.verify(Signature=own, **how)["SignatureValid"] is True
    assert made == own, "PKCS #1 v1.5 gives one signature"
    key = Importing(kms, spec, "ENCRYPT_DECRYPT")
    key.take(private, "RSA_AES_KEY_WRAP_SHA_1")
    for algorithm in ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"):
        how = {"KeyId": key.id, "EncryptionAlgorithm": algorithm}
        ciphertext = kms.encrypt(Plaintext=MESSAGE, **how)["CiphertextBlob"]
        assert openssl.decrypt(private, algorithm, ciphertext) == MESSAGE


def test_an_edwards_key_signs_on_both_sides(kms):
    private = openssl.private_key("-algorithm", "ED25519")
    key = Importing(kms, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    key.take(private)
    made = kms.sign(KeyId=key.id, SigningAlgorithm="ED25519_SHA_512", Message=MESSAGE)["Signature"]
    assert made == openssl.sign(private, "ED25519_SHA_512", MESSAGE)


def test_an_agreeing_key_agrees_on_both_sides(kms):
    private, theirs = curve("P-384"), curve("P-384")
    key = Importing(kms, "ECC_NIST_P384", "KEY_AGREEMENT")
    key.take(private)
    agreed = kms.derive_shared_secret(KeyId=key.id, KeyAgreementAlgorithm="ECDH", PublicKey=openssl.public_of(theirs))
    assert agreed["SharedSecret"] == openssl.agree(private, openssl.public_of(theirs))
    assert agreed["KeyOrigin"] == "EXTERNAL"


@pytest.mark.parametrize(("bits", "lengths"), [(224, (28, 128)), (256, (32, 100)), (384, (48, 128)), (512, (64, 128))])
def test_an_hmac_key_may_be_longer_and_not_shorter(kms, bits, lengths):
    algorithm = f"HMAC_SHA_{bits}"
    for length in lengths:
        secret = bytes(range(length))
        key = Importing(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
        key.take(secret)
        mac = kms.generate_mac(KeyId=key.id, MacAlgorithm=algorithm, Message=MESSAGE)["Mac"]
        assert mac == openssl.mac(secret, algorithm, MESSAGE)
    key = Importing(kms, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    for wrong in (bits // 8 - 1, 129):
        refused("IncorrectKeyMaterialException", key.take, material=bytes(wrong))
    assert key.state() == "PendingImport"


def test_a_symmetric_key_comes_back_as_it_was_and_as_nothing_else(kms):
    key, secret = Importing(kms), bytes(range(32))
    first = key.take(secret)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key.id, Plaintext=MESSAGE)["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key.id)
    assert key.state() == "PendingImport"
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    refused("IncorrectKeyMaterialException", key.take, material=bytes(32))
    assert key.state() == "PendingImport"
    assert key.take(secret, "RSAES_OAEP_SHA_1", "RSA_4096")["KeyMaterialId"] == first
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == MESSAGE
    # Another key with the same material is another key.
    other = Importing(kms)
    assert other.take(secret)["KeyMaterialId"] != first
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, KeyId=other.id)


@pytest.mark.parametrize("material", [b"", bytes(31), bytes(33)])
def test_symmetric_material_has_32_bytes(kms, material):
    key = Importing(kms)
    refused("IncorrectKeyMaterialException", key.take, material=material)
    assert key.state() == "PendingImport"


def test_a_key_pair_of_another_kind_is_refused(kms):
    key = Importing(kms, "ECC_NIST_P256", "SIGN_VERIFY")
    explicit = openssl.private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit")
    right = curve("P-256")
    for wrong in (curve("P-384"), curve("secp256k1"), rsa(2048), explicit, right + b"\0", right[:-1], openssl.public_of(right)):
        refused("IncorrectKeyMaterialException", key.take, material=wrong, algorithm="RSA_AES_KEY_WRAP_SHA_256")
    encrypting = Importing(kms, "RSA_3072", "ENCRYPT_DECRYPT")
    refused("IncorrectKeyMaterialException", encrypting.take, material=rsa(2048), algorithm="RSA_AES_KEY_WRAP_SHA_256")
    key.take(right, "RSA_AES_KEY_WRAP_SHA_256")
    refused("IncorrectKeyMaterialException", key.take, material=curve("P-256"))


def test_a_token_is_for_its_key_and_its_wrapping(kms):
    key, other = Importing(kms), Importing(kms)
    found, again = key.parameters(), key.parameters()
    wrapped = openssl.wrap(found["PublicKey"], "RSAES_OAEP_SHA_256", bytes(32))
    token = found["ImportToken"]
    refused("InvalidImportTokenException", other.give, token=token, wrapped=wrapped)
    for at in (0, 1, 40, len(token) - 1):
        altered = token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
        refused("InvalidImportTokenException", key.give, token=altered, wrapped=wrapped)
    for wrong in (token[:-1], token + b"\0", b"\1"):
        refused("InvalidImportTokenException", key.give, token=wrong, wrapped=wrapped)
    by_sha1 = openssl.wrap(found["PublicKey"], "RSAES_OAEP_SHA_1", bytes(32))
    by_aes = openssl.wrap(found["PublicKey"], "RSA_AES_KEY_WRAP_SHA_256", bytes(32))
    under_another = openssl.wrap(again["PublicKey"], "RSAES_OAEP_SHA_256", bytes(32))
    for wrong in (by_sha1, by_aes, under_another, wrapped[1:], wrapped + b"\0"):
        refused("InvalidCiphertextException", key.give, token=token, wrapped=wrong)
    assert key.state() == "PendingImport"
    key.give(token, wrapped)
    assert key.state() == "Enabled"


def test_what_cannot_be_wrapped_so_is_unsupported(kms):
    key = Importing(kms)
    refused("UnsupportedOperationException", key.parameters, algorithm="RSAES_PKCS1_V1_5")
    refused("UnsupportedOperationException", key.parameters, wrapping="SM2")
    refused("UnsupportedOperationException", key.parameters, algorithm="RSA_AES_KEY_WRAP_SHA_256")
    long = Importing(kms, "ECC_NIST_P521", "SIGN_VERIFY")
    refused("UnsupportedOperationException", long.parameters, wrapping="RSA_2048")
    rsa_key = Importing(kms, "RSA_2048", "SIGN_VERIFY")
    refused("UnsupportedOperationException", rsa_key.parameters, wrapping="RSA_4096")
    made_here = kms.create_key()["KeyMetadata"]["KeyId"]
    how = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    refused("UnsupportedOperationException", kms.get_parameters_for_import, KeyId=made_here, **how)
