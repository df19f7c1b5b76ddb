"""Every route and every AWS operation, tried by those who may not: strangers, a role without policies, the administrator of another
account, and whoever comes in by an endpoint that is not for its account.

The routes are not listed here. OpenAI's stand in `openai_routes.txt`, which a test of the wire crate holds to the code, AWS's
operations in `crates/wire/models/operations.txt`, from which the code is made. What an operation needs is made from AWS's own
service models; an operation that this cannot be made for fails here until somebody says how to ask for it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx2
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

import journal
from private import FOREIGN, FOREIGN_VPC, NOBODY, ClientAuthority, PrivateMoho, settings
from serving import MODEL, Credentials, free_port
from signing import bearer_key

HERE = Path(__file__).parent
OPERATIONS = HERE.parents[1] / "crates/wire/models/operations.txt"
TREASURE, ILLUSION = "treasure", "illusion"
NO_KEY = "11111111-2222-4333-8444-555555555555"
RESPONSE = "resp_" + "0" * 48
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

# What each protocol says to strangers, and to those who may not.
STRANGER = {
    "query": {(403, "MissingAuthenticationToken")},
    "ec2": {(403, "MissingAuthenticationToken"), (401, "AuthFailure")},
    "json": {(400, "MissingAuthenticationTokenException"), (403, "MissingAuthenticationTokenException")},
    "rest-json": {(403, "MissingAuthenticationTokenException"), (403, "AccessDeniedException")},
}
DENIED = {
    "query": (403, "AccessDenied"),
    "ec2": (403, "UnauthorizedOperation"),
    "json": (400, "AccessDeniedException"),
    "rest-json": (403, "AccessDeniedException"),
}

# Operations that mean something to those who may not, and what they are answered. Nothing else is.
# What needs no signature is asked for a token instead, and no address may ask it often.
UNSIGNED_ONES = {"AssumeRoleWithWebIdentity": {(400, "InvalidIdentityToken"), (403, "AccessDenied"), (400, "Throttling")}}
OPEN_TO_ALL = {"GetCallerIdentity"}


def operations() -> list[tuple[str, str]]:
    lines = OPERATIONS.read_text().splitlines()
    return [tuple(line.split()) for line in lines if line and not line.startswith("#")]


def openai_routes() -> list[tuple[str, str]]:
    lines = (HERE / "openai_routes.txt").read_text().splitlines()
    return [tuple(line.split()) for line in lines if not line.startswith("#")]


BODIES = {
    "POST responses": {"model": MODEL, "input": "Hi!", "max_output_tokens": 16, "store": False},
    "POST chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": "Hi!"}], "max_tokens": 1},
}


@dataclass
class Answer:
    """What came of a request."""

    status: int
    code: str | None
    message: str
    text: str
    request_id: str

    @property
    def refusal(self) -> tuple[int, str | None]:
        return self.status, self.code


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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("routes")
    clients = ClientAuthority.make(folder / "clients")
    public, foreign = free_port(), free_port()
    file = folder / "moho.toml"
    endpoints = {FOREIGN: (f"127.0.0.1:{foreign}", FOREIGN_VPC, [NOBODY])}
    file.write_text(settings(clients, endpoints, f"127.0.0.1:{public}"))
    foreign_url = f"https://127.0.0.1:{foreign}"
    server = PrivateMoho(folder / "data", file=file, clients=clients, url=f"https://127.0.0.1:{public}")
    server.port = public
    try:
        yield World(server.start(), foreign_url)
        server.assert_unharmed()
    finally:
        server.end()


def protocol(client) -> str:
    found = client.meta.service_model.metadata["protocol"]
    return found if found in ("json", "ec2") else {"query": "query", "rest-json": "rest-json"}[found]


class Asking:
    """Makes what an operation needs, out of AWS's model, about one thing of the first account."""

    def __init__(self, world: World, name: str = TREASURE):
        self.world, self.name = world, name
        profile = f"application-inference-profile/{name}aaaa"
        key = world.kms_key if name == TREASURE else NO_KEY
        self.kms_key = f"arn:aws:kms:{world.admin.region}:{world.account}:key/{key}"
        self.profile = f"arn:aws:bedrock:{world.admin.region}:{world.account}:{profile}"

    def said(self, member: str, shape) -> object:
        account, name = self.world.account, self.name
        arn = f"arn:aws:iam::{account}"
        fixed = {
            "PolicyDocument": json.dumps(ANYTHING),
            "AssumeRolePolicyDocument": self.world.own_trust,
            "PolicyInputList": [json.dumps(ANYTHING)],
            "Content": json.dumps(ANYTHING),
            "PolicyArn": self.world.policy.replace(TREASURE, name),
            "PolicySourceArn": f"{arn}:role/secret/{name}",
            "Arn": f"{arn}:role/secret/{name}",
            "RoleArn": f"{arn}:role/secret/{name}",
            "PermissionsBoundary": self.world.policy.replace(TREASURE, name),
            "OpenIDConnectProviderArn": f"{arn}:oidc-provider/{name}.example.org",
            "SAMLProviderArn": f"{arn}:saml-provider/{name}",
            "SAMLMetadataDocument": "<x/>" * 300,
            "Url": f"https://{name}.example.org",
            "ThumbprintList": ["0" * 40],
            "AccessKeyId": self.world.key if name == TREASURE else "AKIA" + "Q" * 16,
            "ServiceName": "bedrock.amazonaws.com",
            "AWSServiceName": "cloudtrail.amazonaws.com",
            "formData": b'{"companyName": "treasure"}',
            "VersionId": "v1",
            "ActionNames": ["iam:GetRole"],
            "WebIdentityToken": "a.b.c",
            "EncodedMessage": "none",
            "Status": "Inactive",
            "Email": f"{name}@example.org",
            "AccountId": account,
            "SourceParentId": "r-abcd",
            "DestinationParentId": "ou-abcd-abcdefgh",
            "ParentId": "r-abcd",
            "ChildId": account,
            "OrganizationalUnitId": "ou-abcd-abcdefgh",
            "RootId": "r-abcd",
            "TargetId": account,
            "ResourceId": account,
            "PolicyId": self.world.scp,
            "CreateAccountRequestId": "car-" + "a" * 32,
            "VpcId": "vpc-0f00d00d",
            "VpcEndpointId": "vpce-11111111",
            "VpcEndpointIds": ["vpce-11111111"],
            "modelId": MODEL,
            "modelIdentifier": MODEL,
            "copyFrom": f"arn:aws:bedrock:{self.world.admin.region}::foundation-model/{MODEL}",
            "inferenceProfileIdentifier": self.profile,
            "resourceARN": self.profile,
            "KeyId": self.kms_key,
            "TargetKeyId": self.kms_key,
            "SourceKeyId": self.kms_key,
            "DestinationKeyId": self.kms_key,
            "AliasName": f"alias/{name}",
            "GrantId": self.world.grant,
            "GranteePrincipal": f"{arn}:role/secret/{name}",
            "RetiringPrincipal": f"{arn}:role/secret/{name}",
            "CiphertextBlob": self.world.blob,
            "NumberOfBytes": 32,
            "SigningAlgorithm": "ECDSA_SHA_256",
            "TagKeys": [TREASURE],
            "Policy": json.dumps(ANYTHING),
            "body": json.dumps({"prompt": "Hi!", "max_gen_len": 1}),
            "messages": [{"role": "user", "content": [{"text": "Hi!"}]}],
            "input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi!"}]}]}},
        }
        if member in fixed:
            return fixed[member]
        return self.made(member, shape)

    def made(self, member: str, shape) -> object:
        kind = shape.type_name
        if kind == "structure":
            if getattr(shape, "is_tagged_union", False):
                first, of = next(iter(shape.members.items()))
                return {first: self.said(first, of)}
            return {name: self.said(name, shape.members[name]) for name in shape.required_members}
        if kind == "list":
            return [self.said(member.removesuffix("s"), shape.member)]
        if kind == "map":
            return {"key": self.made(member, shape.value)}
        if kind == "string":
            if shape.enum:
                return shape.enum[0]
            return self.name.ljust(int(shape.metadata.get("min", 0)), "a")
        if kind in ("integer", "long"):
            return int(shape.metadata.get("min", 1))
        if kind in ("boolean", "float", "double", "timestamp", "blob"):
            return {"boolean": False, "blob": b"{}", "timestamp": 0}.get(kind, 1.0)
        raise AssertionError(f"say how to ask for {member}: {kind}")

    def of(self, client, operation: str) -> dict:
        shape = client.meta.service_model.operation_model(operation).input_shape
        if shape is None:
            return {}
        asked = {name: self.said(name, shape.members[name]) for name in shape.required_members}
        # What the model does not demand, but the operation does.
        for name in ("UserName", "messages", "body"):
            if name in shape.members:
                asked[name] = self.said(name, shape.members[name])
        more = {
            "ModifyVpcEndpoint": {"ResetPolicy": True},
            "UpdateSAMLProvider": {"SAMLMetadataDocument": "<x/>" * 300},
            "CreateVpcEndpoint": {"ServiceName": f"com.amazonaws.{self.world.admin.region}.sts", "VpcEndpointType": "Interface"},
            "UpdateAssumeRolePolicy": {"PolicyDocument": self.world.own_trust},
            "CreateGrant": {"GranteePrincipal": self.said("GranteePrincipal", None)},
            "Decrypt": {"CiphertextBlob": self.world.blob},
            "GenerateDataKey": {"NumberOfBytes": 32},
            "GenerateRandom": {"NumberOfBytes": 32},
            "ListRetirableGrants": {"RetiringPrincipal": self.said("RetiringPrincipal", None)},
            "ReEncrypt": {"CiphertextBlob": self.world.blob, "SourceKeyId": self.kms_key},
            "RetireGrant": {"KeyId": self.kms_key, "GrantId": self.world.grant},
        }
        return asked | more.get(operation, {})


