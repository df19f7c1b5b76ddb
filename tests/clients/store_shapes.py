"""What objects, uploads, conversations and prompts are as their owner sees them from outside, and a change of them.

Things are named by tuples, of which the first word is the kind: `("object", bucket, key)`, `("upload", bucket, key, id)`,
`("conversation", id)` and `("prompt", name)`. A shape is all of a thing that can be seen: it can be compared, and is never half of another.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import botocore.exceptions

from soaking import ask

MIB = 1 << 20
# What the server calls something is known once it has answered.
UNKNOWN = "?"
# Small ones rest in the database, and large ones in files of one or more chunks.
SIZES = (0, 1, 1000, 64 << 10, (64 << 10) + 1, 200_000, MIB, MIB + 1, 3 * MIB + 5)
WEIGHTS = (1, 2, 8, 2, 2, 4, 2, 2, 1)


@dataclass(frozen=True)
class Content:
    """Bytes that can be made again from little."""

    seed: int
    size: int

    def bytes(self) -> bytes:
        return random.Random(self.seed).randbytes(self.size)


def digest(*pieces: bytes) -> str:
    return f"{sum(map(len, pieces))} bytes, {hashlib.sha256(b''.join(pieces)).hexdigest()[:16]}"


@dataclass(frozen=True)
class Version:
    """One version of an object: what it is called, and what it is. A delete marker has no digest."""

    name: str
    digest: str | None
    note: str = ""
    tags: frozenset = frozenset()


@dataclass
class Change:
    """A call, and what things are after it."""

    name: str
    call: Callable
    arguments: dict
    after: dict[tuple, object]
    # What to note of the answer, once there is one.
    then: Callable[[dict], None] = field(default=lambda answer: None)


def fits(found, expected, before) -> bool:
    """Whether what was found is the shape that was expected, in which some names may be unknown: new ones fit, known ones do not."""
    if not isinstance(expected, tuple) or not isinstance(found, tuple) or len(found) != len(expected):
        return found == expected
    known = {getattr(one, "name", None) for one in before or ()}
    for one, other in zip(found, expected, strict=True):
        if getattr(other, "name", "") == UNKNOWN:
            is_new = one.name not in known or one.name == "null"
            if not is_new or (one.digest, one.note, one.tags) != (other.digest, other.note, other.tags):
                return False
        elif one != other:
            return False
    return True


def shown(shape):
    """A shape as `Seen` tells it: of an object, the newest version, then older versions, then older markers."""
    if not isinstance(shape, tuple) or not all(isinstance(one, Version) for one in shape):
        return shape
    return (*shape[:1], *sorted(shape[1:], key=lambda version: version.digest is None))


class Seen:
    """Things as they are, by every call that shows a part of them."""

    def __init__(self, s3, http=None, agent=None):
        self.s3, self.http, self.agent = s3, http, agent
        self.prompts: dict[str, str] = {}

    def of(self, thing: tuple):
        kinds = {"object": self.an_object, "upload": self.an_upload, "conversation": self.a_conversation, "prompt": self.a_prompt}
        return kinds[thing[0]](*thing[1:])

    def an_object(self, bucket: str, key: str) -> tuple:
        """Its versions as `shown` orders them."""
        listed = ask(self.s3.list_object_versions, Bucket=bucket, Prefix=key)
        entries = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
        entries = [entry for entry in entries if entry["Key"] == key]
        latest = [entry["VersionId"] for entry in entries if entry["IsLatest"]]
        assert len(latest) == (1 if entries else 0), entries
        names = [entry["VersionId"] for entry in entries]
        assert len(set(names)) == len(names), entries
        versions = [self.a_version(bucket, key, entry["VersionId"], entry.get("Size")) for entry in entries]
        # The newest is said to be it. Of the others, versions and markers come apart.
        versions.sort(key=lambda version: version.name not in latest)
        self.check_the_current(bucket, key, versions)
        return tuple(versions)

    def a_version(self, bucket: str, key: str, name: str, size: int | None) -> Version:
        if size is None:
            return Version(name, None)
        asked = {"Bucket": bucket, "Key": key, "VersionId": name}
        found = ask(self.s3.get_object, **asked)
        body = ask(found["Body"].read)
        assert len(body) == size == found["ContentLength"], (asked, len(body), size)
        if len(body) > 2:
            self.check_a_range(asked, body)
        tags = ask(self.s3.get_object_tagging, **asked)["TagSet"]
        return Version(name, digest(body), found["Metadata"].get("note", ""), frozenset((tag["Key"], tag["Value"]) for tag in tags))

    def check_a_range(self, asked: dict, body: bytes) -> None:
        first, last = len(body) // 3, len(body) * 2 // 3
        part = ask(ask(self.s3.get_object, **asked, Range=f"bytes={first}-{last}")["Body"].read)
        assert part == body[first : last + 1], (asked, first, last)

    def check_the_current(self, bucket: str, key: str, versions: list[Version]) -> None:
        """Without a version's name, the newest is meant."""
        try:
            head = ask(self.s3.head_object, Bucket=bucket, Key=key)
            assert versions[0].digest and versions[0].digest.startswith(f"{head['ContentLength']} bytes"), (key, head, versions[0])
            assert head["Metadata"].get("note", "") == versions[0].note
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "404" and (not versions or versions[0].digest is None), (key, error, versions[:1])

    def an_upload(self, bucket: str, key: str, upload: str) -> frozenset | None:
        """Its parts; nothing if there is no such upload."""
        try:
            parts = ask(self.s3.list_parts, Bucket=bucket, Key=key, UploadId=upload).get("Parts", [])
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchUpload", error
            return None
        return frozenset((part["PartNumber"], part["Size"]) for part in parts)

    def a_conversation(self, name: str) -> tuple | None:
        """Its metadata and the texts of its items, oldest first; nothing if there is none."""
        found = self.http.get(f"/v1/conversations/{name}")
        if found.status_code == 404:
            return None
        assert found.status_code == 200, found.text
        items = self.http.get(f"/v1/conversations/{name}/items", params={"order": "asc", "limit": 100})
        assert items.status_code == 200, items.text
        texts = tuple(item["content"][0]["text"] for item in items.json()["data"])
        return (tuple(sorted(found.json()["metadata"].items())), *texts)

    def prompt_id(self, name: str) -> str | None:
        """What the prompt of this name is called by the server; nothing if there is none."""
        if name not in self.prompts:
            listed = ask(self.agent.get_paginator("list_prompts").paginate().build_full_result)["promptSummaries"]
            self.prompts = {prompt["name"]: prompt["id"] for prompt in listed}
        return self.prompts.get(name)

    def a_prompt(self, name: str) -> tuple | None:
        """Its draft, and its versions from the first to the last: what each is called, and its text; nothing if there is none."""
        if not (prompt := self.prompt_id(name)):
            return None
        try:
            listed = ask(self.agent.list_prompts, promptIdentifier=prompt)["promptSummaries"]
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
            return None
        return tuple((found["version"], self.a_text(prompt, found["version"])) for found in listed)

    def a_text(self, prompt: str, version: str) -> str:
        which = {} if version == "DRAFT" else {"promptVersion": version}
        found = ask(self.agent.get_prompt, promptIdentifier=prompt, **which)
        assert found["version"] == version, found
        return found["variants"][0]["templateConfiguration"]["text"]["text"]
