//! The one way in without credentials of ours: an identity provider's token for a session of a role.
//!
//! token → its issuer's signature, its time → the account's provider and its client ids → who it is → what the role's
//! trust policy says of that. What is wrong with the token itself is told; an account without such a provider, a provider
//! with other client ids, a role that is not there and one whose trust policy refuses are denied in the same words, and
//! count alike against who tries.

use std::sync::Arc;

use moho_iam::WebIdentity;
use moho_iam::action::{Action, sts};
use moho_iam::authn::{Authenticated, SessionGrant};
use moho_iam::authz::{Context, Permit, Refusal, RequestFacts};
use moho_iam::oidc::{IdToken, Provider, TokenError, VerifiedToken, condition_key, provider_arn};
use moho_terms::Arn;
use moho_wire::aws::ops::sts::AssumeRoleWithWebIdentity;
use moho_wire::{Failure, Route};

use super::Trip;
use crate::api_calls::Calling;
use crate::handlers::sts::{self as handlers, Asking, narrowing};
use crate::net::pool::Sharer;
use crate::net::{Outbound, Peer};
use crate::quota::Entrance;
use crate::road::{authenticate, failure, from_store, reply};
use crate::startup::Platform;
use crate::telemetry::RequestSpan;

/// A request on its way here, before anybody knows who sent it.
pub(in crate::road) struct Bringing<'a> {
    pub(in crate::road) platform: &'a Arc<Platform>,
    pub(in crate::road) peer: Peer,
    pub(in crate::road) facts: &'a RequestFacts,
    pub(in crate::road) route: &'a Route,
    pub(in crate::road) measured: (&'a RequestSpan, &'a Arc<Entrance>, &'a Calling),
}

/// Who brings the token, and then a session of the role.
pub(in crate::road) async fn assume(
    bringing: &Bringing<'_>,
    assume: AssumeRoleWithWebIdentity,
) -> Result<Outbound, Failure> {
    let Bringing {
        platform,
        peer,
        facts,
        route,
        measured: (span, entrance, calling),
    } = *bringing;
    let slowed = authenticate::has_failed_too_often(platform, peer);
    let refused = |error: TokenError| {
        // An issuer that is away is not the peer's fault.
        if error != TokenError::Unreachable {
            authenticate::proof_failed(platform, peer, slowed);
        }
        authenticate::refused(platform, (peer, facts), &error.into())
    };
    if slowed && !is_anothers(platform, peer, &assume) {
        return Err(Failure::Throttled {
            retry_after: failure::RETRY_AFTER,
        });
    }
    let mut asking = Asking::of_web_identity(&assume).map_err(|failure| in_vain(bringing, failure))?;
    let text = std::str::from_utf8(assume.web_identity_token.expose());
    let text = text.map_err(|_no_text| refused(TokenError::Malformed("it is not text")))?;
    let verified = verify(platform, (peer, &asking.role), text)
        .await?
        .map_err(refused)?;
    let web = verified.identity().clone();
    asking.tags = verified.tags().clone();
    asking.source_identity = verified.source_identity().cloned();
    let caller = Authenticated::by_web_identity(verified.into_identity(), platform.clock.now());
    let caller = caller.ok_or(Failure::Internal)?;
    calling.by(&caller, facts);
    let trip = Trip {
        invocation: None,
        platform,
        caller: &caller,
        facts,
        route,
        span,
        entrance,
        calling,
    };
    let taken_on = take_on(&trip, asking, &web);
    if let Err(Failure::AccessDenied(_)) = &taken_on {
        authenticate::proof_failed(platform, peer, slowed);
    }
    taken_on.map(reply::whole)
}

/// Whether a token proves something, although so many others from its address do not: many may share one.
fn is_anothers(platform: &Platform, peer: Peer, assume: &AssumeRoleWithWebIdentity) -> bool {
    let text = std::str::from_utf8(assume.web_identity_token.expose()).ok();
    let Some(token) = text.and_then(|text| IdToken::parse(text).ok()) else {
        return false;
    };
    let may = || authenticate::gets_second_look(platform, peer);
    let signed = platform.federation.knows(&token, may);
    signed.is_some_and(|signed| signed.check_time(platform.clock.now()).is_ok())
}

