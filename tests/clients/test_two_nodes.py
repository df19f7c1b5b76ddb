"""Two `moho serve` on one store: what one changes holds for the other within a second, and each keeps a journal of its own."""

import shutil
import time

import openai
import pytest

import journal
from kms_account import Keeper, allow, granting, outcome, policy_of, put_policy
from serving import MODEL, Moho
from sts import document

# After so long at most, what one has acknowledged holds for the other.
SOON = 1.0
DENIED, DISABLED, DELETED = "AccessDeniedException", "DisabledException", "KMSInvalidStateException"


class Two:
    """Two servers on one store, and the administrator at each of them."""

    def __init__(self, folder, **options):
        store = ("--store-dir", str(folder / "store"))
        self.one, self.other = (Moho(folder / name, arguments=store, **options) for name in ("one", "other"))
        try:
            self.here = Keeper(self.one.start())
            self.other.start()
        except BaseException:
            self.end()
            raise
        self.there = self.at_the_other()

    def at_the_other(self, credentials=None) -> Keeper:
        """The other server, by the first one's sessions."""
        if credentials is None:
            admin = self.one.credentials("Admin")
            credentials = {"AccessKeyId": admin.access_key_id, "SecretAccessKey": admin.secret_access_key, "SessionToken": admin.session_token}
        # Bearer keys, too.
        self.other._credentials = self.one._credentials
        return Keeper(self.other, credentials)

    def end(self) -> None:
        for server in (self.one, self.other):
            server.end()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    two = Two(tmp_path_factory.mktemp("two"), models={})
    try:
        yield two
        for server in (two.one, two.other):
            server.assert_unharmed()
            assert journal.verified_entries(server.data)
            assert server.stop() == 0
    finally:
        two.end()


def turns(change, ask, before: str, after: str) -> float:
    """`ask` ends with `before`; within a second of the change that was acknowledged it ends with `after`, and stays so. How
    long it took."""
    assert ask() == before
    change()
    acknowledged = time.monotonic()
    turned = None
    while (asked := time.monotonic() - acknowledged) < SOON * 1.5:
        told = ask()
        assert told in (before, after), told
        if told == after:
            turned = asked if turned is None else turned
        else:
            assert turned is None, "it changed back"
            # What was asked for in time may be answered as before; what was asked for later may not.
            assert asked < SOON, f"{asked:.3f} s after the change it is still {told}"
    assert turned is not None
    return turned


class Used:
    """A key made at one server, a role made there, and what it sealed; asked for at the other."""

    def __init__(self, two: Two, *, allowed=("kms:Decrypt", "kms:Encrypt"), **more):
        self.here, self.there = two.here, two.there
        self.key = self.here.key(**more)
        self.role = self.here.caller_role(*([allow(list(allowed))] if allowed else []))
        self.blob = self.here.kms.encrypt(KeyId=self.key, Plaintext=b"words")["CiphertextBlob"]
        self.kms = two.there.client(self.here.session(self.role))

    def decrypts(self) -> str:
        return outcome(self.kms.decrypt, CiphertextBlob=self.blob)


def test_a_key_made_at_one_is_used_at_the_other(two):
    key = two.here.key(Description="of one")
    alias = two.here.alias(key)
    assert two.there.kms.describe_key(KeyId=alias)["KeyMetadata"]["Description"] == "of one"
    sealed = two.there.kms.encrypt(KeyId=alias, Plaintext=b"words", EncryptionContext={"a": "b"})["CiphertextBlob"]
    opened = two.here.kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"words", key)
    two.there.kms.rotate_key_on_demand(KeyId=key)
    newer = two.there.kms.encrypt(KeyId=key, Plaintext=b"newer")["CiphertextBlob"]
    # One that has the key in memory does not take what is newer for damaged.
    assert two.here.kms.decrypt(CiphertextBlob=newer)["Plaintext"] == b"newer"
    assert two.here.kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"] == b"words"


def test_a_disabled_key_is_disabled_everywhere_within_a_second(two):
    used = Used(two)
    turns(lambda: two.here.kms.disable_key(KeyId=used.key), used.decrypts, "ok", DISABLED)
    turns(lambda: two.here.kms.enable_key(KeyId=used.key), used.decrypts, DISABLED, "ok")
    # And the other way about.
    back = two.here.as_role(used.role)
    turns(lambda: two.there.kms.disable_key(KeyId=used.key), lambda: outcome(back.decrypt, CiphertextBlob=used.blob), "ok", DISABLED)


def test_a_key_policy_that_denies_does_so_everywhere_within_a_second(two):
    used = Used(two)
    [first] = policy_of(two.here.kms, used.key)["Statement"]

    def deny() -> None:
        put_policy(two.here.kms, used.key, first, granting(used.role, "kms:Decrypt", "Deny"))

    turns(deny, used.decrypts, "ok", DENIED)
    turns(lambda: put_policy(two.here.kms, used.key, first), used.decrypts, DENIED, "ok")


