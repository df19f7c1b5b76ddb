"""What a second start finds again, and what it refuses to touch."""

import socket

import openai
import pytest

import journal
from serving import MODEL


def ask(server, **settings):
    settings = {"model": MODEL, "input": "What is the capital of France?", "temperature": 0, "max_output_tokens": 40} | settings
    return server.openai().responses.create(**settings)


def identity(server):
    found = server.boto3("sts").get_caller_identity()
    return found["Account"], found["Arn"].split("/")[1]


def test_a_second_start_reuses_everything(make_moho):
    server = make_moho().start()
    first, account = ask(server), identity(server)
    authority = server.authority.read_bytes()
    gone = ask(server)
    server.openai().responses.delete(gone.id)
    assert server.stop() == 0
    before = journal.verified_entries(server.data)

    server.start()
    assert server.authority.read_bytes() == authority
    # Credentials of before the stop are stateless, so they live on; so does what was stored.
    assert identity(server) == account
    client = server.openai()
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(gone.id)
    second = ask(server, input="And of Italy?", previous_response_id=first.id)
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens
    # New credentials are of the same account and role.
    server._credentials.clear()
    assert identity(server) == account
    assert journal.verified_entries(server.data)[: len(before)] == before
    assert server.stop() == 0


def test_stopping_lets_requests_end(make_moho):
    server = make_moho().start()
    stream = server.openai().responses.create(
        model=MODEL, input="Tell me a story.", max_output_tokens=100, temperature=0, stream=True
    )
    assert next(stream).type == "response.created"
    server.process.terminate()
    last = list(stream)[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert server.process.wait(60) == 0
    server.start()
    assert server.openai().responses.retrieve(last.response.id).id == last.response.id


def test_who_finds_it_answering_after_a_kill_finds_the_door(make_moho):
    server = make_moho().start()
    server.kill()
    published = server.data / "endpoint.json"
    stale = published.read_text().replace("{", '{"stale": true,', 1)
    published.write_text(stale)
    server.spawn()
    while not server.healthy():
        assert server.process.poll() is None, server.log_text()
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(server.data / "bootstrap.sock"))
    assert server.run_credentials("Admin").returncode == 0
    assert "stale" not in published.read_text()


def test_one_server_per_folder(make_moho):
    server = make_moho().start()
    second = make_moho(server.data)
    second.log = server.log.with_suffix(".second")
    second.spawn()
    assert second.process.wait(60) > 0
    assert "panicked" not in second.log_text()
    assert ask(server).status == "completed"
    server.assert_unharmed()


def test_a_changed_journal_is_not_written_on(make_moho):
    server = make_moho().start()
    ask(server)
    assert server.stop() == 0
    [path] = journal.files(server.data)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"outcome":"allow"', b'"outcome":"deny!"', 1))
    server.spawn()
    assert server.process.wait(60) == 5
    assert "journal" in server.log_text()
    path.write_bytes(whole)
    assert ask(server.start()).status == "completed"


def test_without_its_root_key_nothing_opens(make_moho):
    server = make_moho().start()
    first = ask(server)
    assert server.stop() == 0
    [key] = server.data.glob("**/root.key")
    assert key.stat().st_mode & 0o777 == 0o600
    kept = key.read_bytes()
    key.write_bytes(bytes(byte ^ 1 for byte in kept))
    server.spawn()
    try:
        assert server.process.wait(20) > 0
    finally:
        server.end()
    key.write_bytes(kept)
    server.start()
    assert server.openai().responses.retrieve(first.id).id == first.id


def test_nothing_in_the_folder_is_for_others_to_read(moho):
    moho.credentials()
    for path in moho.data.rglob("*"):
        if path.name != "ca.pem" and not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, path
