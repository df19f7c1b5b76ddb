"""Private endpoints: listeners for clients with a certificate, their policies, and EC2's operations on them."""

import hashlib
import json
import os
import socket
import ssl
import subprocess

import boto3
import httpx2
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

import journal
import serving
from federating import REFUSAL, trust
from identity_provider import PlayedIssuer
from private import (
    CLIENT,
    ELSEWHERE,
    ENDPOINT,
    FOREIGN,
    FOREIGN_VPC,
    NOBODY,
    PORT,
    SERVER,
    SOCKET,
    VPC,
    WORK,
    ClientAuthority,
    Networks,
    PrivateMoho,
    isolated,
    known_to,
    settings,
)
from serving import MODEL, Credentials, free_port
from sts import refused

SERVICE = "com.amazonaws.us-east-1.{}"
ONLY_STS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    return ClientAuthority.make(tmp_path_factory.mktemp("clients") / "ours")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    return ClientAuthority.make(tmp_path_factory.mktemp("clients") / "strangers")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    played = PlayedIssuer(tmp_path_factory.mktemp("issuer"))
    yield played
    played.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory, clients, issuer):
    """A server with a public listener and three private endpoints, one of which lets only another account in."""
    folder = tmp_path_factory.mktemp("private")
    public, private, foreign = free_port(), free_port(), free_port()
    endpoints = {
        ENDPOINT: (f"127.0.0.1:{private}", VPC, []),
        SOCKET: (f"unix:{folder}/private.sock", VPC, []),
        FOREIGN: (f"127.0.0.1:{foreign}", FOREIGN_VPC, [NOBODY]),
    }
    file = folder / "moho.toml"
    file.write_text(settings(clients, endpoints, f"127.0.0.1:{public}"))
    trusting = ("--federation-issuer", issuer.issuer, "--federation-ca", str(issuer.certificate.authority))
    arguments = ("--log-format", "json", *trusting)
    made = PrivateMoho(folder / "data", file=file, clients=clients, url=f"https://127.0.0.1:{private}", arguments=arguments)
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


def test_nobody_without_a_certificate_of_the_authority_gets_a_word_in(server, clients, strangers):
    for context in (ssl.create_default_context(cafile=server.authority), strangers.shown_to(server.authority)):
        with pytest.raises((httpx2.TransportError, ssl.SSLError)):
            httpx2.get(f"{server.private_url}/healthz", verify=context, trust_env=False)
    # TLS 1.2 says no during the handshake itself.
    old = ssl.create_default_context(cafile=server.authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    address = server.private_url.removeprefix("https://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname=address[0])
    with server.http() as http:
        assert http.get("/healthz").status_code == 200
        # A certificate opens the line, and grants nothing.
        assert http.get("/v1/models").status_code == 401
    said = subprocess.run(["curl", "-sS", server.private_url.replace("https", "http")], capture_output=True, text=True, check=False)
    assert "this port speaks HTTPS" in said.stdout


def test_a_request_knows_by_which_endpoint_it_came(server):
    inside = with_session_policy(server, allowing(StringEquals={"aws:SourceVpce": ENDPOINT, "aws:SourceVpc": VPC}))
    assert client_of(server, "bedrock", credentials=inside).list_foundation_models()["modelSummaries"]
    outside = boto3.client(
        "bedrock",
        endpoint_url=server.url,
        verify=str(server.authority),
        region_name=inside.region,
        aws_access_key_id=inside.access_key_id,
        aws_secret_access_key=inside.secret_access_key,
        aws_session_token=inside.session_token,
    )
    code, message, status = refused(outside.list_foundation_models)
    assert (status, code) == (403, "AccessDeniedException") and "session policy" in message
    other = with_session_policy(server, allowing(StringEquals={"aws:SourceVpce": SOCKET}))
    assert refused(client_of(server, "bedrock", credentials=other).list_foundation_models).code == "AccessDeniedException"
    address = with_session_policy(server, allowing(IpAddress={"aws:VpcSourceIp": "127.0.0.0/8"}))
    assert client_of(server, "bedrock", credentials=address).list_foundation_models()
    public = with_session_policy(server, allowing(IpAddress={"aws:SourceIp": "127.0.0.0/8"}))
    assert refused(client_of(server, "bedrock", credentials=public).list_foundation_models).code == "AccessDeniedException"
    secure = with_session_policy(server, allowing(Bool={"aws:SecureTransport": "true"}))
    assert client_of(server, "bedrock", credentials=secure).list_foundation_models()


def test_models_answer_by_a_private_endpoint(server):
    runtime = client_of(server, "bedrock-runtime", role="Developer")
    answer = runtime.converse(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}], inferenceConfig={"maxTokens": 4}
    )
    assert answer["usage"]["outputTokens"] > 0
    with server.http(server.bearer()) as http:
        asked = {"model": MODEL, "input": "Hello", "max_output_tokens": 16, "stream": True}
        streamed = http.post("/v1/responses", json=asked)
        assert streamed.status_code == 200 and "event: response." in streamed.text


