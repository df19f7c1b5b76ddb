"""What the soaks share: how many rounds, and crowds of owners that change what is theirs until the server is gone."""

import os
import threading

import botocore.exceptions

# How AWS says that it is not the caller's fault.
SERVER_ERRORS = {
    *("KMSInternalException", "DependencyTimeoutException", "InternalFailure", "InternalError", "ServiceUnavailable"),
    *("ServiceUnavailableException", "InternalServerException", "SlowDown"),
}


class Unanswered(Exception):
    """The answer never came."""


def rounds(full: int, short: int) -> int:
    """All of them with MOHO_SOAK=full, or as many as it says."""
    asked = os.environ.get("MOHO_SOAK", "")
    return full if asked == "full" else int(asked or short)


def ask(call, **arguments):
    """The answer, or its refusal. That none came is something else."""
    try:
        return call(**arguments)
    except botocore.exceptions.ClientError:
        raise
    except botocore.exceptions.BotoCoreError as gone:
        raise Unanswered from gone


def is_refused(attempt) -> bool:
    """Whether the server says that it cannot, in the right way."""
    try:
        attempt()
    except botocore.exceptions.ClientError as error:
        told = error.response
        assert told["Error"]["Code"] in SERVER_ERRORS, error
        assert told["ResponseMetadata"]["HTTPStatusCode"] >= 500, error
        assert "No space" not in str(error) and "disk" not in str(error), error
        return True
    return False


class Crowd:
    """Owners, each of which changes its own at the same time as the others, until the server is gone.

    An owner has `step`, which says whether it changed something and raises `Unanswered`, and `doing`, the name of what it does."""

    def __init__(self, owners: list, target: int):
        self.owners = owners
        self.target = target
        self.enough = threading.Event()
        self.lock = threading.Lock()
        self.changes = 0
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self._work, args=[owner], daemon=True) for owner in owners]
        for thread in self.threads:
            thread.start()

    def _work(self, owner) -> None:
        try:
            while not self.faults:
                changed = owner.step()
                with self.lock:
                    self.changes += changed
                    if self.changes >= self.target:
                        self.enough.set()
        except Unanswered:
            return
        except Exception as fault:  # Whatever it is, it fails the test.
            self.faults.append(f"{owner.doing}: {fault!r}")
            self.enough.set()

    def gone(self) -> None:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        assert not self.faults, self.faults
