//! Deleting objects, and versions of them.

use http::StatusCode;
use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_store::objects::{DeletePermit, Deleted, Deletion};
use moho_terms::VersionId;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error,
    ObjectIdentifier,
};
use s3s::{S3Error, S3Response};

use super::{Replied, reading};
use crate::asking::{Asking, NamedObject, bucket_name};
use crate::call::DeletionNote;
use crate::{failure, refusal};

/// Most objects of one request.
const MOST: usize = 1000;

/// Leave to delete, of what is current or of one version.
enum Leave {
    Current(Permit<s3::DeleteObject>),
    Version(Permit<s3::DeleteObjectVersion>, VersionId),
}

/// What is to be deleted, and the leave for it.
struct Allowed {
    leave: Leave,
    bypass: Option<Permit<s3::BypassGovernanceRetention>>,
    if_match: Option<String>,
}

impl Allowed {
    fn of(
        asking: &Asking,
        object: &NamedObject,
        bypass: bool,
        if_match: Option<String>,
    ) -> Result<Self, S3Error> {
        let context = asking.object_context(object);
        let leave = match &object.version {
            None => Leave::Current(asking.on_object(object, &context)?),
            Some(version) => Leave::Version(asking.on_object(object, &context)?, version.clone()),
        };
        let bypass = bypass.then(|| asking.on_object(object, &context)).transpose()?;
        Ok(Self {
            leave,
            bypass,
            if_match,
        })
    }

    fn deletion(&self) -> (DeletePermit<'_>, Deletion<'_>) {
        let permit = match &self.leave {
            Leave::Current(permit) => DeletePermit::Current(permit),
            Leave::Version(permit, version) => DeletePermit::Version(permit, version),
        };
        let deletion = Deletion {
            if_match: self.if_match.as_deref(),
            bypass: self.bypass.as_ref(),
        };
        (permit, deletion)
    }

    fn check_owner(&self, asking: &Asking) -> Result<(), S3Error> {
        match &self.leave {
            Leave::Current(permit) => asking.check_expected_owner(permit),
            Leave::Version(permit, _) => asking.check_expected_owner(permit),
        }
    }
}

pub(super) fn one(asking: &Asking, input: &DeleteObjectInput) -> Replied<DeleteObjectOutput> {
    if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
        return Err(failure::not_implemented(
            "A header you provided implies functionality that is not implemented",
        ));
    }
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let bypass = input.bypass_governance_retention == Some(true);
    let allowed = Allowed::of(asking, &object, bypass, input.if_match.as_ref().map(reading::tag))?;
    allowed.check_owner(asking)?;
    let (permit, deletion) = allowed.deletion();
    let deleted = asking.store().objects().delete(permit, deletion, asking.moment());
    let deleted = deleted.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::with_status(
        DeleteObjectOutput {
            delete_marker: deleted.delete_marker.then_some(true),
            version_id: deleted.version_id.map(|version| version.to_string()),
            request_charged: None,
        },
        StatusCode::NO_CONTENT,
    ))
}

/// Several, each decided for itself.
pub(super) fn several(asking: &Asking, input: &DeleteObjectsInput) -> Replied<DeleteObjectsOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let wanted = &input.delete.objects;
    if wanted.is_empty() || wanted.len() > MOST {
        return Err(failure::malformed_xml());
    }
    let bypass = input.bypass_governance_retention == Some(true);
    let mut errors = Vec::new();
    let mut allowed = Vec::new();
    // It may be decided again, and then all of it is.
    asking.notes().noted().deleted.clear();
    for named in wanted {
        let object = NamedObject::new(&input.bucket, &named.key, named.version_id.as_deref());
        let if_match = named.e_tag.as_ref().map(|tag| tag.value().to_owned());
        match object.and_then(|object| Allowed::of(asking, &object, bypass, if_match)) {
            Ok(leave) => allowed.push((named, leave)),
            Err(refused) => {
                note(asking, named, &Err(&refused));
                errors.push(told_error(named, &refused));
            }
        }
    }
    if let Some((_, first)) = allowed.first() {
        // Who may delete nothing does not hear whether there is such a bucket.
        asking.check_existing(&bucket)?;
        first.check_owner(asking)?;
    }
    let deletions: Vec<_> = allowed.iter().map(|(_, leave)| leave.deletion()).collect();
    let done = if deletions.is_empty() {
        Vec::new()
    } else {
        let done = asking.store().objects().delete_all(&deletions, asking.moment());
        done.map_err(|error| refusal::from_object(&error))?
    };
    let mut deleted = Vec::new();
    for ((named, _), done) in allowed.iter().zip(done) {
        match done {
            Ok(done) => {
                note(asking, named, &Ok(&done));
                deleted.push(told(named, done));
            }
            Err(error) => {
                let refused = refusal::from_object(&error);
                note(asking, named, &Err(&refused));
                errors.push(told_error(named, &refused));
            }
        }
    }
    let quiet = input.delete.quiet == Some(true);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted).filter(|deleted| !quiet && !deleted.is_empty()),
        errors: Some(errors).filter(|errors| !errors.is_empty()),
        request_charged: None,
    }))
}

/// Notes what came of one of several: a reply may be asked not to say so.
fn note(asking: &Asking, named: &ObjectIdentifier, done: &Result<&Deleted, &S3Error>) {
    let deleted = done.ok();
    asking.notes().noted().deleted.push(DeletionNote {
        key: named.key.clone(),
        named_version: named.version_id.clone(),
        version_id: deleted.and_then(|deleted| deleted.version_id.clone()),
        delete_marker: deleted.is_some_and(|deleted| deleted.delete_marker),
        error_code: done.err().map(|refused| refused.code().as_str().to_owned()),
        status: match done {
            Ok(_) => StatusCode::NO_CONTENT,
            Err(refused) => refused.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
        .as_u16(),
    });
}

fn told(named: &ObjectIdentifier, done: Deleted) -> DeletedObject {
    let marker = done
        .version_id
        .filter(|_| done.delete_marker)
        .map(|version| version.to_string());
    DeletedObject {
        delete_marker: done.delete_marker.then_some(true),
        delete_marker_version_id: marker,
        key: Some(named.key.clone()),
        version_id: named.version_id.clone(),
    }
}

fn told_error(named: &ObjectIdentifier, refused: &S3Error) -> Error {
    Error {
        code: Some(refused.code().as_str().to_owned()),
        key: Some(named.key.clone()),
        message: refused.message().map(str::to_owned),
        version_id: named.version_id.clone(),
    }
}
