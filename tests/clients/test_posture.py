"""What moho says when it begins to serve: what is open, what is development, what bounds hold, which models answer."""

import hashlib
import json

import serving
from serving import MODEL


def posture(server) -> dict[str, list[dict]]:
    """The lines of the log that say it, by their subject."""
    lines = [json.loads(line) for line in server.log_text().splitlines()]
    said: dict[str, list[dict]] = {}
    for line in lines:
        if "posture" in line:
            said.setdefault(line["posture"], []).append(line)
    return said


def test_a_development_server_on_loopback_says_what_it_is(make_moho):
    server = make_moho(arguments=("--log-format", "json", "--drain-seconds", "7")).start()
    said = posture(server)
    [version] = said["version"]
    assert version["data"] == str(server.data) and "development" in version["message"]
    [listener] = said["listener"]
    assert (listener["level"], listener["address"], listener["exposure"]) == ("INFO", f"127.0.0.1:{server.port}", "loopback")
    [door] = said["door"]
    assert (door["level"], door["open"], door["socket"]) == ("WARN", True, str(server.data / "bootstrap.sock"))
    assert [line["level"] for line in said["attestation"]] == ["WARN"]
    [certificate] = said["certificate"]
    assert (certificate["kind"], certificate["file"]) == ("generated", str(server.authority))
    [limits] = said["limits"]
    assert limits["drain_seconds"] == 7 and limits["connections"] > 0
    [engine] = said["engine"]
    assert engine["kernels"] in ("avx512-vnni", "avx2", "portable")
    [model] = said["model"]
    assert model["model"] == MODEL and model["granted_here"]
    assert model["sha256"] == hashlib.sha256(serving.model_file().read_bytes()).hexdigest()


def test_what_others_can_reach_is_a_warning(make_moho):
    server = make_moho(models={}, arguments=("--log-format", "json", "--listen", "0.0.0.0:0")).start()
    said = posture(server)
    exposures = {line["address"].split(":")[0]: (line["level"], line["exposure"]) for line in said["listener"]}
    assert exposures == {"127.0.0.1": ("INFO", "loopback"), "0.0.0.0": ("WARN", "network")}
    [model] = said["model"]
    assert model["level"] == "WARN" and "--model" in model["message"]
