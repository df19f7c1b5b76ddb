"""STS as boto3's users know it: how sessions begin, what stays in a chain of them, and how they end."""

import base64
import datetime
import time

import botocore.auth
import pytest

from signing import bearer_key, clock_moved, replaced
from serving import MODEL, Credentials
from sts import EVERYTHING, Account, client, document, refused

HOUR = 3600
SESSION_KEYS = ["aws:SourceIdentity", "aws:PrincipalTag/Team", "sts:RoleSessionName"]


@pytest.fixture
def account(moho, request):
    found = Account(moho, request.node.name.split("[")[0].removeprefix("test_")[:40] + "-")
    yield found
    found.clear()


def identity(moho, credentials) -> str:
    return client(moho, "sts", credentials).get_caller_identity()["Arn"]


def lasts(credentials) -> float:
    return (credentials["Expiration"] - datetime.datetime.now(datetime.UTC)).total_seconds()


def test_a_session_is_who_it_says(moho, account):
    account.role("r", Path="/a/b/")
    arn = f"arn:aws:iam::{account.number}:role/a/b/{account.prefix}r"
    answer = account.assume(arn, session="me@example.com")
    user = answer["AssumedRoleUser"]
    assert user["Arn"] == f"arn:aws:sts::{account.number}:assumed-role/{account.prefix}r/me@example.com"
    role = account.iam.get_role(RoleName=account.prefix + "r")["Role"]
    assert user["AssumedRoleId"] == f"{role['RoleId']}:me@example.com"
    assert "PackedPolicySize" not in answer and "SourceIdentity" not in answer
    assert identity(moho, answer["Credentials"]) == user["Arn"]
    # The path is part of the name: without it there is no such role.
    assert refused(account.assume, "r").code == "AccessDenied"


def test_how_long_a_session_lasts(moho, account):
    account.role("short")
    account.role("long", MaxSessionDuration=12 * HOUR)
    assert HOUR - 60 < lasts(account.session("long")) <= HOUR
    assert 840 < lasts(account.session("long", DurationSeconds=900)) <= 900
    # Whoever has a session is in a chain from then on.
    told = refused(account.assume, "long", DurationSeconds=HOUR + 1)
    assert (told.code, told.status) == ("ValidationError", 400)
    assert told.message == "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    for seconds, words in [(899, "greater than or equal to 900"), (43201, "less than or equal to 43200")]:
        told = refused(account.assume, "long", DurationSeconds=seconds)
        assert (told.code, told.status) == ("ValidationError", 400) and words in told.message


def test_an_absent_role_looks_like_one_that_refuses(moho, account):
    someone = {"AWS": f"arn:aws:iam::{account.number}:role/Developer"}
    foreign = {"Effect": "Allow", "Principal": someone, "Action": "sts:AssumeRole"}
    denying = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    account.role("refuses", document(foreign))
    account.role("denies", document(foreign, denying))
    account.role("asker", allowed=())
    account.role("open")
    asker = account.session("asker")
    told = []
    for name, credentials in [
        ("absent", None),
        ("refuses", None),
        ("denies", None),
        ("open", asker),
        ("absent", asker),
        ("refuses", asker),
    ]:
        one = refused(account.assume, name, credentials)
        who = identity(moho, credentials)
        told.append((one.code, one.status, one.message.replace(account.arn(name), "ROLE").replace(who, "WHO")))
    assert len(set(told)) == 1, told
    code, status, message = told[0]
    assert (code, status) == ("AccessDenied", 403)
    assert message.startswith("User: WHO is not authorized to perform: sts:AssumeRole on resource: ROLE")
    elsewhere = account.arn("open").replace(account.number, "210987654321")
    assert refused(account.assume, elsewhere).message.startswith("User: ")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:user/bob",
        "arn:aws:sts::123456789012:assumed-role/Admin/me",
        "arn:aws:iam::123456789012:role/\u0410dmin",
        "arn:aws:iam::12345678901:role/Admin",
        "arn:aws:iam::123456789012:role/Admin\u202e",
        "arn:aws:iam::123456789012:role/*",
        "nonsense nonsense nonsense",
    ],
)
def test_what_is_no_role_is_refused(account, arn):
    told = refused(account.assume, "arn:" + arn if not arn.startswith("arn:") else arn)
    assert told.code in ("ValidationError", "AccessDenied") and told.status in (400, 403)