/// Notes a request that fails before its token is looked at, like any other that proves nothing.
pub(in crate::road) fn in_vain(bringing: &Bringing<'_>, failure: Failure) -> Failure {
    let whose = (bringing.peer, bringing.facts);
    let noted = authenticate::refused(bringing.platform, whose, &TokenError::Request.into());
    if noted == Failure::Unavailable {
        noted
    } else {
        failure
    }
}

/// Checks a token that a peer brings for the account of `role`. What the outer error says is no fault of the token.
async fn verify(
    platform: &Platform,
    (peer, role): (Peer, &Arn),
    token: &str,
) -> Result<Result<VerifiedToken, TokenError>, Failure> {
    let token = match IdToken::parse(token) {
        Ok(token) => token,
        Err(error) => return Ok(Err(error)),
    };
    let checked = platform.federation.check(&token, Sharer::of(peer)).await;
    let now = platform.clock.now();
    // Before the account is looked at, so that nobody learns of it by a token that is not current.
    let signed = match checked.and_then(|signed| signed.check_time(now).map(|()| signed)) {
        Ok(signed) => signed,
        Err(error) => return Ok(Err(error)),
    };
    let provider = provider(platform, role, token.issuer())?;
    Ok(match provider {
        Some(provider) => signed.for_provider(&provider, now),
        None => Err(TokenError::NoProvider),
    })
}

/// The provider of this issuer that the role's account trusts.
fn provider(platform: &Platform, role: &Arn, issuer: &str) -> Result<Option<Provider>, Failure> {
    let named = role.account().parse().ok();
    let Some(arn) = named.and_then(|account| provider_arn(account, issuer)) else {
        return Ok(None);
    };
    let found = platform
        .store
        .oidc_provider(&arn)
        .map_err(|error| from_store(&error))?;
    // Two issuers may differ by no more than a slash at the end.
    Ok(found.filter(|found| found.url == issuer).map(|found| Provider {
        arn: found.arn,
        issuer: found.url,
        client_ids: found.client_ids,
    }))
}

/// Decides, and issues the session.
fn take_on(trip: &Trip<'_>, asking: Asking, web: &WebIdentity) -> Result<moho_wire::Reply, Failure> {
    let mut context = asking.context(asking.source_identity.as_ref());
    for (claim, values) in &web.claims {
        context.set(&condition_key(&web.provider, claim), values.clone());
    }
    let permit = leave::<sts::AssumeRoleWithWebIdentity>(trip, &asking.role, &context)?;
    let tagging = match asking.tags.is_empty() {
        true => None,
        false => Some(leave::<sts::TagSession>(trip, &asking.role, &context)?),
    };
    let naming_source = match asking.source_identity {
        None => None,
        Some(_) => Some(leave::<sts::SetSourceIdentity>(trip, &asking.role, &context)?),
    };
    let role = trip.platform.store.role_facts(&asking.role);
    let role = role
        .map_err(|error| from_store(&error))?
        .ok_or_else(not_authorized)?;
    let grant = SessionGrant {
        duration_seconds: asking.duration_seconds,
        narrowing: narrowing(&trip.platform.store, &permit, asking.narrowing)?,
        tags: asking.tags,
        source_identity: asking.source_identity,
        tagging,
        naming_source,
        ..SessionGrant::named(asking.session_name)
    };
    handlers::assume_role_with_web_identity(&trip.asked(), &permit, (&role, grant), web)
}

/// Leave to do `A` with a role, which is refused in the same words whatever the reason.
fn leave<A: Action>(trip: &Trip<'_>, role: &Arn, context: &Context) -> Result<Permit<A>, Failure> {
    let decided = trip.decide(role, context);
    decided.map_err(|refusal| match refusal {
        Refusal::AccessDenied { .. } => not_authorized(),
        Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => failure::from_refusal(&refusal),
    })
}

/// AWS's words, which name neither the role nor who was refused.
fn not_authorized() -> Failure {
    Failure::AccessDenied(TokenError::NoProvider.to_string())
}
