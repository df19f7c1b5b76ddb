//! The tags of objects.

use moho_iam::action::s3;
use moho_iam::authz::Context;
use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput,
};
use s3s::{S3Error, S3Response};

use super::{Replied, settings};
use crate::asking::{Asking, NamedObject};
use crate::{failure, refusal, told};

pub(super) fn get(asking: &Asking, input: &GetObjectTaggingInput) -> Replied<GetObjectTaggingOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let context = asking.object_context(&object);
    let version = asking.find::<s3::GetObjectTagging, s3::GetObjectVersionTagging>(&object, &context)?;
    let version_id = version.told_version().map(ToString::to_string);
    let content = version.content.ok_or_else(failure::internal_error)?;
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: told::tags(content.tags),
        version_id,
    }))
}

pub(super) fn put(asking: &Asking, input: &PutObjectTaggingInput) -> Replied<PutObjectTaggingOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let tags = told::tags_read(&input.tagging.tag_set);
    let context = told::request_object_tags(asking.object_context(&object), &tags);
    let version_id = if object.version.is_none() {
        set::<s3::PutObjectTagging>(asking, &object, &context, &tags)?
    } else {
        set::<s3::PutObjectVersionTagging>(asking, &object, &context, &tags)?
    };
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(super) fn delete(
    asking: &Asking,
    input: &DeleteObjectTaggingInput,
) -> Replied<DeleteObjectTaggingOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let context = asking.object_context(&object);
    let version_id = if object.version.is_none() {
        set::<s3::DeleteObjectTagging>(asking, &object, &context, &[])?
    } else {
        set::<s3::DeleteObjectVersionTagging>(asking, &object, &context, &[])?
    };
    Ok(settings::no_content(DeleteObjectTaggingOutput { version_id }))
}

fn set<A: moho_store::objects::WritesTags>(
    asking: &Asking,
    object: &NamedObject,
    context: &Context,
    tags: &[(String, String)],
) -> Result<Option<String>, S3Error> {
    let permit = asking.on_object::<A>(object, context)?;
    asking.check_expected_owner(&permit)?;
    let set = asking
        .store()
        .objects()
        .set_tags(&permit, object.version.as_ref(), tags);
    let version = set.map_err(|error| refusal::from_object(&error))?;
    Ok(version.map(|version| version.to_string()))
}
