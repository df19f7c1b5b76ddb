"""`moho audit`: who did what, searched, explained and proven, and shown to nobody whom it does not concern."""

import base64
import csv
import hashlib
import io
import json
import subprocess

import pytest
from botocore.exceptions import ClientError

import journal
from kms_account import Keeper, allow, granting, keeper
from serving import binary

PROVEN_BY_RAW = "Never"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("audit")) as account:
        yield account


def run(account: Keeper, home, *arguments, session: dict | None = None) -> subprocess.CompletedProcess:
    given = account.moho.aws_environment(home, account.moho.credentials("Admin"))
    if session is not None:
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey", "AWS_SESSION_TOKEN": "SessionToken"}
        given |= {name: session[of] for name, of in names.items()}
    return subprocess.run([str(binary()), "audit", *arguments], env=given, capture_output=True, text=True, timeout=120, check=False)


def told(account: Keeper, home, *arguments, **more) -> list[dict]:
    found = run(account, home, *arguments, "--format", "json", **more)
    assert found.returncode == 0, found.stderr
    return [json.loads(line) for line in found.stdout.splitlines() if line]


def entries(account: Keeper, home, *arguments, **more) -> list[dict]:
    return [record["record"]["entry"] for record in told(account, home, *arguments, **more)]


@pytest.fixture(scope="module")
def denied(account) -> tuple[str, str, str]:
    """A request that a statement denies: its id, the role, the key."""
    key = account.key()
    role = account.caller_role(allow("kms:*"), allow("kms:Encrypt", effect="Deny", Sid=PROVEN_BY_RAW))
    with pytest.raises(ClientError) as refused:
        account.as_role(role).encrypt(KeyId=key, Plaintext=b"words")
    return refused.value.response["ResponseMetadata"]["RequestId"], role, key


def test_a_denial_is_explained_with_the_statement_that_decided(account, denied, tmp_path):
    request, role, key = denied
    found = run(account, tmp_path, "explain", request, "--proof")
    assert found.returncode == 0, found.stderr
    for part in (request, "DENIED kms:Encrypt", key, f"statement  {PROVEN_BY_RAW}", "explicit-deny/identity", "proven", "AccessDeniedException"):
        assert part in found.stdout, (part, found.stdout)
    assert '"position":' in found.stdout and role.rsplit("/", 1)[1] in found.stdout
    unknown = run(account, tmp_path, "explain", "00000000-0000-4000-8000-000000000000")
    assert unknown.returncode == 1 and "has nothing of request" in unknown.stderr


def test_records_are_found_by_principal_resource_action_outcome_and_time(account, denied, tmp_path):
    request, role, key = denied
    name = role.rsplit("/", 1)[1]
    by_who = entries(account, tmp_path, "search", "--principal", f"assumed-role/{name}/", "--outcome", "deny")
    assert {entry["request_id"] for entry in by_who} == {request}
    assert {entry["statement"] for entry in by_who} == {PROVEN_BY_RAW}
    on_key = entries(account, tmp_path, "search", "--resource", key)
    assert {"CreateKey", "Encrypt"} & {entry.get("event") for entry in on_key} and request in {entry["request_id"] for entry in on_key}
    calls = entries(account, tmp_path, "search", "--action", "createkey", "--outcome", "call")
    assert calls and {entry["event"] for entry in calls} == {"CreateKey"}
    assert entries(account, tmp_path, "search", "--resource", key, "--to", "1h") == []
    assert entries(account, tmp_path, "search", "--resource", key, "--from", "1h") == on_key
    limited = told(account, tmp_path, "search", "--limit", "3")
    assert len(limited) == 3
    wrong = run(account, tmp_path, "search", "--from", "yesterday")
    assert wrong.returncode == 2 and "is no time" in wrong.stderr


def test_every_answer_comes_with_a_proof_that_anybody_can_check(account, denied, tmp_path):
    """Checked here with SHA-256 alone, up to the checkpoint's root."""
    request, *_ = denied
    lines = {line for path in journal.files(account.moho.data) for line in path.read_text().splitlines()}
    records = told(account, tmp_path, "search", "--request", request, "--proof")
    assert len(records) >= 2
    for record in records:
        raw = json.dumps(record["record"], separators=(",", ":"), ensure_ascii=False)
        assert raw in lines
        proof = record["proof"]
        origin, size, root = proof["checkpoint"].splitlines()[:3]
        found, index, width = hashlib.sha256(b"\x00" + record["record"]["digest"].encode()).digest(), proof["index"], int(size)
        for neighbour in map(base64.b64decode, proof["hashes"]):
            while index % 2 == 0 and index == width - 1:
                index, width = index // 2, (width + 1) // 2
            pair = neighbour + found if index % 2 else found + neighbour
            found, index, width = hashlib.sha256(b"\x01" + pair).digest(), index // 2, (width + 1) // 2
        assert base64.b64encode(found).decode() == root and origin.startswith("moho/log/")
    other = run(account, tmp_path, "search", "--request", request, "--proof", "--key", "moho/log/00+b1946ac9+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert other.returncode != 0


def test_tables_and_csv(account, denied, tmp_path):
    request, *_ = denied
    table = run(account, tmp_path, "search", "--request", request)
    assert table.stdout.startswith(" POSITION") and "kms:Encrypt" in table.stdout and PROVEN_BY_RAW in table.stdout
    sheet = run(account, tmp_path, "search", "--request", request, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(sheet.stdout)))
    assert {row["request_id"] for row in rows} == {request} and {"deny", "call"} <= {row["outcome"] for row in rows}
    assert all(len(row["digest"]) == 64 for row in rows)


