"""Users, groups and long-lived credentials with boto3 and the AWS CLI: AWS's rules, and nothing long-lived without leave.

Users exist only where the organisation's policies allow long-lived credentials: most tests attach such a policy first, and some
take it away again.
"""

import json
import subprocess

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import serving
from serving import MODEL, Moho
from sts import refused

LET_KEYS_IN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}],
}
ALLOW_LISTING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:ListUsers", "iam:GetUser", "sts:GetSessionToken", "bedrock:ListFoundationModels"], "Resource": "*"}],
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
BEDROCK = "bedrock.amazonaws.com"


class Office:
    """A server whose administrator lets long-lived credentials in, or not."""

    def __init__(self, server: Moho):
        self.server = server
        self.iam = server.boto3("iam", "Admin")
        self.organizations = server.boto3("organizations", "Admin")
        self.account = server.boto3("sts", "Admin").get_caller_identity()["Account"]
        self.policy = self.organizations.create_policy(
            Name="keys", Description="", Type="SERVICE_CONTROL_POLICY", Content=json.dumps(LET_KEYS_IN)
        )["Policy"]["PolicySummary"]["Id"]
        self.let_in()

    def let_in(self):
        self.organizations.attach_policy(PolicyId=self.policy, TargetId=self.account)

    def shut_out(self):
        self.organizations.detach_policy(PolicyId=self.policy, TargetId=self.account)

    def client(self, service, key):
        """A client with an access key, as IAM or STS told it."""
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            verify=str(self.server.authority),
            region_name=self.server.credentials("Admin").region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def user(self, name, **more):
        return self.iam.create_user(UserName=name, **more)["User"]

    def key(self, name):
        return self.iam.create_access_key(UserName=name)["AccessKey"]


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    server = Moho(tmp_path_factory.mktemp("users") / "data")
    try:
        yield Office(server.start())
        server.assert_unharmed()
    finally:
        server.end()


def test_without_the_organisations_leave_there_are_no_users(make_moho):
    server = make_moho(models={}).start()
    iam = server.boto3("iam", "Admin")
    code, message, status = refused(iam.create_user, UserName="alice")
    assert (code, status) == ("AccessDenied", 403)
    assert "iam:CreateAccessKey" in message and "service control policy" in message
    # Groups do no harm without users.
    assert iam.create_group(GroupName="readers")["Group"]["GroupId"].startswith("AGPA")


def test_a_user_as_aws_has_it(office):
    made = office.user("alice", Path="/eng/", Tags=[{"Key": "Team", "Value": "one"}])
    assert made["Arn"] == f"arn:aws:iam::{office.account}:user/eng/alice"
    assert made["UserId"].startswith("AIDA") and len(made["UserId"]) == 21
    found = office.iam.get_user(UserName="alice")["User"]
    assert found == made and found["Tags"] == [{"Key": "Team", "Value": "one"}]
    [listed] = office.iam.list_users(PathPrefix="/eng/")["Users"]
    assert listed["Arn"] == made["Arn"] and "Tags" not in listed
    assert refused(office.iam.create_user, UserName="ALICE").code == "EntityAlreadyExists"
    office.iam.update_user(UserName="alice", NewUserName="alicia", NewPath="/")
    assert office.iam.get_user(UserName="alicia")["User"]["UserId"] == made["UserId"]
    code, message, status = refused(office.iam.get_user, UserName="alice")
    assert (code, status) == ("NoSuchEntity", 404)
    assert message == "The user with name alice cannot be found."
    office.iam.delete_user(UserName="alicia")


def test_tags_of_a_user(office):
    office.user("tagged")
    office.iam.tag_user(UserName="tagged", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    office.iam.tag_user(UserName="tagged", Tags=[{"Key": "A", "Value": "3"}])
    office.iam.untag_user(UserName="tagged", TagKeys=["b", "absent"])
    assert office.iam.list_user_tags(UserName="tagged")["Tags"] == [{"Key": "A", "Value": "3"}]
    many = [{"Key": f"key-{number}", "Value": ""} for number in range(50)]
    assert refused(office.iam.tag_user, UserName="tagged", Tags=many).code == "LimitExceeded"
    office.iam.delete_user(UserName="tagged")


def test_users_come_in_pages_and_a_marker_is_of_its_own_list(office):
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        office.user(name, Path="/pages/")
    pages = list(office.iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 2}))
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    marker = pages[0]["Marker"]
    assert refused(office.iam.list_users, PathPrefix="/other/", Marker=marker).code == "ValidationError"
    assert refused(office.iam.list_groups, PathPrefix="/pages/", Marker=marker).code == "ValidationError"
    for name in names:
        office.iam.delete_user(UserName=name)


