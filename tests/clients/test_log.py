"""The journal as a transparency log, watched by a monitor on Go's `sumdb/tlog`: nobody here wrote that."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import journal
import rawnet
import serving
from serving import Moho

SOURCE = Path(__file__).parent / "log-monitor" / "main.go"
# Where Debian keeps what Go programs import.
GOPATH = "/usr/share/gocode"


@pytest.fixture(scope="module")
def monitor(tmp_path_factory):
    """Runs the monitor: its exit status and what it said."""
    folder = tmp_path_factory.mktemp("monitor")
    program = folder / "log-monitor"
    around = os.environ | {"GOPATH": GOPATH, "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", program, SOURCE], check=True, env=around, timeout=300)

    def run(*arguments) -> subprocess.CompletedProcess:
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Moho(tmp_path_factory.mktemp("log") / "data", models={})
    try:
        yield made.start()
        made.assert_unharmed()
    finally:
        made.end()


def path(level: str, index: int, width: int) -> str:
    digits = f"{index:03d}" if index < 1000 else f"x{index // 1000:03d}/{index % 1000:03d}"
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < 256 else "")


def paths(size: int) -> list[str]:
    found = []
    for level in ("0", "1", "entries"):
        count = size // 256 if level == "1" else size
        found += [path(level, index, min(256, count - 256 * index)) for index in range(-(-count // 256))]
    return found


def fetched(server: Moho, name: str) -> bytes:
    # Without any credentials.
    with server.http() as http:
        answer = http.get(f"/v1/log/{name}")
    assert answer.status_code == 200, (name, answer.text)
    return answer.content


def size_of(checkpoint: bytes) -> int:
    return int(checkpoint.split(b"\n")[1])


def mirrored(server: Moho, folder: Path) -> Path:
    """All of the log as it is now, as files."""
    folder.mkdir()
    checkpoint = fetched(server, "checkpoint")
    (folder / "checkpoint").write_bytes(checkpoint)
    for name in paths(size_of(checkpoint)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(fetched(server, name))
    return folder


def grown(server: Moho, entries: int) -> None:
    """The log has at least so many entries, all of them published."""
    kms = server.boto3("kms", "Admin")
    while len(journal.verified_records(server.data)) < entries:
        kms.list_keys()
    there = len(journal.verified_records(server.data))
    rawnet.until(lambda: size_of(fetched(server, "checkpoint")) >= there, "all entries are published")


def test_a_monitor_of_others_follows_the_log(server, monitor, tmp_path):
    grown(server, 300)
    key = fetched(server, "key").decode().strip()
    first = mirrored(server, tmp_path / "first")
    seen = monitor(key, first)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert int(seen.stdout) >= 300
    grown(server, 600)
    second = mirrored(server, tmp_path / "second")
    seen = monitor(key, second, first / "checkpoint")
    assert (seen.returncode, seen.stderr) == (0, "")


def test_entries_are_the_digests_of_records(server):
    grown(server, 3)
    size = size_of(fetched(server, "checkpoint"))
    bundle = fetched(server, path("entries", 0, min(size, 256)))
    served = [bundle[at + 2 : at + 66].decode() for at in range(0, len(bundle), 66)]
    lines = (server.data / "journal" / "journal-00000000000000000001.jsonl").read_bytes().splitlines()
    for line, entry in zip(lines, served, strict=False):
        assert hashlib.sha256(line[: line.rindex(b',"digest"')]).hexdigest() == entry
        assert json.loads(line)["digest"] == entry


def test_what_was_altered_is_found_by_a_monitor(server, monitor, tmp_path):
    grown(server, 520)
    key = fetched(server, "key").decode().strip()
    for number, name in enumerate((path("entries", 0, 256), path("0", 1, 256), path("1", 0, 2))):
        folder = mirrored(server, tmp_path / str(number))
        victim = folder / name if (folder / name).exists() else next(folder.glob("tile/1/000*/*"))
        altered = bytearray(victim.read_bytes())
        altered[40] ^= 1
        victim.write_bytes(altered)
        assert monitor(key, folder).returncode == 1, name
    folder = mirrored(server, tmp_path / "signed")
    note = (folder / "checkpoint").read_text()
    size = note.split("\n")[1]
    (folder / "checkpoint").write_text(note.replace(f"\n{size}\n", f"\n{int(size) - 1}\n"))
    assert monitor(key, folder).returncode == 1


def test_proofs_lead_to_the_checkpoint(server):
    grown(server, 300)

    def climb(proof: dict) -> bytes:
        """RFC 9162, 2.1.3.2."""
        at, last, found = proof["index"], proof["size"] - 1, base64.b64decode(proof["entry_hash"])
        for neighbour in map(base64.b64decode, proof["path"]):
            if at % 2 or at == last:
                found = hashlib.sha256(b"\x01" + neighbour + found).digest()
                while at % 2 == 0 and at:
                    at, last = at // 2, last // 2
            else:
                found = hashlib.sha256(b"\x01" + found + neighbour).digest()
            at, last = at // 2, last // 2
        assert last == 0
        return found

    records = journal.verified_records(server.data)
    for position in (1, 2, 255, 256, 257, 300):
        proof = json.loads(fetched(server, f"inclusion?position={position}"))
        line = (server.data / "journal" / "journal-00000000000000000001.jsonl").read_bytes().splitlines()[position - 1]
        digest = json.loads(line)["digest"].encode()
        assert base64.b64decode(proof["entry_hash"]) == hashlib.sha256(b"\x00" + digest).digest()
        assert base64.b64encode(climb(proof)).decode() == proof["checkpoint"].split("\n")[2]
    assert len(records) >= 300


def verify(server: Moho, *arguments) -> subprocess.CompletedProcess:
    """`moho verify log` of the server's journal."""
    key = fetched(server, "key").decode().strip() if server.process.poll() is None else arguments[0]
    rest = arguments if server.process.poll() is None else arguments[1:]
    command = [serving.binary(), "verify", "log", server.data / "journal", "--key", key, *rest]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)


