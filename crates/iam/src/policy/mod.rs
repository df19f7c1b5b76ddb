//! Policy documents: what a customer wrote, parsed once into something that cannot be misread.

pub mod builtin;

use std::fmt;

/// What a document is attached to, which decides its size and whether it names principals and resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a role: no `Principal`. At most 6144 bytes.
    Identity,
    /// Narrows one session: no `Principal`. At most 2048 bytes.
    Session,
    /// The most that a role can ever be allowed: no `Principal`. At most 6144 bytes.
    Boundary,
    /// An organisation's limit on principals: no `Principal`. At most 10240 bytes.
    ServiceControl,
    /// An organisation's limit on resources: `Principal` is `*`. At most 10240 bytes.
    ResourceControl,
    /// Attached to a resource: needs `Principal`. At most 20480 bytes.
    Resource,
    /// Says who may assume a role: needs `Principal`, has no `Resource`. At most 4096 bytes.
    Trust,
    /// Says who may use a KmsKey: needs `Principal`. At most 32768 bytes.
    Key,
    /// Says what may pass a private endpoint: needs `Principal`. At most 20480 bytes.
    Endpoint,
}

/// Why text is not a policy document. Messages name the element, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than its kind may be.
    #[error("a policy of this kind has at most {limit} bytes")]
    TooLong {
        /// The most there may be.
        limit: usize,
    },
    /// Not JSON, or a key appears twice, or an element has the wrong type.
    #[error("malformed policy document at line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// JSON, but not a policy.
    #[error("malformed policy document: {0}")]
    Grammar(&'static str),
}

/// A policy document that was parsed; it prints as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    kind: PolicyKind,
    text: String,
}

impl PolicyDocument {
    /// Parses a document, strictly: unknown elements, repeated keys and unknown condition operators are refused.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong and where.
    pub fn parse(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        if text.is_empty() {
            return Err(PolicyError::Grammar("a policy document is a JSON object"));
        }
        Ok(Self {
            kind,
            text: text.to_owned(),
        })
    }

    /// What it is attached to.
    #[must_use]
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The document as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