def test_a_group_and_its_members(office):
    office.user("member")
    made = office.iam.create_group(GroupName="crew", Path="/eng/")["Group"]
    assert made["Arn"] == f"arn:aws:iam::{office.account}:group/eng/crew"
    office.iam.add_user_to_group(GroupName="crew", UserName="member")
    office.iam.add_user_to_group(GroupName="crew", UserName="member")
    found = office.iam.get_group(GroupName="crew")
    assert found["Group"] == made and [user["UserName"] for user in found["Users"]] == ["member"]
    assert [group["GroupName"] for group in office.iam.list_groups_for_user(UserName="member")["Groups"]] == ["crew"]
    assert refused(office.iam.delete_group, GroupName="crew").code == "DeleteConflict"
    assert refused(office.iam.delete_user, UserName="member").code == "DeleteConflict"
    assert refused(office.iam.add_user_to_group, GroupName="crew", UserName="nobody").code == "NoSuchEntity"
    office.iam.remove_user_from_group(GroupName="crew", UserName="member")
    office.iam.delete_group(GroupName="crew")
    office.iam.delete_user(UserName="member")


@pytest.mark.parametrize("kind", ["user", "group"])
def test_inline_and_attached_policies(office, kind):
    named = {f"{kind.title()}Name": f"policed-{kind}"}
    call = lambda operation, **more: getattr(office.iam, operation.format(kind))(**named, **more)  # noqa: E731
    call("create_{}")
    call("put_{}_policy", PolicyName="own", PolicyDocument=json.dumps(ALLOW_LISTING))
    assert call("list_{}_policies")["PolicyNames"] == ["own"]
    assert call("get_{}_policy", PolicyName="own")["PolicyDocument"] == ALLOW_LISTING
    malformed = refused(getattr(office.iam, f"put_{kind}_policy"), **named, PolicyName="bad", PolicyDocument="{")
    assert malformed.code == "MalformedPolicyDocument"
    long = json.dumps(ALLOW_LISTING).replace('"*"', '"' + "arn:aws:s3:::" + "x" * 1300 + '"')
    for number in range(3):
        try:
            call("put_{}_policy", PolicyName=f"long-{number}", PolicyDocument=long)
        except ClientError as refusal:
            assert refusal.response["Error"]["Code"] == "LimitExceeded"
    names = call("list_{}_policies")["PolicyNames"]
    assert len(names) == {"user": 2, "group": 4}[kind]
    call("attach_{}_policy", PolicyArn=READ_ONLY)
    call("attach_{}_policy", PolicyArn=READ_ONLY)
    attached = call("list_attached_{}_policies")["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    having = office.iam.list_entities_for_policy(PolicyArn=READ_ONLY)
    assert [found[f"{kind.title()}Name"] for found in having[f"Policy{kind.title()}s"]] == [f"policed-{kind}"]
    absent = READ_ONLY.replace("ReadOnly", "NoSuch")
    assert refused(getattr(office.iam, f"attach_{kind}_policy"), **named, PolicyArn=absent).code == "NoSuchEntity"
    assert refused(getattr(office.iam, f"delete_{kind}"), **named).code == "DeleteConflict"
    call("detach_{}_policy", PolicyArn=READ_ONLY)
    assert refused(getattr(office.iam, f"detach_{kind}_policy"), **named, PolicyArn=READ_ONLY).code == "NoSuchEntity"
    for name in names:
        call("delete_{}_policy", PolicyName=name)
    call("delete_{}")


def test_an_access_key_signs_requests_and_may_what_its_user_may(office):
    office.user("worker")
    key = office.key("worker")
    assert key["AccessKeyId"].startswith("AKIA") and len(key["SecretAccessKey"]) == 40
    identity = office.client("sts", key).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{office.account}:user/worker"
    assert identity["UserId"].startswith("AIDA")
    iam = office.client("iam", key)
    assert refused(iam.list_users).code == "AccessDenied"
    office.iam.put_user_policy(UserName="worker", PolicyName="listing", PolicyDocument=json.dumps(ALLOW_LISTING))
    assert iam.list_users()["Users"]
    # Without a name it is the caller's own.
    assert iam.get_user()["User"]["UserName"] == "worker"
    used = office.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert used["UserName"] == "worker"
    office.iam.delete_user_policy(UserName="worker", PolicyName="listing")
    assert refused(iam.list_users).code == "AccessDenied"

    # A group gives what it has; a boundary takes what it has not.
    office.iam.create_group(GroupName="listers")
    office.iam.put_group_policy(GroupName="listers", PolicyName="listing", PolicyDocument=json.dumps(ALLOW_LISTING))
    office.iam.add_user_to_group(GroupName="listers", UserName="worker")
    assert iam.list_users()["Users"]
    boundary = "arn:aws:iam::aws:policy/AmazonBedrockReadOnly"
    office.iam.put_user_permissions_boundary(UserName="worker", PermissionsBoundary=boundary)
    bounded = office.iam.get_user(UserName="worker")["User"]["PermissionsBoundary"]
    assert bounded == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    assert refused(iam.list_users).code == "AccessDenied"
    office.iam.delete_user_permissions_boundary(UserName="worker")
    assert iam.list_users()["Users"]
    office.iam.remove_user_from_group(GroupName="listers", UserName="worker")
    office.iam.delete_group_policy(GroupName="listers", PolicyName="listing")
    office.iam.delete_group(GroupName="listers")

    office.iam.update_access_key(UserName="worker", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(office.client("sts", key).get_caller_identity).code == "InvalidClientTokenId"
    office.iam.update_access_key(UserName="worker", AccessKeyId=key["AccessKeyId"], Status="Active")
    second = office.key("worker")
    assert refused(office.iam.create_access_key, UserName="worker").code == "LimitExceeded"
    listed = office.iam.list_access_keys(UserName="worker")["AccessKeyMetadata"]
    assert {found["AccessKeyId"] for found in listed} == {key["AccessKeyId"], second["AccessKeyId"]}
    assert refused(office.iam.delete_user, UserName="worker").code == "DeleteConflict"
    for one in (key, second):
        office.iam.delete_access_key(UserName="worker", AccessKeyId=one["AccessKeyId"])
        assert refused(office.client("sts", one).get_caller_identity).code == "InvalidClientTokenId"
    office.iam.delete_user(UserName="worker")


def test_whose_last_use_is_not_known_looks_like_no_key(office):
    unknown = "AKIA" + "A" * 16
    code, message, status = refused(office.iam.get_access_key_last_used, AccessKeyId=unknown)
    assert (code, status) == ("NoSuchEntity", 404) and unknown in message


def test_a_role_session_has_to_say_whose_key_it_means(office):
    for call in (office.iam.get_user, office.iam.create_access_key, office.iam.list_access_keys):
        code, message, status = refused(call)
        assert (code, status) == ("ValidationError", 400)
        assert message == "Must specify userName when calling with non-User credentials"


def test_keys_stop_working_at_once_when_the_policy_goes(office):
    office.user("guest")
    key = office.key("guest")
    credential = office.iam.create_service_specific_credential(UserName="guest", ServiceName=BEDROCK)
    bearer = {"Authorization": f"Bearer {credential['ServiceSpecificCredential']['ServiceCredentialSecret']}"}
    allow = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["bedrock:*", "bedrock-mantle:*"], "Resource": "*"}],
    }
    office.iam.put_user_policy(UserName="guest", PolicyName="models", PolicyDocument=json.dumps(allow))
    sts = office.client("sts", key)
    models = lambda: office.server.http(bearer).get("/v1/models").status_code  # noqa: E731
    sts.get_caller_identity()
    assert models() == 200
    office.iam.put_user_policy(UserName="guest", PolicyName="listing", PolicyDocument=json.dumps(ALLOW_LISTING))
    session = office.client("bedrock", sts.get_session_token()["Credentials"])
    session.list_foundation_models()
    try:
        office.shut_out()
        # What was made of a key before goes with it.
        assert refused(session.list_foundation_models).status == 403
        assert refused(sts.get_caller_identity).code == "InvalidClientTokenId"
        assert models() == 401
        assert refused(office.iam.create_access_key, UserName="guest").code == "AccessDenied"
        assert refused(office.iam.create_service_specific_credential, UserName="guest", ServiceName=BEDROCK).code == "AccessDenied"
    finally:
        office.let_in()
    sts.get_caller_identity()
    assert models() == 200
    identifier = credential["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    office.iam.delete_service_specific_credential(UserName="guest", ServiceSpecificCredentialId=identifier)
    assert models() == 401
    office.iam.delete_access_key(UserName="guest", AccessKeyId=key["AccessKeyId"])
    office.iam.delete_user_policy(UserName="guest", PolicyName="models")
    office.iam.delete_user_policy(UserName="guest", PolicyName="listing")
    office.iam.delete_user(UserName="guest")


def test_a_long_term_bearer_key_speaks_to_models(office):
    office.user("app")
    made = office.iam.create_service_specific_credential(UserName="app", ServiceName=BEDROCK, CredentialAgeDays=30)
    made = made["ServiceSpecificCredential"]
    assert made["ServiceSpecificCredentialId"].startswith("ACCA") and made["Status"] == "Active"
    assert made["ServiceCredentialSecret"].startswith("ABSK")
    assert made["ServiceCredentialAlias"].startswith("BedrockAPIKey-")
    assert (made["ExpirationDate"] - made["CreateDate"]).days == 30
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": "bedrock-mantle:CallWithBearerToken",
                "Resource": "*",
                "Condition": {"StringEquals": {"bedrock-mantle:bearerTokenType": "LONG_TERM"}},
            },
        ],
    }
    office.iam.put_user_policy(UserName="app", PolicyName="models", PolicyDocument=json.dumps(allow))
    with office.server.http({"Authorization": f"Bearer {made['ServiceCredentialSecret']}"}) as client:
        asked = {"model": MODEL, "input": "The capital of France is", "max_output_tokens": 4, "store": False}
        assert client.post("/v1/responses", json=asked).status_code == 200
        identifier = {"UserName": "app", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
        office.iam.update_service_specific_credential(**identifier, Status="Inactive")
        assert client.get("/v1/models").status_code == 401
        office.iam.update_service_specific_credential(**identifier, Status="Active")
        assert client.get("/v1/models").status_code == 200
        reset = office.iam.reset_service_specific_credential(**identifier)["ServiceSpecificCredential"]
        assert reset["ServiceCredentialSecret"] != made["ServiceCredentialSecret"]
        assert client.get("/v1/models").status_code == 401
    [listed] = office.iam.list_service_specific_credentials(UserName="app")["ServiceSpecificCredentials"]
    assert listed["ServiceCredentialAlias"] == reset["ServiceCredentialAlias"] and "ServiceCredentialSecret" not in listed
    [of_all] = office.iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]
    assert of_all == listed
    other = refused(office.iam.create_service_specific_credential, UserName="app", ServiceName="codecommit.amazonaws.com")
    assert (other.code, other.status) == ("NotSupportedService", 404)
    office.iam.delete_service_specific_credential(**identifier)
    office.iam.delete_user_policy(UserName="app", PolicyName="models")
    office.iam.delete_user(UserName="app")


