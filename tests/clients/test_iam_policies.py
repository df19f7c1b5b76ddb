"""Managed policies through boto3: the account's own with their versions, and AWS's, which nobody changes."""

import json

import pytest
from iam_account import Account, named, policy, refused

AWS_BEDROCK = [
    "AmazonBedrockFullAccess",
    "AmazonBedrockReadOnly",
    "AmazonBedrockLimitedAccess",
    "AmazonBedrockMantleFullAccess",
    "AmazonBedrockMantleReadOnly",
    "AmazonBedrockMantleInferenceAccess",
]


@pytest.fixture(scope="module")
def account(moho):
    return Account(moho)


def test_a_policy_is_made_found_and_deleted(account):
    name = named("Readers")
    words = policy("s3:Get*", "arn:aws:s3:::shared/*", Sid="Read")
    made = account.iam.create_policy(
        PolicyName=name, Path="/data/", PolicyDocument=words, Description="what readers may", Tags=[{"Key": "Team", "Value": "blue"}]
    )["Policy"]
    arn = made["Arn"]
    assert arn == account.arn(f"policy/data/{name}")
    assert made["PolicyId"].startswith("ANPA") and made["DefaultVersionId"] == "v1" and made["AttachmentCount"] == 0
    assert account.iam.get_policy(PolicyArn=arn)["Policy"] == made
    version = account.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(words) and version["IsDefaultVersion"]
    refused("EntityAlreadyExists", account.iam.create_policy, PolicyName=name.upper(), PolicyDocument=words)
    listed = account.iam.list_policies(Scope="Local", PathPrefix="/data/")["Policies"]
    assert [one["Arn"] for one in listed] == [arn]

    account.iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "Cost", "Value": "1"}])
    account.iam.untag_policy(PolicyArn=arn, TagKeys=["team"])
    assert account.iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "Cost", "Value": "1"}]
    account.iam.delete_policy(PolicyArn=arn)
    assert refused("NoSuchEntity", account.iam.get_policy, PolicyArn=arn) == f"Policy {arn} was not found."


def test_what_cannot_be_a_policy(account):
    create = account.iam.create_policy
    refused("MalformedPolicyDocument", create, PolicyName=named("p"), PolicyDocument="not JSON")
    refused("MalformedPolicyDocument", create, PolicyName=named("p"), PolicyDocument='{"Version":"2012-10-17","Statement":[],"Statement":[]}')
    refused("MalformedPolicyDocument", create, PolicyName=named("p"), PolicyDocument=account.own())
    long = policy("s3:GetObject", [f"arn:aws:s3:::{'b' * 60}{number:03}/*" for number in range(100)])
    assert refused("LimitExceeded", create, PolicyName=named("p"), PolicyDocument=long) == "Cannot exceed quota for PolicySize: 6144"
    refused("ValidationError", create, PolicyName="no such name", PolicyDocument=policy())
    refused("InvalidInput", account.iam.get_policy, PolicyArn="arn:aws:s3:::not-a-policy-at-all")


def test_a_new_version_holds_at_once(account):
    arn = account.policy(policy("iam:ListRoles"))["Arn"]
    role = account.role()
    account.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
    caller = account.client("iam", account.session(role["Arn"]))
    caller.list_roles(MaxItems=1)
    refused("AccessDenied", caller.list_policies)
    made = account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy("iam:ListPolicies"), SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v2" and made["PolicyVersion"]["IsDefaultVersion"]
    caller.list_policies(MaxItems=1)
    refused("AccessDenied", caller.list_roles)
    account.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    caller.list_roles(MaxItems=1)
    account.iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
    refused("AccessDenied", caller.list_roles)


def test_five_versions_and_no_more(account):
    arn = account.policy()["Arn"]
    for number in range(2, 6):
        account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(f"s3:Get{number}"))
    refused("LimitExceeded", account.iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy())
    refused("DeleteConflict", account.iam.delete_policy_version, PolicyArn=arn, VersionId="v1")
    refused("DeleteConflict", account.iam.delete_policy, PolicyArn=arn)
    account.iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    refused("NoSuchEntity", account.iam.get_policy_version, PolicyArn=arn, VersionId="v5")
    refused("NoSuchEntity", account.iam.set_default_policy_version, PolicyArn=arn, VersionId="v5")
    # Numbers are never used again.
    assert account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy())["PolicyVersion"]["VersionId"] == "v6"
    pages = account.iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
    versions = [version["VersionId"] for page in pages for version in page["Versions"]]
    assert versions == ["v6", "v4", "v3", "v2", "v1"]


