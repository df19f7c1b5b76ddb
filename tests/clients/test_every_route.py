"""Every route and every AWS operation, tried by those who may not: strangers, a role without policies, the administrator of another
account, and whoever comes in by an endpoint that is not for its account.

The routes are not listed here: `route_world.py` knows where they stand, and `asking.py` how to ask for them.
"""

import json
import re

import httpx2
import pytest

import journal
from asking import NO_KEY, Asking, asked, try_all
from asking_s3 import Shelf, s3_operations
from private import FOREIGN
from route_world import BODIES, TREASURE, World, openai_routes, operations, two_accounts
from serving import MODEL, Credentials

ILLUSION = "illusion"
RESPONSE = "resp_" + "0" * 48
CONVERSATION = "conv_" + "0" * 48
ITEM = "msg_" + "0" * 48

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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with two_accounts(tmp_path_factory.mktemp("routes")) as world:
        yield world


def table(rows: list) -> str:
    """One finding a line."""
    return "\n" + "\n".join(map(str, rows))


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
            concrete = concrete.replace("{conversation}", CONVERSATION).replace("{item}", ITEM)
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
        if "{id}" in route or "{conversation}" in route:
            assert answer.status_code == 404, (route, answer.text)
        elif route.endswith(("/models", "completions", "/keys")) and route.startswith("GET"):
            assert answer.status_code == 200, (route, answer.text)
            hidden = (world.account, MODEL, world.kms_key)
            assert not any(name in answer.text for name in hidden), (route, answer.text)
        elif route.endswith("/audit/records"):
            records = [json.dumps(item["record"]["entry"]) for item in answer.json()["data"]]
            assert records and all(world.other in record for record in records), route
        elif route.endswith(("/conversations", "/content", "/data_retention")):
            # They are about the caller's own account.
            assert answer.status_code == 200, (route, answer.text)
        else:
            assert answer.status_code in (403, 404), (route, answer.text)


@pytest.fixture(scope="module")
def shelf(world) -> Shelf:
    """A bucket of the first account, with an object and an upload."""
    s3 = world.client("s3", world.admin)
    s3.create_bucket(Bucket=TREASURE)
    s3.put_object(Bucket=TREASURE, Key="gold", Body=b"words")
    upload = s3.create_multipart_upload(Bucket=TREASURE, Key="gold")["UploadId"]
    return Shelf(TREASURE, "gold", upload=upload, other="others-own")


# Somebody whom nobody knows. Without any signature a request is not S3's: it says nowhere that it would be.
UNKNOWN = Credentials("AKIA" + "Q" * 16, "x" * 40, "", "", "us-east-1")


def s3_answers(world: World, shelf: Shelf, credentials: Credentials, url: str | None = None):
    """Every operation of S3, asked by one caller: the operation, how it was refused, the answer."""
    client = world.client("s3", credentials, url)
    for operation in s3_operations():
        answer = asked(client, operation, shelf.request(operation))
        if operation == "DeleteObjects" and answer.status == 200:
            # It tells of each key by itself.
            codes = {error["Code"] for error in json.loads(answer.text)["Errors"]}
            yield operation, (403, codes.pop()), answer
        else:
            # To `HEAD` there is no code.
            yield operation, (answer.status, None if answer.code == "403" else answer.code), answer


@pytest.mark.parametrize("caller", ["a stranger", "nobody", "by a foreign endpoint"])
def test_every_operation_of_s3_wants_leave(world, shelf, caller):
    callers = {"a stranger": (UNKNOWN, None), "nobody": (world.nobody, None), "by a foreign endpoint": (world.admin, world.foreign_url)}
    expected = {(403, None), (403, "InvalidAccessKeyId" if caller == "a stranger" else "AccessDenied")}
    answers = list(s3_answers(world, shelf, *callers[caller]))
    wrong = [(operation, refusal, answer.message) for operation, refusal, answer in answers if refusal not in expected]
    assert not wrong, table(wrong)
    ids = {answer.request_id for *_, answer in answers}
    assert_nothing_granted(world, ids)
    if caller != "a stranger":
        denied = {entry["request_id"] for entry in journal.verified_entries(world.server.data) if entry["outcome"] == "deny"}
        undenied = [operation for operation, _, answer in answers if answer.request_id not in denied]
        assert undenied == []


def test_another_accounts_buckets_are_closed(world, shelf):
    """Its administrator has what it makes, and reads and changes nothing of the first account's."""
    s3 = world.client("s3", world.admin)

    def about() -> list[str]:
        kept = s3.list_parts(Bucket=TREASURE, Key="gold", UploadId=shelf.upload)
        return [s3.get_object(Bucket=TREASURE, Key="gold")["ETag"], kept["UploadId"]]

    before, wrong = about(), []
    for operation, refusal, answer in s3_answers(world, shelf, world.stranger):
        if operation in ("ListBuckets", "CreateBucket"):
            assert answer.status == 200 and TREASURE not in answer.text
        elif refusal not in {(403, None), (403, "AccessDenied")}:
            wrong.append((operation, refusal, answer.message))
    assert not wrong, table(wrong)
    assert about() == before
