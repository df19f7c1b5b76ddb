"""A marker sent through every API rests nowhere in the clear: not in a file, not in a log line, in no common encoding."""

import subprocess
from pathlib import Path

from canary import MARKER, assert_absent, spellings, whole_files
from canary_inference import send_everywhere, send_to_bedrock, send_wrongly, send_wrongly_to_bedrock
from signing import bearer_key


def test_the_marker_rests_nowhere(make_moho):
    """With the log that a server has by itself; `test_canary_everywhere.py` has all of it."""
    server = make_moho().start()
    answers = send_everywhere(server) + send_to_bedrock(server)
    assert any(MARKER in answer for answer in answers), "the model never said the marker, so its words were not tried"
    send_wrongly(server)
    send_wrongly_to_bedrock(server)
    folders = [server.data, server.log]

    looked = assert_absent(folders, spellings(MARKER))
    assert looked > 10_000
    server.assert_unharmed()
    server.kill()
    assert_absent(folders, spellings(MARKER))
    # What the model wrote by itself, too.
    own = {f"answer {i}": answer[:60].encode() for i, answer in enumerate(answers) if len(answer) > 30}
    assert_absent(folders, own)
    server.start()
    assert server.stop() == 0
    assert_absent(folders, spellings(MARKER))


def test_no_credential_rests_in_the_clear(make_moho):
    server = make_moho(arguments=("--log", "trace")).start()
    secrets = {}
    for role in ("Admin", "Developer"):
        found = server.credentials(role)
        server.boto3("sts", role).get_caller_identity()
        key = bearer_key(found)
        with server.http({"Authorization": f"Bearer {key}"}) as http:
            assert http.get("/v1/models").status_code == 200
        secrets |= {
            f"{role}'s secret": found.secret_access_key.encode(),
            f"{role}'s token": found.session_token[20:80].encode(),
            f"{role}'s bearer key": key[-60:-4].encode(),
        }
    assert server.stop() == 0
    for path, data in whole_files([server.data, server.log]):
        for name, secret in secrets.items():
            assert secret not in data, f"{name} is in {path}"


def test_nothing_dumps_its_memory(moho):
    """No core file, and no process of the same user may read along (root may: see SECURITY.md)."""
    limits = Path(f"/proc/{moho.pid}/limits").read_text()
    assert any(line.split()[:6] == ["Max", "core", "file", "size", "0", "0"] for line in limits.splitlines())
    status = Path(f"/proc/{moho.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    # Keys are in memory that is never swapped out.
    assert moho.memory("VmLck") > 0
    stat = subprocess.run(["stat", "--format=%u", f"/proc/{moho.pid}/mem"], capture_output=True, text=True, check=True)
    assert stat.stdout.strip() == "0"