def test_principals_of_other_accounts_are_turned_away_and_written_down(server):
    for service, call in (("bedrock", "list_foundation_models"), ("sts", "get_caller_identity"), ("ec2", "describe_vpc_endpoints")):
        code, message, status = refused(getattr(client_of(server, service, server.foreign_url), call))
        assert status == 403 and code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
        assert "with an explicit deny in a VPC endpoint policy" in message, message
    entries = [entry for entry in journal.verified_entries(server.data) if entry.get("endpoint") == FOREIGN]
    assert {entry["action"] for entry in entries} >= {"bedrock:ListFoundationModels", "sts:GetCallerIdentity", "ec2:DescribeVpcEndpoints"}
    assert {(entry["outcome"], entry["reason"]) for entry in entries} == {("deny", "explicit-deny/endpoint")}


def test_a_token_becomes_a_session_by_an_endpoint_that_its_roles_account_may_pass(server, issuer):
    iam = server.boto3("iam", "Admin")
    asked = {"Url": issuer.issuer, "ClientIDList": ["moho"], "ThumbprintList": ["a" * 40]}
    provider = iam.create_open_id_connect_provider(**asked)["OpenIDConnectProviderArn"]
    role = iam.create_role(RoleName="Workload", AssumeRolePolicyDocument=trust(provider))["Role"]["Arn"]

    def assume(url: str) -> dict:
        shown = (str(server.clients.certificate), str(server.clients.key))
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, proxies={}, client_cert=shown)
        sts = boto3.client("sts", endpoint_url=url, verify=str(server.authority), region_name="us-east-1", config=config)
        return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="probe", WebIdentityToken=issuer.token())

    assert assume(server.private_url)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/Workload/probe")
    code, message, status = refused(assume, server.foreign_url)
    assert (status, code) == (403, "AccessDenied") and message == REFUSAL
    [*_, last] = [entry for entry in journal.verified_entries(server.data) if entry["action"] == "sts:AssumeRoleWithWebIdentity"]
    assert (last["endpoint"], last["reason"]) == (FOREIGN, "explicit-deny/endpoint")
    assert last["statement"] == "RolesOfAllowedAccountsOnly"


def test_a_unix_socket_is_an_endpoint_like_any_other(server, clients):
    def curl(*arguments: str) -> subprocess.CompletedProcess:
        base = ["curl", "-sS", "--unix-socket", str(server.socket), "--cacert", str(server.authority), *arguments]
        return subprocess.run([*base, "https://localhost/v1/models"], capture_output=True, text=True, check=False)

    shown = ("--cert", str(clients.certificate), "--key", str(clients.key))
    key = ("-H", f"Authorization: Bearer {server.credentials().bearer_token}")
    assert MODEL in curl(*shown, *key).stdout
    assert curl(*key).returncode != 0, "without a certificate"
    assert '"invalid_api_key"' in curl(*shown).stdout
    assert server.socket.stat().st_mode & 0o777 == 0o660
    entries = [entry for entry in journal.verified_entries(server.data) if entry.get("endpoint") == SOCKET]
    assert entries and {entry["source_ip"] for entry in entries} == {None}
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(clients.certificate.read_text())).hexdigest()
    assert {(entry["peer_uid"], entry["client_certificate_sha256"]) for entry in entries} == {(os.getuid(), shown)}


