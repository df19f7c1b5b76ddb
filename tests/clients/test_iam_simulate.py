"""Simulations, an account in detail, and when services were last used."""

import json

import pytest
from botocore.exceptions import ClientError
from iam_account import Account, policy, refused


@pytest.fixture(scope="module")
def account(moho):
    return Account(moho)


def decisions(answer):
    return {(one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in answer["EvaluationResults"]}


def test_what_custom_policies_would_decide(account):
    read = policy("s3:Get*", "arn:aws:s3:::a/*")
    deny = policy("s3:GetSecret", "*", "Deny")
    answer = account.iam.simulate_custom_policy(
        PolicyInputList=[read, deny],
        ActionNames=["s3:GetObject", "s3:GetSecret", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::a/x", "arn:aws:s3:::b/x"],
    )
    assert decisions(answer) == {
        ("s3:GetObject", "arn:aws:s3:::a/x"): "allowed",
        ("s3:GetObject", "arn:aws:s3:::b/x"): "implicitDeny",
        ("s3:GetSecret", "arn:aws:s3:::a/x"): "explicitDeny",
        ("s3:GetSecret", "arn:aws:s3:::b/x"): "explicitDeny",
        ("s3:PutObject", "arn:aws:s3:::a/x"): "implicitDeny",
        ("s3:PutObject", "arn:aws:s3:::b/x"): "implicitDeny",
    }
    first = answer["EvaluationResults"][0]
    [matched] = first["MatchedStatements"]
    assert matched["SourcePolicyId"] == "PolicyInputList.1"
    assert matched["StartPosition"]["Line"] == 1 and matched["EndPosition"]["Column"] > matched["StartPosition"]["Column"]
    specific = first["ResourceSpecificResults"][0]
    assert specific["EvalResourceDecision"] == "allowed" and specific["EvalResourceName"] == "arn:aws:s3:::a/x"


def test_missing_context_is_named_and_given_context_counts(account):
    asking = policy("s3:GetObject", Condition={"StringEquals": {"aws:PrincipalTag/Team": "blue"}})

    def result(**more):
        return account.iam.simulate_custom_policy(PolicyInputList=[asking], ActionNames=["s3:GetObject"], **more)["EvaluationResults"][0]

    without = result()
    assert without["EvalDecision"] == "implicitDeny" and without["MissingContextValues"] == ["aws:PrincipalTag/Team"]
    entry = {"ContextKeyName": "aws:PrincipalTag/Team", "ContextKeyValues": ["blue"], "ContextKeyType": "string"}
    given = result(ContextEntries=[entry])
    assert given["EvalDecision"] == "allowed" and given["MissingContextValues"] == []
    keys = account.iam.get_context_keys_for_custom_policy(PolicyInputList=[asking, policy(Resource="arn:aws:s3:::${aws:username}/*")])
    assert keys["ContextKeyNames"] == ["aws:PrincipalTag/Team", "aws:username"]


def test_boundaries_and_organization_policies_are_told_apart(account):
    result = account.iam.simulate_custom_policy(
        PolicyInputList=[policy()],
        PermissionsBoundaryPolicyInputList=[policy("s3:*")],
        OrderedOrganizationPolicyInputList=[{"ServiceControlPolicyInputList": [policy("kms:*")]}],
        ActionNames=["s3:GetObject", "kms:Decrypt"],
    )["EvaluationResults"]
    told = [
        (one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"], one["OrganizationsDecisionDetail"]["AllowedByOrganizations"])
        for one in result
    ]
    assert told == [(True, False), (False, True)]
    assert {one["EvalDecision"] for one in result} == {"implicitDeny"}


def test_what_a_role_may(account):
    shared = account.policy(policy("kms:*"))["Arn"]
    role = account.role("simulated", PermissionsBoundary=account.policy(policy(["kms:Decrypt", "iam:GetRole"]))["Arn"])
    name = role["RoleName"]
    account.iam.attach_role_policy(RoleName=name, PolicyArn=shared)
    account.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy("iam:GetRole"))
    actions = ["kms:Decrypt", "kms:Encrypt", "iam:GetRole"]
    answer = account.iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=actions)
    assert decisions(answer) == {("kms:Decrypt", "*"): "allowed", ("kms:Encrypt", "*"): "implicitDeny", ("iam:GetRole", "*"): "allowed"}
    sources = [(one["MatchedStatements"] or [{}])[0].get("SourcePolicyId") for one in answer["EvaluationResults"]]
    assert sources == [shared.rsplit("/", 1)[1], None, "inline"]
    more = account.iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=actions, PolicyInputList=[policy("kms:Decrypt", "*", "Deny")])
    assert decisions(more)["kms:Decrypt", "*"] == "explicitDeny"
    # It decides as it is decided.
    caller = account.client("iam", account.session(role["Arn"]))
    caller.get_role(RoleName=name)
    refused("AccessDenied", caller.list_roles)

    account.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy("iam:GetRole", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    keys = account.iam.get_context_keys_for_principal_policy(PolicySourceArn=role["Arn"])["ContextKeyNames"]
    assert keys == ["aws:SecureTransport"]
    refused("NoSuchEntity", account.iam.simulate_principal_policy, PolicySourceArn=account.arn("role/nobody"), ActionNames=["iam:GetRole"])


def test_a_resources_policy_takes_part(account):
    role = account.role("resourceful")
    bucket = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}],
        }
    )
    answer = account.iam.simulate_principal_policy(
        PolicySourceArn=role["Arn"], ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::a/x"], ResourcePolicy=bucket, ResourceOwner=account.arn("root")
    )
    assert decisions(answer) == {("s3:GetObject", "arn:aws:s3:::a/x"): "allowed"}
    refused(
        "InvalidInput", account.iam.simulate_custom_policy, PolicyInputList=[policy()], ActionNames=["s3:GetObject"], ResourcePolicy="{}"
    )
    # A resource's policy is about who asks: without a caller its denials would be overlooked.
    refused("InvalidInput", account.iam.simulate_custom_policy, PolicyInputList=[policy()], ActionNames=["s3:GetObject"], ResourcePolicy=bucket)


