"""The AWS Encryption SDK and the AWS CLI, as their users use them: nothing but an endpoint and an authority is set."""

import base64
import json
import subprocess
from collections import Counter

import aws_encryption_sdk
import journal
import pytest
from aws_encryption_sdk import Algorithm, CommitmentPolicy
from aws_encryption_sdk.caches.local import LocalCryptoMaterialsCache
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError, DecryptKeyError
from aws_encryption_sdk.key_providers.kms import DiscoveryFilter
from cryptography.exceptions import InvalidSignature, InvalidTag
from kms_account import granting, keeper, named, refused
from serving import Credentials

CONTEXT = {"purpose": "test", "tenant": "blue"}
SECRET = b"what only its readers know " * 100


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("sdk")) as account:
        yield account


@pytest.fixture
def become(account, monkeypatch, tmp_path):
    """Sets the environment as `moho credentials` prints it, for a role's session or for the administrator."""

    def use(session: dict | None = None) -> None:
        admin = account.moho.credentials("Admin")
        credentials = Credentials.of_sts(session, account.region) if session else admin
        for name, value in account.moho.aws_environment(tmp_path, credentials).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)

    use()
    return use


@pytest.fixture(scope="module")
def client():
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def keys(*arns: str):
    return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=list(arns))


def used(account, *actions: str) -> Counter:
    """How often each action was allowed so far."""
    entries = journal.verified_entries(account.moho.data)
    return Counter(entry["action"] for entry in entries if entry["outcome"] == "allow" and entry["action"] in actions)


def test_a_message_goes_round_with_commitment(account, become, client):
    key = account.key()
    sealed, header = client.encrypt(source=SECRET, key_provider=keys(key), encryption_context=CONTEXT)
    assert header.algorithm is Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
    assert SECRET[:26] not in sealed
    opened, header = client.decrypt(source=sealed, key_provider=keys(key))
    assert opened == SECRET
    assert CONTEXT.items() <= header.encryption_context.items()
    [data_key] = header.encrypted_data_keys
    assert data_key.key_provider.key_info == key.encode()
    # What the SDK keeps in its header is a ciphertext under the message's own context.
    direct = {"CiphertextBlob": data_key.encrypted_data_key, "EncryptionContext": header.encryption_context}
    assert len(account.kms.decrypt(**direct)["Plaintext"]) == 32
    refused("InvalidCiphertextException", account.kms.decrypt, **(direct | {"EncryptionContext": CONTEXT}))


@pytest.mark.parametrize("algorithm", ["AES_256_GCM_HKDF_SHA512_COMMIT_KEY", "AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384"])
def test_long_messages_are_streamed(account, become, client, algorithm):
    key, source = account.key(), SECRET * 100
    with client.stream(mode="e", source=source, key_provider=keys(key), algorithm=Algorithm[algorithm], frame_length=4096) as encryptor:
        sealed = b"".join(encryptor)
    with client.stream(mode="d", source=sealed, key_provider=keys(key)) as decryptor:
        assert b"".join(decryptor) == source


def test_another_context_or_a_changed_message_does_not_open(account, become, client):
    key = account.key()
    sealed, _ = client.encrypt(source=SECRET, key_provider=keys(key), encryption_context=CONTEXT)
    renamed = sealed.replace(b"blue", b"teal")
    assert renamed != sealed
    with pytest.raises(DecryptKeyError):
        client.decrypt(source=renamed, key_provider=keys(key))
    for at in (len(sealed) - 1, len(sealed) // 2):
        with pytest.raises((AWSEncryptionSDKClientError, InvalidSignature, InvalidTag)):
            client.decrypt(source=sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], key_provider=keys(key))
    with pytest.raises(AWSEncryptionSDKClientError):
        client.decrypt(source=sealed, key_provider=keys(account.key()))


def test_either_of_two_keys_opens_and_discovery_finds_them(account, become, client):
    one, two = account.key(), account.key()
    sealed, header = client.encrypt(source=SECRET, key_provider=keys(one, two), encryption_context=CONTEXT)
    assert len(header.encrypted_data_keys) == 2
    account.kms.disable_key(KeyId=one)
    with pytest.raises(DecryptKeyError):
        client.decrypt(source=sealed, key_provider=keys(one))
    assert client.decrypt(source=sealed, key_provider=keys(two))[0] == SECRET
    here = aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider(discovery_filter=DiscoveryFilter(account_ids=[account.number], partition="aws"))
    assert client.decrypt(source=sealed, key_provider=here)[0] == SECRET
    away = aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider(discovery_filter=DiscoveryFilter(account_ids=["999999999999"], partition="aws"))
    with pytest.raises(AWSEncryptionSDKClientError):
        client.decrypt(source=sealed, key_provider=away)
    alias = account.alias_arn(account.alias(two))
    sealed, _ = client.encrypt(source=SECRET, key_provider=keys(alias))
    assert client.decrypt(source=sealed, key_provider=keys(two))[0] == SECRET


def test_who_may_encrypt_may_not_therefore_decrypt(account, become, client):
    role = account.caller_role()
    key = account.key(granting(account.root, "kms:*"), granting(role, ["kms:GenerateDataKey", "kms:Encrypt"]))
    become(account.session(role))
    sealed, _ = client.encrypt(source=SECRET, key_provider=keys(key))
    with pytest.raises(DecryptKeyError):
        client.decrypt(source=sealed, key_provider=keys(key))
    become()
    assert client.decrypt(source=sealed, key_provider=keys(key))[0] == SECRET
    become(account.session(account.caller_role()))
    with pytest.raises(AWSEncryptionSDKClientError):
        client.encrypt(source=SECRET, key_provider=keys(key))


