"""What the IAM tests share: an administrator's client, names nobody else has, policies, and callers of chosen rights."""

import itertools
import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ALLOW_NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
_numbers = itertools.count(1)


def named(word: str) -> str:
    """A name that no other test has."""
    return f"{word}-{next(_numbers)}"


def policy(action="*", resource="*", effect="Allow", **more) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]})


def trust(principal: dict, **more) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refused(code: str, call, **arguments) -> str:
    """What the service says in refusing."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value.response["Error"]["Message"]


class Account:
    """The first account of a server, in the hands of its administrator."""

    def __init__(self, moho):
        self.moho = moho
        self.iam = moho.boto3("iam", "Admin")
        self.sts = moho.boto3("sts", "Admin")
        self.id = self.sts.get_caller_identity()["Account"]

    def arn(self, resource: str) -> str:
        return f"arn:aws:iam::{self.id}:{resource}"

    def own(self) -> str:
        """A trust policy for the whole account."""
        return trust({"AWS": self.arn("root")})

    def role(self, word: str = "role", **more) -> dict:
        more = {"AssumeRolePolicyDocument": self.own(), **more}
        return self.iam.create_role(RoleName=named(word), **more)["Role"]

    def policy(self, document: str | None = None, word: str = "policy", **more) -> dict:
        return self.iam.create_policy(PolicyName=named(word), PolicyDocument=document or policy(), **more)["Policy"]

    def session(self, role_arn: str, **more) -> dict:
        return self.sts.assume_role(RoleArn=role_arn, RoleSessionName="tester", **more)["Credentials"]

    def client(self, service: str, credentials: dict):
        return boto3.client(
            service,
            endpoint_url=self.moho.url,
            verify=str(self.moho.authority),
            region_name=self.moho.credentials().region,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def allowed(self, *documents: str, service: str = "iam"):
        """A client of a new role that may what the documents say, and nothing else."""
        role = self.role("allowed")
        for document in documents:
            self.iam.put_role_policy(RoleName=role["RoleName"], PolicyName=named("may"), PolicyDocument=document)
        return self.client(service, self.session(role["Arn"]))
