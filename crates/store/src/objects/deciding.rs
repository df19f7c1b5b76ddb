//! What decisions read of buckets and objects: whose a bucket is, what its policy says, and the tags of objects. Nobody is
//! told any of it but through a decision.

use std::sync::Arc;

use moho_iam::Session;
use moho_iam::action::{Action, s3};
use moho_iam::authz::{Attached, Permit, Policies, ResourceFacts};
use moho_iam::policy::{PolicyDocument, PolicyKind, named_principals};
use moho_terms::{AccountId, Arn, BucketName, ObjectKey, VersionId};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::error::Found;
use super::rows::{SqliteRows, VersionRow};
use super::within::{Within, incomplete};
use super::{DocumentKind, ObjectError, ObjectRows, Objects, ReadsDocument, bucket_of, existing, tags};
use crate::Store;
use crate::error::StoreError;
use crate::iam::bound::{Bound, Known, has_id, is_service, known_principal, shown};
use crate::keys::decided_by;

/// Under which condition key a permit tells what was read of an object's tags.
const TAGS_READ: &str = "s3:ExistingObjectTag/";

/// What S3 says of somebody who is not there.
const NOBODY: &str = "Invalid principal in policy";

impl Store {
    /// Binds what is done with a bucket or what is in it, if it is there: by its owner, its tags and its policy. A public
    /// policy that is restricted lets in nobody of another account.
    pub(crate) fn bind_bucket(
        &self,
        policies: &mut Policies,
        (action, resource): (&str, &Arn),
        session: &Session,
    ) -> Result<(), StoreError> {
        // Whoever makes a bucket makes one of their own: what has the name already has no say in it.
        if action == s3::CreateBucket::NAME {
            return Ok(());
        }
        let Some(bucket) = resource.bucket() else {
            return Ok(());
        };
        let Some(facts) = self.bucket_facts(&bucket)? else {
            return Ok(());
        };
        let own = facts.owner == session.account();
        if let Some(policy) = &facts.policy {
            let restricted = facts.public_access.restrict_public_buckets && policy.is_public();
            if own || !restricted {
                policies.resource = Some(Attached::new(
                    format!("arn:aws:s3:::{bucket}"),
                    Arc::clone(policy),
                ));
            }
        }
        if !self.guard_owned(policies, facts.owner)? {
            // Its owner is somebody else than whoever asks, though nobody of that account is there any more.
            let facts = ResourceFacts {
                account: Some(facts.owner),
                unique_id: Some(facts.id.unique()),
                ..ResourceFacts::default()
            };
            policies.resource_facts = Arc::new(facts);
            return Ok(());
        }
        let known = Arc::make_mut(&mut policies.resource_facts);
        known.unique_id = Some(facts.id.unique());
        // Conditions ask for the tags of the bucket itself, not of what is in it.
        let whole = !resource.resource().contains('/');
        if whole && !facts.tags.is_empty() {
            known.tags = facts.tags.clone();
        }
        Ok(())
    }

    /// The tags that conditions ask about of an object; none of one that is not there. They are for decisions alone: who is
    /// refused must not be told more than that. Beside them, under the key that no tag has, is all that was read: by that
    /// whoever acts by the decision sees whether it was about what is there then.
    ///
    /// # Errors
    /// [`ObjectError::Store`] if that cannot be said.
    pub fn tags_in_decisions(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        version: Option<&VersionId>,
    ) -> Result<Vec<(String, String)>, ObjectError> {
        let found = self.database.look(|connection| {
            let rows = SqliteRows::checked_by(&self.database, connection);
            let Some(bucket) = rows.bucket(bucket.as_str())? else {
                return Ok(None);
            };
            let within = Within::of(&rows, &bucket, key);
            let (_, row) = within.meant(version)?;
            Ok(row.content.and_then(|content| content.sealed.tags))
        });
        let kept = match found {
            Ok(kept) => kept,
            Err(failed @ (ObjectError::Store(_) | ObjectError::Kms(_))) => return Err(failed),
            Err(_not_there) => None,
        };
        let mut told = tags::read(kept.as_deref())?;
        told.push((String::new(), kept.unwrap_or_default()));
        Ok(told)
    }
}

/// What a decision about an object has read of its tags, if it has.
pub(super) struct Decided(Option<String>);