def everything(folder) -> dict:
    """All that is in a folder, and when each was changed last."""
    inside = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    return inside | {".": folder.stat().st_mtime_ns}


def test_moho_holds_a_journal_to_what_it_said(make_moho, tmp_path):
    server = make_moho(models={}).start()
    grown(server, 20)
    earlier = tmp_path / "earlier"
    earlier.write_bytes(fetched(server, "checkpoint"))
    grown(server, 300)
    # Beside the one that writes it.
    found = verify(server, "--against", earlier, "--json")
    said = json.loads(found.stdout)
    assert found.returncode == 0, found.stderr
    assert said["accepted"] and said["size"] >= 300 and said["records"][0] == 1
    assert verify(server, "--records", "100-200").stdout.startswith("accepted: records 100 to 200 of moho/log/")
    key = fetched(server, "key").decode().strip()
    other = key[:-6] + ("AAAAA=" if not key.endswith("AAAAA=") else "BBBBB=")
    for wrong in (("--key", other), ("--records", "7-3-1"), ("--against", tmp_path / "absent"), ("--witness", key)):
        assert verify(server, *wrong).returncode == 2, wrong
    assert verify(server, "--records", "1-99999999").returncode == 1
    server.stop()

    # On a copy that may only be read, of which nothing is changed.
    copy = shutil.copytree(server.data / "journal", tmp_path / "copy")
    for path in (*copy.iterdir(), copy):
        path.chmod(0o500 if path == copy else 0o400)
    before = everything(copy)
    # Whoever may do everything is kept from that here, too.
    unable = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    for some in ([], ["--records", "100-200"]):
        command = [*unable, serving.binary(), "verify", "log", copy, "--key", key, *some]
        found = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
        assert found.returncode == 0, (some, found.stderr)
        assert everything(copy) == before
    copy.chmod(0o700)

    file = server.data / "journal" / "journal-00000000000000000001.jsonl"
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    for fault, altered in {
        "rolled back": b"".join(lines[:-1]),
        "broken": b"".join(lines[:50] + lines[51:]),
        "forked": b"".join(rechained(lines[:50] + lines[51:])),
    }.items():
        file.write_bytes(altered)
        found = verify(server, key, "--against", earlier, "--json")
        assert found.returncode == 1, fault
        assert fault in json.loads(found.stdout)["reason"], (fault, found.stdout)
        assert fault in found.stderr
    file.write_bytes(whole)
    assert verify(server, key, "--against", earlier).returncode == 0