def test_a_user_who_is_made_again_is_somebody_else(office):
    office.user("phoenix")
    office.iam.put_user_policy(UserName="phoenix", PolicyName="listing", PolicyDocument=json.dumps(ALLOW_LISTING))
    key = office.key("phoenix")
    office.client("sts", key).get_caller_identity()
    session = office.client("bedrock", office.client("sts", key).get_session_token()["Credentials"])
    session.list_foundation_models()
    office.iam.delete_access_key(UserName="phoenix", AccessKeyId=key["AccessKeyId"])
    office.iam.delete_user_policy(UserName="phoenix", PolicyName="listing")
    office.iam.delete_user(UserName="phoenix")
    office.user("phoenix")
    office.iam.put_user_policy(UserName="phoenix", PolicyName="listing", PolicyDocument=json.dumps(ALLOW_LISTING))
    assert refused(session.list_foundation_models).status == 403
    office.iam.delete_user_policy(UserName="phoenix", PolicyName="listing")
    office.iam.delete_user(UserName="phoenix")


def test_only_a_boundary_that_is_asked_for_may_be_given(office):
    """The delegation that AWS documents: whoever makes users must bound them."""
    boundary = "arn:aws:iam::aws:policy/AmazonBedrockReadOnly"
    delegate = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["iam:CreateUser", "iam:AttachUserPolicy", "iam:PutUserPolicy"],
                "Resource": "*",
                "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
            }
        ],
    }
    office.user("delegate")
    office.iam.put_user_policy(UserName="delegate", PolicyName="make", PolicyDocument=json.dumps(delegate))
    key = office.key("delegate")
    iam = office.client("iam", key)
    office.user("free")
    assert refused(iam.create_user, UserName="made").code == "AccessDenied"
    assert refused(iam.create_user, UserName="made", PermissionsBoundary=READ_ONLY).code == "AccessDenied"
    assert refused(iam.attach_user_policy, UserName="free", PolicyArn=READ_ONLY).code == "AccessDenied"
    iam.create_user(UserName="made", PermissionsBoundary=boundary)
    iam.attach_user_policy(UserName="made", PolicyArn=READ_ONLY)
    office.iam.detach_user_policy(UserName="made", PolicyArn=READ_ONLY)
    office.iam.delete_access_key(UserName="delegate", AccessKeyId=key["AccessKeyId"])
    office.iam.delete_user_policy(UserName="delegate", PolicyName="make")
    for name in ("made", "free", "delegate"):
        office.iam.delete_user(UserName=name)


