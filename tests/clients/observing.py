"""What an operator sees: the metrics page read as Prometheus reads it, and a collector that takes OTLP traces."""

import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving import Moho

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
PATIENCE_SECONDS = 60


def metrics_url(server: Moho) -> str:
    return json.loads((server.data / "endpoint.json").read_text())["metrics"]


def scrape(server: Moho) -> str:
    page = httpx2.get(metrics_url(server) + "/metrics", timeout=30, trust_env=False)
    assert page.status_code == 200, page.text
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return page.text


def samples(page: str) -> dict[tuple, float]:
    """Each sample by its name and labels."""
    found = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            key = (name, *sorted(LABEL.findall(labels or "")))
            assert key not in found, f"twice: {line}"
            found[key] = float(value)
    return found


def value(server: Moho, name: str, **labels: str) -> float:
    return samples(scrape(server)).get((name, *sorted(labels.items())), 0.0)


def eventually(what, probe):
    """What `probe` gives, once it gives something: waiting is polling with a bound."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")


def promtool(page: str) -> tuple[int, list[str]]:
    """What Prometheus's own checker says of a page: its exit code, and its complaints."""
    tool = shutil.which("promtool")
    assert tool, "promtool is missing; on Debian: sudo apt-get install prometheus"
    checked = subprocess.run([tool, "check", "metrics"], input=page, capture_output=True, text=True, timeout=60, check=False)
    return checked.returncode, (checked.stdout + checked.stderr).splitlines()


class Collector:
    """An OTLP/HTTP collector. It keeps the spans it was sent, and every byte of them."""

    def __init__(self, certificate: Path | None = None, key: Path | None = None):
        self.raw: list[bytes] = []
        self.problems: list[str] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path != "/v1/traces" or self.headers["content-type"] != "application/x-protobuf":
                    collector.problems.append(f"{self.path} {self.headers['content-type']}")
                collector.raw.append(body)
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def spans(self) -> list:
        assert not self.problems, self.problems
        found = []
        for body in list(self.raw):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found.extend(scope.spans)
        return found


def plain(value):
    """An attribute's value as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind)


def attributes(span) -> dict:
    return {each.key: plain(each.value) for each in span.attributes}
