"""Objects whose bytes rest in a bucket of another service: all of them come back, nothing there is in the clear, and whatever that
service does to them is an error, never other bytes."""

import hashlib
import json
import subprocess
import time

import boto3
import pytest
from botocore.config import Config
from objects_elsewhere import BUCKET, PREFIX, Elsewhere, write_credentials
from s3_account import Refused, body, keys, refused
from serving import Credentials, Moho, binary, free_port

MIB = 1 << 20
MARKER = b"marzipan-quokka-4417 "
SIZES = [0, 10, 65_536, 65_537, MIB + 1, 5 * MIB + 3, 8 * MIB, 21 * MIB + 5]
UNAVAILABLE = Refused("ServiceUnavailable", 503)
SECONDS = 60
WRONG = "a-secret-of-nobody-8812"


def content(word: str, size: int) -> bytes:
    """Bytes that are the marker all over, and of which no two chunks are alike."""
    lines = (MARKER + f"{word} {number:08}\n".encode() for number in range(size // 30 + 1))
    return b"".join(lines)[:size]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([str(binary()), *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)


def fails_to_start(server: Moho) -> str:
    """Why it does not."""
    before = len(server.log_text())
    assert server.spawn().wait(SECONDS) != 0
    return server.log_text()[before:]


@pytest.fixture
def elsewhere(tmp_path, make_moho) -> Elsewhere:
    return Elsewhere(tmp_path, make_moho(tmp_path / "remote", models={}))


@pytest.fixture
def near(tmp_path, make_moho, elsewhere) -> Moho:
    server = make_moho(tmp_path / "near", models={}, arguments=elsewhere.arguments()).start()
    server.boto3("s3", "Admin").create_bucket(Bucket="bucket")
    return server


def test_objects_of_every_size_come_back_and_nothing_there_is_in_the_clear(near, elsewhere):
    s3 = near.boto3("s3", "Admin")
    for size in SIZES:
        s3.put_object(Bucket="bucket", Key=f"secret-name-{size}", Body=content("put", size))
    upload = s3.create_multipart_upload(Bucket="bucket", Key="secret-name-parts")["UploadId"]
    pieces = [content("one", 9 * MIB), content("two", 5 * MIB), content("three", 77)]
    parts = []
    for number, piece in enumerate(pieces, 1):
        tag = s3.upload_part(Bucket="bucket", Key="secret-name-parts", UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    s3.complete_multipart_upload(Bucket="bucket", Key="secret-name-parts", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket="bucket", Key="secret-name-copy", CopySource=f"bucket/secret-name-{SIZES[-1]}")
    expected = {f"secret-name-{size}": content("put", size) for size in SIZES}
    expected |= {"secret-name-parts": b"".join(pieces), "secret-name-copy": content("put", SIZES[-1])}

    def all_of_it() -> None:
        s3 = near.boto3("s3", "Admin")
        assert sorted(keys(s3, "bucket")) == sorted(expected)
        for key, whole in expected.items():
            assert hashlib.sha256(body(s3, "bucket", key)).digest() == hashlib.sha256(whole).digest(), key
            for start, end in [(0, 0), (MIB - 5, MIB + 5), (len(whole) // 2, len(whole) // 2 + 3 * MIB), (9 * MIB - 1, 9 * MIB + 1)]:
                if start < len(whole):
                    assert body(s3, "bucket", key, Range=f"bytes={start}-{end}") == whole[start : end + 1], (key, start)

    all_of_it()
    there = elsewhere.keys()
    assert len(there) == len([size for size in SIZES if size > 65_536]) + 2 + 1, "what is small rests in its row"
    assert all(key.startswith(PREFIX + "/") for key in there)
    assert not [file for file in (near.data / "store" / "objects").rglob("*") if file.is_file()], "no file of them is here"
    for key in there:
        found = elsewhere.bytes(key)
        assert MARKER.strip() not in found and b"secret-name" not in found
        assert "secret" not in key and "bucket" not in key
    assert elsewhere.uploads() == []
    assert near.stop() == 0
    near.start()
    all_of_it()


def test_a_place_that_is_gone_is_an_error_and_nothing_is_lost(near, elsewhere):
    s3 = near.boto3("s3", "Admin")
    large, small = content("large", 3 * MIB), content("small", 100)
    s3.put_object(Bucket="bucket", Key="large", Body=large)
    elsewhere.remote.kill()
    began = time.monotonic()
    assert refused(s3.get_object, Bucket="bucket", Key="large") == UNAVAILABLE
    assert refused(s3.put_object, Bucket="bucket", Key="large", Body=large[::-1]) == UNAVAILABLE
    assert time.monotonic() - began < SECONDS
    s3.put_object(Bucket="bucket", Key="small", Body=small)
    assert body(s3, "bucket", "small") == small
    assert s3.head_object(Bucket="bucket", Key="large")["ContentLength"] == len(large)
    s3.delete_object(Bucket="bucket", Key="small")
    near.assert_unharmed()
    # Without it, nothing is begun.
    assert near.stop() == 0
    assert "objects.url" in fails_to_start(near)
    elsewhere.remote.start()
    near.start()
    s3 = near.boto3("s3", "Admin")
    assert body(s3, "bucket", "large") == large
    assert keys(s3, "bucket") == ["large"]


def test_what_was_altered_there_is_refused_by_name(near, elsewhere):
    s3 = near.boto3("s3", "Admin")
    segments = {}
    for key in ("altered", "swapped", "shorter", "longer", "gone"):
        before = set(elsewhere.keys())
        s3.put_object(Bucket="bucket", Key=key, Body=content(key, 3 * MIB))
        (segments[key],) = set(elsewhere.keys()) - before
    sealed = elsewhere.bytes(segments["altered"])
    place = len(sealed) // 2
    elsewhere.replace(segments["altered"], sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
    elsewhere.replace(segments["swapped"], sealed)
    elsewhere.replace(segments["shorter"], elsewhere.bytes(segments["shorter"])[:-1])
    elsewhere.replace(segments["longer"], elsewhere.bytes(segments["longer"]) + b"x")
    elsewhere.s3.delete_object(Bucket=BUCKET, Key=segments["gone"])

    # Up to the damage, what is proven is given; of the chunk itself there is nothing.
    assert body(s3, "bucket", "altered", Range=f"bytes=0-{MIB - 1}") == content("altered", 3 * MIB)[:MIB]
    for key, said in [("altered", "chunk 1 of"), ("swapped", "damaged"), ("shorter", "chunk 2 of"), ("longer", "damaged"), ("gone", "missing")]:
        with pytest.raises(s3.exceptions.ClientError) as error:
            s3.get_object(Bucket="bucket", Key=key, Range=f"bytes={3 * MIB // 2}-")
        told = error.value.response
        assert told["Error"]["Code"] == "InternalError" and told["ResponseMetadata"]["HTTPStatusCode"] == 500, key
        assert said in told["Error"]["Message"], told["Error"]["Message"]
        assert segments[key].rsplit("/", 1)[1] in told["Error"]["Message"]
    near.assert_unharmed()
    doctor = run("doctor", "--scrub", "--json", "--data", near.data, *elsewhere.arguments())
    faults = [one["what"] for one in json.loads(doctor.stdout)["findings"] if one["check"] == "scrub" and one["level"] == "fault"]
    named = {key for key in segments if any(f"s3://bucket/{key} " in fault for fault in faults)}
    assert named == set(segments), faults
    assert any("s3://bucket/altered" in fault and "chunk 1" in fault for fault in faults), faults


def test_settings_cannot_lose_what_rests_elsewhere(near, elsewhere):
    s3 = near.boto3("s3", "Admin")
    s3.put_object(Bucket="bucket", Key="large", Body=content("large", MIB))
    elsewhere.s3.create_bucket(Bucket="another")
    assert near.stop() == 0
    there = elsewhere.keys()
    right = near.arguments
    for arguments, said in [
        ((), "the objects of this store rest in s3://"),
        (elsewhere.arguments("another"), "is not in s3://another"),
        (elsewhere.arguments(prefix="other"), "is not in s3://" + BUCKET),
        (elsewhere.arguments("no-such-bucket"), "NoSuchBucket"),
    ]:
        near.arguments = arguments
        told = fails_to_start(near)
        assert said in told, told
    write_credentials(elsewhere.file, Credentials("ASIAAAAAAAAAAAAAAAAA", WRONG, "wrong", "", "us-east-1"))
    near.arguments = right
    assert "refuses this moho" in fails_to_start(near)
    elsewhere.file.chmod(0o644)
    assert "chmod 600" in fails_to_start(near)
    elsewhere.file.chmod(0o600)
    write_credentials(elsewhere.file, elsewhere.remote.credentials("Admin"))
    near.start()
    assert body(near.boto3("s3", "Admin"), "bucket", "large") == content("large", MIB)
    assert elsewhere.keys() == there
    assert WRONG not in near.log_text()


def test_a_store_with_objects_in_files_does_not_leave_them(make_moho, tmp_path, elsewhere):
    server = make_moho(tmp_path / "files", models={}).start()
    s3 = server.boto3("s3", "Admin")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="large", Body=content("large", MIB))
    assert server.stop() == 0
    server.arguments = elsewhere.arguments()
    assert "rest in files of the store" in fails_to_start(server)
    server.arguments = ()
    server.start()
    assert body(server.boto3("s3", "Admin"), "bucket", "large") == content("large", MIB)


def test_credentials_are_read_again_when_they_change(near, elsewhere):
    s3 = near.boto3("s3", "Admin")
    s3.put_object(Bucket="bucket", Key="large", Body=content("large", MIB))
    write_credentials(elsewhere.file, Credentials("ASIAAAAAAAAAAAAAAAAA", WRONG, "wrong", "", "us-east-1"))
    assert refused(s3.get_object, Bucket="bucket", Key="large") == UNAVAILABLE
    elsewhere.file.unlink()
    assert refused(s3.get_object, Bucket="bucket", Key="large") == UNAVAILABLE
    write_credentials(elsewhere.file, elsewhere.remote.credentials("Admin"))
    assert body(s3, "bucket", "large") == content("large", MIB)


def test_what_a_killed_server_left_half_uploaded_is_given_up(near, elsewhere):
    # What a process that was killed leaves: an upload in the bucket, and its note here.
    s3 = near.boto3("s3", "Admin")
    s3.put_object(Bucket="bucket", Key="large", Body=content("large", MIB))
    (key,) = elsewhere.keys()
    folder, segment = key.rsplit("/", 1)
    left = segment[::-1]
    upload = elsewhere.s3.create_multipart_upload(Bucket=BUCKET, Key=f"{folder}/{left}")["UploadId"]
    near.kill()
    notes = near.data / "store" / "objects" / "uploads"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / left).write_text(upload)
    assert elsewhere.uploads() == [f"{folder}/{left}"]
    near.start()
    assert elsewhere.uploads() == [] and not list(notes.iterdir())


def test_a_backup_has_what_rests_elsewhere_and_is_restored_to_a_folder_of_its_own(near, elsewhere, tmp_path):
    s3 = near.boto3("s3", "Admin")
    for size in (10, 70_000, 9 * MIB):
        s3.put_object(Bucket="bucket", Key=f"key-{size}", Body=content("backup", size))
    backups = tmp_path / "backups"
    unnamed = run("backup", backups, "--data", near.data)
    assert unnamed.returncode != 0 and "objects.url" in unnamed.stderr, "never one without the objects"
    made = run("backup", backups, "--data", near.data, *elsewhere.arguments())
    assert made.returncode == 0, made.stderr
    assert "2 of them copied" in made.stdout
    before = elsewhere.keys()
    s3.put_object(Bucket="bucket", Key="later", Body=content("later", MIB))
    assert near.stop() == 0
    restored = run("restore", backups, "--data", near.data, "--accept-rollback", "--replace", *elsewhere.arguments())
    assert restored.returncode == 0, restored.stderr
    there = elsewhere.keys()
    assert len(there) == 2 * len(before) + 1, "the store that made way keeps its own"
    near.start()
    near._credentials.clear()
    with near.http(near.bearer("Admin")) as admin:
        told = admin.get("/v1/restore").json()
        assert admin.post("/v1/restore/accept", json={"id": told["id"]}).status_code == 200
    s3 = near.boto3("s3", "Admin")
    assert sorted(keys(s3, "bucket")) == ["key-10", "key-70000", f"key-{9 * MIB}"]
    for size in (10, 70_000, 9 * MIB):
        assert body(s3, "bucket", f"key-{size}") == content("backup", size)


def test_a_service_of_others_does_as_well(make_moho, tmp_path):
    """moto is no moho: another reading of the same protocol, on this machine and without TLS."""
    port = free_port()
    server = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = Credentials("AKIAAAAAAAAAAAAAAAAA", "secret", "token", "", "us-east-1")
        service = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=found.region,
            aws_access_key_id=found.access_key_id,
            aws_secret_access_key=found.secret_access_key,
            config=Config(retries={"total_max_attempts": 10, "mode": "standard"}, proxies={}),
        )
        service.create_bucket(Bucket=BUCKET)
        write_credentials(tmp_path / "credentials", found)
        arguments = (f"--objects-url=s3://{BUCKET}", f"--objects-endpoint=http://127.0.0.1:{port}", f"--objects-credentials-file={tmp_path}/credentials")
        near = make_moho(tmp_path / "near", models={}, arguments=arguments).start()
        s3 = near.boto3("s3", "Admin")
        s3.create_bucket(Bucket="bucket")
        for size in SIZES:
            s3.put_object(Bucket="bucket", Key=f"key-{size}", Body=content("moto", size))
        near.kill()
        near.start()
        s3 = near.boto3("s3", "Admin")
        for size in SIZES:
            assert body(s3, "bucket", f"key-{size}") == content("moto", size)
        there = [one["Key"] for one in service.list_objects_v2(Bucket=BUCKET)["Contents"]]
        assert len(there) == 1 + len([size for size in SIZES if size > 65_536])
        assert not any(MARKER.strip() in service.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in there)
    finally:
        server.kill()
        server.wait()