def test_simulations_are_paged_and_bounded(account):
    actions = [f"s3:Get{number}" for number in range(7)]
    pages = account.iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[policy()], ActionNames=actions, PaginationConfig={"PageSize": 3}
    )
    sizes = [[one["EvalActionName"] for one in page["EvaluationResults"]] for page in pages]
    assert [len(size) for size in sizes] == [3, 3, 1] and sum(sizes, []) == actions
    for bad in ["s3x", "s3:*", ":xx", "s3:Get Object"]:
        refused("InvalidInput", account.iam.simulate_custom_policy, PolicyInputList=[policy()], ActionNames=[bad])
    refused("InvalidInput", account.iam.simulate_custom_policy, PolicyInputList=["{}"], ActionNames=["s3:GetObject"])
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    many = json.dumps({"Version": "2012-10-17", "Statement": [deny] * 125}, separators=(",", ":"))
    refused(
        "InvalidInput",
        account.iam.simulate_custom_policy,
        PolicyInputList=[many] * 15,
        ActionNames=[f"s3:Get{number}" for number in range(1000)],
        MaxItems=1000,
    )


def test_nobody_simulates_without_leave(account):
    nobody = account.allowed(policy("iam:ListRoles"))
    role = account.role()["Arn"]
    refused("AccessDenied", nobody.simulate_custom_policy, PolicyInputList=[policy()], ActionNames=["s3:GetObject"])
    absent = refused("AccessDenied", nobody.simulate_principal_policy, PolicySourceArn=account.arn("role/none"), ActionNames=["s3:GetObject"])
    there = refused("AccessDenied", nobody.simulate_principal_policy, PolicySourceArn=role, ActionNames=["s3:GetObject"])
    assert absent.replace("role/none", "X").split(" Encoded")[0] == there.replace(role.split(":")[-1], "X").split(" Encoded")[0]


