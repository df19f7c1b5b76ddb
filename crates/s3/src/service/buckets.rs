//! Buckets: made, found, listed, deleted.

use http::StatusCode;
use moho_iam::action::s3;
use moho_iam::authz::Context;
use moho_store::objects::{BucketsRequest, NewBucket, ObjectError, Ownership};
use moho_terms::BucketName;
use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput,
    ListBucketsInput, ListBucketsOutput,
};
use s3s::{S3Error, S3Response};

use super::Replied;
use super::acl;
use crate::asking::{Asking, bucket_name};
use crate::told::{self, timestamp};
use crate::{failure, refusal};

/// Most buckets of one page.
const MOST: i32 = 10_000;

pub(super) fn create(asking: &Asking, input: &CreateBucketInput) -> Replied<CreateBucketOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let asked = input.create_bucket_configuration.as_ref();
    let place = asked.and_then(|asked| asked.location_constraint.as_ref());
    let tags = asking.tags_of_bucket();
    let mut context = asking.context();
    if let Some(place) = place {
        context = context.with("s3:LocationConstraint", place.as_str());
    }
    if let Some(ownership) = &input.object_ownership {
        context = context.with("s3:x-amz-object-ownership", ownership.as_str());
    }
    let context = told::request_tags(context, tags);
    let permit = asking.on_bucket::<s3::CreateBucket>(&bucket, &context)?;
    // All else that is asked for is about the bucket that is made, and not about one that has the name.
    if let Some(owner) = asking.bucket_owner(&bucket)? {
        return taken(asking, bucket, owner == asking.account());
    }
    if !tags.is_empty() {
        asking.on_bucket::<s3::TagResource>(&bucket, &context)?;
    }
    let object_lock = input.object_lock_enabled_for_bucket == Some(true);
    if object_lock {
        asking.on_bucket::<s3::PutBucketObjectLockConfiguration>(&bucket, &context)?;
        asking.on_bucket::<s3::PutBucketVersioning>(&bucket, &context)?;
    }
    if input.object_ownership.is_some() {
        asking.on_bucket::<s3::PutBucketOwnershipControls>(&bucket, &context)?;
    }
    check_place(asking, place)?;
    acl::check_bucket_headers(asking, input.acl.as_ref().map(s3s::dto::BucketCannedACL::as_str))?;
    let new = NewBucket {
        object_lock,
        ownership: input
            .object_ownership
            .as_ref()
            .map(|own| ownership(own.as_str()))
            .transpose()?,
        tags: tags.to_vec(),
    };
    let region = &asking.backing().region;
    let made = asking
        .store()
        .objects()
        .create_bucket(&permit, &new, region, asking.moment());
    match made {
        Ok(made) => Ok(created(&made.name)),
        Err(ObjectError::BucketAlreadyOwnedByYou(name)) => taken(asking, name, true),
        Err(error) => Err(refusal::from_object(&error)),
    }
}

fn created(name: &BucketName) -> S3Response<CreateBucketOutput> {
    S3Response::new(CreateBucketOutput {
        location: Some(format!("/{name}")),
    })
}

/// The name is a bucket's already. To make one's own again has always been all right in the oldest region, and nowhere else.
fn taken(asking: &Asking, name: BucketName, own: bool) -> Replied<CreateBucketOutput> {
    if own && asking.backing().region.as_str() == "us-east-1" {
        return Ok(created(&name));
    }
    let refused = if own {
        ObjectError::BucketAlreadyOwnedByYou(name)
    } else {
        ObjectError::BucketAlreadyExists(name)
    };
    Err(refusal::from_object(&refused))
}

