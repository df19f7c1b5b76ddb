"""Private endpoints: listeners for clients with a certificate, who may come in by them, and that there is no other way."""

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

import journal
import serving
from endpoint_account import SERVICE, allowing, client_of, three_endpoints, with_session_policy
from federating import REFUSAL, trust
from identity_provider import PlayedIssuer
from private import (
    CLIENT,
    ELSEWHERE,
    ENDPOINT,
    FOREIGN,
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
from serving import MODEL, free_port
from sts import refused


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
    trusting = ("--federation-issuer", issuer.issuer, "--federation-ca", str(issuer.certificate.authority))
    with three_endpoints(tmp_path_factory.mktemp("private"), clients, *trusting) as server:
        yield server


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
