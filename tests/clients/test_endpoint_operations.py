"""EC2's operations on private endpoints: what is described, made, changed and refused."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError

from endpoint_account import ONLY_STS, SERVICE, allowing, client_of, three_endpoints, with_session_policy
from private import ENDPOINT, FOREIGN, FOREIGN_VPC, SOCKET, VPC, ClientAuthority
from sts import refused


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    clients = ClientAuthority.make(tmp_path_factory.mktemp("clients") / "ours")
    with three_endpoints(tmp_path_factory.mktemp("endpoints"), clients) as server:
        yield server


def test_the_settings_endpoints_are_described_and_keep_what_they_are(server):
    ec2 = server.boto3("ec2", "Admin")
    account = server.boto3("sts", "Admin").get_caller_identity()["Account"]
    found = {endpoint["VpcEndpointId"]: endpoint for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
    assert ENDPOINT in found and SOCKET in found and FOREIGN not in found
    ours = found[ENDPOINT]
    assert (ours["VpcId"], ours["OwnerId"], ours["State"], ours["VpcEndpointType"]) == (VPC, account, "available", "Interface")
    assert ours["ServiceName"] == SERVICE.format("moho") and ours["RequesterManaged"] is True
    assert json.loads(ours["PolicyDocument"])["Statement"][0]["Principal"] == "*"
    said = ec2.delete_vpc_endpoints(VpcEndpointIds=[ENDPOINT])["Unsuccessful"]
    assert [(item["ResourceId"], item["Error"]["Code"]) for item in said] == [(ENDPOINT, "OperationNotPermitted")]
    foreign = "vpce-0f00d00d00d00d00d"
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=foreign, ResetPolicy=True).code == "InvalidVpcEndpointId.NotFound"


def test_a_policy_is_in_force_at_once_and_can_be_reset(server):
    ec2 = server.boto3("ec2", "Admin")
    inside = client_of(server, "bedrock")
    assert inside.list_foundation_models()
    assert ec2.modify_vpc_endpoint(VpcEndpointId=ENDPOINT, PolicyDocument=json.dumps(ONLY_STS))["Return"] is True
    try:
        _, message, status = refused(inside.list_foundation_models)
        assert status == 403 and "because no VPC endpoint policy allows the bedrock:ListFoundationModels action" in message
        assert client_of(server, "sts").get_caller_identity()
        # The public listener has no endpoint, so its policy does not bear there.
        assert server.boto3("bedrock", "Admin").list_foundation_models()
        [shown] = ec2.describe_vpc_endpoints(VpcEndpointIds=[ENDPOINT])["VpcEndpoints"]
        assert json.loads(shown["PolicyDocument"]) == ONLY_STS
    finally:
        assert ec2.modify_vpc_endpoint(VpcEndpointId=ENDPOINT, ResetPolicy=True)["Return"] is True
    assert inside.list_foundation_models()


def test_an_account_makes_an_endpoint_for_one_service(server):
    ec2 = server.boto3("ec2", "Admin")
    name = SERVICE.format("bedrock")
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "team", "Value": "blue"}]}]
    asked = {"VpcId": VPC, "ServiceName": name, "VpcEndpointType": "Interface", "ClientToken": "once"}
    made = ec2.create_vpc_endpoint(**asked, TagSpecifications=tags)
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    try:
        assert made["ClientToken"] == "once" and made["VpcEndpoint"]["State"] == "available"
        assert made["VpcEndpoint"]["Tags"] == [{"Key": "team", "Value": "blue"}]
        again = ec2.create_vpc_endpoint(**asked, TagSpecifications=tags)
        assert again["VpcEndpoint"]["VpcEndpointId"] == endpoint, "the same request is not done twice"
        assert refused(ec2.create_vpc_endpoint, **asked).code == "IdempotentParameterMismatch"
        conflict = {key: value for key, value in asked.items() if key != "ClientToken"}
        code, message, status = refused(ec2.create_vpc_endpoint, **conflict)
        assert (status, code) == (400, "InvalidParameter") and "conflicting DNS domain" in message
        # From now on, it is what requests for this service pass, and no others.
        inside = with_session_policy(server, allowing(StringEquals={"aws:SourceVpce": endpoint}))
        assert client_of(server, "bedrock", credentials=inside).list_foundation_models()
        assert refused(client_of(server, "ec2", credentials=inside).describe_vpc_endpoints).code == "UnauthorizedOperation"
        for filters in (
            [{"Name": "tag:team", "Values": ["bl*"]}],
            [{"Name": "tag-key", "Values": ["team"]}],
            [{"Name": "service-name", "Values": [name]}, {"Name": "vpc-id", "Values": [VPC]}],
        ):
            found = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
            assert [one["VpcEndpointId"] for one in found] == [endpoint], filters
        assert ec2.describe_vpc_endpoints(Filters=[{"Name": "tag:team", "Values": ["red"]}])["VpcEndpoints"] == []
        ids = [one["VpcEndpointId"] for page in ec2.get_paginator("describe_vpc_endpoints").paginate(PaginationConfig={"PageSize": 1}) for one in page["VpcEndpoints"]]
        assert ids == sorted([endpoint, ENDPOINT, SOCKET])
    finally:
        assert ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"] == []
    said = ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"]
    assert said[0]["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"
    assert refused(client_of(server, "bedrock", credentials=inside).list_foundation_models).code == "AccessDeniedException"


def test_what_cannot_be_is_refused_with_ec2s_codes(server):
    ec2 = server.boto3("ec2", "Admin")
    create = {"VpcId": VPC, "ServiceName": SERVICE.format("sts"), "VpcEndpointType": "Interface"}
    for change, code in (
        ({"VpcId": "vpc-11111111"}, "InvalidVpcId.NotFound"),
        ({"VpcId": FOREIGN_VPC}, "InvalidVpcId.NotFound"),
        ({"VpcId": "nonsense"}, "InvalidVpcId.Malformed"),
        ({"ServiceName": "com.amazonaws.us-east-1.dynamodb"}, "InvalidServiceName"),
        ({"ServiceName": SERVICE.format("moho")}, "InvalidParameter"),
        ({"VpcEndpointType": "Gateway"}, "InvalidParameter"),
        ({"VpcEndpointType": "Sideways"}, "InvalidParameterValue"),
        ({"PolicyDocument": "{"}, "InvalidPolicyDocument"),
        ({"PolicyDocument": json.dumps(ONLY_STS).replace("sts", "s" * 30_000)}, "InvalidPolicyDocument"),
        ({"SubnetIds": ["subnet-1"]}, "InvalidParameter"),
        ({"SecurityGroupIds": ["sg-1"]}, "InvalidParameter"),
        ({"PrivateDnsEnabled": False}, "UnsupportedOperation"),
        ({"DryRun": True}, "DryRunOperation"),
    ):
        found, message, status = refused(ec2.create_vpc_endpoint, **(create | change))
        assert found == code, (change, message)
        assert status == (412 if code == "DryRunOperation" else 400)
    for call, code in (
        ({"VpcEndpointIds": ["vpce-11111111"]}, "InvalidVpcEndpointId.NotFound"),
        ({"VpcEndpointIds": ["x"]}, "InvalidVpcEndpointId.Malformed"),
        ({"Filters": [{"Name": "shoe-size", "Values": ["9"]}]}, "InvalidParameterValue"),
        ({"NextToken": "%%"}, "InvalidNextToken"),
        ({"MaxResults": 0}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
    ):
        assert refused(ec2.describe_vpc_endpoints, **call).code == code, call
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=ENDPOINT).code == "MissingParameter"
    both = {"PolicyDocument": json.dumps(ONLY_STS), "ResetPolicy": True}
    assert refused(ec2.modify_vpc_endpoint, VpcEndpointId=ENDPOINT, **both).code == "InvalidParameterCombination"
    assert refused(ec2.describe_vpc_endpoint_services, ServiceNames=["nothing"]).code == "InvalidServiceName"
    # Absent and another's look alike, whatever is wrong besides.
    absent, foreign = (refused(ec2.modify_vpc_endpoint, VpcEndpointId=one, ResetPolicy=True) for one in ("vpce-11111111", FOREIGN))
    assert absent._replace(message=absent.message.replace("vpce-11111111", FOREIGN)) == foreign


def test_who_may_not_is_told_so_in_ec2s_words(server):
    ec2 = server.boto3("ec2", "Developer")
    calls = (
        (ec2.describe_vpc_endpoints, {}),
        (ec2.describe_vpc_endpoints, {"DryRun": True}),
        (ec2.describe_vpc_endpoint_services, {}),
        (ec2.modify_vpc_endpoint, {"VpcEndpointId": ENDPOINT, "ResetPolicy": True}),
        (ec2.delete_vpc_endpoints, {"VpcEndpointIds": [ENDPOINT]}),
        (ec2.create_vpc_endpoint, {"VpcId": VPC, "ServiceName": SERVICE.format("sts"), "VpcEndpointType": "Interface"}),
    )
    for call, named in calls:
        code, message, status = refused(call, **named)
        assert (status, code) == (403, "UnauthorizedOperation")
        assert message.startswith("You are not authorized to perform this operation. User: arn:aws:sts::")
    sealed = message.split("Encoded authorization failure message: ")[1]
    opened = server.boto3("sts", "Admin").decode_authorization_message(EncodedMessage=sealed)["DecodedMessage"]
    why = json.loads(opened)
    assert why["allowed"] is False and why["context"]["action"] == "ec2:CreateVpcEndpoint"
    with pytest.raises(ClientError):
        server.boto3("sts", "Developer").decode_authorization_message(EncodedMessage=sealed)
    # Whether there is one, and whose it is, makes no difference to who may not know.
    calls = (
        lambda one: refused(ec2.modify_vpc_endpoint, VpcEndpointId=one, ResetPolicy=True),
        lambda one: refused(ec2.delete_vpc_endpoints, VpcEndpointIds=[one]),
        lambda one: refused(ec2.delete_vpc_endpoints, VpcEndpointIds=[one], DryRun=True),
    )
    for call in calls:
        for one in (ENDPOINT, FOREIGN):
            nowhere = "vpce-" + "1" * (len(one) - len("vpce-"))
            there, absent = call(one), call(nowhere)
            assert (there.status, there.code) == (absent.status, absent.code) == (403, "UnauthorizedOperation")
            assert there.message.split(" Encoded")[0] == absent.message.split(" Encoded")[0].replace(nowhere, one)
        # The sealed reason of another's says no more, either.
        assert len(there.message) == len(absent.message)


def test_the_services_are_those_that_are_served(server):
    ec2 = server.boto3("ec2", "Admin")
    said = ec2.describe_vpc_endpoint_services()
    names = ["bedrock", "bedrock-agent", "bedrock-mantle", "bedrock-runtime", "cloudtrail", "ec2", "iam", "kms", "logs", "moho", "organizations", "s3", "sts"]
    assert said["ServiceNames"] == [SERVICE.format(name) for name in names]
    assert {detail["ServiceType"][0]["ServiceType"] for detail in said["ServiceDetails"]} == {"Interface"}
    filtered = ec2.describe_vpc_endpoint_services(Filters=[{"Name": "service-name", "Values": ["*bedrock*"]}])
    assert len(filtered["ServiceNames"]) == 4


def test_the_aws_cli_does_all_of_it(server, tmp_path):
    environment = server.aws_environment(tmp_path, server.credentials("Admin"))

    def aws(*words: str) -> dict:
        done = subprocess.run(["aws", "ec2", *words, "--output", "json"], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    tags = "ResourceType=vpc-endpoint,Tags=[{Key=by,Value=cli}]"
    wish = ("--vpc-id", VPC, "--vpc-endpoint-type", "Interface", "--service-name", SERVICE.format("iam"), "--tag-specifications", tags)
    made = aws("create-vpc-endpoint", *wish)["VpcEndpoint"]["VpcEndpointId"]
    found = aws("describe-vpc-endpoints", "--filters", "Name=tag:by,Values=cli")["VpcEndpoints"]
    assert [one["VpcEndpointId"] for one in found] == [made]
    assert aws("modify-vpc-endpoint", "--vpc-endpoint-id", made, "--policy-document", json.dumps(ONLY_STS))["Return"] is True
    assert SERVICE.format("sts") in aws("describe-vpc-endpoint-services")["ServiceNames"]
    assert aws("delete-vpc-endpoints", "--vpc-endpoint-ids", made)["Unsuccessful"] == []
