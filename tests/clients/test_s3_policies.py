"""Who may what in S3: identities, buckets' policies, other accounts, and what is public."""

import json

import pytest
import sts
from kms_account import allow, granting, keeper, put_policy as put_key_policy
from s3_account import DENIED, NO_KEY, arn, body, keys, new_bucket, put_policy, refused

KEYS = allow("kms:*")
BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("policies")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture(scope="module")
def member(account):
    """Another account."""
    return account.member("other")


@pytest.fixture(scope="module")
def theirs(member):
    return member.client(member.credentials, "s3")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


def caller(account, *statements):
    """A client that may what these statements say, and use keys."""
    return account.client(account.session(account.caller_role(KEYS, *statements)), "s3")


def to(principal, action, resource, effect="Allow", **more) -> dict:
    """A statement of a bucket's policy."""
    principal = principal if principal == "*" else {"AWS": principal}
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}


def shared_key(account, member) -> dict:
    """A key that another account may use too, as a request names it."""
    key = account.key()
    put_key_policy(account.kms, key, granting(account.root, "kms:*"), granting(member.root, ["kms:GenerateDataKey", "kms:Decrypt"]))
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def test_identities_name_what_they_may(account, s3, bucket):
    for key in ("mine/a", "other/b"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    reader = caller(account, allow("s3:GetObject", arn(bucket, "mine/*")))
    assert body(reader, bucket, "mine/a") == b"mine/a"
    for call, more in [
        (reader.get_object, {"Key": "other/b"}),
        (reader.put_object, {"Key": "mine/a"}),
        (reader.delete_object, {"Key": "mine/a"}),
        (reader.get_object_tagging, {"Key": "mine/a"}),
        (reader.get_object, {"Key": "mine/a", "VersionId": "null"}),
        (reader.list_objects_v2, {}),
        (reader.get_bucket_policy, {}),
    ]:
        assert refused(call, Bucket=bucket, **more) == DENIED, (call, more)
    told = sts.refused(reader.put_object, Bucket=bucket, Key="mine/a").message
    assert "is not authorized to perform: s3:PutObject on resource: " in told and arn(bucket, "mine/a") in told, told


def test_what_is_not_there_is_told_to_who_may_list(account, s3, bucket):
    reader = caller(account, allow("s3:GetObject", arn(bucket, "*")))
    assert refused(reader.get_object, Bucket=bucket, Key="absent") == DENIED
    assert refused(reader.head_object, Bucket=bucket, Key="absent") == ("403", 403)
    lister = caller(account, allow(["s3:GetObject", "s3:ListBucket"], [arn(bucket), arn(bucket, "*")]))
    assert refused(lister.get_object, Bucket=bucket, Key="absent") == NO_KEY
    assert refused(lister.head_object, Bucket=bucket, Key="absent") == ("404", 404)


def test_another_account_has_nothing_by_itself(account, s3, theirs, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for call, more in [
        (theirs.get_object, {"Key": "k"}),
        (theirs.put_object, {"Key": "k"}),
        (theirs.delete_object, {"Key": "k"}),
        (theirs.list_objects_v2, {}),
        (theirs.delete_bucket, {}),
        (theirs.get_bucket_location, {}),
        (theirs.get_bucket_policy, {}),
        (theirs.put_bucket_policy, {"Policy": sts.document(to("*", "s3:*", arn(bucket, "*")))}),
        (theirs.get_bucket_versioning, {}),
        (theirs.get_object_attributes, {"Key": "k", "ObjectAttributes": ["ETag"]}),
    ]:
        assert refused(call, Bucket=bucket, **more) == DENIED, call
    assert bucket not in [found["Name"] for found in theirs.list_buckets()["Buckets"]]
    assert refused(theirs.create_bucket, Bucket=bucket) == ("BucketAlreadyExists", 409)
    assert refused(theirs.create_bucket, Bucket=bucket, ObjectLockEnabledForBucket=True) == ("BucketAlreadyExists", 409)
    assert body(s3, bucket, "k") == b"x"


def test_a_bucket_opens_itself_to_another_account(account, member, s3, theirs, bucket):
    sealed = shared_key(account, member)
    s3.put_object(Bucket=bucket, Key="in/k", Body=b"x", **sealed)
    s3.put_object(Bucket=bucket, Key="out/k", Body=b"x", **sealed)
    put_policy(
        s3,
        bucket,
        to(member.root, ["s3:GetObject", "s3:PutObject"], arn(bucket, "in/*")),
        to(member.number, "s3:ListBucket", arn(bucket)),
    )
    assert body(theirs, bucket, "in/k") == b"x" and keys(theirs, bucket) == ["in/k", "out/k"]
    assert refused(theirs.get_object, Bucket=bucket, Key="out/k") == DENIED
    theirs.put_object(Bucket=bucket, Key="in/new", Body=b"theirs", **sealed)
    # What others put belongs to the bucket's owner.
    assert body(s3, bucket, "in/new") == b"theirs"
    assert refused(theirs.put_object, Bucket=bucket, Key="in/new") == DENIED, "the account's own key is not theirs"
    # Their own administrator has to leave it to them too.
    nobody = caller(member)
    assert refused(nobody.get_object, Bucket=bucket, Key="in/k") == DENIED
    somebody = caller(member, allow("s3:GetObject", arn(bucket, "*")))
    assert body(somebody, bucket, "in/k") == b"x"
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(theirs.get_object, Bucket=bucket, Key="in/k") == DENIED


def test_an_object_is_not_read_by_leave_for_the_bucket_alone(account, member, s3, theirs, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    put_policy(s3, bucket, to(member.root, "s3:GetObject", arn(bucket, "*")))
    assert refused(theirs.get_object, Bucket=bucket, Key="k") == DENIED, "its key is the account's"


def test_a_role_of_the_account_needs_only_one_of_both(account, s3, bucket):
    role = account.caller_role(KEYS)
    reader = account.client(account.session(role), "s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(reader.get_object, Bucket=bucket, Key="k") == DENIED
    put_policy(s3, bucket, to(role, "s3:GetObject", arn(bucket, "k")))
    assert body(reader, bucket, "k") == b"x"
    put_policy(s3, bucket, to(role, "s3:GetObject", arn(bucket, "k")), to("*", "s3:*", arn(bucket, "*"), "Deny"))
    assert refused(reader.get_object, Bucket=bucket, Key="k") == DENIED
    assert refused(s3.get_object, Bucket=bucket, Key="k") == DENIED, "a refusal is for everybody"
    s3.delete_bucket_policy(Bucket=bucket)
    assert body(s3, bucket, "k") == b"x"


def test_several_are_deleted_each_by_its_own_leave(account, s3, bucket):
    for key in ("mine/1", "mine/2", "other/1"):
        s3.put_object(Bucket=bucket, Key=key)
    deleter = caller(account, allow("s3:DeleteObject", arn(bucket, "mine/*")))
    named = [{"Key": "mine/1"}, {"Key": "other/1"}, {"Key": "mine/2", "VersionId": "null"}]
    told = deleter.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert [found["Key"] for found in told["Deleted"]] == ["mine/1"]
    assert sorted((found["Key"], found["Code"]) for found in told["Errors"]) == [("mine/2", "AccessDenied"), ("other/1", "AccessDenied")]
    assert keys(s3, bucket) == ["mine/2", "other/1"]


@pytest.mark.parametrize(
    ("condition", "given", "wrong"),
    [
        ({"StringEquals": {"s3:prefix": "a/"}}, {"Prefix": "a/"}, {"Prefix": "b/"}),
        ({"StringLike": {"s3:prefix": ["a/*"]}}, {"Prefix": "a/b"}, {}),
        ({"StringEquals": {"s3:delimiter": "/"}}, {"Delimiter": "/"}, {"Delimiter": "-"}),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"MaxKeys": 10}, {"MaxKeys": 11}),
    ],
)
def test_conditions_on_lists(account, s3, bucket, condition, given, wrong):
    lister = caller(account, allow("s3:ListBucket", arn(bucket), Condition=condition))
    for call in (lister.list_objects_v2, lister.list_objects):
        call(Bucket=bucket, **given)
        assert refused(call, Bucket=bucket, **wrong) == DENIED


def test_conditions_on_tags(account, s3, bucket):
    s3.put_object(Bucket=bucket, Key="open", Body=b"x", Tagging="kind=open")
    s3.put_object(Bucket=bucket, Key="closed", Body=b"x", Tagging="kind=closed")
    condition = {"StringEquals": {"s3:ExistingObjectTag/kind": "open"}}
    reader = caller(account, allow("s3:GetObject", arn(bucket, "*"), Condition=condition))
    assert body(reader, bucket, "open") == b"x"
    assert refused(reader.get_object, Bucket=bucket, Key="closed") == DENIED
    s3.put_object_tagging(Bucket=bucket, Key="closed", Tagging={"TagSet": [{"Key": "kind", "Value": "open"}]})
    assert body(reader, bucket, "closed") == b"x"
    condition = {"StringEquals": {"s3:RequestObjectTag/kind": "open"}, "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["kind"]}}
    writer = caller(account, allow(["s3:PutObject", "s3:PutObjectTagging"], arn(bucket, "*"), Condition=condition))
    writer.put_object(Bucket=bucket, Key="new", Tagging="kind=open")
    for tags in ("kind=closed", "kind=open&more=1", ""):
        assert refused(writer.put_object, Bucket=bucket, Key="new", **({"Tagging": tags} if tags else {})) == DENIED, tags


def test_conditions_on_what_is_put(account, s3, bucket):
    put_policy(
        s3,
        bucket,
        to("*", "s3:PutObject", arn(bucket, "*"), "Deny", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}),
        to("*", "s3:*", [arn(bucket), arn(bucket, "*")], "Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    )
    assert refused(s3.put_object, Bucket=bucket, Key="k") == DENIED
    s3.put_object(Bucket=bucket, Key="k", ServerSideEncryption="aws:kms")


def test_a_bucket_for_one_organisation(account, member, s3, theirs, bucket):
    sealed = shared_key(account, member)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **sealed)
    organisation = account.client(service="organizations").describe_organization()["Organization"]["Id"]
    for of, expected in ((organisation, True), ("o-aaaaaaaaaa", False)):
        put_policy(s3, bucket, to("*", "s3:GetObject", arn(bucket, "*"), Condition={"StringEquals": {"aws:PrincipalOrgID": of}}))
        if expected:
            assert body(theirs, bucket, "k") == b"x"
            assert not s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
        else:
            assert refused(theirs.get_object, Bucket=bucket, Key="k") == DENIED


def test_the_owner_that_is_expected(account, member, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=account.number)
    for call, more in ((s3.get_object, {"Key": "k"}), (s3.put_object, {"Key": "k"}), (s3.list_objects_v2, {}), (s3.delete_object, {"Key": "k"})):
        assert refused(call, Bucket=bucket, ExpectedBucketOwner=member.number, **more) == DENIED, call
    source = {"CopySource": f"{bucket}/k", "Key": "c", "Bucket": bucket}
    assert refused(s3.copy_object, ExpectedSourceBucketOwner=member.number, **source) == DENIED
    assert keys(s3, bucket) == ["k"]


def test_public_policies_are_blocked_by_default(s3, bucket):
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == BLOCKED
    public = sts.document(to("*", "s3:GetObject", arn(bucket, "*")))
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=public) == DENIED
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**BLOCKED, "BlockPublicPolicy": False})
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(public)