def test_the_settings_endpoints_are_described_and_keep_what_they_are(server):
    ec2 = server.boto3("ec2", "Admin")
    account = server.boto3("sts", "Admin").get_caller_identity()["Account"]
    found = {endpoint["VpcEndpointId"]: endpoint for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
    assert ENDPOINT in found and SOCKET in found and FOREIGN not in found
    ours = found[ENDPOINT]
    assert (ours["VpcId"], ours["OwnerId"], ours["State"], ours["VpcEndpointType"]) == (VPC, account, "available", "Interface")
    assert ours["ServiceName"] == SERVICE.format("moho") and ours["RequesterManaged"] is True
    assert json.loads(ours["PolicyDocument"])["Statement"][0]["Principal"] == "*"
    said = ec2.delete_vpc_endpoints(VpcEndpointIds=[ENDPOINT])["Unsuccessful"]
    assert [(item["ResourceId"], item["Error"]["Code"]) for item in said] == [(ENDPOINT, "OperationNotPermitted")]
    foreign = "vpce-0f00d00d00d00d00d"
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=foreign, ResetPolicy=True).code == "InvalidVpcEndpointId.NotFound"


def test_a_policy_is_in_force_at_once_and_can_be_reset(server):
    ec2 = server.boto3("ec2", "Admin")
    inside = client_of(server, "bedrock")
    assert inside.list_foundation_models()
    assert ec2.modify_vpc_endpoint(VpcEndpointId=ENDPOINT, PolicyDocument=json.dumps(ONLY_STS))["Return"] is True
    try:
        _, message, status = refused(inside.list_foundation_models)
        assert status == 403 and "because no VPC endpoint policy allows the bedrock:ListFoundationModels action" in message
        assert client_of(server, "sts").get_caller_identity()
        # The public listener has no endpoint, so its policy does not bear there.
        assert server.boto3("bedrock", "Admin").list_foundation_models()
        [shown] = ec2.describe_vpc_endpoints(VpcEndpointIds=[ENDPOINT])["VpcEndpoints"]
        assert json.loads(shown["PolicyDocument"]) == ONLY_STS
    finally:
        assert ec2.modify_vpc_endpoint(VpcEndpointId=ENDPOINT, ResetPolicy=True)["Return"] is True
    assert inside.list_foundation_models()


