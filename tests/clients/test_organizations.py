"""AWS Organizations with boto3 and the AWS CLI: accounts, units, policies; and that they bind at once.

The server is this file's own, since what binds accounts would bind those of other tests.
"""

import json
import re
import subprocess

import httpx2
import pytest
from botocore.exceptions import ClientError

import bedrock
import observing
import serving
from serving import MODEL, Credentials, Moho
from signing import signed_headers

ACCESS_ROLE = "OrganizationAccountAccessRole"
DENY_BEDROCK = {"Effect": "Deny", "Action": "bedrock:*", "Resource": "*"}


def document(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    arguments = ("--metrics-listen", "127.0.0.1:0")
    server = Moho(tmp_path_factory.mktemp("office") / "data", models={MODEL: serving.model_file()}, arguments=arguments)
    try:
        yield server.start()
        server.assert_unharmed()
    finally:
        server.end()


@pytest.fixture(scope="module")
def organizations(office):
    return office.boto3("organizations", "Admin")


@pytest.fixture(scope="module")
def root(organizations):
    return organizations.list_roots()["Roots"][0]["Id"]


def refused(call, code, reason=None, **arguments):
    """What a refusal says."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    assert answer["Error"]["Code"] == code, answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    if reason:
        assert answer["Reason"] == reason, answer
    return answer["Error"]["Message"]


def create_account(organizations, name, **options):
    status = organizations.create_account(AccountName=name, Email=f"{name}@example.org", **options)["CreateAccountStatus"]
    assert organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"] == status
    assert (status["State"], status["AccountName"]) == ("SUCCEEDED", name)
    return status["AccountId"]


def within(office, account, role=ACCESS_ROLE, credentials=None) -> Credentials:
    """Credentials of a role of another account, as its administrators get them."""
    sts = bedrock.client(office, "sts", credentials=credentials or office.credentials("Admin"))
    found = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="visiting")["Credentials"]
    return Credentials.of_sts(found, office.credentials().region)


def create_policy(organizations, name, content, kind="SERVICE_CONTROL_POLICY"):
    made = organizations.create_policy(Name=name, Type=kind, Description=f"about {name}", Content=content)["Policy"]
    assert made["Content"] == content and made["PolicySummary"]["Name"] == name
    return made["PolicySummary"]["Id"]


def mantle(office, credentials, method, path, body=None):
    """A call of the OpenAI surface, signed with a session's credentials."""
    sent = json.dumps(body).encode() if body is not None else b""
    headers = signed_headers(office, path, sent, "bedrock-mantle", credentials=credentials, method=method)
    return office.http(headers).request(method, path, content=sent)


def ask(office, credentials):
    body = {"model": MODEL, "input": "Say yes.", "max_output_tokens": 16}
    return mantle(office, credentials, "POST", "/v1/responses", body)


def test_the_organization_is_there_from_the_start(office, organizations, root):
    found = organizations.describe_organization()["Organization"]
    own = office.boto3("sts").get_caller_identity()["Account"]
    assert found["FeatureSet"] == "ALL" and found["MasterAccountId"] == own
    assert found["Arn"] == f"arn:aws:organizations::{own}:organization/{found['Id']}"
    types = [kind["Type"] for kind in found["AvailablePolicyTypes"]]
    assert {"SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"} <= set(types)
    refused(organizations.create_organization, "AlreadyInOrganizationException", FeatureSet="ALL")
    account = organizations.describe_account(AccountId=own)["Account"]
    assert (account["Status"], account["State"], account["JoinedMethod"]) == ("ACTIVE", "ACTIVE", "INVITED")
    assert account["Paths"] == [f"{found['Id']}/{root}/{own}/"]
    attached = organizations.list_policies_for_target(TargetId=root, Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert [(policy["Id"], policy["AwsManaged"]) for policy in attached] == [("p-FullAWSAccess", True)]
    assert attached[0]["Arn"] == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    whole = organizations.describe_policy(PolicyId="p-RCPFullAWSAccess")["Policy"]
    assert json.loads(whole["Content"])["Statement"][0]["Principal"] == "*"


def test_accounts_are_created_listed_in_pages_and_closed(office, organizations, root):
    account = create_account(organizations, "log-archive", Tags=[{"Key": "purpose", "Value": "logs"}])
    assert account.isdigit() and len(account) == 12
    described = organizations.describe_account(AccountId=account)["Account"]
    assert (described["Name"], described["Email"], described["JoinedMethod"]) == ("log-archive", "log-archive@example.org", "CREATED")
    assert organizations.list_tags_for_resource(ResourceId=account)["Tags"] == [{"Key": "purpose", "Value": "logs"}]
    assert organizations.list_parents(ChildId=account)["Parents"] == [{"Id": root, "Type": "ROOT"}]
    again = organizations.create_account(AccountName="again", Email="LOG-archive@example.org")["CreateAccountStatus"]
    assert (again["State"], again["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    pages = list(organizations.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1}))
    assert len(pages) >= 2 and all(len(page["Accounts"]) == 1 for page in pages)
    listed = {found["Id"] for page in pages for found in page["Accounts"]}
    in_root = organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=root).build_full_result()["Accounts"]
    children = organizations.list_children(ParentId=root, ChildType="ACCOUNT")["Children"]
    assert listed == {found["Id"] for found in in_root} == {found["Id"] for found in children}
    token = organizations.list_accounts(MaxResults=1)["NextToken"]
    refused(organizations.list_roots, "InvalidInputException", "INVALID_NEXT_TOKEN", NextToken=token)
    credentials = within(office, account)
    organizations.close_account(AccountId=account)
    assert organizations.describe_account(AccountId=account)["Account"]["Status"] == "SUSPENDED"
    refused(organizations.close_account, "AccountAlreadyClosedException", AccountId=account)
    with pytest.raises(ClientError) as raised:
        bedrock.client(office, "bedrock", credentials=credentials).list_foundation_models()
    assert raised.value.response["Error"]["Code"] == "AccessDeniedException"
    with pytest.raises(ClientError) as raised:
        within(office, account)
    assert raised.value.response["Error"]["Code"] == "AccessDenied"
    own = organizations.describe_organization()["Organization"]["MasterAccountId"]
    refused(organizations.close_account, "ConstraintViolationException", "CANNOT_CLOSE_MANAGEMENT_ACCOUNT", AccountId=own)


def test_units_are_a_tree(organizations, root):
    def create(parent, name):
        return organizations.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"]

    workloads = create(root, "workloads")
    refused(organizations.create_organizational_unit, "DuplicateOrganizationalUnitException", ParentId=root, Name="workloads")
    inner = create(workloads, "generative-ai")
    described = organizations.describe_organizational_unit(OrganizationalUnitId=inner)["OrganizationalUnit"]
    organization = organizations.describe_organization()["Organization"]["Id"]
    assert described["Path"] == f"{organization}/{root}/{workloads}/{inner}/"
    renamed = organizations.update_organizational_unit(OrganizationalUnitId=inner, Name="models")["OrganizationalUnit"]
    assert renamed["Name"] == "models" and renamed["Id"] == inner
    listed = organizations.list_organizational_units_for_parent(ParentId=workloads)["OrganizationalUnits"]
    assert [unit["Id"] for unit in listed] == [inner]
    assert organizations.list_parents(ChildId=inner)["Parents"] == [{"Id": workloads, "Type": "ORGANIZATIONAL_UNIT"}]
    refused(organizations.delete_organizational_unit, "OrganizationalUnitNotEmptyException", OrganizationalUnitId=workloads)
    account = create_account(organizations, "moved-about")
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=inner)
    assert organizations.list_parents(ChildId=account)["Parents"][0]["Id"] == inner
    move = organizations.move_account
    refused(move, "SourceParentNotFoundException", AccountId=account, SourceParentId=root, DestinationParentId=workloads)
    refused(move, "DuplicateAccountException", AccountId=account, SourceParentId=inner, DestinationParentId=inner)
    nowhere = f"ou-{root[2:]}-00000000"
    refused(move, "DestinationParentNotFoundException", AccountId=account, SourceParentId=inner, DestinationParentId=nowhere)
    refused(move, "AccountNotFoundException", AccountId="000000000000", SourceParentId=root, DestinationParentId=inner)
    organizations.move_account(AccountId=account, SourceParentId=inner, DestinationParentId=root)
    organizations.delete_organizational_unit(OrganizationalUnitId=inner)
    refused(organizations.describe_organizational_unit, "OrganizationalUnitNotFoundException", OrganizationalUnitId=inner)
    deep = workloads
    for depth in range(4):
        deep = create(deep, f"deep-{depth}")
    refused(organizations.create_organizational_unit, "ConstraintViolationException", "OU_DEPTH_LIMIT_EXCEEDED", ParentId=deep, Name="deeper")


def test_policies_are_written_attached_and_detached(organizations, root):
    deny = create_policy(organizations, "no models", document(DENY_BEDROCK))
    unit = organizations.create_organizational_unit(ParentId=root, Name="policies")["OrganizationalUnit"]["Id"]
    refused(organizations.create_policy, "DuplicatePolicyException", Name="no models", Type="SERVICE_CONTROL_POLICY", Description="", Content=document(DENY_BEDROCK))
    organizations.attach_policy(PolicyId=deny, TargetId=unit)
    refused(organizations.attach_policy, "DuplicatePolicyAttachmentException", PolicyId=deny, TargetId=unit)
    targets = organizations.list_targets_for_policy(PolicyId=deny)["Targets"]
    assert [(target["TargetId"], target["Name"], target["Type"]) for target in targets] == [(unit, "policies", "ORGANIZATIONAL_UNIT")]
    refused(organizations.delete_policy, "PolicyInUseException", PolicyId=deny)
    organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    told = refused(organizations.detach_policy, "ConstraintViolationException", "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", PolicyId=deny, TargetId=unit)
    assert told.startswith("You cannot remove the last policy attached to the specified target.")
    organizations.attach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    organizations.detach_policy(PolicyId=deny, TargetId=unit)
    refused(organizations.detach_policy, "PolicyNotAttachedException", PolicyId=deny, TargetId=unit)
    updated = organizations.update_policy(PolicyId=deny, Name="fewer models")["Policy"]
    assert updated["PolicySummary"]["Name"] == "fewer models" and updated["Content"] == document(DENY_BEDROCK)
    listed = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert {"p-FullAWSAccess", deny} <= {policy["Id"] for policy in listed}
    refused(organizations.update_policy, "InvalidInputException", "IMMUTABLE_POLICY", PolicyId="p-FullAWSAccess", Name="x")
    refused(organizations.detach_policy, "InvalidInputException", "NON_DETACHABLE_POLICY", PolicyId="p-RCPFullAWSAccess", TargetId=unit)
    organizations.delete_policy(PolicyId=deny)
    refused(organizations.describe_policy, "PolicyNotFoundException", PolicyId=deny)
    for kind, content in [
        ("SERVICE_CONTROL_POLICY", "{"),
        ("SERVICE_CONTROL_POLICY", document({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})),
        ("RESOURCE_CONTROL_POLICY", document({"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Resource": "*"})),
        ("TAG_POLICY", document(DENY_BEDROCK)),
    ]:
        refused(organizations.create_policy, "MalformedPolicyDocumentException", Name="bad", Type=kind, Description="", Content=content)
    long = document(*[DENY_BEDROCK | {"Sid": f"S{n}"} for n in range(200)])
    refused(organizations.create_policy, "ConstraintViolationException", "POLICY_CONTENT_LIMIT_EXCEEDED", Name="long", Type="SERVICE_CONTROL_POLICY", Description="", Content=long)
    refused(organizations.create_policy, "PolicyTypeNotAvailableForOrganizationException", Name="x", Type="BACKUP_POLICY", Description="", Content="{}")


def test_management_policies_come_to_one(office, organizations, root):
    account = create_account(organizations, "tagged")
    kind = "AISERVICES_OPT_OUT_POLICY"
    refused(organizations.describe_effective_policy, "EffectivePolicyNotFoundException", PolicyType=kind, TargetId=account)
    opt_out = {"services": {"default": {"@@operators_allowed_for_child_policies": ["@@none"], "opt_out_policy": {"@@assign": "optOut"}}}}
    opt_in = {"services": {"default": {"opt_out_policy": {"@@assign": "optIn"}}, "bedrock": {"opt_out_policy": {"@@assign": "optIn"}}}}
    whole = create_policy(organizations, "opt out", json.dumps(opt_out), kind)
    refused(organizations.attach_policy, "PolicyTypeNotEnabledException", PolicyId=whole, TargetId=root)
    enabled = organizations.enable_policy_type(RootId=root, PolicyType=kind)["Root"]
    assert {"Type": kind, "Status": "ENABLED"} in enabled["PolicyTypes"]
    refused(organizations.enable_policy_type, "PolicyTypeAlreadyEnabledException", RootId=root, PolicyType=kind)
    organizations.attach_policy(PolicyId=whole, TargetId=root)
    organizations.attach_policy(PolicyId=create_policy(organizations, "opt in", json.dumps(opt_in), kind), TargetId=account)
    found = organizations.describe_effective_policy(PolicyType=kind, TargetId=account)["EffectivePolicy"]
    expected = {"services": {"default": {"opt_out_policy": "optOut"}, "bedrock": {"opt_out_policy": "optIn"}}}
    assert json.loads(found["PolicyContent"]) == expected and found["TargetId"] == account
    # An account may ask what binds itself, and nothing of others.
    member = bedrock.client(office, "organizations", credentials=within(office, account))
    assert json.loads(member.describe_effective_policy(PolicyType=kind)["EffectivePolicy"]["PolicyContent"]) == expected
    refused(member.describe_effective_policy, "AccessDeniedException", PolicyType=kind, TargetId=root)
    organizations.disable_policy_type(RootId=root, PolicyType=kind)
    refused(organizations.describe_effective_policy, "EffectivePolicyNotFoundException", PolicyType=kind, TargetId=account)


def test_only_the_management_account_administers(office, organizations, root):
    account = create_account(organizations, "member")
    member = bedrock.client(office, "organizations", credentials=within(office, account))
    own = organizations.describe_organization()["Organization"]
    assert member.describe_organization()["Organization"] == own
    for call, arguments in [
        (member.list_accounts, {}),
        (member.list_roots, {}),
        (member.create_account, {"AccountName": "mine", "Email": "mine@example.org"}),
        (member.describe_account, {"AccountId": account}),
        (member.describe_account, {"AccountId": "000000000000"}),
        (member.describe_policy, {"PolicyId": "p-FullAWSAccess"}),
        (member.list_targets_for_policy, {"PolicyId": "p-FullAWSAccess"}),
        (member.attach_policy, {"PolicyId": "p-FullAWSAccess", "TargetId": account}),
        (member.create_policy, {"Name": "x", "Type": "SERVICE_CONTROL_POLICY", "Description": "", "Content": document(DENY_BEDROCK)}),
        (member.detach_policy, {"PolicyId": "p-s00000000000", "TargetId": account}),
        (member.move_account, {"AccountId": account, "SourceParentId": root, "DestinationParentId": root}),
        (member.tag_resource, {"ResourceId": account, "Tags": [{"Key": "a", "Value": "b"}]}),
        (member.close_account, {"AccountId": own["MasterAccountId"]}),
    ]:
        assert refused(call, "AccessDeniedException", **arguments) == "You don't have permissions to access this resource."
    developer = office.boto3("organizations", "Developer")
    refused(developer.list_accounts, "AccessDeniedException")
    refused(developer.describe_organization, "AccessDeniedException")


def agree(office, credentials):
    """Accepts the model's agreement for an account, as its administrator does."""
    control = bedrock.client(office, "bedrock", credentials=credentials)
    [offer] = control.list_foundation_model_agreement_offers(modelId=MODEL)["offers"]
    control.create_foundation_model_agreement(modelId=MODEL, offerToken=offer["offerToken"])


def test_accounts_do_not_share_what_they_store(office, organizations):
    account = create_account(organizations, "neighbour")
    own, foreign = office.credentials("Admin"), within(office, account)
    # The role may do everything in its account, but the account has not agreed to use the model.
    assert ask(office, foreign).status_code == 403
    agree(office, foreign)
    stored = {}
    for credentials in (own, foreign):
        answer = ask(office, credentials)
        assert answer.status_code == 200, answer.text
        stored[credentials.access_key_id] = answer.json()["id"]
    for reader in (own, foreign):
        for owner, response in stored.items():
            found = mantle(office, reader, "GET", f"/v1/responses/{response}")
            if owner == reader.access_key_id:
                assert found.status_code == 200, found.text
                continue
            absent = mantle(office, reader, "GET", f"/v1/responses/resp_{'0' * 48}")
            assert found.status_code == absent.status_code == 404
            assert found.json()["error"]["code"] == absent.json()["error"]["code"]
            for method, path in [("DELETE", ""), ("GET", "/input_items")]:
                assert mantle(office, reader, method, f"/v1/responses/{response}{path}").status_code == 404
            body = {"model": MODEL, "input": "And?", "previous_response_id": response, "max_output_tokens": 16}
            assert mantle(office, reader, "POST", "/v1/responses", body).status_code == 400
    # Each account's entries in the journal name its own key.
    found = b"".join(file.read_bytes() for file in sorted((office.data / "journal").iterdir()))
    keys = set(re.findall(rb"arn:aws:kms:[a-z0-9-]+:(\d{12}):key/([0-9a-f-]{36})", found))
    accounts = [key_account.decode() for key_account, _ in keys]
    assert account in accounts and len(accounts) == len(set(accounts)), keys


def lists_models(office, credentials):
    try:
        bedrock.client(office, "bedrock", credentials=credentials).list_foundation_models()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException", error.response
        return False
    return True


def test_a_service_control_policy_bites_at_once(office, organizations, root):
    account = create_account(organizations, "bound")
    unit = organizations.create_organizational_unit(ParentId=root, Name="bound")["OrganizationalUnit"]["Id"]
    credentials = within(office, account)
    assert lists_models(office, credentials)
    deny = create_policy(organizations, "bites", document(DENY_BEDROCK))
    organizations.attach_policy(PolicyId=deny, TargetId=unit)
    assert lists_models(office, credentials)
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    assert not lists_models(office, credentials), "the unit binds what moves into it"
    organizations.update_policy(PolicyId=deny, Content=document(DENY_BEDROCK | {"Action": "s3:*"}))
    assert lists_models(office, credentials), "a new text counts at once"
    organizations.update_policy(PolicyId=deny, Content=document(DENY_BEDROCK))
    assert not lists_models(office, credentials)
    organizations.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=root)
    assert lists_models(office, credentials)
    # Without anything that allows, nothing is allowed; and nothing of this binds the management account.
    allow = create_policy(organizations, "only keys", document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))
    organizations.attach_policy(PolicyId=allow, TargetId=account)
    organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=account)
    assert not lists_models(office, credentials)
    management = organizations.describe_organization()["Organization"]["MasterAccountId"]
    organizations.attach_policy(PolicyId=deny, TargetId=management)
    assert lists_models(office, office.credentials("Admin"))
    organizations.detach_policy(PolicyId=deny, TargetId=management)
    organizations.attach_policy(PolicyId="p-FullAWSAccess", TargetId=account)
    assert lists_models(office, credentials)


