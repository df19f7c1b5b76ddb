//! The one maker of permits: decide, write the decision down, and only then let it happen.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use moho_terms::{Arn, ArnError, Clock, RequestId, Timestamp};

use super::decision::{AccessRequest, Decision, PolicySource, PolicyUnavailable, Reason};
use super::journal::{Entry, Journal, JournalUnavailable, Outcome, Position};
use super::{Context, denial, evaluate};
use crate::action::{self, Action};
use crate::authn::{Authenticated, AuthnError, Scheme, SigningName};
use crate::bootstrap::DoorClosed;
use crate::hex;
use crate::session::RoleSession;

/// What the journal is told about a request, beside who and what.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Which request.
    pub request_id: RequestId,
    /// From which address; `None` on a local socket.
    pub source_ip: Option<IpAddr>,
    /// SHA-256 of its `User-Agent`.
    pub user_agent_sha256: Option<[u8; 32]>,
}

/// Why something may not happen.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The policies say no.
    #[error("{message}")]
    AccessDenied {
        /// AWS's wording: who, what and which kind of policy.
        message: String,
        /// Why, as the journal has it.
        reason: Reason,
    },
    /// The decision could not be written down.
    #[error(transparent)]
    JournalUnavailable(#[from] JournalUnavailable),
    /// The policies could not be read.
    #[error(transparent)]
    PolicyUnavailable(#[from] PolicyUnavailable),
}

/// Proof that the caller may do `A` on one resource, and that this is written down.
///
/// Neither `Clone` nor `Default`; made by [`Authorizer::authorize`] only.
#[derive(Debug)]
pub struct Permit<A> {
    session: Arc<RoleSession>,
    resource: Arn,
    context: Context,
    position: Position,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Permit<A> {
    /// On whose behalf.
    #[must_use]
    pub fn session(&self) -> &RoleSession {
        &self.session
    }

    /// On what.
    #[must_use]
    pub fn resource(&self) -> &Arn {
        &self.resource
    }

    /// Under which circumstances: what conditions were asked about.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Where the decision stands in the journal.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

/// Decides and writes down.
pub struct Authorizer {
    policies: Arc<dyn PolicySource>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
}

impl Authorizer {
    /// An authorizer over these policies, which writes to this journal.
    #[must_use]
    pub fn new(policies: Arc<dyn PolicySource>, journal: Arc<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        Self {
            policies,
            journal,
            clock,
        }
    }

    /// Decides whether `caller` may do `A` on `resource`, and writes the decision down, allowed or denied. If the caller
    /// came with a bearer key, it must also be allowed the service's `CallWithBearerToken`; nobody needs to ask for that,
    /// and it is a decision of its own, written down before the other.
    ///
    /// # Errors
    /// [`Refusal`]: denied, or the decision could not be made or written down.
    pub fn authorize<A: Action>(
        &self,
        caller: &Authenticated,
        request: &RequestFacts,
        resource: &Arn,
        context: &Context,
    ) -> Result<Permit<A>, Refusal> {
        let attempt = Attempt {
            caller,
            request,
            now: self.clock.now(),
        };
        let context = attempt.with_global_keys(context, resource);
        let asked = Asked {
            action: A::NAME,
            resource: resource.clone(),
        };
        if let Some(bearer) = attempt.bearer_action(resource).map_err(PolicyUnavailable::new)? {
            let decision = self.decide(&attempt, &bearer, &context)?;
            self.refuse_unless_allowed(&attempt, &bearer, decision)?;
            self.journal
                .record(&attempt.entry(&bearer, Outcome::Allow, "allowed"))?;
        }
        let decision = self.decide(&attempt, &asked, &context)?;
        self.refuse_unless_allowed(&attempt, &asked, decision)?;
        let position = self
            .journal
            .record(&attempt.entry(&asked, Outcome::Allow, "allowed"))?;
        Ok(Permit {
            session: caller.shared_session(),
            resource: asked.resource,
            context,
            position,
            action: PhantomData,
        })
    }

    /// Writes down that somebody failed to prove who they are.
    ///
    /// # Errors
    /// [`JournalUnavailable`] if it could not be written.
    pub fn journal_authn_failure(
        &self,
        request: &RequestFacts,
        error: &AuthnError,
    ) -> Result<Position, JournalUnavailable> {
        self.journal_nobody(request, error.code(), None)
    }

    /// Writes down that the bootstrap door did not open for somebody.
    ///
    /// # Errors
    /// [`JournalUnavailable`] if it could not be written.
    pub fn journal_door_closed(
        &self,
        request: &RequestFacts,
        closed: &DoorClosed,
    ) -> Result<Position, JournalUnavailable> {
        self.journal_nobody(request, closed.code(), Some("AccessDenied"))
    }

    fn journal_nobody(
        &self,
        request: &RequestFacts,
        reason: &'static str,
        error_code: Option<&'static str>,
    ) -> Result<Position, JournalUnavailable> {
        self.journal.record(&Entry {
            time: self.clock.now(),
            request_id: request.request_id.clone(),
            outcome: Outcome::Unauthenticated,
            reason,
            principal: None,
            account: None,
            access_key_id: None,
            scheme: None,
            action: None,
            resource: None,
            source_ip: request.source_ip,
            user_agent_sha256: request
                .user_agent_sha256
                .as_ref()
                .map(|digest| hex::encode(digest)),
            error_code,
        })
    }

    fn decide(&self, attempt: &Attempt<'_>, asked: &Asked, context: &Context) -> Result<Decision, Refusal> {
        let principal = attempt.caller.session();
        match self.policies.policies(principal, asked.action, &asked.resource) {
            Ok(policies) => Ok(evaluate(&asked.request(principal, context), &policies).decision),
            Err(unavailable) => {
                self.journal
                    .record(&attempt.entry(asked, Outcome::Deny, "policies-unavailable"))?;
                Err(unavailable.into())
            }
        }
    }

    fn refuse_unless_allowed(
        &self,
        attempt: &Attempt<'_>,
        asked: &Asked,
        decision: Decision,
    ) -> Result<(), Refusal> {
        let reason = match decision {
            Decision::Allow => return Ok(()),
            Decision::Deny(reason) => reason,
        };
        self.journal
            .record(&attempt.entry(asked, Outcome::Deny, denial::code(reason)))?;
        Err(Refusal::AccessDenied {
            message: asked.denial(attempt.caller.session(), reason),
            reason,
        })
    }
}

/// One action on one resource.
struct Asked {
    action: &'static str,
    resource: Arn,
}

impl Asked {
    fn request<'a>(&'a self, principal: &'a RoleSession, context: &'a Context) -> AccessRequest<'a> {
        AccessRequest {
            principal,
            action: self.action,
            resource: &self.resource,
            context,
        }
    }

    fn denial(&self, principal: &RoleSession, reason: Reason) -> String {
        denial::message(&self.request(principal, &Context::new()), reason)
    }
}

/// Who asks, in which request, when.
struct Attempt<'a> {
    caller: &'a Authenticated,
    request: &'a RequestFacts,
    now: Timestamp,
}

