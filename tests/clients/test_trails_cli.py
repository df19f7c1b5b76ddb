"""CloudTrail with the AWS CLI: a trail as an administrator makes it, and `validate-logs`, which passes on what was delivered and
fails when anything of it was touched.
"""

import gzip
import json
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

import serving
import trailing

ARGUMENTS = ("--audit-delivery-seconds", "1", "--audit-digest-seconds", "2")
BUCKET = "cli-logs"
TRAIL = "cli-trail"
WATCHED = "cli-watched"


class Desk:
    """An administrator at a terminal, with a trail that has delivered some log files and digests."""

    def __init__(self, server, folder):
        self.server = server
        self.environment = server.aws_environment(folder, server.credentials("Admin"))
        self.s3, self.kms = server.boto3("s3", "Admin"), server.boto3("kms", "Admin")
        self.account = server.boto3("sts", "Admin").get_caller_identity()["Account"]
        self.arn = f"arn:aws:cloudtrail:{server.credentials('Admin').region}:{self.account}:trail/{TRAIL}"
        self.started = datetime.now(UTC) - timedelta(minutes=2)

    def aws(self, *arguments) -> subprocess.CompletedProcess:
        command = ["aws", "cloudtrail", *map(str, arguments)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def done(self, *arguments) -> dict:
        finished = self.aws(*arguments, "--output", "json")
        assert finished.returncode == 0, (arguments, finished.stderr)
        return json.loads(finished.stdout or "{}")

    def validated(self, arn: str | None = None) -> tuple[int, str]:
        """The end of `validate-logs`, and what it says."""
        start = self.started.strftime("%Y-%m-%dT%H:%M:%SZ")
        finished = self.aws("validate-logs", "--trail-arn", arn or self.arn, "--start-time", start, "--verbose")
        return finished.returncode, finished.stdout + finished.stderr

    def named(self) -> set[str]:
        digests = trailing.digests(self.s3, BUCKET)
        return {log["s3Object"] for key in digests for log in trailing.read(self.s3, BUCKET, key)["logFiles"]}

    def copy(self, key: str) -> dict:
        found = self.s3.get_object(Bucket=BUCKET, Key=key)
        return {"Bucket": BUCKET, "Key": key, "Body": found["Body"].read(), "Metadata": found["Metadata"]}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trails-cli")
    server = serving.Moho(folder / "data", models={}, arguments=ARGUMENTS)
    try:
        desk = Desk(server.start(), folder)
        trailing.open_bucket(desk.s3, desk.kms, BUCKET, f"AWSLogs/{desk.account}", desk.arn)
        made = desk.done("create-trail", "--name", TRAIL, "--s3-bucket-name", BUCKET, "--enable-log-file-validation")
        assert made["TrailARN"] == desk.arn and made["LogFileValidationEnabled"]
        desk.s3.create_bucket(Bucket=WATCHED)
        resources = [{"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{WATCHED}/"]}]
        selectors = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": resources}]
        desk.done("put-event-selectors", "--trail-name", TRAIL, "--event-selectors", json.dumps(selectors))
        desk.done("start-logging", "--name", TRAIL)
        for round in range(3):
            desk.s3.put_object(Bucket=WATCHED, Key=str(round), Body=b"x")
            trailing.until(lambda: len(trailing.logs(desk.s3, BUCKET)) > round)
        status = desk.done("get-trail-status", "--name", TRAIL)
        assert status["IsLogging"] and status["LatestDeliveryTime"]
        # From here on nothing more is delivered, so that every test finds the same.
        desk.done("stop-logging", "--name", TRAIL)
        trailing.until(lambda: desk.named() == set(trailing.logs(desk.s3, BUCKET)))
        digests = 0
        while digests != (digests := len(trailing.digests(desk.s3, BUCKET))):
            time.sleep(3)
        yield desk
        server.assert_unharmed()
    finally:
        server.end()


def test_what_was_delivered_is_valid(desk):
    code, told = desk.validated()
    logs, digests = len(trailing.logs(desk.s3, BUCKET)), len(trailing.digests(desk.s3, BUCKET))
    assert code == 0, told
    assert f"{digests}/{digests} digest files valid" in told
    assert f"{logs}/{logs} log files valid" in told
    assert logs >= 3 and digests >= 2


def test_a_trail_is_described(desk):
    assert desk.done("describe-trails")["trailList"][0]["TrailARN"] == desk.arn
    assert desk.done("get-trail", "--name", TRAIL)["Trail"]["S3BucketName"] == BUCKET
    assert desk.done("list-public-keys")["PublicKeyList"]
    events = desk.done("lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateBucket")
    assert WATCHED in json.dumps(events)