def asked(client, operation: str, parameters: dict) -> Answer:
    try:
        found = client._make_api_call(operation, parameters)  # noqa: SLF001 (the one way to call by the operation's own name)
    except ClientError as refusal:
        error, about = refusal.response["Error"], refusal.response["ResponseMetadata"]
        message = error.get("Message", "")
        return Answer(about["HTTPStatusCode"], error["Code"], message, message, about.get("RequestId", ""))
    about = found.pop("ResponseMetadata")
    if "stream" in found or hasattr(found.get("body"), "close"):
        (found.get("stream") or found["body"]).close()
    return Answer(about["HTTPStatusCode"], None, "", json.dumps(found, default=str), about.get("RequestId", ""))


def table(rows: list) -> str:
    """One finding a line."""
    return "\n" + "\n".join(map(str, rows))


def try_all(world: World, credentials: Credentials | None, url: str | None = None):
    """Every operation, asked by one caller: service, operation, protocol, answer."""
    asking, clients = Asking(world), {}
    for service, operation in operations():
        if service not in clients:
            clients[service] = world.client(service, credentials, url)
        client = clients[service]
        yield service, operation, protocol(client), asked(client, operation, asking.of(client, operation))


def assert_nothing_granted(world: World, request_ids: set[str], but: set[str] = frozenset()) -> None:
    """Of these requests nothing was allowed, and each that got to a decision is written down as denied."""
    granted = [
        (entry["action"], entry["resource"])
        for entry in journal.verified_entries(world.server.data)
        if entry["request_id"] in request_ids and entry["outcome"] == "allow" and entry["action"] not in but
    ]
    assert granted == []


