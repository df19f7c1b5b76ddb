"""`kill -9` under load, again and again: no acknowledged response is lost, nothing is corrupted.

A tenth of the rounds by default; all of them with MOHO_SOAK=full (`cargo xtask soak kill`), or as many as it says.
"""

import json
import os
import random
import threading

import httpx2

import journal
from serving import MODEL, Moho

FULL, SHORT = 30, 3
CLIENTS = 4


def rounds() -> int:
    asked = os.environ.get("MOHO_SOAK", "")
    return FULL if asked == "full" else int(asked or SHORT)


class Ledger:
    """What the server has acknowledged."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: dict[str, dict] = {}
        self.deleted: set[str] = set()
        # Deletions that were asked for when the server was killed: either outcome is right.
        self.unsure: set[str] = set()
        self.faults: list[str] = []

    def keep(self, response: dict) -> int:
        with self.lock:
            self.kept[response["id"]] = response
            return len(self.kept)

    def one_to_delete(self, chance: random.Random) -> str | None:
        with self.lock:
            if not self.kept or chance.random() > 0.2:
                return None
            victim = chance.choice(sorted(self.kept))
            del self.kept[victim]
            self.unsure.add(victim)
            return victim

    def delete(self, victim: str) -> None:
        with self.lock:
            self.unsure.discard(victim)
            self.deleted.add(victim)


def work(server: Moho, ledger: Ledger, seed: int, enough: threading.Event, target: int) -> None:
    """One client: asks, now and then deletes, until the server is gone."""
    chance = random.Random(seed)
    try:
        with server.http(server.bearer(), timeout=60) as http:
            while True:
                ask = {"model": MODEL, "input": f"Say {seed}.", "max_output_tokens": 16, "metadata": {"seed": str(seed)}}
                if chance.random() < 0.5:
                    answer = http.post("/v1/responses", json=ask)
                    if answer.status_code != 200:
                        ledger.faults.append(answer.text)
                        return
                    response = answer.json()
                else:
                    response = streamed(http, ask)
                if ledger.keep(response) >= target:
                    enough.set()
                if victim := ledger.one_to_delete(chance):
                    if http.delete(f"/v1/responses/{victim}").status_code != 200:
                        ledger.faults.append(f"{victim} could not be deleted")
                    ledger.delete(victim)
    except httpx2.TransportError:
        return


def streamed(http: httpx2.Client, ask: dict) -> dict:
    """The response object of the last event: with it the response is acknowledged."""
    with http.stream("POST", "/v1/responses", json=ask | {"stream": True}) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                event = json.loads(line.removeprefix("data: "))
                if event["type"] in ("response.completed", "response.incomplete"):
                    return event["response"]
    raise httpx2.RemoteProtocolError("the stream ended without its last event")


def check(server: Moho, ledger: Ledger) -> None:
    with server.http(server.bearer()) as http:
        for name, response in ledger.kept.items():
            found = http.get(f"/v1/responses/{name}")
            assert found.status_code == 200, f"{name} was acknowledged and is gone: {found.text}"
            assert found.json() == response, f"{name} is not what was acknowledged"
        for name in ledger.deleted:
            assert http.get(f"/v1/responses/{name}").status_code == 404, f"{name} is back"
        for name in ledger.unsure:
            assert http.get(f"/v1/responses/{name}").status_code in (200, 404), f"{name} is neither there nor gone"


def test_no_acknowledged_response_is_lost(make_moho):
    server, ledger = make_moho().start(), Ledger()
    chance = random.Random(20_261_122)
    for number in range(1, rounds() + 1):
        enough = threading.Event()
        target = len(ledger.kept) + chance.randint(1, 24)
        server.credentials()
        clients = [
            threading.Thread(target=work, args=(server, ledger, number * 100 + i, enough, target), daemon=True) for i in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        assert enough.wait(300), "the load never got through"
        server.kill()
        for client in clients:
            client.join(60)
            assert not client.is_alive()
        assert not ledger.faults, ledger.faults
        server.start()
        check(server, ledger)
        entries = journal.verified_entries(server.data)
        print(f"round {number}: {len(ledger.kept)} kept, {len(ledger.deleted)} deleted, {len(entries)} journal entries", flush=True)
    assert "panicked" not in server.log_text()
    assert server.stop() == 0
    server.start()
    check(server, ledger)