def test_who_has_a_policy(account):
    arn = account.policy()["Arn"]
    attached, bounded = account.role("has"), account.role("bound", PermissionsBoundary=arn)
    account.iam.attach_role_policy(RoleName=attached["RoleName"], PolicyArn=arn)
    account.iam.attach_role_policy(RoleName=attached["RoleName"], PolicyArn=arn)
    counts = account.iam.get_policy(PolicyArn=arn)["Policy"]
    assert (counts["AttachmentCount"], counts["PermissionsBoundaryUsageCount"]) == (1, 1)

    def roles(**more):
        return [role["RoleName"] for role in account.iam.list_entities_for_policy(PolicyArn=arn, **more)["PolicyRoles"]]

    assert sorted(roles()) == sorted([attached["RoleName"], bounded["RoleName"]])
    assert roles(PolicyUsageFilter="PermissionsPolicy") == [attached["RoleName"]]
    assert roles(PolicyUsageFilter="PermissionsBoundary") == [bounded["RoleName"]]
    assert roles(EntityFilter="User") == []
    refused("DeleteConflict", account.iam.delete_policy, PolicyArn=arn)
    only = account.iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]
    assert arn in [one["Arn"] for one in only] and all(one["AttachmentCount"] for one in only)


def test_ten_policies_a_role_and_no_more(account):
    name = account.role("full")["RoleName"]
    arns = [account.policy()["Arn"] for _ in range(11)]
    for arn in arns[:10]:
        account.iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    said = refused("LimitExceeded", account.iam.attach_role_policy, RoleName=name, PolicyArn=arns[10])
    assert said == "Cannot exceed quota for PoliciesPerRole: 10"
    pages = account.iam.get_paginator("list_attached_role_policies").paginate(RoleName=name, PaginationConfig={"PageSize": 4})
    assert sorted(one["PolicyArn"] for page in pages for one in page["AttachedPolicies"]) == sorted(arns[:10])
    refused("NoSuchEntity", account.iam.detach_role_policy, RoleName=name, PolicyArn=arns[10])
    refused("NoSuchEntity", account.iam.attach_role_policy, RoleName=name, PolicyArn=account.arn("policy/absent"))


@pytest.mark.parametrize("name", ["AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit", "IAMFullAccess", "IAMReadOnlyAccess", *AWS_BEDROCK])
def test_the_policies_of_aws_are_there_and_nobody_changes_them(account, name):
    arn = f"arn:aws:iam::aws:policy/{name}"
    found = account.iam.get_policy(PolicyArn=arn)["Policy"]
    assert found["PolicyName"] == name and found["IsAttachable"] and found["DefaultVersionId"] == "v1"
    document = account.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
    for change, arguments in [
        (account.iam.delete_policy, {}),
        (account.iam.create_policy_version, {"PolicyDocument": policy()}),
        (account.iam.delete_policy_version, {"VersionId": "v1"}),
        (account.iam.set_default_policy_version, {"VersionId": "v1"}),
        (account.iam.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ]:
        assert refused("AccessDenied", change, PolicyArn=arn, **arguments) == "Policy is outside your own account."


def test_another_accounts_policies_look_alike_whether_or_not_they_are_there(account):
    other = "arn:aws:iam::999999999999:policy/"
    said = {refused("AccessDenied", account.iam.get_policy, PolicyArn=other + name).replace(other + name, "ARN") for name in ["a", "b"]}
    assert len(said) == 1
    refused("NoSuchEntity", account.iam.get_policy, PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy")


def test_lists_of_policies(account):
    aws = account.iam.list_policies(Scope="AWS")["Policies"]
    assert {one["PolicyName"] for one in aws} >= {"AdministratorAccess", *AWS_BEDROCK}
    assert all(one["Arn"].startswith("arn:aws:iam::aws:policy/") for one in aws)
    mine = account.policy()["Arn"]
    pages = account.iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 7})
    everything = [one["Arn"] for page in pages for one in page["Policies"]]
    assert len(everything) == len(set(everything)) and mine in everything
    assert {one["Arn"] for one in aws} <= set(everything)


def test_what_the_read_only_policy_of_bedrock_lets_do(account, moho):
    role = account.role()
    account.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockReadOnly")
    credentials = account.session(role["Arn"])
    bedrock = account.client("bedrock", credentials)
    assert bedrock.list_foundation_models()["modelSummaries"]
    runtime = account.client("bedrock-runtime", credentials)
    message = {"role": "user", "content": [{"text": "hi"}]}
    refused("AccessDeniedException", runtime.converse, modelId="smollm2-135m-instruct", messages=[message])
    account.iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockLimitedAccess")
    said = runtime.converse(modelId="smollm2-135m-instruct", messages=[message], inferenceConfig={"maxTokens": 1})
    assert said["usage"]["outputTokens"] == 1
