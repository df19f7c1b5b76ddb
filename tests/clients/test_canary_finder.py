"""The canary's finder finds: a leak of each kind is planted where the canary test looks, and is found there and nowhere else.

A route or an operation without a case, and a member of one that nobody sent the marker in, is told as well.
"""

import base64
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from canary import MARKER, Places, found, spellings
from canary_cases import Routes, routes_without_case, without_case
from canary_members import Recorder, content_members, why_clear
from observing import Collector
from route_world import openai_routes, operations

# A process that holds the marker, and says when it does; it ends with its input.
HOLDER = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
held = "".join(["Quokka7", "Xylophone9", "Marmalade"])
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
        )

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
        return "\n".join(complaint for places in everywhere for complaint in found(places, spellings()))

    def close(self) -> None:
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
        script = 'import sys, tempfile; f = tempfile.TemporaryFile(dir=sys.argv[1]); f.write(b"".join([b"Quokka7", b"Xylophone9Marmalade"])); f.flush(); '
        script += 'print("held", flush=True); sys.stdin.read()'
        self.process.communicate()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", script, str(self.folder / "temporary")], **pipes, text=True)
        assert self.process.stdout.readline() == "held\n"

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
    assert not any(content_members(client_of(service), operation) for service, operation in operations() if service in ("organizations", "ec2"))
