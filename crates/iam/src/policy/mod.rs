//! Policy documents: what a customer wrote, parsed once into something that cannot be misread.

mod action;
mod bucket;
pub mod builtin;
mod condition;
mod grammar;
mod pattern;
mod places;
mod principal;
mod principals;
mod public;
mod statement;
mod text_pattern;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use moho_terms::Arn;

pub use bucket::BucketPolicyError;
pub use grammar::Effect;
pub use principals::{PlacedPrincipal, exchange_placed_principals, exchange_principals, named_principals};
pub use text_pattern::TextPattern;

pub(crate) use action::{ActionName, Place};
pub(crate) use principal::Named;
pub(crate) use statement::Statement;

use crate::authz::{Caller, KeySet, TextPosition};
use action::Index;
use grammar::{Object, RawDocument};

/// What a document is attached to, which decides its size and whether it names principals and resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a role: no `Principal`. At most 6144 bytes.
    Identity,
    /// Written into a role, user or group itself: no `Principal`. At most 10240 bytes, together with its others.
    Inline,
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

/// Why text is not a policy document. Messages may quote a few words that were written: they go to who wrote it, nowhere else.
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

/// How many times what its kind may have a document may be long, with its white space.
const WITH_WHITE_SPACE: usize = 4;

/// The longest message, in bytes. What is longer quotes a whole text of whoever wrote the document.
const LONGEST_MESSAGE: usize = 256;

/// What is said instead.
const TOO_LONG_TO_QUOTE: &str = "an unknown element, or one of a wrong type";

impl PolicyKind {
    /// The most bytes there may be, not counting white space.
    fn limit(self) -> usize {
        match self {
            Self::Identity | Self::Boundary => 6144,
            Self::Session => 2048,
            Self::Inline | Self::ServiceControl | Self::ResourceControl => 10_240,
            Self::Resource | Self::Endpoint => 20_480,
            Self::Trust => 4096,
            Self::Key => 32_768,
        }
    }

    /// Whether statements say whom they speak of.
    fn names_principals(self) -> bool {
        match self {
            Self::Identity | Self::Inline | Self::Session | Self::Boundary | Self::ServiceControl => false,
            Self::ResourceControl | Self::Resource | Self::Trust | Self::Key | Self::Endpoint => true,
        }
    }
}

/// A policy document that was parsed; it prints as it was written.
#[derive(Clone)]
pub struct PolicyDocument {
    kind: PolicyKind,
    text: String,
    statements: Box<[Statement]>,
    index: Index,
    /// Where its statements begin and end, once somebody asked.
    places: OnceLock<Arc<[(TextPosition, TextPosition)]>>,
    /// The keys it asks about.
    asked_keys: KeySet,
    /// Their names, once somebody asked.
    keys: OnceLock<Arc<[String]>>,
    /// Whether a statement of it names measured code.
    names_measurements: bool,
}

impl PolicyDocument {
    /// Parses and compiles a document, strictly: unknown elements, repeated keys and unknown condition operators are
    /// refused. Without a `Version`, or in that of 2008, there are no variables.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong and where.
    pub fn parse(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        check_size(kind, text)?;
        Self::parse_exchanged(kind, text)
    }

    /// Parses a document whose principals were exchanged for others since it was written. It may have become longer than
    /// what may be written; all else is checked as in [`Self::parse`].
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong and where.
    pub fn parse_exchanged(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        let Object(raw): Object<RawDocument> = serde_json::from_str(text).map_err(|error| syntax(&error))?;
        let variables = match raw.version.as_deref() {
            Some("2012-10-17") => true,
            Some("2008-10-17") | None => false,
            Some(_) => return Err(PolicyError::Grammar("the Version is 2012-10-17, or 2008-10-17")),
        };
        if raw.statement.0.is_empty() {
            return Err(PolicyError::Grammar("a policy needs a statement"));
        }
        let mut statements = Vec::with_capacity(raw.statement.0.len());
        let mut sids = BTreeSet::new();
        for Object(raw) in raw.statement.0 {
            let statement = Statement::parse(raw, kind, variables).map_err(PolicyError::Grammar)?;
            if let Some(sid) = statement.sid()
                && !sid.is_empty()
                && !sids.insert(sid.to_owned())
            {
                return Err(PolicyError::Grammar("a Sid appears twice"));
            }
            statements.push(statement);
        }
        Ok(Self {
            kind,
            text: text.to_owned(),
            index: Index::over(statements.iter().map(Statement::speaks_of)),
            asked_keys: asked_keys(&statements),
            names_measurements: statements.iter().any(Statement::names_measurements),
            statements: statements.into(),
            places: OnceLock::new(),
            keys: OnceLock::new(),
        })
    }

    /// This document, in which every session of a role that `role_id` has a unique id for is one of that very role: of no
    /// other that has its name later.
    #[must_use]
    pub fn with_sessions_bound(mut self, role_id: impl Fn(&Arn) -> Option<String>) -> Self {
        for statement in &mut self.statements {
            statement.bind_sessions(&role_id);
        }
        self
    }

