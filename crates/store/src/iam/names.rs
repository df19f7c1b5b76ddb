//! How IAM names things: kinds, unique ids, paths, ARNs.

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Entropy, EntropyUnavailable};

use super::{IamCode, IamError};
use crate::StoreError;

/// What a unique id begins with, which says what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// A role.
    Role,
    /// A managed policy.
    Policy,
    /// An instance profile.
    InstanceProfile,
    /// A user.
    User,
    /// A group.
    Group,
    /// A service-specific credential.
    ServiceCredential,
    /// A SAML provider.
    SamlProvider,
}

impl IdKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Role => "AROA",
            Self::Policy => "ANPA",
            Self::InstanceProfile => "AIPA",
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::ServiceCredential => "ACCA",
            Self::SamlProvider => "ASPA",
        }
    }
}

/// A new unique id, such as `AROA` and 17 letters and digits: it is never used again for anything else.
///
/// # Errors
/// [`EntropyUnavailable`]: no random bytes.
pub fn unique_id(kind: IdKind, entropy: &dyn Entropy) -> Result<String, EntropyUnavailable> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = [0_u8; 17];
    entropy.fill(&mut random)?;
    let letters = random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
        .map(|letter| char::from(*letter));
    Ok(kind.prefix().chars().chain(letters).collect())
}

/// Names that differ in case only are the same name.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// `arn:aws:iam::ACCOUNT:KIND/path/name`
pub(crate) fn arn(account: &str, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// What a permit is for: one thing of the caller's own account.
pub(crate) struct Subject<'a> {
    pub(crate) account: AccountId,
    /// Begins and ends with a slash.
    pub(crate) path: &'a str,
    pub(crate) name: &'a str,
}

/// The thing of this kind that a permit is for.
pub(crate) fn subject<'a, A: Action>(permit: &'a Permit<A>, kind: &str) -> Result<Subject<'a>, IamError> {
    let (account, arn) = (permit.session().account(), permit.resource());
    let own = arn.service() == "iam" && arn.account() == account.as_str();
    let rest = arn.resource().strip_prefix(kind).filter(|_| own);
    let split = rest.and_then(|rest| rest.split_at_checked(rest.rfind('/')?.saturating_add(1)));
    match split {
        Some((path, name)) if path.starts_with('/') => Ok(Subject { account, path, name }),
        _ => Err(StoreError::OtherPermit.into()),
    }
}

/// Paths that only AWS's own things have.
const RESERVED: [&str; 2] = ["/aws-service-role/", "/aws-reserved/"];

/// What the names of service-linked roles begin with, in lower case.
const LINKED: &str = "awsservicerolefor";

/// The thing of this kind that a permit lets its holder make, or rename something to: nothing that passes for AWS's own.
///
/// # Errors
/// `InvalidInput`.
pub(crate) fn new_subject<'a, A: Action>(permit: &'a Permit<A>, kind: &str) -> Result<Subject<'a>, IamError> {
    let subject = subject(permit, kind)?;
    if let Some(reserved) = RESERVED.iter().find(|path| subject.path.starts_with(**path)) {
        let message = format!("Path prefix '{reserved}' can only be used for AWS Service linked Roles");
        return Err(IamCode::InvalidInput.because(message));
    }
    if kind == "role" && folded(subject.name).starts_with(LINKED) {
        let message =
            "Role names that begin with 'AWSServiceRoleFor' can only be used for AWS Service linked Roles";
        return Err(IamCode::InvalidInput.because(message));
    }
    Ok(subject)
}

/// Where a list goes on and how far.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// After the thing that [`Listed::last`] named; `None` to begin.
    pub after: Option<&'a str>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Where it goes on, if there is more.
    pub last: Option<String>,
}

impl<T> Listed<T> {
    /// Of one more than `limit` rows with their keys, if there are as many.
    pub(crate) fn cut(mut rows: Vec<(String, T)>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(|(key, _)| key.clone());
        Self {
            items: rows.into_iter().map(|(_, item)| item).collect(),
            last,
        }
    }
}

impl Page<'_> {
    /// How many rows to ask for, to know whether there are more.
    pub(crate) fn rows(self) -> i64 {
        i64::try_from(self.limit.saturating_add(1)).unwrap_or(i64::MAX)
    }

    /// What rows come after.
    pub(crate) fn start(&self) -> &str {
        self.after.unwrap_or("")
    }
}
