"""What a server says of its keys: to everybody who asks with a nonce, and with a simulated TPM's quote that tpm2-tools verify."""

import base64
import datetime
import hashlib
import json
import os
import socket
import ssl
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PATH = "/.well-known/moho/attestation"
# What quotes are over: all registers of the boot but 10.
REGISTERS = [str(index) for index in range(16) if index != 10]


def binding(nonce: bytes, key_set: bytes) -> bytes:
    """As docs/attestation.md has it."""
    fields = [b"moho/attestation/statement/1", b"session", nonce, hashlib.sha256(key_set).digest()]
    return hashlib.sha256(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()


def asked(server, nonce: bytes) -> dict:
    # Without any credentials.
    with server.http() as http:
        answer = http.get(PATH, params={"nonce": nonce.hex()})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def key_set_of(answer: dict) -> tuple[bytes, dict]:
    key_set = base64.b64decode(answer["key_set"], validate=True)
    return key_set, json.loads(key_set)


def shown_key(server) -> bytes:
    """The SubjectPublicKeyInfo of the certificate that a client sees."""
    with socket.create_connection(("127.0.0.1", server.port)) as plain, server.trust.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
    return certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_without_a_tpm_the_answer_says_development_and_brings_no_evidence(make_moho):
    server = make_moho(models={}).start()
    nonce = os.urandom(32)
    answer = asked(server, nonce)
    assert set(answer) == {"version", "kind", "purpose", "nonce", "key_set"}
    assert (answer["version"], answer["kind"], answer["purpose"], answer["nonce"]) == (1, "development", "session", nonce.hex())
    _, keys = key_set_of(answer)
    assert keys["tls_spki_sha256"] == hashlib.sha256(shown_key(server)).hexdigest()
    assert (keys["hpke_kem"], len(base64.b64decode(keys["hpke_key"]))) == ("X-Wing", 1216)
    receipt = base64.b64decode(keys["receipt_key"])
    assert keys["receipt_algorithm"] == "ES384"
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), receipt)
    left = datetime.datetime.fromisoformat(keys["not_after"]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=11) < left <= datetime.timedelta(hours=24, minutes=1)
    # The same keys for the next one who asks, and others after the next start: they are nowhere but in the process.
    assert asked(server, os.urandom(32))["key_set"] == answer["key_set"]
    assert server.stop() == 0
    _, others = key_set_of(asked(server.start(), nonce))
    assert others["tls_spki_sha256"] == keys["tls_spki_sha256"]
    assert others["hpke_key"] != keys["hpke_key"] and others["receipt_key"] != keys["receipt_key"]
    server.assert_unharmed()


@pytest.mark.parametrize(
    "query",
    ["", "nonce=", "nonce=00", f"nonce={'0' * 63}", f"nonce={'0' * 65}", f"nonce={'A' * 64}", f"nonce={'g' * 64}", f"x=1&nonce={'0' * 64}", f"nonce={'0' * 64}&x=1", "%00" * 64],
)
def test_who_asks_wrongly_is_told_how_to_ask(moho, query):
    with moho.http() as http:
        answer = http.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert "64 digits of lower-case hexadecimal" in answer.json()["error"]


def test_no_other_method_and_no_body_is_taken(moho):
    with moho.http() as http:
        assert http.head(PATH, params={"nonce": "0" * 64}).status_code == 200
        assert http.post(PATH, params={"nonce": "0" * 64}).status_code in (401, 403, 404)
        assert http.request("GET", PATH, params={"nonce": "0" * 64}, content=b"x" * 100_000).status_code in (400, 413)
        assert http.get(PATH + "/more").status_code in (401, 403, 404)