def written_down(world: World, request_id: str) -> list[str]:
    return [entry["outcome"] for entry in journal.of_request(journal.verified_entries(world.server.data), request_id)]


def test_strangers_get_nothing_from_any_operation(world):
    wrong, ids = [], set()
    for service, operation, spoken, answer in try_all(world, None):
        expected = UNSIGNED_ONES.get(operation, STRANGER[spoken])
        if answer.refusal not in expected:
            wrong.append((service, operation, answer.refusal, answer.message))
        ids.add(answer.request_id)
    assert not wrong, table(wrong)
    assert_nothing_granted(world, ids)


def test_a_role_without_policies_may_do_nothing(world):
    wrong, denied = [], {}
    for service, operation, spoken, answer in try_all(world, world.nobody):
        if operation in OPEN_TO_ALL:
            assert answer.status == 200
        elif operation in UNSIGNED_ONES:
            assert answer.refusal in UNSIGNED_ONES[operation]
        elif answer.refusal != DENIED[spoken]:
            wrong.append((service, operation, answer.refusal, answer.message))
        else:
            denied[answer.request_id] = operation
    assert not wrong, table(wrong)
    assert_nothing_granted(world, set(denied))
    outcomes = {}
    for entry in journal.verified_entries(world.server.data):
        outcomes.setdefault(entry["request_id"], set()).add(entry["outcome"])
    unwritten = [operation for request, operation in denied.items() if outcomes.get(request) != {"deny"}]
    assert unwritten == []


