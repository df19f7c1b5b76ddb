"""A client that leaves takes its sequence with it: nobody waits for words that nobody reads."""

import json
import threading

import httpx2
import pytest

from serving import MODEL, Moho

# An answer that cannot be short: the schema does not let the model stop.
ENDLESS = {"type": "array", "items": {"type": "integer"}, "minItems": 100_000}
FORM = {"type": "json_schema", "name": "numbers", "schema": ENDLESS, "strict": True}
LONG = {"model": MODEL, "input": "Count.", "text": {"format": FORM}, "max_output_tokens": 8000}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server that runs one sequence at a time, so that one left behind would hold up the next for minutes."""
    server = Moho(tmp_path_factory.mktemp("narrow") / "data", arguments=("--sequences", "1"))
    try:
        yield server.start()
    finally:
        server.end()


def short_answer(server):
    with server.http(server.bearer(), timeout=30) as http:
        answer = http.post("/v1/responses", json={"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False})
    assert answer.status_code == 200, answer.text


def leave_after(server, deltas: int) -> str:
    """Starts a long stream, reads some of it and closes the connection; gives the response's id."""
    with server.http(server.bearer()) as http, http.stream("POST", "/v1/responses", json=LONG | {"stream": True}) as answer:
        assert answer.status_code == 200
        seen, name = 0, ""
        for line in answer.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                name = name or event["response"]["id"]
                seen += event["type"] == "response.output_text.delta"
            if name and seen >= deltas:
                return name
    raise AssertionError("the stream ended early")


@pytest.mark.parametrize("deltas", [0, 1, 20])
def test_leaving_a_stream(narrow, deltas):
    for _ in range(3):
        left = leave_after(narrow, deltas)
        short_answer(narrow)
        # Nobody was told that it was complete, so nothing of it was kept.
        with narrow.http(narrow.bearer()) as http:
            assert http.get(f"/v1/responses/{left}").status_code == 404
    narrow.assert_unharmed()


def test_leaving_before_the_answer_begins(narrow):
    for _ in range(3):
        with narrow.http(narrow.bearer(), timeout=1) as http, pytest.raises(httpx2.ReadTimeout):
            http.post("/v1/responses", json=LONG)
        short_answer(narrow)
    narrow.assert_unharmed()


def test_leaving_the_queue(narrow):
    """Those who wait for their turn and leave are not served after they have gone."""
    with narrow.http(narrow.bearer()) as http, http.stream("POST", "/v1/responses", json=LONG | {"stream": True}) as answer:
        lines = answer.iter_lines()
        next(lines)
        for _ in range(4):
            with narrow.http(narrow.bearer(), timeout=1) as waiting, pytest.raises(httpx2.ReadTimeout):
                waiting.post("/v1/responses", json=LONG)
    short_answer(narrow)
    narrow.assert_unharmed()


CHAT_FORM = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": ENDLESS, "strict": True}}
CHOICES = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Count."}],
    "response_format": CHAT_FORM,
    "max_tokens": 8000,
    "n": 4,
}


def test_leaving_several_choices(narrow):
    """The one that runs and those that wait all end."""
    for _ in range(3):
        body = CHOICES | {"stream": True}
        with narrow.http(narrow.bearer()) as http, http.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200
            lines = (line for line in answer.iter_lines() if line.startswith("data: "))
            for _ in range(8):
                next(lines)
        short_answer(narrow)
        with narrow.http(narrow.bearer(), timeout=1) as http, pytest.raises(httpx2.ReadTimeout):
            http.post("/v1/chat/completions", json=CHOICES)
        short_answer(narrow)
    narrow.assert_unharmed()


def test_choices_are_refused_together(make_moho):
    """Room is asked for all of them before the first is taken, and more than ever fit are told so."""
    server = make_moho(arguments=("--sequences", "1", "--queue", "4")).start()
    running, enough = threading.Event(), threading.Event()

    def read_on():
        """An answer that is read keeps its place."""
        with server.http(server.bearer()) as http, http.stream("POST", "/v1/responses", json=LONG | {"stream": True}) as answer:
            for line in answer.iter_lines():
                if "response.output_text.delta" in line:
                    running.set()
                if enough.is_set():
                    return

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        assert running.wait(60)
        for stream in (False, True):
            with server.http(server.bearer(), timeout=30) as http:
                never = http.post("/v1/chat/completions", json=CHOICES | {"stream": stream, "n": 8})
                later = http.post("/v1/chat/completions", json=CHOICES | {"stream": stream, "n": 3})
            assert never.status_code == 400, never.text
            assert never.json()["error"]["param"] == "n"
            assert later.status_code in (429, 503), later.text
            assert int(later.headers["retry-after"]) > 0
            assert later.json()["error"]["message"]
    finally:
        enough.set()
        reader.join()
    short_answer(server)
    # With nobody before them, three fit: one has the place, and two wait.
    with server.http(server.bearer(), timeout=60) as http:
        answer = http.post("/v1/chat/completions", json=CHOICES | {"max_tokens": 8, "n": 3})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"]) == 3
    server.assert_unharmed()