class Simulator:
    """A TPM that proves nothing, with an endorsement certificate of its own issuer."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "ca").mkdir()
        (folder / "localca.conf").write_text(
            f"statedir = {folder}/ca\nsigningkey = {folder}/ca/key.pem\nissuercert = {folder}/ca/ca.pem\ncertserial = {folder}/ca/serial\n"
        )
        (folder / "options").write_text("--platform-manufacturer test\n--platform-version 1\n--platform-model test\n")
        (folder / "setup.conf").write_text(
            "create_certs_tool = /usr/bin/swtpm_localca\n"
            f"create_certs_tool_config = {folder}/localca.conf\ncreate_certs_tool_options = {folder}/options\n"
        )
        setup = ["swtpm_setup", "--tpm2", "--create-ek-cert", "--pcr-banks", "sha256,sha384", "--overwrite"]
        subprocess.run([*setup, "--tpmstate", folder, "--config", folder / "setup.conf"], check=True, capture_output=True, timeout=120)
        self.socket = folder / "socket"
        served = ["swtpm", "socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate", f"dir={folder}"]
        # A server that stops leaves its connection, and the simulator goes on for the next.
        self.process = subprocess.Popen(
            [*served, "--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={folder}/control"]
        )
        deadline = time.monotonic() + 60
        while not self.listens():
            assert self.process.poll() is None and time.monotonic() < deadline, "swtpm listens"

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as trying:
            return trying.connect_ex(str(self.socket)) == 0

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def simulator(tmp_path):
    folder = tmp_path / "tpm"
    folder.mkdir()
    made = Simulator(folder)
    yield made
    made.end()




def verified_by_tpm2_tools(folder, evidence: dict, repeated: bytes) -> bool:
    public = base64.b64decode(evidence["attestation_key"])
    (folder / "ak.pub").write_bytes(len(public).to_bytes(2, "big") + public)
    for name in ("quote", "signature"):
        (folder / name).write_bytes(base64.b64decode(evidence[name]))
    around = os.environ | {"TPM2TOOLS_TCTI": "none"}
    pem = subprocess.run(["tpm2_print", "-t", "TPM2B_PUBLIC", "-f", "pem", folder / "ak.pub"], check=True, capture_output=True, env=around)
    (folder / "ak.pem").write_bytes(pem.stdout)
    check = ["tpm2_checkquote", "-u", folder / "ak.pem", "-m", folder / "quote", "-s", folder / "signature", "-g", "sha256", "-q", repeated.hex()]
    return subprocess.run(check, capture_output=True, env=around, check=False).returncode == 0


def test_a_tpm_quotes_the_statement_over_the_keys_that_are_shown(make_moho, simulator):
    server = make_moho(models={}, arguments=("--tpm", str(simulator.socket))).start()
    assert "is a simulator" in server.log_text()
    nonce = os.urandom(32)
    answer = asked(server, nonce)
    assert answer["kind"] == "tpm"
    key_set, keys = key_set_of(answer)
    assert keys["tls_spki_sha256"] == hashlib.sha256(shown_key(server)).hexdigest()
    evidence = answer["evidence"]
    repeated = binding(nonce, key_set)
    assert verified_by_tpm2_tools(simulator.folder, evidence, repeated)
    assert not verified_by_tpm2_tools(simulator.folder, evidence, binding(os.urandom(32), key_set)), "another nonce"
    assert not verified_by_tpm2_tools(simulator.folder, evidence, binding(nonce, key_set + b" ")), "other keys"
    assert evidence["pcrs"]["bank"] == "sha384"
    assert sorted(evidence["pcrs"]["values"], key=int) == REGISTERS
    # The quote ends with the digest, by the signing key's hash, of all values.
    values = b"".join(bytes.fromhex(evidence["pcrs"]["values"][index]) for index in REGISTERS)
    assert base64.b64decode(evidence["quote"]).endswith(hashlib.sha256(values).digest())
    x509.load_der_x509_certificate(base64.b64decode(evidence["ek_certificate"]))
    # Nobody but the reader decides whether that is worth anything: the server goes on saying what it is.
    with server.http() as http:
        assert http.get("/healthz").json()["attestation"] == "development"
    server.assert_unharmed()


def test_many_who_ask_at_once_are_answered_or_asked_to_come_again(make_moho, simulator):
    server = make_moho(models={}, arguments=("--tpm", str(simulator.socket))).start()
    context = ssl.create_default_context(cafile=server.authority)
    connections = []
    nonces = [os.urandom(32) for _ in range(60)]
    for nonce in nonces:
        connection = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="127.0.0.1")
        connection.sendall(f"GET {PATH}?nonce={nonce.hex()} HTTP/1.1\r\nhost: moho\r\nconnection: close\r\n\r\n".encode())
        connections.append(connection)
    statuses = []
    for nonce, connection in zip(nonces, connections, strict=True):
        with connection:
            said = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = said.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        statuses.append(status)
        if status == 200:
            assert json.loads(body)["nonce"] == nonce.hex()
        else:
            assert status == 503 and b"retry-after: 1" in head
    assert 200 in statuses
    assert asked(server, os.urandom(32))["kind"] == "tpm"
    server.assert_unharmed()


def test_a_tpm_that_goes_away_is_no_evidence_and_nothing_else(make_moho, simulator):
    server = make_moho(models={}, arguments=("--tpm", str(simulator.socket))).start()
    simulator.end()
    with server.http() as http:
        for _ in range(5):
            answer = http.get(PATH, params={"nonce": "0" * 64})
            assert answer.status_code == 503 and set(answer.json()) == {"error"}
        assert http.get("/healthz").status_code == 200
    assert server.log_text().count("the TPM vouches for nothing any more") == 1, "strangers do not fill the log"
    server.assert_unharmed()


def test_a_tpm_that_is_not_there_is_said_at_the_start(make_moho, tmp_path):
    server = make_moho(models={}, arguments=("--tpm", str(tmp_path / "absent")))
    assert server.spawn().wait(60) != 0
    assert "cannot be reached" in server.log_text() and "absent" in server.log_text()
