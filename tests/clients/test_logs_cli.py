"""Logs as somebody reads them who types `aws logs`."""

import json
import secrets
import subprocess
import time

import pytest

SERVICE_ERROR = (255, 254)


@pytest.fixture
def aws(moho, tmp_path):
    """Runs `aws logs …`; gives what came of it."""
    environment = moho.aws_environment(tmp_path, moho.credentials("Admin"))

    def run(*arguments) -> subprocess.CompletedProcess:
        command = ["aws", "logs", *arguments, "--output", "json"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def told(aws):
    """The same, of what has to succeed; gives what it says."""

    def run(*arguments) -> dict:
        finished = aws(*arguments)
        assert finished.returncode == 0, (arguments, finished.stderr)
        return json.loads(finished.stdout or "{}")

    return run


def test_a_group_from_its_beginning_to_its_end(aws, told, tmp_path):
    group = f"/typed/{secrets.token_hex(4)}"
    told("create-log-group", "--log-group-name", group, "--tags", "team=blue")
    told("create-log-stream", "--log-group-name", group, "--log-stream-name", "one")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": f"line {number} of {'ERROR' if number == 3 else 'INFO'}"} for number in range(5)]
    batch = tmp_path / "events.json"
    batch.write_text(json.dumps(events))
    place = ("--log-group-name", group, "--log-stream-name", "one")
    put = told("put-log-events", *place, "--log-events", f"file://{batch}")
    assert len(put["nextSequenceToken"]) == 56
    told("put-log-events", *place, "--log-events", f"timestamp={now + 9},message=short", "--sequence-token", put["nextSequenceToken"])
    found = told("filter-log-events", "--log-group-name", group, "--filter-pattern", "ERROR")
    assert [event["message"] for event in found["events"]] == ["line 3 of ERROR"]
    every = told("filter-log-events", "--log-group-name", group, "--page-size", "2")
    assert [event["message"] for event in every["events"]][-1] == "short" and len(every["events"]) == 6
    got = told("get-log-events", *place, "--start-from-head", "--limit", "2")
    assert [event["message"] for event in got["events"]] == ["line 0 of INFO", "line 1 of INFO"]
    told("put-retention-policy", "--log-group-name", group, "--retention-in-days", "7")
    described = told("describe-log-groups", "--log-group-name-prefix", group)["logGroups"][0]
    assert (described["retentionInDays"], described["storedBytes"] > 0) == (7, True)
    assert told("list-tags-for-resource", "--resource-arn", described["logGroupArn"])["tags"] == {"team": "blue"}
    streams = told("describe-log-streams", "--log-group-name", group, "--order-by", "LastEventTime", "--descending")
    assert streams["logStreams"][0]["lastEventTimestamp"] == now + 9
    told("delete-log-group", "--log-group-name", group)
    gone = aws("filter-log-events", "--log-group-name", group)
    assert gone.returncode in SERVICE_ERROR and "(ResourceNotFoundException)" in gone.stderr


def test_debians_cli_tails_a_group(moho, told, tmp_path):
    """Version 2, which Debian has: `logs tail` is not in the other one."""
    group = f"/typed/{secrets.token_hex(4)}"
    told("create-log-group", "--log-group-name", group)
    told("create-log-stream", "--log-group-name", group, "--log-stream-name", "one")
    now = int(time.time() * 1000)
    for number, text in enumerate(("ERROR first", "INFO second", "ERROR third")):
        event = f"timestamp={now + number},message={text}"
        told("put-log-events", "--log-group-name", group, "--log-stream-name", "one", "--log-events", event)
    environment = moho.aws_environment(tmp_path, moho.credentials("Admin"))

    def tail(*arguments) -> list[str]:
        command = ["/usr/bin/aws", "--endpoint-url", moho.url, "logs", "tail", group, "--since", "1h", "--format", "short", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split(" ", 1)[1] for line in done.stdout.splitlines()]

    assert tail() == ["ERROR first", "INFO second", "ERROR third"]
    assert tail("--filter-pattern", "ERROR") == ["ERROR first", "ERROR third"]
    told("delete-log-group", "--log-group-name", group)
