//! Whom a statement of a resource's policy speaks of.

use moho_terms::{AccountId, Arn};

use crate::authz::Caller;

/// How a statement names the caller. Naming its account alone leaves the decision to that account's own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Not,
    /// Its account.
    ByAccount,
    /// The role that its session is of: boundary and session policies still bound what is granted so.
    AsRole,
    /// Itself: its session, or as a user, or as anybody.
    Directly,
}

/// One entry of `Principal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PrincipalPattern {
    /// `*`: anybody.
    Anyone,
    /// An account: twelve digits or its `root`.
    Account(AccountId),
    /// A role, a session of a role, or another principal by its ARN.
    Arn(Arn),
    /// A role or user by its unique id, `AROA…` or `AIDA…`: it is no other that has its name later.
    UniqueId(String),
    /// A service or an identity provider: never a role session.
    Other,
}

impl PrincipalPattern {
    /// Parses one value under `kind`: `AWS`, `Service`, `Federated` or `CanonicalUser`.
    pub(crate) fn parse(kind: &str, value: &str) -> Result<Self, &'static str> {
        match kind {
            "AWS" => Self::parse_aws(value),
            "Service" | "Federated" | "CanonicalUser" if !value.is_empty() && value != "*" => Ok(Self::Other),
            "Service" | "Federated" | "CanonicalUser" => Err("a service or provider must be named"),
            _ => Err("unknown kind of principal"),
        }
    }

    fn parse_aws(value: &str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "a principal is *, an account or an ARN without wildcards";
        if value == "*" {
            return Ok(Self::Anyone);
        }
        if let Ok(account) = value.parse() {
            return Ok(Self::Account(account));
        }
        if is_unique_id(value) {
            return Ok(Self::UniqueId(value.to_owned()));
        }
        let Ok(arn) = value.parse::<Arn>() else {
            return Err(MALFORMED);
        };
        let Ok(account) = arn.account().parse() else {
            return Err(MALFORMED);
        };
        if value.contains(['*', '?', '$']) || !matches!(arn.service(), "iam" | "sts") {
            return Err(MALFORMED);
        }
        Ok(if arn.resource() == "root" {
            Self::Account(account)
        } else {
            Self::Arn(arn)
        })
    }

    /// How it names `caller`.
    pub(crate) fn names(&self, caller: &Caller<'_>) -> Named {
        match self {
            Self::Anyone => Named::Directly,
            Self::Account(account) if *account == caller.account => Named::ByAccount,
            Self::Arn(arn) if arn.as_str() == caller.arn => Named::Directly,
            Self::Arn(arn) if arn.as_str() == caller.role_arn => Named::AsRole,
            Self::UniqueId(id) if caller.user_id == id => Named::Directly,
            Self::UniqueId(id) if caller.user_id.split(':').next() == Some(id) => Named::AsRole,
            Self::Account(_) | Self::Arn(_) | Self::UniqueId(_) | Self::Other => Named::Not,
        }
    }
}

fn is_unique_id(text: &str) -> bool {
    let rest = text.strip_prefix("AROA").or_else(|| text.strip_prefix("AIDA"));
    rest.is_some_and(|rest| {
        (12..=124).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}