/// There is one region, which a request may leave out.
fn check_place(asking: &Asking, place: Option<&BucketLocationConstraint>) -> Result<(), S3Error> {
    let region = asking.backing().region.as_str();
    match place.map(BucketLocationConstraint::as_str) {
        None | Some("") => Ok(()),
        // No location constraint is called so: to be there, a bucket has none.
        Some("us-east-1") => Err(failure::error(
            "InvalidLocationConstraint",
            StatusCode::BAD_REQUEST,
            "The specified location-constraint is not valid",
        )),
        Some(place) if place == region => Ok(()),
        Some(place) if is_region(place) => Err(failure::error(
            "IllegalLocationConstraintException",
            StatusCode::BAD_REQUEST,
            format!(
                "The {place} location constraint is incompatible for the region specific endpoint this request was sent to."
            ),
        )),
        Some(_) => Err(failure::error(
            "InvalidLocationConstraint",
            StatusCode::BAD_REQUEST,
            "The specified location-constraint is not valid",
        )),
    }
}

fn is_region(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text == "EU" || (text.len() <= 32 && text.contains('-') && text.bytes().all(fits))
}

pub(super) fn ownership(text: &str) -> Result<Ownership, S3Error> {
    match text {
        "BucketOwnerEnforced" => Ok(Ownership::BucketOwnerEnforced),
        "BucketOwnerPreferred" | "ObjectWriter" => Err(failure::not_implemented(
            "Access control lists are not implemented: the object ownership is BucketOwnerEnforced.",
        )),
        _ => Err(failure::malformed_xml()),
    }
}

pub(super) fn delete(asking: &Asking, input: &DeleteBucketInput) -> Replied<DeleteBucketOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::DeleteBucket>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let deleted = asking.store().objects().delete_bucket(&permit, asking.moment());
    deleted.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::with_status(
        DeleteBucketOutput {},
        StatusCode::NO_CONTENT,
    ))
}

pub(super) fn head(asking: &Asking, input: &HeadBucketInput) -> Replied<HeadBucketOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::ListBucket>(&bucket, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    Ok(S3Response::new(HeadBucketOutput {
        access_point_alias: Some(false),
        bucket_region: Some(bucket.region.as_str().to_owned()),
        ..HeadBucketOutput::default()
    }))
}

pub(super) fn location(asking: &Asking, input: &GetBucketLocationInput) -> Replied<GetBucketLocationOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetBucketLocation>(&bucket, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    // Who is told none reads us-east-1.
    let named = Some(bucket.region.as_str()).filter(|region| *region != "us-east-1");
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint: named.map(|region| BucketLocationConstraint::from(region.to_owned())),
    }))
}

pub(super) fn list(asking: &Asking, input: &ListBucketsInput) -> Replied<ListBucketsOutput> {
    let everything = moho_terms::Arn::of("s3", "", "", "*").map_err(|_never| failure::internal_error())?;
    let permit = asking.permit::<s3::ListAllMyBuckets>(&everything, &own_context(asking))?;
    let limit = input.max_buckets.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) {
        return Err(failure::invalid_argument(
            "Argument max-buckets must be an integer between 1 and 10000",
        ));
    }
    let token = input.continuation_token.as_deref().map(str::parse).transpose();
    let after = token
        .map_err(|_not_one| failure::invalid_argument("The continuation token provided is incorrect"))?;
    let asked = BucketsRequest {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        region: input.bucket_region.as_deref(),
        after: after.as_ref(),
        limit: usize::try_from(limit).unwrap_or(1),
    };
    let found = asking.store().objects().list_buckets(&permit, asked);
    let (buckets, more) = found.map_err(|error| refusal::from_object(&error))?;
    let last = buckets.last().map(|bucket| bucket.name.to_string());
    let shown = buckets.into_iter().map(|bucket| Bucket {
        bucket_region: Some(bucket.region.as_str().to_owned()),
        creation_date: Some(timestamp(bucket.created_at)),
        name: Some(bucket.name.to_string()),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(shown.collect()),
        continuation_token: last.filter(|_| more),
        owner: Some(told::owner(asking.account())),
        prefix: input.prefix.clone(),
    }))
}

/// What the caller has is its account's, whatever buckets there are.
fn own_context(asking: &Asking) -> Context {
    asking.context()
}
