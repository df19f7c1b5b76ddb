"""A case for every route and every operation: what sends the marker there, or why there is nothing to send.

The lists of routes and operations are those of `route_world.py`, which are held to the code. An operation of AWS's is asked with
the marker in each member that carries content (`canary_members.py`), made from its model; those that want more sense than a model
has are asked by hand.
"""

import json
from collections.abc import Callable, Iterator

import httpx2

from asking import Asking, asked
from canary import MARKER
from canary_members import Recorder, content_members, leaves, why_clear
from route_world import ANYTHING, World, operations
from serving import MODEL

# Members of a service that stand in no request of it that is answered: each was sent with each operation, and refused.
REFUSED = {
    # Nothing but a password's or token's device proves so; no issuer that the server knows made the token.
    "sts": {"TokenCode", "ContextAssertion", "WebIdentityToken"},
    # SAML assertions are not taken, so no key for them is.
    "iam": {"AddPrivateKey"},
    # No key of the caller's own is taken (SSE-C), nor is there a device to prove anything by.
    "s3": {"SSECustomerKey", "CopySourceSSECustomerKey", "MFA"},
    # No model here sees, hears or calls, and what is asked for is refused, never dropped; and fields that no model here knows.
    "bedrock-runtime": {
        *("bytes", "context", "description", "domain", "effort", "input", "json", "message", "name", "redactedContent", "serverName"),
        *("signature", "source", "title", "toolUseId", "type", "uri", "url"),
        *("additionalModelRequestFields", "additionalModelResponseFieldPaths"),
    },
    # The same, of what is kept to be asked.
    "bedrock-agent": {"json", "additionalModelRequestFields"},
}


class Filled(Asking):
    """Makes requests of AWS's models with the marker wherever content can stand."""

    def __init__(self, world: World, service: str, wanted: set[str] = frozenset()):
        super().__init__(world)
        # Where there is a choice, the way leads to these.
        self.service, self.wanted = service, wanted
        self.within: list[str] = []

    def carries(self, member: str, shape) -> bool:
        return any(why_clear(self.service, name) is None for name, _ in leaves(shape, member))

    def said(self, member: str, shape) -> object:
        if shape is None or shape.name in self.within or not self.carries(member, shape):
            return super().said(member, shape)
        self.within.append(shape.name)
        try:
            return self.filled(member, shape)
        finally:
            self.within.pop()

    def filled(self, member: str, shape) -> object:
        kind = shape.type_name
        if kind == "list":
            return [self.said(member, shape.member)]
        if kind == "map":
            key = MARKER if why_clear(self.service, member) is None else "key"
            return {key: self.said(member, shape.value)}
        if kind != "structure":
            return MARKER.encode() if kind == "blob" else MARKER
        if getattr(shape, "is_document_type", False):
            return {"canary": MARKER}
        members = shape.members
        if getattr(shape, "is_tagged_union", False):
            ways = [name for name in members if {leaf for leaf, _ in leaves(members[name], name)} & self.wanted]
            chosen = next(iter(ways or members))
            return {chosen: self.said(chosen, members[chosen])}
        wanted = [name for name in members if name in shape.required_members or self.carries(name, members[name])]
        return {name: self.said(name, members[name]) for name in wanted}

    def of(self, client, operation: str) -> dict:
        made = super().of(client, operation)
        shape = client.meta.service_model.operation_model(operation).input_shape
        members = {} if shape is None else shape.members
        made |= {name: self.said(name, members[name]) for name in members if self.carries(name, members[name])}
        if "inferenceConfig" in made:
            made["inferenceConfig"]["maxTokens"] = 1
        return made


def ask_everything(world: World, recorder: Recorder, client_of: Callable, listed=None) -> None:
    """Every operation of the service models, asked with the marker in all of its content."""
    for service, operation in operations() if listed is None else listed:
        client, here = client_of(service), (service, operation)
        wanted, before = content_members(client, operation), None
        # Where one thing or another can be said, each is said once.
        while wanted != before:
            asked(client, operation, Filled(world, service, wanted).of(client, operation))
            before, wanted = wanted, wanted - recorder.answered[here] - recorder.refused[here]


def without_case(recorder: Recorder, client_of: Callable, listed: list[tuple[str, str]]) -> Iterator[str]:
    """Operations that content can go into in a way that nobody tried."""
    for service, operation in listed:
        here = service, operation
        if not recorder.asked(service, operation):
            yield f"{service}:{operation} was never asked: give it a case"
            continue
        for member in sorted(content_members(client_of(service), operation) - recorder.answered[here]):
            if member not in REFUSED.get(service, set()):
                yield f"{service}:{operation}: no answered request had the marker in `{member}`: give it a case, or say why it is no content"
            elif member not in recorder.refused[here]:
                yield f"{service}:{operation}: no request had the marker in `{member}`"


# Operations that a model's words are not enough for.


