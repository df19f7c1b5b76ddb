"""`kill -9` and full disks while calls are written down, digested and delivered, again and again: no acknowledged call, log
event or call of a model is lost, the log is never taken back, each event is delivered once, and AWS's own validation passes.

A tenth of the rounds by default; all of them with MOHO_SOAK=full (`cargo xtask soak audit`), or as many as it says.
"""

import json
import os
import random
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import serving
import trailing
from audit_ledger import GROUP, WATCHED, KeyUser, Ledger, LogWriter, Looker, ObjectKeeper, Reading, RoleKeeper
from disks import fill, small_disk
from invocation_logs import Logs
from serving import Moho
from soaking import Crowd, rounds
from test_invocation_logging import GROUP as CALLS_GROUP
from test_invocation_logging import STREAM, WRITING, writer

FULL, SHORT = 200, 20
# All that was acknowledged is looked for after so many rounds.
AUDITED = 20
ARGUMENTS = ("--audit-delivery-seconds", "1", "--audit-digest-seconds", "2")
TRAIL, TRAIL_BUCKET, CALLS_BUCKET = "soak", "soak-trail", "soak-calls"
SERVICES = ("kms", "iam", "s3", "logs", "cloudtrail")
# What CloudTrail is about to do, as the journal says it before it is done.
PUTS_A_LOG, PUTS_A_DIGEST = b"/CloudTrail/", b"/CloudTrail-Digest/"


