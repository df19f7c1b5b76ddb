//! How the typed requests and replies of AWS's operations are declared: one line per member, with its name on the wire.
//!
//! `request!` makes what a validated [`Document`] is read into, `shape!` what a reply is written from (each member may
//! be left out), `both!` what stands in requests and replies alike, and `operations!` the one enum of a module's
//! requests.

use std::collections::BTreeMap;

use moho_terms::{Content, ContentBytes, Secret, Timestamp};

use super::document::{Document, Members};
use crate::Failure;

/// A module's requests.
pub(crate) trait Operations: Sized {
    /// Their operations, as AWS names them.
    const NAMES: &'static [&'static str];

    /// Reads the validated request of one of them.
    fn read(operation: &str, members: &mut Members) -> Result<Self, Failure>;
}

/// What a value of a reply is in the document; `None` if it is left out.
pub(crate) trait IntoDocument {
    fn into_document(self) -> Option<Document>;
}

macro_rules! into_document {
    ($($type:ty, $value:ident => $document:expr;)+) => {$(
        impl IntoDocument for $type {
            fn into_document(self) -> Option<Document> {
                let $value = self;
                Some($document)
            }
        }
    )+};
}

into_document! {
    String, text => Document::Text(text);
    Secret, secret => Document::Sensitive(secret);
    Content, words => Document::Words(words);
    ContentBytes, bytes => Document::Blob(bytes);
    Timestamp, time => Document::Timestamp(time);
    i64, number => Document::Integer(number);
    f64, number => Document::Float(number);
    bool, flag => Document::Boolean(flag);
}

impl<T: IntoDocument> IntoDocument for Vec<T> {
    fn into_document(self) -> Option<Document> {
        Some(Document::List(
            self.into_iter().filter_map(T::into_document).collect(),
        ))
    }
}

impl<T: IntoDocument> IntoDocument for BTreeMap<String, T> {
    fn into_document(self) -> Option<Document> {
        let entries = self.into_iter();
        Some(Document::Map(
            entries
                .filter_map(|(key, value)| Some((Content::new(key), value.into_document()?)))
                .collect(),
        ))
    }
}

impl<T: IntoDocument> IntoDocument for Option<T> {
    fn into_document(self) -> Option<Document> {
        self.and_then(T::into_document)
    }
}

/// A request: a struct that is read from the document's members.
macro_rules! request {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $wire:literal,)* }) => {
        #[doc = concat!("A parsed `", stringify!($name), "`.")]
        $(#[$meta])*
        pub struct $name {
            $(#[doc = concat!("`", $wire, "`")] pub $field: $type,)*
        }

        impl $name {
            pub(super) fn read(
                _members: &mut $crate::aws::document::Members,
            ) -> Result<Self, $crate::Failure> {
                Ok(Self {
                    $($field: _members.member($wire)?,)*
                })
            }
        }
    };
}

/// A reply, or a structure in one: each member may be left out.
macro_rules! shape {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $wire:literal,)* }) => {
        #[doc = concat!("AWS's `", stringify!($name), "`.")]
        $(#[$meta])*
        #[derive(Default)]
        pub struct $name {
            $(#[doc = concat!("`", $wire, "`")] pub $field: $type,)*
        }

        $crate::aws::declare::written!($name { $($field = $wire,)* });

        impl $name {
            /// The reply of an operation on the wire.
            ///
            /// # Errors
            /// [`Failure::Internal`](crate::Failure::Internal) if it does not fit the service's model.
            pub fn reply(
                self,
                service: $crate::aws::ops::Service,
                operation: &str,
                request: &moho_terms::RequestId,
            ) -> Result<$crate::Reply, $crate::Failure> {
                let document = $crate::aws::declare::IntoDocument::into_document(self);
                service.reply(operation, document, request)
            }
        }
    };
}

/// A structure in requests and replies alike.
macro_rules! both {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $wire:literal,)* }) => {
        #[doc = concat!("AWS's `", stringify!($name), "`.")]
        $(#[$meta])*
        pub struct $name {
            $(#[doc = concat!("`", $wire, "`")] pub $field: $type,)*
        }

        $crate::aws::declare::written!($name { $($field = $wire,)* });

        impl $crate::aws::document::FromDocument for $name {
            fn from_document(document: $crate::aws::document::Document) -> Result<Self, $crate::Failure> {
                let mut members = $crate::aws::document::Members::of(document)?;
                Ok(Self {
                    $($field: members.member($wire)?,)*
                })
            }
        }
    };
}

/// How a structure is written.
macro_rules! written {
    ($name:ident { $($field:ident = $wire:literal,)* }) => {
        impl $crate::aws::declare::IntoDocument for $name {
            fn into_document(self) -> Option<$crate::aws::document::Document> {
                let members: [(&str, Option<$crate::aws::document::Document>); _] = [
                    $(($wire, $crate::aws::declare::IntoDocument::into_document(self.$field)),)*
                ];
                let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
                Some($crate::aws::document::Document::Structure(there.collect()))
            }
        }
    };
}

/// The one enum of a module's requests.
macro_rules! operations {
    ($($name:ident,)+) => {
        /// A parsed request.
        pub enum Request {
            $(#[doc = concat!("`", stringify!($name), "`")] $name(Box<$name>),)+
        }

        impl Request {
            /// AWS's name of the operation.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)+
                }
            }
        }

        impl $crate::aws::declare::Operations for Request {
            const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            fn read(
                operation: &str,
                members: &mut $crate::aws::document::Members,
            ) -> Result<Self, $crate::Failure> {
                match operation {
                    $(stringify!($name) => $name::read(members).map(|request| Self::$name(Box::new(request))),)+
                    // Every operation in a model has its line above; a test sees to it.
                    _ => Err($crate::Failure::Internal),
                }
            }
        }
    };
}

pub(crate) use {both, operations, request, shape, written};
