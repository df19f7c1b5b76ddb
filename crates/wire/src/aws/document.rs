//! A request or reply between bytes and typed struct.
//!
//! An enum of our own: it has no `Debug` and no `Clone`, as it holds secrets, and what the model calls sensitive is a
//! [`Secret`] from here on, so that it cannot be read as a plain string.

use moho_terms::{ContentBytes, Secret, Timestamp};

use crate::Failure;

/// A value, as its shape says.
pub(crate) enum Document {
    /// Members by the model's name, only those that are there.
    Structure(Vec<(String, Self)>),
    /// Items.
    List(Vec<Self>),
    /// Entries in the order sent.
    Map(Vec<(String, Self)>),
    /// A string that may be shown.
    Text(String),
    /// A string the model calls sensitive.
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
}

/// The members of a structure, to be taken one by one into a typed struct.
pub(crate) struct Members(Vec<(String, Document)>);

impl Members {
    pub(crate) fn of(document: Document) -> Result<Self, Failure> {
        let Document::Structure(members) = document else {
            return Err(Failure::Internal);
        };
        Ok(Self(members))
    }

    /// Takes a member. Its type has been validated, so a mismatch with the struct's is a fault of ours.
    pub(crate) fn take<T: FromDocument>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let found = self.0.iter().position(|(member, _)| member == name);
        found
            .map(|index| T::from_document(self.0.swap_remove(index).1))
            .transpose()
    }

    /// Takes a member the model requires.
    pub(crate) fn require<T: FromDocument>(&mut self, name: &str) -> Result<T, Failure> {
        self.take(name)?.ok_or(Failure::Internal)
    }
}

/// A type that a member of a request can have.
pub(crate) trait FromDocument: Sized {
    fn from_document(document: Document) -> Result<Self, Failure>;
}

impl FromDocument for String {
    fn from_document(document: Document) -> Result<Self, Failure> {
        let Document::Text(text) = document else {
            return Err(Failure::Internal);
        };
        Ok(text)
    }
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
