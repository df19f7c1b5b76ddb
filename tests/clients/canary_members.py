"""Which words of AWS's requests are a tenant's content, and which were sent.

Whatever can be said freely in a request is content, unless it is named here as metadata that rests in the clear: so a new
operation, or a new member of an old one, is content until somebody says why it is not.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

from canary import spellings

# What is encoded by its own rules, such as S3's encryption contexts, is sent all the same.
SPELLINGS = tuple(spellings().values())
# What rests in the clear, by the names of members, for every service but those that carry content alone.
CLEAR = {
    "names, ids and ARNs say what something is, for policies and the journal": re.compile(
        r"(.*(Name|Id|Ids|ID|Arn|Arns|ARN|Identifier|IdentifierId|Principal|Number|NameList|Names))"
        r"|AccountAlias|(New)?Path|PathPrefix|Email|ClientIDList|ThumbprintList|Url|copyFrom|SourceIdentity|ServiceNames|ServiceRegions?"
        r"|AttachmentName|ResourceOwner|CustomSuffix|RemovePrivateKey|byProvider|Domains|PrivateDns.*|Ipv[46]|arn|SSEKMSKeyId|Bucket"
        r"|.*Bucket|BucketRegion|ExpectedBucketOwner|ExpectedSourceBucketOwner|DisplayName|EmailAddress|URI|name|defaultVariant"
        r"|PermissionsBoundary|CopySource|.*Version"
    ),
    "policies, and what grants are bound to, say who may do what": re.compile(
        r".*Policy|.*PolicyDocument|.*PolicyInputList|Content|ActionNames|ResourceHandlingOption|EncryptionContext(Equals|Subset)"
    ),
    "tags are for policies and bills": re.compile(r"Key|Value|key|value|TagKeys?|TagValue|tagKeys|TransitiveTagKeys|Tagging|tags"),
    "descriptions describe keys, roles and policies to their administrators": re.compile(r"Description|description|KeyMaterialDescription"),
    "page tokens are the server's own": re.compile(r".*Token|.*Marker|StartAfter"),
    "prefixes are parts of names": re.compile(r".*Prefix|Delimiter"),
    "tokens that make a request unique are the client's": re.compile(r"clientRequestToken|ClientToken|clientToken|offerToken|GrantTokens?"),
    "filters name what is asked for": re.compile(r"Values|ContextKeyName"),
    "which events and trails are meant": re.compile(
        r"ResourceIdList|Type|ExcludeManagementEventSources|Field|(Not)?(Equals|StartsWith|EndsWith)|AttributeValue"
    ),
    "who may read from where, for browsers": re.compile(r"Allowed(Headers|Methods|Origins)|ExposeHeaders|Grant(FullControl|Read|ReadACP|Write|WriteACP)"),
    "digests, ranges and conditions are compared; those of content are looked for by themselves": re.compile(
        r"Checksum.*|ContentMD5|ETag|(CopySource)?If(None)?Match|(CopySource)?Range|SSECustomerKeyMD5|(CopySource)?SSECustomerAlgorithm"
        r"|CopySourceSSECustomerKeyMD5"
    ),
    "what an object's seal is bound to is no secret, at AWS neither, and is needed to open it": re.compile(r"SSEKMSEncryptionContext"),
    "what is public, or sealed or signed already": re.compile(
        r"CiphertextBlob|SharedSecretCiphertextBlob|PublicKey|Signature|Mac|ImportToken|EncryptedKeyMaterial|AttestationDocument"
        r"|EncodedMessage|SAMLMetadataDocument"
    ),
}
# Proofs are no page tokens, whatever they are called.
PROOFS = re.compile(r"WebIdentityToken|TokenCode|ContextAssertion|MFA")
# These carry content, and little else: only what is said here is not.
CONTENT_SERVICES = {
    "bedrock-runtime": re.compile(r"modelId|accept|contentType|guardrailIdentifier|guardrailVersion|bucketOwner"),
}
# What is said of groups and metrics are settings, which rest in the clear; what is looked for in events is not kept.
SETTINGS = {
    "logs": re.compile(
        r"metricNamespace|metricValue|dimensions|fieldSelectionCriteria|emitSystemField(s|Dimensions)|filterPattern|policyDocument"
        r"|logGroupNamePattern|.*Identifiers"
    )
}
# What is content in one service, whatever it is in others.
CONTENT = {"bedrock-agent": re.compile(r"key|value|description")}


def why_clear(service: str, member: str) -> str | None:
    """Why the member may rest in the clear; nothing if it is content."""
    if service in CONTENT_SERVICES:
        return "it names the model, or the form" if CONTENT_SERVICES[service].fullmatch(member) else None
    if PROOFS.fullmatch(member) or (service in CONTENT and CONTENT[service].fullmatch(member)):
        return None
    if service in SETTINGS and SETTINGS[service].fullmatch(member):
        return "it is a setting"
    return next((why for why, names in CLEAR.items() if names.fullmatch(member)), None)


def leaves(shape, name: str = "", within: frozenset = frozenset()) -> Iterator[tuple[str, str]]:
    """The members in which anything can be said: name, and `string` or `blob`."""
    if shape is None or shape.name in within:
        return
    within |= {shape.name}
    kind = shape.type_name
    if kind == "structure":
        # A document is a structure without members: anything can stand in it.
        if getattr(shape, "is_document_type", False):
            yield name, "document"
        for member, inner in shape.members.items():
            yield from leaves(inner, member, within)
    elif kind == "list":
        yield from leaves(shape.member, name, within)
    elif kind == "map":
        yield from leaves(shape.key, name, within)
        yield from leaves(shape.value, name, within)
    elif kind in ("string", "blob") and not getattr(shape, "enum", None):
        yield name, kind


def content_members(client, operation: str) -> set[str]:
    """The members of a request in which content can stand."""
    service, shape = client.meta.service_model.service_name, client.meta.service_model.operation_model(operation).input_shape
    return {member for member, _ in leaves(shape) if why_clear(service, member) is None}


def said_in(value, shape, name: str = "") -> Iterator[str]:
    """The members of a request in which the marker stands."""
    kind = shape.type_name
    if kind == "structure" and not getattr(shape, "is_document_type", False):
        for member, inner in value.items():
            if member in shape.members:
                yield from said_in(inner, shape.members[member], member)
    elif kind == "list":
        for inner in value:
            yield from said_in(inner, shape.member, name)
    elif any(spelling in as_bytes(value) for spelling in SPELLINGS):
        yield name


def as_bytes(value) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()


class Recorder:
    """What was sent of each operation, and whether it was answered or refused."""

    def __init__(self):
        self.answered: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.refused: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.replies: list[tuple[str, bytes]] = []

    def watch(self, client):
        """Listens to a client of boto3's, which it gives back."""
        service = client.meta.service_model.service_name

        def sending(params, model, context, **_) -> None:
            context["canary"] = set(said_in(params, model.input_shape)) if model.input_shape else set()

        def came(http_response, model, context, **_) -> None:
            kept = self.answered if http_response.status_code < 300 else self.refused
            kept[service, model.name] |= context.get("canary", set())
            is_stream = http_response.status_code < 300 and (model.has_event_stream_output or model.has_streaming_output)
            heads = "\n".join(f"{name}: {value}" for name, value in http_response.headers.items()).encode()
            body = b"" if is_stream else http_response.content
            self.replies.append((f"the reply to {service}:{model.name}", heads + b"\n" + body))

        client.meta.events.register("provide-client-params", sending)
        client.meta.events.register("after-call", came)
        return client

    def asked(self, service: str, operation: str) -> bool:
        return (service, operation) in self.answered or (service, operation) in self.refused
