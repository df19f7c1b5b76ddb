"""`moho verify evidence`: accepted, refused with the reason, or asked wrongly; on evidence of tests and of publishers."""

import datetime
import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from nitro_issuer import Enclave, NitroIssuer
from serving import binary

NONCE = b"a nonce of whoever asks, 32 bytes"
ONE, TWO, THREE = ((bytes([n]) * 48).hex() for n in (1, 2, 3))


@pytest.fixture(scope="module")
def issuer():
    return NitroIssuer()


def verify(*arguments, kind="nitro", told=True) -> tuple[int, dict | str]:
    done = subprocess.run(
        [binary(), "verify", "evidence", "--kind", kind, *arguments, *(["--json"] if told else [])],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )
    return done.returncode, json.loads(done.stdout) if told and done.stdout else done.stdout + done.stderr


def written(folder: Path, name: str, content) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def policy(issuer, kind="nitro", **other) -> dict:
    reference = {"pcr0": ONE, "pcr1": TWO, "pcr2": THREE} if kind == "nitro" else {f"pcr{n}": (bytes([n + 1]) * 48).hex() for n in (4, 7, 11)}
    anchors = issuer.root.public_bytes(serialization.Encoding.PEM).decode()
    return {"kind": kind, "nonce": NONCE.hex(), "reference": [reference], "trust_anchors": anchors} | other


@pytest.mark.parametrize("kind", ["nitro", "nitrotpm"])
def test_evidence_is_accepted_by_the_policy_that_names_it(issuer, tmp_path, kind):
    document = issuer.document(Enclave().public_key, {"nitro": "enclave"}.get(kind, "instance"), nonce=NONCE)
    file = written(tmp_path, "document", document)
    code, told = verify(file, "--policy", written(tmp_path, "policy", policy(issuer, kind)), kind=kind)
    assert (code, told["accepted"], told["appraised"]) == (0, True, True), told
    assert told["claims"]["nonce"] == NONCE.hex()
    assert told["claims"]["workload"] == ("image" if kind == "nitro" else "unmeasured")
    code, said = verify(file, "--policy", written(tmp_path, "policy", policy(issuer, kind)), kind=kind, told=False)
    assert code == 0 and said.startswith(f"accepted: evidence of kind {kind}, as the policy asks for")


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"nonce": "00"}, "nonce"),
        ({"reference": [{"pcr0": TWO, "pcr1": TWO, "pcr2": THREE}]}, "measurement"),
        ({"trust_anchors": None}, "trust-anchor"),
    ],
)
def test_evidence_is_refused_with_the_check_that_failed(issuer, tmp_path, changed, check):
    file = written(tmp_path, "document", issuer.document(None, nonce=NONCE))
    code, told = verify(file, "--policy", written(tmp_path, "policy", policy(issuer, **changed)))
    assert (code, told["accepted"], told["refusal"]["check"]) == (1, False, check), told
    code, said = verify(file, "--policy", written(tmp_path, "policy", policy(issuer, **changed)), told=False)
    assert code == 1 and f"the {check} of the" in said, said


def test_old_evidence_is_refused_and_accepted_as_of_its_time(issuer, tmp_path):
    made = issuer.now + datetime.timedelta(minutes=5)
    file = written(tmp_path, "document", issuer.document(None, timestamp=int(made.timestamp() * 1000)))
    fresh = policy(issuer, max_age_seconds=60)
    del fresh["nonce"]
    fresh = written(tmp_path, "policy", fresh)
    at = lambda seconds: (made + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert verify(file, "--policy", fresh, "--time", at(30))[0] == 0
    code, told = verify(file, "--policy", fresh, "--time", at(90))
    assert (code, told["refusal"]["check"]) == (1, "freshness")
    code, told = verify(file, "--policy", fresh, "--time", at(86400))
    assert (code, told["refusal"]["check"], told["refusal"]["part"]) == (1, "validity", "leaf-certificate")


def test_what_is_asked_wrongly_is_said(issuer, tmp_path):
    file = written(tmp_path, "document", issuer.document(None))
    for arguments, reason in [
        ([str(tmp_path / "absent")], "cannot read"),
        ([file, "--policy", str(tmp_path / "absent")], "cannot read"),
        ([file, "--policy", written(tmp_path, "other", policy(issuer, "nitrotpm"))], "is a policy for nitrotpm"),
        ([file, "--policy", written(tmp_path, "open", policy(issuer, accept_all=True))], "accept_all"),
        ([file, "--policy", written(tmp_path, "none", policy(issuer, reference=[]))], "reference"),
        ([file, "--time", "yesterday"], "YYYY-MM-DD"),
        ([], "FILE"),
    ]:
        code, said = verify(*arguments, told=False)
        assert code == 2 and reason in said, (arguments, code, said)
    done = subprocess.run([binary(), "verify", "evidence", "--kind", "any", file], capture_output=True, text=True)
    assert done.returncode == 2 and "nitrotpm" in done.stderr


def published(name: str) -> str:
    for folder in [os.environ.get("MOHO_ATTEST_VECTORS"), Path(__file__).parents[2] / "../shared/data/attest"]:
        for path in Path(folder or "absent").rglob(name):
            return str(path)
    pytest.skip(f"{name} is not in the folder of MOHO_ATTEST_VECTORS")


@pytest.mark.parametrize(
    ("name", "kind", "time"),
    [
        ("nitro_attest-0.2.0.cose", "nitro", "2025-01-06T16:07:05Z"),
        ("evervault-valid.cose", "nitro", "2022-10-13T08:58:02Z"),
        ("vaportpm-nitrotpm.cose", "nitrotpm", "2026-02-03T10:12:02Z"),
    ],
)
def test_real_documents_of_publishers_are_genuine_at_their_own_time(name, kind, time):
    file = published(name)
    code, told = verify(file, "--time", time, kind=kind)
    assert (code, told["accepted"], told["appraised"]) == (0, True, False), told
    code, said = verify(file, "--time", time, kind=kind, told=False)
    assert "No policy was given: nothing is said of what runs" in said
    code, told = verify(file, kind=kind)
    assert (code, told["refusal"]["check"]) == (1, "validity"), told
    other = {"nitro": "nitrotpm", "nitrotpm": "nitro"}[kind]
    code, told = verify(file, "--time", time, kind=other)
    assert (code, told["refusal"]["check"]) == (1, "kind"), told


@pytest.mark.parametrize(("name", "time"), [("evervault-debug.cose", "2022-10-12T13:50:06Z")])
def test_real_documents_of_enclaves_in_debug_mode_are_refused(name, time):
    code, told = verify(published(name), "--time", time)
    assert (code, told["refusal"]["check"]) == (1, "mode"), told
