"""Private endpoints for the tests: certificates of clients, a server with endpoints, and networks that only the tests are in.

A network is a namespace of the kernel's. Where this user may make one, as root of the machine, it is made so; else in a
user namespace, which any user may be root of. There is no third way, and no test is left out: without either it fails.
"""

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from serving import Moho

ENDPOINT, FOREIGN, SOCKET = "vpce-0a1b2c3d4e5f60718", "vpce-0f00d00d00d00d00d", "vpce-0a1b2c3d"
VPC, FOREIGN_VPC = "vpc-0a1b2c3d4e5f60718", "vpc-0f00d00d"
NOBODY = "999999999999"
SERVER, CLIENT, ELSEWHERE, PORT = "10.77.0.1", "10.77.0.2", "10.78.0.1", 8443


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class ClientAuthority:
    """An authority for certificates of clients, and one of them."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "ClientAuthority":
        folder.mkdir()
        made = cls(folder)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        ends = ["-days", "2", "-subj"]
        openssl("req", "-x509", *curve, "-keyout", str(folder / "ca.key"), "-out", str(made.authority), *ends, "/CN=clients of a test")
        openssl("req", *curve, "-keyout", str(made.key), "-out", str(folder / "request.pem"), "-subj", "/CN=a client")
        (folder / "client.cnf").write_text("extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n")
        signing = ["-CA", str(made.authority), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-extfile", str(folder / "client.cnf")]
        openssl("x509", "-req", "-in", str(folder / "request.pem"), *signing, "-out", str(made.certificate), "-days", "2")
        return made

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "client.pem"

    @property
    def key(self) -> Path:
        return self.folder / "client.key"

    def shown_to(self, server_authority: Path) -> ssl.SSLContext:
        """What a client with the certificate needs."""
        context = ssl.create_default_context(cafile=server_authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


def settings(clients: ClientAuthority, endpoints: dict[str, tuple[str, str, list[str]]], public: str | None) -> str:
    """A settings file: endpoints by id, each with its place, its network and its accounts."""
    text = f"listen = [{'' if public is None else repr(public)}]\n"
    for name, (place, vpc, accounts) in endpoints.items():
        text += f"[endpoints.'{name}']\nlisten = '{place}'\nvpc = '{vpc}'\nclient_ca = '{clients.authority}'\n"
        if accounts:
            text += f"accounts = {accounts}\n"
    return text


class PrivateMoho(Moho):
    """A server whose addresses stand in a settings file; it is looked at by a private endpoint."""

    def __init__(self, data: Path, *, file: Path, clients: ClientAuthority, url: str, within: list[str] | None = None, **options):
        super().__init__(data, **options)
        self.file, self.clients, self.private_url = file, clients, url
        self.within = within or []

    def command(self) -> list[str]:
        plain = super().command()
        at = plain.index("--listen")
        return [*self.within, *plain[:at], *plain[at + 2 :], "--config", str(self.file)]

    @property
    def trust(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = self.clients.shown_to(self.authority)
        return self._trust

    def http(self, headers: dict[str, str] | None = None, timeout: float = 120) -> httpx2.Client:
        return httpx2.Client(base_url=self.private_url, verify=self.trust, headers=headers, timeout=timeout, trust_env=False)

    def healthy(self) -> bool:
        if not self.within:
            return super().healthy()
        # Nobody out here reaches it; it says itself that it serves.
        return self.process.poll() is None and (self.data / "endpoint.json").exists()


class Networks:
    """Two networks with one cable between them, and nothing else: the server's and the client's."""

    def __init__(self):
        self.holders: list[subprocess.Popen] = []
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        assert shutil.which("ip") and shutil.which("unshare") and shutil.which("nsenter"), "install iproute2 and util-linux"
        self.root = os.geteuid() == 0 and subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
        outer = ["unshare", "--net"] if self.root else ["unshare", "--user", "--map-root-user", "--net"]
        self.server = self._hold(outer)
        self.client = self._hold([*self.inside(self.server), "unshare", "--net"])
        self.on_server("ip", "link", "add", "cable", "type", "veth", "peer", "name", "socket", "netns", str(self.client))
        for run, name, address in ((self.on_server, "cable", SERVER), (self.on_client, "socket", CLIENT)):
            # No neighbour discovery: whatever leaves then, somebody sent.
            run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 || true")
            run("ip", "link", "set", "lo", "up")
            run("ip", "address", "add", f"{address}/24", "dev", name)
            run("ip", "link", "set", name, "up")
        # Packets to anywhere else have a way to leave by, so that they would be seen.
        self.on_server("ip", "link", "add", "world", "type", "veth", "peer", "name", "beyond", "netns", str(self.client))
        self.on_client("ip", "link", "set", "beyond", "up")
        # Nobody answers there, so nobody is searched for first.
        self.on_server("ip", "link", "set", "world", "arp", "off")
        self.on_server("ip", "address", "add", f"{ELSEWHERE}/24", "dev", "world")
        self.on_server("ip", "link", "set", "world", "up")
        self.on_server("ip", "route", "add", "default", "dev", "world")
        self.on_client("ip", "route", "add", f"{ELSEWHERE}/32", "via", SERVER)

    def _hold(self, command: list[str]) -> int:
        """A process that does nothing but be in a new network: its id."""
        script = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
        holder = subprocess.Popen([*command, sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.holders.append(holder)
        said = holder.stdout.readline()
        assert said, "this machine lets nobody make a network namespace, neither root nor `unshare --user`"
        return int(said)

    def inside(self, process: int) -> list[str]:
        user = [] if self.root else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(process), *user, "--net"]

    def on_server(self, *command: str) -> str:
        return self._run(self.server, command)

    def on_client(self, *command: str) -> str:
        return self._run(self.client, command)

    def _run(self, process: int, command: tuple[str, ...]) -> str:
        done = subprocess.run([*self.inside(process), *command], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, script: str, **said) -> dict:
        """Runs a script on the client's side; what it is told and what it answers is JSON."""
        return json.loads(self.on_client(sys.executable, "-c", script, json.dumps(said)))

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[dict]]:
        """Every packet of the server's network, in a list that is filled once this ends."""
        script = str(Path(__file__).with_name("packets.py"))
        watcher = subprocess.Popen(
            [*self.inside(self.server), sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        seen: list[dict] = []
        try:
            assert watcher.stdout.readline() == "watching\n"
            yield seen
        finally:
            said, _ = watcher.communicate(timeout=60)
            seen += [json.loads(line) for line in said.splitlines()]

    def close(self) -> None:
        for holder in reversed(self.holders):
            holder.stdin.close()
            holder.wait(60)


def until_ready(server: PrivateMoho, seconds: float = 120) -> PrivateMoho:
    """Starts a server that nobody out here reaches."""
    server.spawn()
    deadline = time.monotonic() + seconds
    while not server.healthy():
        assert server.process.poll() is None and time.monotonic() < deadline, server.log_text()[-4000:]
        time.sleep(0.02)
    return server


@contextlib.contextmanager
def isolated(networks: Networks, folder: Path, *arguments: str) -> Iterator[PrivateMoho]:
    """A server in a network of its own, whose only way in is a private endpoint."""
    clients = ClientAuthority.make(folder / "clients")
    file = folder / "moho.toml"
    endpoints = {ENDPOINT: (f"{SERVER}:{PORT}", VPC, []), SOCKET: (f"unix:{folder}/private.sock", VPC, [])}
    file.write_text(settings(clients, endpoints, None))
    within = networks.inside(networks.server)
    url = f"https://{SERVER}:{PORT}"
    server = PrivateMoho(folder / "data", file=file, clients=clients, url=url, within=within, arguments=arguments)
    try:
        yield until_ready(server)
    finally:
        server.end()


def known_to(server: PrivateMoho, role: str = "Developer") -> dict:
    """What a script on the client's side has to know."""
    found = server.credentials(role)
    return {
        "url": server.private_url,
        "ca": str(server.authority),
        "certificate": [str(server.clients.certificate), str(server.clients.key)],
        "credentials": {
            "aws_access_key_id": found.access_key_id,
            "aws_secret_access_key": found.secret_access_key,
            "aws_session_token": found.session_token,
            "region_name": found.region,
        },
        "bearer": found.bearer_token,
    }


WORK = """
import json, sys
import boto3, httpx2, ssl
from botocore.config import Config
told = json.loads(sys.argv[1])
def client(service):
    config = Config(client_cert=tuple(told["certificate"]), proxies={}, retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=told["url"], verify=told["ca"], config=config, **told["credentials"])
answer = client("bedrock-runtime").converse(
    modelId=told["model"], messages=[{"role": "user", "content": [{"text": "Hello"}]}], inferenceConfig={"maxTokens": 8}
)
trust = ssl.create_default_context(cafile=told["ca"])
trust.load_cert_chain(*told["certificate"])
with httpx2.Client(base_url=told["url"], verify=trust, headers={"Authorization": "Bearer " + told["bearer"]}, trust_env=False, timeout=120) as http:
    asked = {"model": told["model"], "input": "Hello", "max_output_tokens": 16}
    made = http.post("/v1/responses", json=asked).json()
    stored = http.get("/v1/responses/" + made["id"]).json()
    streamed = http.post("/v1/responses", json=asked | {"stream": True}).text
print(json.dumps({
    "tokens": answer["usage"]["outputTokens"],
    "who": client("sts").get_caller_identity()["Arn"],
    "stored": stored["id"] == made["id"],
    "streamed": "event: response." in streamed,
}))
"""