def test_a_role_policy_counts_everywhere_within_a_second(two):
    used = Used(two)
    name = used.role.rsplit("/", 1)[1]

    def put(*statements) -> None:
        two.here.iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=document(*statements))

    turns(lambda: put(allow("kms:Encrypt")), used.decrypts, "ok", DENIED)
    turns(lambda: put(allow("kms:Decrypt")), used.decrypts, DENIED, "ok")


@pytest.mark.parametrize("ending", ["revoke_grant", "retire_grant"])
def test_a_grant_that_ended_gives_nothing_anywhere_after_a_second(two, ending):
    used = Used(two, allowed=())
    given = {}

    def give() -> None:
        given.update(two.here.kms.create_grant(KeyId=used.key, GranteePrincipal=used.role, Operations=["Decrypt"]))

    turns(give, used.decrypts, DENIED, "ok")
    turns(lambda: getattr(two.here.kms, ending)(KeyId=used.key, GrantId=given["GrantId"]), used.decrypts, "ok", DENIED)


def test_a_key_that_waits_for_its_deletion_opens_nothing_anywhere_after_a_second(two):
    used = Used(two)
    turns(lambda: two.here.kms.schedule_key_deletion(KeyId=used.key, PendingWindowInDays=7), used.decrypts, "ok", DELETED)
    turns(lambda: two.there.kms.cancel_key_deletion(KeyId=used.key), used.decrypts, DELETED, DISABLED)
    two.here.kms.enable_key(KeyId=used.key)
    assert two.here.kms.decrypt(CiphertextBlob=used.blob)["Plaintext"] == b"words"


def test_both_change_one_key_and_no_change_is_lost(two):
    key = two.here.key()
    for number in range(20):
        for name, kms in (("here", two.here.kms), ("there", two.there.kms)):
            kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"{name}{number}", "TagValue": "x"}])
    expected = {f"{name}{number}" for name in ("here", "there") for number in range(20)}
    deadline = time.monotonic() + 10
    for kms in (two.here.kms, two.there.kms):
        while {tag["TagKey"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]} != expected:
            assert time.monotonic() < deadline


def test_sessions_of_one_are_taken_by_the_other(two):
    caller = two.here.caller_role(allow("sts:GetCallerIdentity"))
    session = two.here.session(caller, session="ada")
    asked = [account.client(session, "sts").get_caller_identity() for account in (two.here, two.there)]
    assert asked[0]["Arn"] == asked[1]["Arn"] and asked[0]["Arn"].endswith("/ada")
    # What is asked for at each stands in the journal of that one, and in no other.
    for answer, mine, others in ((asked[0], two.one, two.other), (asked[1], two.other, two.one)):
        request = answer["ResponseMetadata"]["RequestId"]
        assert journal.of_request(journal.verified_entries(mine.data), request)
        assert not journal.of_request(journal.verified_entries(others.data), request)


def test_the_other_goes_on_when_one_is_killed(two):
    used = Used(two)
    two.one.kill()
    assert used.decrypts() == "ok"
    made = two.there.key(Description="made meanwhile")
    (two.one.data / "endpoint.json").unlink()
    two.one.start()
    assert two.here.kms.describe_key(KeyId=made)["KeyMetadata"]["Description"] == "made meanwhile"
    assert used.decrypts() == "ok"


def ask(server: Moho) -> str:
    settings = {"model": MODEL, "input": "What is the capital of France?", "temperature": 0, "max_output_tokens": 8}
    return server.openai().responses.create(**settings).id


def test_what_one_stored_opens_at_the_other_until_its_key_is_disabled(tmp_path):
    two = Two(tmp_path)
    try:
        stored = ask(two.one)
        retrieve = two.other.openai().responses.retrieve
        assert retrieve(stored).to_dict() == two.one.openai().responses.retrieve(stored).to_dict()
        [key] = [one["KeyArn"] for one in two.here.kms.list_keys()["Keys"]]

        def opens() -> str:
            try:
                return retrieve(stored).status and "ok"
            except openai.APIStatusError as refused:
                return f"{refused.status_code} {refused.code}"

        disabled = "400 invalid_value"
        turns(lambda: two.here.kms.disable_key(KeyId=key), opens, "ok", disabled)
        with pytest.raises(openai.APIStatusError):
            ask(two.other)
        turns(lambda: two.here.kms.enable_key(KeyId=key), opens, disabled, "ok")
        for server in (two.one, two.other):
            server.assert_unharmed()
            journal.verified_entries(server.data)
            assert server.stop() == 0
    finally:
        two.end()


def test_a_store_without_its_root_key_is_not_served(tmp_path):
    two = Two(tmp_path, models={})
    try:
        assert two.other.stop() == 0
        shutil.move(tmp_path / "store" / "root.key", tmp_path / "root.key")
        two.other.spawn()
        assert two.other.process.wait(60) > 0
        assert "bring it back from a backup" in two.other.log_text()
        shutil.move(tmp_path / "root.key", tmp_path / "store" / "root.key")
        two.other.start()
    finally:
        two.end()
