"""What the tests of private endpoints share: a server with three of them, and boto3 with the certificate of its clients."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config

from private import ENDPOINT, FOREIGN, FOREIGN_VPC, NOBODY, SOCKET, VPC, ClientAuthority, PrivateMoho, settings
from serving import Credentials, free_port

SERVICE = "com.amazonaws.us-east-1.{}"
ONLY_STS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Resource": "*"}]}


@contextmanager
def three_endpoints(folder: Path, clients: ClientAuthority, *arguments: str) -> Iterator[PrivateMoho]:
    """A server with a public listener and three private endpoints, one of which lets only another account in."""
    public, private, foreign = free_port(), free_port(), free_port()
    endpoints = {
        ENDPOINT: (f"127.0.0.1:{private}", VPC, []),
        SOCKET: (f"unix:{folder}/private.sock", VPC, []),
        FOREIGN: (f"127.0.0.1:{foreign}", FOREIGN_VPC, [NOBODY]),
    }
    file = folder / "moho.toml"
    file.write_text(settings(clients, endpoints, f"127.0.0.1:{public}"))
    made = PrivateMoho(folder / "data", file=file, clients=clients, url=f"https://127.0.0.1:{private}", arguments=("--log-format", "json", *arguments))
    made.port = public
    made.foreign_url = f"https://127.0.0.1:{foreign}"
    made.socket = folder / "private.sock"
    try:
        yield made.start()
    finally:
        made.end()


def client_of(server, service: str, url: str | None = None, credentials: Credentials | None = None, role: str = "Admin"):
    """boto3 at an endpoint, with the client's certificate."""
    found = credentials or server.credentials(role)
    return boto3.client(
        service,
        endpoint_url=url or server.private_url,
        verify=str(server.authority),
        region_name=found.region,
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
        config=Config(
            retries={"total_max_attempts": 1}, proxies={}, client_cert=(str(server.clients.certificate), str(server.clients.key))
        ),
    )


def with_session_policy(server, policy: dict) -> Credentials:
    """Credentials of the administrator that a session policy narrows."""
    sts = server.boto3("sts", "Admin")
    account = sts.get_caller_identity()["Account"]
    made = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/Admin", RoleSessionName="narrow", Policy=json.dumps(policy))["Credentials"]
    return Credentials.of_sts(made, server.credentials("Admin").region)


def allowing(**condition) -> dict:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}