def test_an_account_in_detail(account):
    policy_arn = account.policy(policy("kms:*"))["Arn"]
    account.iam.create_policy_version(PolicyArn=policy_arn, PolicyDocument=policy("s3:*"), SetAsDefault=True)
    role = account.role("detailed", Tags=[{"Key": "a", "Value": "b"}])
    account.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=policy_arn)
    account.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/SecurityAudit")
    account.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="inline", PolicyDocument=policy())
    pages = list(account.iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 5}))
    roles = {one["RoleName"]: one for page in pages for one in page["RoleDetailList"]}
    policies = {one["Arn"]: one for page in pages for one in page["Policies"]}
    assert {"Admin", "Developer", role["RoleName"]} <= roles.keys()
    mine = roles[role["RoleName"]]
    assert mine["RoleId"] == role["RoleId"] and mine["Tags"] == [{"Key": "a", "Value": "b"}]
    assert mine["RolePolicyList"] == [{"PolicyName": "inline", "PolicyDocument": json.loads(policy())}]
    assert {one["PolicyArn"] for one in mine["AttachedManagedPolicies"]} == {policy_arn, "arn:aws:iam::aws:policy/SecurityAudit"}
    assert [version["VersionId"] for version in policies[policy_arn]["PolicyVersionList"]] == ["v2", "v1"]
    assert policies[policy_arn]["PolicyVersionList"][0]["Document"] == json.loads(policy("s3:*"))
    assert "arn:aws:iam::aws:policy/SecurityAudit" in policies
    assert all(len(page["RoleDetailList"]) + len(page["Policies"]) + len(page["UserDetailList"]) + len(page["GroupDetailList"]) <= 5 for page in pages)
    assert account.moho.credentials("Admin") and roles["Admin"]["RoleLastUsed"]["LastUsedDate"]
    only = account.iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
    assert only["Policies"] and not only["RoleDetailList"]


def test_an_account_in_numbers(account):
    before = account.iam.get_account_summary()["SummaryMap"]
    account.role()
    account.policy()
    after = account.iam.get_account_summary()["SummaryMap"]
    assert (after["Roles"], after["Policies"]) == (before["Roles"] + 1, before["Policies"] + 1)
    assert after["VersionsPerPolicyQuota"] == 5 and after["AttachedPoliciesPerRoleQuota"] == 10 and after["AccountMFAEnabled"] == 0


def test_when_services_were_last_used(account):
    role = account.role("historic")
    account.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="may", PolicyDocument=policy(["iam:GetRole", "kms:Decrypt"]))
    account.client("iam", account.session(role["Arn"])).get_role(RoleName=role["RoleName"])

    def services(arn):
        job = account.iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
        answer = account.iam.get_service_last_accessed_details(JobId=job)
        assert answer["JobStatus"] == "COMPLETED"
        return {one["ServiceNamespace"]: one for one in answer["ServicesLastAccessed"]}

    found = services(role["Arn"])
    # What it may use is listed, what it used has a time; it may nothing else.
    assert found.keys() == {"iam", "kms"}
    assert found["iam"]["LastAuthenticatedEntity"] == role["Arn"] and found["iam"]["TotalAuthenticatedEntities"] == 1
    assert "LastAuthenticated" not in found["kms"] and found["kms"]["TotalAuthenticatedEntities"] == 0
    shared = account.policy(policy("sts:*"))["Arn"]
    assert services(shared)["sts"]["TotalAuthenticatedEntities"] == 0
    account.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=shared)
    assert services(shared)["iam"]["LastAuthenticatedEntity"] == role["Arn"]
    refused("NoSuchEntity", account.iam.generate_service_last_accessed_details, Arn=account.arn("role/nobody"))
    refused("NoSuchEntity", account.iam.get_service_last_accessed_details, JobId="0" * 36)


def test_last_use_survives_a_kill(make_moho):
    server = make_moho(models={}).start()
    account = Account(server)
    role = account.role("killed")
    account.client("iam", account.session(role["Arn"]))
    with pytest.raises(ClientError):
        account.client("iam", account.session(role["Arn"])).list_roles()
    used = account.iam.get_role(RoleName=role["RoleName"])["Role"]["RoleLastUsed"]["LastUsedDate"]
    server.kill()
    server.start()
    again = Account(server).iam.get_role(RoleName=role["RoleName"])["Role"]
    assert again["RoleLastUsed"]["LastUsedDate"] == used and again["RoleId"] == role["RoleId"]
