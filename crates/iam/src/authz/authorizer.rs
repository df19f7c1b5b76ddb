//! The one maker of permits: decide, write the decision down, and only then let it happen.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use moho_terms::{Arn, ArnError, Clock, Timestamp};

use super::decision::{AccessRequest, Decision, PolicySource, PolicyUnavailable, Reason, Statement};
use super::detail::DenialDetail;
use super::facts::RequestFacts;
use super::journal::{Entry, Journal, JournalUnavailable, Outcome, Position};
use super::{Attached, Context, Grant, KeySet, Policies, decide, denial, evaluate, global_keys, hidden};
use crate::action::{self, Action};
use crate::authn::{Authenticated, AuthnError, Scheme, SigningName};
use crate::bootstrap::DoorClosed;
use crate::policy::PolicyDocument;
use crate::session::Session;
use moho_terms::hex;

/// Why something may not happen.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The policies say no. All that is told of another account's resource, and of a role to be taken on, is what would be
    /// told if it were not there; the journal has the rest.
    #[error("{message}")]
    AccessDenied {
        /// AWS's wording: who, what and which kind of policy.
        message: String,
        /// Why.
        reason: Reason,
        /// All of it, for who may know: it reaches the caller sealed, if at all.
        detail: Box<DenialDetail>,
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
    session: Arc<Session>,
    resource: Arn,
    unique_id: Option<u64>,
    context: Context,
    grants: Vec<Arc<Grant>>,
    position: Position,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Permit<A> {
    /// On whose behalf.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// On what.
    #[must_use]
    pub fn resource(&self) -> &Arn {
        &self.resource
    }

    /// Which of those that have, had or will have that name: what is known as [`ResourceFacts::unique_id`]. `None` if there
    /// was nothing of that name, or names are not used again.
    ///
    /// [`ResourceFacts::unique_id`]: super::ResourceFacts::unique_id
    #[must_use]
    pub fn unique_id(&self) -> Option<u64> {
        self.unique_id
    }

    /// Under which circumstances: what conditions can ask about. The permit of an action on a KmsKey tells only what was
    /// asked, beside what is said of the request and of the key: keys are used far more often than anybody looks.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The grants that it rests on: empty if policies alone allow it. For `kms:CreateGrant` these are all that allow it: what
    /// is made must be [covered](Grant::covers) by one of them.
    #[must_use]
    pub fn grants(&self) -> &[Arc<Grant>] {
        &self.grants
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
        if let Some(bearer) = attempt.bearer_action(resource).map_err(PolicyUnavailable::new)? {
            self.decide(&attempt, &bearer, (context, "allowed"))?;
        }
        let asked = Asked {
            action: A::NAME,
            resource: resource.clone(),
        };
        let decided = self.decide(&attempt, &asked, (context, "allowed"))?;
        Ok(Permit {
            session: caller.shared_session(),
            resource: asked.resource,
            unique_id: decided.unique_id,
            context: decided.context,
            grants: decided.grants,
            position: decided.position,
            action: PhantomData,
        })
    }

    /// Decides what would be said if there were nothing of the name `resource`, and writes it down as that: an `absent` thing,
    /// on which `A` would be allowed. There is no permit for it.
    ///
    /// # Errors
    /// [`Refusal`], as of [`authorize`](Self::authorize).
    pub fn judge_absent<A: Action>(
        &self,
        caller: &Authenticated,
        request: &RequestFacts,
        resource: &Arn,
        context: &Context,
    ) -> Result<(), Refusal> {
        let attempt = Attempt {
            caller,
            request,
            now: self.clock.now(),
        };
        if let Some(bearer) = attempt.bearer_action(resource).map_err(PolicyUnavailable::new)? {
            self.decide(&attempt, &bearer, (context, "allowed"))?;
        }
        let asked = Asked {
            action: A::NAME,
            resource: resource.clone(),
        };
        self.decide(&attempt, &asked, (context, "absent")).map(|_| ())
    }

    /// Whether `caller` could do `A` on `resource` if the resource's policy were `policy` and it had no grants, under no other
    /// circumstances than every request has: whether who writes a key's policy would lock itself out. Nothing is written
    /// down, and there is no permit for it.
    ///
    /// # Errors
    /// [`PolicyUnavailable`] if the other policies cannot be read.
    pub fn would_allow_with<A: Action>(
        &self,
        caller: &Authenticated,
        request: &RequestFacts,
        resource: &Arn,
        policy: &PolicyDocument,
    ) -> Result<bool, PolicyUnavailable> {
        let attempt = Attempt {
            caller,
            request,
            now: self.clock.now(),
        };
        let asked = Asked {
            action: A::NAME,
            resource: resource.clone(),
        };
        let policies = self
            .policies
            .policies(caller.session(), asked.action, &asked.resource)?;
        let policies = Policies {
            resource: Some(Attached::new(resource.as_str(), Arc::new(policy.clone()))),
            grants: None,
            ..policies
        };
        let wanted = attempt.asked_keys(&policies);
        let context = attempt.context(&asked, &Context::new(), (&policies, wanted));
        let verdict = decide(&attempt.access_request(&asked, &context), &policies);
        Ok(verdict.decision == Decision::Allow)
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
        let mut entry = unauthenticated(request, self.clock.now(), reason);
        entry.error_code = error_code;
        self.journal.record(&entry)
    }

    /// The policies that bear on a request, and what it says of itself with what they ask for beside that.
    fn known<'a>(
        &self,
        attempt: &Attempt<'_>,
        asked: &Asked,
        context: &'a Context,
    ) -> Result<(Policies, Cow<'a, Context>), PolicyUnavailable> {
        let (session, source) = (attempt.caller.session(), &self.policies);
        let policies = match context.grant() {
            Some(grant) => source.policies_about(session, asked.action, &asked.resource, grant),
            None => source.policies(session, asked.action, &asked.resource),
        }?;
        let told = context.found_out(|prefix| policies.ask_for(prefix, attempt.own_policies()))?;
        Ok((policies, told))
    }

    /// Decides and writes it down, what is allowed with the word for that. Gives what conditions were asked about, and where
    /// it is written, and by which grants.
    fn decide(
        &self,
        attempt: &Attempt<'_>,
        asked: &Asked,
        (context, allowed): (&Context, &'static str),
    ) -> Result<Decided, Refusal> {
        let session = attempt.caller.session();
        let (policies, told) = match self.known(attempt, asked, context) {
            Ok(known) => known,
            Err(unavailable) => {
                let mut entry = attempt.entry(asked, Outcome::Deny, "policies-unavailable", None);
                entry.via_service = via(asked, context);
                self.journal.record(&entry)?;
                return Err(unavailable.into());
            }
        };
        let asked_with = &*told;
        let wanted = if asked.is_told_in_full() {
            KeySet::ALL
        } else {
            attempt.asked_keys(&policies)
        };
        let context = attempt.context(asked, asked_with, (&policies, wanted));
        let verdict = decide(&attempt.access_request(asked, &context), &policies);
        let statement = verdict.statement();
        match verdict.decision {
            Decision::Allow => {
                let mut entry = attempt.entry(asked, Outcome::Allow, allowed, statement.as_ref());
                entry.via_service = via(asked, &context);
                let grants = verdict.into_grants();
                let position = self.journal.record(&entry)?;
                Ok(Decided {
                    unique_id: policies.resource_facts.unique_id,
                    context,
                    grants,
                    position,
                })
            }
            Decision::Deny(reason) => {
                let mut entry = attempt.entry(asked, Outcome::Deny, denial::code(reason), statement.as_ref());
                entry.via_service = via(asked, &context);
                let hidden = hidden::is_hidden(session, asked.action, &asked.resource, &policies);
                // Whose it is, the ARN of something of S3's does not say to whoever reads the journal.
                if hidden && asked.resource.account().is_empty() {
                    let policies = policies.if_nobodys();
                    let context = attempt.context(asked, asked_with, (&policies, KeySet::ALL));
                    let told = decide(&attempt.access_request(asked, &context), &policies);
                    entry.told = Some(denial::as_told(&told));
                }
                self.journal.record(&entry)?;
                let policies = if hidden { policies.if_absent() } else { policies };
                let context = attempt.context(asked, asked_with, (&policies, KeySet::ALL));
                Err(attempt.told(asked, (&context, &policies), reason))
            }
        }
    }
}

/// A decision that allows something, where it is written.
struct Decided {
    unique_id: Option<u64>,
    context: Context,
    grants: Vec<Arc<Grant>>,
    position: Position,
}

/// The service that uses a key for whoever asks.
fn via(asked: &Asked, context: &Context) -> Option<String> {
    global_keys::via_service(asked.action, context).map(str::to_owned)
}

/// One action on one resource.
struct Asked {
    action: &'static str,
    resource: Arn,
}

impl Asked {
    /// Whether a permit for it tells everything that conditions can ask about.
    fn is_told_in_full(&self) -> bool {
        let by_bearer = [
            action::bedrock::CallWithBearerToken::NAME,
            action::mantle::CallWithBearerToken::NAME,
        ];
        !self.action.starts_with("kms:") && !by_bearer.contains(&self.action)
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
            Scheme::SigV4 { .. } | Scheme::WebIdentity | Scheme::Bootstrap | Scheme::OwnService => {
                return Ok(None);
            }
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

    /// What conditions can ask about, of that what is wanted.
    fn context(
        &self,
        asked: &Asked,
        asked_with: &Context,
        (policies, wanted): (&Policies, KeySet),
    ) -> Context {
        let bears = (asked.action, &asked.resource, policies);
        global_keys::complete((asked_with, wanted), self.caller, self.request, self.now, bears)
    }

    /// What any condition that bears on the request does ask about.
    fn asked_keys(&self, policies: &Policies) -> KeySet {
        policies.asked_keys(self.own_policies())
    }

    /// The policies that the request brings itself.
    fn own_policies(&self) -> [Option<&PolicyDocument>; 2] {
        let endpoint = self.request.endpoint.as_ref();
        [
            self.caller.session().session_policy(),
            endpoint.map(|endpoint| &*endpoint.policy.document),
        ]
    }

    fn access_request<'b>(&'b self, asked: &'b Asked, context: &'b Context) -> AccessRequest<'b> {
        AccessRequest {
            principal: self.caller.session(),
            action: asked.action,
            resource: &asked.resource,
            context,
            endpoint: self.request.endpoint.as_deref(),
        }
    }

    /// What the caller is told of a refusal, by what it may know of; `reason` if that alone would not refuse.
    fn told(&self, asked: &Asked, (context, policies): (&Context, &Policies), reason: Reason) -> Refusal {
        let request = self.access_request(asked, context);
        let response = evaluate(&request, policies);
        let reason = match response.decision {
            Decision::Deny(told) => told,
            Decision::Allow => reason,
        };
        Refusal::AccessDenied {
            message: denial::message(&request, reason),
            reason,
            detail: Box::new(denial::detail(&request, &response)),
        }
    }

    fn entry(
        &self,
        asked: &Asked,
        outcome: Outcome,
        reason: &'static str,
        statement: Option<&Statement>,
    ) -> Entry {
        let session = self.caller.session();
        let mut entry = unauthenticated(self.request, self.now, reason);
        entry.outcome = outcome;
        entry.principal = Some(session.principal_arn().clone());
        entry.account = Some(session.account());
        entry.access_key_id = session.access_key_id().cloned();
        entry.scheme = Some(self.caller.scheme().as_str());
        entry.action = Some(asked.action);
        entry.resource = Some(asked.resource.clone());
        entry.source_identity = session.source_identity().map(ToString::to_string);
        entry.policy = statement.map(|statement| statement.source.to_string());
        entry.statement = statement.map(Statement::name);
        entry.error_code = (outcome != Outcome::Allow).then_some("AccessDenied");
        entry
    }
}

/// What is written down of a request that nobody is known to have made.
pub(super) fn unauthenticated(request: &RequestFacts, time: Timestamp, reason: &'static str) -> Entry {
    Entry {
        time,
        request_id: request.request_id.clone(),
        outcome: Outcome::Unauthenticated,
        reason,
        principal: None,
        account: None,
        access_key_id: None,
        scheme: None,
        action: None,
        resource: None,
        policy: None,
        statement: None,
        source_identity: None,
        endpoint: request.endpoint.as_ref().map(|endpoint| endpoint.id.clone()),
        source_ip: request.source_ip,
        peer_uid: request.peer_uid,
        client_certificate_sha256: digits(request.client_certificate_sha256.as_ref()),
        user_agent_sha256: digits(request.user_agent_sha256.as_ref()),
        error_code: None,
        via_service: None,
        further: None,
        told: None,
    }
}

fn digits(digest: Option<&[u8; 32]>) -> Option<String> {
    digest.map(|digest| hex::encode(digest))
}
