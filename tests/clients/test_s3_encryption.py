"""Under which key an object rests: the request's, else the bucket's, else the account's, and none that the caller may not use."""

import base64
import json
import os

import pytest
import sts
from journal import verified_entries
from kms_account import allow, granting, keeper, put_policy as put_key_policy
from s3_account import DENIED, INVALID, PART, Refused, arn, body, encryption_context, new_bucket, put_policy, refused

SSE = "aws:kms"
NOT_FOUND = Refused("KMS.NotFoundException", 400)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("encryption")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    return account.client(service="s3")


@pytest.fixture(scope="module")
def member(account):
    return account.member("other")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


def by(key: str | None = None, **more) -> dict:
    """What a request says of its key."""
    return {"ServerSideEncryption": SSE, **({"SSEKMSKeyId": key} if key else {}), **more}


def default(s3, bucket: str, key: str | None = None, bucket_key=True, algorithm=SSE) -> None:
    chosen = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    rule = {"ApplyServerSideEncryptionByDefault": chosen, "BucketKeyEnabled": bucket_key}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def test_a_new_bucket_has_a_default(account, s3, bucket):
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == SSE and rule["BucketKeyEnabled"]
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert put["ServerSideEncryption"] == SSE and put["BucketKeyEnabled"]
    key = account.kms.describe_key(KeyId=put["SSEKMSKeyId"])["KeyMetadata"]
    assert key["AWSAccountId"] == account.number and key["Enabled"]
    told = s3.head_object(Bucket=bucket, Key="k")
    assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == (SSE, put["SSEKMSKeyId"])


