"""A server with two accounts for those who try every route and every operation, and the lists of both.

OpenAI's routes stand in `openai_routes.txt`, which a test of the wire crate holds to the code, AWS's operations in
`crates/wire/models/operations.txt`, from which the code is made.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from private import FOREIGN, FOREIGN_VPC, NOBODY, ClientAuthority, PrivateMoho, settings
from serving import MODEL, Credentials, free_port
from signing import bearer_key

HERE = Path(__file__).parent
OPERATIONS = HERE.parents[1] / "crates/wire/models/operations.txt"
TREASURE = "treasure"
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def operations() -> list[tuple[str, str]]:
    lines = OPERATIONS.read_text().splitlines()
    return [tuple(line.split()) for line in lines if line and not line.startswith("#")]


def openai_routes() -> list[tuple[str, str]]:
    lines = (HERE / "openai_routes.txt").read_text().splitlines()
    return [tuple(line.split()) for line in lines if not line.startswith("#")]


BODIES = {
    "POST conversations": {"metadata": {"note": "x"}},
    "POST conversations/{conversation}": {"metadata": {"note": "x"}},
    "POST conversations/{conversation}/items": {"items": [{"role": "user", "content": "Hi!"}]},
    "POST data_retention": {"days": 30},
    "POST restore/accept": {"id": "another"},
    "POST responses": {"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False},
    "POST chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 1},
}


class World:
    """A server with two accounts; the first has something of every kind, all called `treasure`, under `/secret/`."""

    def __init__(self, server: PrivateMoho, foreign_url: str):
        self.server, self.foreign_url = server, foreign_url
        self.admin = server.credentials("Admin")
        sts = server.boto3("sts", "Admin")
        self.account = sts.get_caller_identity()["Account"]
        self.iam = server.boto3("iam", "Admin")
        self.organizations = server.boto3("organizations", "Admin")
        self.kms = server.boto3("kms", "Admin")
        self.own_trust = self.trust(self.account)
        self.hide_treasures()
        self.nobody = self.role("Nobody", None)
        clerk = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:iam::*:*/secret/*"},
            ],
        }
        self.clerk = self.role("Clerk", clerk)
        self.other, self.stranger = self.other_account()

    @staticmethod
    def trust(account: str) -> str:
        principal = {"AWS": f"arn:aws:iam::{account}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def role(self, name: str, policy: dict | None) -> Credentials:
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=self.own_trust)
        if policy is not None:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return self.assumed(f"arn:aws:iam::{self.account}:role/{name}")

    def assumed(self, arn: str) -> Credentials:
        made = self.server.boto3("sts", "Admin").assume_role(RoleArn=arn, RoleSessionName="tried")["Credentials"]
        short = Credentials.of_sts(made, self.admin.region)
        return Credentials(short.access_key_id, short.secret_access_key, short.session_token, bearer_key(short), short.region)

    def other_account(self) -> tuple[str, Credentials]:
        status = self.organizations.create_account(Email="other@example.org", AccountName="other")["CreateAccountStatus"]
        while status["State"] == "IN_PROGRESS":
            status = self.organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
        assert status["State"] == "SUCCEEDED", status
        account = status["AccountId"]
        return account, self.assumed(f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole")

    def hide_treasures(self) -> None:
        keys = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}]}
        made = self.organizations.create_policy(
            Name=TREASURE, Description="", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(keys)
        )
        self.scp = made["Policy"]["PolicySummary"]["Id"]
        self.organizations.attach_policy(PolicyId=self.scp, TargetId=self.account)
        self.iam.create_user(UserName=TREASURE, Path="/secret/")
        self.iam.create_group(GroupName=TREASURE, Path="/secret/")
        self.iam.create_role(RoleName=TREASURE, Path="/secret/", AssumeRolePolicyDocument=self.own_trust)
        self.iam.create_instance_profile(InstanceProfileName=TREASURE, Path="/secret/")
        policy = self.iam.create_policy(PolicyName=TREASURE, Path="/secret/", PolicyDocument=json.dumps(ANYTHING))
        self.policy = policy["Policy"]["Arn"]
        made = self.kms.create_key(Description=TREASURE, Tags=[{"TagKey": TREASURE, "TagValue": TREASURE}])
        self.kms_key = made["KeyMetadata"]["KeyId"]
        self.kms.create_alias(AliasName=f"alias/{TREASURE}", TargetKeyId=self.kms_key)
        grantee = f"arn:aws:iam::{self.account}:role/secret/{TREASURE}"
        granted = self.kms.create_grant(KeyId=self.kms_key, GranteePrincipal=grantee, Operations=["Decrypt"], Name=TREASURE)
        self.grant = granted["GrantId"]
        self.blob = self.kms.encrypt(KeyId=self.kms_key, Plaintext=TREASURE.encode())["CiphertextBlob"]
        self.key = self.iam.create_access_key(UserName=TREASURE)["AccessKey"]["AccessKeyId"]

    def treasures(self) -> str:
        """All of it, as the administrator sees it, but for when roles were last used."""
        found = self.iam.get_account_authorization_details()
        found.pop("ResponseMetadata")
        for role in found["RoleDetailList"]:
            role.pop("RoleLastUsed", None)
        keys = {
            "metadata": self.kms.describe_key(KeyId=f"alias/{TREASURE}")["KeyMetadata"],
            "policy": self.kms.get_key_policy(KeyId=self.kms_key)["Policy"],
            "tags": self.kms.list_resource_tags(KeyId=self.kms_key)["Tags"],
            "rotation": self.kms.get_key_rotation_status(KeyId=self.kms_key)["KeyRotationEnabled"],
            "aliases": self.kms.list_aliases()["Aliases"],
            "grants": self.kms.list_grants(KeyId=self.kms_key)["Grants"],
            "keys": self.kms.list_keys()["Keys"],
        }
        return json.dumps(found | {"keys": keys}, default=str, sort_keys=True)

    def client(self, service: str, credentials: Credentials | None, url: str | None = None):
        config = {"retries": {"total_max_attempts": 1}, "proxies": {}, "parameter_validation": True}
        if credentials is None:
            config["signature_version"] = UNSIGNED
        if url is not None:
            config["client_cert"] = (str(self.server.clients.certificate), str(self.server.clients.key))
        return boto3.client(
            service,
            endpoint_url=url or self.server.url,
            verify=str(self.server.authority),
            region_name=self.admin.region,
            aws_access_key_id=credentials.access_key_id if credentials else None,
            aws_secret_access_key=credentials.secret_access_key if credentials else None,
            aws_session_token=credentials.session_token if credentials else None,
            config=Config(**config),
        )


@contextmanager
def two_accounts(folder: Path, **options) -> Iterator[World]:
    """The server with both accounts, and an endpoint that is for neither."""
    clients = ClientAuthority.make(folder / "clients")
    public, foreign = free_port(), free_port()
    file = folder / "moho.toml"
    endpoints = {FOREIGN: (f"127.0.0.1:{foreign}", FOREIGN_VPC, [NOBODY])}
    file.write_text(settings(clients, endpoints, f"127.0.0.1:{public}"))
    foreign_url = f"https://127.0.0.1:{foreign}"
    server = PrivateMoho(folder / "data", file=file, clients=clients, url=f"https://127.0.0.1:{public}", **options)
    server.port = public
    try:
        yield World(server.start(), foreign_url)
        server.assert_unharmed()
    finally:
        server.end()
