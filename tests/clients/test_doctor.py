"""`moho doctor` and `moho version`: each fault is really made, and the cure is said; nothing is changed by looking."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

import serving
from rawnet import until
from serving import MODEL


def doctor(*arguments: str, user: int | None = None) -> subprocess.CompletedProcess:
    command = [str(serving.binary()), "doctor", *arguments]
    if user is not None:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOHO_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def findings(*arguments: str) -> tuple[int, list[dict]]:
    looked = doctor("--json", *arguments)
    report = json.loads(looked.stdout)
    assert report.keys() == {"version", "healthy", "findings"}
    assert report["healthy"] == (looked.returncode == 0)
    return looked.returncode, report["findings"]


def the(found: list[dict], check: str, word: str) -> dict:
    [one] = [finding for finding in found if finding["check"] == check and word in finding["what"]]
    assert one.keys() == {"check", "level", "what", "why", "cure"}
    return one


def settings(tmp_path: Path, **more: str) -> list[str]:
    """Settings that are all well, but for what is changed."""
    chosen = {"data": str(tmp_path / "data"), "listen": f"127.0.0.1:{serving.free_port()}", "model": f"{MODEL}={serving.model_file()}"}
    chosen |= {"bootstrap-grant": MODEL, "region": "us-east-1"} | more
    return [part for name, value in chosen.items() for part in (f"--{name}", value)]


def as_found(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")] if not path.is_socket()}


def test_a_healthy_machine_is_told_so_in_one_line_each(tmp_path):
    looked = doctor(*settings(tmp_path))
    assert looked.returncode == 0, looked.stdout + looked.stderr
    lines = looked.stdout.splitlines()
    assert all(line.startswith(("fine ", "note ", "warning ")) for line in lines)
    subjects = {line.split()[1] for line in lines}
    assert {"settings", "listen", "certificate", "clock", "processor", "data", "disk", "model", "memory", "kernel", "swap", "limits"} <= subjects
    assert not (tmp_path / "data").exists()


def test_a_moho_that_runs_is_not_disturbed_and_no_fault(make_moho):
    server = make_moho().start()
    # The first round of the retention ends with an empty write-ahead log; until then moho itself still writes.
    [log] = server.data.glob("**/moho.sqlite-wal")
    until(lambda: log.stat().st_size == 0, "the write-ahead log is emptied")
    before = as_found(server.data)
    code, found = findings("--data", str(server.data), "--listen", f"127.0.0.1:{server.port}", "--model", f"{MODEL}={server.models[MODEL]}")
    assert code == 0, found
    assert f"process {server.pid}" in the(found, "listen", "in use by")["what"]
    assert f"process {server.pid}" in the(found, "data", "in use by")["what"]
    assert as_found(server.data) == before
    server.assert_unharmed()


def test_a_port_in_use_names_its_holder(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:{}".format(taken.getsockname()[1])
        code, found = findings(*settings(tmp_path, listen=address))
        fault = the(found, "listen", address)
        assert (code, fault["level"]) == (1, "fault")
        assert f"(process {os.getpid()})" in fault["what"] and "--listen" in fault["cure"]
        # `serve` says the same cure.
        served = subprocess.run([serving.binary(), "serve", "--data", str(tmp_path / "x"), "--listen", address], capture_output=True, text=True, check=False)
        assert served.returncode == 3 and "in use" in served.stderr and "--listen" in served.stderr


def test_models_that_do_not_load(tmp_path):
    whole = serving.model_file().read_bytes()[: 8 << 20]
    cases = {
        "absent.gguf": (None, "check the path"),
        "text.gguf": (b"hello", "GGUF"),
        "cut.gguf": (whole, "not whole"),
        "cut-header.gguf": (whole[: 64 << 10], "not whole"),
        "old.gguf": (whole[:4] + b"\x01\0\0\0" + whole[8:], "versions 2 and 3"),
    }
    for name, (text, cure) in cases.items():
        path = tmp_path / name
        if text is not None:
            path.write_bytes(text)
        code, found = findings(*settings(tmp_path, model=f"m={path}"))
        fault = the(found, "model", name)
        assert (code, fault["level"]) == (1, "fault"), name
        assert cure in fault["cure"], (name, fault)


def test_a_model_that_may_not_be_read(tmp_path):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root may become another user")
    program = Path("/tmp") / f"moho-doctor-{os.getpid()}"
    shutil.copy(serving.binary(), program)
    program.chmod(0o755)
    try:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(program), "doctor", "--data", "/tmp/nowhere"]
        looked = subprocess.run([*command, "--model", f"m={tmp_path}/m.gguf"], capture_output=True, text=True, check=False)
    finally:
        program.unlink()
    assert looked.returncode == 1
    assert "Permission denied" in looked.stdout and "let moho's user read the file" in looked.stdout


def test_certificates_that_do_not_fit(make_moho, tmp_path):
    server = make_moho().start()
    own, key, other = server.data / "tls/server.pem", server.data / "tls/server.key", server.data / "tls/ca.key"
    given = settings(tmp_path, **{"tls-certificate": str(own)})
    code, found = findings(*given, "--tls-key", str(other))
    assert (code, "key" in the(found, "certificate", "together")["cure"]) == (1, True)
    code, found = findings(*given, "--tls-key", str(key), "--name", "models.example.com")
    fault = the(found, "certificate", "is not for models.example.com")
    assert (code, fault["level"]) == (1, "fault") and "127.0.0.1" in fault["what"]
    code, found = findings(*given, "--tls-key", str(key), "--name", "127.0.0.1")
    assert (code, the(found, "certificate", "issuer")["level"]) == (0, "note")
    code, found = findings(*settings(tmp_path), "--name", "models.example.com")
    assert (code, "--tls-name models.example.com" in the(found, "certificate", "not for")["cure"]) == (1, True)


def test_settings_that_are_none(tmp_path):
    file = tmp_path / "moho.toml"
    for text, word in [
        ("[engine]\nthread = 2\n", "did you mean `engine.threads`?"),
        ("listen = 8443\n", "ADDRESS:PORT"),
        ("[limits\n", "TOML"),
        ('[tls]\nkey = "k"\n', "belong together"),
    ]:
        file.write_text(text)
        looked = doctor("--config", str(file), "--json")
        [found] = json.loads(looked.stdout)["findings"]
        assert (looked.returncode, found["level"], found["check"]) == (2, "fault", "settings")
        assert word in found["what"], found
    assert doctor("--config", str(tmp_path / "absent.toml")).returncode == 2


def test_a_clock_that_is_behind_its_own_journal(make_moho, tmp_path):
    data = tmp_path / "data"
    (data / "journal").mkdir(parents=True, mode=0o700)
    data.chmod(0o700)
    record = '{"sequence":1,"entry":{"time":"2999-01-01T00:00:00Z"}}\n'
    (data / "journal" / "journal-00000000000000000001.jsonl").write_text(record)
    code, found = findings(*settings(tmp_path))
    fault = the(found, "clock", "2999-01-01T00:00:00Z")
    assert (code, fault["level"]) == (1, "fault") and "timedatectl" in fault["cure"]


def test_a_full_and_a_read_only_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "moho-test", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        (folder / "filler").write_bytes(b"\0" * (1 << 20))
        code, found = findings(*settings(tmp_path, data=str(folder)))
        full = the(found, "disk", "takes no file")
        assert (code, full["level"]) == (1, "fault") and "make room" in full["cure"]
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        code, found = findings(*settings(tmp_path, data=str(folder)))
        assert "mount it for writing" in the(found, "disk", "takes no file")["cure"]
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_what_others_can_reach_is_a_warning(tmp_path):
    code, found = findings(*settings(tmp_path, listen="0.0.0.0:0"))
    exposed = the(found, "exposure", "0.0.0.0:0")
    assert (code, exposed["level"]) == (0, "warning") and "bootstrap door" in exposed["why"]
    assert doctor("--strict", *settings(tmp_path, listen="0.0.0.0:0")).returncode == 1


def test_a_directory_that_others_may_see(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    _, found = findings(*settings(tmp_path))
    assert "chmod 700" in the(found, "data", "mode 755")["cure"]


def test_version_says_what_this_machine_can_do():
    def said(*arguments: str) -> str:
        return subprocess.run([serving.binary(), *arguments], capture_output=True, text=True, check=True).stdout

    [line] = said("--version").splitlines()
    assert line.startswith("moho ")
    report = json.loads(said("version", "--json"))
    assert f"moho {report['version']}" == line
    assert report["kernels"][-1] == "portable"
    assert ("avx2" in report["kernels"]) == ("avx2" in Path("/proc/cpuinfo").read_text())
    assert report["linkage"] == "static"
    assert said("version").splitlines()[0] == line


def test_a_tpm_that_is_not_there_is_a_fault(tmp_path):
    code, found = findings(*settings(tmp_path, tpm=str(tmp_path / "absent")))
    assert code == 1
    assert the(found, "tpm", "cannot be used")["level"] == "fault"
