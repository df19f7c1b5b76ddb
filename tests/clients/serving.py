"""A `moho serve` of the tests' own, and the real clients pointed at it.

Started as a user would start it, from the binary in `MOHO_BINARY` with the model in `MOHO_TEST_MODEL`; it is asked for
everything from outside. Waiting is polling with a bound, and only for a server to be ready or gone.
"""

import itertools
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import httpx2
from botocore.config import Config
from openai import AsyncOpenAI, OpenAI

MODEL = "smollm2-135m-instruct"
UNGRANTED = "ungranted"
START_SECONDS = 120
STOP_SECONDS = 60


def environment_path(*names: str) -> Path:
    for name in names:
        if os.environ.get(name):
            return Path(os.environ[name])
    raise RuntimeError(f"set {names[0]} (`cargo xtask test` does)")


def binary() -> Path:
    return environment_path("MOHO_BINARY", "MOHO_BIN")


def model_file() -> Path:
    return environment_path("MOHO_TEST_MODEL")


# Each process that runs tests has ports of its own, below those that Linux gives to connections: nobody else takes one
# before its server listens there, nor while that server is down.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = itertools.cycle(range(10_000 + 2_000 * WORKER, 12_000 + 2_000 * WORKER))


def free_port() -> int:
    for port in itertools.islice(PORTS, 2_000):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("all ports of this process are in use")


@dataclass(frozen=True)
class Credentials:
    """What `moho credentials --format json` prints."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    bearer_token: str = field(repr=False)
    region: str

    @classmethod
    def of_sts(cls, found: dict, region: str) -> "Credentials":
        """As STS gives them: without a bearer key."""
        return cls(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], "", region)

    @classmethod
    def read(cls, text: str) -> "Credentials":
        found = json.loads(text)
        names = ["AccessKeyId", "SecretAccessKey", "SessionToken", "BearerToken", "Region"]
        return cls(*(found[name] for name in names))


class Moho:
    """One server: its data folder, its port and, while it runs, its process."""

    def __init__(self, data: Path, *, models: dict[str, Path] | None = None, arguments: tuple[str, ...] = (), limits=None, **around):
        self.data = data
        self.log = data.with_name(data.name + ".log")
        self.port = free_port()
        self.models = {MODEL: model_file()} if models is None else models
        self.arguments = arguments
        self.limits = limits or {}
        # What else a process is started with: `cwd`, `env`.
        self.around = around
        self.process: subprocess.Popen | None = None
        self._credentials: dict[str, Credentials] = {}
        self._trust: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        return self.data / "ca.pem"

    @property
    def trust(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = ssl.create_default_context(cafile=self.authority)
        return self._trust

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def command(self) -> list[str]:
        models = [part for name, path in self.models.items() for part in ("--model", f"{name}={path}")]
        grants = ["--bootstrap-grant", MODEL] if MODEL in self.models else []
        serve = [str(binary()), "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]
        return [*serve, *models, *grants, *self.arguments]

    def spawn(self) -> subprocess.Popen:
        """Starts it without waiting."""

        def set_limits() -> None:
            for which, most in self.limits.items():
                resource.setrlimit(which, most if isinstance(most, tuple) else (most, most))

        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, preexec_fn=set_limits, **self.around
            )
        return self.process

    def start(self) -> "Moho":
        self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"moho ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
            # The door's client reads where the server is, which is written down last.
            if self.healthy() and (self.data / "endpoint.json").exists():
                return self
            time.sleep(0.02)
        raise RuntimeError(f"moho is not ready after {START_SECONDS} s:\n{self.log_text()[-4000:]}")

    def healthy(self) -> bool:
        if not self.authority.exists():
            return False
        try:
            return self.http().get("/healthz", timeout=5).status_code == 200
        except (httpx2.TransportError, ssl.SSLError):
            return False

    def stop(self) -> int:
        """Asks it to end, and waits."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def run_credentials(self, role: str) -> subprocess.CompletedProcess:
        command = [str(binary()), "credentials", "--data", str(self.data), "--role", role, "--format", "json"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def credentials(self, role: str = "Developer") -> Credentials:
        if role not in self._credentials:
            printed = self.run_credentials(role)
            assert printed.returncode == 0, printed.stderr
            self._credentials[role] = Credentials.read(printed.stdout)
        return self._credentials[role]

    def bearer(self, role: str = "Developer") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials(role).bearer_token}"}

    def http(self, headers: dict[str, str] | None = None, timeout: float = 120) -> httpx2.Client:
        """A plain HTTP client, which adds nothing of its own."""
        return httpx2.Client(base_url=self.url, verify=self.trust, headers=headers, timeout=timeout, trust_env=False)

    def openai(self, role: str = "Developer", prefix: str = "/v1") -> OpenAI:
        return OpenAI(
            base_url=self.url + prefix,
            api_key=self.credentials(role).bearer_token,
            http_client=httpx2.Client(verify=self.trust, timeout=120, trust_env=False),
            max_retries=0,
        )

    def async_openai(self, role: str = "Developer") -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=self.url + "/v1",
            api_key=self.credentials(role).bearer_token,
            http_client=httpx2.AsyncClient(verify=self.trust, timeout=120, trust_env=False),
            max_retries=0,
        )

    def boto3(self, service: str, role: str = "Developer"):
        found = self.credentials(role)
        return boto3.client(
            service,
            endpoint_url=self.url,
            verify=str(self.authority),
            region_name=found.region,
            aws_access_key_id=found.access_key_id,
            aws_secret_access_key=found.secret_access_key,
            aws_session_token=found.session_token,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def aws_environment(self, home: Path, credentials: Credentials | None) -> dict[str, str]:
        """The environment `moho credentials` prints for the AWS CLI, and nothing of the user's own."""
        made = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.authority),
            "AWS_REGION": self.credentials().region,
            "AWS_DEFAULT_REGION": self.credentials().region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
            "NO_PROXY": "127.0.0.1",
        }
        if credentials is not None:
            made["AWS_ACCESS_KEY_ID"] = credentials.access_key_id
            made["AWS_SECRET_ACCESS_KEY"] = credentials.secret_access_key
            made["AWS_SESSION_TOKEN"] = credentials.session_token
        return made

    def memory(self, name: str) -> int:
        """A line of /proc/PID/status in bytes, such as VmRSS or VmHWM."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"/proc/{self.pid}/status has no {name}")

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def assert_unharmed(self) -> None:
        """It runs, it is healthy, and nothing in it panicked."""
        assert self.process.poll() is None, self.log_text()[-4000:]
        assert self.healthy()
        assert "panicked" not in self.log_text()
