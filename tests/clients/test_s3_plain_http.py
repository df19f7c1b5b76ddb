"""boto3 puts and gets objects over plain HTTP, where development allows it, as over TLS: its ways to send a body differ."""

import io
import os

import boto3
import botocore
import botocore.exceptions
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from serving import Moho, free_port

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    port = free_port()
    server = Moho(tmp_path_factory.mktemp("plain") / "data", models={}, arguments=("--dev-plain-http", f"127.0.0.1:{port}"))
    server.plain_url = f"http://127.0.0.1:{port}"
    try:
        yield server.start()
        server.assert_unharmed()
    finally:
        server.end()


@pytest.fixture(params=["http", "https"])
def client(request, server):
    """Makes clients, of one scheme."""
    admin = server.credentials("Admin")

    def make(**options):
        return boto3.client(
            "s3",
            endpoint_url=server.plain_url if request.param == "http" else server.url,
            verify=str(server.authority),
            region_name=admin.region,
            aws_access_key_id=admin.access_key_id,
            aws_secret_access_key=admin.secret_access_key,
            aws_session_token=admin.session_token,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, **options),
        )

    make.secure = request.param == "https"
    make.bucket = f"bucket-over-{request.param}"
    s3 = make()
    if make.bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=make.bucket)
    return make


@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
@pytest.mark.parametrize("signed", [True, False, None])
def test_bodies_in_every_form(client, checksums, signed):
    more = {} if signed is None else {"s3": {"payload_signing_enabled": signed}}
    s3 = client(request_checksum_calculation=checksums, **more)
    if signed is False and not client.secure:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            s3.put_object(Bucket=client.bucket, Key="k", Body=b"x")
        assert "An unsigned payload is taken over TLS only" in str(refused.value), "anybody on the way could change it"
        return
    for size in (0, 1, 65_536, 3 * MIB + 1):
        content = os.urandom(size)
        # Bytes, and what can be read from.
        for given in (content, io.BytesIO(content)):
            s3.put_object(Bucket=client.bucket, Key="k", Body=given)
            assert s3.get_object(Bucket=client.bucket, Key="k")["Body"].read() == content
    s3.delete_objects(Bucket=client.bucket, Delete={"Objects": [{"Key": "k"}]})
    assert s3.list_objects_v2(Bucket=client.bucket)["KeyCount"] == 0


def test_files_and_streams(client, tmp_path):
    s3 = client()
    file = tmp_path / "file"
    file.write_bytes(os.urandom(13 * MIB))
    ways = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(file), client.bucket, "file", Config=ways)
    into = io.BytesIO()
    s3.download_fileobj(client.bucket, "file", into, Config=ways)
    assert into.getvalue() == file.read_bytes()
    s3.upload_fileobj(io.BytesIO(b"words"), client.bucket, "file", Config=ways)
    assert s3.get_object(Bucket=client.bucket, Key="file")["Body"].read() == b"words"
    s3.delete_object(Bucket=client.bucket, Key="file")


def test_nobody_is_let_in_unsigned(client):
    unsigned = client(signature_version=botocore.UNSIGNED)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        unsigned.list_objects_v2(Bucket=client.bucket)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)