impl Attempt<'_> {
    /// What a caller with a bearer key must be allowed beside what it asks for.
    fn bearer_action(&self, resource: &Arn) -> Result<Option<Asked>, ArnError> {
        let service = match self.caller.scheme() {
            Scheme::Bearer { service, .. } => service,
            Scheme::SigV4 { .. } | Scheme::WebIdentity | Scheme::Bootstrap => return Ok(None),
        };
        let action = if service == SigningName::BedrockMantle {
            action::mantle::CallWithBearerToken::NAME
        } else {
            action::bedrock::CallWithBearerToken::NAME
        };
        let account = self.caller.session().account();
        let resource = Arn::of(service.as_str(), resource.region(), account.as_str(), "*")?;
        Ok(Some(Asked { action, resource }))
    }

    /// The keys every request has, whatever the handler said about them.
    fn with_global_keys(&self, context: &Context, resource: &Arn) -> Context {
        let session = self.caller.session();
        let bearer = match self.caller.scheme() {
            Scheme::Bearer { lifetime, .. } => Some(lifetime.as_str().to_owned()),
            Scheme::SigV4 { .. } | Scheme::WebIdentity | Scheme::Bootstrap => None,
        };
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut context = context.clone();
        for (key, value) in [
            ("aws:currenttime", Some(self.now.to_string())),
            ("aws:epochtime", Some(self.now.unix_seconds().to_string())),
            ("aws:principalaccount", Some(session.account().to_string())),
            ("aws:principalarn", Some(session.role_arn().to_string())),
            ("aws:principaltype", session.principal_type().map(str::to_owned)),
            ("aws:userid", Some(session.user_id().to_owned())),
            (
                "aws:tokenissuetime",
                session.is_temporary().then(|| session.issued_at().to_string()),
            ),
            (
                "aws:sourceip",
                self.request
                    .source_ip
                    .map(|address| address.to_canonical().to_string()),
            ),
            ("aws:requestedregion", named(resource.region())),
            ("aws:resourceaccount", named(resource.account())),
            ("bedrock:bearertokentype", bearer.clone()),
            ("bedrock-mantle:bearertokentype", bearer),
        ] {
            context.replace(key, value);
        }
        context
    }

    fn entry(&self, asked: &Asked, outcome: Outcome, reason: &'static str) -> Entry {
        let session = self.caller.session();
        Entry {
            time: self.now,
            request_id: self.request.request_id.clone(),
            outcome,
            reason,
            principal: Some(session.principal_arn().clone()),
            account: Some(session.account()),
            access_key_id: session.access_key_id().cloned(),
            scheme: Some(self.caller.scheme().as_str()),
            action: Some(asked.action),
            resource: Some(asked.resource.clone()),
            source_ip: self.request.source_ip,
            user_agent_sha256: self
                .request
                .user_agent_sha256
                .as_ref()
                .map(|digest| hex::encode(digest)),
            error_code: (outcome != Outcome::Allow).then_some("AccessDenied"),
        }
    }
}
