"""Asking for every operation of S3: one whole request for each, about a bucket and what is in it.

The operations stand in `s3_operations.txt`, which a test of the s3 crate holds to the code. One that no request is known for fails
here until somebody says how to ask for it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

OPERATIONS = Path(__file__).parent / "s3_operations.txt"
TAGS = {"TagSet": [{"Key": "team", "Value": "blue"}]}


def s3_operations() -> list[str]:
    return [line for line in OPERATIONS.read_text().splitlines() if line and not line.startswith("#")]


@dataclass
class Shelf:
    """A bucket and the things in it that operations are about, by their names. None of them is content."""

    bucket: str
    key: str
    version: str = "null"
    upload: str = "none"
    # Bucket and key that a copy, or what is made anew, gets.
    other: str = "copies"

    def request(self, operation: str) -> dict:
        asked = self.requests()
        assert operation in asked, f"say how to ask for s3:{operation}"
        return asked[operation]

    def requests(self) -> dict[str, dict]:
        bucket = {"Bucket": self.bucket}
        item = bucket | {"Key": self.key}
        upload = item | {"UploadId": self.upload}
        source = {"CopySource": item}
        return self.of_the_bucket(bucket) | {
            "PutObject": item | {"Body": b"words"},
            "GetObject": item,
            "HeadObject": item,
            "DeleteObject": item,
            "DeleteObjects": bucket | {"Delete": {"Objects": [{"Key": self.key}]}},
            "CopyObject": bucket | {"Key": self.other} | source,
            "GetObjectAttributes": item | {"ObjectAttributes": ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]},
            "CreateMultipartUpload": item,
            "UploadPart": upload | {"PartNumber": 1, "Body": b"words"},
            "UploadPartCopy": upload | {"PartNumber": 2} | source,
            "CompleteMultipartUpload": upload | {"MultipartUpload": {"Parts": [{"ETag": "0" * 32, "PartNumber": 1}]}},
            "AbortMultipartUpload": upload,
            "ListParts": upload,
            "PutObjectTagging": item | {"Tagging": TAGS},
            "GetObjectTagging": item,
            "DeleteObjectTagging": item,
            "PutObjectRetention": item | {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": "2100-01-01T00:00:00Z"}},
            "GetObjectRetention": item,
            "PutObjectLegalHold": item | {"LegalHold": {"Status": "OFF"}},
            "GetObjectLegalHold": item,
            "GetObjectAcl": item,
            "PutObjectAcl": item | {"ACL": "private"},
            "RestoreObject": item | {"RestoreRequest": {"Days": 1}},
            "UpdateObjectEncryption": item | {"ObjectEncryption": {"SSEKMS": {"KMSKeyArn": "arn:aws:kms:us-east-1:111122223333:alias/any"}}},
        }

    def of_the_bucket(self, bucket: dict) -> dict[str, dict]:
        encrypted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]}
        block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
        expiry = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3650}}
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.bucket}/forbidden/*"}
        cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}]}
        reads = (
            *("HeadBucket", "GetBucketLocation", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"),
            *("GetBucketVersioning", "GetObjectLockConfiguration", "GetBucketPolicy", "GetBucketPolicyStatus", "GetPublicAccessBlock"),
            *("GetBucketEncryption", "GetBucketLogging", "GetBucketOwnershipControls", "GetBucketTagging", "GetBucketAcl"),
            *("GetBucketLifecycleConfiguration", "GetBucketNotificationConfiguration", "GetBucketCors", "GetBucketRequestPayment"),
            *("GetBucketAccelerateConfiguration", "GetBucketWebsite", "GetBucketReplication", "DeleteBucketPolicy", "DeleteBucket"),
            *("DeletePublicAccessBlock", "DeleteBucketEncryption", "DeleteBucketOwnershipControls", "DeleteBucketTagging"),
            *("DeleteBucketLifecycle", "DeleteBucketCors"),
        )
        return {name: bucket for name in reads} | {
            "ListBuckets": {},
            "CreateBucket": {"Bucket": self.other},
            "PutBucketVersioning": bucket | {"VersioningConfiguration": {"Status": "Enabled"}},
            "PutObjectLockConfiguration": bucket | {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
            "PutBucketPolicy": bucket | {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [deny]})},
            "PutPublicAccessBlock": bucket | {"PublicAccessBlockConfiguration": block},
            "PutBucketEncryption": bucket | {"ServerSideEncryptionConfiguration": encrypted},
            "PutBucketLogging": bucket | {"BucketLoggingStatus": {}},
            "PutBucketOwnershipControls": bucket | {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            "PutBucketTagging": bucket | {"Tagging": TAGS},
            "PutBucketLifecycleConfiguration": bucket | {"LifecycleConfiguration": {"Rules": [expiry]}},
            "PutBucketNotificationConfiguration": bucket | {"NotificationConfiguration": {}},
            "PutBucketAcl": bucket | {"ACL": "private"},
            "PutBucketCors": bucket | {"CORSConfiguration": cors},
        }
