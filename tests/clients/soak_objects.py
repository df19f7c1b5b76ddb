"""Very many objects in one bucket: every list of it is right, and the server does not hold more and more.

A fiftieth of a million by default; all of it with MOHO_SOAK=full (`cargo xtask soak objects`), or as many objects as it says. They
are put by S3's own requests; those who put them are a program of its own (`benches/src/objects`), in Rust, so that it leaves
the processor to the server. How long the lists take is told, and not judged.
"""

import datetime
import json
import os
import subprocess
import time

from serving import Moho, binary
from soaking import rounds

FULL, SHORT = 1_000_000, 20_000
STEPS, FOLDERS = 10, 1000
BUCKET = "many"
# What the last half of the objects may add: pages that the database keeps in memory, and what the allocator keeps.
MORE = 32 << 20


def credentials(server: Moho) -> str:
    found = server.credentials("Admin")
    return json.dumps({
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "SessionToken": found.session_token,
        "Region": found.region,
        "Date": datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ"),
    })


def fill(server: Moho, first: int, last: int) -> float:
    """Puts objects; how many a second."""
    filler = os.environ.get("MOHO_FILLER") or binary().with_name("soak-objects")
    asked = {"address": f"127.0.0.1:{server.port}", "authority": server.authority, "bucket": BUCKET, "from": first, "to": last}
    command = [str(filler), *(part for name, value in asked.items() for part in (f"--{name}", str(value)))]
    filled = subprocess.run(command, input=credentials(server), capture_output=True, text=True, timeout=3600, check=False)
    assert filled.returncode == 0, filled.stderr
    told = json.loads(filled.stdout)
    assert told["objects"] == last - first
    return told["objects"] / told["seconds"]


def keys(count: int) -> list[str]:
    """Every key of so many objects, in the order of lists."""
    return sorted(f"{number % FOLDERS:03}/{number // FOLDERS % 1000:03}/{number:07}" for number in range(count))


class Looks:
    """Lists of the bucket, each with what has to be in it."""

    def __init__(self, server: Moho, count: int):
        self.s3, self.keys = server.boto3("s3", "Admin"), keys(count)

    def listed(self, **asked) -> dict:
        return self.s3.list_objects_v2(Bucket=BUCKET, **asked)

    def first(self) -> None:
        page = self.listed()
        assert [found["Key"] for found in page["Contents"]] == self.keys[:1000] and page["IsTruncated"] == (len(self.keys) > 1000)

    def deep(self) -> None:
        at = len(self.keys) * 9 // 10
        page = self.listed(StartAfter=self.keys[at - 1])
        assert [found["Key"] for found in page["Contents"]] == self.keys[at : at + 1000]

    def of_a_prefix(self) -> None:
        page = self.listed(Prefix="500/")
        expected = [key for key in self.keys if key.startswith("500/")]
        assert [found["Key"] for found in page["Contents"]] == expected[:1000]

    def folders(self) -> None:
        page = self.listed(Delimiter="/")
        assert [found["Prefix"] for found in page["CommonPrefixes"]] == [f"{number:03}/" for number in range(FOLDERS)]
        assert "Contents" not in page and not page["IsTruncated"]

    def folders_within(self) -> None:
        page = self.listed(Prefix="500/", Delimiter="/")
        expected = sorted({key[:8] for key in self.keys if key.startswith("500/")})
        assert [found["Prefix"] for found in page["CommonPrefixes"]] == expected

    def versions(self) -> None:
        at = len(self.keys) // 2
        page = self.s3.list_object_versions(Bucket=BUCKET, KeyMarker=self.keys[at - 1])
        assert [found["Key"] for found in page["Versions"]] == self.keys[at : at + 1000]

    def one(self) -> None:
        key = self.keys[len(self.keys) // 3]
        assert self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == f"object {int(key[-7:])}".encode()

    def take(self) -> dict[str, float]:
        """All of them; how many milliseconds each took, the client's own included."""
        took = {}
        for look in (self.first, self.deep, self.of_a_prefix, self.folders, self.folders_within, self.versions, self.one):
            begun = time.monotonic()
            look()
            took[look.__name__] = round((time.monotonic() - begun) * 1000, 1)
        return took


def test_a_bucket_of_very_many_objects(tmp_path):
    server, count, held = Moho(tmp_path / "data", models={}), rounds(FULL, SHORT), []
    try:
        server.start().boto3("s3", "Admin").create_bucket(Bucket=BUCKET)
        for step in range(STEPS):
            first, last = count * step // STEPS, count * (step + 1) // STEPS
            rate = fill(server, first, last)
            took = Looks(server, last).take()
            held.append(server.memory("VmRSS"))
            print(f"{last} objects: {rate:.0f} puts a second, {held[-1] >> 20} MiB held, lists in ms {took}", flush=True)
        pages = server.boto3("s3", "Admin").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        assert [found["Key"] for page in pages for found in page["Contents"]] == keys(count)
        held.append(server.memory("VmRSS"))
        print(f"after a list of all: {held[-1] >> 20} MiB held", flush=True)
        assert max(held) < held[STEPS // 2 - 1] + MORE, held
        server.assert_unharmed()
        assert server.stop() == 0
    finally:
        server.end()
