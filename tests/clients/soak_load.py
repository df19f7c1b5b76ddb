"""Everything at once for a while: nobody is served wrongly, and the server does not hold more and more.

A minute by default; ten with MOHO_SOAK=full (`cargo xtask soak load`), or as many seconds as it says. The crowd is a
program of its own (`benches/src/load`), in Rust, so that it leaves the processor to the server.
"""

import json
import os
import subprocess

from serving import MODEL, binary

FULL, SHORT = 600, 60


def seconds() -> int:
    asked = os.environ.get("MOHO_SOAK", "")
    return FULL if asked == "full" else int(asked or SHORT)


def test_memory_is_flat_under_load(make_moho):
    server = make_moho().start()
    load = os.environ.get("MOHO_LOAD") or binary().with_name("soak-load")
    asked = {"address": f"127.0.0.1:{server.port}", "authority": server.authority, "model": MODEL, "process": server.pid, "seconds": seconds()}
    command = [str(load), *(part for name, value in asked.items() for part in (f"--{name}", str(value)))]
    crowd = subprocess.run(
        command, input=server.credentials().bearer_token, capture_output=True, text=True, timeout=seconds() + 300, check=False
    )
    if crowd.stdout:
        print(json.dumps(json.loads(crowd.stdout), indent=1), flush=True)
    assert crowd.returncode == 0, crowd.stderr
    server.assert_unharmed()
    assert server.stop() == 0
    assert "panic" not in server.log_text()
