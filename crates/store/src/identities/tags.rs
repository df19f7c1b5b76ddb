//! Tags of users and identity providers.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use rusqlite::Connection;

use super::{entities, oidc, saml};
use crate::iam::error::Found;
use crate::iam::{EntityKind, IamError, Listed, Page, Tag, tags};
use crate::{Store, StoreError};

macro_rules! on_tagged {
    ($($(#[$doc:meta])* $operation:ident: $($action:ident),+;)+) => {$(
        $(#[$doc])*
        pub trait $operation: Action {}
        $(impl $operation for iam::$action {})+
    )+};
}
on_tagged! {
    /// Actions that set tags.
    SetsTags: TagUser, TagOpenIDConnectProvider, TagSAMLProvider;
    /// Actions that remove tags.
    RemovesTags: UntagUser, UntagOpenIDConnectProvider, UntagSAMLProvider;
    /// Actions that list tags.
    ListsTags: ListUserTags, ListOpenIDConnectProviderTags, ListSAMLProviderTags;
}

impl Store {
    /// Sets tags of the user or provider that the permit is for; a key that is there gets the new value.
    ///
    /// # Errors
    /// [`IamError`]: it is not there, or would have too many.
    pub fn tag_identity<A: SetsTags>(&self, permit: &Permit<A>, tags: &[Tag]) -> Result<(), IamError> {
        self.changed(|transaction| tags::put(transaction, &owner(transaction, permit)?, tags))
    }

    /// Removes tags of the user or provider that the permit is for, if they are there.
    ///
    /// # Errors
    /// [`IamError`] if the user or provider is not there.
    pub fn untag_identity<A: RemovesTags>(
        &self,
        permit: &Permit<A>,
        keys: &[String],
    ) -> Result<(), IamError> {
        self.changed(|transaction| Ok(tags::remove(transaction, &owner(transaction, permit)?, keys)?))
    }

    /// Tags of the user or provider that the permit is for.
    ///
    /// # Errors
    /// [`IamError`] if it is not there.
    pub fn identity_tags<A: ListsTags>(
        &self,
        permit: &Permit<A>,
        page: Page<'_>,
    ) -> Result<Listed<Tag>, IamError> {
        self.database
            .look(|connection| Ok(tags::page(connection, &owner(connection, permit)?, page)?))
    }
}

/// Under which name the tags of a permit's resource are kept.
fn owner<A: Action>(connection: &Connection, permit: &Permit<A>) -> Found<String> {
    let resource = permit.resource();
    match resource.resource().split_once('/') {
        Some(("user", _)) => Ok(entities::required(connection, permit, EntityKind::User)?.id),
        Some(("oidc-provider", _)) => {
            oidc::required(connection, permit)?;
            Ok(resource.to_string())
        }
        Some(("saml-provider", _)) => {
            saml::required(connection, permit)?;
            Ok(resource.to_string())
        }
        _ => Err(IamError::from(StoreError::OtherPermit).into()),
    }
}
