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

/// Session policies: what the session may do is also in these. None at all narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    inline: Option<Arc<PolicyDocument>>,
    managed: Vec<Arn>,
}

impl Narrowing {
    /// A document of kind [`PolicyKind::Session`], and the ARNs of managed policies, whose documents are looked up on
    /// every use.
    ///
    /// # Errors
    /// [`NarrowingError`] if there is too much of it, or it is something else.
    pub fn new(inline: Option<PolicyDocument>, managed: Vec<Arn>) -> Result<Self, NarrowingError> {
        if inline
            .as_ref()
            .is_some_and(|policy| policy.kind() != PolicyKind::Session)
        {
            return Err(NarrowingError::Kind);
        }
        if managed.len() > MANAGED {
            return Err(NarrowingError::TooMany);
        }
        let inline_characters = inline
            .as_ref()
            .map_or(0, |policy| policy.as_str().chars().count());
        let characters = managed.iter().fold(inline_characters, |sum, arn| {
            sum.saturating_add(arn.as_str().chars().count())
        });
        if characters > CHARACTERS {
            return Err(NarrowingError::TooLong);
        }
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
    pub fn managed(&self) -> &[Arn] {
        &self.managed
    }

    /// Whether there is no session policy at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inline.is_none() && self.managed.is_empty()
    }
}
