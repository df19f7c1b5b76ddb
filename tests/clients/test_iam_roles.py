"""Roles through boto3 and the AWS CLI: made, found, changed, trusted, bounded, deleted."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError
from iam_account import Account, named, policy, refused, trust


@pytest.fixture(scope="module")
def account(moho):
    return Account(moho)


def test_a_role_is_made_found_and_deleted(account):
    name = named("Analyst")
    made = account.iam.create_role(
        RoleName=name,
        Path="/data/science/",
        AssumeRolePolicyDocument=account.own(),
        Description="reads much",
        MaxSessionDuration=7200,
        Tags=[{"Key": "Team", "Value": "blue"}],
    )["Role"]
    assert made["Arn"] == account.arn(f"role/data/science/{name}")
    assert made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21
    assert made["AssumeRolePolicyDocument"] == json.loads(account.own())
    assert made["Tags"] == [{"Key": "Team", "Value": "blue"}]
    # Names are the same whatever their case.
    found = account.iam.get_role(RoleName=name.upper())["Role"]
    assert found.pop("RoleLastUsed") == {}
    assert found == made
    assert found["MaxSessionDuration"] == 7200 and found["Description"] == "reads much"
    assert refused(
        "EntityAlreadyExists", account.iam.create_role, RoleName=name.lower(), AssumeRolePolicyDocument=account.own()
    ) == f"Role with name {name.lower()} already exists."

    account.iam.update_role(RoleName=name, MaxSessionDuration=3600)
    changed = account.iam.update_role_description(RoleName=name, Description="reads less")["Role"]
    assert changed["Description"] == "reads less" and changed["MaxSessionDuration"] == 3600

    account.iam.delete_role(RoleName=name)
    message = f"The role with name {name} cannot be found."
    assert refused("NoSuchEntity", account.iam.get_role, RoleName=name) == message
    assert refused("NoSuchEntity", account.iam.delete_role, RoleName=name) == message


def test_what_cannot_be_a_role(account):
    create = account.iam.create_role
    refused("ValidationError", create, RoleName="no such name", AssumeRolePolicyDocument=account.own())
    refused("ValidationError", create, RoleName="x" * 65, AssumeRolePolicyDocument=account.own())
    refused("ValidationError", create, RoleName=named("r"), Path="no-slashes", AssumeRolePolicyDocument=account.own())
    refused("ValidationError", create, RoleName=named("r"), MaxSessionDuration=43201, AssumeRolePolicyDocument=account.own())
    refused("ValidationError", create, RoleName="Rölle", AssumeRolePolicyDocument=account.own())
    refused("MalformedPolicyDocument", create, RoleName=named("r"), AssumeRolePolicyDocument="{}")
    refused("MalformedPolicyDocument", create, RoleName=named("r"), AssumeRolePolicyDocument=policy())
    refused("LimitExceeded", create, RoleName=named("r"), AssumeRolePolicyDocument=account.own() + "x" * 5000)
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    refused("InvalidInput", create, RoleName=named("r"), Tags=twice, AssumeRolePolicyDocument=account.own())


def test_lists_of_roles_are_cut_into_pages_that_only_their_list_can_go_on_from(account):
    path = f"/{named('paged')}/"
    names = sorted(account.role("page", Path=path)["RoleName"] for _ in range(5))
    pages = list(account.iam.get_paginator("list_roles").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [len(page["Roles"]) for page in pages] == [2, 2, 1]
    assert sorted(role["RoleName"] for page in pages for role in page["Roles"]) == names
    assert [page["IsTruncated"] for page in pages] == [True, True, False]

    marker = pages[0]["Marker"]
    assert all(name not in marker for name in names)
    refused("ValidationError", account.iam.list_roles, Marker=marker)
    refused("ValidationError", account.iam.list_roles, PathPrefix=path, Marker=marker[:-4] + "AAAA")
    refused("ValidationError", account.iam.list_policies, Marker=marker)
    assert account.iam.list_roles(PathPrefix="/nobody/")["Roles"] == []


def test_trust_policies_name_only_who_exists(account):
    def create(principal):
        return account.iam.create_role(RoleName=named("trusting"), AssumeRolePolicyDocument=trust(principal))

    friend = account.role("friend")
    for fine in [
        {"AWS": friend["Arn"]},
        {"AWS": account.id},
        {"AWS": "*"},
        {"AWS": f"arn:aws:sts::{account.id}:assumed-role/{friend['RoleName']}/session"},
        {"Service": "ec2.amazonaws.com"},
        {"Federated": "cognito-identity.amazonaws.com"},
    ]:
        create(fine)
    for nobody in [
        account.arn("role/nobody"),
        account.arn(f"role/elsewhere/{friend['RoleName']}"),
        account.arn(f"role/{friend['RoleName'].upper()}"),
        account.arn("user/nobody"),
        friend["RoleId"],
    ]:
        with pytest.raises(ClientError) as caught:
            create({"AWS": nobody})
        error = caught.value.response["Error"]
        assert error["Code"] == "MalformedPolicyDocument"
        assert error["Message"] == f'Invalid principal in policy: "AWS":"{nobody}"'
    for kind, nobody in [("Service", "moho.example.com"), ("Federated", account.arn("oidc-provider/login.example.com"))]:
        with pytest.raises(ClientError, match="Invalid principal"):
            create({kind: nobody})


def test_trust_policies_tell_nothing_of_other_accounts(account):
    for principal in ["arn:aws:iam::999999999999:root", "arn:aws:iam::999999999999:role/none", "arn:aws:iam::999999999999:user/u"]:
        name = account.role("trusting", AssumeRolePolicyDocument=trust({"AWS": principal}))["RoleName"]
        shown = account.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        assert shown["Statement"][0]["Principal"] == {"AWS": principal}
    shown = account.role("trusting", AssumeRolePolicyDocument=trust({"AWS": "999999999999"}))["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::999999999999:root"}


def test_a_role_that_is_made_again_is_not_trusted(account):
    friend = account.role("once")
    house = account.role("house", AssumeRolePolicyDocument=trust({"AWS": friend["Arn"]}))
    account.iam.put_role_policy(RoleName=friend["RoleName"], PolicyName="in", PolicyDocument=policy("sts:AssumeRole"))
    credentials = account.session(friend["Arn"])
    old = account.client("sts", credentials)
    assert old.assume_role(RoleArn=house["Arn"], RoleSessionName="guest")["Credentials"]

    account.iam.delete_role_policy(RoleName=friend["RoleName"], PolicyName="in")
    account.iam.delete_role(RoleName=friend["RoleName"])
    again = account.iam.create_role(RoleName=friend["RoleName"], AssumeRolePolicyDocument=account.own())["Role"]
    assert again["Arn"] == friend["Arn"] and again["RoleId"] != friend["RoleId"]
    account.iam.put_role_policy(RoleName=friend["RoleName"], PolicyName="in", PolicyDocument=policy("*"))

    # The new role is not the one that is trusted; the old one's sessions are nobody's.
    new = account.client("sts", account.session(again["Arn"]))
    refused("AccessDenied", new.assume_role, RoleArn=house["Arn"], RoleSessionName="guest")
    refused("AccessDenied", old.assume_role, RoleArn=house["Arn"], RoleSessionName="guest")
    refused("AccessDenied", account.client("iam", credentials).list_roles)
    # Whom the policy trusts is shown by the id that nobody has any more.
    shown = account.iam.get_role(RoleName=house["RoleName"])["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": friend["RoleId"]}
    # Written anew, the policy means the new role.
    account.iam.update_assume_role_policy(RoleName=house["RoleName"], PolicyDocument=trust({"AWS": again["Arn"]}))
    assert new.assume_role(RoleArn=house["Arn"], RoleSessionName="guest")["Credentials"]


def test_a_role_in_use_is_not_deleted(account):
    name = account.role("busy")["RoleName"]
    profile = named("profile")
    made = account.iam.create_instance_profile(InstanceProfileName=profile, Path="/machines/")["InstanceProfile"]
    assert made["Arn"] == account.arn(f"instance-profile/machines/{profile}") and made["Roles"] == []
    account.iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=name)
    refused("LimitExceeded", account.iam.add_role_to_instance_profile, InstanceProfileName=profile, RoleName=name)
    account.iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    account.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy())
    found = account.iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
    assert [role["RoleName"] for role in found["Roles"]] == [name]
    of_role = account.iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"]
    assert [one["InstanceProfileName"] for one in of_role] == [profile]

    delete = account.iam.delete_role
    assert refused("DeleteConflict", delete, RoleName=name) == "Cannot delete entity, must remove roles from instance profile first."
    refused("DeleteConflict", account.iam.delete_instance_profile, InstanceProfileName=profile)
    account.iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=name)
    account.iam.delete_instance_profile(InstanceProfileName=profile)
    refused("NoSuchEntity", account.iam.get_instance_profile, InstanceProfileName=profile)
    assert refused("DeleteConflict", delete, RoleName=name) == "Cannot delete entity, must detach all policies first."
    account.iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert refused("DeleteConflict", delete, RoleName=name) == "Cannot delete entity, must delete policies first."
    account.iam.delete_role_policy(RoleName=name, PolicyName="inline")
    delete(RoleName=name)


def test_inline_policies(account):
    name = account.role("inline")["RoleName"]
    words = policy("s3:GetObject", "arn:aws:s3:::a/*")
    account.iam.put_role_policy(RoleName=name, PolicyName="One", PolicyDocument=words)
    account.iam.put_role_policy(RoleName=name, PolicyName="two", PolicyDocument=policy())
    assert account.iam.list_role_policies(RoleName=name)["PolicyNames"] == ["One", "two"]
    found = account.iam.get_role_policy(RoleName=name, PolicyName="One")
    assert found["PolicyDocument"] == json.loads(words)
    refused("NoSuchEntity", account.iam.get_role_policy, RoleName=name, PolicyName="three")
    refused("NoSuchEntity", account.iam.delete_role_policy, RoleName=name, PolicyName="three")
    refused("MalformedPolicyDocument", account.iam.put_role_policy, RoleName=name, PolicyName="x", PolicyDocument=account.own())
    # All together have 10240 bytes at most, white space not counted.
    long = policy("s3:GetObject", [f"arn:aws:s3:::{'b' * 60}{number:03}/*" for number in range(100)])
    account.iam.put_role_policy(RoleName=name, PolicyName="long", PolicyDocument=long + " " * 9000)
    before = account.iam.list_role_policies(RoleName=name)["PolicyNames"]
    said = refused("LimitExceeded", account.iam.put_role_policy, RoleName=name, PolicyName="more", PolicyDocument=long)
    assert said == f"Maximum policy size of 10240 bytes exceeded for role {name}"
    alone = refused("LimitExceeded", account.iam.put_role_policy, RoleName=name, PolicyName="more", PolicyDocument="x" * 11_000)
    assert alone == said
    assert account.iam.list_role_policies(RoleName=name)["PolicyNames"] == before


def test_tags(account):
    name = account.role("tagged", Tags=[{"Key": "Team", "Value": "blue"}])["RoleName"]
    account.iam.tag_role(RoleName=name, Tags=[{"Key": "team", "Value": "red"}, {"Key": "Cost", "Value": ""}])
    assert account.iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "Cost", "Value": ""}, {"Key": "team", "Value": "red"}]
    account.iam.untag_role(RoleName=name, TagKeys=["TEAM", "absent"])
    assert account.iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "Cost", "Value": ""}]
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    refused("LimitExceeded", account.iam.tag_role, RoleName=name, Tags=many)
    refused("InvalidInput", account.iam.tag_role, RoleName=name, Tags=[{"Key": "aws:mine", "Value": "v"}])
    assert len(account.iam.list_role_tags(RoleName=name)["Tags"]) == 1


def test_a_boundary_bounds_at_once(account):
    boundary = account.policy(policy(["iam:GetRole", "iam:ListRoles"]))["Arn"]
    role = account.role("bounded", PermissionsBoundary=boundary)
    name = role["RoleName"]
    assert role["PermissionsBoundary"] == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    account.iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    bounded = account.client("iam", account.session(role["Arn"]))
    assert bounded.get_role(RoleName=name)["Role"]["RoleId"] == role["RoleId"]
    refused("AccessDenied", bounded.list_policies)
    account.iam.delete_role_permissions_boundary(RoleName=name)
    assert bounded.list_policies(MaxItems=1)["Policies"]
    account.iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    refused("AccessDenied", bounded.list_policies)
    refused("DeleteConflict", account.iam.delete_policy, PolicyArn=boundary)
    refused("NoSuchEntity", account.iam.put_role_permissions_boundary, RoleName=name, PermissionsBoundary=account.arn("policy/none"))


def test_who_may_not_see_a_role_does_not_learn_whether_it_is_there(account):
    there = account.role("hidden", Path="/secret/place/")["RoleName"]
    nosy = account.allowed(policy("iam:ListRoles"))
    absent = there.replace("hidden", "absent")

    def said(name):
        return refused("AccessDenied", nosy.get_role, RoleName=name).replace(name, "NAME").split(" Encoded")[0]

    assert said(there) == said(absent)
    assert "secret" not in refused("AccessDenied", nosy.delete_role, RoleName=there)
    # Who may see roles of one path sees those, and none of another.
    partly = account.allowed(policy("iam:GetRole", account.arn("role/secret/*")))
    assert partly.get_role(RoleName=there)["Role"]["Path"] == "/secret/place/"
    refused("AccessDenied", partly.get_role, RoleName=absent)


def test_conditions_on_what_is_made_and_attached(account):
    boundary = account.policy(policy("iam:*"))["Arn"]
    careful = account.allowed(
        policy("iam:CreateRole", Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}}),
        policy("iam:AttachRolePolicy", Condition={"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}),
        policy("iam:TagRole", Condition={"StringEquals": {"aws:RequestTag/Team": "blue"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}),
        policy("iam:DeleteRole", Condition={"StringEquals": {"aws:ResourceTag/Team": "blue"}}),
    )
    name = named("careful")
    refused("AccessDenied", careful.create_role, RoleName=name, AssumeRolePolicyDocument=account.own())
    careful.create_role(RoleName=name, AssumeRolePolicyDocument=account.own(), PermissionsBoundary=boundary)
    # Making a role with tags is tagging it, too.
    red = [{"Key": "Team", "Value": "red"}]
    refused(
        "AccessDenied", careful.create_role, RoleName=named("red"), AssumeRolePolicyDocument=account.own(), PermissionsBoundary=boundary, Tags=red
    )
    refused("AccessDenied", careful.attach_role_policy, RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    careful.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    account.iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    refused("AccessDenied", careful.delete_role, RoleName=name)
    refused("AccessDenied", careful.tag_role, RoleName=name, Tags=red)
    careful.tag_role(RoleName=name, Tags=[{"Key": "Team", "Value": "blue"}])
    careful.delete_role(RoleName=name)


def test_passing_a_role_to_an_instance_profile_takes_leave(account):
    name, profile = account.role("passed")["RoleName"], named("profile")
    account.iam.create_instance_profile(InstanceProfileName=profile)
    may = policy("iam:AddRoleToInstanceProfile")
    without = account.allowed(may)
    refused("AccessDenied", without.add_role_to_instance_profile, InstanceProfileName=profile, RoleName=name)
    elsewhere = account.allowed(may, policy("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}}))
    refused("AccessDenied", elsewhere.add_role_to_instance_profile, InstanceProfileName=profile, RoleName=name)
    fitting = account.allowed(may, policy("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}))
    fitting.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=name)


def test_service_linked_roles_are_made_for_services_and_changed_by_nobody(account):
    made = account.iam.create_service_linked_role(AWSServiceName="macie.amazonaws.com")["Role"]
    name = made["RoleName"]
    assert name == "AWSServiceRoleForAmazonMacie"
    assert made["Arn"] == account.arn(f"role/aws-service-role/macie.amazonaws.com/{name}")
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "macie.amazonaws.com"}
    attached = account.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == ["arn:aws:iam::aws:policy/aws-service-role/AmazonMacieServiceRolePolicy"]
    refused("InvalidInput", account.iam.create_service_linked_role, AWSServiceName="macie.amazonaws.com")
    refused("InvalidInput", account.iam.create_service_linked_role, AWSServiceName="nobody.amazonaws.com")
    for change, arguments in [
        (account.iam.delete_role, {}),
        (account.iam.update_role, {"Description": "mine", "MaxSessionDuration": 7200}),
        (account.iam.update_assume_role_policy, {"PolicyDocument": account.own()}),
        (account.iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": policy()}),
        (account.iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        (account.iam.detach_role_policy, {"PolicyArn": attached[0]["PolicyArn"]}),
        (account.iam.put_role_permissions_boundary, {"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        (account.iam.tag_role, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ]:
        refused("UnmodifiableEntity", change, RoleName=name, **arguments)
    described = account.iam.update_role_description(RoleName=name, Description="as at AWS")["Role"]
    assert described["Description"] == "as at AWS"
    account.iam.update_role(RoleName=name, Description="ours")
    assert account.iam.get_role(RoleName=name)["Role"]["Description"] == "ours"
    refused("AccessDenied", account.sts.assume_role, RoleArn=made["Arn"], RoleSessionName="me")
    other = account.role()["RoleName"]
    refused("PolicyNotAttachable", account.iam.attach_role_policy, RoleName=other, PolicyArn=attached[0]["PolicyArn"])
    refused("NoSuchEntity", account.iam.delete_service_linked_role, RoleName=other)

    task = account.iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    status = account.iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"]
    assert status == "SUCCEEDED"
    refused("NoSuchEntity", account.iam.get_role, RoleName=name)
    refused("NoSuchEntity", account.iam.get_service_linked_role_deletion_status, DeletionTaskId=task + "x")


def test_when_a_role_was_last_used(account):
    role = account.role("used")
    assert account.iam.get_role(RoleName=role["RoleName"])["Role"]["RoleLastUsed"] == {}
    account.client("sts", account.session(role["Arn"])).get_caller_identity()
    used = account.iam.get_role(RoleName=role["RoleName"])["Role"]["RoleLastUsed"]
    assert used["Region"] == account.moho.credentials().region
    assert used["LastUsedDate"] >= role["CreateDate"].replace(microsecond=0)


def test_the_cli_speaks_of_roles(account, moho, tmp_path):
    def aws(*arguments):
        environment = moho.aws_environment(tmp_path, moho.credentials("Admin"))
        command = ["aws", "iam", *arguments, "--output", "json"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    name = named("typed")
    made = aws("create-role", "--role-name", name, "--assume-role-policy-document", account.own(), "--tags", "Key=a,Value=b")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["Role"]["RoleName"] == name
    assert aws("attach-role-policy", "--role-name", name, "--policy-arn", "arn:aws:iam::aws:policy/SecurityAudit").returncode == 0
    attached = json.loads(aws("list-attached-role-policies", "--role-name", name).stdout)["AttachedPolicies"]
    assert attached == [{"PolicyName": "SecurityAudit", "PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"}]
    conflict = aws("delete-role", "--role-name", name)
    assert "An error occurred (DeleteConflict)" in conflict.stderr
    listed = json.loads(aws("list-roles", "--max-items", "2").stdout)
    assert len(listed["Roles"]) == 2 and listed["NextToken"]