class Office:
    """An account with a trail, log groups and a log of its calls of models, its callers, and all that they were told."""

    def __init__(self, data: Path, log: Path, arguments: tuple[str, ...] = ()):
        self.arguments, self.log = (*ARGUMENTS, *arguments), log
        self.server = self.made(data)
        self.server.start()
        self.ledger, self.reading = Ledger(), Reading(data)
        self.clients: dict = {}
        self.meet()
        self.account = self.server.boto3("sts", "Admin").get_caller_identity()["Account"]
        self.arn = f"arn:aws:cloudtrail:{self.server.credentials('Admin').region}:{self.account}:trail/{TRAIL}"
        self.begun = datetime.now(UTC) - timedelta(minutes=2)
        self.checkpoints: list[Path] = []
        # What was read of the trail's bucket, by file: records, and the log files that a digest names.
        self.delivered: dict[str, list[dict]] = {}
        self.digested: dict[str, list[str]] = {}
        self.set_up()
        made = [KeyUser, KeyUser, RoleKeeper, ObjectKeeper, ObjectKeeper, LogWriter, LogWriter, Looker]
        self.callers = [kind(f"{kind.__name__.lower()}{number}", number, self.ledger, self.clients) for number, kind in enumerate(made)]

    def made(self, data: Path) -> Moho:
        server = Moho(data, arguments=self.arguments)
        server.log = self.log
        return server

    def meet(self) -> None:
        """Clients with sessions that have just begun."""
        self.clients |= {service: self.server.boto3(service, "Admin") for service in SERVICES}
        self.clients["bedrock-runtime"] = self.server.boto3("bedrock-runtime")

    def set_up(self) -> None:
        s3, trails = self.clients["s3"], self.clients["cloudtrail"]
        s3.create_bucket(Bucket=WATCHED)
        self.clients["logs"].create_log_group(logGroupName=GROUP)
        self.calls = Logs(self.server, CALLS_BUCKET).make()
        self.clients["logs"].create_log_group(logGroupName=CALLS_GROUP, kmsKeyId=self.calls.key)
        role = writer(self.calls, trusts="bedrock.amazonaws.com", allowed=WRITING)
        self.calls.put(cloudWatchConfig={"logGroupName": CALLS_GROUP, "roleArn": role})
        trailing.open_bucket(s3, self.clients["kms"], TRAIL_BUCKET, f"AWSLogs/{self.account}", self.arn)
        trails.create_trail(Name=TRAIL, S3BucketName=TRAIL_BUCKET, EnableLogFileValidation=True)
        resources = [{"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{WATCHED}/"]}]
        selector = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": resources}
        trails.put_event_selectors(TrailName=TRAIL, EventSelectors=[selector])
        trails.start_logging(Name=TRAIL)

    def keep_checkpoint(self) -> None:
        """Keeps what the log says of itself."""
        with self.server.http() as http:
            note = http.get("/v1/log/checkpoint").content
            self.key = http.get("/v1/log/key").text.strip()
        path = self.log.with_name(f"checkpoint-{len(self.checkpoints)}")
        path.write_bytes(note)
        self.checkpoints.append(path)

    def again(self, *, with_new_sessions: bool) -> None:
        """Starts it after its end, and sees whether the log goes on from the last checkpoint."""
        if with_new_sessions:
            self.server = self.made(self.server.data)
        self.server.start()
        if with_new_sessions:
            self.meet()
        self.verify_log(self.checkpoints[-1:])

    def verify_log(self, kept: list[Path]) -> None:
        against = [part for path in kept for part in ("--against", path)]
        command = [serving.binary(), "verify", "log", self.server.data / "journal", "--key", self.key, *against]
        found = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
        assert found.returncode == 0, found.stdout + found.stderr

    def look_at_journal(self) -> None:
        self.reading.go_on()
        self.reading.check(self.ledger)

    def summary(self) -> str:
        ledger, reading = self.ledger, self.reading
        untold = Counter(reading.untold())
        return (
            f"{len(ledger.calls)} calls answered ({sum(not one.is_done for one in ledger.calls.values())} refused by rule),"
            f" {ledger.unanswered} not answered, {dict(ledger.refused)} not possible,"
            f" {sum(map(len, ledger.batches.values()))} batches of log events, {len(ledger.invoked)} calls of models;"
            f" journal: {reading.position} records, {len(reading.events)} events, {untold.total()} decisions without one {dict(untold.most_common(12))}"
        )

    # At the end.

    def settle(self) -> None:
        """Ends logging, and waits for all to be delivered."""
        self.clients["cloudtrail"].stop_logging(Name=TRAIL)
        self.reading.go_on()
        due = self.reading.due()
        trailing.until(lambda: {record["eventID"] for record in self.new_records()} >= due.keys(), seconds=400)
        trailing.until(lambda: self.named() == Counter(self.files()), seconds=60)
        status = self.clients["cloudtrail"].get_trail_status(Name=TRAIL)
        assert not status["IsLogging"] and "LatestDeliveryError" not in status, status
        digests = 0
        while digests != (digests := len(trailing.digests(self.clients["s3"], TRAIL_BUCKET))):
            time.sleep(3)

    def files(self) -> list[str]:
        return trailing.logs(self.clients["s3"], TRAIL_BUCKET)

    def new_records(self) -> list[dict]:
        """All delivered records. A file is read once."""
        for key in self.files():
            if key not in self.delivered:
                self.delivered[key] = trailing.read(self.clients["s3"], TRAIL_BUCKET, key)["Records"]
        return [record for records in self.delivered.values() for record in records]

    def named(self) -> Counter:
        """How often digests name each log file."""
        s3 = self.clients["s3"]
        for key in trailing.digests(s3, TRAIL_BUCKET):
            if key not in self.digested:
                self.digested[key] = [log["s3Object"] for log in trailing.read(s3, TRAIL_BUCKET, key)["logFiles"]]
        return Counter(log for logs in self.digested.values() for log in logs)

    def check_trail(self, folder: Path) -> str:
        due, delivered = self.reading.due(), Counter(record["eventID"] for record in self.new_records())
        missing, foreign = due.keys() - delivered.keys(), delivered.keys() - due.keys()
        assert not missing, [due[event] for event in list(missing)[:5]]
        assert not foreign, f"{len(foreign)} events that are not to be there"
        assert delivered.most_common(1)[0][1] == 1, "an event was delivered twice"
        assert set(self.named().values()) == {1} and set(self.named()) == set(self.files()), "a file is named twice, or by no digest"
        environment = self.server.aws_environment(folder, self.server.credentials("Admin"))
        start = self.begun.strftime("%Y-%m-%dT%H:%M:%SZ")
        command = ["aws", "cloudtrail", "validate-logs", "--trail-arn", self.arn, "--start-time", start, "--verbose"]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
        assert found.returncode == 0, (found.stdout + found.stderr)[-4000:]
        files, digests = len(self.files()), len(trailing.digests(self.clients["s3"], TRAIL_BUCKET))
        for told in (f"{digests}/{digests} digest files valid", f"{files}/{files} log files valid"):
            assert told in found.stdout, found.stdout[-4000:]
        return f"{len(delivered)} events in {files} log files, {digests} digests"

    def check_log_events(self) -> str:
        """Every acknowledged batch is there once and whole, and others once and whole or not at all."""
        logs, count = self.clients["logs"], 0
        for stream, batches in self.ledger.batches.items():
            found = Counter(tuple(map(int, message.split()[:2])) for message in messages(logs, GROUP, stream))
            assert set(found.values()) == {1}, f"{stream}: {found.most_common(3)}"
            sizes = Counter(batch for batch, _ in found)
            for batch, size in batches.items():
                assert sizes.pop(batch, 0) == size, f"{stream}: batch {batch} of {size}"
            for batch, size in sizes.items():
                assert self.ledger.doubted[stream][batch] == size, f"{stream}: batch {batch} was not asked for, or is a part"
            count += len(found)
        return f"{count} log events read back"

    def check_invocations(self) -> str:
        """Each call of a model is logged: in the bucket once, and in the log group."""
        calls = Logs(self.server, CALLS_BUCKET)

        def bucketed() -> Counter:
            return Counter(record["requestId"] for record in calls.records())

        def grouped() -> Counter:
            return Counter(json.loads(message)["requestId"] for message in messages(self.clients["logs"], CALLS_GROUP, STREAM))

        trailing.until(lambda: bucketed().keys() >= self.ledger.invoked, seconds=400)
        trailing.until(lambda: grouped().keys() >= self.ledger.invoked, seconds=400)
        files, events = bucketed(), grouped()
        assert set(files.values()) == {1}, files.most_common(3)
        return f"{len(files)} calls of models in the bucket, {len(events)} in the log group ({events.total() - len(events)} repeated)"

    def check_lookups(self, chance: random.Random) -> None:
        managed = [told for told in self.reading.due().values() if told.category == "management"]
        for told in chance.sample(managed, min(10, len(managed))):
            wanted = [{"AttributeKey": "EventId", "AttributeValue": told.event_id}]
            [event] = self.clients["cloudtrail"].lookup_events(LookupAttributes=wanted)["Events"]
            assert (event["EventId"], event["EventName"], event["EventSource"]) == (told.event_id, told.event, told.source)

    def check_all(self, folder: Path) -> None:
        self.look_at_journal()
        self.verify_log(self.checkpoints)
        self.settle()
        print(f"{self.check_trail(folder)}; {self.check_log_events()}; {self.check_invocations()}; {self.summary()}", flush=True)
        self.check_lookups(random.Random(1))
        assert "panicked" not in self.log.read_text(errors="replace")
        assert self.server.stop() == 0


