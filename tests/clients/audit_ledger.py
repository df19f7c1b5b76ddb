"""What callers of every kind were answered, and the journal, trail and log groups that have to tell of it.

Callers ask KMS, IAM, S3, CloudWatch Logs, CloudTrail and a model, one call after the other, and note each that was answered: by its
request id, whatever was said. What nobody answered may be told of or not.
"""

import hashlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import botocore.exceptions

import journal
from serving import MODEL
from soaking import Unanswered, ask, is_refused

GROUP, WATCHED = "/soak/audit", "soak-watched"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
CALLS = ("call", "data-event")
# Whom Bedrock acts as in the role that it delivers in.
IN_ROLE = "BedrockModelInvocationLogging "
# What services do at the same time: a trail, and the log of calls to a bucket and to a log group.
MOST_AT_ONCE = 3


class Refused(Exception):
    """The server said that it cannot, in one of the ways that are documented."""


@dataclass(frozen=True)
class Answered:
    """A call that was answered: done, or refused by rule."""

    source: str
    event: str
    is_done: bool


@dataclass
class Ledger:
    """What was acknowledged."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    calls: dict[str, Answered] = field(default_factory=dict)
    # Calls of models.
    invoked: set[str] = field(default_factory=set)
    # Batches of log events by stream: the acknowledged ones, and those of which nobody knows.
    batches: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    doubted: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    refused: Counter = field(default_factory=Counter)
    unanswered: int = 0

    def note(self, request_id: str, answered: Answered) -> None:
        with self.lock:
            assert request_id not in self.calls, request_id
            self.calls[request_id] = answered

    def note_refusal(self, code: str) -> None:
        with self.lock:
            self.refused[code] += 1

    def note_silence(self) -> None:
        with self.lock:
            self.unanswered += 1


class Caller:
    """Asks for one thing after the other. `clients` are replaced when sessions end."""

    def __init__(self, name: str, seed: int, ledger: Ledger, clients: dict):
        self.name, self.ledger, self.clients = name, ledger, clients
        self.chance = random.Random(seed)
        self.doing, self.count = "nothing", 0
        # Whether the server may say that it cannot.
        self.is_lenient = False
        self.own: list[str] = []

    def word(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    def asked(self, service: str, event: str, call: str, **arguments) -> dict:
        """The answer, or what was refused by rule. It is in the ledger."""
        self.doing = f"{service} {event}"
        answer: dict = {}

        def attempt() -> None:
            found = ask(getattr(self.clients[service], call), **arguments)
            if event == "GetObject":
                # It is answered once all of it is here.
                ask(found["Body"].read)
            answer.update(found)

        try:
            attempt()
        except botocore.exceptions.ClientError as error:
            answer = error.response
            if answer["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                self.refuse(error)
        except Unanswered:
            self.ledger.note_silence()
            raise
        told = answer["ResponseMetadata"]
        source = {"bedrock-runtime": "bedrock"}.get(service, service) + ".amazonaws.com"
        self.ledger.note(told["RequestId"], Answered(source, event, told["HTTPStatusCode"] < 300))
        return answer

    def refuse(self, error: botocore.exceptions.ClientError) -> None:
        if not self.is_lenient:
            raise error

        def again() -> None:
            raise error

        assert is_refused(again)
        self.ledger.note_refusal(error.response["Error"]["Code"])
        raise Refused(self.doing)

    def step(self) -> bool:
        try:
            self.any_call()
        except Refused:
            # Not as fast as it can: others are to be refused, too.
            time.sleep(0.02)
            return False
        return True

    def any_call(self) -> None:
        raise NotImplementedError


class KeyUser(Caller):
    """Keys: few are made, most calls use them."""

    def any_call(self) -> None:
        if not self.own or (len(self.own) < 4 and self.chance.random() < 0.02):
            made = self.asked("kms", "CreateKey", "create_key", Description=self.word())
            self.own.append(made["KeyMetadata"]["KeyId"])
            return
        key = self.chance.choice(self.own)
        what = self.chance.randrange(6)
        if what == 0:
            self.asked("kms", "Encrypt", "encrypt", KeyId=key, Plaintext=self.word().encode())
        elif what == 1:
            self.asked("kms", "GenerateDataKey", "generate_data_key", KeyId=key, KeySpec="AES_256")
        elif what == 2:
            self.asked("kms", "TagResource", "tag_resource", KeyId=key, Tags=[{"TagKey": "word", "TagValue": self.word()}])
        elif what == 3:
            self.asked("kms", "DescribeKey", "describe_key", KeyId=key)
        elif what == 4:
            # Refused by rule, which is an answer, too.
            self.asked("kms", "DescribeKey", "describe_key", KeyId=f"alias/{self.word()}")
        else:
            self.asked("kms", "ListKeys", "list_keys", Limit=5)


class RoleKeeper(Caller):
    """Roles, made, tagged and deleted."""

    def any_call(self) -> None:
        if not self.own or (len(self.own) < 5 and self.chance.random() < 0.3):
            name = self.word()
            self.asked("iam", "CreateRole", "create_role", RoleName=name, AssumeRolePolicyDocument=TRUST)
            self.own.append(name)
            return
        name = self.chance.choice(self.own)
        what = self.chance.randrange(4)
        if what == 0:
            self.asked("iam", "TagRole", "tag_role", RoleName=name, Tags=[{"Key": "word", "Value": self.word()}])
        elif what == 1:
            self.asked("iam", "GetRole", "get_role", RoleName=name)
        elif what == 2:
            self.asked("iam", "GetRole", "get_role", RoleName=self.word())
        else:
            # If nobody answers, it may be there no more: then the next call is refused by rule.
            self.asked("iam", "DeleteRole", "delete_role", RoleName=name)
            self.own.remove(name)


class ObjectKeeper(Caller):
    """Objects in the bucket that the trail watches, and calls about the bucket."""

    def any_call(self) -> None:
        what = self.chance.randrange(7)
        if what < 2 or not self.own:
            key, body = self.word(), self.chance.randbytes(self.chance.choice([10, 3000, 80_000]))
            self.asked("s3", "PutObject", "put_object", Bucket=WATCHED, Key=key, Body=body)
            self.own.append(key)
            return
        key = self.chance.choice(self.own)
        if what < 4:
            self.asked("s3", "GetObject", "get_object", Bucket=WATCHED, Key=key)
        elif what == 4:
            self.asked("s3", "GetBucketLocation", "get_bucket_location", Bucket=WATCHED)
        elif what == 5:
            self.asked("s3", "GetObject", "get_object", Bucket=WATCHED, Key=f"{key}-absent") if self.chance.random() < 0.5 else self.tag()
        else:
            self.asked("s3", "DeleteObject", "delete_object", Bucket=WATCHED, Key=key)
            self.own.remove(key)

    def tag(self) -> None:
        tags = {"TagSet": [{"Key": self.name, "Value": self.word()}]}
        self.asked("s3", "PutBucketTagging", "put_bucket_tagging", Bucket=WATCHED, Tagging=tags)


class LogWriter(Caller):
    """Events put into a stream of its own, and looked at now and then."""

    def any_call(self) -> None:
        if not self.own:
            self.asked("logs", "CreateLogStream", "create_log_stream", logGroupName=GROUP, logStreamName=self.name)
            self.own.append(self.name)
            return
        if self.chance.random() < 0.2:
            self.asked("logs", "GetLogEvents", "get_log_events", logGroupName=GROUP, logStreamName=self.name, limit=5)
            return
        self.count += 1
        batch, size = self.count, self.chance.randint(1, 20)
        self.ledger.doubted[self.name][batch] = size
        events = [{"timestamp": int(time.time() * 1000), "message": f"{batch} {at} {'x' * self.chance.randrange(300)}"} for at in range(size)]
        answer = self.asked("logs", "PutLogEvents", "put_log_events", logGroupName=GROUP, logStreamName=self.name, logEvents=events)
        assert "Error" not in answer and "rejectedLogEventsInfo" not in answer, answer
        self.ledger.batches[self.name][batch] = self.ledger.doubted[self.name].pop(batch)


class Looker(Caller):
    """Reads of the trail and its events, and calls a model."""

    def any_call(self) -> None:
        what = self.chance.randrange(4)
        if what == 0:
            self.asked("cloudtrail", "GetTrailStatus", "get_trail_status", Name="soak")
        elif what == 1:
            wanted = [{"AttributeKey": "EventName", "AttributeValue": "CreateRole"}]
            self.asked("cloudtrail", "LookupEvents", "lookup_events", LookupAttributes=wanted, MaxResults=5)
        else:
            asked = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 1}}
            answer = self.asked("bedrock-runtime", "Converse", "converse", modelId=MODEL, **asked)
            assert "output" in answer, answer
            with self.ledger.lock:
                self.ledger.invoked.add(answer["ResponseMetadata"]["RequestId"])


@dataclass(frozen=True)
class Told:
    """An event of a call in the journal."""

    position: int
    request_id: str
    event_id: str
    source: str
    event: str
    category: str
    bucket: str
    is_by_service: bool
    status: int
    by: str


class Reading:
    """The journal, read further each time: what was read once has to stay what it was."""

    def __init__(self, data: Path):
        self.data = data
        self.read: dict[Path, int] = {}
        self.position, self.digest = 0, b"0" * 64
        self.last: Path | None = None
        self.events: list[Told] = []
        self.by_request: dict[str, list[Told]] = defaultdict(list)
        self.decided: dict[str, list[str]] = defaultdict(list)
        # Where decisions on these actions stand that allowed something.
        self.marks: dict[str, int] = {}

    def go_on(self) -> None:
        for path in journal.files(self.data):
            at = self.read.get(path, 0)
            with path.open("rb") as file:
                if path == self.last:
                    # What was read before is still there: it ends in the same digest, quoted, and what closes its line.
                    file.seek(at - 67)
                    assert file.read(67) == self.digest + b'"}\n', f"{path} was cut or written over"
                file.seek(at)
                found = file.read()
            lines = found[: found.rfind(b"\n") + 1].splitlines(keepends=True)
            for line in lines:
                self.take(path, line)
            self.read[path] = at + sum(map(len, lines))
            self.last = path

    def take(self, path: Path, line: bytes) -> None:
        matched = journal.LINE.fullmatch(line)
        assert matched, (path, line[:300])
        body, sequence, before, entry, digest = matched.groups()
        assert (int(sequence), before) == (self.position + 1, self.digest), f"{path}: {sequence} does not follow {self.position}"
        assert hashlib.sha256(body).hexdigest().encode() == digest
        self.position, self.digest = self.position + 1, digest
        self.learn(json.loads(entry))

    def learn(self, entry: dict) -> None:
        request = entry.get("request_id")
        if entry.get("kind") in CALLS or entry.get("event") == "InterruptedCall":
            subject, identity = entry.get("subject") or {}, entry["identity"]
            told = Told(
                self.position, request, entry.get("event_id", ""), entry["source"], entry["event"], entry["category"],
                subject.get("bucket", ""), identity["type"] == "AWSService", entry["answer"].get("status") or 0,
                (identity.get("principal") or "").rsplit("/", 1)[-1],
            )
            self.events.append(told)
            self.by_request[request].append(told)
        elif "kind" not in entry and entry["outcome"] in ("allow", "deny") and entry["principal"]:
            self.decided[request].append(f"{entry['principal'].rsplit('/', 1)[-1]} {entry['action']}")
            if entry["outcome"] == "allow" and entry["action"] in ("cloudtrail:StartLogging", "cloudtrail:StopLogging"):
                self.marks[entry["action"]] = self.position

    def check(self, ledger: Ledger) -> None:
        """Every call that was answered has its one event, and its decision; no event of what was done is without a decision, and no
        decision without an event. Nobody calls meanwhile, and since it was started last nobody has."""
        for request, answered in ledger.calls.items():
            told = self.by_request.get(request, [])
            assert len(told) == 1, f"{answered} {request} is told {len(told)} times"
            assert (told[0].source, told[0].event) == (answered.source, answered.event), (answered, told)
            assert request in self.decided, f"{answered} {request} was never decided"
        # If there is no room for the decision, nothing is done; there may be some again for the event, which says so.
        undecided = [told for told in self.events if told.request_id not in self.decided and told.status != 503]
        assert not undecided, undecided[:5]
        # Whatever it ended at, the next start has told; what is left is what services are at now.
        untold = self.untold()
        by_callers = [one for one in untold if ".amazonaws.com " not in one and not one.startswith(IN_ROLE)]
        assert not by_callers, Counter(by_callers)
        assert len(untold) <= MOST_AT_ONCE, Counter(untold)
        ids = Counter(one.event_id for one in self.events if one.event_id)
        assert ids.most_common(1)[0][1] == 1, "an event's id is there twice"

    def untold(self) -> list[str]:
        """Decisions on requests of which nothing is told."""
        return [found for request, decided in self.decided.items() for found in self.untold_of(request, decided)]

    def untold_of(self, request: str, decided: list[str]) -> list[str]:
        """One decision for each service that has no event of this request: a service may call another under the same id. The use of a key,
        and the passing of a role, are told with the call that they are for."""
        told = {one.source.partition(".")[0] for one in self.by_request.get(request, [])}
        missing: dict[str, str] = {}
        for one in decided:
            action = one.rsplit(" ", 1)[-1]
            if not told or not (action.startswith("kms:") or action == "iam:PassRole"):
                missing.setdefault(action.partition(":")[0] if told else "", one)
        return [one for service, one in missing.items() if service not in told]

    def due(self) -> dict[str, Told]:
        """Events that a trail has to have delivered, by their ids."""
        first, last = (self.marks[f"cloudtrail:{name}"] for name in ("StartLogging", "StopLogging"))
        between = (told for told in self.events if first < told.position <= last)
        return {told.event_id: told for told in between if told.category == "management" or told.bucket == WATCHED}
