"""Asking for every AWS operation: what it needs is made from AWS's own service models.

An operation that this cannot be made for fails here until somebody says how to ask for it.
"""

import json
from dataclasses import dataclass

from botocore.exceptions import ClientError

from route_world import ANYTHING, TREASURE, World, operations
from serving import MODEL, Credentials

# What operations of CloudWatch Logs need, and their model does not demand.
LOGS = ("logGroupName", "policyName", "policyDocument")
NO_KEY = "11111111-2222-4333-8444-555555555555"


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
        prompt = f"{name}0123456789"[:10]
        self.prompt = f"arn:aws:bedrock:{world.admin.region}:{world.account}:prompt/{prompt}"
        self.log_group = f"arn:aws:logs:{world.admin.region}:{world.account}:log-group:{name}"

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
            "promptIdentifier": self.prompt[-10:],
            "resourceArn": self.prompt,
            "KeyId": self.kms_key,
            "kmsKeyId": self.kms_key,
            "policyDocument": json.dumps(ANYTHING),
            "logGroupIdentifier": name,
            "filterPattern": name,
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
        for name in ("UserName", "messages", "body", *LOGS):
            if name in shape.members:
                asked[name] = self.said(name, shape.members[name])
        trail = f"arn:aws:cloudtrail:{self.world.admin.region}:{self.world.account}:trail/{self.name}"
        more = {
            "AddTags": {"ResourceId": trail},
            "RemoveTags": {"ResourceId": trail},
            "ListTags": {"ResourceIdList": [trail]},
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
        if client.meta.service_model.service_name == "logs" and "resourceArn" in asked:
            more[operation] = {"resourceArn": self.log_group}
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


def try_all(world: World, credentials: Credentials | None, url: str | None = None, watch=lambda client: client):
    """Every operation, asked by one caller: service, operation, protocol, answer. Who listens to the clients may `watch` them."""
    asking, clients = Asking(world), {}
    for service, operation in operations():
        if service not in clients:
            clients[service] = watch(world.client(service, credentials, url))
        client = clients[service]
        yield service, operation, protocol(client), asked(client, operation, asking.of(client, operation))