def test_an_external_id_protects_a_deputy(account):
    condition = {"StringEquals": {"sts:ExternalId": "0123:customer/7"}}
    account.role("vendor", account.trust(Condition=condition))
    assert account.assume("vendor", ExternalId="0123:customer/7")
    for wrong in [{}, {"ExternalId": "0123:customer/8"}, {"ExternalId": "0123:CUSTOMER/7"}]:
        assert refused(account.assume, "vendor", **wrong).code == "AccessDenied"


def test_a_trust_policy_sees_what_is_asked(account):
    condition = {"StringLike": {"sts:RoleSessionName": "ci-*"}}
    account.role("named", account.trust(Condition=condition))
    assert account.assume("named", session="ci-17")
    assert refused(account.assume, "named", session="xci-17").code == "AccessDenied"


def test_a_source_identity_stays_through_a_chain(moho, account):
    both = account.trust("sts:AssumeRole", "sts:SetSourceIdentity")
    account.role("first", both)
    account.role("second", both)
    account.role("deaf")
    answer = account.assume("first", SourceIdentity="bob@example.com")
    assert answer["SourceIdentity"] == "bob@example.com"
    first = answer["Credentials"]
    second = account.assume("second", first)
    assert second["SourceIdentity"] == "bob@example.com"
    assert account.assume("first", second["Credentials"], SourceIdentity="bob@example.com")["SourceIdentity"] == "bob@example.com"
    told = refused(account.assume, "second", first, SourceIdentity="eve@example.com")
    assert (told.code, told.message) == ("InvalidParameterValue", "The source identity is already set")
    # A role whose trust policy does not let sources be named cannot be reached with one.
    assert refused(account.assume, "deaf", SourceIdentity="bob@example.com").code == "AccessDenied"
    assert refused(account.assume, "deaf", first).code == "AccessDenied"
    assert account.assume("deaf")
    pinned = {"StringEquals": {"sts:SourceIdentity": "bob@example.com"}}
    account.role("pinned", account.trust("sts:AssumeRole", "sts:SetSourceIdentity", Condition=pinned))
    assert account.assume("pinned", first)
    assert refused(account.assume, "pinned", SourceIdentity="eve@example.com").code == "AccessDenied"
    assert refused(account.assume, "pinned").code == "AccessDenied"