    /// This document and, after its statements, those of `other`, as one. It prints as both, one after the other.
    #[must_use]
    pub fn followed_by(&self, other: &Self) -> Self {
        let statements: Box<[Statement]> = self.statements.iter().chain(&other.statements).cloned().collect();
        Self {
            kind: self.kind,
            text: format!("{}\n{}", self.text, other.text),
            index: Index::over(statements.iter().map(Statement::speaks_of)),
            asked_keys: self.asked_keys.or(other.asked_keys),
            names_measurements: self.names_measurements || other.names_measurements,
            statements,
            places: OnceLock::new(),
            keys: OnceLock::new(),
        }
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

    /// Every key that conditions and variables of the document ask about, as written, sorted, each once.
    #[must_use]
    pub fn context_keys(&self) -> &[String] {
        self.keys.get_or_init(|| self.asked_about().into())
    }

    /// Whether what it is attached to is held to measurements: it is a key, and a statement names measured code.
    #[must_use]
    pub fn holds_to_measurements(&self) -> bool {
        self.kind == PolicyKind::Key && self.names_measurements
    }

    /// The keys that its conditions and variables ask about.
    pub(crate) fn asked_keys(&self) -> KeySet {
        self.asked_keys
    }

    /// Whether it asks about a key that begins with `prefix`, whatever the case.
    pub(crate) fn asks_for(&self, prefix: &str) -> bool {
        self.context_keys().iter().any(|key| {
            let start = key.as_bytes().get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        })
    }

    fn asked_about(&self) -> Vec<String> {
        let mut keys = std::collections::BTreeMap::new();
        for statement in &self.statements {
            statement.for_each_key(&mut |key| {
                keys.entry(key.name().to_ascii_lowercase())
                    .or_insert_with(|| key.name().to_owned());
            });
        }
        keys.into_values().collect()
    }

    /// Whether a statement allows `action`, on whatever, under whatever circumstances.
    #[must_use]
    pub fn may_allow(&self, action: &str) -> bool {
        let action = ActionName::new(action);
        let allows = |statement: &Statement| {
            statement.effect() == Effect::Allow && statement.speaks_of_action(&action)
        };
        self.statements.iter().any(allows)
    }

    /// Whether every action that its statements name is one of `service`, such as `sts`; `*` is not.
    #[must_use]
    pub fn names_only_actions_of(&self, service: &str) -> bool {
        let mut statements = self.statements.iter();
        statements.all(|statement| statement.names_only_actions_of(service))
    }

    /// Whether a statement allows `caller` something, under whatever conditions.
    pub(crate) fn grants_something_to(&self, caller: &Caller<'_>) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.grants_something_to(caller))
    }

    /// Where a statement, counted from 0, begins and ends.
    pub(crate) fn place_of(&self, statement: usize) -> (TextPosition, TextPosition) {
        let places = self
            .places
            .get_or_init(|| places::of_statements(&self.text).into());
        places
            .get(statement)
            .copied()
            .unwrap_or_else(|| places::of_all(&self.text))
    }

    /// What a statement, counted from 0, does.
    #[must_use]
    pub fn effect_of(&self, statement: usize) -> Option<Effect> {
        self.statements.get(statement).map(Statement::effect)
    }

    /// How many statements it has.
    #[must_use]
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    /// The numbers, from 0, of the statements that may speak of an action. Some may come several times.
    pub(crate) fn candidates(&self, place: Place) -> [&[u32]; 4] {
        self.index.candidates(place)
    }

    /// A statement by its number, from 0.
    pub(crate) fn statement(&self, number: usize) -> Option<&Statement> {
        self.statements.get(number)
    }
}

fn asked_keys(statements: &[Statement]) -> KeySet {
    let mut keys = KeySet::default();
    for statement in statements {
        statement.for_each_key(&mut |key| keys.add(key));
    }
    keys
}

/// Every key that conditions and variables of a document ask about, as written, sorted, each once.
#[must_use]
pub fn context_keys(document: &PolicyDocument) -> Vec<String> {
    document.context_keys().to_vec()
}

impl PartialEq for PolicyDocument {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.text == other.text
    }
}

impl Eq for PolicyDocument {}

impl fmt::Debug for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_size(kind: PolicyKind, text: &str) -> Result<(), PolicyError> {
    let limit = kind.limit();
    // A session policy travels in every request's token, white space and all.
    let counts = |byte: &u8| kind == PolicyKind::Session || !byte.is_ascii_whitespace();
    if text.len() > limit.saturating_mul(WITH_WHITE_SPACE)
        || text.as_bytes().iter().filter(|byte| counts(byte)).count() > limit
    {
        Err(PolicyError::TooLong { limit })
    } else {
        Ok(())
    }
}

fn syntax(error: &serde_json::Error) -> PolicyError {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let quotes_much = message.len() > LONGEST_MESSAGE;
    PolicyError::Syntax {
        line: error.line(),
        column: error.column(),
        message: if quotes_much { TOO_LONG_TO_QUOTE } else { message }.to_owned(),
    }
}

#[cfg(test)]
mod tests;
