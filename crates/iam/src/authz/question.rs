//! One question to the evaluator, by whomever it is asked: a real request or a simulated one.

use std::borrow::Cow;

use moho_terms::{AccountId, Arn};

use super::{Context, Key};
use crate::policy::{ActionName, Effect, Named};
use crate::session::{Principal, Session};

/// What kind of principal asks, as far as it makes a difference to a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    /// A session of a role.
    RoleSession,
    /// A user, by its long-lived credentials.
    User,
    /// A user, by credentials of `GetSessionToken`.
    UserSession,
    /// Whom a user named in `GetFederationToken`.
    FederatedUser,
    /// Somebody whom an identity provider knows: nobody here yet.
    WebIdentity,
    /// The bootstrap principal: what narrows its session is also all it is given.
    Bootstrap,
    /// A service of moho's own: it has what a resource's policy allows it by its name.
    Service,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller<'a> {
    pub(crate) kind: CallerKind,
    pub(crate) account: AccountId,
    /// The session's or user's own ARN.
    pub(crate) arn: &'a str,
    /// The ARN of the role or user that the session is of; else its own.
    pub(crate) of_arn: Cow<'a, str>,
    /// The unique id of the role or user; empty for whoever has none.
    pub(crate) unique_id: &'a str,
    /// The identity provider that it, or the first session of its chain, is from; a service's own name.
    pub(crate) provider: Option<&'a str>,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(session: &'a Session) -> Self {
        let own = Cow::Borrowed(session.role_arn().as_str());
        let (kind, of_arn, unique_id) = match session.principal() {
            Principal::AssumedRole { role, .. } => (CallerKind::RoleSession, own, role.id.as_str()),
            Principal::User(user) if session.is_temporary() => {
                (CallerKind::UserSession, own, user.id.as_str())
            }
            Principal::User(user) => (CallerKind::User, own, user.id.as_str()),
            Principal::FederatedUser { user, .. } => {
                let of_user = user.arn(session.account()).map(|arn| arn.to_string());
                let of_user = of_user.map_or(own, Cow::Owned);
                (CallerKind::FederatedUser, of_user, user.id.as_str())
            }
            Principal::WebIdentity(_) => (CallerKind::WebIdentity, own, ""),
            Principal::Bootstrap => (CallerKind::Bootstrap, own, ""),
            Principal::Service(_) => (CallerKind::Service, own, ""),
        };
        let provider = match session.principal() {
            Principal::WebIdentity(web) => Some(web.provider.as_str()),
            Principal::Service(service) => Some(service.as_str()),
            Principal::AssumedRole { .. }
            | Principal::User(_)
            | Principal::FederatedUser { .. }
            | Principal::Bootstrap => session.federated_provider(),
        };
        Self {
            kind,
            account: session.account(),
            arn: session.principal_arn().as_str(),
            of_arn,
            unique_id,
            provider,
        }
    }

    /// Whoever is meant by an ARN in a simulation: a user, a role (some session of it) or a session of a role.
    pub(crate) fn simulated(arn: &'a Arn) -> Option<Self> {
        let account = arn.account().parse().ok()?;
        let (kind, own, of_arn) = match (arn.service(), arn.resource().split_once('/')?) {
            ("iam", ("user", _)) => (CallerKind::User, arn.as_str(), Cow::Borrowed(arn.as_str())),
            ("iam", ("role", _)) => (CallerKind::RoleSession, "", Cow::Borrowed(arn.as_str())),
            ("sts", ("assumed-role", session)) => {
                let (role, _) = session.split_once('/')?;
                let of_role = format!("arn:aws:iam::{account}:role/{role}");
                (CallerKind::RoleSession, arn.as_str(), Cow::Owned(of_role))
            }
            _ => return None,
        };
        Some(Self {
            kind,
            account,
            arn: own,
            of_arn,
            unique_id: "",
            provider: None,
        })
    }

    /// How its unique id names it: a session only by whom it is of.
    pub(crate) fn by_unique_id(&self) -> Named {
        match self.kind {
            CallerKind::User | CallerKind::UserSession => Named::Directly,
            CallerKind::RoleSession | CallerKind::FederatedUser => Named::AsRole,
            CallerKind::WebIdentity | CallerKind::Bootstrap | CallerKind::Service => Named::Not,
        }
    }
}

/// Who wants to do what, on what, under which circumstances.
pub(crate) struct Question<'a> {
    /// `None` in a simulation without a caller: no resource's policy names it then.
    pub(crate) caller: Option<Caller<'a>>,
    pub(crate) action: ActionName<'a>,
    /// An ARN; in a simulation also `*`.
    pub(crate) resource: &'a str,
    /// The account that owns the resource; `None` if nobody does, or the caller's own.
    pub(crate) owner: Option<AccountId>,
    pub(crate) context: &'a Context,
    /// What becomes of a condition about something that nobody knows yet.
    pub(crate) unknown: Unknown,
}

/// How a condition counts whose key the context does not have, though a request might.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The key is absent: what is asked is a request, or a simulation that says all there is.
    Absent,
    /// Whatever lets the request be allowed.
    Hoped,
    /// Whatever lets it be denied.
    Feared,
}

impl Unknown {
    /// Whether such a condition of a statement of this effect counts as fulfilled; `None` if it is to be evaluated.
    pub(crate) fn assumes(self, effect: Effect) -> Option<bool> {
        match self {
            Self::Absent => None,
            Self::Hoped => Some(effect == Effect::Allow),
            Self::Feared => Some(effect == Effect::Deny),
        }
    }
}

/// Whether a request may have a key that the context lacks. What keys, their owners and principals are is known: what of it
/// is absent is absent from every request.
pub(crate) fn is_open(key: &Key, context: &Context) -> bool {
    const KNOWN: [&str; 14] = [
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalorg",
        "aws:principaltype",
        "aws:username",
        "aws:resource",
        "kms:calleraccount",
        "kms:keyorigin",
        "kms:keyspec",
        "kms:keyusage",
        "kms:multiregion",
        "kms:resourcealiases",
        "aws:requestedregion",
    ];
    let name = key.name().to_ascii_lowercase();
    context.values(key).is_none() && !KNOWN.iter().any(|known| name.starts_with(known))
}

impl Question<'_> {
    pub(crate) fn kind(&self) -> Option<CallerKind> {
        self.caller.as_ref().map(|caller| caller.kind)
    }

    /// Whether caller and resource are of one account.
    pub(crate) fn within_account(&self) -> bool {
        match (self.owner, &self.caller) {
            (Some(owner), Some(caller)) => owner == caller.account,
            (None, _) | (_, None) => true,
        }
    }
}
