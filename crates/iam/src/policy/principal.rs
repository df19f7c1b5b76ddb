//! Whom a statement of a resource's policy speaks of.

use moho_terms::{AccountId, Arn};

use crate::session::RoleSession;

/// How a statement names the caller. Naming its account alone leaves the decision to that account's own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Not,
    ByAccount,
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

    /// How it names `session`.
    pub(crate) fn names(&self, session: &RoleSession) -> Named {
        match self {
            Self::Anyone => Named::Directly,
            Self::Account(account) if *account == session.account() => Named::ByAccount,
            Self::Arn(arn) if arn == session.principal_arn() || arn == session.role_arn() => Named::Directly,
            Self::Account(_) | Self::Arn(_) | Self::Other => Named::Not,
        }
    }
}
