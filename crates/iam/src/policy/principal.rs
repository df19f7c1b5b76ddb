//! Whom a statement of a resource's policy speaks of.

use moho_terms::{AccountId, Arn};

use crate::authz::{Caller, CallerKind};

/// How a statement names the caller. Naming its account alone leaves the decision to that account's own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Not,
    /// Its account.
    ByAccount,
    /// The role or user that its session is of, or anybody: boundary and session policies still bound what is granted so.
    AsRole,
    /// Itself: its session, or as a user.
    Directly,
}

/// One entry of `Principal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PrincipalPattern {
    /// `*`: anybody who has proved to be somebody.
    Anyone,
    /// An account: twelve digits or its `root`.
    Account(AccountId),
    /// A role, a session of a role, or another principal by its ARN.
    Arn(Arn),
    /// A session by its ARN, of the role of this unique id: no other role that has its name later has this session.
    SessionOf(Arn, Box<str>),
    /// A role or user by its unique id, `AROA…` or `AIDA…`: it is no other that has its name later.
    UniqueId(Box<str>),
    /// An identity provider: whoever it knows.
    Federated(Box<str>),
    /// A service: of moho's own those that act by themselves.
    Service(Box<str>),
}

impl PrincipalPattern {
    /// Parses one value under `kind`: `AWS`, `Service` or `Federated`.
    pub(crate) fn parse(kind: &str, value: &str) -> Result<Self, &'static str> {
        let graphic =
            |text: &str| !text.is_empty() && text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic());
        match kind {
            "AWS" => Self::parse_aws(value),
            "CanonicalUser" => Err("there are no canonical users: name an account or an ARN"),
            "Service" | "Federated" if !graphic(value) || value.contains(['*', '?', '$']) => {
                Err("a service or provider is named, without wildcards")
            }
            "Service" => Ok(Self::Service(value.into())),
            "Federated" => Ok(Self::Federated(value.into())),
            _ => Err("unknown kind of principal"),
        }
    }

    fn parse_aws(value: &str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "a principal is *, an account, an ARN without wildcards or a unique id";
        if value == "*" {
            return Ok(Self::Anyone);
        }
        if let Ok(account) = value.parse() {
            return Ok(Self::Account(account));
        }
        if is_unique_id(value) {
            return Ok(Self::UniqueId(value.into()));
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

    /// Binds it to the unique id that `role_id` has for it, if it is a session of a role.
    pub(super) fn bind_session(&mut self, role_id: &impl Fn(&Arn) -> Option<String>) {
        if let Self::Arn(arn) = self
            && is_session(arn)
            && let Some(id) = role_id(arn)
        {
            *self = Self::SessionOf(arn.clone(), id.into());
        }
    }

    /// As policies write it down; `None` of a service, which is nobody here.
    pub(crate) fn written(&self) -> Option<String> {
        match self {
            Self::Anyone => Some("*".to_owned()),
            Self::Account(account) => Some(format!("arn:aws:iam::{account}:root")),
            Self::Arn(arn) => Some(arn.to_string()),
            Self::UniqueId(name) | Self::Federated(name) => Some(name.to_string()),
            Self::SessionOf(arn, _) => Some(arn.to_string()),
            Self::Service(_) => None,
        }
    }

    /// How it names `caller`. `*` names nobody in particular, so it grants nothing past what narrows the caller. Whoever is
    /// known to an identity provider only is named directly by that provider only; `*` speaks of it too, but grants it
    /// nothing.
    pub(crate) fn names(&self, caller: &Caller<'_>) -> Named {
        let nobody_yet = caller.kind == CallerKind::WebIdentity;
        let service = caller.kind == CallerKind::Service;
        match self {
            Self::Service(name) if service && caller.provider == Some(name) => Named::Directly,
            // What is anybody's is not a service's, but what is denied to all is denied to services.
            Self::Anyone if service => Named::ByAccount,
            _ if service => Named::Not,
            Self::Federated(provider) if caller.provider == Some(provider) => {
                if nobody_yet {
                    Named::Directly
                } else {
                    Named::AsRole
                }
            }
            Self::Federated(_) | Self::Service(_) => Named::Not,
            Self::Anyone if nobody_yet => Named::ByAccount,
            Self::Anyone => Named::AsRole,
            _ if nobody_yet => Named::Not,
            Self::Account(account) if *account == caller.account => Named::ByAccount,
            Self::Arn(arn) if arn.as_str() == caller.arn => Named::Directly,
            Self::Arn(arn) if arn.as_str() == &*caller.of_arn => Named::AsRole,
            // A session that a simulation imagines has no unique id.
            Self::SessionOf(arn, id) if arn.as_str() == caller.arn => {
                if caller.unique_id.is_empty() || **id == *caller.unique_id {
                    Named::Directly
                } else {
                    Named::Not
                }
            }
            Self::UniqueId(id) if **id == *caller.unique_id => caller.by_unique_id(),
            Self::Account(_) | Self::Arn(_) | Self::SessionOf(..) | Self::UniqueId(_) => Named::Not,
        }
    }
}

/// Whether a list after `NotPrincipal` leaves `caller` out. As at AWS a session is left out only if its account, its role
/// and the session itself are listed, and a user only if its account is.
pub(crate) fn leaves_out(list: &[PrincipalPattern], caller: &Caller<'_>) -> bool {
    let listed = |wanted: Named| list.iter().any(|pattern| pattern.names(caller) == wanted);
    if list.contains(&PrincipalPattern::Anyone) {
        return true;
    }
    if matches!(caller.kind, CallerKind::WebIdentity | CallerKind::Service) {
        return listed(Named::Directly);
    }
    let is_of_another = *caller.of_arn != *caller.arn;
    listed(Named::ByAccount) && listed(Named::Directly) && (!is_of_another || listed(Named::AsRole))
}

fn is_session(arn: &Arn) -> bool {
    arn.service() == "sts" && arn.resource().starts_with("assumed-role/")
}

fn is_unique_id(text: &str) -> bool {
    let rest = text.strip_prefix("AROA").or_else(|| text.strip_prefix("AIDA"));
    rest.is_some_and(|rest| {
        (12..=124).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}
