"""The store under everything that a machine can do to it: `kill -9`, a full disk, a loss of power in the middle of a write, and rot.

What was acknowledged is there and is what it was, what nobody answered was done wholly or not at all, and what was damaged is a clear
error and never wrong bytes. A tenth of the rounds by default; all of them with MOHO_SOAK=full (`cargo xtask soak store`), or as many
as it says.
"""

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import pytest

import journal
from disks import fill, small_disk
from rot import Rot, Snapshot, cut, files_of, is_segment, lose_power, lose_the_anchor, rotten
from serving import Moho
from soaking import Crowd, Unanswered, is_refused, rounds
from store_ledger import Owner
from store_shapes import MIB, Content, digest

FULL, SHORT = 200, 20
OWNERS = 3
# A journal is read whole, and everything else, after so many rounds.
AUDITED = 20


class Access:
    """The administrator's clients of a running server."""

    def __init__(self, server: Moho):
        self.s3 = server.boto3("s3", "Admin")
        self.http = server.http(server.bearer("Admin"))
        self.agent = server.boto3("bedrock-agent", "Admin")
        # A server that keeps no conversations is asked for none.
        self.talks = self.http if self.http.post("/v1/conversations", json={}).status_code == 200 else None

    def owner(self, name: str, seed: int) -> Owner:
        return Owner(name, seed, self.s3, self.talks, self.agent)

    def meet(self, owners: list[Owner]) -> None:
        for owner in owners:
            owner.meet(self.s3, self.talks, self.agent)


def again(server: Moho) -> tuple[Moho, Access]:
    """The server, started anew, with new credentials: those of before end some time."""
    server = Moho(server.data, models={}, arguments=server.arguments)
    return server, Access(server.start())


def summary(owners: list[Owner]) -> str:
    done = sum((Counter(owner.done) for owner in owners), Counter())
    doubts = Counter(end for owner in owners for _, end in owner.doubts)
    things = Counter(thing[0] for owner in owners for thing in owner.things)
    return f"{dict(things)}, {done.total()} changes acknowledged {dict(done)}, {doubts.total()} not answered {dict(doubts)}"


def test_no_acknowledged_change_is_lost(tmp_path):
    server = Moho(tmp_path / "data", models={})
    chance, number = random.Random(20_261_123), rounds(FULL, SHORT)
    try:
        access = Access(server.start())
        owners = [access.owner(f"owner{number}", number) for number in range(OWNERS)]
        for turn in range(1, number + 1):
            crowd = Crowd(owners, chance.randint(1, 30))
            assert crowd.enough.wait(300), "the changes never got through"
            # Somewhere in the calls that are under way.
            threading.Event().wait(chance.random() * 0.03)
            server.kill()
            crowd.gone()
            server, access = again(server)
            access.meet(owners)
            for owner in owners:
                owner.settle()
                owner.check_touched(more=1)
            if turn % AUDITED == 0:
                journal.verified_entries(server.data)
                for owner in owners:
                    owner.check_all()
                print(f"round {turn}: {summary(owners)}", flush=True)
        for owner in owners:
            owner.check_all()
        print(f"after {number} rounds: {summary(owners)}", flush=True)
        assert list((server.data / "store/objects/incoming").iterdir()) == [], "what was begun and not ended is swept away"
        assert "panicked" not in server.log_text()
        assert server.stop() == 0
    finally:
        server.end()


# What has to be there for a change, and what makes it.
PREPARED_BY = {
    "UploadPart": ["CreateMultipartUpload"],
    "CompleteMultipartUpload": ["CreateMultipartUpload", *["UploadPart"] * 12],
    "AbortMultipartUpload": ["CreateMultipartUpload"],
    "add an item": ["create a conversation"],
    "update a conversation": ["create a conversation"],
    "delete a conversation": ["create a conversation"],
    "UpdatePrompt": ["CreatePrompt"],
    "CreatePromptVersion": ["CreatePrompt"],
    "DeletePrompt (a version)": ["CreatePrompt", "CreatePromptVersion", "UpdatePrompt", "CreatePromptVersion"],
    "DeletePrompt": ["CreatePrompt", "CreatePromptVersion"],
}


