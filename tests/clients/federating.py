"""A server that trusts identity providers, with roles for whom they vouch, set up as an administrator would."""

import json
import time
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from serving import Moho

REFUSAL = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
WHOLE = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]


def trust(provider: str, conditions: dict | None = None, actions: list[str] | None = None) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": actions or ["sts:AssumeRoleWithWebIdentity"],
    }
    if conditions:
        statement["Condition"] = conditions
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Federated:
    """One server and who administrates it."""

    def __init__(self, moho: Moho):
        self.moho = moho
        self.iam = moho.boto3("iam", "Admin")
        self.admin = moho.boto3("sts", "Admin")
        self.account = self.admin.get_caller_identity()["Account"]

    def trusts(self, issuer: str, clients: list[str]) -> str:
        """Sets a provider; gives its ARN."""
        made = self.iam.create_open_id_connect_provider(Url=issuer, ClientIDList=clients, ThumbprintList=["a" * 40])
        return made["OpenIDConnectProviderArn"]

    def role(self, name: str, document: str, **more) -> str:
        """Makes a role that may do everything; gives its ARN."""
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING))
        return arn

    def stranger(self):
        """An STS client without any credentials."""
        return boto3.client(
            "sts",
            endpoint_url=self.moho.url,
            verify=str(self.moho.authority),
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, proxies={}),
        )

    def assume_at_once(self, role: str, token: str, **more) -> dict:
        asked = {"RoleArn": role, "RoleSessionName": "probe", "WebIdentityToken": token} | more
        return self.stranger().assume_role_with_web_identity(**asked)

    def assume(self, role: str, token: str, **more) -> dict:
        """A session; tests that together fail more often than one address may within a second have to wait."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.assume_at_once(role, token, **more)
            except ClientError as error:
                if error.response["Error"]["Code"] != "Throttling" or time.monotonic() > deadline:
                    raise

    def refused_at_once(self, role: str, token: str, **more) -> tuple[str, int, str]:
        """Code, status and words of a refusal."""
        try:
            self.assume_at_once(role, token, **more)
        except ClientError as error:
            said = error.response
            return said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Message"]
        raise AssertionError("it was not refused")

    def refused(self, role: str, token: str, **more) -> tuple[str, int, str]:
        """The same, by tests that together fail more often than one address may within a second."""
        found, deadline = self.refused_at_once(role, token, **more), time.monotonic() + 30
        while found[0] == "Throttling" and time.monotonic() < deadline:
            found = self.refused_at_once(role, token, **more)
        return found

    def client(self, service: str, credentials: dict):
        return boto3.client(
            service,
            endpoint_url=self.moho.url,
            verify=str(self.moho.authority),
            region_name="us-east-1",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )


def authorities(path: Path, *files: Path) -> Path:
    """One file of several authorities."""
    path.write_text("".join(file.read_text() for file in files))
    return path