def test_an_account_makes_an_endpoint_for_one_service(server):
    ec2 = server.boto3("ec2", "Admin")
    name = SERVICE.format("bedrock")
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "team", "Value": "blue"}]}]
    asked = {"VpcId": VPC, "ServiceName": name, "VpcEndpointType": "Interface", "ClientToken": "once"}
    made = ec2.create_vpc_endpoint(**asked, TagSpecifications=tags)
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    try:
        assert made["ClientToken"] == "once" and made["VpcEndpoint"]["State"] == "available"
        assert made["VpcEndpoint"]["Tags"] == [{"Key": "team", "Value": "blue"}]
        again = ec2.create_vpc_endpoint(**asked, TagSpecifications=tags)
        assert again["VpcEndpoint"]["VpcEndpointId"] == endpoint, "the same request is not done twice"
        assert refused(ec2.create_vpc_endpoint, **asked).code == "IdempotentParameterMismatch"
        conflict = {key: value for key, value in asked.items() if key != "ClientToken"}
        code, message, status = refused(ec2.create_vpc_endpoint, **conflict)
        assert (status, code) == (400, "InvalidParameter") and "conflicting DNS domain" in message
        # From now on, it is what requests for this service pass, and no others.
        inside = with_session_policy(server, allowing(StringEquals={"aws:SourceVpce": endpoint}))
        assert client_of(server, "bedrock", credentials=inside).list_foundation_models()
        assert refused(client_of(server, "ec2", credentials=inside).describe_vpc_endpoints).code == "UnauthorizedOperation"
        for filters in (
            [{"Name": "tag:team", "Values": ["bl*"]}],
            [{"Name": "tag-key", "Values": ["team"]}],
            [{"Name": "service-name", "Values": [name]}, {"Name": "vpc-id", "Values": [VPC]}],
        ):
            found = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
            assert [one["VpcEndpointId"] for one in found] == [endpoint], filters
        assert ec2.describe_vpc_endpoints(Filters=[{"Name": "tag:team", "Values": ["red"]}])["VpcEndpoints"] == []
        ids = [one["VpcEndpointId"] for page in ec2.get_paginator("describe_vpc_endpoints").paginate(PaginationConfig={"PageSize": 1}) for one in page["VpcEndpoints"]]
        assert ids == sorted([endpoint, ENDPOINT, SOCKET])
    finally:
        assert ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"] == []
    said = ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"]
    assert said[0]["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"
    assert refused(client_of(server, "bedrock", credentials=inside).list_foundation_models).code == "AccessDeniedException"


def test_what_cannot_be_is_refused_with_ec2s_codes(server):
    ec2 = server.boto3("ec2", "Admin")
    create = {"VpcId": VPC, "ServiceName": SERVICE.format("sts"), "VpcEndpointType": "Interface"}
    for change, code in (
        ({"VpcId": "vpc-11111111"}, "InvalidVpcId.NotFound"),
        ({"VpcId": FOREIGN_VPC}, "InvalidVpcId.NotFound"),
        ({"VpcId": "nonsense"}, "InvalidVpcId.Malformed"),
        ({"ServiceName": "com.amazonaws.us-east-1.s3"}, "InvalidServiceName"),
        ({"ServiceName": SERVICE.format("moho")}, "InvalidParameter"),
        ({"VpcEndpointType": "Gateway"}, "InvalidParameter"),
        ({"VpcEndpointType": "Sideways"}, "InvalidParameterValue"),
        ({"PolicyDocument": "{"}, "InvalidPolicyDocument"),
        ({"PolicyDocument": json.dumps(ONLY_STS).replace("sts", "s" * 30_000)}, "InvalidPolicyDocument"),
        ({"SubnetIds": ["subnet-1"]}, "InvalidParameter"),
        ({"SecurityGroupIds": ["sg-1"]}, "InvalidParameter"),
        ({"PrivateDnsEnabled": False}, "UnsupportedOperation"),
        ({"DryRun": True}, "DryRunOperation"),
    ):
        found, message, status = refused(ec2.create_vpc_endpoint, **(create | change))
        assert found == code, (change, message)
        assert status == (412 if code == "DryRunOperation" else 400)
    for call, code in (
        ({"VpcEndpointIds": ["vpce-11111111"]}, "InvalidVpcEndpointId.NotFound"),
        ({"VpcEndpointIds": ["x"]}, "InvalidVpcEndpointId.Malformed"),
        ({"Filters": [{"Name": "shoe-size", "Values": ["9"]}]}, "InvalidParameterValue"),
        ({"NextToken": "%%"}, "InvalidNextToken"),
        ({"MaxResults": 0}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
    ):
        assert refused(ec2.describe_vpc_endpoints, **call).code == code, call
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=ENDPOINT).code == "MissingParameter"
    both = {"PolicyDocument": json.dumps(ONLY_STS), "ResetPolicy": True}
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=ENDPOINT, **both).code == "InvalidParameterCombination"
    assert refused(ec2.describe_vpc_endpoint_services, ServiceNames=["nothing"]).code == "InvalidServiceName"
    # Absent and another's look alike, whatever is wrong besides.
    absent, foreign = (refused(ec2.modify_vpc_endpoint, VpcEndpointId=one, ResetPolicy=True) for one in ("vpce-11111111", FOREIGN))
    assert absent._replace(message=absent.message.replace("vpce-11111111", FOREIGN)) == foreign


