//! The one maker of permits: decide, write the decision down, and only then let it happen.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use moho_terms::{Arn, Clock, RequestId};

use super::{Context, Journal, JournalUnavailable, PolicySource, PolicyUnavailable, Position};
use crate::action::Action;
use crate::authn::{Authenticated, AuthnError};
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
    /// came with a bearer key, it must also be allowed the service's `CallWithBearerToken`; nobody needs to ask for that.
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
        let _: (&Authenticated, &RequestFacts, &Arn, &Context) = (caller, request, resource, context);
        let _: (&dyn PolicySource, &dyn Journal, &dyn Clock) =
            (&*self.policies, &*self.journal, &*self.clock);
        Err(Refusal::AccessDenied {
            message: A::NAME.to_owned(),
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
        let _: (&RequestFacts, &AuthnError) = (request, error);
        Err(JournalUnavailable::new("nothing is written"))
    }
}