def test_what_is_public_is_for_the_account_where_it_is_restricted(account, member, s3, theirs, bucket):
    sealed = shared_key(account, member)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **sealed)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**BLOCKED, "BlockPublicPolicy": False})
    put_policy(s3, bucket, to("*", "s3:GetObject", arn(bucket, "*")))
    assert refused(theirs.get_object, Bucket=bucket, Key="k") == DENIED
    s3.delete_public_access_block(Bucket=bucket)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert body(theirs, bucket, "k") == b"x"
    stranger = sts.client(account.moho, "s3", signature_version=sts.UNSIGNED)
    for call, more in ((stranger.get_object, {"Key": "k"}), (stranger.put_object, {"Key": "k"}), (stranger.list_objects_v2, {})):
        assert refused(call, Bucket=bucket, **more) == DENIED, "public or not, who asks shows who he is"
    assert refused(stranger.list_buckets) == DENIED
    with account.moho.http() as http:
        listed = http.get(f"/{bucket}?list-type=2")
        assert listed.status_code == 403 and "<Code>AccessDenied</Code>" in listed.text
        assert http.get(f"/{bucket}/k", headers={"host": "s3.moho.test"}).status_code == 403
        assert http.get(f"/{bucket}/k").status_code == 404, "nothing says that this is for S3"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "{}",
        "not json",
        '{"Version":"2012-10-17","Statement":[]}',
        sts.document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/*"}),
        sts.document(to("*", "s3:GetObject", "arn:aws:s3:::another-bucket/*")),
        sts.document(to("*", "s3:GetObject", "*")),
        sts.document(to("*", "kms:Decrypt", "arn:aws:s3:::BUCKET/*")),
        sts.document(to("not a principal", "s3:GetObject", "arn:aws:s3:::BUCKET/*")),
        sts.document(to("arn:aws:iam::ACCOUNT:role/Nobody", "s3:GetObject", "arn:aws:s3:::BUCKET/*")),
        sts.document(to("*", "s3:GetObject", "arn:aws:s3:::BUCKET/*", "Perhaps")),
        sts.document(*[to("*", "s3:GetObject", "arn:aws:s3:::BUCKET/*", "Deny", Sid=f"s{n}") for n in range(300)]),
    ],
    ids=range(12),
)
def test_policies_that_are_none(account, s3, bucket, wrong):
    wrong = wrong.replace("BUCKET", bucket).replace("ACCOUNT", account.number)
    told = refused(s3.put_bucket_policy, Bucket=bucket, Policy=wrong)
    if "principal" in wrong or "Nobody" in wrong:
        assert sts.refused(s3.put_bucket_policy, Bucket=bucket, Policy=wrong)[:2] == ("MalformedPolicy", "Invalid principal in policy")
    assert told.code in ("MalformedPolicy", "MissingRequestBodyError", "InvalidRequest") and told.status == 400, told
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