def test_who_may_not_is_told_so_in_ec2s_words(server):
    ec2 = server.boto3("ec2", "Developer")
    calls = (
        (ec2.describe_vpc_endpoints, {}),
        (ec2.describe_vpc_endpoints, {"DryRun": True}),
        (ec2.describe_vpc_endpoint_services, {}),
        (ec2.modify_vpc_endpoint, {"VpcEndpointId": ENDPOINT, "ResetPolicy": True}),
        (ec2.delete_vpc_endpoints, {"VpcEndpointIds": [ENDPOINT]}),
        (ec2.create_vpc_endpoint, {"VpcId": VPC, "ServiceName": SERVICE.format("sts"), "VpcEndpointType": "Interface"}),
    )
    for call, named in calls:
        code, message, status = refused(call, **named)
        assert (status, code) == (403, "UnauthorizedOperation")
        assert message.startswith("You are not authorized to perform this operation. User: arn:aws:sts::")
    sealed = message.split("Encoded authorization failure message: ")[1]
    opened = server.boto3("sts", "Admin").decode_authorization_message(EncodedMessage=sealed)["DecodedMessage"]
    why = json.loads(opened)
    assert why["allowed"] is False and why["context"]["action"] == "ec2:CreateVpcEndpoint"
    with pytest.raises(ClientError):
        server.boto3("sts", "Developer").decode_authorization_message(EncodedMessage=sealed)
    # Whether there is one, and whose it is, makes no difference to who may not know.
    calls = (
        lambda one: refused(ec2.modify_vpc_endpoint, VpcEndpointId=one, ResetPolicy=True),
        lambda one: refused(ec2.delete_vpc_endpoints, VpcEndpointIds=[one]),
        lambda one: refused(ec2.delete_vpc_endpoints, VpcEndpointIds=[one], DryRun=True),
    )
    for call in calls:
        for one in (ENDPOINT, FOREIGN):
            nowhere = "vpce-" + "1" * (len(one) - len("vpce-"))
            there, absent = call(one), call(nowhere)
            assert (there.status, there.code) == (absent.status, absent.code) == (403, "UnauthorizedOperation")
            assert there.message.split(" Encoded")[0] == absent.message.split(" Encoded")[0].replace(nowhere, one)
        # The sealed reason of another's says no more, either.
        assert len(there.message) == len(absent.message)


def test_the_services_are_those_that_are_served(server):
    ec2 = server.boto3("ec2", "Admin")
    said = ec2.describe_vpc_endpoint_services()
    names = ["bedrock", "bedrock-mantle", "bedrock-runtime", "ec2", "iam", "kms", "moho", "organizations", "sts"]
    assert said["ServiceNames"] == [SERVICE.format(name) for name in names]
    assert {detail["ServiceType"][0]["ServiceType"] for detail in said["ServiceDetails"]} == {"Interface"}
    filtered = ec2.describe_vpc_endpoint_services(Filters=[{"Name": "service-name", "Values": ["*bedrock*"]}])
    assert len(filtered["ServiceNames"]) == 3


