"""`moho backup` and `moho restore`: beside a server that writes, whole or not at all, and an earlier state by consent only."""

import json
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import pytest
from botocore.exceptions import ClientError

import journal
from serving import binary

MARKER = "marzipan-quokka-7731"
SIZES = (10, 70_000, 3_000_000)


def moho(*arguments, stdin=subprocess.DEVNULL, **around) -> subprocess.CompletedProcess:
    command = [str(binary()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=stdin, check=False, **around)


def backup(server, folder: Path, *arguments) -> subprocess.CompletedProcess:
    return moho("backup", folder, "--data", server.data, *arguments)


def restore(server, folder: Path, *arguments) -> subprocess.CompletedProcess:
    return moho("restore", folder, "--data", server.data, *arguments)


def bytes_of(key: str, size: int) -> bytes:
    return (f"{MARKER} {key} ".encode() * (size // 20 + 1))[:size]


def put(server, keys, bucket="backed-up"):
    client = server.boto3("s3", "Admin")
    for key in keys:
        for size in SIZES:
            client.put_object(Bucket=bucket, Key=f"{key}-{size}", Body=bytes_of(key, size), Metadata={"what": MARKER})


def objects(server, bucket="backed-up") -> dict[str, bytes]:
    client = server.boto3("s3", "Admin")
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {one["Key"]: client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}


@pytest.fixture
def house(make_moho):
    server = make_moho().start()
    server.boto3("s3", "Admin").create_bucket(Bucket="backed-up")
    put(server, ["first", "second"])
    return server


def test_a_backup_beside_a_server_under_load_comes_back_once_a_customer_accepts(house, tmp_path):
    folder = tmp_path / "backups"
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            put(house, [f"load-{number}"])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = backup(house, folder)
        assert made.returncode == 0, made.stderr
        again = backup(house, folder)
        assert again.returncode == 0, again.stderr
    finally:
        stop.set()
        writer.join()
    backups = sorted(path for path in folder.iterdir() if (path / "manifest").exists())
    assert len(backups) == 2
    assert backup(house, folder, "--verify").returncode == 0

    put(house, ["too-late"])
    house.kill()
    refused = restore(house, backups[0])
    assert refused.returncode == 4 and "--accept-rollback" in refused.stderr
    assert "ROLLBACK" in refused.stdout
    assert restore(house, backups[0], "--accept-rollback").returncode == 3, "there is a store already"
    done = restore(house, backups[0], "--accept-rollback", "--replace")
    assert done.returncode == 0, done.stderr
    assert any(path.name.startswith("store.before-") for path in house.data.iterdir())

    house.start()
    house._credentials.clear()
    assert "RESTORED" in house.log_text()
    with house.http() as http:
        ready = http.get("/readyz")
    assert ready.status_code == 503 and ready.json()["checks"]["restored"] == "unaccepted"
    s3 = house.boto3("s3", "Admin")
    with pytest.raises(ClientError) as error:
        s3.list_objects_v2(Bucket="backed-up")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    with pytest.raises(ClientError) as error:
        house.boto3("kms", "Admin").list_keys()
    assert error.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert house.boto3("sts", "Admin").get_caller_identity()["Account"]
    with house.http(house.bearer("Admin")) as admin, house.http(house.bearer("Developer")) as developer:
        assert admin.get("/v1/models").status_code == 503
        told = admin.get("/v1/restore").json()
        assert told["status"] == "pending" and told["known_epoch"] > told["epoch"]
        assert developer.post("/v1/restore/accept", json={"id": told["id"]}).status_code == 403
        assert admin.post("/v1/restore/accept", json={"id": "another"}).status_code == 404
        accepted = admin.post("/v1/restore/accept", json={"id": told["id"]})
        assert accepted.status_code == 200 and accepted.json()["status"] == "accepted"
        assert admin.get("/v1/models").status_code == 200
    found = objects(house)
    assert not any(key.startswith("too-late") for key in found)
    assert {f"{key}-{size}" for key in ("first", "second") for size in SIZES} <= set(found)
    for key, body in found.items():
        name, size = key.rsplit("-", 1)
        assert body == bytes_of(name, int(size)), key
    assert house.stop() == 0
    actions = [entry["action"] for entry in journal.verified_entries(house.data)]
    assert {"moho:Restore", "moho:StartRestored", "moho:AcceptRestore"} <= set(actions)


def test_the_state_that_was_known_last_takes_no_consent(house, tmp_path):
    assert house.stop() == 0
    assert backup(house, tmp_path / "backups").returncode == 0
    done = restore(house, tmp_path / "backups", "--replace")
    assert done.returncode == 0, done.stderr
    assert "nothing is lost" in done.stdout
    house.start()
    with house.http() as http:
        assert http.get("/readyz").status_code == 200
    assert len(objects(house)) == 2 * len(SIZES)


def test_every_altered_file_is_refused(house, tmp_path):
    folder = tmp_path / "backups"
    assert house.stop() == 0
    assert backup(house, folder).returncode == 0
    (made,) = (path for path in folder.iterdir() if (path / "manifest").exists())
    files = [path for path in made.rglob("*") if path.is_file()]
    kinds = {path.relative_to(made).parts[0] for path in files}
    assert kinds == {"manifest", "moho.sqlite", "objects", "journal"}
    for path in files:
        whole = path.read_bytes()
        altered = bytearray(whole)
        altered[len(whole) // 2] ^= 1
        path.write_bytes(altered)
        ended = restore(house, made, "--replace", "--accept-rollback")
        assert ended.returncode == 5, f"{path}: {ended.stderr}"
        path.write_bytes(whole)
    assert not any(".before-" in path.name for path in house.data.iterdir()), "nothing was touched"
    assert restore(house, made, "--replace").returncode == 0


def test_nothing_in_a_backup_opens_anything(house, tmp_path):
    folder = tmp_path / "backups"
    house.openai().responses.create(model="smollm2-135m-instruct", input=MARKER, max_output_tokens=5)
    assert backup(house, folder).returncode == 0
    secrets = [(house.data / "root.key").read_bytes()[-32:], MARKER.encode()]
    credentials = house.credentials("Admin")
    secrets += [credentials.secret_access_key.encode(), credentials.session_token[:60].encode()]
    for path in folder.rglob("*"):
        assert path.name not in ("root.key", "ca.pem", "anchor"), path
        if path.is_file():
            held = path.read_bytes()
            assert not any(secret in held for secret in secrets), path
            assert path.stat().st_mode & 0o077 == 0


def test_a_disk_that_is_full_leaves_no_half_a_backup(house, tmp_path):
    folder = tmp_path / "backups"
    assert house.stop() == 0
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    ended = moho("backup", folder, "--data", house.data, preexec_fn=limit)
    assert ended.returncode != 0
    assert moho("backup", "--verify", folder, "--data", house.data).returncode == 3
    assert backup(house, folder).returncode == 0
    assert backup(house, folder, "--verify").returncode == 0


def test_the_doctor_names_what_is_damaged(house):
    client = house.boto3("s3", "Admin")
    client.put_object(Bucket="backed-up", Key="dam\naged", Body=bytes_of("x", 2_500_000))
    clean = moho("doctor", "--scrub", "--json", "--data", house.data)
    found = [one for one in json.loads(clean.stdout)["findings"] if one["check"] == "scrub"]
    assert [one["level"] for one in found] == ["fine", "fine"], found
    largest = max((path for path in (house.data / "store/objects").rglob("*") if path.is_file()), key=lambda p: p.stat().st_mtime)
    held = bytearray(largest.read_bytes())
    held[1_500_000] ^= 0x10
    largest.write_bytes(held)
    ended = moho("doctor", "--scrub", "--rate", "500", "--json", "--data", house.data)
    assert ended.returncode == 1
    faults = [one["what"] for one in json.loads(ended.stdout)["findings"] if one["check"] == "scrub" and one["level"] == "fault"]
    assert any("s3://backed-up/dam\\naged" in what and "chunk 1" in what for what in faults), faults
    assert MARKER not in ended.stdout
    with pytest.raises(Exception):
        client.get_object(Bucket="backed-up", Key="dam\naged")["Body"].read()


def test_jobs_are_measured(make_moho):
    server = make_moho(arguments=("--metrics-listen", "127.0.0.1:0")).start()
    base = json.loads((server.data / "endpoint.json").read_text())["metrics"]
    base = base if base.startswith("http") else f"http://{base}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        page = httpx2.get(base.removesuffix("/metrics") + "/metrics", trust_env=False).text
        if 'moho_job_rounds_total{job="garbage"} 1' in page:
            break
        time.sleep(0.2)
    for job in ("access-logs", "garbage", "lifecycle", "orphans", "retention", "scrub"):
        assert f'moho_job_failures_total{{job="{job}"}} 0' in page, job
    assert 'moho_job_rounds_total{job="garbage"}' in page
