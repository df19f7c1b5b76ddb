"""Sessions as boto3's users get them: roles that a test makes, and clients with a session's credentials."""

import json
from typing import NamedTuple

import boto3
import botocore.exceptions
from botocore import UNSIGNED as UNSIGNED
from botocore.config import Config

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def client(moho, service, credentials=None, url=None, **more):
    """A boto3 client of the administrator's, or with credentials as STS gives them."""
    if credentials is None:
        admin = moho.credentials("Admin")
        credentials = {"AccessKeyId": admin.access_key_id, "SecretAccessKey": admin.secret_access_key, "SessionToken": admin.session_token}
    return boto3.client(
        service,
        endpoint_url=url or moho.url,
        verify=str(moho.authority),
        region_name=moho.credentials().region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
        # What botocore would refuse by itself is for the server to refuse.
        config=Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False, **more),
    )


class Denied(NamedTuple):
    """What the service says in refusing."""

    code: str
    message: str
    status: int


def refused(call, *arguments, **parameters) -> Denied:
    """The error that a call ends with."""
    try:
        answer = call(*arguments, **parameters)
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]
        return Denied(told["Code"], told["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"])
    raise AssertionError(f"not refused: {answer}")


class Account:
    """The first account, or that of an administrator's credentials, in which a test makes roles under names of its own."""

    def __init__(self, moho, prefix: str, credentials=None):
        self.moho = moho
        self.prefix = prefix
        self.credentials = credentials
        self.number = client(moho, "sts", credentials).get_caller_identity()["Account"]
        self.iam = client(moho, "iam", credentials)
        self.made: list[str] = []

    def arn(self, name: str) -> str:
        return f"arn:aws:iam::{self.number}:role/{self.prefix}{name}"

    def trust(self, *actions: str, **more) -> str:
        principal = {"AWS": f"arn:aws:iam::{self.number}:root"}
        return document({"Effect": "Allow", "Principal": principal, "Action": list(actions or ["sts:AssumeRole"]), **more})

    def role(self, name: str, trust: str | None = None, allowed=(EVERYTHING,), **more) -> str:
        """Makes a role that may do what it is allowed, and gives its ARN."""
        name = self.prefix + name
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust or self.trust(), **more)
        self.made.append(name)
        if allowed:
            self.iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=document(*allowed))
        return made["Role"]["Arn"]

    def assume(self, name: str, credentials=None, session="probe", **more) -> dict:
        arn = name if name.startswith("arn:") else self.arn(name)
        return client(self.moho, "sts", credentials or self.credentials).assume_role(RoleArn=arn, RoleSessionName=session, **more)

    def session(self, name: str, credentials=None, **more) -> dict:
        return self.assume(name, credentials, **more)["Credentials"]

    def remove(self, name: str) -> None:
        for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            self.iam.delete_role_policy(RoleName=name, PolicyName=policy)
        self.iam.delete_role(RoleName=name)
        self.made.remove(name)

    def clear(self) -> None:
        for name in list(self.made):
            self.remove(name)
