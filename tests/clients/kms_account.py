"""What the tests of KMS share: servers and accounts, keys, callers of chosen rights, and refusals as KMS makes them."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager

import sts
from serving import Moho
from sts import document

ACCESS_ROLE = "OrganizationAccountAccessRole"
SYMMETRIC = "SYMMETRIC_DEFAULT"
# What the administrator of a key needs so that it is not locked out, and no more.
ADMINISTRATION = ["kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:CreateGrant", "kms:RevokeGrant", "kms:ListGrants", "kms:DescribeKey"]
_numbers = itertools.count(1)


def named(word: str) -> str:
    """A name that no other test has."""
    return f"{word}-{next(_numbers)}"


def allow(action, resource="*", effect="Allow", **more) -> dict:
    """A statement of an identity policy."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def granting(principal, action, effect="Allow", **more) -> dict:
    """A statement of a key policy."""
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*", **more}


def refused(codes, call, **arguments) -> str:
    """What KMS says in refusing, with one of these codes."""
    told = sts.refused(call, **arguments)
    assert told.code in ([codes] if isinstance(codes, str) else codes), (codes, told)
    assert told.status == 400, told
    return told.message


def outcome(call, **arguments) -> str:
    """`ok`, or the code of the refusal."""
    try:
        call(**arguments)
    except sts.botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


class Keeper(sts.Account):
    """An account with keys, in the hands of its administrator."""

    def __init__(self, moho: Moho, credentials=None):
        super().__init__(moho, "", credentials)
        self.region = moho.credentials().region
        self.kms = self.client(credentials)

    def client(self, credentials=None, service="kms"):
        return sts.client(self.moho, service, credentials)

    @property
    def root(self) -> str:
        return f"arn:aws:iam::{self.number}:root"

    def key_arn(self, key_id: str) -> str:
        return f"arn:aws:kms:{self.region}:{self.number}:key/{key_id}"

    def alias_arn(self, alias: str) -> str:
        return f"arn:aws:kms:{self.region}:{self.number}:{alias}"

    def key(self, *statements: dict, **more) -> str:
        """Makes a key, with a policy of these statements besides the administrator's if there are some; gives its ARN."""
        if statements:
            more["Policy"] = self.key_policy(*statements)
        return self.kms.create_key(**more)["KeyMetadata"]["Arn"]

    def key_policy(self, *statements: dict) -> str:
        """Leaves the key to its administrators, and its use to whom the statements name."""
        return document(granting(self.root, [*ADMINISTRATION, "kms:TagResource", "kms:ScheduleKeyDeletion"]), *statements)

    def alias(self, key: str, word="alias/test") -> str:
        name = named(word)
        self.kms.create_alias(AliasName=name, TargetKeyId=key)
        return name

    def caller_role(self, *statements: dict, **more) -> str:
        """A new role that may do what these statements allow; its ARN."""
        return self.role(named("caller"), allowed=statements, **more)

    def as_role(self, role_arn: str, **more):
        return self.client(self.session(role_arn, **more))

    def caller(self, *statements: dict, **more):
        """A client of a new role that may do what these statements allow, and nothing else."""
        return self.as_role(self.caller_role(*statements), **more)

    def member(self, word="member") -> "Keeper":
        """A new account of the organisation."""
        organizations = self.client(service="organizations")
        name = named(word)
        made = organizations.create_account(AccountName=name, Email=f"{name}@example.org")["CreateAccountStatus"]
        assert made["State"] == "SUCCEEDED", made
        role = f"arn:aws:iam::{made['AccountId']}:role/{ACCESS_ROLE}"
        return Keeper(self.moho, self.session(role, session="visiting"))


@contextmanager
def keeper(folder) -> Iterator[Keeper]:
    """The first account of a server of one's own."""
    with keeper_with(folder, ()) as account:
        yield account


@contextmanager
def keeper_with(folder, arguments: tuple[str, ...]) -> Iterator[Keeper]:
    """The same of a server that is started with these arguments."""
    moho = Moho(folder / "data", models={}, arguments=arguments)
    try:
        yield Keeper(moho.start())
        moho.assert_unharmed()
    finally:
        moho.end()


def policy_of(kms, key: str) -> dict:
    return json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])


def put_policy(kms, key: str, *statements: dict, **more) -> None:
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(*statements), **more)


def pages(call, **arguments) -> list[dict]:
    """Every page of a list, asked for as its clients do."""
    found = [call(**arguments)]
    while found[-1]["Truncated"]:
        found.append(call(Marker=found[-1]["NextMarker"], **arguments))
        assert len(found) < 1000
    assert "NextMarker" not in found[-1]
    return found