def test_an_endpoint_for_another_account_lets_nothing_through(world):
    wrong, denied = [], {}
    for service, operation, spoken, answer in try_all(world, world.admin, world.foreign_url):
        if operation in UNSIGNED_ONES:
            assert answer.status in (400, 403)
        elif answer.refusal != DENIED[spoken]:
            wrong.append((service, operation, answer.refusal, answer.message))
        else:
            denied[answer.request_id] = operation
    assert not wrong, table(wrong)
    entries = [entry for entry in journal.verified_entries(world.server.data) if entry["request_id"] in denied]
    assert {(entry["outcome"], entry["reason"], entry["endpoint"]) for entry in entries} == {
        ("deny", "explicit-deny/endpoint", FOREIGN)
    }
    assert {entry["request_id"] for entry in entries} == set(denied)


def test_the_administrator_of_another_account_sees_and_changes_nothing(world):
    """It may do everything, in its own account: what it is shown is its own, and the first account stays as it is."""
    before = world.treasures()
    # What nobody knows who has not seen a treasure.
    secrets = set(re.findall(r"A(?:IDA|GPA|ROA|NPA|IPA)[A-Z2-7]{17}", before))
    assert len(secrets) > 5
    seen = []
    for service, operation, _spoken, answer in try_all(world, world.stranger):
        if any(secret in answer.text for secret in secrets):
            seen.append((service, operation, answer.text[:300]))
        if operation in ("AssumeRole", "GetPolicy", "GetOpenIDConnectProvider", "GetSAMLProvider", "ListPolicyVersions"):
            assert answer.status in (400, 403, 404), (operation, answer)
    assert not seen, table(seen)
    assert world.treasures() == before