def test_a_key_is_chosen_by_every_name(account, s3, bucket):
    key = account.key()
    alias = account.alias(key)
    for name in (key, key.rsplit("/", 1)[1], alias, account.alias_arn(alias)):
        assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(name))["SSEKMSKeyId"] == key, name
        assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key
    assert body(s3, bucket, "k") == b"x"


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_the_key_decides_who_reads(account, s3, bucket, size):
    """Whoever may have the object and not the key has nothing, not even what is said of it."""
    content = os.urandom(size)
    key = account.key()
    s3.put_object(Bucket=bucket, Key="k", Body=content, **by(key))
    object_only = account.client(account.session(account.caller_role(allow("s3:*"))), "s3")
    for call in (object_only.get_object, object_only.put_object):
        assert refused(call, Bucket=bucket, Key="k", **(by(key) if call == object_only.put_object else {})) == DENIED
    assert refused(object_only.head_object, Bucket=bucket, Key="k").status == 403
    assert refused(object_only.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k") == DENIED
    reading = account.client(account.session(account.caller_role(allow("s3:*"), allow("kms:Decrypt", key))), "s3")
    assert body(reading, bucket, "k") == content
    assert refused(reading.put_object, Bucket=bucket, Key="k", **by(key)) == DENIED
    writing = account.client(account.session(account.caller_role(allow("s3:*"), allow("kms:GenerateDataKey", key))), "s3")
    writing.put_object(Bucket=bucket, Key="k", Body=b"new", **by(key))
    assert refused(writing.get_object, Bucket=bucket, Key="k") == DENIED


def test_keys_that_cannot_be_used(account, s3, bucket):
    key = account.key()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))
    account.kms.disable_key(KeyId=key)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("KMS.DisabledException", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", **by(key)) == ("KMS.DisabledException", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="k").status == 400
    account.kms.enable_key(KeyId=key)
    assert body(s3, bucket, "k") == b"x"
    account.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("KMS.KMSInvalidStateException", 400)
    # What is not read can be listed and deleted.
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    s3.delete_object(Bucket=bucket, Key="k")
    account.kms.cancel_key_deletion(KeyId=key)
    for spec, usage in (("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        other = account.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
        told = refused(s3.put_object, Bucket=bucket, Key="k", **by(other))
        assert told.code in ("KMS.UnsupportedOperationException", "KMS.InvalidKeyUsageException") and told.status == 400


@pytest.mark.parametrize("name", ["alias/absent", "0" * 36, "00000000-0000-0000-0000-000000000000", "not a key", "arn:aws:kms:x", "x" * 3000])
def test_keys_that_are_not_there(s3, bucket, name):
    told = refused(s3.put_object, Bucket=bucket, Key="k", **by(name))
    assert told in (NOT_FOUND, DENIED, INVALID), told
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_key_goes_with_its_algorithm(s3, account, bucket):
    key = account.key()
    for wrong in ({"SSEKMSKeyId": key}, {"SSEKMSKeyId": key, "ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "DES"}):
        assert refused(s3.put_object, Bucket=bucket, Key="k", **wrong) == INVALID
    assert refused(s3.put_object, Bucket=bucket, Key="k", ServerSideEncryption="aws:kms:dsse").status in (400, 501)
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256")
    assert put["ServerSideEncryption"] == "AES256" and "SSEKMSKeyId" not in put
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


def test_keys_that_customers_bring_are_refused(s3, bucket):
    brought = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    assert refused(s3.put_object, Bucket=bucket, Key="k", **brought) == DENIED
    assert refused(s3.create_multipart_upload, Bucket=bucket, Key="k", **brought) == DENIED
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.get_object, Bucket=bucket, Key="k", **brought) == ("InvalidRequest", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="k", **brought).status == 400
    assert refused(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["ETag"], **brought) == ("InvalidRequest", 400)


def test_a_bucket_has_its_key(account, s3, bucket):
    key, other = account.key(), account.key()
    default(s3, bucket, key)
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["SSEKMSKeyId"] == key
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by())["SSEKMSKeyId"] == key
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(other))["SSEKMSKeyId"] == other
    default(s3, bucket, other)
    assert s3.put_object(Bucket=bucket, Key="j", Body=b"y")["SSEKMSKeyId"] == other
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="l", Body=b"z")["SSEKMSKeyId"] not in (key, other)
    default(s3, bucket, algorithm="AES256", bucket_key=False)
    assert s3.put_object(Bucket=bucket, Key="m")["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize("rules", [[], [{}], [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "DES"}}]])
def test_defaults_that_are_none(s3, bucket, rules):
    told = refused(s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    assert told.status == 400 and told.code in ("MalformedXML", "InvalidArgument", "InvalidRequest")


def test_bucket_keys_and_contexts(account, s3, bucket):
    """A key policy says which objects it is for: by the bucket with bucket keys, else by the object."""
    with_bucket, with_object = account.key(), account.key()
    condition = {"kms:EncryptionContext:aws:s3:arn": arn(bucket)}
    allowed = [
        allow("s3:*"),
        allow("kms:*", with_bucket, Condition={"StringEquals": condition}),
        allow("kms:*", with_object, Condition={"StringEquals": {"kms:EncryptionContext:aws:s3:arn": arn(bucket, "k")}}),
    ]
    caller = account.client(account.session(account.caller_role(*allowed)), "s3")
    put = caller.put_object(Bucket=bucket, Key="any", Body=b"1", **by(with_bucket, BucketKeyEnabled=True))
    assert put["BucketKeyEnabled"] and body(caller, bucket, "any") == b"1"
    assert refused(caller.put_object, Bucket=bucket, Key="any", **by(with_bucket, BucketKeyEnabled=False)) == DENIED
    put = caller.put_object(Bucket=bucket, Key="k", Body=b"2", **by(with_object, BucketKeyEnabled=False))
    assert "BucketKeyEnabled" not in put and body(caller, bucket, "k") == b"2"
    assert refused(caller.put_object, Bucket=bucket, Key="other", **by(with_object, BucketKeyEnabled=False)) == DENIED


def test_a_callers_own_context(account, s3, bucket):
    key = account.key()
    condition = {"StringEquals": {"kms:EncryptionContext:tenant": "one"}}
    caller = account.client(account.session(account.caller_role(allow("s3:*"), allow("kms:*", key, Condition=condition))), "s3")
    told = by(key, BucketKeyEnabled=False)
    caller.put_object(Bucket=bucket, Key="k", Body=b"x", SSEKMSEncryptionContext=encryption_context(tenant="one"), **told)
    assert body(caller, bucket, "k") == b"x"
    assert refused(caller.put_object, Bucket=bucket, Key="k", SSEKMSEncryptionContext=encryption_context(tenant="two"), **told) == DENIED
    assert refused(caller.put_object, Bucket=bucket, Key="k", **told) == DENIED
    for wrong in ("no base 64", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"a":1}').decode()):
        assert refused(s3.put_object, Bucket=bucket, Key="k", SSEKMSEncryptionContext=wrong, **told) == INVALID


def test_the_key_is_used_by_way_of_s3(account, s3, bucket):
    key = account.key()
    region = account.region
    through = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
    role = account.caller_role(allow("s3:*"), allow("kms:*", key, Condition=through))
    caller = account.client(account.session(role), "s3")
    caller.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))
    assert body(caller, bucket, "k") == b"x"
    direct = account.client(account.session(role))
    assert sts.refused(direct.encrypt, KeyId=key, Plaintext=b"x").code == "AccessDeniedException"


def test_a_policy_refuses_other_keys(account, s3, bucket):
    key, other = account.key(), account.key()
    names = {"Principal": "*", "Action": "s3:PutObject", "Resource": arn(bucket, "*"), "Effect": "Deny"}
    put_policy(
        s3,
        bucket,
        {**names, "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key}}},
        {**names, "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}}},
    )
    s3.put_object(Bucket=bucket, Key="k", **by(key))
    s3.put_object(Bucket=bucket, Key="k", **by(account.alias(key)))
    for wrong in (by(other), by(), {}, {"ServerSideEncryption": "AES256"}):
        assert refused(s3.put_object, Bucket=bucket, Key="k", **wrong) == DENIED
        assert refused(s3.create_multipart_upload, Bucket=bucket, Key="k", **wrong) == DENIED
        assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k", **wrong) == DENIED


def test_another_accounts_key(account, member, s3, bucket):
    key = member.key()
    assert refused(s3.put_object, Bucket=bucket, Key="k", **by(key)) == DENIED
    usable = ["kms:GenerateDataKey", "kms:Decrypt"]
    put_key_policy(member.kms, key, granting(member.root, "kms:*"), granting(account.root, usable))
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))["SSEKMSKeyId"] == key
    assert body(s3, bucket, "k") == b"x"
    put_key_policy(member.kms, key, granting(member.root, "kms:*"))
    assert refused(s3.get_object, Bucket=bucket, Key="k") == DENIED
    absent = key[:-12] + "0" * 12
    assert refused(s3.put_object, Bucket=bucket, Key="k", **by(absent)) == DENIED, "whether it is there is not told"


def test_parts_are_under_one_key(account, s3, bucket):
    key = account.key()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", **by(key))
    assert upload["SSEKMSKeyId"] == key
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    first = s3.upload_part(PartNumber=1, Body=b"a" * PART, **names)
    assert first["SSEKMSKeyId"] == key
    account.kms.disable_key(KeyId=key)
    assert refused(s3.upload_part, PartNumber=2, Body=b"b", **names) == ("KMS.DisabledException", 400)
    account.kms.enable_key(KeyId=key)
    second = s3.upload_part(PartNumber=2, Body=b"b", **names)
    parts = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate((first, second), 1)]
    assert s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **names)["SSEKMSKeyId"] == key
    told = s3.get_object(Bucket=bucket, Key="k")
    assert told["SSEKMSKeyId"] == key and told["Body"].read() == b"a" * PART + b"b"


