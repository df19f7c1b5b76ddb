"""Tools that take S3 for a file system: rclone and s3fs, from Debian's packages."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from kms_account import keeper
from s3_account import body, keys, new_bucket

FUSE = Path("/dev/fuse")


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("file-tools")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


@pytest.fixture
def rclone(account, tmp_path):
    """Runs `rclone … -`; the server is its remote `moho:`."""
    admin = account.moho.credentials("Admin")
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": admin.access_key_id,
        "SECRET_ACCESS_KEY": admin.secret_access_key,
        "SESSION_TOKEN": admin.session_token,
        "REGION": admin.region,
        "ENDPOINT": account.moho.url,
        "FORCE_PATH_STYLE": "true",
        # What it takes for a digest otherwise is none: entity tags say nothing of the content.
        "SERVER_SIDE_ENCRYPTION": "aws:kms",
        "CHUNK_SIZE": "5Mi",
        "UPLOAD_CUTOFF": "6Mi",
    }
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "RCLONE_CA_CERT": str(account.moho.authority)}
    environment |= {f"RCLONE_CONFIG_MOHO_{name}": value for name, value in settings.items()}

    def run(*arguments) -> str:
        command = ["rclone", *map(str, arguments), "--retries", "1", "--low-level-retries", "1"]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert finished.returncode == 0, (arguments, finished.stderr)
        return finished.stdout

    return run


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_rclone_keeps_folders_alike(s3, rclone, bucket, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for name, size in (("a", 3), ("sub/b c", 70_000), ("sub/deep/large", 13 << 20), ("\u00fc", 0)):
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    rclone("sync", here, f"moho:{bucket}/kept")
    assert keys(s3, bucket) == ["kept/a", "kept/sub/b c", "kept/sub/deep/large", "kept/\u00fc"]
    rclone("check", here, f"moho:{bucket}/kept", "--download")
    (here / "a").unlink()
    (here / "new").write_text("new")
    rclone("sync", here, f"moho:{bucket}/kept")
    rclone("copy", f"moho:{bucket}/kept", there)
    assert tree(there) == tree(here)
    assert rclone("cat", f"moho:{bucket}/kept/new", "--offset", "1", "--count", "1") == "e"
    rclone("moveto", f"moho:{bucket}/kept/new", f"moho:{bucket}/moved")
    assert body(s3, bucket, "moved") == b"new"
    rclone("purge", f"moho:{bucket}/kept")
    assert keys(s3, bucket) == ["moved"]
    assert bucket in rclone("lsd", "moho:")


@pytest.fixture
def mounted(account, bucket, tmp_path):
    """The bucket as a folder."""
    if not FUSE.exists() or not os.access(FUSE, os.R_OK | os.W_OK):
        pytest.skip(f"{FUSE} is not there, or not to be used: nothing can be mounted")
    admin = account.moho.credentials("Admin")
    folder = tmp_path / "mounted"
    folder.mkdir()
    options = {
        "url": account.moho.url,
        "endpoint": admin.region,
        "use_path_request_style": None,
        "use_sse": "kmsid:" + account.key(),
        "sigv4": None,
        "multipart_size": "10",
        "use_session_token": None,
    }
    written = ",".join(name if value is None else f"{name}={value}" for name, value in options.items())
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CURL_CA_BUNDLE": str(account.moho.authority),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
        "AWS_SESSION_TOKEN": admin.session_token,
    }
    log = tmp_path / "s3fs.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["s3fs", bucket, str(folder), "-f", "-o", written], env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + 30
        while not os.path.ismount(folder):
            if process.poll() is not None and "fuse: mount failed: Operation not permitted" in log.read_text():
                pytest.skip("mounting is not permitted here")
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield folder
    finally:
        subprocess.run(["fusermount", "-u", str(folder)], check=False, capture_output=True)
        process.terminate()
        process.wait(30)


def test_a_mounted_bucket_is_a_folder(s3, bucket, mounted):
    large = os.urandom(23 << 20)
    (mounted / "sub").mkdir()
    (mounted / "sub/large").write_bytes(large)
    (mounted / "a b").write_text("words")
    assert body(s3, bucket, "sub/large") == large and body(s3, bucket, "a b") == b"words"
    s3.put_object(Bucket=bucket, Key="theirs", Body=b"from elsewhere")
    assert (mounted / "theirs").read_bytes() == b"from elsewhere"
    assert sorted(os.listdir(mounted)) == ["a b", "sub", "theirs"]
    with (mounted / "a b").open("ab") as file:
        file.write(b" and more")
    assert body(s3, bucket, "a b") == b"words and more"
    (mounted / "a b").rename(mounted / "sub/moved")
    assert (mounted / "sub/moved").read_bytes() == b"words and more" and "a b" not in keys(s3, bucket)
    (mounted / "sub/large").unlink()
    assert "sub/large" not in keys(s3, bucket)