@pytest.mark.parametrize("caller", ["nobody", "clerk"])
def test_what_is_not_there_looks_like_what_may_not_be_seen(world, caller):
    """To whoever may see neither, a treasure and an illusion are answered alike, up to the name."""
    credentials = getattr(world, caller)
    there, nowhere, clients, told_apart = Asking(world, TREASURE), Asking(world, ILLUSION), {}, []
    compared = 0
    for service, operation in operations():
        making = operation.startswith(("Create", "Put", "Upload"))
        if service == "bedrock-runtime" or (caller == "clerk" and (making or service != "iam")):
            continue
        client = clients.setdefault(service, world.client(service, credentials))
        one, other = there.of(client, operation), nowhere.of(client, operation)
        if not any(name in json.dumps(one, default=str) for name in (TREASURE, world.key, world.kms_key)):
            continue
        if caller == "clerk" and not names_something_secret(client, operation):
            continue
        first, second = asked(client, operation, one), asked(client, operation, other)
        if first.status == second.status == 200:
            assert caller == "clerk" and operation.startswith(("List", "Simulate", "GetContextKeys", "GetAccount")), operation
            continue
        compared += 1
        illusions = f"{ILLUSION}|AKIA{'Q' * 16}|{NO_KEY}|{world.key}|{world.kms_key}"
        plain = lambda answer: (answer.refusal, re.sub(illusions, TREASURE, answer.message))  # noqa: E731
        if plain(first) != plain(second):
            told_apart.append((operation, first.refusal, first.message, second.refusal, second.message))
    assert not told_apart, table(told_apart)
    assert compared > 20
    assert world.iam.get_user(UserName=TREASURE) and world.iam.get_role(RoleName=TREASURE)


def names_something_secret(client, operation: str) -> bool:
    """Whether the operation is about a user, role, group or instance profile by its name, which may be hidden."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    named = {"UserName", "RoleName", "GroupName", "InstanceProfileName"}
    return shape is not None and bool(named & set(shape.members))


def openai(world: World, headers: dict[str, str], url: str | None = None):
    base = url or world.server.url
    trust = world.server.clients.shown_to(world.server.authority)
    with httpx2.Client(base_url=base, verify=trust, headers=headers, timeout=60, trust_env=False) as http:
        for method, path in openai_routes():
            concrete = path.replace("{id}", RESPONSE).replace("{model}", MODEL).replace("{key}", NO_KEY)
            concrete += "?start_time=1" if "/usage/" in path else ""
            rest = path.split("/v1/", 1)[1]
            body = BODIES.get(f"{method} {rest}")
            assert body is not None or method != "POST", f"say what to send to {path}"
            yield f"{method} {path}", http.request(method, concrete, json=body)


def test_every_route_of_openai_wants_credentials(world):
    ids = set()
    for route, answer in openai(world, {}):
        assert answer.status_code == 401, (route, answer.text)
        assert answer.json()["error"]["code"] == "invalid_api_key", route
        ids.add(answer.headers["x-request-id"])
    assert_nothing_granted(world, ids)


@pytest.mark.parametrize("url", ["public", "foreign"])
def test_every_route_of_openai_wants_leave(world, url):
    """A role without policies at the public listener; the administrator at an endpoint for another account."""
    found = world.nobody if url == "public" else world.admin
    bearer = {"Authorization": f"Bearer {found.bearer_token}"}
    denied = set()
    for route, answer in openai(world, bearer, None if url == "public" else world.foreign_url):
        assert answer.status_code == 403, (route, answer.status_code, answer.text)
        error = answer.json()["error"]
        assert error["code"] == "access_denied", (route, error)
        denied.add(answer.headers["x-request-id"])
    assert_nothing_granted(world, denied)
    entries = [entry for entry in journal.verified_entries(world.server.data) if entry["request_id"] in denied]
    assert {entry["request_id"] for entry in entries if entry["outcome"] == "deny"} == denied


def test_another_accounts_responses_and_models_look_absent(world):
    """The other account's administrator may everything, and has agreed to no model."""
    bearer = {"Authorization": f"Bearer {world.stranger.bearer_token}"}
    for route, answer in openai(world, bearer):
        if "{id}" in route:
            assert answer.status_code == 404, (route, answer.text)
        elif route.endswith(("/models", "completions", "/keys")) and route.startswith("GET"):
            assert answer.status_code == 200, (route, answer.text)
            hidden = (world.account, MODEL, world.kms_key)
            assert not any(name in answer.text for name in hidden), (route, answer.text)
        else:
            assert answer.status_code in (403, 404), (route, answer.text)
