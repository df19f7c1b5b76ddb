"""How S3 is reached: buckets in the host, and both versions of HTTP."""

import os
import socket
import subprocess

import pytest
from kms_account import keeper_with
from s3_account import DENIED, PART, body, keys, new_bucket, refused

import sts

HOST = "s3.moho.test"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    names = ("--tls-name", HOST, "--tls-name", f"*.{HOST}")
    with keeper_with(tmp_path_factory.mktemp("addressing"), names) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


@pytest.fixture
def found_here(monkeypatch):
    """Every name below `moho.test` is this machine's."""
    ask = socket.getaddrinfo

    def answer(host, *arguments, **more):
        return ask("127.0.0.1" if str(host).endswith("moho.test") else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def client(account, style: str, **more):
    return sts.client(account.moho, "s3", url=f"https://{HOST}:{account.moho.port}", s3={"addressing_style": style}, **more)


@pytest.mark.parametrize("key", ["k", "a b/ü+%25&=?#.txt", "v1/responses", "//x", bytes(range(0x61, 0x6B)).decode()])
def test_a_host_names_the_bucket(account, s3, bucket, found_here, key):
    virtual, content = client(account, "virtual"), os.urandom(200_000)
    hosts = set()
    virtual.meta.events.register("before-send.s3", lambda request, **_: hosts.add(request.url.split("/")[2].partition(":")[0]))
    virtual.put_object(Bucket=bucket, Key=key, Body=content, Metadata={"a": "b"})
    assert body(s3, bucket, key) == content == body(virtual, bucket, key)
    assert body(virtual, bucket, key, Range="bytes=100-199") == content[100:200]
    assert keys(virtual, bucket) == [key] and virtual.head_bucket(Bucket=bucket)
    virtual.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert body(client(account, "path"), bucket, "copy") == content
    virtual.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
    assert keys(s3, bucket) == []
    assert hosts == {f"{bucket}.{HOST}"}
    assert refused(virtual.get_object, Bucket=bucket, Key=key) == ("NoSuchKey", 404)
    assert bucket in [one["Name"] for one in virtual.list_buckets()["Buckets"]]


def test_buckets_are_made_and_deleted_by_their_hosts(account, found_here):
    virtual = client(account, "virtual")
    name = new_bucket(virtual)
    upload = virtual.create_multipart_upload(Bucket=name, Key="a/b c")["UploadId"]
    part = virtual.upload_part(Bucket=name, Key="a/b c", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    made = virtual.complete_multipart_upload(Bucket=name, Key="a/b c", UploadId=upload, MultipartUpload=parts)
    assert made["Location"] == f"https://{name}.{HOST}:{account.moho.port}/a/b%20c"
    virtual.delete_object(Bucket=name, Key="a/b c")
    virtual.delete_bucket(Bucket=name)
    assert refused(virtual.head_bucket, Bucket=name) == ("404", 404)


def test_a_host_that_was_not_signed_names_no_bucket(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    signer = sts.client(account.moho, "s3", signature_version="s3v4", s3={"addressing_style": "path"})
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}).removeprefix(account.moho.url)
    with account.moho.http() as http:
        assert http.get(url).content == b"x"
        answer = http.get(url, headers={"host": f"{bucket}.{HOST}"})
        assert answer.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer.text


@pytest.mark.parametrize(("flag", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_both_versions_of_http(account, s3, bucket, tmp_path, flag, version):
    content, source = os.urandom(3 * PART + 7), tmp_path / "content"
    source.write_bytes(content)
    signer = sts.client(account.moho, "s3", signature_version="s3v4", s3={"addressing_style": "path"})

    def curl(operation: str, *arguments: str, **named) -> bytes:
        url = signer.generate_presigned_url(operation, Params={"Bucket": bucket, **named})
        command = ["curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--cacert", str(account.moho.authority), flag]
        told = [*command, "--write-out", "%{stderr}%{http_version} %{http_code}", *arguments, url]
        done = subprocess.run(told, capture_output=True, timeout=120, check=True)
        spoken, status = done.stderr.decode().split()
        assert (spoken, status[0]) == (version, "2"), done
        return done.stdout

    curl("put_object", "--upload-file", str(source), Key="a b/ü")
    assert curl("get_object", Key="a b/ü") == content
    assert curl("get_object", "--range", "100000-6000000", Key="a b/ü") == content[100_000:6_000_001]
    head = curl("head_object", "--head", Key="a b/ü").decode().lower()
    assert f"content-length: {len(content)}" in head and "etag: " in head
    assert b"<Key>a%20b/%C3%BC</Key>" in curl("list_objects_v2")
    curl("delete_object", "--request", "DELETE", Key="a b/ü")
    assert keys(s3, bucket) == []


def test_who_has_no_proof_is_told_so_in_s3s_words(account, bucket, found_here):
    with account.moho.http() as http:
        for path, host in ((f"/{bucket}/k", HOST), ("/k", f"{bucket}.{HOST}"), ("/", f"{bucket}.{HOST}"), ("/", HOST)):
            answer = http.get(path, headers={"host": host})
            assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True), (path, host, answer.text)
        for path in ("/v1/models", "/v1/nothing", "/openai/v1/models"):
            answer = http.get(path, headers={"host": HOST})
            assert answer.status_code in (401, 404) and "error" in answer.json(), (path, answer.text)
    stranger = client(account, "virtual", signature_version=sts.UNSIGNED)
    assert refused(stranger.get_object, Bucket=bucket, Key="k") == DENIED
