"""`kill -9` and full disks while keys are made and changed, again and again: no acknowledged change is lost, no key is half
made, what a key sealed opens, and what must not open does not.

A tenth of the rounds by default; all of them with MOHO_SOAK=full (`cargo xtask soak kms`), or as many as it says.
"""

import os
import random
import threading
from collections import Counter

import pytest

import journal
from disks import fill, small_disk
from kms_account import Keeper, named, pages
from kms_ledger import CREATE_KEY, Owner
from kms_shapes import IMPORTED, MAC, SYMMETRIC
from serving import Moho
from soaking import Crowd, is_refused, rounds

FULL, SHORT = 200, 20
OWNERS = 3
# A journal is read whole after so many rounds.
AUDITED = 20


def strangers(account: Keeper, owners: list[Owner]) -> dict[str, str]:
    """Keys that no owner knows of, by their descriptions."""
    known = set().union(*(owner.keys.keys() | owner.given_up.keys() for owner in owners))
    listed = {one["KeyArn"] for page in pages(account.kms.list_keys, Limit=1000) for one in page["Keys"]}
    assert known <= listed, f"lost: {known - listed}"
    described = [account.kms.describe_key(KeyId=arn)["KeyMetadata"] for arn in listed - known]
    return {found["Description"]: found["Arn"] for found in described}


def settled(account: Keeper, owners: list[Owner], own: set[str]) -> None:
    """All doubts are gone, and there are no keys besides `own` that nobody wanted."""
    found = {name: arn for name, arn in strangers(account, owners).items() if arn not in own}
    for owner in owners:
        owner.settle(found)
    assert not found, f"nobody asked for {found}"


def test_no_acknowledged_change_of_a_key_is_lost(tmp_path):
    server = Moho(tmp_path / "data", models={})
    chance = random.Random(20_261_122)
    try:
        account = Keeper(server.start())
        own = set(strangers(account, []).values())
        owners = [Owner(account, f"owner{number}", number) for number in range(OWNERS)]
        for number in range(1, rounds(FULL, SHORT) + 1):
            crowd = Crowd(owners, chance.randint(1, 30))
            assert crowd.enough.wait(300), "the changes never got through"
            # Somewhere in the calls that are under way.
            chance_of_a_moment = threading.Event()
            chance_of_a_moment.wait(chance.random() * 0.02)
            server.kill()
            crowd.gone()
            if number % AUDITED == 0:
                # Sessions end; whoever has keys for longer gets new ones.
                server = Moho(server.data, models={})
            account = Keeper(server.start())
            for owner in owners:
                owner.meet(account)
            settled(account, owners, own)
            for owner in owners:
                owner.check_touched(more=1)
            if number % AUDITED == 0:
                journal.verified_entries(server.data)
                print(f"round {number}: {summary(owners)}", flush=True)
        for owner in owners:
            owner.check_all()
        print(f"after {rounds(FULL, SHORT)} rounds: {summary(owners)}", flush=True)
        entries = journal.verified_entries(server.data)
        assert len(entries) > sum(sum(owner.done.values()) for owner in owners)
        assert "panicked" not in server.log_text()
        assert server.stop() == 0
    finally:
        server.end()


def summary(owners: list[Owner]) -> str:
    done = sum((Counter(owner.done) for owner in owners), Counter())
    doubts = Counter(end for owner in owners for _, end in owner.doubts)
    keys = sum(len(owner.keys) + len(owner.given_up) for owner in owners)
    kept = sum(len(key.kept) for owner in owners for key in (owner.keys | owner.given_up).values())
    return f"{keys} keys, {kept} blobs, {done.total()} changes acknowledged {dict(done)}, {doubts.total()} not answered {dict(doubts)}"


# What has to be there for a change, and what makes it.
PREPARED_BY = {
    "UntagResource": ["TagResource"],
    "UpdateAlias": ["CreateAlias"],
    "DeleteAlias": ["CreateAlias"],
    "RevokeGrant": ["CreateGrant"],
    "RetireGrant": ["CreateGrant"],
    "DisableKeyRotation": ["EnableKeyRotation"],
    "EnableKey": ["DisableKey"],
    "CancelKeyDeletion": ["ScheduleKeyDeletion"],
    "ImportKeyMaterial (new)": ["ImportKeyMaterial"],
    "DeleteImportedKeyMaterial": ["ImportKeyMaterial"],
}


def prepare(owner: Owner, name: str) -> None:
    """New keys with which the change called `name` can be made."""
    for kind in (SYMMETRIC, SYMMETRIC, MAC, IMPORTED):
        owner.make(kind)
    for key in list(owner.keys.values())[-4:]:
        for earlier in PREPARED_BY.get(name, []):
            if change := owner.wish(earlier, key):
                owner.do(change)
        owner.use(key)


def use_up(owner: Owner, key) -> None:
    """Takes what room the server's own files have left, until nothing can be changed."""
    refused = 0
    for _ in range(2000):
        if is_refused(lambda: owner.do(owner.tag(key))):
            refused += 1
            if refused == 3:
                return
    raise AssertionError("the disk was never full")


@pytest.mark.parametrize("what_is_full", ["all", "store"])
def test_a_disk_that_is_full_in_each_change(tmp_path, what_is_full):
    names = [CREATE_KEY, *Owner.CHANGES]
    is_short = rounds(FULL, SHORT) < FULL
    # In the short run each is tried on one of the two disks.
    turns = [names[what_is_full == "store" :: 2]] if is_short else [names] * 4
    with small_disk(tmp_path / "disk", "128m") as disk:
        data = disk / "data" if what_is_full == "all" else tmp_path / "data"
        server = Moho(data, models={}, arguments=("--store-dir", str(disk / "store")))
        server.log = tmp_path / "moho.log"
        try:
            account = Keeper(server.start())
            own = set(strangers(account, []).values())
            for turn, names in enumerate(turns):
                for number, name in enumerate(names):
                    one_full_disk(server, (disk, name, own), is_killed=(turn + number) % 2 == 1)
            journal.verified_entries(server.data)
            assert "panicked" not in server.log_text()
            assert server.stop() == 0
        finally:
            server.end()


def one_full_disk(server: Moho, where: tuple, is_killed: bool) -> None:
    """Tries one change on a full disk, then makes room and looks at what there is."""
    disk, name, own = where
    # It ends with its write-ahead log empty: what that has room for needs none on the disk.
    assert server.stop() == 0
    account = Keeper(server.start())
    owner, burner = Owner(account, named(name.replace(" ", "")), 1), Owner(account, named("burner"), 2)
    prepare(owner, name)
    burner.make(SYMMETRIC)
    [burnt] = burner.keys.values()
    # Some have to ask before they know what to change.
    change = None if name == CREATE_KEY else owner.change(name)
    assert change or name == CREATE_KEY, f"there is no key for {name}"
    filler = fill(disk)
    use_up(burner, burnt)
    assert is_refused(lambda: owner.do(change) if change else owner.make()), f"{name} needs no room"
    if is_killed:
        server.kill()
    os.remove(filler)
    if is_killed:
        account = Keeper(server.start())
        for one in (owner, burner):
            one.meet(account)
    settled(account, [owner, burner], own)
    for one in (owner, burner):
        one.check_all()
        if name != CREATE_KEY and (change := one.change(name)):
            one.do(change)
        one.check_all()
    own.update(owner.keys, burner.keys)
    print(f"{name}: {'killed' if is_killed else 'room again'}, {owner.doubts}", flush=True)
