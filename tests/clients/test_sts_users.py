"""What users make of their access keys, profiles of the AWS CLI, and what a denial of EC2's says to whom."""

import configparser
import datetime
import json
import subprocess

import pytest

from serving import Moho
from sts import EVERYTHING, Account, client, document, refused

HOUR = 3600
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
ENCODED = "Encoded authorization failure message: "


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A server whose organisation lets access keys in."""
    moho = Moho(tmp_path_factory.mktemp("office") / "data", models={})
    try:
        account = Account(moho.start(), "r-")
        organizations = client(moho, "organizations")
        made = organizations.create_policy(
            Name="keys",
            Description="",
            Type="SERVICE_CONTROL_POLICY",
            Content=document({"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}),
        )
        account.letting = {"PolicyId": made["Policy"]["PolicySummary"]["Id"], "TargetId": account.number}
        account.organizations = organizations
        organizations.attach_policy(**account.letting)
        yield account
        moho.assert_unharmed()
    finally:
        moho.end()


@pytest.fixture
def bob(office):
    """A user who may do everything, and an access key of his."""
    office.iam.create_user(UserName="bob", Path="/staff/")
    office.iam.attach_user_policy(UserName="bob", PolicyArn=ADMINISTRATOR)
    key = office.iam.create_access_key(UserName="bob")["AccessKey"]
    yield key
    office.clear()
    office.iam.delete_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"])
    office.iam.detach_user_policy(UserName="bob", PolicyArn=ADMINISTRATOR)
    office.iam.delete_user(UserName="bob")


def lasts(credentials) -> float:
    return (credentials["Expiration"] - datetime.datetime.now(datetime.UTC)).total_seconds()


def test_a_user_is_who_it_is_and_takes_on_roles(office, bob):
    moho = office.moho
    sts = client(moho, "sts", bob)
    found = sts.get_caller_identity()
    assert found["Arn"] == f"arn:aws:iam::{office.number}:user/staff/bob"
    assert found["UserId"].startswith("AIDA")
    assert sts.get_access_key_info(AccessKeyId=bob["AccessKeyId"])["Account"] == office.number
    office.role("short")
    office.role("long", MaxSessionDuration=12 * HOUR)
    assert lasts(office.session("long", bob, DurationSeconds=12 * HOUR)) > 11 * HOUR
    told = refused(office.assume, "short", bob, DurationSeconds=HOUR + 1)
    assert (told.code, told.status) == ("ValidationError", 400)
    assert told.message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


def test_a_key_comes_without_a_token_and_ends_when_it_is_told_to(office, bob):
    moho = office.moho
    session = client(moho, "sts", bob).get_session_token()["Credentials"]

    def code(**more):
        return refused(client(moho, "sts", bob | more).get_caller_identity).code

    assert code(SessionToken=session["SessionToken"]) == "InvalidClientTokenId"
    assert code(SecretAccessKey=bob["SecretAccessKey"].swapcase()) == "SignatureDoesNotMatch"
    unknown = refused(client(moho, "sts", bob | {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}).get_caller_identity)
    office.iam.update_access_key(UserName="bob", AccessKeyId=bob["AccessKeyId"], Status="Inactive")
    inactive = refused(client(moho, "sts", bob).get_caller_identity)
    assert unknown == inactive and inactive.code == "InvalidClientTokenId"
    office.iam.update_access_key(UserName="bob", AccessKeyId=bob["AccessKeyId"], Status="Active")
    assert client(moho, "sts", bob).get_caller_identity()
    office.organizations.detach_policy(**office.letting)
    try:
        assert refused(client(moho, "sts", bob).get_caller_identity) == unknown
    finally:
        office.organizations.attach_policy(**office.letting)
    assert client(moho, "sts", bob).get_caller_identity()


def test_a_session_of_ones_own_is_unknown_to_iam(office, bob):
    moho = office.moho
    sts = client(moho, "sts", bob)
    session = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert 840 < lasts(session) <= 900
    own = client(moho, "sts", session)
    assert own.get_caller_identity()["Arn"].endswith(":user/staff/bob")
    assert refused(client(moho, "iam", session).list_roles).code == "InvalidClientTokenId"
    assert client(moho, "iam", bob).list_roles()["Roles"]
    office.role("r")
    assert office.assume("r", session)
    told = refused(own.get_session_token)
    assert (told.code, told.message) == ("AccessDenied", "Cannot call GetSessionToken with session credentials")
    assert refused(sts.get_session_token, SerialNumber="arn:aws:iam::1:mfa/bob", TokenCode="123456").code == "ValidationError"


def test_a_federated_user_may_what_both_may(office, bob):
    moho = office.moho
    sts = client(moho, "sts", bob)
    listing = document({"Effect": "Allow", "Action": "organizations:ListRoots", "Resource": "*"})
    answer = sts.get_federation_token(Name="eve", Policy=listing, Tags=[{"Key": "Team", "Value": "red"}])
    assert answer["FederatedUser"] == {
        "FederatedUserId": f"{office.number}:eve",
        "Arn": f"arn:aws:sts::{office.number}:federated-user/eve",
    }
    assert 0 < answer["PackedPolicySize"] < 100
    eve = answer["Credentials"]
    assert client(moho, "sts", eve).get_caller_identity()["Arn"] == answer["FederatedUser"]["Arn"]
    organizations = client(moho, "organizations", eve)
    assert organizations.list_roots()["Roots"]
    assert refused(organizations.list_accounts).code in ("AccessDenied", "AccessDeniedException")
    absent = {"arn": f"arn:aws:iam::{office.number}:policy/absent"}
    assert refused(sts.get_federation_token, Name="eve", PolicyArns=[absent]).code == "ValidationError"
    nothing = client(moho, "organizations", sts.get_federation_token(Name="nobody")["Credentials"])
    assert refused(nothing.list_roots).code in ("AccessDenied", "AccessDeniedException")
    office.role("r")
    assert refused(office.assume, "r", eve).code == "AccessDenied"
    assert refused(client(moho, "iam", eve).list_roles).code == "InvalidClientTokenId"


def test_why_ec2_denied_something_is_told_to_who_may_know(office):
    moho = office.moho
    deny = {"Sid": "NotYou", "Effect": "Deny", "Action": "ec2:*", "Resource": "*"}
    office.role("denied", allowed=(EVERYTHING, deny))
    office.role("silent", allowed=())
    try:
        told = refused(client(moho, "ec2", office.session("denied")).describe_vpc_endpoints)
        assert (told.code, told.status) == ("UnauthorizedOperation", 403)
        assert told.message.startswith("You are not authorized to perform this operation. User: ")
        encoded = told.message.split(ENCODED)[1]
        assert "NotYou" not in told.message
        sts = client(moho, "sts")
        detail = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
        assert (detail["allowed"], detail["explicitDeny"]) == (False, True)
        assert detail["context"]["action"] == "ec2:DescribeVpcEndpoints"
        assert [item["statementId"] for item in detail["matchedStatements"]["items"]] == ["NotYou"]
        assert detail["context"]["principal"]["arn"].endswith(":assumed-role/r-denied/probe")
        silent = client(moho, "sts", office.session("silent"))
        assert refused(silent.decode_authorization_message, EncodedMessage=encoded).code == "AccessDenied"
        changed = encoded[:-2] + ("A" if encoded[-2] != "A" else "B") + encoded[-1]
        assert refused(sts.decode_authorization_message, EncodedMessage=changed).code == "InvalidAuthorizationMessageException"
        told = refused(client(moho, "ec2", office.session("silent")).describe_vpc_endpoints)
        detail = json.loads(sts.decode_authorization_message(EncodedMessage=told.message.split(ENCODED)[1])["DecodedMessage"])
        assert detail["explicitDeny"] is False and detail["matchedStatements"]["items"] == []
        # A header may be long, what is sealed may not.
        long = client(moho, "ec2", office.session("silent"), user_agent="x" * 20_000)
        encoded = refused(long.describe_vpc_endpoints).message.split(ENCODED)[1]
        assert len(encoded) <= 10_240
        assert json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])["allowed"] is False
    finally:
        office.clear()


def test_profiles_of_the_command_line_chain_roles(office, bob, tmp_path):
    moho = office.moho
    condition = {"StringEquals": {"sts:ExternalId": "seven"}}
    office.role("first", office.trust(Condition=condition))
    office.role("second")
    profiles = configparser.ConfigParser()
    profiles["profile base"] = {"aws_access_key_id": bob["AccessKeyId"], "aws_secret_access_key": bob["SecretAccessKey"]}
    profiles["profile one"] = {
        "role_arn": office.arn("first"),
        "source_profile": "base",
        "external_id": "seven",
        "role_session_name": "typed",
        "duration_seconds": "900",
    }
    profiles["profile two"] = {"role_arn": office.arn("second"), "source_profile": "one", "role_session_name": "typed"}
    profiles["profile without"] = {"role_arn": office.arn("first"), "source_profile": "base"}
    with (tmp_path / "config").open("w") as file:
        profiles.write(file)

    def aws(profile, *arguments):
        environment = moho.aws_environment(tmp_path, None) | {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": profile}
        return subprocess.run(["aws", *arguments, "--output", "json"], env=environment, capture_output=True, text=True, timeout=120, check=False)

    for profile, ending in [("base", ":user/staff/bob"), ("one", ":assumed-role/r-first/typed"), ("two", ":assumed-role/r-second/typed")]:
        printed = aws(profile, "sts", "get-caller-identity")
        assert printed.returncode == 0, printed.stderr
        assert json.loads(printed.stdout)["Arn"].endswith(ending)
    assert json.loads(aws("two", "iam", "list-roles").stdout)["Roles"]
    refusal = aws("without", "sts", "get-caller-identity")
    assert refusal.returncode != 0 and "(AccessDenied) when calling the AssumeRole operation" in refusal.stderr
    tagged = aws("base", "sts", "assume-role", "--role-arn", office.arn("second"), "--role-session-name", "typed", "--tags", "Key=a,Value=b")
    assert tagged.returncode != 0 and "(AccessDenied)" in tagged.stderr
    federated = aws("base", "sts", "get-federation-token", "--name", "eve", "--duration-seconds", "900")
    assert json.loads(federated.stdout)["FederatedUser"]["Arn"].endswith(":federated-user/eve")