def messages(logs, group: str, stream: str) -> list[str]:
    """All events of a stream."""
    found, token = [], {}
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        found += [event["message"] for event in page["events"]]
        if token == (token := {"nextToken": page["nextForwardToken"]}):
            return found


class Moment:
    """When to end it: at any time, or once the journal says that something is about to be put, or is written to."""

    def __init__(self, data: Path, chance: random.Random):
        self.chance, self.until = chance, time.monotonic() + 4
        self.path = sorted((data / "journal").glob("journal-*.jsonl"))[-1]
        self.at = self.path.stat().st_size
        self.kind, self.needle = chance.choice([("any time", None), ("a record", b""), ("a log file", PUTS_A_LOG), ("a digest", PUTS_A_DIGEST)])
        if self.needle is None:
            self.until = time.monotonic() + chance.random() * 2.5

    def wait(self) -> str:
        """What it was ended in."""
        while time.monotonic() < self.until:
            if self.needle is not None and self.is_there():
                # Before it is done, while it is, or after.
                time.sleep(self.chance.choice([0, 0, 0.001, 0.004, 0.02]) * self.chance.random())
                return self.kind
            time.sleep(0.0005)
        return "any time"

    def is_there(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(self.at)
            found = file.read()
        self.at += len(found)
        return bool(found) and self.needle in found


def test_no_acknowledged_call_is_lost_by_kills(tmp_path):
    office = Office(tmp_path / "data", tmp_path / "moho.log")
    chance, moments = random.Random(20_261_127), Counter()
    try:
        for number in range(1, rounds(FULL, SHORT) + 1):
            crowd = Crowd(office.callers, chance.randint(5, 60))
            assert crowd.enough.wait(300), "the calls never got through"
            office.keep_checkpoint()
            moment = Moment(office.server.data, chance)
            moments[moment.wait()] += 1
            office.server.kill()
            crowd.gone()
            office.again(with_new_sessions=number % AUDITED == 0)
            if number % (AUDITED // 4) == 0:
                office.look_at_journal()
                print(f"round {number}: killed in {dict(moments)}; {office.summary()}", flush=True)
        office.check_all(tmp_path)
    finally:
        office.server.end()


@pytest.mark.parametrize("what_is_full", ["all", "store"])
def test_no_acknowledged_call_is_lost_on_full_disks(tmp_path, what_is_full):
    with small_disk(tmp_path / "disk", "384m") as disk:
        data = disk / "data" if what_is_full == "all" else tmp_path / "data"
        office = Office(data, tmp_path / "moho.log", ("--store-dir", str(disk / "store")))
        try:
            for number in range(rounds(FULL, SHORT) // 20):
                one_full_disk(office, disk, is_killed=number % 3 == (1 if what_is_full == "all" else 0))
                office.look_at_journal()
                print(f"round {number + 1}: {office.summary()}", flush=True)
            office.check_all(tmp_path)
        finally:
            office.server.end()


def one_full_disk(office: Office, disk: Path, is_killed: bool) -> None:
    """The disk fills while everybody calls; there is room again, or it is killed first."""
    refused = office.ledger.refused.total()
    for caller in office.callers:
        caller.is_lenient = True
    crowd = Crowd(office.callers, 60)
    assert crowd.enough.wait(300), "the calls never got through"
    office.keep_checkpoint()
    filler = fill(disk)
    # Digests and log files are due meanwhile.
    full_until = time.monotonic() + 4
    while time.monotonic() < full_until or office.ledger.refused.total() < refused + 20:
        assert not crowd.faults, crowd.faults
        assert time.monotonic() < full_until + 120, "the disk was never full"
        time.sleep(0.05)
    if is_killed:
        office.server.kill()
    os.remove(filler)
    if not is_killed:
        answered = len(office.ledger.calls)
        trailing.until(lambda: crowd.faults or len(office.ledger.calls) > answered + 60, seconds=120)
        office.server.kill()
    crowd.gone()
    for caller in office.callers:
        caller.is_lenient = False
    office.again(with_new_sessions=False)
