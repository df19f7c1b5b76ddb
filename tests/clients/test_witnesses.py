"""The log's witnesses: they are asked about each checkpoint, and whoever takes records away is told of by them."""

import shutil

import pytest

import journal
import rawnet
from identity_provider import Certificate
from test_log import fetched, grown, size_of, verify
from witness import Witness


@pytest.fixture
def certificate(tmp_path):
    return Certificate.make(tmp_path)


@pytest.fixture
def witness(certificate):
    played = Witness(certificate)
    try:
        yield played
    finally:
        played.end()


@pytest.fixture
def watched(make_moho, witness, certificate):
    """A server whose log the witness knows."""
    server = make_moho(models={}, arguments=("--audit-witness", witness.setting, "--audit-ca", str(certificate.authority)))
    server.start()
    witness.trust(fetched(server, "key").decode())
    return server


def cosigned(server, witness) -> None:
    """Waits until all that is there now is in a checkpoint that the witness has cosigned."""
    there = len(journal.verified_records(server.data))

    def holds() -> bool:
        found = fetched(server, "checkpoint")
        return size_of(found) >= there and f"— {witness.name} ".encode() in found

    rawnet.until(holds, "the witness has cosigned")


def seen(witness) -> int:
    [(size, _)] = witness.seen.values()
    return size


def test_checkpoints_are_cosigned_also_after_a_kill(watched, witness):
    grown(watched, 5)
    watched.boto3("kms", "Admin").list_keys()
    cosigned(watched, witness)
    first = seen(witness)
    found = verify(watched, "--witness", witness.key)
    assert found.returncode == 0, found.stderr
    assert f"cosigned by {witness.name}" in found.stdout
    watched.kill()
    watched.start()
    watched.boto3("kms", "Admin").list_keys()
    cosigned(watched, witness)
    assert seen(witness) > first
    # It did not know any more what the witness had seen, and was told.
    assert set(witness.refused) <= {404, 409}
    assert journal.events(watched.data, "finding") == []
    assert verify(watched, "--witness", witness.key).returncode == 0


def test_a_witness_that_is_silent_or_another_holds_up_nothing(watched, witness):
    grown(watched, 3)
    cosigned(watched, witness)
    witness.silent = True
    kms = watched.boto3("kms", "Admin")
    kms.list_keys()
    there = len(journal.verified_records(watched.data))
    rawnet.until(lambda: size_of(fetched(watched, "checkpoint")) >= there, "it is published all the same")
    assert witness.name.encode() not in fetched(watched, "checkpoint")
    refused = verify(watched, "--witness", witness.key)
    assert refused.returncode == 1 and "0 of the witnesses" in refused.stderr
    assert verify(watched, "--witness", witness.key, "--witnesses-needed", "0").returncode == 0
    watched.assert_unharmed()


def test_whoever_puts_an_earlier_journal_back_is_told_of(watched, witness, tmp_path):
    grown(watched, 3)
    assert watched.stop() == 0
    earlier = tmp_path / "earlier"
    shutil.copytree(watched.data / "journal", earlier)
    watched.start()
    grown(watched, len(journal.verified_records(watched.data)) + 30)
    cosigned(watched, witness)
    assert watched.stop() == 0
    # All of it, with its checkpoint and hashes: nothing here tells.
    shutil.rmtree(watched.data / "journal")
    shutil.copytree(earlier, watched.data / "journal")
    watched.start()
    watched.boto3("kms", "Admin").list_keys()
    rawnet.until(lambda: journal.events(watched.data, "finding"), "the journal has it that the witness contradicts")
    [found] = journal.events(watched.data, "finding")
    assert found["event"] == "LogContradicted" and witness.name in found["damage"]
    assert "records were taken away" in watched.log_text()
    watched.assert_unharmed()


@pytest.mark.parametrize("wrong", ["nothing", "name+00000000+BAAA@https://w.example", "https://w.example", "a@b"])
def test_what_is_no_witness_is_refused_at_the_start(make_moho, wrong):
    server = make_moho(models={}, arguments=("--audit-witness", wrong))
    with pytest.raises(RuntimeError, match="ended with 2"):
        server.start()
