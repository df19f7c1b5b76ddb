"""The AWS CLI's own ways with S3, as an administrator would type them."""

import json
import os
import subprocess
import time

import pytest
from kms_account import keeper, named

SERVICE_ERROR = (1, 254, 255)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("cli")) as account:
        yield account


@pytest.fixture
def aws(account, tmp_path):
    """Runs `aws …`; gives what came of it."""
    environment = account.moho.aws_environment(tmp_path, account.moho.credentials("Admin"))

    def run(*arguments, **more) -> subprocess.CompletedProcess:
        command = ["aws", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False, **more)

    return run


@pytest.fixture
def done(aws):
    """The same, of what has to succeed; gives what it printed."""

    def run(*arguments, **more) -> str:
        finished = aws(*arguments, **more)
        assert finished.returncode == 0, (arguments, finished.stderr)
        return finished.stdout

    return run


@pytest.fixture
def bucket(done) -> str:
    name = named("cli-bucket")
    assert f"make_bucket: {name}" in done("s3", "mb", f"s3://{name}")
    return name


def test_buckets(aws, done, bucket):
    done("s3", "cp", "-", f"s3://{bucket}/piped", input="words\n")
    assert done("s3", "cp", f"s3://{bucket}/piped", "-") == "words\n"
    refused = aws("s3", "rb", f"s3://{bucket}")
    assert refused.returncode in SERVICE_ERROR and "BucketNotEmpty" in refused.stderr
    assert "remove_bucket" in done("s3", "rb", f"s3://{bucket}", "--force")
    assert bucket not in done("s3", "ls")


def test_files_go_up_and_down(account, done, bucket, tmp_path):
    """In parts, and under a key of one's choice."""
    up, down, key = tmp_path / "up", tmp_path / "down", account.key()
    up.write_bytes(os.urandom(20 << 20))
    sealed = ["--sse", "aws:kms", "--sse-kms-key-id", key]
    done("s3", "cp", up, f"s3://{bucket}/folder/file", "--metadata", "colour=red", "--no-progress", *sealed)
    assert "PRE folder/" in done("s3", "ls", f"s3://{bucket}")
    done("s3", "mv", f"s3://{bucket}/folder/file", f"s3://{bucket}/moved", "--no-progress")
    told = done("s3", "ls", f"s3://{bucket}", "--recursive", "--summarize")
    assert "moved" in told and "Total Objects: 1" in told and str(20 << 20) in told
    done("s3", "cp", f"s3://{bucket}/moved", down, "--no-progress")
    assert down.read_bytes() == up.read_bytes()


def test_folders_are_kept_alike(done, bucket, tmp_path):
    """S3 tells whole seconds, so that a file of this very second looks newer than what was made of it."""
    here, there = tmp_path / "here", tmp_path / "there"
    earlier = time.time() - 60
    for name in ("a", "sub/b", "sub/deep/c d", "\u00fc"):
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        os.utime(file, (earlier, earlier))
    done("s3", "sync", here, f"s3://{bucket}/kept", "--no-progress")
    assert done("s3", "sync", here, f"s3://{bucket}/kept", "--no-progress") == "", "nothing has changed"
    (here / "a").write_text("changed")
    (here / "sub/b").unlink()
    told = done("s3", "sync", here, f"s3://{bucket}/kept", "--delete", "--no-progress")
    assert "upload: " in told and "delete: " in told and len(told.splitlines()) == 2
    done("s3", "sync", f"s3://{bucket}/kept", there, "--no-progress")
    found = {str(path.relative_to(there)): path.read_text() for path in there.rglob("*") if path.is_file()}
    assert found == {"a": "changed", "sub/deep/c d": "sub/deep/c d", "\u00fc": "\u00fc"}
    done("s3", "rm", f"s3://{bucket}", "--recursive")
    assert done("s3", "ls", f"s3://{bucket}", "--recursive") == ""


def test_a_url_for_somebody_else(account, done, bucket, tmp_path):
    """The CLI signs URLs by version 4 only where it is told to, or away from `us-east-1`."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    done("s3", "cp", "-", f"s3://{bucket}/k", input="words")
    url = done("s3", "presign", f"s3://{bucket}/k", "--expires-in", "60").strip()
    with account.moho.http() as http:
        assert http.get(url).text == "words"


def test_operations_by_their_names(aws, done, bucket, tmp_path):
    def api(operation, *arguments):
        told = done("s3api", operation, "--bucket", bucket, *arguments, "--output", "json")
        return json.loads(told) if told.strip() else None

    file = tmp_path / "file"
    file.write_text("words")
    api("put-bucket-versioning", "--versioning-configuration", "Status=Enabled")
    put = api("put-object", "--key", "k", "--body", str(file), "--checksum-algorithm", "SHA256", "--tagging", "a=1")
    assert put["VersionId"] and put["ChecksumSHA256"]
    got = api("get-object", "--key", "k", "--range", "bytes=0-1", str(tmp_path / "got"))
    assert got["ContentRange"] == "bytes 0-1/5" and (tmp_path / "got").read_text() == "wo"
    attributes = api("get-object-attributes", "--key", "k", "--object-attributes", "ObjectSize", "ETag")
    assert attributes["ObjectSize"] == 5 and f'"{attributes["ETag"]}"' == api("head-object", "--key", "k")["ETag"]
    assert [found["Key"] for found in api("list-objects-v2", "--prefix", "k")["Contents"]] == ["k"]
    deleted = api("delete-objects", "--delete", "Objects=[{Key=k}]")
    assert deleted["Deleted"][0]["DeleteMarker"]
    refused = aws("s3api", "get-bucket-policy", "--bucket", bucket)
    assert refused.returncode in SERVICE_ERROR and "(NoSuchBucketPolicy)" in refused.stderr