def send_to_kms(kms, key: str) -> None:
    """Through every operation that encrypts, decrypts or signs what the caller brings."""
    context = {MARKER: MARKER}
    sealed = kms.encrypt(KeyId=key, Plaintext=MARKER, EncryptionContext=context)["CiphertextBlob"]
    again = kms.re_encrypt(
        CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=key, DestinationEncryptionContext=context
    )["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=again, EncryptionContext=context)["Plaintext"] == MARKER.encode()
    kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256", EncryptionContext=context)
    kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P256", EncryptionContext=context)
    hashing = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    how = {"KeyId": hashing, "Message": MARKER, "MacAlgorithm": "HMAC_SHA_256"}
    assert kms.verify_mac(Mac=kms.generate_mac(**how)["Mac"], **how)["MacValid"]
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    how = {"KeyId": signing, "Message": MARKER, "SigningAlgorithm": "ECDSA_SHA_256"}
    assert kms.verify(Signature=kms.sign(**how)["Signature"], **how)["SignatureValid"]


# What takes no words; and what is answered only where something was restored, which has tests of its own.
WORDLESS = {"POST /data_retention": "a number of days", "POST /restore/accept": "the id of a restoration"}
RESTORED_ONLY = {"GET /v1/restore", "POST /v1/restore/accept"}


class Routes:
    """OpenAI's routes under one prefix, asked over plain HTTP by somebody who may."""

    def __init__(self, http: httpx2.Client, prefix: str):
        self.http, self.prefix = http, prefix
        self.done: dict[str, set[int]] = {}

    def ask(self, route: str, body: dict | None = None, **named: str) -> httpx2.Response:
        """`POST /responses`, with what stands in braces named."""
        method, path = route.split(" ")
        for name, value in named.items():
            path = path.replace("{" + name + "}", value)
        answer = self.http.request(method, self.prefix + path, json=body)
        line = f"{method} {self.prefix}{route.split(' ')[1].split('?')[0]}"
        if method != "POST" or MARKER in str(body) or route in WORDLESS:
            self.done.setdefault(line, set()).add(answer.status_code)
        return answer

    def send(self) -> str:
        """Asks each route of responses, chats and models with the marker; the id of a response that stays."""
        ask = {"model": MODEL, "input": MARKER, "instructions": MARKER, "metadata": {MARKER: MARKER}, "max_output_tokens": 16}
        kept = self.ask("POST /responses", ask).json()["id"]
        gone = self.ask("POST /responses", ask | {"stream": False}).json()["id"]
        assert MARKER in self.ask("GET /responses/{id}", id=kept).text
        assert MARKER in self.ask("GET /responses/{id}/input_items", id=kept).text
        self.ask("DELETE /responses/{id}", id=gone)
        turns = [{"role": "system", "content": MARKER}, {"role": "user", "content": MARKER}]
        self.ask("POST /chat/completions", {"model": MODEL, "messages": turns, "max_tokens": 8, "user": MARKER})
        # Names only; what else a request brings is not kept either.
        self.ask("GET /models")
        self.ask("GET /models/{model}", model=MODEL)
        for path in ("models", f"models/{MODEL}", f"responses/{kept}"):
            said = {"User-Agent": MARKER, "Cookie": f"a={MARKER}", "X-Custom": MARKER, "Referer": f"https://{MARKER}.example.org/{MARKER}"}
            self.http.get(f"{self.prefix}/{path}?x={MARKER}", headers=said)
            self.http.request("GET", f"{self.prefix}/{path}", content=MARKER)
        return kept


def send_to_accounts_routes(http: httpx2.Client, key: str) -> Routes:
    """The routes of accounts that have one prefix only: all that is kept and for how long, usage, keys and restorations."""
    routes = Routes(http, "/v1")
    assert MARKER in routes.ask("GET /content").text
    routes.ask("POST /data_retention", {"days": 30})
    routes.ask("GET /data_retention")
    routes.ask("GET /organization/usage/completions?start_time=1")
    routes.ask("GET /keys")
    routes.ask("GET /keys/{key}", key=key)
    routes.ask(f"GET /audit/records?principal={MARKER}&resource={MARKER}&details=true")
    routes.ask("GET /restore")
    routes.ask("POST /restore/accept", {"id": MARKER, MARKER: MARKER})
    return routes


def routes_without_case(listed: list[tuple[str, str]], asked_routes: list[Routes]) -> list[str]:
    """Routes that nobody was answered on with the marker, or at all if they take no content."""
    done: dict[str, set[int]] = {}
    for routes in asked_routes:
        for line, statuses in routes.done.items():
            done.setdefault(line, set()).update(statuses)
    lines = [f"{method} {path}" for method, path in listed]
    expected = {line: {404} if line in RESTORED_ONLY else {200, 201} for line in lines}
    return [f"{line} was not answered with the marker: give it a case" for line in lines if not expected[line] & done.get(line, set())]


def send_to_simulators(iam, role: str) -> None:
    """What a request would bring, for those who ask what a policy would say to it."""
    entry = {"ContextKeyName": "aws:userid", "ContextKeyValues": [MARKER], "ContextKeyType": "string"}
    asked = {"ActionNames": ["iam:GetRole"], "ContextEntries": [entry]}
    iam.simulate_principal_policy(PolicySourceArn=role, **asked)
    iam.simulate_custom_policy(PolicyInputList=[json.dumps(ANYTHING)], **asked)
