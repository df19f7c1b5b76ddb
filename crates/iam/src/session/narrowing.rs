//! What narrows a session beside its role: policies that were passed when it was made.

use std::sync::Arc;

use moho_terms::Arn;

use crate::policy::{PolicyDocument, PolicyKind};

/// The most managed policies that a session can be narrowed by.
const MANAGED: usize = 10;
/// The most characters of the inline policy and of the ARNs of managed ones together.
const CHARACTERS: usize = 2048;

/// Why a session cannot be narrowed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NarrowingError {
    /// The document is of another kind.
    #[error("the session policy is not a session policy")]
    Kind,
    /// Too much text.
    #[error(
        "the session policy and the ARNs of managed policies have at most {CHARACTERS} characters together"
    )]
    TooLong,
    /// Too many managed policies.
    #[error("a session is narrowed by at most {MANAGED} managed policies")]
    TooMany,
}

/// A managed policy as a session remembers it: by its id, so that one which was deleted and made again under its name is
/// not the one that narrows the session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyRef {
    /// `arn:aws:iam::ACCOUNT:policy/path/name`, or of `aws` itself.
    pub arn: Arn,
    /// `ANPA…`.
    pub id: String,
}

/// Session policies as they are asked for: nobody has said yet that the managed ones are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NarrowingRequest {
    inline: Option<Arc<PolicyDocument>>,
    managed: Vec<Arn>,
}

impl NarrowingRequest {
    /// A document of kind [`PolicyKind::Session`], and the ARNs of managed policies.
    ///
    /// # Errors
    /// [`NarrowingError`] if there is too much of it, or it is something else.
    pub fn new(inline: Option<PolicyDocument>, managed: Vec<Arn>) -> Result<Self, NarrowingError> {
        check(inline.as_ref(), &managed)?;
        let mut once: Vec<Arn> = Vec::with_capacity(managed.len());
        for arn in managed {
            if !once.contains(&arn) {
                once.push(arn);
            }
        }
        Ok(Self {
            inline: inline.map(Arc::new),
            managed: once,
        })
    }

    /// The narrowing by these, each managed policy bound to the id that `id_of` finds.
    ///
    /// # Errors
    /// What `id_of` says of the first that it does not find.
    pub fn bound<E>(self, mut id_of: impl FnMut(&Arn) -> Result<String, E>) -> Result<Narrowing, E> {
        let managed = self.managed.into_iter().map(|arn| {
            let id = id_of(&arn)?;
            Ok(PolicyRef { arn, id })
        });
        Ok(Narrowing {
            managed: managed.collect::<Result<_, E>>()?,
            inline: self.inline,
        })
    }
}

/// Session policies: what the session may do is also in these. None at all narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    inline: Option<Arc<PolicyDocument>>,
    managed: Vec<PolicyRef>,
}

impl Narrowing {
    /// A document of kind [`PolicyKind::Session`], and managed policies, whose documents are looked up on every use: what a
    /// token says of a session that was made from a [`NarrowingRequest`].
    ///
    /// # Errors
    /// [`NarrowingError`] if there is too much of it, or it is something else.
    pub fn new(inline: Option<PolicyDocument>, managed: Vec<PolicyRef>) -> Result<Self, NarrowingError> {
        check(inline.as_ref(), managed.iter().map(|policy| &policy.arn))?;
        Ok(Self {
            inline: inline.map(Arc::new),
            managed,
        })
    }

    /// The bootstrap principal's, which is of our own making.
    pub(super) fn of_the_door(policy: PolicyDocument) -> Self {
        Self {
            inline: Some(Arc::new(policy)),
            managed: Vec::new(),
        }
    }

    /// The inline policy.
    #[must_use]
    pub fn inline(&self) -> Option<&Arc<PolicyDocument>> {
        self.inline.as_ref()
    }

    /// The managed policies.
    #[must_use]
    pub fn managed(&self) -> &[PolicyRef] {
        &self.managed
    }

    /// Whether there is no session policy at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inline.is_none() && self.managed.is_empty()
    }
}

fn check<'a>(
    inline: Option<&PolicyDocument>,
    managed: impl IntoIterator<Item = &'a Arn>,
) -> Result<(), NarrowingError> {
    if inline.is_some_and(|policy| policy.kind() != PolicyKind::Session) {
        return Err(NarrowingError::Kind);
    }
    let mut characters = inline.map_or(0, |policy| policy.as_str().chars().count());
    let mut count = 0_usize;
    for arn in managed {
        count = count.saturating_add(1);
        characters = characters.saturating_add(arn.as_str().chars().count());
    }
    if count > MANAGED {
        return Err(NarrowingError::TooMany);
    }
    if characters > CHARACTERS {
        return Err(NarrowingError::TooLong);
    }
    Ok(())
}
