//! Access control lists: there are none but the owner's full control, as in every bucket whose object ownership is
//! enforced. What asks for another is refused as S3 refuses it there.

use http::StatusCode;
use moho_iam::action::s3;
use s3s::dto::{
    AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput, GetObjectAclOutput, Grant,
    Grantee, Permission, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput, Type,
};
use s3s::{S3Error, S3Response};

use super::Replied;
use crate::asking::{Asking, NamedObject, bucket_name};
use crate::{failure, refusal, told};

const GRANTS: [&str; 5] = [
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
];

fn not_supported() -> S3Error {
    failure::error(
        "AccessControlListNotSupported",
        StatusCode::BAD_REQUEST,
        "The bucket does not allow ACLs",
    )
}

/// Refuses what headers of a request that makes a bucket say about access.
pub(super) fn check_bucket_headers(asking: &Asking, canned: Option<&str>) -> Result<(), S3Error> {
    let granted = GRANTS.iter().any(|header| asking.headers().contains_key(*header));
    match canned {
        _ if granted => Err(refused_at_creation()),
        None | Some("private") => Ok(()),
        Some(_) => Err(refused_at_creation()),
    }
}

fn refused_at_creation() -> S3Error {
    failure::error(
        "InvalidBucketAclWithObjectOwnership",
        StatusCode::BAD_REQUEST,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    )
}

/// Refuses what headers of a request that writes an object say about access.
pub(super) fn check_object_headers(asking: &Asking) -> Result<(), S3Error> {
    let granted = GRANTS.iter().any(|header| asking.headers().contains_key(*header));
    match asking.header("x-amz-acl") {
        _ if granted => Err(not_supported()),
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(not_supported()),
    }
}

/// Refuses a list that grants anybody but the owner something.
fn check_list(list: Option<&AccessControlPolicy>, owner: &str) -> Result<(), S3Error> {
    let is_owners = |grant: &Grant| {
        let whole = grant
            .permission
            .as_ref()
            .is_some_and(|p| p.as_str() == Permission::FULL_CONTROL);
        let id = grant.grantee.as_ref().and_then(|grantee| grantee.id.as_deref());
        whole && id == Some(owner)
    };
    let grants = list.and_then(|list| list.grants.as_ref());
    if grants.is_none_or(|grants| grants.iter().all(is_owners)) {
        Ok(())
    } else {
        Err(not_supported())
    }
}

fn of_owner(id: &str) -> Vec<Grant> {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: Some(id.to_owned()),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    vec![Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}

pub(super) fn get_of_bucket(asking: &Asking, input: &GetBucketAclInput) -> Replied<GetBucketAclOutput> {
    let permit = asking.on_bucket::<s3::GetBucketAcl>(&bucket_name(&input.bucket)?, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    Ok(S3Response::new(GetBucketAclOutput {
        grants: Some(of_owner(&told::canonical_id(bucket.owner))),
        owner: Some(told::owner(bucket.owner)),
    }))
}

pub(super) fn put_of_bucket(asking: &Asking, input: &PutBucketAclInput) -> Replied<PutBucketAclOutput> {
    let permit = asking.on_bucket::<s3::PutBucketAcl>(&bucket_name(&input.bucket)?, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    check_object_headers(asking)?;
    check_list(
        input.access_control_policy.as_ref(),
        &told::canonical_id(bucket.owner),
    )?;
    Ok(S3Response::new(PutBucketAclOutput {}))
}

pub(super) fn get_of_object(asking: &Asking, input: &GetObjectAclInput) -> Replied<GetObjectAclOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let context = asking.object_context(&object);
    let (bucket, found) = if object.version.is_none() {
        let permit = asking.on_object::<s3::GetObjectAcl>(&object, &context)?;
        (
            asking.bucket(&permit)?,
            asking.store().objects().find(&permit, None),
        )
    } else {
        let permit = asking.on_object::<s3::GetObjectVersionAcl>(&object, &context)?;
        let found = asking.store().objects().find(&permit, object.version.as_ref());
        (asking.bucket(&permit)?, found)
    };
    found.map_err(|error| asking.not_found(&object, &error))?;
    Ok(S3Response::new(GetObjectAclOutput {
        grants: Some(of_owner(&told::canonical_id(bucket.owner))),
        owner: Some(told::owner(bucket.owner)),
        request_charged: None,
    }))
}

pub(super) fn put_of_object(asking: &Asking, input: &PutObjectAclInput) -> Replied<PutObjectAclOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let context = asking.object_context(&object);
    let (bucket, found) = if object.version.is_none() {
        let permit = asking.on_object::<s3::PutObjectAcl>(&object, &context)?;
        (
            asking.bucket(&permit)?,
            asking.store().objects().find(&permit, None),
        )
    } else {
        let permit = asking.on_object::<s3::PutObjectVersionAcl>(&object, &context)?;
        let found = asking.store().objects().find(&permit, object.version.as_ref());
        (asking.bucket(&permit)?, found)
    };
    found.map_err(|error| refusal::from_object(&error))?;
    check_object_headers(asking)?;
    check_list(
        input.access_control_policy.as_ref(),
        &told::canonical_id(bucket.owner),
    )?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}
