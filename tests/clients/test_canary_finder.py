"""The canary's finder finds: a leak of each kind is planted where the canary test looks, and is found there and nowhere else.

A route or an operation without a case, and a member of one that nobody sent the marker in, is told as well.
"""

import base64
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from canary import MARKER, Places, Shared, found, spellings, spellings_of_bytes, swapped
from canary_cases import Routes, routes_without_case, without_case
from canary_members import Recorder, content_members, why_clear
from compressed import ZSTD
from observing import Collector
from route_world import openai_routes, operations

# The marker as a program that does not have it in its text makes it.
PIECES = f'"".join({[MARKER[:7], MARKER[7:17], MARKER[17:]]})'
# A process that holds the marker, and says when it does; it ends with its input.
HOLDER = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
held = {PIECES}
print("held", flush=True)
if sys.stdin.read():
    os.abort()
"""


class Planted:
    """All the places of a server that has leaked nothing, for a leak to be put into one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.page = b"# TYPE moho_requests_total counter\nmoho_requests_total 7\n"
        self.collector = Collector()
        self.process = self.holder()
        for name in ("data", "temporary", "here", "backup"):
            (folder / name).mkdir()
        (folder / "data.log").write_text('{"level":"INFO","message":"ready"}\n')
        (folder / "data/endpoint.json").write_text('{"url":"https://127.0.0.1:8443"}')
        self.database = sqlite3.connect(folder / "data/moho.sqlite")
        self.database.executescript("PRAGMA page_size = 512; CREATE TABLE object (id TEXT, head BLOB)")
        self.scraped = self.served()
        self.places = Places(
            [folder / name for name in ("data", "data.log", "temporary", "here", "backup")],
            lambda: self.process.pid,
            {"the metrics page": lambda: httpx2.get(self.scraped.url, trust_env=False).content},
            [self.collector],
            shared=Shared("/dev/shm", "/tmp"),
        )
        self.elsewhere: list[Path] = []

    def holder(self, *arguments: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLDER, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        started = subprocess.Popen(command, **pipes, cwd=self.folder, env=os.environ | environment, text=True)
        assert started.stdout.readline() == "held\n"
        return started

    def served(self) -> ThreadingHTTPServer:
        planted = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(planted.page)))
                self.end_headers()
                self.wfile.write(planted.page)

            def log_message(self, *_) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        return server

    def restart(self, *arguments: str, **environment: str) -> None:
        self.process.communicate()
        self.process = self.holder(*arguments, **environment)

    def where(self) -> str:
        """Every complaint there is."""
        everywhere = (self.places.at_rest(), self.places.going_out(), self.places.in_databases())
        assert self.places.in_swap() == []
        return "\n".join(complaint for places in everywhere for complaint in found(places, spellings()))

    def close(self) -> None:
        for path in self.elsewhere:
            path.unlink()
        self.process.communicate()
        self.database.close()
        self.collector.close()
        self.scraped.shutdown()
        self.scraped.server_close()

    # The leaks.

    def in_a_file(self) -> None:
        (self.folder / "data/objects").mkdir()
        (self.folder / "data/objects/0123").write_bytes(os.urandom(4096) + MARKER.encode() + os.urandom(100))

    def in_a_name(self) -> None:
        (self.folder / "data" / f"{MARKER}.tmp").touch()

    def in_the_log(self) -> None:
        with (self.folder / "data.log").open("a") as log:
            log.write(json.dumps({"level": "TRACE", "body": list(MARKER.encode())}) + "\n")

    def in_the_endpoint_file(self) -> None:
        (self.folder / "data/endpoint.json").write_text(json.dumps({"last": base64.b64encode(b"??" + MARKER.encode()).decode()}))

    def in_a_page(self) -> None:
        self.database.execute("INSERT INTO object VALUES ('a', ?)", [MARKER])
        self.database.commit()

    def across_pages(self) -> None:
        """So that it stands whole in no page: only SQLite can put it together."""
        self.database.execute("PRAGMA secure_delete = ON")
        for at in range(400, 1000):
            self.database.execute("DELETE FROM object")
            self.database.execute("INSERT INTO object VALUES ('a', ?)", [b"x" * at + MARKER.encode() + b"x" * (1500 - at)])
            self.database.commit()
            if MARKER.encode() not in (self.folder / "data/moho.sqlite").read_bytes():
                return
        raise AssertionError("it was never split")

    def in_the_write_ahead_log(self) -> None:
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA wal_autocheckpoint = 0")
        self.in_a_page()
        assert MARKER.encode() not in (self.folder / "data/moho.sqlite").read_bytes()

    def in_a_metric(self) -> None:
        self.page += f'moho_requests_total{{model="{MARKER.lower()}"}} 1\n'.encode()

    def in_a_trace(self) -> None:
        body = ExportTraceServiceRequest()
        body.resource_spans.add().scope_spans.add().spans.add(name=f"chat {MARKER}")
        httpx2.post(f"{self.collector.url}/v1/traces", content=body.SerializeToString(), headers={"content-type": "application/x-protobuf"})

    def in_a_reply(self) -> None:
        self.places.replies.append(("the reply to s3:GetObject", f"<Message>{MARKER} is not yours</Message>".encode()))

    def in_a_temporary_file(self) -> None:
        (self.folder / "temporary/.tmpAb12").write_bytes(MARKER.encode())

    def in_a_file_without_a_name(self) -> None:
        """Deleted, and still open."""
        script = f'import sys, tempfile; f = tempfile.TemporaryFile(dir=sys.argv[1]); f.write({PIECES}.encode()); f.flush(); '
        script += 'print("held", flush=True); sys.stdin.read()'
        self.process.communicate()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", script, str(self.folder / "temporary")], **pipes, text=True)
        assert self.process.stdout.readline() == "held\n"

    def in_a_file_elsewhere(self) -> None:
        """In no folder that is looked into, but open to be written."""
        (self.folder / "elsewhere").mkdir()
        script = f'import sys; f = open(sys.argv[1], "wb", 0); f.write({PIECES}.encode()); '
        script += 'print("held", flush=True); sys.stdin.read()'
        self.process.communicate()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", script, str(self.folder / "elsewhere/spool")], **pipes, text=True)
        assert self.process.stdout.readline() == "held\n"

    def in_a_shared_folder(self, folder: str) -> None:
        path = Path(folder) / f"etilqs_{os.urandom(8).hex()}"
        self.elsewhere.append(path)
        path.write_bytes(MARKER.encode())

    def in_shared_memory(self) -> None:
        self.in_a_shared_folder("/dev/shm")

    def in_everybodys_temporary_files(self) -> None:
        self.in_a_shared_folder("/tmp")

    def in_a_list_of_rust(self) -> None:
        """As `{:#?}` shows bytes in a field of a line of JSON: one a line, indented."""
        listed = "Body(\n    [\n" + "".join(f"        {byte},\n" for byte in MARKER.encode()) + "    ],\n)"
        with (self.folder / "data.log").open("a") as log:
            log.write(json.dumps({"level": "TRACE", "body": listed}) + "\n")

    def in_broken_base64(self) -> None:
        wrapped = base64.encodebytes(b"x" * 45 + MARKER.encode())
        assert all(spelling not in wrapped for name, spelling in spellings().items() if name.startswith("base64"))
        (self.folder / "here/mail").write_bytes(wrapped)

    def in_a_compressed_log(self) -> None:
        (self.folder / "data/moho.log.1.gz").write_bytes(gzip.compress(b"{}\n" * 100 + MARKER.encode()))

    def in_the_middle_of_a_compressed_stream(self) -> None:
        """In a file of something else, and not ended yet."""
        packing = zlib.compressobj()
        packed = packing.compress(b"trace " * 1000 + MARKER.encode()) + packing.flush(zlib.Z_SYNC_FLUSH)
        (self.folder / "data/spans").write_bytes(os.urandom(1000) + packed + os.urandom(1000))

    def in_a_frame_of_zstd(self) -> None:
        if ZSTD.library is None:
            pytest.skip("there is no zstd here")
        packed = ZSTD.compress(b"trace " * 1000 + MARKER.encode())
        (self.folder / "backup/moho.zst").write_bytes(os.urandom(100) + packed + os.urandom(100))

    def in_a_backup(self) -> None:
        (self.folder / "backup/moho.backup").write_bytes(MARKER.encode("utf-16-le"))

    def in_the_environment(self) -> None:
        self.restart(LAST_PROMPT=MARKER)

    def in_the_arguments(self) -> None:
        self.restart(MARKER)

    def in_a_core(self) -> None:
        """The whole memory of a process, as the kernel writes it, or as a debugger would where the kernel may not."""
        memory = b"".join(pieces_of_memory(self.process.pid))
        assert MARKER.encode() in memory
        (self.folder / "here/core").write_bytes(memory)


