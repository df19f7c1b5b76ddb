"""Attested release: `Recipient` with documents of an issuer of the test's own, and openssl to open what comes back."""

import datetime
import json
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import journal
import openssl
from kms_account import allow, granting, keeper_with, outcome, refused
from nitro_issuer import Enclave, NitroIssuer
from serving import binary
from sts import document

ALGORITHM = "RSAES_OAEP_SHA_256"
IMAGE = (b"\x01" * 48).hex()
WORDS = b"a secret of the test's, for measured code only"


@pytest.fixture(scope="module")
def issuer():
    return NitroIssuer()


@pytest.fixture(scope="module")
def account(tmp_path_factory, issuer):
    folder = tmp_path_factory.mktemp("recipient")
    root = issuer.write_root(folder / "root.pem")
    with keeper_with(folder, ("--dev-nitro-root", root)) as account:
        yield account


@pytest.fixture(scope="module")
def enclave():
    return Enclave()


@pytest.fixture(scope="module")
def key(account):
    return account.key()


@pytest.fixture(scope="module")
def blob(account, key):
    return account.kms.encrypt(KeyId=key, Plaintext=WORDS)["CiphertextBlob"]


def to(document: bytes, algorithm=ALGORITHM) -> dict:
    return {"KeyEncryptionAlgorithm": algorithm, "AttestationDocument": document}


def condition(**values) -> dict:
    return {"Condition": {"StringEqualsIgnoreCase": {f"kms:RecipientAttestation:{name}": value for name, value in values.items()}}}


@pytest.mark.parametrize("kind", ["enclave", "instance"])
def test_decrypt_answers_to_the_key_in_the_document_alone(account, issuer, enclave, blob, kind):
    document = issuer.document(enclave.public_key, kind)
    answer = account.kms.decrypt(CiphertextBlob=blob, Recipient=to(document))
    assert "Plaintext" not in answer
    assert enclave.opens(answer["CiphertextForRecipient"]) == WORDS
    assert account.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == WORDS