def test_the_aws_cli_does_all_of_it(server, tmp_path):
    environment = server.aws_environment(tmp_path, server.credentials("Admin"))

    def aws(*words: str) -> dict:
        done = subprocess.run(["aws", "ec2", *words, "--output", "json"], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    tags = "ResourceType=vpc-endpoint,Tags=[{Key=by,Value=cli}]"
    wish = ("--vpc-id", VPC, "--vpc-endpoint-type", "Interface", "--service-name", SERVICE.format("iam"), "--tag-specifications", tags)
    made = aws("create-vpc-endpoint", *wish)["VpcEndpoint"]["VpcEndpointId"]
    found = aws("describe-vpc-endpoints", "--filters", "Name=tag:by,Values=cli")["VpcEndpoints"]
    assert [one["VpcEndpointId"] for one in found] == [made]
    assert aws("modify-vpc-endpoint", "--vpc-endpoint-id", made, "--policy-document", json.dumps(ONLY_STS))["Return"] is True
    assert SERVICE.format("sts") in aws("describe-vpc-endpoint-services")["ServiceNames"]
    assert aws("delete-vpc-endpoints", "--vpc-endpoint-ids", made)["Unsuccessful"] == []


def test_the_start_says_which_ways_in_there_are(server):
    lines = [json.loads(line) for line in server.log_text().splitlines()]
    listeners = [line for line in lines if line.get("posture") == "listener"]
    assert [(line["exposure"], line.get("endpoint")) for line in listeners] == [
        ("loopback", None),
        ("private", SOCKET),
        ("private", ENDPOINT),
        ("private", FOREIGN),
    ]
    assert listeners[3]["accounts"] == NOBODY and listeners[2]["vpc"] == VPC


def test_policies_and_made_endpoints_outlive_a_restart(tmp_path, clients):
    file, port = tmp_path / "moho.toml", free_port()
    place = {ENDPOINT: (f"127.0.0.1:{port}", VPC, [])}
    file.write_text(settings(clients, place, None))
    server = PrivateMoho(tmp_path / "data", file=file, clients=clients, url=f"https://127.0.0.1:{port}", models={})
    try:
        server.start()
        published = json.loads((server.data / "endpoint.json").read_text())
        assert (published["url"], published["private"]) == (server.private_url, ENDPOINT)
        ec2 = client_of(server, "ec2")
        made = ec2.create_vpc_endpoint(VpcId=VPC, ServiceName=SERVICE.format("bedrock"), VpcEndpointType="Interface")["VpcEndpoint"]
        narrow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ec2:*", "Resource": "*"}]}
        ec2.modify_vpc_endpoint(VpcEndpointId=ENDPOINT, PolicyDocument=json.dumps(narrow))
        server.stop()
        server.start()
        ec2 = client_of(server, "ec2")
        found = {one["VpcEndpointId"]: one for one in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
        assert found[made["VpcEndpointId"]]["CreationTimestamp"] == made["CreationTimestamp"]
        assert json.loads(found[ENDPOINT]["PolicyDocument"]) == narrow
        assert refused(client_of(server, "sts").get_caller_identity).code == "AccessDenied"
        # The network goes from the settings: what was made in it leads nowhere, and says so.
        server.stop()
        file.write_text(settings(clients, {ENDPOINT: (f"127.0.0.1:{port}", "vpc-22222222", [])}, None))
        server.start()
        [lost] = client_of(server, "ec2").describe_vpc_endpoints(Filters=[{"Name": "vpc-endpoint-state", "Values": ["failed"]}])["VpcEndpoints"]
        assert lost["VpcEndpointId"] == made["VpcEndpointId"] and lost["LastError"]["Code"] == "VpcNotConfigured"
    finally:
        server.end()


def test_settings_that_cannot_be_end_the_start(tmp_path, clients):
    folder = tmp_path / "data"

    def started(text: str) -> subprocess.CompletedProcess:
        (tmp_path / "moho.toml").write_text(text)
        command = [str(serving.binary()), "serve", "--data", str(folder), "--config", str(tmp_path / "moho.toml")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    good = {ENDPOINT: (f"127.0.0.1:{free_port()}", VPC, [])}
    nothing = started("listen = []\n")
    assert nothing.returncode == 2 and "nobody could reach moho" in nothing.stderr
    absent = started(settings(clients, good, None).replace("ca.pem", "absent.pem"))
    assert absent.returncode == 3 and "absent.pem cannot be read" in absent.stderr and ENDPOINT in absent.stderr
    key = started(settings(clients, good, None).replace("ca.pem", "client.key"))
    assert key.returncode == 3 and "holds no usable certificate authority" in key.stderr
    blocked = tmp_path / "blocked.sock"
    blocked.write_text("somebody's")
    way = started(settings(clients, {ENDPOINT: (f"unix:{blocked}", VPC, [])}, None))
    assert way.returncode == 3 and "is no socket" in way.stderr and blocked.read_text() == "somebody's"
    assert not folder.exists(), "nothing was made before all of it was checked"


SCAN = """
import errno, json, socket, sys
told = json.loads(sys.argv[1])
found = {}
for address, ports in told["ports"].items():
    for port in range(*ports):
        line = socket.socket()
        line.settimeout(30)
        result = line.connect_ex((address, port))
        line.close()
        if result != errno.ECONNREFUSED:
            found[f"{address}:{port}"] = errno.errorcode.get(result, "open") if result else "open"
print(json.dumps(found))
"""


def listening(server) -> set[str]:
    """Every socket of the process that anybody could send something to, as the kernel has it."""
    proc = f"/proc/{server.pid}"
    own = set()
    for file in os.listdir(f"{proc}/fd"):
        target = os.readlink(f"{proc}/fd/{file}")
        own.add(target.removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        with open(f"{proc}/net/{table}") as lines:
            for line in list(lines)[1:]:
                words = line.split()
                if table[:3] != "tcp" or words[3] == "0A":
                    address, port = words[1].split(":")
                    dotted = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)[:4]))
                    found.add(f"{table} {dotted}:{int(port, 16)}")
    with open(f"{proc}/net/unix") as lines:
        for line in list(lines)[1:]:
            words = line.split()
            # Flag 10000: it accepts connections. Of the others, only this process's own ends matter.
            if words[3] == "00010000" and words[6] in own:
                found.add(f"unix {words[7] if len(words) > 7 else ''}")
    return found


def test_no_other_way_leads_in(tmp_path):
    networks = Networks()
    try:
        with isolated(networks, tmp_path) as server:
            assert listening(server) == {
                f"tcp {SERVER}:{PORT}",
                # It has the name that it was bound to, which the file has no more.
                f"unix {tmp_path}/private.sock.new",
                f"unix {server.data}/bootstrap.new",
            }
            published = json.loads((server.data / "endpoint.json").read_text())
            assert (published["url"], published["private"]) == (f"https://{SERVER}:{PORT}", ENDPOINT)
            done = networks.ask(WORK, model=MODEL, **known_to(server))
            assert done["tokens"] > 0 and done["stored"] and done["streamed"] and ":assumed-role/Developer/" in done["who"]
            # Every port of the one address, and some of another that the server has.
            found = networks.ask(SCAN, ports={SERVER: (1, 65536), ELSEWHERE: (8000, 9000)})
            assert found == {f"{SERVER}:{PORT}": "open"}
            # Who is there without a certificate hears nothing.
            curl = ["curl", "-sS", "--max-time", "20", "--cacert", str(server.authority), f"https://{SERVER}:{PORT}/healthz"]
            with pytest.raises(AssertionError, match="curl"):
                networks.on_client(*curl)
            shown = ["--cert", str(server.clients.certificate), "--key", str(server.clients.key)]
            assert '"status":"ok"' in networks.on_client(*curl, *shown)
            [entry, *_] = [one for one in journal.verified_entries(server.data) if one["endpoint"] == ENDPOINT]
            assert entry["source_ip"] == CLIENT
            assert server.stop() == 0
        assert not (tmp_path / "private.sock").exists()
    finally:
        networks.close()


def test_one_peer_is_held_to_its_share_at_a_private_endpoint_too(tmp_path, clients):
    """Connections without a request lose their seats, whichever listener they sit at, and a user is one peer."""
    file, port = tmp_path / "moho.toml", free_port()
    endpoints = {ENDPOINT: (f"127.0.0.1:{port}", VPC, []), SOCKET: (f"unix:{tmp_path}/private.sock", VPC, [])}
    file.write_text(settings(clients, endpoints, None) + "[limits]\nconnections = 8\nconnections_per_peer = 4\n")
    server = PrivateMoho(tmp_path / "data", file=file, clients=clients, url=f"https://127.0.0.1:{port}", models={})
    try:
        server.start()
        idle = []
        for _ in range(12):
            line = socket.socket(socket.AF_UNIX)
            line.connect(str(tmp_path / "private.sock"))
            line.settimeout(30)
            idle.append(line)
        # All but the last four have lost their seats to the next, and hear so.
        ended = [line for line in idle[:8] if line.recv(1) == b""]
        assert len(ended) == 8
        assert server.healthy(), "the network's peers are not this user"
        for line in idle:
            line.close()
    finally:
        server.end()