def pieces_of_memory(pid: int):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(address, 16) for address in span.split("-"))
                memory.seek(start)
                yield memory.read(end - start)


@pytest.fixture
def planted(tmp_path):
    with closing(Planted(tmp_path)) as planted:
        assert planted.where() == "", "there is nothing yet"
        yield planted


LEAKS: dict[Callable[[Planted], None], str] = {
    Planted.in_a_file: "plain is in {folder}/data/objects/0123",
    Planted.in_a_name: f"plain is in {{folder}}/data/{MARKER}.tmp",
    Planted.in_the_log: "decimal, apart is in {folder}/data.log",
    Planted.in_the_endpoint_file: "base64 at 2 is in {folder}/data/endpoint.json",
    Planted.in_a_page: "plain is in {folder}/data/moho.sqlite",
    Planted.across_pages: "plain is in {folder}/data/moho.sqlite, table object",
    Planted.in_the_write_ahead_log: "plain is in {folder}/data/moho.sqlite-wal",
    Planted.in_a_metric: "any case is in the metrics page",
    Planted.in_a_trace: "plain is in a trace",
    Planted.in_a_reply: "plain is in the reply to s3:GetObject",
    Planted.in_a_temporary_file: "plain is in {folder}/temporary/.tmpAb12",
    Planted.in_a_file_without_a_name: " (deleted)",
    Planted.in_a_file_elsewhere: "plain is in the process's {folder}/elsewhere/spool",
    Planted.in_shared_memory: "plain is in /dev/shm/etilqs_",
    Planted.in_everybodys_temporary_files: "plain is in /tmp/etilqs_",
    Planted.in_a_list_of_rust: "decimal is in {folder}/data.log",
    Planted.in_broken_base64: "base64 at 0 is in {folder}/here/mail",
    Planted.in_a_compressed_log: "plain is in {folder}/data/moho.log.1.gz, gzip",
    Planted.in_the_middle_of_a_compressed_stream: "plain is in {folder}/data/spans, zlib",
    Planted.in_a_frame_of_zstd: "plain is in {folder}/backup/moho.zst, zstd",
    Planted.in_a_backup: "UTF-16 is in {folder}/backup/moho.backup",
    Planted.in_the_environment: "plain is in the process's environ",
    Planted.in_the_arguments: "plain is in the process's cmdline",
    Planted.in_a_core: "plain is in {folder}/here/core",
}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_planted_leak_is_found(planted, leak):
    leak(planted)
    where = planted.where()
    assert LEAKS[leak].format(folder=planted.folder) in where, where
    # Each complaint is about this leak.
    place = LEAKS[leak].format(folder=planted.folder).split(" is in ")[-1].split(",")[0].removesuffix("-wal")
    assert all(place in complaint for complaint in where.splitlines()), where


