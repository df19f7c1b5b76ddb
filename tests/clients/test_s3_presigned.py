"""URLs that boto3 presigns for S3: they do what they were made for, for as long as they say, and nothing else."""

import datetime
import urllib.parse

import pytest
import sts
from kms_account import allow, keeper
from s3_account import body, keys, md5, new_bucket
from signing import clock_moved, replaced

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with keeper(tmp_path_factory.mktemp("presigned")) as account:
        yield account


@pytest.fixture(scope="module")
def s3(account):
    """As it is set up to presign by version 4."""
    return sts.client(account.moho, "s3", signature_version="s3v4")


@pytest.fixture
def bucket(s3) -> str:
    return new_bucket(s3)


@pytest.fixture(scope="module")
def http(account):
    with account.moho.http() as http:
        yield http


def url(s3, method: str, seconds=60, **parameters) -> str:
    return s3.generate_presigned_url(method, Params=parameters, ExpiresIn=seconds)


def code(answer) -> tuple[str, int]:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0], answer.status_code


@pytest.mark.parametrize("key", ["k", "a b/ü+%25&=?#.txt", "//x"])
def test_reading_and_writing(s3, http, bucket, key):
    content = b"words" * 50_000
    assert http.put(url(s3, "put_object", Bucket=bucket, Key=key), content=content).status_code == 200
    assert body(s3, bucket, key) == content
    read = url(s3, "get_object", Bucket=bucket, Key=key)
    assert http.get(read).content == content
    part = http.get(read, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"ord")
    assert http.head(url(s3, "head_object", Bucket=bucket, Key=key)).headers["content-length"] == str(len(content))
    assert http.delete(url(s3, "delete_object", Bucket=bucket, Key=key)).status_code == 204
    assert keys(s3, bucket) == []


def test_lists_and_documents(s3, http, bucket):
    s3.put_object(Bucket=bucket, Key="a/k")
    answer = http.get(url(s3, "list_objects_v2", Bucket=bucket, Prefix="a/", Delimiter="/"))
    assert answer.status_code == 200 and "<Key>a/k</Key>" in answer.text
    assert http.get(url(s3, "list_buckets")).status_code == 200
    assert http.get(url(s3, "get_bucket_versioning", Bucket=bucket)).status_code == 200


def test_parts(s3, http, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etag = http.put(url(s3, "upload_part", PartNumber=1, **names), content=b"part").headers["etag"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}, **names)
    assert body(s3, bucket, "k") == b"part"


def test_what_the_reply_is_to_say(s3, http, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/x")
    said = {"ResponseContentType": "text/plain", "ResponseContentDisposition": 'attachment; filename="a b.txt"'}
    made = url(s3, "get_object", Bucket=bucket, Key="k", **said)
    answer = http.get(made)
    assert answer.headers["content-type"] == "text/plain" and answer.headers["content-disposition"] == said["ResponseContentDisposition"]
    assert code(http.get(made.replace("text%2Fplain", "text%2Fhtml"))) == ("SignatureDoesNotMatch", 403)


def test_a_version(s3, http):
    bucket = new_bucket(s3, versioned=True)
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    made = url(s3, "get_object", Bucket=bucket, Key="k", VersionId=first)
    assert http.get(made).content == b"first"
    assert code(http.get(made.replace(f"versionId={first}&", ""))) == ("SignatureDoesNotMatch", 403)


def test_a_url_is_for_one_thing(s3, http, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="l", Body=b"y")
    made = url(s3, "get_object", Bucket=bucket, Key="k")
    signature = urllib.parse.parse_qs(made.partition("?")[2])["X-Amz-Signature"][0]
    mismatch = ("SignatureDoesNotMatch", 403)
    for other in (made.replace("/k?", "/l?"), made + "&acl", made + "&x-id=x", made.replace(signature, replaced(signature, 3))):
        assert code(http.get(other)) == mismatch, other
    assert http.delete(made).status_code == 403 and http.put(made, content=b"z").status_code == 403
    assert body(s3, bucket, "k") == b"x"


def test_how_long(s3, http, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with clock_moved(-100 * SECOND):
        over, live = (url(s3, "get_object", Bucket=bucket, Key="k", seconds=seconds) for seconds in (60, 600))
    assert code(http.get(over)) == ("AccessDenied", 403) and "Request has expired" in http.get(over).text
    assert http.get(live).status_code == 200
    assert http.get(url(s3, "get_object", Bucket=bucket, Key="k", seconds=604_800)).status_code == 200
    for seconds in (604_801, 0, -1):
        told = code(http.get(url(s3, "get_object", Bucket=bucket, Key="k", seconds=seconds)))
        assert told[0] in ("AuthorizationQueryParametersError", "AccessDenied") and told[1] in (400, 403), (seconds, told)


def test_headers_that_are_signed_have_to_come(s3, http, bucket):
    sealed = {"ServerSideEncryption": "aws:kms", "Metadata": {"a": "b"}, "ContentMD5": md5(b"x")}
    made = url(s3, "put_object", Bucket=bucket, Key="k", **sealed)
    headers = {"x-amz-server-side-encryption": "aws:kms", "x-amz-meta-a": "b", "Content-MD5": md5(b"x")}
    assert http.put(made, content=b"x").status_code in (400, 403)
    assert http.put(made, content=b"x", headers={**headers, "x-amz-meta-a": "c"}).status_code == 403
    assert http.put(made, content=b"y", headers=headers).status_code == 400, "the digest is another's"
    assert http.put(made, content=b"x", headers=headers).status_code == 200
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"a": "b"}
    # One that was not signed must not come: it would be anybody's.
    plain = url(s3, "put_object", Bucket=bucket, Key="k")
    told = http.put(plain, content=b"x", headers={"x-amz-meta-b": "c"})
    assert code(told) == ("AccessDenied", 403) and "There were headers present in the request which were not signed" in told.text


def test_a_url_may_what_its_maker_may(account, s3, http, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    role = account.caller_role(allow("s3:GetObject"), allow("kms:*"))
    maker = sts.client(account.moho, "s3", account.session(role), signature_version="s3v4")
    read, write = url(maker, "get_object", Bucket=bucket, Key="k"), url(maker, "put_object", Bucket=bucket, Key="k")
    assert http.get(read).status_code == 200
    assert code(http.put(write, content=b"y")) == ("AccessDenied", 403)
    account.iam.delete_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyName="allowed")
    assert code(http.get(read)) == ("AccessDenied", 403), "what the maker may no more, it may no more"


def test_policies_know_a_url(account, s3, http, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refusing = allow("s3:GetObject", effect="Deny", Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}})
    role = account.caller_role(allow("s3:*"), allow("kms:*"), refusing)
    maker = sts.client(account.moho, "s3", account.session(role), signature_version="s3v4")
    assert body(maker, bucket, "k") == b"x"
    assert code(http.get(url(maker, "get_object", Bucket=bucket, Key="k"))) == ("AccessDenied", 403)


def test_forms_are_not_taken(s3, account, bucket):
    made = s3.generate_presigned_post(bucket, "k")
    with account.moho.http() as http:
        answer = http.post(made["url"], data=made["fields"], files={"file": b"x"})
    assert answer.status_code in (403, 404, 501)
    assert keys(s3, bucket) == []