def test_a_copy_is_under_its_own_key(account, s3, bucket):
    first, second = account.key(), account.key()
    s3.put_object(Bucket=bucket, Key="k", Body=b"words", **by(first))
    copied = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", **by(second))
    assert copied["SSEKMSKeyId"] == second
    # A copy of an object to itself is how its key is changed.
    assert s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", **by(second))["SSEKMSKeyId"] == second
    account.kms.disable_key(KeyId=first)
    assert body(s3, bucket, "k") == b"words" and body(s3, bucket, "c") == b"words"


def test_a_rotated_key_opens_what_it_sealed(account, s3, bucket):
    key = account.key()
    s3.put_object(Bucket=bucket, Key="old", Body=b"old", **by(key))
    account.kms.rotate_key_on_demand(KeyId=key)
    s3.put_object(Bucket=bucket, Key="new", Body=b"new", **by(key))
    assert (body(s3, bucket, "old"), body(s3, bucket, "new")) == (b"old", b"new")


def test_the_journal_says_which_keys_were_used(account, s3, bucket):
    key = account.key()
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))
    got = s3.get_object(Bucket=bucket, Key="k")
    entries = verified_entries(account.moho.data)
    for answer, action in ((put, "kms:GenerateDataKey"), (got, "kms:Decrypt")):
        of_request = [entry for entry in entries if entry["request_id"] == answer["ResponseMetadata"]["RequestId"]]
        assert any(action in json.dumps(entry) and key in json.dumps(entry) for entry in of_request), (action, of_request)
