"""The systemd unit: it is well formed, it is tight, moho runs inside its sandbox, and says what `Type=notify` waits for."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import sandbox
import serving
from serving import MODEL, Moho

DEPLOY = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = DEPLOY / "moho.service"
INSTALLED = "/usr/local/bin/moho"
# Tenths of systemd's own exposure level: 0 is tight, 100 is open. What is left is the network, which a server needs.
EXPOSURE = 15
NOBODY = 65534

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd's tools are not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def unit(tmp_path) -> Path:
    """The unit, with the binary where it is here."""
    path = tmp_path / "moho.service"
    path.write_text(UNIT.read_text().replace(INSTALLED, str(serving.binary().resolve())))
    return path


@needs_systemd
def test_systemd_understands_the_unit(unit):
    verified = analyze("verify", "--man=no", str(unit))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@needs_systemd
def test_the_unit_is_tight(unit):
    judged = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(unit))
    assert judged.returncode == 0, judged.stdout


def test_the_unit_fits_what_moho_does():
    said = sandbox.directives(UNIT)
    serve = subprocess.run([serving.binary(), "serve", "--help"], capture_output=True, text=True, check=True).stdout
    [start] = said["ExecStart"]
    program, command, *flags = start.split()
    assert (program, command) == (INSTALLED, "serve")
    assert all(flag in serve for flag in flags if flag.startswith("--"))
    # Requests get 30 s to end, and 5 s for their last words.
    assert int(said["TimeoutStopSec"][0]) > 30 + 5
    assert (said["Type"], said["KillSignal"], said["CapabilityBoundingSet"]) == (["notify"], ["SIGTERM"], [""])


def test_the_example_settings_are_settings():
    """What the example says can be understood, also with its examples switched on."""
    text = (DEPLOY / "moho.toml").read_text()
    live = text.replace("# smollm2", "smollm2").replace("# [tls]", "[tls]").replace("# certificate =", "certificate =").replace("# key =", "key =")
    for number, settings in enumerate((text, live)):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(settings)
            file.flush()
            looked = subprocess.run([serving.binary(), "doctor", "--config", file.name], capture_output=True, text=True, check=False)
            assert looked.returncode in (0, 1), (number, looked.stdout)
            assert "fine    settings" in looked.stdout


@needs_systemd
def test_the_user_and_the_folders_are_made(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may make users")
    (tmp_path / "etc").mkdir()
    made = subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(DEPLOY / "moho.sysusers")], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    [line] = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("moho:")]
    assert line.endswith(":/var/lib/moho:/usr/sbin/nologin")
    made = subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(DEPLOY / "moho.tmpfiles")], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "var/lib/moho-models").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "etc/moho").stat().st_mode & 0o777 == 0o750


def test_the_service_manager_hears_when_moho_serves_lives_and_stops(make_moho, tmp_path, monkeypatch):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(serving.START_SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        server = make_moho()
        server.spawn()
        monkeypatch.delenv("NOTIFY_SOCKET")

        def heard_until(word: str) -> list[str]:
            words = []
            while not words or word not in words[-1].splitlines():
                words.append(manager.recv(4096).decode())
            return words

        loading = heard_until("READY=1")
        assert any(said.startswith("EXTEND_TIMEOUT_USEC=") and f"loading {MODEL}" in said for said in loading)
        assert loading[-1] == "READY=1\nSTATUS=serving 1 models"
        # It says so once it serves, not before.
        assert server.healthy()
        heard_until("WATCHDOG=1")
        heard_until("WATCHDOG=1")
        server.process.send_signal(signal.SIGTERM)
        heard_until("STOPPING=1")
        assert server.process.wait(serving.STOP_SECONDS) == 0


class Sandboxed(Moho):
    """A server in the unit's sandbox, with all that it needs in one folder: binary, model, data."""

    def __init__(self, folder: Path, user: int | None):
        self.folder, self.user = folder, user
        self.program = Path(shutil.copy(serving.binary(), folder / "moho"))
        model = Path(shutil.copy(serving.model_file(), folder / "model.gguf"))
        super().__init__(folder / "state" / "data", models={MODEL: model})
        self.log = folder / "moho.log"
        self.data.mkdir(parents=True)
        if user is not None:
            os.chown(self.data, user, user)
            os.chown(self.data.parent, user, user)
        self.data.chmod(0o700)

    def command(self) -> list[str]:
        _, *rest = super().command()
        return sandbox.wrapped(UNIT, self.data.parent, [str(self.program), *rest], self.user)

    def run_credentials(self, role: str) -> subprocess.CompletedProcess:
        command = [str(self.program), "credentials", "--data", str(self.data), "--role", role, "--format", "json"]
        if self.user is not None:
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def open_folder():
    """A folder that every user can pass, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="moho-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def inside(folder: Path, user: int | None, program: str) -> subprocess.CompletedProcess:
    """A Python program in the same sandbox."""
    command = ["/usr/bin/env", "python3", "-c", program]
    return subprocess.run(sandbox.wrapped(UNIT, folder, command, user), capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
def test_the_sandbox_is_one(open_folder):
    """What the unit forbids is really refused here, so that the next test means something."""
    forbidden = {
        "a netlink socket": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "a mount": "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); os._exit(0 if c.mount(b'x', b'/', b'tmpfs', 0, None) == 0 else 9)",
        "a new owner": "import os; os.chown('/tmp', 0, 0)",
        "writable code": "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
    }
    user = NOBODY if sandbox.can_wrap() else None
    assert inside(open_folder, user, "print('alive')").stdout == "alive\n"
    for name, program in forbidden.items():
        assert inside(open_folder, user, program).returncode != 0, name
    if user is not None:
        assert "Read-only file system" in inside(open_folder, user, "open('/var/tmp/moho-test', 'w')").stderr
        assert "CapBnd:\t0000000000000000" in inside(open_folder, user, "print(open('/proc/self/status').read())").stdout


@needs_systemd
def test_moho_serves_inside_the_units_sandbox(open_folder):
    server = Sandboxed(open_folder, NOBODY if sandbox.can_wrap() else None)
    try:
        server.start()
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
        client = server.openai()
        answer = client.responses.create(model=MODEL, input="What is the capital of France?", temperature=0, max_output_tokens=24)
        assert "Paris" in answer.output_text
        assert client.responses.retrieve(answer.id).output_text == answer.output_text
        assert server.boto3("sts").get_caller_identity()["Account"]
        assert server.stop() == 0
        # A second start finds what the first one kept.
        server.start()
        assert server.openai().responses.retrieve(answer.id).output_text == answer.output_text
        server.assert_unharmed()
        assert "not permitted" not in server.log_text(), server.log_text()
    finally:
        server.end()
