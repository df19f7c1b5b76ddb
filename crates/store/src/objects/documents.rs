//! Documents that are kept with a bucket as they came, and what reads and writes which.

use moho_iam::action::{Action, s3};
use moho_iam::authz::Permit;

use super::{DocumentKind, ObjectError, Objects, bucket_of, existing};

/// An action that reads a document.
pub trait ReadsDocument: Action {
    /// Which.
    const KIND: DocumentKind;
}

/// An action that writes or deletes a document.
pub trait WritesDocument: Action {
    /// Which.
    const KIND: DocumentKind;
}

macro_rules! documents {
    ($($way:ident: $($action:ident of $kind:ident),+;)+) => {
        $($(impl $way for s3::$action { const KIND: DocumentKind = DocumentKind::$kind; })+)+
    };
}
documents! {
    ReadsDocument: GetBucketPolicy of Policy, GetBucketPolicyStatus of Policy, GetBucketCORS of Cors,
        GetBucketLogging of Logging, GetBucketNotification of Notification;
    WritesDocument: PutBucketPolicy of Policy, DeleteBucketPolicy of Policy, PutBucketCORS of Cors,
        PutBucketLogging of Logging, PutBucketNotification of Notification;
}

impl Objects<'_> {
    /// The document of a bucket that the action reads; `None` if it has none.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn document<A: ReadsDocument>(&self, permit: &Permit<A>) -> Result<Option<String>, ObjectError> {
        let name = bucket_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &name)?;
            rows.document(bucket.id, A::KIND)
        })
    }

    /// Keeps a document with a bucket in place of the one that it has, or deletes it. What it says is for whoever wrote it
    /// to have checked.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn set_document<A: WritesDocument>(
        &self,
        permit: &Permit<A>,
        document: Option<&str>,
    ) -> Result<(), ObjectError> {
        self.set(&bucket_of(permit)?, A::KIND, document)
    }
}
