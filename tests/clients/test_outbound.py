"""What leaves a server: replies, and nothing that its settings do not name.

The server runs in a network of its own with a route to everywhere, where every packet is seen: while it starts, loads a
model, serves, idles and stops.
"""

import subprocess
import sys

import pytest

from private import CLIENT, PORT, SERVER, WORK, Networks, isolated, known_to
from serving import MODEL

NAMED = 4318
STRAY = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("192.0.2.53", 53))
for address in (("127.0.0.1", 9), ("192.0.2.1", 443)):
    line = socket.socket()
    line.setblocking(False)
    line.connect_ex(address)
"""


@pytest.fixture
def networks():
    made = Networks()
    yield made
    made.close()


def left(seen: list[dict]) -> list[dict]:
    """What went out, replies of the private endpoint and the search for the client's address aside."""
    reply = {"interface": "cable", "kind": "tcp", "from": SERVER, "source": PORT, "to": CLIENT}
    out = [packet for packet in seen if packet["leaves"] and packet["kind"] != "arp"]
    return [packet for packet in out if not reply.items() <= packet.items()]


def test_the_watch_sees_whatever_leaves(networks):
    with networks.watched() as seen:
        networks.on_server(sys.executable, "-c", STRAY)
    strays = {(packet["interface"], packet["kind"], packet["to"], packet["target"]) for packet in left(seen)}
    assert {("world", "udp", "192.0.2.53", 53), ("world", "tcp", "192.0.2.1", 443), ("lo", "tcp", "127.0.0.1", 9)} <= strays


def test_nothing_leaves_but_replies(networks, tmp_path):
    with networks.watched() as seen:
        with isolated(networks, tmp_path) as server:
            done = networks.ask(WORK, model=MODEL, **known_to(server))
            assert done["tokens"] > 0 and done["stored"] and done["streamed"]
            networks.ask(WORK, model=MODEL, **known_to(server, "Admin"))
            assert server.stop() == 0
    replies = [packet for packet in seen if packet["leaves"] and packet.get("source") == PORT]
    assert len(replies) > 20, "the watch saw the work"
    assert left(seen) == []


def test_what_the_settings_name_is_all_that_is_called(networks, tmp_path):
    collector = f"http://{CLIENT}:{NAMED}"
    with networks.watched() as seen:
        with isolated(networks, tmp_path, "--otlp-endpoint", collector) as server:
            networks.ask(WORK, model=MODEL, **known_to(server))
            server.stop()
    called = {(packet["interface"], packet["kind"], packet["to"], packet.get("target")) for packet in left(seen)}
    assert called == {("cable", "tcp", CLIENT, NAMED)}


def test_doctor_calls_nobody(networks, tmp_path):
    with isolated(networks, tmp_path) as server, networks.watched() as seen:
        command = [*server.within, server.command()[len(server.within)], "doctor", "--data", str(server.data), "--config", str(server.file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        said = done.stdout + done.stderr
        assert f"{SERVER}:{PORT} is in use by the moho" in said and "there is no public listener" in said, said
    assert left(seen) == []