def test_a_resource_control_policy_bites_at_once(office, organizations):
    account = create_account(organizations, "guarded")
    credentials = within(office, account)
    assume = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::*:role/{ACCESS_ROLE}"}
    guard = create_policy(organizations, "guard", document(assume), "RESOURCE_CONTROL_POLICY")
    organizations.attach_policy(PolicyId=guard, TargetId=account)
    with pytest.raises(ClientError) as raised:
        within(office, account)
    assert raised.value.response["Error"]["Code"] == "AccessDenied"
    keys = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    organizations.update_policy(PolicyId=guard, Content=document(keys))
    within(office, account)
    path = f"/v1/responses/resp_{'0' * 48}"
    assert mantle(office, credentials, "GET", path).status_code == 403, "reading takes the account's key"
    organizations.detach_policy(PolicyId=guard, TargetId=account)
    assert mantle(office, credentials, "GET", path).status_code == 404


def test_tags(office, organizations, root):
    put = organizations.tag_resource
    put(ResourceId=root, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    put(ResourceId=root, Tags=[{"Key": "a", "Value": "2"}])
    assert organizations.list_tags_for_resource(ResourceId=root)["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    organizations.untag_resource(ResourceId=root, TagKeys=["a", "c"])
    assert organizations.list_tags_for_resource(ResourceId=root)["Tags"] == [{"Key": "b", "Value": ""}]
    refused(put, "InvalidInputException", "DUPLICATE_TAG_KEY", ResourceId=root, Tags=[{"Key": "k", "Value": ""}] * 2)
    refused(put, "InvalidInputException", "INVALID_SYSTEM_TAGS_PARAMETER", ResourceId=root, Tags=[{"Key": "aws:x", "Value": ""}])
    refused(put, "ConstraintViolationException", "MAX_TAG_LIMIT_EXCEEDED", ResourceId=root, Tags=[{"Key": str(n), "Value": ""} for n in range(51)])
    refused(put, "InvalidInputException", "INVALID_PATTERN", ResourceId=root, Tags=[{"Key": "a%", "Value": ""}])
    refused(organizations.list_tags_for_resource, "TargetNotFoundException", ResourceId="p-FullAWSAccess")
    only_tagged = {"Effect": "Allow", "Action": "organizations:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/b": ""}}}
    narrowed = bedrock.client(office, "organizations", credentials=bedrock.narrowed(office, only_tagged, role="Admin"))
    assert narrowed.list_tags_for_resource(ResourceId=root)["Tags"]
    refused(narrowed.list_roots, "AccessDeniedException")