def prepare(owner: Owner, name: str) -> None:
    """Things with which the change called `name` can be made."""
    for earlier in ("PutObject", "PutObject", "PutObject", *PREPARED_BY.get(name, [])):
        if change := owner.wish(earlier):
            owner.do(change)


def use_up(owner: Owner) -> None:
    """Takes what room the server's own files have left, until nothing can be changed."""
    refused = 0
    for _ in range(2000):
        if is_refused(lambda: owner.do(owner.wish("PutObject"))):
            refused += 1
            if refused == 3:
                return
    raise AssertionError("the disk was never full")


@pytest.mark.parametrize("what_is_full", ["all", "store"])
def test_a_disk_that_is_full_in_each_change(tmp_path, what_is_full):
    with small_disk(tmp_path / "disk", "512m") as disk:
        data = disk / "data" if what_is_full == "all" else tmp_path / "data"
        server = Moho(data, models={}, arguments=("--store-dir", str(disk / "store")))
        server.log = tmp_path / "moho.log"
        try:
            access = Access(server.start())
            names = list(access.owner("first", 0).changes())
            # Few rounds are of one half of the changes under the one, and of the other under the other.
            start = 0 if what_is_full == "all" else len(names) // 2
            for turn in range(rounds(FULL, SHORT) // 2):
                one_full_disk(server, (disk, names[(start + turn) % len(names)], turn), is_killed=turn % 3 == 1)
            journal.verified_entries(server.data)
            assert "panicked" not in server.log_text()
            assert server.stop() == 0
        finally:
            server.end()


def one_full_disk(server: Moho, where: tuple, is_killed: bool) -> None:
    """Tries one change on a full disk, then makes room and looks at what there is."""
    disk, name, turn = where
    # It ends with its write-ahead log empty: what that has room for needs none on the disk.
    assert server.stop() == 0
    access = Access(server.start())
    owner, burner = access.owner(f"owner{turn}", turn), access.owner(f"burner{turn}", turn)
    prepare(owner, name)
    change = owner.wish(name)
    assert change, f"there is nothing for {name}"
    filler = fill(disk)
    use_up(burner)
    assert is_refused(lambda: owner.do(change)), f"{name} needs no room"
    if server.data.parent != disk:
        # What is there can be read meanwhile, as long as that can be written down.
        owner.check(owner.with_content()[0])
    if is_killed:
        server.kill()
    os.remove(filler)
    if is_killed:
        access = Access(server.start())
        access.meet([owner, burner])
    for one in (owner, burner):
        one.settle()
        one.check_all()
    if change := owner.wish(name):
        owner.do(change)
    owner.check_all()
    print(f"{name}: {'killed' if is_killed else 'room again'}, {owner.doubts}", flush=True)
    for one in (owner, burner):
        empty(access.s3, one)


def empty(s3, owner: Owner) -> None:
    """Makes room for the next round."""
    for thing in owner.of_kind("object"):
        for version in owner.things[thing]:
            s3.delete_object(Bucket=thing[1], Key=thing[2], VersionId=version.name)
    for thing in owner.of_kind("upload"):
        s3.abort_multipart_upload(Bucket=thing[1], Key=thing[2], UploadId=thing[3])
    for thing in owner.of_kind("prompt"):
        owner.agent.delete_prompt(promptIdentifier=owner.seen.prompt_id(thing[1]))


def test_a_loss_of_power_takes_nothing_that_was_acknowledged(tmp_path):
    """One change is under way when the server is killed; of what it wrote, some comes to the disk and some does not."""
    server = Moho(tmp_path / "data", models={})
    chance, ends = random.Random(20_261_124), Counter()
    try:
        access = Access(server.start())
        owner = access.owner("owner", 1)
        # Most of it in files of its own, which are under way for longer.
        owner.weights = (1, 1, 4, 1, 1, 6, 6, 6, 6)
        for _ in range(12):
            owner.do(owner.any_change())
        for turn in range(rounds(FULL, SHORT)):
            snapshot = Snapshot(server.data, tmp_path / "snapshot")
            ends[one_loss(server, owner, snapshot, chance)] += 1
            server, access = again(server)
            access.meet([owner])
            owner.settle()
            owner.check_touched(more=2)
            if turn % AUDITED == 0:
                owner.check_all()
            for _ in range(chance.randrange(3)):
                owner.do(owner.any_change())
        owner.check_all()
        print(f"{dict(ends)}, {summary([owner])}", flush=True)
        assert "panicked" not in server.log_text()
        assert server.stop() == 0
    finally:
        server.end()


def one_loss(server: Moho, owner: Owner, snapshot: Snapshot, chance: random.Random) -> str:
    change, answered = owner.any_change(), threading.Event()

    def ask() -> None:
        with contextlib.suppress(Unanswered):
            owner.do(change)
            answered.set()

    asking = threading.Thread(target=ask, daemon=True)
    moment = moments(server.data / "store", chance)
    asking.start()
    while not answered.is_set() and not moment():
        time.sleep(0.0002)
    answered.wait(chance.random() * 0.003)
    server.kill()
    asking.join(60)
    assert not asking.is_alive()
    lose_the_anchor(snapshot, chance)
    return "nothing, as it was acknowledged" if answered.is_set() else lose_power(snapshot, chance)


def moments(store: Path, chance: random.Random) -> Callable[[], bool]:
    """When to end it: once a segment is coming in, once the log is written to, or at any time."""
    log, incoming = store / "moho.sqlite-wal", store / "objects/incoming"
    before, until = log.stat().st_mtime_ns, time.monotonic() + chance.random() * 0.04
    return chance.choice([
        lambda: incoming.exists() and any(incoming.iterdir()),
        lambda: log.stat().st_mtime_ns != before,
        lambda: log.stat().st_mtime_ns != before,
        lambda: time.monotonic() > until,
    ])


class Shelf:
    """Objects of all sizes, the files that each rests in, and what each is."""

    BUCKET = "shelf"
    SIZES = (0, 1, 3000, 64 << 10, 70_000, 400_000, MIB, MIB + 1, 2 * MIB + 9, 3 * MIB)

    def __init__(self, server: Moho, s3):
        self.server, self.s3 = server, s3
        self.contents: dict[str, str] = {}
        self.files: dict[str, set[str]] = {}
        s3.create_bucket(Bucket=self.BUCKET)
        for number, size in enumerate(self.SIZES * 2):
            before = set(files_of(server.data))
            body = Content(number, size).bytes()
            s3.put_object(Bucket=self.BUCKET, Key=f"{number}", Body=body, Metadata={"note": f"{number}"})
            self.contents[f"{number}"] = digest(body)
            self.files[f"{number}"] = {name for name in set(files_of(server.data)) - before if is_segment(name)}
        assert all(self.files[f"{number}"] for number, size in enumerate(self.SIZES * 2) if size > 64 << 10)

    def read(self, key: str) -> str:
        """What it is, or the code of the error, or that it broke off."""
        try:
            found = self.s3.get_object(Bucket=self.BUCKET, Key=key)
            body = found["Body"].read()
            assert found["Metadata"] == {"note": key}, (key, found["Metadata"])
            return digest(body)
        except botocore.exceptions.ClientError as error:
            told = error.response
            assert told["ResponseMetadata"]["HTTPStatusCode"] >= 400 and told["Error"]["Code"], told
            return told["Error"]["Code"]
        except botocore.exceptions.BotoCoreError:
            # It had begun, and the next chunk is damaged: it ends before its length.
            assert self.server.healthy(), self.server.log_text()[-4000:]
            return "broken off"

    def wrong(self) -> dict[str, str]:
        """What cannot be read, and why. Whatever can be is right."""
        found = {key: self.read(key) for key in self.contents}
        bytes_of = {key: said for key, said in found.items() if " bytes, " in said}
        assert all(said == self.contents[key] for key, said in bytes_of.items()), f"wrong bytes: {found}"
        return {key: said for key, said in found.items() if key not in bytes_of}

    def resting_in(self, path: Path) -> set[str]:
        name = str(path.relative_to(self.server.data))
        return {key for key, files in self.files.items() if name in files}


def start_or_say_why(server: Moho) -> str | None:
    """Starts it, or gives what it says in refusing."""
    at = len(server.log_text())
    try:
        server.start()
    except RuntimeError:
        said = server.log_text()[at:]
        assert server.process.poll() is not None and "panicked" not in said and len(said) > 20, said
        return said
    return None


def prepared_shelf(tmp_path: Path) -> tuple[Moho, Shelf, Snapshot]:
    server = Moho(tmp_path / "data", models={})
    shelf = Shelf(server, server.boto3("s3", "Admin") if server.start() else None)
    assert shelf.wrong() == {}
    assert server.stop() == 0
    return server, shelf, Snapshot(server.data, tmp_path / "snapshot")


def test_rot_is_an_error_and_never_wrong_bytes(tmp_path):
    server, shelf, snapshot = prepared_shelf(tmp_path)
    chance, ends = random.Random(20_261_125), Counter()
    try:
        for _ in range(rounds(FULL, SHORT) // 2):
            rot = next(rotten(server.data / "store", chance))
            rot.turn()
            ends[one_rot(server, shelf, rot)] += 1
            server.end()
            snapshot.restore()
        server.start()
        for _ in range(rounds(FULL, SHORT) // 2):
            # Under a running server. Of the database, it may know what it has read before.
            rot = next(rot for rot in rotten(server.data / "store", chance) if is_segment(str(rot.path)))
            rot.turn()
            wrong = shelf.wrong()
            assert set(wrong) == shelf.resting_in(rot.path), (rot, wrong)
            ends[f"while it runs: {sorted(set(wrong.values()))}"] += 1
            rot.turn()
            assert shelf.wrong() == {}, "mended is mended"
        print(dict(ends), flush=True)
        assert "panicked" not in server.log_text()
    finally:
        server.end()


def one_rot(server: Moho, shelf: Shelf, rot: Rot) -> str:
    """Says how a server that is started on rot tells of it."""
    why = start_or_say_why(server)
    if why is not None:
        assert not is_segment(str(rot.path)), f"one object keeps all from being read: {why}"
        return "refused to start"
    wrong = shelf.wrong()
    if is_segment(str(rot.path)):
        assert set(wrong) == shelf.resting_in(rot.path), (rot, wrong)
    server.assert_unharmed()
    return f"{rot.path.name if not is_segment(str(rot.path)) else 'a segment'}: {sorted(set(wrong.values()))}"


def test_a_cut_of_what_was_acknowledged_is_told(tmp_path):
    """A disk that says it has written and has not: the end of a file is lost, which had been acknowledged."""
    server, shelf, snapshot = prepared_shelf(tmp_path)
    chance, ends = random.Random(20_261_126), Counter()
    try:
        for _ in range(rounds(FULL, SHORT) // 2):
            server.start()
            extra = str(len(shelf.contents))
            shelf.s3.put_object(Bucket=Shelf.BUCKET, Key=extra, Body=Content(0, 200_000).bytes(), Metadata={"note": extra})
            server.kill()
            changed = [name for name in snapshot.changed() if name.startswith("store/") and (server.data / name).stat().st_size]
            victim = server.data / chance.choice(changed)
            cut(victim, chance)
            for shared in server.data.rglob("*-shm"):
                shared.unlink()
            why = start_or_say_why(server)
            if why is None:
                assert set(shelf.wrong()) <= shelf.resting_in(victim)
                said = shelf.read(extra)
                assert said in (digest(Content(0, 200_000).bytes()), "NoSuchKey", "InternalError", "broken off"), said
                ends[f"{'segment' if is_segment(str(victim)) else victim.name}: {said.split(',')[0]}"] += 1
            else:
                assert not is_segment(str(victim)), why
                ends[f"{victim.name}: refused to start"] += 1
            server.end()
            snapshot.restore()
        print(dict(ends), flush=True)
        assert "panicked" not in server.log_text()
    finally:
        server.end()