def test_a_log_file_that_was_altered_is_found(desk):
    kept = desk.copy(sorted(trailing.logs(desk.s3, BUCKET))[0])
    plain = json.loads(gzip.decompress(kept["Body"]))
    plain["Records"][0]["eventName"] = "GetObject"
    desk.s3.put_object(**(kept | {"Body": gzip.compress(json.dumps(plain).encode())}))
    code, told = desk.validated()
    assert code == 1 and "INVALID: hash value doesn't match" in told, told
    # Another record in it is found alike.
    plain = json.loads(gzip.decompress(kept["Body"]))
    plain["Records"].append(plain["Records"][0])
    desk.s3.put_object(**(kept | {"Body": gzip.compress(json.dumps(plain).encode())}))
    assert desk.validated()[0] == 1
    desk.s3.put_object(**kept)
    assert desk.validated()[0] == 0


def test_a_log_file_that_was_removed_is_missed(desk):
    kept = desk.copy(sorted(trailing.logs(desk.s3, BUCKET))[-1])
    desk.s3.delete_object(Bucket=BUCKET, Key=kept["Key"])
    code, told = desk.validated()
    assert code == 1 and "INVALID: not found" in told, told
    desk.s3.put_object(**kept)
    assert desk.validated()[0] == 0


@pytest.mark.parametrize("which", [0, -2])
def test_a_digest_that_was_altered_is_found(desk, which):
    kept = desk.copy(sorted(trailing.digests(desk.s3, BUCKET))[which])
    plain = json.loads(gzip.decompress(kept["Body"]))
    plain["logFiles"] = plain["logFiles"][1:] or [{"s3Bucket": BUCKET, "s3Object": "x", "hashValue": "0" * 64, "hashAlgorithm": "SHA-256"}]
    desk.s3.put_object(**(kept | {"Body": gzip.compress(json.dumps(plain).encode())}))
    code, told = desk.validated()
    assert code == 1 and "INVALID" in told, told
    desk.s3.put_object(**kept)
    assert desk.validated()[0] == 0


def test_a_digest_that_was_removed_is_missed(desk):
    kept = desk.copy(sorted(trailing.digests(desk.s3, BUCKET))[0])
    desk.s3.delete_object(Bucket=BUCKET, Key=kept["Key"])
    code, told = desk.validated()
    assert code == 1 and "INVALID" in told, told
    desk.s3.put_object(**kept)
    assert desk.validated()[0] == 0


def test_a_digest_of_ones_own_making_is_not_believed(desk):
    """Whoever writes a digest of their own cannot sign it."""
    keys = sorted(trailing.digests(desk.s3, BUCKET))
    kept = desk.copy(keys[-1])
    plain = json.loads(gzip.decompress(kept["Body"]))
    plain["logFiles"] = []
    forged = kept | {"Body": gzip.compress(json.dumps(plain).encode())}
    forged["Metadata"] = {"signature": "00" * 256, "signature-algorithm": "SHA256withRSA"}
    desk.s3.put_object(**forged)
    code, told = desk.validated()
    assert code == 1 and "signature verification failed" in told, told
    desk.s3.put_object(**kept)
    assert desk.validated()[0] == 0


def test_a_chain_whose_bucket_is_gone_is_valid_in_the_next_one(desk):
    arn = desk.arn.removesuffix(TRAIL) + "moving"
    for bucket in ("moving-first", "moving-next"):
        trailing.open_bucket(desk.s3, desk.kms, bucket, f"AWSLogs/{desk.account}", arn)
    desk.done("create-trail", "--name", "moving", "--s3-bucket-name", "moving-first", "--enable-log-file-validation")
    # Nothing but digests is delivered: one of them waits.
    resources = [{"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{WATCHED}/"]}]
    selectors = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": False, "DataResources": resources}]
    desk.done("put-event-selectors", "--trail-name", "moving", "--event-selectors", json.dumps(selectors))
    desk.done("start-logging", "--name", "moving")
    trailing.until(lambda: len(trailing.digests(desk.s3, "moving-first")) > 1)
    desk.s3.delete_bucket_policy(Bucket="moving-first")
    status = lambda: desk.done("get-trail-status", "--name", "moving").get("LatestDigestDeliveryError")
    trailing.until(lambda: status() == "AccessDenied")
    for key in trailing.keys(desk.s3, "moving-first"):
        desk.s3.delete_object(Bucket="moving-first", Key=key)
    desk.s3.delete_bucket(Bucket="moving-first")
    trailing.until(lambda: status() == "NoSuchBucket")
    desk.s3.put_object(Bucket=WATCHED, Key="moving", Body=b"x")
    desk.done("update-trail", "--name", "moving", "--s3-bucket-name", "moving-next")
    trailing.until(lambda: len(trailing.digests(desk.s3, "moving-next")) > 2)
    desk.done("stop-logging", "--name", "moving")
    code, told = desk.validated(arn)
    assert code == 0, told
    assert "INVALID" not in told and "1/1 log files valid" in told, told
    desk.done("delete-trail", "--name", "moving")