def test_tags_decide_and_transitive_ones_stay(moho, account):
    tagging = account.trust("sts:AssumeRole", "sts:TagSession")
    red = {"StringEquals": {"aws:PrincipalTag/Team": "red"}}
    list_roles = {"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*", "Condition": red}
    chain = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}
    account.role("first", tagging, allowed=(list_roles, chain), Tags=[{"Key": "Team", "Value": "grey"}])
    account.role("second", tagging, allowed=(list_roles, chain))
    account.role("untagged", allowed=(list_roles, chain))
    team = [{"Key": "Team", "Value": "red"}, {"Key": "Cost", "Value": "\u00e4 1"}]

    def lists(credentials):
        return client(moho, "iam", credentials).list_roles()["Roles"]

    assert refused(lists, account.session("first")).code == "AccessDenied"
    answer = account.assume("first", Tags=team, TransitiveTagKeys=["team"])
    assert 0 < answer["PackedPolicySize"] < 100
    first = answer["Credentials"]
    assert lists(first)
    assert lists(account.session("second", first))
    plain = account.session("first", Tags=team)
    assert lists(plain)
    assert refused(lists, account.session("second", plain)).code == "AccessDenied"
    assert refused(account.assume, "untagged", Tags=team).code == "AccessDenied"
    assert refused(account.assume, "untagged", first).code == "AccessDenied"
    assert account.assume("untagged", plain)
    for more, message in [
        ({"Tags": [*team, {"Key": "TEAM", "Value": "x"}]}, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        ({"Tags": team, "TransitiveTagKeys": ["Other"]}, "The specified transitive tag key must be included in the requested tags."),
        ({"Tags": [{"Key": "aws:x", "Value": "x"}]}, "A tag key has"),
    ]:
        told = refused(account.assume, "first", **more)
        assert (told.code, told.status) == ("InvalidParameterValue", 400) and told.message.startswith(message)
    told = refused(account.assume, "second", first, Tags=[{"Key": "tEAM", "Value": "blue"}])
    assert told.code == "InvalidParameterValue" and "conflicts with a transitive tag key from the calling session" in told.message


def test_a_trust_policy_sees_tags(account):
    condition = {"StringEquals": {"aws:RequestTag/Team": ["red", "blue"]}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}
    account.role("r", account.trust("sts:AssumeRole", "sts:TagSession", Condition=condition))
    assert account.assume("r", Tags=[{"Key": "Team", "Value": "red"}])
    for tags in [[], [{"Key": "Team", "Value": "green"}], [{"Key": "Team", "Value": "red"}, {"Key": "More", "Value": "x"}]]:
        assert refused(account.assume, "r", Tags=tags).code == "AccessDenied"


def test_too_much_for_a_token(account):
    account.role("r", account.trust("sts:AssumeRole", "sts:TagSession"))

    def tags(count):
        return [{"Key": f"{index:0128}", "Value": "v" * 256} for index in range(count)]

    assert account.assume("r", Tags=tags(8))["PackedPolicySize"] <= 100
    told = refused(account.assume, "r", Tags=tags(50))
    assert (told.code, told.status) == ("PackedPolicyTooLarge", 400)
    assert "Packed size of session tags consumes" in told.message and "% of allotted space" in told.message
    assert refused(account.assume, "r", Tags=tags(51)).code in ("ValidationError", "InvalidParameterValue")
    large = document(EVERYTHING)[:-1] + " " * 2048 + "}"
    told = refused(account.assume, "r", Policy=large)
    assert (told.code, told.status) == ("ValidationError", 400)
    assert "at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048" in told.message
    arns = [{"arn": f"arn:aws:iam::aws:policy/{index}{'x' * 110}"} for index in range(11)]
    assert refused(account.assume, "r", PolicyArns=arns).code == "ValidationError"
    for policy in ["{", '{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', document({**EVERYTHING, "Principal": "*"})]:
        assert refused(account.assume, "r", Policy=policy).code == "MalformedPolicyDocument"


def test_session_policies_narrow(moho, account):
    account.role("r")
    listing = document({"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"})
    narrowed = account.assume("r", Policy=listing)
    assert narrowed["PackedPolicySize"] > 0
    iam = client(moho, "iam", narrowed["Credentials"])
    assert iam.list_roles()["Roles"]
    assert refused(iam.list_users).code == "AccessDenied"
    made = account.iam.create_policy(PolicyName=account.prefix + "lists", PolicyDocument=listing)["Policy"]["Arn"]
    try:
        iam = client(moho, "iam", account.session("r", PolicyArns=[{"arn": made}]))
        assert iam.list_roles()["Roles"]
        assert refused(iam.list_users).code == "AccessDenied"
        widening = client(moho, "iam", account.session("r", Policy=document(EVERYTHING)))
        assert widening.list_users()["Users"] is not None
        for absent in (made + "-absent", made.replace(account.number, "999999999999")):
            told = refused(account.assume, "r", PolicyArns=[{"arn": absent}])
            assert (told.code, told.message) == ("ValidationError", f"Policy {absent} does not exist or is not attachable.")
            # Who may not assume the role does not learn what policies there are.
            assert refused(account.assume, "none", PolicyArns=[{"arn": absent}]).code == "AccessDenied"
    finally:
        account.iam.delete_policy(PolicyArn=made)


def test_a_loop_of_roles_wins_nothing(moho, account):
    both = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    account.role("one", allowed=(both,), MaxSessionDuration=12 * HOUR)
    account.role("two", allowed=(both,), MaxSessionDuration=12 * HOUR)
    session = account.session("one")
    for step in range(6):
        name = ("two", "one")[step % 2]
        assert refused(account.assume, name, session, DurationSeconds=2 * HOUR).code == "ValidationError"
        session = account.session(name, session)
        assert lasts(session) <= HOUR
        assert refused(client(moho, "iam", session).list_roles).code == "AccessDenied"


def test_sessions_from_before_are_revoked(moho, account):
    """What AWS's console does to a role whose sessions have to end now."""
    account.role("r")
    name = account.prefix + "r"
    old = account.session("r")
    assert client(moho, "iam", old).list_roles()
    before = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    older = {"DateLessThan": {"aws:TokenIssueTime": before.strftime("%Y-%m-%dT%H:%M:%S.000Z")}}
    deny = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": older}
    account.iam.put_role_policy(RoleName=name, PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(deny))
    told = refused(client(moho, "iam", old).list_roles)
    assert told.code == "AccessDenied" and "with an explicit deny in an identity-based policy" in told.message
    assert refused(account.assume, "r", old).code == "AccessDenied"
    assert identity(moho, old)
    deadline = time.monotonic() + 30
    while datetime.datetime.now(datetime.UTC) < before and time.monotonic() < deadline:
        account.iam.get_role(RoleName=name)
    assert client(moho, "iam", account.session("r")).list_roles()


def test_a_role_that_is_gone_takes_its_sessions_along(moho, account):
    account.role("r")
    session = account.session("r")
    assert client(moho, "iam", session).list_roles()
    who = identity(moho, session)
    account.remove(account.prefix + "r")
    assert identity(moho, session) == who
    assert refused(client(moho, "iam", session).list_roles).code == "AccessDenied"
    assert refused(account.assume, "r", session).code == "AccessDenied"
    account.role("r")
    assert refused(client(moho, "iam", session).list_roles).code == "AccessDenied"
    assert client(moho, "iam", account.session("r")).list_roles()
    as_credentials = Credentials.of_sts(session, moho.credentials().region)
    with moho.http({"Authorization": f"Bearer {bearer_key(as_credentials)}"}) as http:
        answer = http.post("/v1/responses", json={"model": MODEL, "input": "Hi!", "store": False})
    assert answer.status_code == 403, answer.text


def test_sessions_make_no_sessions_of_users(account, moho):
    sts = client(moho, "sts")
    for call, parameters in [(sts.get_session_token, {}), (sts.get_federation_token, {"Name": "bob"})]:
        told = refused(call, **parameters)
        assert (told.code, told.status) == ("AccessDenied", 403)
        assert told.message.startswith(f"Cannot call {'GetSessionToken' if not parameters else 'GetFederationToken'} with session credentials")


def test_whose_a_key_is(moho, account):
    sts = client(moho, "sts")
    key = moho.credentials().access_key_id
    assert sts.get_access_key_info(AccessKeyId=key)["Account"] == account.number
    # One of AWS's own, which says so in the same way.
    assert sts.get_access_key_info(AccessKeyId="ASIAQNZGKIQY56JQ7WML")["Account"] == "029608264753"
    for wrong in ["ASIA0000000000000000", "AKIAIOSFODNN7EXAMPLE", "x" * 128]:
        told = refused(sts.get_access_key_info, AccessKeyId=wrong)
        assert (told.code, told.status) == ("ValidationError", 400)
    assert refused(moho.boto3("sts", "Developer").get_access_key_info, AccessKeyId=key).code == "AccessDenied"


def test_what_is_no_encoded_message(moho, account):
    sts = client(moho, "sts")
    own = moho.credentials("Admin").session_token
    for message in ["x", "nonsense", own[:4096], base64.urlsafe_b64encode(b"\2" + b"x" * 60).decode()]:
        told = refused(sts.decode_authorization_message, EncodedMessage=message)
        assert (told.code, told.status) == ("InvalidAuthorizationMessageException", 400)
    told = refused(moho.boto3("sts", "Developer").decode_authorization_message, EncodedMessage="x")
    assert told.code == "AccessDenied"


def test_clocks_that_differ(moho, account):
    session = account.session(f"arn:aws:iam::{account.number}:role/Developer")
    assert identity(moho, session)
    for minutes in (-6, 6):
        with clock_moved(datetime.timedelta(minutes=minutes)):
            told = refused(client(moho, "sts", session).get_caller_identity)
        assert (told.code, told.status) == ("SignatureDoesNotMatch", 403)
        assert told.message.startswith("Signature ")
    for minutes in (-4, 4):
        with clock_moved(datetime.timedelta(minutes=minutes)):
            assert identity(moho, session)


def test_tokens_that_were_never_issued(moho, account):
    session = account.session(f"arn:aws:iam::{account.number}:role/Developer")
    token = session["SessionToken"]
    other = account.session(f"arn:aws:iam::{account.number}:role/Developer")
    for wrong in [
        replaced(token, 5),
        replaced(token, -6),
        token[:-4],
        token + "AAAA",
        token * 2,
        "A" * 8192,
        "A" * 30000,
        other["SessionToken"],
        None,
    ]:
        told = refused(client(moho, "sts", session | {"SessionToken": wrong}).get_caller_identity)
        assert (told.code, told.status) == ("InvalidClientTokenId", 403), len(wrong or "")
    swapped = {**other, "AccessKeyId": session["AccessKeyId"]}
    assert refused(client(moho, "sts", swapped).get_caller_identity).code == "InvalidClientTokenId"
    assert identity(moho, session)


def test_members_that_are_not_served_are_refused_by_name(account):
    role = f"arn:aws:iam::{account.number}:role/Developer"
    for more in [
        {"SerialNumber": f"arn:aws:iam::{account.number}:mfa/bob", "TokenCode": "123456"},
        {"ProvidedContexts": [{"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "ContextAssertion": "abcdefgh"}]},
    ]:
        told = refused(account.assume, role, **more)
        assert (told.code, told.status) == ("ValidationError", 400)
        assert any(name in told.message or name[0].lower() + name[1:] in told.message for name in more)