impl Decided {
    /// What the decision had read that a permit rests on.
    pub(super) fn by<A: Action>(permit: &Permit<A>) -> Self {
        let read = permit.context().get(TAGS_READ);
        Self(read.and_then(|values| values.first().cloned()))
    }

    /// Whether it has read anything.
    pub(super) fn has_read(&self) -> bool {
        self.0.is_some()
    }

    /// Refuses what has other tags than what was decided about: an object that was replaced, or that got others, meanwhile.
    pub(super) fn check(&self, found: Option<&VersionRow>) -> Result<(), ObjectError> {
        let content = found.and_then(|row| row.content.as_ref());
        let tags = content.and_then(|content| content.sealed.tags.as_deref());
        match &self.0 {
            Some(read) if read.as_str() != tags.unwrap_or_default() => Err(ObjectError::DecidedByOtherTags),
            Some(_) | None => Ok(()),
        }
    }
}

impl Objects<'_> {
    /// Gives a bucket a policy, and binds whom it names to their unique ids. Principals of the bucket's account must exist; of
    /// other accounts nothing is told.
    ///
    /// # Errors
    /// [`ObjectError::InvalidArgument`] if it names somebody of the account who does not exist, or what is nobody.
    pub fn set_policy(
        &self,
        permit: &Permit<s3::PutBucketPolicy>,
        document: &PolicyDocument,
    ) -> Result<(), ObjectError> {
        let name = bucket_of(permit)?;
        let text = document.as_str();
        let database = &self.store.database;
        let principals = database.look(|connection| -> Found<Option<Bound>> {
            let bucket = existing(&SqliteRows::checked_by(database, connection), &name)?;
            Ok(bind(connection, bucket.owner, text)?)
        })?;
        let principals = principals.ok_or(ObjectError::InvalidArgument(NOBODY))?;
        let kept = KeptPolicy {
            text: text.to_owned(),
            principals,
        };
        let kept =
            serde_json::to_string(&kept).map_err(|_unwritable| incomplete("a policy cannot be written"))?;
        self.set_document(permit, Some(&kept))
    }

    /// The policy of a bucket as its account sees it: who is gone is there under the unique id.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchDocument`] if it has none.
    pub fn policy<A: ReadsDocument>(&self, permit: &Permit<A>) -> Result<String, ObjectError> {
        if A::KIND != DocumentKind::Policy {
            return Err(ObjectError::OtherPermit);
        }
        let absent = ObjectError::NoSuchDocument(DocumentKind::Policy);
        let owner = self.bucket(permit)?.owner;
        let kept = read(&self.document(permit)?.ok_or(absent)?)?;
        let policy = (kept.text.as_str(), &kept.principals);
        let shown = self
            .store
            .database
            .read(|connection| shown(connection, owner, policy))?;
        Ok(shown)
    }
}

/// A policy as it was written, and the unique ids that the principals in it had then.
#[derive(Serialize, Deserialize)]
struct KeptPolicy {
    text: String,
    principals: Bound,
}

fn read(kept: &str) -> Result<KeptPolicy, ObjectError> {
    serde_json::from_str(kept).map_err(|_unreadable| incomplete("a bucket's policy is unreadable"))
}

/// The ids of whom a policy names; `None` if it names nobody.
fn bind(connection: &Connection, own: AccountId, text: &str) -> rusqlite::Result<Option<Bound>> {
    let mut bound = Bound::new();
    for (kind, name) in named_principals(text) {
        let known = match kind.as_str() {
            "AWS" if bound.contains_key(&name) => continue,
            "AWS" if has_id(connection, own, &name)? => Known::As(name.clone()),
            "AWS" => known_principal(connection, own, &name)?,
            "Service" if is_service(&name) => Known::Unbound,
            _ => Known::Nobody,
        };
        match known {
            Known::Nobody => return Ok(None),
            Known::Unbound => {}
            Known::As(id) => {
                bound.insert(name, id);
            }
        }
    }
    Ok(Some(bound))
}

/// The policy of a bucket as decisions read it.
pub(super) fn decided(kept: &str) -> Result<Arc<PolicyDocument>, ObjectError> {
    let kept = read(kept)?;
    let document = decided_by(PolicyKind::Resource, (&kept.text, &kept.principals));
    document
        .map(Arc::new)
        .map_err(|_unreadable| incomplete("a bucket's policy is unreadable"))
}