def test_cached_materials_ask_for_one_data_key(account, become, client):
    actions = ("kms:GenerateDataKey", "kms:Decrypt")
    before = used(account, *actions)

    def manager():
        return aws_encryption_sdk.CachingCryptoMaterialsManager(
            master_key_provider=provider, cache=LocalCryptoMaterialsCache(10), max_age=600.0, max_messages_encrypted=10
        )

    provider = keys(account.key())
    encrypting, decrypting = manager(), manager()
    sealed = [client.encrypt(source=SECRET, materials_manager=encrypting, encryption_context=CONTEXT)[0] for _ in range(10)]
    assert {client.decrypt(source=one, materials_manager=decrypting)[0] for one in sealed} == {SECRET}
    assert used(account, *actions) - before == Counter(dict.fromkeys(actions, 1))
    sealed.append(client.encrypt(source=SECRET, materials_manager=encrypting, encryption_context=CONTEXT)[0])
    assert used(account, *actions)["kms:GenerateDataKey"] == before["kms:GenerateDataKey"] + 2


@pytest.fixture
def aws(account, tmp_path):
    """Runs `aws kms …` as the administrator; what it printed, or what it complained of."""

    def run(*arguments: str, fails: str | None = None):
        environment = account.moho.aws_environment(tmp_path, account.moho.credentials("Admin"))
        command = ["aws", "kms", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        if fails:
            assert f"An error occurred ({fails})" in done.stderr
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def test_the_cli_makes_and_names_and_ends_keys(account, aws, tmp_path):
    key = aws("create-key", "--description", "of the CLI", "--tags", "TagKey=team,TagValue=blue")["KeyMetadata"]["KeyId"]
    alias = named("alias/cli")
    aws("create-alias", "--alias-name", alias, "--target-key-id", key)
    assert aws("describe-key", "--key-id", alias)["KeyMetadata"]["Description"] == "of the CLI"
    assert key in {one["KeyId"] for one in aws("list-keys", "--page-size", "2")["Keys"]}
    (tmp_path / "policy.json").write_text(account.key_policy(granting(account.root, "kms:*")))
    aws("put-key-policy", "--key-id", key, "--policy-name", "default", "--policy", "file://policy.json")
    grant = ["create-grant", "--key-id", key, "--grantee-principal", account.root, "--operations", "Decrypt", "Encrypt"]
    made = aws(*grant, "--constraints", "EncryptionContextSubset={purpose=test}")
    [listed] = aws("list-grants", "--key-id", key)["Grants"]
    assert (listed["GrantId"], listed["Constraints"]) == (made["GrantId"], {"EncryptionContextSubset": {"purpose": "test"}})
    assert aws("schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")["KeyState"] == "PendingDeletion"
    aws("encrypt", "--key-id", alias, "--plaintext", base64.b64encode(b"x").decode(), fails="KMSInvalidStateException")


def test_the_cli_seals_and_opens(account, aws, tmp_path):
    key = account.key()
    (tmp_path / "plain").write_bytes(SECRET)
    context = ["--encryption-context", "purpose=test,tenant=blue"]
    sealed = aws("encrypt", "--key-id", key, "--plaintext", "fileb://plain", *context)
    (tmp_path / "sealed").write_bytes(decoded(sealed["CiphertextBlob"]))
    opened = aws("decrypt", "--ciphertext-blob", "fileb://sealed", *context)
    assert (decoded(opened["Plaintext"]), opened["KeyId"]) == (SECRET, key)
    aws("decrypt", "--ciphertext-blob", "fileb://sealed", fails="InvalidCiphertextException")
    moved = aws("re-encrypt", "--ciphertext-blob", "fileb://sealed", "--source-encryption-context", context[1], "--destination-key-id", key)
    assert account.kms.decrypt(CiphertextBlob=decoded(moved["CiphertextBlob"]))["Plaintext"] == SECRET
    made = aws("generate-data-key", "--key-id", key, "--key-spec", "AES_256", *context)
    found = account.kms.decrypt(CiphertextBlob=decoded(made["CiphertextBlob"]), EncryptionContext=CONTEXT)
    assert found["Plaintext"] == decoded(made["Plaintext"]) and len(found["Plaintext"]) == 32
    assert len(decoded(aws("generate-random", "--number-of-bytes", "24")["Plaintext"])) == 24


def test_the_cli_signs_and_openssl_agrees(account, aws, tmp_path):
    key = account.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    (tmp_path / "message").write_bytes(SECRET)
    signing = ["--key-id", key, "--message", "fileb://message", "--signing-algorithm", "ECDSA_SHA_256"]
    (tmp_path / "signature").write_bytes(decoded(aws("sign", *signing)["Signature"]))
    (tmp_path / "public.der").write_bytes(decoded(aws("get-public-key", "--key-id", key)["PublicKey"]))
    verify = ["openssl", "dgst", "-sha256", "-verify", "public.der", "-keyform", "DER", "-signature", "signature", "message"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, timeout=60, check=False).stdout == b"Verified OK\n"
    assert aws("verify", *signing, "--signature", "fileb://signature")["SignatureValid"] is True
    (tmp_path / "message").write_bytes(b"another")
    aws("verify", *signing, "--signature", "fileb://signature", fails="KMSInvalidSignatureException")