def test_every_spelling_is_found(tmp_path):
    for name, spelling in spellings().items():
        (tmp_path / "it").write_bytes(b"before" + spelling + b"after")
        assert any(complaint.startswith(f"{name} is in ") for complaint in found(Places([tmp_path]).at_rest(), spellings())), name
    (tmp_path / "it").write_bytes(MARKER[:-1].encode())
    assert found(Places([tmp_path]).at_rest(), spellings()) == []


def test_every_spelling_of_bytes_is_found_wherever_it_begins():
    """Base32 and base64 depend on what is before them."""
    for before in range(10):
        for encode in (base64.b64encode, base64.b32encode, base64.urlsafe_b64encode, lambda data: base64.b32encode(data).lower()):
            assert found([("it", encode(os.urandom(before) + MARKER.encode() + os.urandom(7)))], spellings()), before
    secret = bytes(range(250, 256)) + os.urandom(26)
    spelt = spellings_of_bytes(secret)
    listed = ", ".join(f"{byte:#04x}" for byte in secret)
    for told in (secret.hex(":"), listed, listed.upper().replace("X", "x"), f"{list(secret)}", json.dumps(list(secret), indent=7)):
        assert found([("it", told.encode())], spelt), told


def test_what_is_in_swap_is_told():
    assert swapped(b"VmRSS:\t 1 kB\nVmSwap:\t       12 kB\n") == 12 << 10
    assert swapped(b"VmSwap:\t       0 kB\n") == 0