def test_the_accounts_alias(office):
    office.iam.create_account_alias(AccountAlias="generative-ai")
    assert office.iam.list_account_aliases()["AccountAliases"] == ["generative-ai"]
    assert refused(office.iam.create_account_alias, AccountAlias="generative-ai").code == "EntityAlreadyExists"
    assert refused(office.iam.delete_account_alias, AccountAlias="another").code == "NoSuchEntity"
    office.iam.delete_account_alias(AccountAlias="generative-ai")
    assert office.iam.list_account_aliases()["AccountAliases"] == []


def test_the_command_line(office, tmp_path):
    def aws(*arguments):
        environment = office.server.aws_environment(tmp_path, office.server.credentials("Admin"))
        command = ["aws", "iam", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    assert aws("create-user", "--user-name", "typed", "--tags", "Key=a,Value=b")["User"]["UserName"] == "typed"
    key = aws("create-access-key", "--user-name", "typed")["AccessKey"]["AccessKeyId"]
    aws("update-access-key", "--user-name", "typed", "--access-key-id", key, "--status", "Inactive")
    assert aws("list-access-keys", "--user-name", "typed")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    assert aws("get-access-key-last-used", "--access-key-id", key)["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    aws("delete-access-key", "--user-name", "typed", "--access-key-id", key)
    aws("delete-user", "--user-name", "typed")


def test_it_is_said_loudly(make_moho):
    port = serving.free_port()
    options = ("--log-format", "json", "--metrics-listen", f"127.0.0.1:{port}")
    server = make_moho(models={}, arguments=options).start()
    page = lambda: httpx2.get(f"http://127.0.0.1:{port}/metrics").text  # noqa: E731
    assert "moho_long_lived_accounts 0\n" in page()
    assert 'moho_long_lived_credentials{kind="access-key"} 0\n' in page()
    assert "LONG-LIVED" not in server.log_text()
    office = Office(server)
    office.user("alice")
    office.key("alice")
    assert "the first long-lived credential was made" in server.log_text()
    assert "moho_long_lived_accounts 1\n" in page()
    assert 'moho_long_lived_credentials{kind="access-key"} 1\n' in page()
    doctor = [str(serving.binary()), "doctor", "--data", str(server.data), "--json"]
    findings = lambda: {  # noqa: E731
        found["check"]: found["level"]
        for found in json.loads(subprocess.run(doctor, capture_output=True, text=True, timeout=60).stdout)["findings"]
    }
    assert findings()["credentials"] == "warning"
    assert server.stop() == 0
    assert findings()["credentials"] == "warning"
    server.start()
    assert "LONG-LIVED CREDENTIALS work in" in server.log_text()
    Office.shut_out(office)
    assert findings()["credentials"] == "note"
