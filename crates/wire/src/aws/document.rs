//! A request or reply between bytes and typed struct.
//!
//! An enum of our own: it has no `Debug` and no `Clone`, as it holds secrets, and what the model calls sensitive is a
//! [`Secret`] from here on, so that it cannot be read as a plain string. So it is with a tenant's words.

use std::collections::BTreeMap;

use moho_terms::{Content, ContentBytes, Secret, Timestamp};

use crate::Failure;
use crate::json::Json;

/// A value, as its shape says.
pub(crate) enum Document {
    /// Members by the model's name, only those that are there.
    Structure(Vec<(String, Self)>),
    /// Items.
    List(Vec<Self>),
    /// Entries in the order sent.
    Map(Vec<(Content, Self)>),
    /// A string that may be shown.
    Text(String),
    /// A string of a tenant: whatever came in a JSON body or in a header.
    Words(Content),
    /// A string, or the bytes of a request or reply of a control plane, that the model calls sensitive.
    Sensitive(Secret),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A moment.
    Timestamp(Timestamp),
    /// Bytes.
    Blob(ContentBytes),
    /// Whatever JSON there is, where the model says no more.
    Json(Json),
}

/// The members of a structure, to be taken one by one into a typed struct.
#[derive(Default)]
pub(crate) struct Members(Vec<(String, Document)>);

impl Members {
    pub(crate) fn of(document: Document) -> Result<Self, Failure> {
        let Document::Structure(members) = document else {
            return Err(Failure::Internal);
        };
        Ok(Self(members))
    }

    /// Whether a member is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(member, _)| member == name)
    }

    /// Takes a member. Its type has been validated, so a mismatch with the struct's is a fault of ours.
    pub(crate) fn take<T: FromDocument>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let found = self.0.iter().position(|(member, _)| member == name);
        found
            .map(|index| T::from_document(self.0.swap_remove(index).1))
            .transpose()
    }

    /// Takes a member: one that may be left out is an [`Option`], any other is there, as the model requires it.
    pub(crate) fn member<T: FromDocument>(&mut self, name: &str) -> Result<T, Failure> {
        match self.take(name)? {
            Some(value) => Ok(value),
            None => T::absent(),
        }
    }

    /// Takes a member the model requires.
    pub(crate) fn require<T: FromDocument>(&mut self, name: &str) -> Result<T, Failure> {
        self.take(name)?.ok_or(Failure::Internal)
    }
}

/// The types whose values are those of one kind of document.
macro_rules! from_document {
    ($($type:ty, $pattern:pat => $value:expr;)+) => {$(
        impl FromDocument for $type {
            fn from_document(document: Document) -> Result<Self, Failure> {
                let $pattern = document else {
                    return Err(Failure::Internal);
                };
                Ok($value)
            }
        }
    )+};
}

/// A type that a member of a request can have.
pub(crate) trait FromDocument: Sized {
    fn from_document(document: Document) -> Result<Self, Failure>;

    /// What it is when the member is not there. The model requires it, so that is a fault of ours.
    fn absent() -> Result<Self, Failure> {
        Err(Failure::Internal)
    }
}

from_document! {
    String, Document::Text(text) => text;
    Content, Document::Words(words) => words;
    ContentBytes, Document::Blob(bytes) => bytes;
    Json, Document::Json(json) => json;
    f64, Document::Float(number) => number;
    i64, Document::Integer(number) => number;
    bool, Document::Boolean(flag) => flag;
    Timestamp, Document::Timestamp(time) => time;
    Secret, Document::Sensitive(secret) => secret;
    Members, Document::Structure(members) => Members(members);
}

impl FromDocument for u32 {
    fn from_document(document: Document) -> Result<Self, Failure> {
        let Document::Integer(value) = document else {
            return Err(Failure::Internal);
        };
        Self::try_from(value).map_err(|_unsuitable| Failure::Internal)
    }
}

impl<T: FromDocument> FromDocument for Vec<T> {
    fn from_document(document: Document) -> Result<Self, Failure> {
        let Document::List(items) = document else {
            return Err(Failure::Internal);
        };
        items.into_iter().map(T::from_document).collect()
    }
}

impl<T: FromDocument> FromDocument for BTreeMap<String, T> {
    fn from_document(document: Document) -> Result<Self, Failure> {
        let Document::Map(entries) = document else {
            return Err(Failure::Internal);
        };
        let entries = entries.into_iter();
        entries
            .map(|(key, value)| Ok((key.expose().to_owned(), T::from_document(value)?)))
            .collect()
    }
}

impl<T: FromDocument> FromDocument for Option<T> {
    fn from_document(document: Document) -> Result<Self, Failure> {
        T::from_document(document).map(Some)
    }

    fn absent() -> Result<Self, Failure> {
        Ok(None)
    }
}
