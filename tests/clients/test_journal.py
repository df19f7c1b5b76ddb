"""Every decision is in the journal, allowed or not, with the request id that the client was given."""

import journal
from serving import MODEL, UNGRANTED


def test_allow_deny_and_strangers_are_written_down(moho):
    ask = {"model": MODEL, "input": "Hi!", "max_output_tokens": 16}
    with moho.http(moho.bearer()) as http, moho.http() as stranger:
        allowed = http.post("/v1/responses", json=ask)
        denied = http.post("/v1/responses", json=ask | {"model": UNGRANTED})
        unknown = stranger.post("/v1/responses", json=ask)
    assert (allowed.status_code, denied.status_code, unknown.status_code) == (200, 403, 401)
    entries = journal.verified_entries(moho.data)

    mine = journal.of_request(entries, allowed.headers["x-request-id"])
    assert {entry["outcome"] for entry in mine} == {"allow"}
    assert {"bedrock-mantle:CreateInference", "kms:GenerateDataKey", "bedrock-mantle:CallWithBearerToken"} <= {entry["action"] for entry in mine}
    for entry in mine:
        assert ":assumed-role/Developer/" in entry["principal"]
        assert entry["access_key_id"] == moho.credentials().access_key_id
        assert (entry["scheme"], entry["source_ip"]) == ("bearer", "127.0.0.1")

    last = journal.of_request(entries, denied.headers["x-request-id"])[-1]
    assert (last["outcome"], last["action"]) == ("deny", "bedrock-mantle:CreateInference")
    assert last["resource"].endswith(UNGRANTED)

    [refused] = journal.of_request(entries, unknown.headers["x-request-id"])
    assert (refused["outcome"], refused["principal"]) == ("unauthenticated", None)


def test_an_unknown_model_is_decided_before_it_is_told(moho):
    ask = {"model": "no-such-model", "input": "Hi!", "max_output_tokens": 16}
    with moho.http(moho.bearer()) as http:
        unknown = http.post("/v1/responses", json=ask)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    last = journal.of_request(journal.verified_entries(moho.data), unknown.headers["x-request-id"])[-1]
    assert (last["outcome"], last["reason"]) == ("deny", "model-access")


def test_the_door_is_journaled(moho):
    moho.credentials("Admin")
    scheme = {entry["scheme"] for entry in journal.verified_entries(moho.data) if entry["action"] == "sts:AssumeRole"}
    assert "bootstrap" in scheme