def test_long_lived_credentials_are_let_in_by_name_and_loudly(office, organizations):
    account = create_account(organizations, "old-fashioned")
    allow = {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}
    policy = create_policy(organizations, "let keys in", document(allow))
    assert "LONG-LIVED" not in office.log_text()
    organizations.attach_policy(PolicyId=policy, TargetId=account)
    lines = [line for line in office.log_text().splitlines() if "LONG-LIVED" in line]
    assert len(lines) == 1 and account in lines[0]
    command = [str(serving.binary()), "doctor", "--data", str(office.data), "--json"]
    findings = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout)["findings"]
    found = next(finding for finding in findings if finding["check"] == "credentials")
    assert found["level"] == "warning" and account in found["what"]
    gauge = "moho_long_lived_accounts"
    assert observing.value(office, gauge) == 1
    organizations.detach_policy(PolicyId=policy, TargetId=account)
    assert observing.samples(observing.scrape(office))[(gauge,)] == 0


def test_the_aws_cli(office, organizations, root, tmp_path):
    def aws(*arguments):
        environment = office.aws_environment(tmp_path, office.credentials("Admin"))
        command = ["aws", "organizations", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        return done

    described = aws("describe-organization")
    assert described.returncode == 0, described.stderr
    assert json.loads(described.stdout)["Organization"]["FeatureSet"] == "ALL"
    made = aws("create-account", "--email", "cli@example.org", "--account-name", "cli")
    assert json.loads(made.stdout)["CreateAccountStatus"]["State"] == "SUCCEEDED"
    listed = json.loads(aws("list-accounts").stdout)["Accounts"]
    assert "cli" in {account["Name"] for account in listed}
    refused = aws("describe-account", "--account-id", "000000000000")
    assert "An error occurred (AccountNotFoundException)" in refused.stderr
    assert aws("list-policies", "--filter", "SERVICE_CONTROL_POLICY").returncode == 0


def test_what_is_no_request_is_refused_in_the_services_words(office):
    def post(body, target="AWSOrganizationsV20161128.ListAccounts", kind="application/x-amz-json-1.1", credentials="Admin"):
        import botocore.auth
        from botocore.awsrequest import AWSRequest
        from signing import boto

        headers = {"Content-Type": kind} | ({"X-Amz-Target": target} if target else {})
        request = AWSRequest("POST", office.url + "/", headers=headers, data=body)
        if credentials:
            found = office.credentials(credentials)
            botocore.auth.SigV4Auth(boto(found), "organizations", found.region).add_auth(request)
        return office.http(dict(request.headers.items())).post("/", content=body)

    assert post(b"{}").status_code == 200
    for answer, code in [
        (post(b"{", ), "SerializationException"),
        (post(b"[]"), "SerializationException"),
        (post(b'{"MaxResults": "ten"}'), "SerializationException"),
        (post(b'{"MaxResults": 1, "MaxResults": 2}'), "SerializationException"),
        (post(b"[" * 100_000), "SerializationException"),
        (post(b'{"MaxResults": 21}'), "InvalidInputException"),
        (post(b"{}", "AWSOrganizationsV20161128.LeaveOrganization"), "UnknownOperationException"),
        (post(b"{}", "TrentService.ListKeys"), "UnknownOperationException"),
        (post(b"{}", None), "UnknownOperationException"),
        (post(b"{}", kind="application/x-amz-json-1.0"), "UnknownOperationException"),
        (post(b"{}", credentials=None), "MissingAuthenticationTokenException"),
    ]:
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"].startswith("application/x-amz-json-1.1")
        assert answer.json()["__type"] == code, answer.text
    with pytest.raises(httpx2.HTTPStatusError):
        post(b"{}", credentials="Developer").raise_for_status()
