"""Key pairs and HMAC keys with boto3, every signature, public key, MAC, secret and ciphertext checked by openssl's command line
(by the cryptography package for what openssl's does not have), and the refusals of what a key is not for."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem
from cryptography.hazmat.primitives.serialization import load_der_public_key

import openssl
from iam_account import refused

MESSAGE = b"what was agreed on"
RSA = {"RSA_2048": "(2048 bit)", "RSA_3072": "(3072 bit)", "RSA_4096": "(4096 bit)"}
CURVES = {
    "ECC_NIST_P256": ("NIST CURVE: P-256", "ECDSA_SHA_256"),
    "ECC_NIST_P384": ("NIST CURVE: P-384", "ECDSA_SHA_384"),
    "ECC_NIST_P521": ("NIST CURVE: P-521", "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": ("ASN1 OID: secp256k1", "ECDSA_SHA_256"),
    "ECC_NIST_EDWARDS25519": ("ED25519 Public-Key", "ED25519_SHA_512"),
}
RSA_SIGNING = [f"RSASSA_{kind}_SHA_{bits}" for kind in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)]
OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
ML_DSA = {"ML_DSA_44": (mldsa.MLDSA44PublicKey, 2420), "ML_DSA_65": (mldsa.MLDSA65PublicKey, 3309), "ML_DSA_87": (mldsa.MLDSA87PublicKey, 4627)}
ML_KEM = {"ML_KEM_512": (None, 768), "ML_KEM_768": (mlkem.MLKEM768PublicKey, 1088), "ML_KEM_1024": (mlkem.MLKEM1024PublicKey, 1568)}


@pytest.fixture(scope="module")
def kms(moho):
    return moho.boto3("kms", "Admin")


@pytest.fixture(scope="module")
def key_of(kms):
    """One key of each kind, made when it is first asked for."""
    made = {}

    def key(spec: str, usage: str) -> str:
        if (spec, usage) not in made:
            new = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
            assert (new["KeySpec"], new["CustomerMasterKeySpec"], new["KeyUsage"]) == (spec, spec, usage)
            made[spec, usage] = new["KeyId"]
        return made[spec, usage]

    return key


def public(kms, key: str) -> bytes:
    return kms.get_public_key(KeyId=key)["PublicKey"]


@pytest.mark.parametrize("spec", [*RSA, *CURVES])
def test_public_keys_are_what_they_are_called(kms, key_of, spec):
    found = kms.get_public_key(KeyId=key_of(spec, "SIGN_VERIFY"))
    assert (RSA.get(spec) or CURVES[spec][0]) in openssl.text_of(found["PublicKey"])
    assert (found["KeySpec"], found["KeyUsage"]) == (spec, "SIGN_VERIFY")
    assert found["SigningAlgorithms"] == (RSA_SIGNING if spec in RSA else [CURVES[spec][1]])
    assert "EncryptionAlgorithms" not in found


@pytest.mark.parametrize("spec", [*RSA, *CURVES])
def test_signatures_are_the_standards(kms, key_of, spec):
    key = key_of(spec, "SIGN_VERIFY")
    spki = public(kms, key)
    for algorithm in RSA_SIGNING if spec in RSA else [CURVES[spec][1]]:
        how = {"KeyId": key, "SigningAlgorithm": algorithm}
        made = kms.sign(Message=MESSAGE, **how)
        assert made["SigningAlgorithm"] == algorithm
        signatures = [made["Signature"]]
        if algorithm != "ED25519_SHA_512":
            digest = openssl.digest(algorithm, MESSAGE)
            signatures.append(kms.sign(Message=digest, MessageType="DIGEST", **how)["Signature"])
        for signature in signatures:
            assert openssl.verifies(spki, algorithm, MESSAGE, signature), algorithm
            assert not openssl.verifies(spki, algorithm, MESSAGE + b"!", signature)
            assert kms.verify(Message=MESSAGE, Signature=signature, **how)["SignatureValid"] is True
        refused("KMSInvalidSignatureException", kms.verify, Message=MESSAGE + b"!", Signature=signatures[0], **how)
        flipped = signatures[0][:-1] + bytes([signatures[0][-1] ^ 1])
        refused("KMSInvalidSignatureException", kms.verify, Message=MESSAGE, Signature=flipped, **how)


@pytest.mark.parametrize("spec", ML_DSA)
def test_ml_dsa_signatures_are_the_standards(kms, key_of, spec):
    key = key_of(spec, "SIGN_VERIFY")
    kind, length = ML_DSA[spec]
    how = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(Message=MESSAGE, **how)["Signature"]
    assert len(signature) == length
    independent = load_der_public_key(public(kms, key))
    assert isinstance(independent, kind)
    independent.verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        independent.verify(signature, MESSAGE + b"!")
    assert kms.verify(Message=MESSAGE, Signature=signature, **how)["SignatureValid"] is True
    refused("KMSInvalidSignatureException", kms.verify, Message=MESSAGE + b"!", Signature=signature, **how)
    refused("UnsupportedOperationException", kms.sign, Message=bytes(64), MessageType="EXTERNAL_MU", **how)
    refused("ValidationException", kms.sign, Message=bytes(64), MessageType="DIGEST", **how)


@pytest.mark.parametrize("spec", RSA)
def test_rsa_encryption_is_the_standards(kms, key_of, spec):
    key = key_of(spec, "ENCRYPT_DECRYPT")
    found = kms.get_public_key(KeyId=key)
    assert found["EncryptionAlgorithms"] == OAEP
    size = int(spec[4:]) // 8
    for algorithm, overhead in zip(OAEP, (42, 66)):
        how = {"KeyId": key, "EncryptionAlgorithm": algorithm}
        longest = b"x" * (size - overhead)
        for plaintext in (b"x", longest):
            ciphertext = openssl.encrypt(found["PublicKey"], algorithm, plaintext)
            opened = kms.decrypt(CiphertextBlob=ciphertext, **how)
            assert (opened["Plaintext"], opened["EncryptionAlgorithm"]) == (plaintext, algorithm)
            own = kms.encrypt(Plaintext=plaintext, **how)["CiphertextBlob"]
            assert len(own) == size
            assert kms.decrypt(CiphertextBlob=own, **how)["Plaintext"] == plaintext
        refused("ValidationException", kms.encrypt, Plaintext=longest + b"x", **how)
        flipped = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
        for wrong in (flipped, ciphertext[1:], b"\0" + ciphertext):
            refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=wrong, **how)
        other = {**how, "EncryptionAlgorithm": OAEP[1 - OAEP.index(algorithm)]}
        refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=ciphertext, **other)


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_shared_secrets_are_the_standards(kms, key_of, spec):
    key = key_of(spec, "KEY_AGREEMENT")
    found = kms.get_public_key(KeyId=key)
    assert found["KeyAgreementAlgorithms"] == ["ECDH"]
    how = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH"}
    curve = f"ec_paramgen_curve:{spec.removeprefix('ECC_NIST_').replace('P', 'P-')}"
    theirs = openssl.private_key("-algorithm", "EC", "-pkeyopt", curve)
    agreed = kms.derive_shared_secret(PublicKey=openssl.public_of(theirs), **how)
    assert agreed["SharedSecret"] == openssl.agree(theirs, found["PublicKey"])
    assert (agreed["KeyOrigin"], agreed["KeyAgreementAlgorithm"]) == ("AWS_KMS", "ECDH")
    other = openssl.private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
    rsa = openssl.private_key("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    for wrong in (openssl.public_of(other), openssl.public_of(rsa), openssl.public_of(theirs)[:-1], b"\0"):
        refused("ValidationException", kms.derive_shared_secret, PublicKey=wrong, **how)


@pytest.mark.parametrize("spec", ML_KEM)
def test_encapsulated_secrets_are_the_standards(kms, key_of, spec):
    key = key_of(spec, "ENCAPSULATE_DECAPSULATE")
    kind, length = ML_KEM[spec]
    found = kms.get_public_key(KeyId=key)
    assert found["EncapsulationAlgorithms"] == ["ML_KEM"]
    how = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    made = kms.encapsulate(**how)
    secret, ciphertext = made["SharedSecret"], made["SharedSecretCiphertextBlob"]
    assert (len(secret), len(ciphertext)) == (32, length)
    if kind is not None:
        independent = load_der_public_key(found["PublicKey"])
        assert isinstance(independent, kind)
        theirs = independent.encapsulate()
        theirs = theirs if len(theirs[0]) == 32 else theirs[::-1]
        assert kms.decapsulate(SharedSecretCiphertextBlob=theirs[1], **how)["SharedSecret"] == theirs[0]
    assert kms.decapsulate(SharedSecretCiphertextBlob=ciphertext, **how)["SharedSecret"] == secret
    altered = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    implicit = kms.decapsulate(SharedSecretCiphertextBlob=altered, **how)["SharedSecret"]
    assert len(implicit) == 32 and implicit != secret
    refused("InvalidCiphertextException", kms.decapsulate, SharedSecretCiphertextBlob=ciphertext[1:], **how)


@pytest.mark.parametrize("spec", ["HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"])
def test_macs_verify_only_as_they_are(kms, key_of, spec):
    key, algorithm = key_of(spec, "GENERATE_VERIFY_MAC"), spec.replace("HMAC_", "HMAC_SHA_")
    how = {"KeyId": key, "MacAlgorithm": algorithm}
    mac = kms.generate_mac(Message=MESSAGE, **how)["Mac"]
    assert len(mac) == int(spec[5:]) // 8
    assert kms.verify_mac(Message=MESSAGE, Mac=mac, **how)["MacValid"] is True
    for wrong in (mac[1:], mac + b"\0", bytes([mac[0] ^ 1]) + mac[1:]):
        refused("KMSInvalidMacException", kms.verify_mac, Message=MESSAGE, Mac=wrong, **how)
    refused("KMSInvalidMacException", kms.verify_mac, Message=MESSAGE + b"!", Mac=mac, **how)
    refused("UnsupportedOperationException", kms.get_public_key, KeyId=key)


@pytest.mark.parametrize("spec", ["RSA_2048", *CURVES])
def test_data_key_pairs_are_pairs(kms, spec):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    context = {"purpose": "a pair"}
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=context)
    assert openssl.public_of(pair["PrivateKeyPlaintext"]) == pair["PublicKey"]
    assert (RSA.get(spec) or CURVES[spec][0]) in openssl.text_of(pair["PublicKey"])
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == pair["PrivateKeyPlaintext"]
    without = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec, EncryptionContext=context)
    assert "PrivateKeyPlaintext" not in without
    opened = kms.decrypt(CiphertextBlob=without["PrivateKeyCiphertextBlob"], EncryptionContext=context)
    assert openssl.public_of(opened["Plaintext"]) == without["PublicKey"]


def test_a_key_does_what_it_is_for_and_nothing_else(kms, key_of):
    sign = {"Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    encrypting, signing = key_of("RSA_2048", "ENCRYPT_DECRYPT"), key_of("RSA_2048", "SIGN_VERIFY")
    agreeing, curve = key_of("ECC_NIST_P256", "KEY_AGREEMENT"), key_of("ECC_NIST_P256", "SIGN_VERIFY")
    symmetric, mac = kms.create_key()["KeyMetadata"]["KeyId"], key_of("HMAC_256", "GENERATE_VERIFY_MAC")
    for key in (encrypting, agreeing, symmetric, mac, curve):
        refused("InvalidKeyUsageException", kms.sign, KeyId=key, **sign)
        refused("InvalidKeyUsageException", kms.verify, KeyId=key, Signature=b"s", **sign)
    for key in (signing, agreeing, symmetric, curve):
        refused("InvalidKeyUsageException", kms.generate_mac, KeyId=key, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")
    refused("InvalidKeyUsageException", kms.generate_mac, KeyId=mac, Message=MESSAGE, MacAlgorithm="HMAC_SHA_512")
    for key in (signing, mac, curve, symmetric):
        refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"p", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=encrypting, Plaintext=b"p")
    for key in (curve, encrypting, symmetric):
        peer = public(kms, agreeing)
        refused("InvalidKeyUsageException", kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    said = refused("InvalidKeyUsageException", kms.sign, KeyId=encrypting, **sign)
    assert said.endswith("key usage is ENCRYPT_DECRYPT which is not valid for Sign."), said


def test_digests_have_the_length_of_their_algorithm(kms, key_of):
    key = key_of("ECC_NIST_P384", "SIGN_VERIFY")
    how = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_384", "MessageType": "DIGEST"}
    for length in (1, 32, 47, 49, 64):
        said = refused("ValidationException", kms.sign, Message=bytes(length), **how)
        assert "Digest is invalid length for algorithm ECDSA_SHA_384" in said
    edwards = {"KeyId": key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"), "SigningAlgorithm": "ED25519_SHA_512"}
    refused("ValidationException", kms.sign, Message=bytes(64), MessageType="DIGEST", **edwards)


def test_what_is_not_here_is_said_to_be_unsupported(kms, key_of):
    refused("UnsupportedOperationException", kms.create_key, KeySpec="SM2", KeyUsage="SIGN_VERIFY")
    edwards = {"KeyId": key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"), "SigningAlgorithm": "ED25519_PH_SHA_512"}
    refused("UnsupportedOperationException", kms.sign, Message=bytes(64), MessageType="DIGEST", **edwards)
    for spec, usage in [("RSA_2048", "KEY_AGREEMENT"), ("ECC_SECG_P256K1", "KEY_AGREEMENT"), ("HMAC_256", "SIGN_VERIFY"), ("ML_DSA_44", "ENCRYPT_DECRYPT")]:
        refused("ValidationException", kms.create_key, KeySpec=spec, KeyUsage=usage)