def test_every_operation_that_gives_a_secret_away_gives_it_to_the_recipient(account, issuer, enclave, key):
    kms, recipient = account.kms, to(issuer.document(enclave.public_key))
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", Recipient=recipient)
    assert "Plaintext" not in made
    data_key = enclave.opens(made["CiphertextForRecipient"])
    assert len(data_key) == 32 and kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == data_key

    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256", Recipient=recipient)
    assert "PrivateKeyPlaintext" not in pair
    private = enclave.opens(pair["CiphertextForRecipient"])
    assert openssl.public_of(private) == pair["PublicKey"]

    random = kms.generate_random(NumberOfBytes=1024, Recipient=recipient)
    assert "Plaintext" not in random and len(enclave.opens(random["CiphertextForRecipient"])) == 1024

    agreeing = account.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    other = ec.generate_private_key(ec.SECP256R1())
    public = other.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    asked = {"KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
    derived = kms.derive_shared_secret(**asked, Recipient=recipient)
    assert "SharedSecret" not in derived
    assert enclave.opens(derived["CiphertextForRecipient"]) == kms.derive_shared_secret(**asked)["SharedSecret"]


@pytest.mark.parametrize("bits", [3072, 4096])
def test_longer_keys_are_recipients_too(account, issuer, blob, bits):
    enclave = Enclave(bits)
    answer = account.kms.decrypt(CiphertextBlob=blob, Recipient=to(issuer.document(enclave.public_key)))
    assert enclave.opens(answer["CiphertextForRecipient"]) == WORDS


def test_the_envelope_is_the_one_that_aws_makes(account, issuer, enclave, blob):
    """Version 2 in both places, a key identifier, OAEP with SHA-256: what AWS's SDK for enclaves insists on."""
    answer = account.kms.decrypt(CiphertextBlob=blob, Recipient=to(issuer.document(enclave.public_key)))
    with openssl.files(cms=answer["CiphertextForRecipient"]) as path:
        lines = openssl.run("asn1parse", "-inform", "DER", "-in", path["cms"]).decode().splitlines()
        said = openssl.run("cms", "-cmsout", "-print", "-inform", "DER", "-in", path["cms"]).decode()
    assert answer["CiphertextForRecipient"].startswith(bytes.fromhex("308006092a864886f70d010703a0803080020102"))
    assert "d.ktri" in said and said.count("version: 2") == 2 and "subjectKeyIdentifier" in said, said
    assert "rsaesOaep" in said and "aes-256-cbc" in said
    assert sum("l=inf" in line for line in lines) == 5, lines


def test_localstack_bad_document_returns_plaintext(account, issuer, enclave, blob, key):
    """Whatever is wrong with a document: an error that says what, and neither plaintext nor ciphertext."""
    good = issuer.document(enclave.public_key)
    foreign = NitroIssuer()
    old = NitroIssuer(issuer.now - datetime.timedelta(hours=12))
    old.root_key, old.zone_key, old.root = issuer.root_key, issuer.zone_key, issuer.root
    old.zone = issuer.zone
    old.leaf = old._certificate("test instance", old.zone, old.key, days=0)
    now = int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000)
    zero = bytes(48)
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    wrong_kind = point.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    short = rsa.generate_private_key(65537, 1024).public_key()
    short = short.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    wrong = {
        "trust-anchor": foreign.document(enclave.public_key),
        "validity": old.document(enclave.public_key),
        "signature of the document": good[:-1] + bytes([good[-1] ^ 1]),
        "behind its end": good + b"\0",
        "middle of an item": good[:-1],
        "debug": issuer.document(enclave.public_key, pcrs={0: zero, 1: zero, 2: zero}),
        "freshness": issuer.document(enclave.public_key, timestamp=now - 301_000),
        "PCR12 is 01": issuer.document(enclave.public_key, "instance", pcrs={12: b"\1" * 48}),
        "PCR13 is 01": issuer.document(enclave.public_key, "instance", pcrs={13: b"\1" * 48}),
        "PCR4 is zero": issuer.document(enclave.public_key, "instance", pcrs={4: zero}),
        "SHA384": issuer.document(enclave.public_key, digest="SHA256"),
        "no public_key": issuer.document(None),
        "no RSA key": issuer.document(wrong_kind),
        "no RSA key of 2048": issuer.document(short),
        "no field `cabundle`": issuer.document(enclave.public_key, cabundle="left out"),
        "no COSE_Sign1": b"\x80",
    }
    calls = [
        (account.kms.decrypt, {"CiphertextBlob": blob}),
        (account.kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (account.kms.generate_random, {"NumberOfBytes": 32}),
    ]
    for reason, document in wrong.items():
        for call, arguments in calls:
            said = refused("ValidationException", call, **arguments, Recipient=to(document))
            if reason == "SHA384":
                assert "algorithm" in said or "SHA-384" in said, said
            else:
                assert reason in said, (reason, said)


def test_a_recipient_names_its_algorithm_and_document(account, issuer, enclave, blob):
    document = issuer.document(enclave.public_key)
    for recipient in ({"AttestationDocument": document}, {"KeyEncryptionAlgorithm": ALGORITHM}, {}):
        refused("ValidationException", account.kms.decrypt, CiphertextBlob=blob, Recipient=recipient)
    refused("ValidationException", account.kms.decrypt, CiphertextBlob=blob, Recipient=to(document, "RSAES_OAEP_SHA_1"))


def test_policies_ask_what_was_measured(account, issuer, enclave):
    caller = account.caller_role()
    client = account.as_role(caller)
    enclave_key = account.key(
        granting(caller, "kms:Encrypt"), granting(caller, "kms:Decrypt", **condition(ImageSha384=IMAGE, PCR8=(b"\x09" * 48).hex()))
    )
    blob = client.encrypt(KeyId=enclave_key, Plaintext=WORDS)["CiphertextBlob"]
    document = issuer.document(enclave.public_key)
    answer = client.decrypt(CiphertextBlob=blob, Recipient=to(document))
    assert enclave.opens(answer["CiphertextForRecipient"]) == WORDS
    refused("AccessDeniedException", client.decrypt, CiphertextBlob=blob)
    for pcrs in ({0: b"\2" * 48}, {8: bytes(48)}):
        other = issuer.document(enclave.public_key, pcrs=pcrs)
        refused("AccessDeniedException", client.decrypt, CiphertextBlob=blob, Recipient=to(other))
    instance = issuer.document(enclave.public_key, "instance", pcrs={0: b"\1" * 48, 8: b"\x09" * 48})
    refused("AccessDeniedException", client.decrypt, CiphertextBlob=blob, Recipient=to(instance))

    boot = {f"NitroTPMPCR{index}": (bytes([index + 1]) * 48).hex() for index in (4, 7, 11)}
    instance_key = account.key(granting(caller, "kms:GenerateDataKey", **condition(**boot)))
    asked = {"KeyId": instance_key, "KeySpec": "AES_128"}
    document = issuer.document(enclave.public_key, "instance")
    made = client.generate_data_key(**asked, Recipient=to(document))
    assert len(enclave.opens(made["CiphertextForRecipient"])) == 16
    for index in (4, 7, 11):
        other = issuer.document(enclave.public_key, "instance", pcrs={index: b"\xff" * 48})
        assert outcome(client.generate_data_key, **asked, Recipient=to(other)) == "AccessDeniedException"
    assert outcome(client.generate_data_key, **asked, Recipient=to(issuer.document(enclave.public_key))) == "AccessDeniedException"


def test_a_key_held_to_measurements_is_for_nobody_else(account, issuer, enclave):
    """Whatever else its policy says: neither its administrators nor grants nor services get what it protects."""
    everything = granting(account.root, "kms:*")
    key = account.kms.create_key()["KeyMetadata"]["Arn"]
    blob = account.kms.encrypt(KeyId=key, Plaintext=WORDS)["CiphertextBlob"]
    assert account.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == WORDS
    held = document(everything, granting(account.root, "kms:Decrypt", **condition(ImageSha384=IMAGE)))
    account.kms.put_key_policy(KeyId=key, Policy=held)

    admin = account.kms
    measured = to(issuer.document(enclave.public_key))
    assert enclave.opens(admin.decrypt(CiphertextBlob=blob, Recipient=measured)["CiphertextForRecipient"]) == WORDS
    refused("AccessDeniedException", admin.decrypt, CiphertextBlob=blob)
    other = to(issuer.document(enclave.public_key, pcrs={0: b"\2" * 48}))
    refused("AccessDeniedException", admin.decrypt, CiphertextBlob=blob, Recipient=other)
    refused("AccessDeniedException", admin.generate_data_key, KeyId=key, KeySpec="AES_256")
    refused("AccessDeniedException", admin.generate_data_key, KeyId=key, KeySpec="AES_256", Recipient=measured)
    free = account.key()
    refused("AccessDeniedException", admin.re_encrypt, CiphertextBlob=blob, DestinationKeyId=free)

    role = account.caller_role()
    admin.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt", "Encrypt"])
    grantee = account.as_role(role)
    refused("AccessDeniedException", grantee.decrypt, CiphertextBlob=blob)
    refused("AccessDeniedException", grantee.decrypt, CiphertextBlob=blob, Recipient=measured)
    assert grantee.encrypt(KeyId=key, Plaintext=WORDS)["CiphertextBlob"]

    logs = account.client(service="logs")
    assert outcome(logs.create_log_group, logGroupName="/held", kmsKeyId=key) != "ok"

    account.kms.put_key_policy(KeyId=key, Policy=document(everything))
    assert admin.decrypt(CiphertextBlob=blob)["Plaintext"] == WORDS


def test_random_bytes_can_be_for_measured_code_only(account, issuer, enclave):
    client = account.caller(allow("kms:GenerateRandom", **condition(PCR1=(b"\2" * 48).hex())))
    document = issuer.document(enclave.public_key)
    assert client.generate_random(NumberOfBytes=8, Recipient=to(document))["CiphertextForRecipient"]
    assert outcome(client.generate_random, NumberOfBytes=8) == "AccessDeniedException"


def test_a_try_releases_nothing_and_says_so(account, issuer, enclave, blob):
    document = issuer.document(enclave.public_key)
    told = refused("DryRunOperationException", account.kms.decrypt, CiphertextBlob=blob, Recipient=to(document), DryRun=True)
    assert told


def test_the_command_line_of_aws_works_unchanged(account, issuer, enclave, blob, tmp_path):
    """The one that takes a document from a file (`@=`); version 2 takes it in base64, too."""
    (tmp_path / "c").write_bytes(blob)
    (tmp_path / "d").write_bytes(issuer.document(enclave.public_key))
    done = subprocess.run(
        ["aws", "kms", "decrypt", "--recipient", f"KeyEncryptionAlgorithm={ALGORITHM},AttestationDocument@=fileb://{tmp_path / 'd'}"]
        + ["--ciphertext-blob", f"fileb://{tmp_path / 'c'}", "--output", "json"],
        env=account.moho.aws_environment(tmp_path, account.moho.credentials()),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert not answer.get("Plaintext")
    (tmp_path / "cms").write_text(answer["CiphertextForRecipient"])
    cms = subprocess.run(["base64", "-d", tmp_path / "cms"], capture_output=True, check=True).stdout
    assert enclave.opens(cms) == WORDS


def test_what_was_attested_is_told(account, issuer, enclave, blob):
    """CloudTrail's `additionalEventData.recipient`, of releases and of refusals that come after."""
    account.kms.decrypt(CiphertextBlob=blob, Recipient=to(issuer.document(enclave.public_key, "instance")))
    trail = account.client(service="cloudtrail")
    found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}])["Events"]
    recipient = json.loads(found[0]["CloudTrailEvent"])["additionalEventData"]["recipient"]
    assert recipient == {
        "attestationDocumentModuleId": "i-0123456789abcdef0-tpm0000000000000000",
        **{f"attestationDocumentNitroTPMPCR{index}": (bytes([index + 1]) * 48).hex() for index in (0, 4, 7, 11)},
    }
    account.kms.decrypt(CiphertextBlob=blob, Recipient=to(issuer.document(enclave.public_key)))
    found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}])["Events"]
    recipient = json.loads(found[0]["CloudTrailEvent"])["additionalEventData"]["recipient"]
    assert recipient["attestationDocumentEnclaveImageDigest"] == IMAGE
    assert set(recipient) == {"attestationDocumentModuleId", "attestationDocumentEnclaveImageDigest"} | {
        f"attestationDocumentEnclavePCR{index}" for index in (1, 2, 8)
    }


def test_a_tests_root_is_said_loudly_and_taken_on_loopback_only(account, tmp_path):
    assert "attestation documents of a test are taken instead of AWS's" in account.moho.log_text()
    done = subprocess.run(
        [binary(), "serve", "--data", tmp_path / "data", "--listen", "0.0.0.0:0", "--dev-nitro-root", tmp_path / "root.pem"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0 and "loopback" in done.stderr
    done = subprocess.run(
        [binary(), "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--dev-nitro-root", tmp_path / "root.pem"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0 and "root.pem" in done.stderr


def test_without_a_tests_root_only_aws_is_believed(tmp_path, issuer, enclave):
    with keeper_with(tmp_path, ()) as account:
        document = issuer.document(enclave.public_key)
        said = refused("ValidationException", account.kms.generate_random, NumberOfBytes=8, Recipient=to(document))
        assert "trust-anchor" in said


def test_the_journal_has_no_document(account):
    for event in journal.events(account.moho.data, "call"):
        assert "AttestationDocument" not in json.dumps(event)
