"""The journal as an auditor reads it: with a JSON parser and SHA-256, and none of moho's code."""

import hashlib
import json
import re
import time
from pathlib import Path

LINE = re.compile(rb'(\{"sequence":(\d+),"previous":"([0-9a-f]{64})","entry":(\{.*\})),"digest":"([0-9a-f]{64})"\}\n')


def files(data: Path) -> list[Path]:
    found = sorted(data.glob("**/journal-*.jsonl"))
    assert found, f"no journal in {data}"
    return found


def whole(path: Path) -> bytes:
    """A file up to a line's end: who reads while moho writes may see one page of a line before the next."""
    deadline = time.monotonic() + 10
    while (found := path.read_bytes()) and not found.endswith(b"\n") and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def verified_entries(data: Path) -> list[dict]:
    """Every decision, after checking that the chain is whole from the first to the last byte."""
    return [entry for entry in verified_records(data) if "kind" not in entry]


def events(data: Path, kind: str = "data-event") -> list[dict]:
    """What came of calls, or was done or found by itself, checked likewise."""
    return [entry for entry in verified_records(data) if entry.get("kind") == kind]


def verified_records(data: Path) -> list[dict]:
    """Decisions and events in their order."""
    entries, previous = [], b"0" * 64
    for path in files(data):
        for line in whole(path).splitlines(keepends=True):
            found = LINE.fullmatch(line)
            assert found, (path, line)
            body, sequence, before, entry, digest = found.groups()
            assert int(sequence) == len(entries) + 1
            assert before == previous
            assert hashlib.sha256(body).hexdigest().encode() == digest
            entries.append(json.loads(entry))
            previous = digest
    return entries


def of_request(entries: list[dict], request_id: str) -> list[dict]:
    return [entry for entry in entries if entry["request_id"] == request_id]