def test_what_is_refused_of_one_service_excuses_no_other():
    recorder = Recorder()
    recorder.refused["logs", "PutLogEvents"] |= {"message"}
    assert any("`message`" in complaint for complaint in complaints_about("logs", "PutLogEvents", recorder))
    recorder.refused["bedrock-agent", "CreatePrompt"] |= {"description"}
    assert any("`description`" in complaint for complaint in complaints_about("bedrock-agent", "CreatePrompt", recorder))


def test_a_process_that_dumps_its_memory_would_be_seen():
    """Where the kernel writes cores beside the process, one with the marker is written and found."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    with tempfile.TemporaryDirectory() as folder, closing(Planted(Path(folder))) as planted:
        planted.process.communicate("end")
        assert planted.process.returncode == -6
        cores = list(planted.folder.glob("core*"))
        planted.process = planted.holder()
        if "/" in pattern or pattern.startswith("|"):
            assert not cores
        else:
            assert found(Places(cores).at_rest(), spellings())


def client_of(service: str):
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


def complaints_about(service: str, operation: str, recorder: Recorder | None = None) -> list[str]:
    return list(without_case(recorder or Recorder(), client_of, [(service, operation)]))


def test_a_route_without_a_case_is_told():
    routes = Routes(httpx2.Client(), "/v1")
    routes.done = {"POST /v1/known": {200}, "GET /v1/refused": {404}}
    assert routes_without_case([("POST", "/v1/known")], [routes]) == []
    for method, path in (("POST", "/v1/new"), ("GET", "/v1/refused")):
        assert len(routes_without_case([(method, path)], [routes])) == 1
    assert len(routes_without_case(openai_routes(), [routes])) == len(openai_routes())


def test_an_operation_without_a_case_is_told():
    assert complaints_about("iam", "DeleteRole") == ["iam:DeleteRole was never asked: give it a case"]
    # Asked, but with nothing in what can carry content; answered, but not with all of it; refused.
    recorder = Recorder()
    recorder.answered["iam", "UploadSSHPublicKey"] |= set()
    assert "`SSHPublicKeyBody`" in complaints_about("iam", "UploadSSHPublicKey", recorder)[0]
    recorder.refused["kms", "Encrypt"] |= {"Plaintext", "EncryptionContext"}
    assert len(complaints_about("kms", "Encrypt", recorder)) == 2
    recorder.answered["kms", "Encrypt"] |= {"Plaintext"}
    assert "`EncryptionContext`" in complaints_about("kms", "Encrypt", recorder)[0]
    recorder.answered["kms", "Encrypt"] |= {"EncryptionContext"}
    assert complaints_about("kms", "Encrypt", recorder) == []
    # What no answered request can have is to be refused with it.
    recorder.answered["iam", "CreateSAMLProvider"] |= set()
    assert complaints_about("iam", "CreateSAMLProvider", recorder) == ["iam:CreateSAMLProvider: no request had the marker in `AddPrivateKey`"]


def test_most_members_are_names_and_what_is_not_is_content():
    assert content_members(client_of("logs"), "PutLogEvents") >= {"message"}
    assert content_members(client_of("s3"), "PutObject") >= {"Body", "Metadata", "ContentType"}
    clear = [(service, member) for service, member in (("iam", "RoleName"), ("iam", "Value"), ("kms", "KeyId"), ("s3", "Key"))]
    assert all(why_clear(service, member) for service, member in clear)
    assert not any(content_members(client_of(service), operation) for service, operation in operations() if service in ("organizations", "ec2", "cloudtrail"))