def rechained(lines: list[bytes]) -> list[bytes]:
    """Records whose numbers and digests are made to fit again, as somebody with the file could; as many as there were."""
    made, previous = [], "0" * 64
    for number, line in enumerate((*lines, lines[-1]), start=1):
        entry = line[line.index(b'"entry":') : line.rindex(b',"digest"')].decode()
        body = f'{{"sequence":{number},"previous":"{previous}",{entry}'
        previous = hashlib.sha256(body.encode()).hexdigest()
        made.append(f'{body},"digest":"{previous}"}}\n'.encode())
    return made


@pytest.mark.parametrize(
    "name",
    [
        "tile/0/999", "tile/0/00", "tile/9/000", "tile/entries/000.p/0", "tile/0/x000/000", "inclusion", "inclusion?position=0",
        "inclusion?position=999999999", "inclusion?position=+1", "inclusion?position=1&size=3", "consistency?old=99999999", "consistency?old=-1", "nothing", "",
    ],
)
def test_what_is_not_there_is_not_found(server, name):
    with server.http() as http:
        assert http.get(f"/v1/log/{name}").status_code in (401, 404)


def test_it_goes_on_as_the_same_log_after_a_kill_and_a_restart(server, monitor, tmp_path):
    grown(server, 30)
    key = fetched(server, "key")
    before = mirrored(server, tmp_path / "before")
    server.kill()
    server.start()
    grown(server, len(journal.verified_records(server.data)) + 5)
    assert fetched(server, "key") == key
    after = mirrored(server, tmp_path / "after")
    seen = monitor(key.decode().strip(), after, before / "checkpoint")
    assert (seen.returncode, seen.stderr) == (0, "")


def test_a_journal_that_was_cut_does_not_start(make_moho):
    server = make_moho(models={}).start()
    grown(server, 20)
    assert server.stop() == 0
    file = server.data / "journal" / "journal-00000000000000000001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(RuntimeError, match="were signed"):
        server.start()
    file.write_bytes(b"".join(lines))
    server.start()


def test_a_log_whose_checkpoint_is_missing_does_not_start_until_it_is_put_back(make_moho):
    server = make_moho(models={}).start()
    grown(server, 20)
    key = fetched(server, "key")
    server.stop()
    checkpoint = server.data / "journal" / "checkpoint"
    note = checkpoint.read_bytes()
    checkpoint.unlink()
    before = everything(server.data / "journal")
    with pytest.raises(RuntimeError, match="`checkpoint` beside it is missing"):
        server.start()
    assert everything(server.data / "journal") == before
    command = [serving.binary(), "doctor", "--json", "--data", server.data]
    looked = json.loads(subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False).stdout)
    [found] = [found for found in looked["findings"] if found["check"] == "journal"]
    assert found["level"] == "fault" and "move `log` away" in found["what"], found
    checkpoint.write_bytes(note)
    server.start()
    assert fetched(server, "key") == key
    server.stop()
    # Without its name it is another one, with all its records, which says so.
    checkpoint.unlink()
    (server.data / "journal" / "log").unlink()
    server.start()
    assert fetched(server, "key") != key
    [begun] = [entry for entry in journal.verified_entries(server.data) if entry.get("action") == "moho:BeginLog"]
    assert begun["reason"] == "new-log" and fetched(server, "key").decode().startswith("moho/" + begun["resource"].split(":", 5)[5])
