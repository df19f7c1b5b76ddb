"""What the tests of objects elsewhere share: a server whose objects rest in another server's bucket."""

import os
from pathlib import Path

from serving import Credentials, Moho

BUCKET = "rests-here"
PREFIX = "a/prefix"


def write_credentials(file: Path, found: Credentials) -> None:
    """The file as AWS's tools have it, in the place of the one before."""
    draft = file.with_name(file.name + ".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(
            f"[default]\naws_access_key_id = {found.access_key_id}\naws_secret_access_key = {found.secret_access_key}\n"
            f"aws_session_token = {found.session_token}\n"
        )
    draft.rename(file)


class Elsewhere:
    """A bucket of a server, and what another one needs to use it."""

    def __init__(self, folder: Path, remote: Moho):
        self.folder = folder
        self.remote = remote.start()
        self.s3 = remote.boto3("s3", "Admin")
        self.s3.create_bucket(Bucket=BUCKET)
        self.file = folder / "credentials"
        write_credentials(self.file, remote.credentials("Admin"))

    def arguments(self, bucket: str = BUCKET, prefix: str = PREFIX) -> tuple[str, ...]:
        return (
            f"--objects-url=s3://{bucket}/{prefix}",
            f"--objects-endpoint={self.remote.url}",
            f"--objects-credentials-file={self.file}",
            f"--objects-ca={self.remote.authority}",
        )

    def keys(self) -> list[str]:
        """Everything in the bucket but the marks, which say whose folders these are."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        found = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return [key for key in found if not key.endswith("/moho-segments")]

    def bytes(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def replace(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def uploads(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]
