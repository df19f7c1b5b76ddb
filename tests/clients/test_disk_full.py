"""A disk that fills up: requests that need it fail clearly, nothing acknowledged is lost, and room makes all well."""

import os

import openai
import pytest

import journal
from disks import fill, small_disk
from serving import MODEL

SERVER_ERRORS = {500, 503, 507}


@pytest.fixture(name="small_disk")
def disk_of_its_own(tmp_path):
    with small_disk(tmp_path / "disk", "48m") as folder:
        yield folder


def ask(server, **settings):
    settings = {"model": MODEL, "input": "What is the capital of France?", "temperature": 0, "max_output_tokens": 24} | settings
    return server.openai().responses.create(**settings)


def test_a_full_disk(make_moho, small_disk):
    server = make_moho(small_disk / "data")
    server.log = small_disk.parent / "moho.log"
    server.start()
    kept = [ask(server) for _ in range(3)]
    filler = fill(small_disk)

    failed = 0
    for _ in range(200):
        try:
            kept.append(ask(server, input="Fill the last page. " * 20))
        except openai.APIStatusError as refused:
            failed += 1
            assert refused.status_code in SERVER_ERRORS, refused
            assert refused.type == "server_error"
            assert "No space" not in refused.message and str(small_disk) not in refused.message
        if failed == 5:
            break
    assert failed == 5, "the disk was never full"
    assert "panicked" not in server.log_text()

    # A stream, too, ends in a failure and never looks complete.
    try:
        events = list(ask(server, stream=True))
    except openai.APIError:
        pass
    else:
        assert events[-1].type == "response.failed"

    os.remove(filler)
    kept.append(ask(server))
    server.assert_unharmed()
    client = server.openai()
    for response in kept:
        assert client.responses.retrieve(response.id).to_dict() == response.to_dict()
    journal.verified_entries(server.data)

    assert server.stop() == 0
    server.start()
    for response in kept:
        assert server.openai().responses.retrieve(response.id).to_dict() == response.to_dict()
    assert ask(server).status == "completed"


def test_killed_on_a_full_disk(make_moho, small_disk):
    server = make_moho(small_disk / "data")
    server.log = small_disk.parent / "moho.log"
    server.start()
    kept = [ask(server)]
    filler = fill(small_disk)
    with pytest.raises(openai.APIStatusError):
        for _ in range(200):
            kept.append(ask(server))
    server.kill()
    os.remove(filler)
    server.start()
    for response in kept:
        assert server.openai().responses.retrieve(response.id).to_dict() == response.to_dict()
    journal.verified_entries(server.data)


def test_starting_on_a_full_disk(make_moho, small_disk):
    server = make_moho(small_disk / "data")
    server.log = small_disk.parent / "moho.log"
    filler = fill(small_disk)
    server.data.mkdir(exist_ok=True)
    server.spawn()
    assert server.process.wait(60) > 0
    assert "panicked" not in server.log_text()
    os.remove(filler)
    assert ask(server.start()).status == "completed"