def test_the_tail_goes_on_with_what_comes(account, tmp_path):
    given = account.moho.aws_environment(tmp_path, account.moho.credentials("Admin"))
    command = [str(binary()), "audit", "tail", "--follow", "-n", "1", "--format", "json"]
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) as tail:
        try:
            assert json.loads(tail.stdout.readline())["record"]["sequence"] > 0
            request = account.kms.create_key()["ResponseMetadata"]["RequestId"]
            for line in tail.stdout:
                entry = json.loads(line)["record"]["entry"]
                if entry["request_id"] == request and entry.get("event") == "CreateKey":
                    break
            else:
                pytest.fail("the tail ended")
        finally:
            tail.kill()


def test_it_takes_leave_and_shows_others_only_what_concerns_them(account, denied, tmp_path):
    nobody = account.session(account.caller_role())
    found = run(account, tmp_path, "tail", session=nobody)
    assert found.returncode == 4 and "moho audit --help" in found.stderr
    auditor = account.session(account.caller_role(allow(["moho:ReadJournal", "bedrock-mantle:CallWithBearerToken"])))
    assert run(account, tmp_path, "tail", session=auditor).returncode == 0

    member = account.member()
    member.kms.create_key()
    seen = entries(member, tmp_path, "search", session=member.credentials)
    assert {entry.get("event") or entry["action"] for entry in seen} >= {"CreateKey", "kms:CreateKey"}
    for entry in seen:
        assert member.number in json.dumps(entry), entry
    assert entries(member, tmp_path, "search", "--request", denied[0], session=member.credentials) == []
    unseen = run(member, tmp_path, "explain", denied[0], session=member.credentials)
    assert unseen.returncode == 1 and "that you may see" in unseen.stderr
    # The management account sees what its members do.
    assert entries(account, tmp_path, "search", "--principal", member.number, "--action", "CreateKey")


def test_of_what_another_account_did_and_has_a_part_is_shown(account, tmp_path):
    """Each sees what concerns it: not who called it by name and whence, and not what another's policy says."""
    caller, owner = account.member(), account.member()
    key = owner.key(granting(f"arn:aws:iam::{caller.number}:root", "kms:DescribeKey"))
    told_of = caller.kms.describe_key(KeyId=key)["ResponseMetadata"]["RequestId"]
    owns, asks = (each.client(each.credentials, "s3") for each in (owner, caller))
    owns.create_bucket(Bucket="theirs-alone")
    denying = allow("s3:GetObject", effect="Deny", Sid="TheirsAlone", Principal="*", Resource="arn:aws:s3:::theirs-alone/*")
    owns.put_bucket_policy(Bucket="theirs-alone", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denying]}))
    with pytest.raises(ClientError, match="AccessDenied") as refused:
        asks.get_object(Bucket="theirs-alone", Key="k")
    denied = refused.value.response["ResponseMetadata"]["RequestId"]

    [own] = told(caller, tmp_path, "search", "--request", told_of, "--outcome", "call", "--proof", session=caller.credentials)
    [shown] = told(owner, tmp_path, "search", "--request", told_of, "--outcome", "call", "--proof", session=owner.credentials)
    assert "partial" not in own["record"] and shown["record"]["partial"]
    assert own["record"]["digest"] == shown["record"]["digest"] and own["record"]["entry"]["event_id"] != shown["record"]["entry"]["event_id"]
    assert shown["record"]["entry"]["identity"]["account"] == caller.number
    for hidden in (own["record"]["entry"]["identity"]["principal"], own["record"]["entry"]["identity"]["access_key_id"], "origin"):
        assert hidden in json.dumps(own["record"]) and hidden not in json.dumps(shown["record"])
    assert "digest proven" in run(owner, tmp_path, "search", "--request", told_of, "--proof", session=owner.credentials).stdout

    # A batch is answered although nothing of it was allowed, and the target of a copy is the caller's own.
    deleted = asks.delete_objects(Bucket="theirs-alone", Delete={"Objects": [{"Key": "k"}]})
    assert [error["Code"] for error in deleted["Errors"]] == ["AccessDenied"]
    asks.create_bucket(Bucket="of-the-caller-alone")
    with pytest.raises(ClientError, match="AccessDenied") as refused:
        asks.copy_object(Bucket="of-the-caller-alone", Key="k", CopySource={"Bucket": "theirs-alone", "Key": "k"})
    for request in (deleted["ResponseMetadata"]["RequestId"], refused.value.response["ResponseMetadata"]["RequestId"]):
        found = told(caller, tmp_path, "search", "--request", request, session=caller.credentials)
        assert len(found) > 1 and owner.number not in json.dumps(found)
        assert owner.number in json.dumps(told(owner, tmp_path, "search", "--request", request, session=owner.credentials))

    mine = json.dumps(told(caller, tmp_path, "search", "--request", denied, session=caller.credentials))
    assert "GetObject" in mine and "TheirsAlone" not in mine and owner.number not in mine and "explicit-deny" not in mine
    assert "TheirsAlone" in json.dumps(told(account, tmp_path, "search", "--request", denied)), "the management account sees it"
    assert "GetObject" in json.dumps(told(owner, tmp_path, "search", "--request", denied, session=owner.credentials))
