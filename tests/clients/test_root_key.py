"""`moho root` beside a server that serves: rotated under load, killed anywhere, put under passphrases and shares, and recovered."""

import os
import random
import re
import subprocess
import threading
import time
from pathlib import Path

import botocore.exceptions
import pytest

import journal
from kms_account import Keeper, allow, outcome
from serving import Moho, binary

WORDS, OTHER_WORDS = "several words in a row", "several words in a bow"
# How moho ends: something is in the way, or damaged.
IN_THE_WAY, DAMAGED = 3, 5
SHARE = re.compile(r"moho-share-1 3/5 [1-5] [0-9a-f]{16} [0-9a-f]{64} [0-9a-f]{8}")
ROUNDS = 10
KEYS = 60


class House:
    """A server, its root key's file, and files with what opens it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.server = Moho(folder / "data", models={})

    @property
    def file(self) -> Path:
        return self.server.data / "root.key"

    def text(self, name: str, *lines: str) -> str:
        """A file that nobody else can read."""
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return str(path)

    def command(self, *arguments: str) -> list[str]:
        return [str(binary()), "root", arguments[0], "--data", str(self.server.data), *arguments[1:]]

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)

    def root(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, code: int, *arguments: str) -> str:
        """What a command says that changes nothing."""
        before = self.file.read_bytes()
        done = self.run(*arguments)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert self.file.read_bytes() == before
        return done.stderr

    def shown(self, *arguments: str) -> dict[str, str]:
        """What `moho root show` says, by its first words."""
        return {name: text.strip() for name, text in (line.split(":", 1) for line in self.root("show", *arguments).splitlines())}

    def restart(self, *arguments: str) -> Keeper:
        assert self.server.stop() == 0
        self.server.arguments = arguments
        self.server.start()
        return Keeper(self.server)

    def does_not_start(self, *arguments: str) -> str:
        at = len(self.server.log_text())
        self.server.arguments = arguments
        self.server.spawn()
        assert self.server.process.wait(60) > 0
        return self.server.log_text()[at:]


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    try:
        house.server.start()
        yield house
        house.server.assert_unharmed()
        journal.verified_entries(house.server.data)
    finally:
        house.server.end()


class Load:
    """Clients that use keys all the time, and remember what they got."""

    def __init__(self, account: Keeper, keys: list[str], clients: int = 2):
        self.keys = keys
        self.over = threading.Event()
        self.kept: list[tuple[bytes, bytes]] = []
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self._work, args=[account.client(), number], daemon=True) for number in range(clients)]

    def _work(self, kms, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not self.over.is_set():
                made = kms.generate_data_key(KeyId=chance.choice(self.keys), KeySpec="AES_256")
                self.kept.append((made["CiphertextBlob"], made["Plaintext"]))
                blob, plaintext = chance.choice(self.kept)
                assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, AssertionError) as fault:
            self.faults.append(repr(fault))

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        assert not self.faults, self.faults
        assert self.kept

    def all_opens(self, kms) -> None:
        for blob, plaintext in self.kept[:: 1 + len(self.kept) // 200]:
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext


def test_a_rotation_under_load_loses_nothing(house):
    account = Keeper(house.server)
    keys = [account.key() for _ in range(KEYS)]
    names = [house.shown()["root"]]
    with Load(account, keys) as load:
        for _ in range(3):
            said = house.root("rotate")
            number, told = said.split(" ", 1)
            assert int(number) >= KEYS and told.startswith("keys are under the new root"), said
            shown = house.shown()
            assert "before" not in shown
            names.append(shown["root"])
            # What is made, changed and rotated meanwhile goes on, too.
            keys.append(account.key())
            account.kms.rotate_key_on_demand(KeyId=keys[0])
    assert len(set(names)) == 4
    load.all_opens(account.kms)
    load.all_opens(house.restart().kms)


def rotation_seconds(house: House) -> float:
    """How long a rotation takes on this machine, so that it is killed somewhere within it."""
    before = time.monotonic()
    house.root("rotate")
    return time.monotonic() - before


def test_a_rotation_that_is_killed_anywhere_ends_when_it_is_called_again(house):
    account, chance = Keeper(house.server), random.Random(20_261_122)
    keys = [account.key() for _ in range(KEYS)]
    lasted = rotation_seconds(house)
    halfway = 0
    with Load(account, keys, clients=1) as load:
        for _ in range(ROUNDS):
            rotation = subprocess.Popen(house.command("rotate"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if chance.random() < 0.7:
                # From when the new root is in the file, it is somewhere among the keys.
                rotation.stderr.readline()
            try:
                rotation.wait(chance.random() * lasted)
            except subprocess.TimeoutExpired:
                rotation.kill()
                rotation.wait()
            rotation.stderr.close()
            is_halfway = "before" in house.shown()
            halfway += is_halfway
            # Some are killed again while they go on.
            if not is_halfway or chance.random() < 0.5:
                house.root("rotate")
                assert "before" not in house.shown()
        house.root("rotate")
    assert halfway, "no rotation was ever killed halfway"
    assert "before" not in house.shown()
    load.all_opens(account.kms)
    load.all_opens(house.restart().kms)


def test_a_server_that_starts_halfway_opens_everything(house):
    account, chance = Keeper(house.server), random.Random(1)
    keys = [account.key() for _ in range(KEYS)]
    blobs = [account.kms.encrypt(KeyId=key, Plaintext=key.encode())["CiphertextBlob"] for key in keys]
    for _ in range(100):
        rotation = subprocess.Popen(house.command("rotate"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        rotation.stderr.readline()
        try:
            rotation.wait(chance.random() * 0.02)
        except subprocess.TimeoutExpired:
            rotation.kill()
            rotation.wait()
        rotation.stderr.close()
        if "before" in house.shown():
            break
    else:
        raise AssertionError("no rotation was ever killed halfway")
    kms = house.restart().kms
    assert "a rotation of the root key was begun and has not ended" in house.server.log_text()
    for key, blob in zip(keys, blobs, strict=True):
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == key.encode()
    house.root("rotate")
    assert "before" not in house.shown()
    for key, blob in zip(keys, blobs, strict=True):
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == key.encode()


def test_sessions_go_on_after_a_rotation_and_end_when_that_is_asked_for(house):
    account = Keeper(house.server)
    session = account.session(account.caller_role(allow("kms:*")))
    key = account.key()
    house.root("rotate")
    assert outcome(account.client(session).describe_key, KeyId=key) == "ok"
    assert house.server.stop() == 0
    house.server.start()
    assert outcome(account.client(session).describe_key, KeyId=key) == "ok"

    house.root("rotate", "--end-sessions")
    assert outcome(account.client(session).describe_key, KeyId=key) == "ok", "only from the next start on"
    administrators = house.server.credentials("Admin")
    assert house.server.stop() == 0
    house.server.start()
    old = {"AccessKeyId": administrators.access_key_id, "SecretAccessKey": administrators.secret_access_key, "SessionToken": administrators.session_token}
    ended = {outcome(account.client(one).describe_key, KeyId=key) for one in (session, old)}
    assert ended <= {"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException"}, ended
    # Whoever comes anew finds everything.
    anew = Moho(house.server.data, models={})
    anew.port = house.server.port
    assert Keeper(anew).kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def test_a_passphrase_opens_and_another_does_not(house):
    kms = Keeper(house.server).kms
    key = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    right, wrong = house.text("right", WORDS), house.text("wrong", OTHER_WORDS)
    clear = house.shown()
    assert clear["protection"].startswith("development")
    assert "at least" in house.refused(IN_THE_WAY, "protect", "--passphrase-file", house.text("weak", "short"))
    house.root("protect", "--passphrase-file", right)
    assert WORDS.encode() not in house.file.read_bytes()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words", "a server that runs goes on"

    assert house.shown()["roots"].startswith("not looked at")
    assert house.shown("--root-passphrase-file", right)["root"] == clear["root"]
    for arguments in (["show"], ["rotate"], ["split", "3/5"], ["protect", "--development"]):
        said = house.refused(IN_THE_WAY, *arguments, "--root-passphrase-file", wrong)
        assert "does not open" in said
    assert "passphrase" in house.refused(IN_THE_WAY, "rotate")

    assert house.server.stop() == 0
    assert "does not open" in house.does_not_start("--root-passphrase-file", wrong)
    assert "--root-passphrase-file" in house.does_not_start()
    os.chmod(wrong, 0o644)
    assert house.does_not_start("--root-passphrase-file", wrong)
    house.server.arguments = ("--root-passphrase-file", right)
    house.server.start()
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"
    house.root("rotate", "--root-passphrase-file", right)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"
    assert house.shown("--root-passphrase-file", right)["root"] != clear["root"]
    assert Keeper(house.server).kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    # A bit of the file that is not as it was.
    whole = house.file.read_bytes()
    for at in random.Random(1).sample(range(len(whole)), 3):
        house.file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert house.run("show", "--root-passphrase-file", right).returncode in (IN_THE_WAY, DAMAGED)
    house.file.write_bytes(whole)
    assert "root" in house.shown("--root-passphrase-file", right)


def flipped(share: str, at: int) -> str:
    """A share of whose value one bit is another."""
    parts = share.split(" ")
    digits = list(parts[4])
    digits[at] = f"{int(digits[at], 16) ^ 1:x}"
    return " ".join([*parts[:4], "".join(digits), *parts[5:]])


def test_enough_shares_recover_and_fewer_or_others_do_not(house):
    account = Keeper(house.server)
    key = account.key()
    blob = account.kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    lost, new = house.text("lost", WORDS), house.text("new", OTHER_WORDS)
    assert "protect" in house.refused(IN_THE_WAY, "split", "3/5")
    house.root("protect", "--passphrase-file", lost)
    given = ("--root-passphrase-file", lost)
    before = house.file.read_bytes()
    shares, others = (house.root("split", "3/5", *given).splitlines() for _ in range(2))
    assert len(shares) == 5 and all(SHARE.fullmatch(share) for share in shares), shares
    assert house.file.read_bytes() == before
    house.root("rotate", *given)
    root = house.shown(*given)["root"]

    def recover(*lines: str) -> tuple[str, ...]:
        return ("recover", "--passphrase-file", new, "--root-shares-file", house.text("shares", *lines))

    a, b, c, d, _ = shares
    assert "it takes 3" in house.refused(IN_THE_WAY, *recover(a, b))
    assert "there twice" in house.refused(IN_THE_WAY, *recover(a, b, b))
    assert "not of one set" in house.refused(IN_THE_WAY, *recover(a, b, others[2]))
    for at in (0, 31, 63):
        assert "copied wrongly" in house.refused(IN_THE_WAY, *recover(a, b, flipped(c, at)))
    assert "six parts" in house.refused(IN_THE_WAY, *recover(a, b, c.rsplit(" ", 1)[0]))
    # The drill, on a copy.
    drill = house.folder / "drill"
    drill.mkdir(mode=0o700)
    copy = drill / "root.key"
    copy.write_bytes(house.file.read_bytes())
    copy.chmod(0o600)
    house.root(*recover(d, a, c), "--root-file", str(copy))
    assert house.shown("--root-file", str(copy), "--root-passphrase-file", new)["root"] == root
    assert house.shown(*given)["root"] == root

    # When it is meant: both sets are of the same key, which is over with it.
    house.root(*recover(b, d, a))
    assert house.shown("--root-passphrase-file", new)["root"] == root
    house.refused(IN_THE_WAY, "show", *given)
    for set_of_before in (shares, others):
        assert "before it was last protected" in house.refused(IN_THE_WAY, *recover(*set_of_before[:3]))
    kms = house.restart("--root-passphrase-file", new).kms
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"


def test_a_root_key_under_shares_only(house):
    account = Keeper(house.server)
    key = account.key()
    blob = account.kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    shares = house.root("protect", "--shares", "3/5").splitlines()
    assert len(shares) == 5 and all(SHARE.fullmatch(share) for share in shares), shares
    assert house.shown()["protection"] == "shares, 3 of 5"
    two = house.text("two", *shares[:2])
    assert "it takes 3" in house.refused(IN_THE_WAY, "rotate", "--root-shares-file", two)
    assert house.server.stop() == 0
    assert "it takes 3" in house.does_not_start("--root-shares-file", two)
    # Each keeper may have a file.
    files = [part for number in (4, 0, 2) for part in ("--root-shares-file", house.text(f"keeper{number}", "# of one keeper", shares[number]))]
    house.server.arguments = tuple(files)
    house.server.start()
    assert account.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"
    house.root("rotate", *files)
    assert account.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"
    house.root("protect", "--development", *files)
    kms = house.restart().kms
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"
    house.refused(IN_THE_WAY, "recover", "--development", *files)
