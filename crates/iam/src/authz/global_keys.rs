//! The keys every request has, whatever its handler says about them: AWS's global condition keys, and those that follow
//! from who asks.

use moho_terms::{Arn, Timestamp};

use super::attached::Policies;
use super::context::{Context, Key};
use super::facts::{OrganisationFacts, RequestFacts};
use super::hidden;
use crate::authn::{Authenticated, Scheme};
use crate::session::{Principal, Session, WebIdentity};

/// The most bytes of a `User-Agent` that conditions see.
const USER_AGENT: usize = 2048;
/// How many keys are added here, but for tags and claims.
const OWN: usize = 32;

/// `asked` with the global keys of a request for `action` that arrived at `now`.
pub(super) fn complete(
    asked: &Context,
    caller: &Authenticated,
    request: &RequestFacts,
    now: Timestamp,
    (action, resource, policies): (&str, &Arn, &Policies),
) -> Context {
    let session = caller.session();
    let facts = &policies.principal.facts;
    let tags = facts
        .tags
        .len()
        .saturating_add(policies.resource_facts.tags.len());
    let mut context = asked.with_room(OWN.saturating_add(tags));
    of_principal(&mut context, session);
    of_credentials(&mut context, caller);
    // The session's own tags are stronger than those of whom it is of.
    for (key, value) in facts.tags.iter().chain(session.tags().all()) {
        context.put_text(&format!("aws:PrincipalTag/{key}"), value);
    }
    let keys = [
        const { Key::known("aws:PrincipalOrgID") },
        const { Key::known("aws:PrincipalOrgPaths") },
    ];
    of_organisation(&mut context, facts.organisation.as_ref(), keys);
    of_request(&mut context, request, now);
    let counts = hidden::facts_count(session, resource, policies);
    of_resource(&mut context, resource, policies, counts);
    if action.starts_with("kms:") {
        let account = Some(session.account().to_string());
        context.replace(const { Key::known("kms:CallerAccount") }, account);
        if via_service(action, &context).is_some() {
            context.replace(const { Key::known("aws:ViaAWSService") }, Some("true".to_owned()));
        }
    }
    context
}

/// The service that uses a key for whoever asks, if one does.
pub(super) fn via_service<'a>(action: &str, context: &'a Context) -> Option<&'a str> {
    let services = context.values(const { &Key::known("kms:ViaService") })?;
    services
        .first()
        .map(String::as_str)
        .filter(|_| action.starts_with("kms:"))
}

fn of_principal(context: &mut Context, session: &Session) {
    let nobody_yet = match session.principal() {
        Principal::WebIdentity(web) => Some(web),
        Principal::AssumedRole { .. }
        | Principal::User(_)
        | Principal::FederatedUser { .. }
        | Principal::Bootstrap => None,
    };
    let somebody = nobody_yet.is_none();
    let account = somebody.then(|| session.account().to_string());
    let arn = somebody.then(|| session.role_arn().to_string());
    let user = session.user_name().map(ToString::to_string);
    let provider = match nobody_yet {
        Some(web) => Some(web.provider.to_string()),
        None => session.federated_provider().map(str::to_owned),
    };
    for (key, value) in [
        (const { Key::known("aws:PrincipalAccount") }, account),
        (const { Key::known("aws:PrincipalArn") }, arn),
        (
            const { Key::known("aws:PrincipalType") },
            session.principal_type().map(str::to_owned),
        ),
        (
            const { Key::known("aws:userid") },
            Some(session.user_id().to_owned()),
        ),
        (const { Key::known("aws:username") }, user),
        (
            const { Key::known("aws:SourceIdentity") },
            session.source_identity().map(ToString::to_string),
        ),
        (const { Key::known("aws:FederatedProvider") }, provider),
        (
            const { Key::known("aws:PrincipalIsAWSService") },
            Some("false".to_owned()),
        ),
        (
            const { Key::known("aws:ViaAWSService") },
            Some("false".to_owned()),
        ),
    ] {
        context.replace(key, value);
    }
    if let Some(web) = nobody_yet {
        of_web_identity(context, web);
    }
}

/// `PROVIDER:sub`, `PROVIDER:aud` and the other claims, as trust policies ask about them.
fn of_web_identity(context: &mut Context, web: &WebIdentity) {
    let name = web.provider.resource();
    let name = name.strip_prefix("oidc-provider/").unwrap_or(name);
    for (claim, values) in &web.claims {
        context.set(&format!("{name}:{claim}"), values.clone());
    }
    context.put_text(&format!("{name}:sub"), &web.subject);
    context.put_text(&format!("{name}:aud"), &web.audience);
}

fn of_credentials(context: &mut Context, caller: &Authenticated) {
    let session = caller.session();
    let bearer = match caller.scheme() {
        Scheme::Bearer { lifetime, .. } => Some(lifetime.as_str()),
        Scheme::SigV4 { .. } | Scheme::WebIdentity | Scheme::Bootstrap => None,
    };
    let temporary = session.is_temporary();
    for (key, value) in [
        (
            const { Key::known("aws:TokenIssueTime") },
            session.token_issued_at().map(|at| at.to_string()),
        ),
        (
            const { Key::known("aws:MultiFactorAuthPresent") },
            temporary.then(|| session.mfa().to_string()),
        ),
        (
            const { Key::known("bedrock:BearerTokenType") },
            bearer.map(str::to_owned),
        ),
        (
            const { Key::known("bedrock-mantle:BearerTokenType") },
            bearer.map(str::to_owned),
        ),
    ] {
        context.replace(key, value);
    }
}

pub(super) fn of_organisation(
    context: &mut Context,
    organisation: Option<&OrganisationFacts>,
    [id, paths]: [Key; 2],
) {
    context.replace(id, organisation.map(|organisation| organisation.id.clone()));
    context.replace(paths, organisation.map(|organisation| organisation.path.clone()));
}

fn of_request(context: &mut Context, request: &RequestFacts, now: Timestamp) {
    let address = request
        .source_ip
        .map(|address| address.to_canonical().to_string());
    let endpoint = request.endpoint.as_deref();
    let (public, private) = match endpoint {
        Some(_) => (None, address),
        None => (address, None),
    };
    let agent = request.user_agent.as_ref().map(|agent| {
        let end = agent.floor_char_boundary(USER_AGENT);
        agent.get(..end).unwrap_or("").to_owned()
    });
    for (key, value) in [
        (const { Key::known("aws:CurrentTime") }, Some(now.to_string())),
        (
            const { Key::known("aws:EpochTime") },
            Some(now.unix_seconds().to_string()),
        ),
        (const { Key::known("aws:SourceIp") }, public),
        (const { Key::known("aws:VpcSourceIp") }, private),
        (
            const { Key::known("aws:SourceVpce") },
            endpoint.map(|endpoint| endpoint.id.clone()),
        ),
        (
            const { Key::known("aws:SourceVpc") },
            endpoint.map(|endpoint| endpoint.vpc.clone()),
        ),
        (
            const { Key::known("aws:VpceAccount") },
            endpoint.map(|endpoint| endpoint.account.to_string()),
        ),
        (
            const { Key::known("aws:SecureTransport") },
            Some(request.secure_transport.to_string()),
        ),
        (const { Key::known("aws:UserAgent") }, agent),
    ] {
        context.replace(key, value);
    }
}

/// `counts` says whether more of the resource counts than its name says.
pub(super) fn of_resource(context: &mut Context, resource: &Arn, policies: &Policies, counts: bool) {
    let facts = &policies.resource_facts;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let owner = named(resource.account()).or_else(|| facts.account.map(|account| account.to_string()));
    context.replace(
        const { Key::known("aws:RequestedRegion") },
        named(resource.region()),
    );
    context.replace(const { Key::known("aws:ResourceAccount") }, owner);
    for (key, value) in facts.tags.iter().filter(|_| counts) {
        context.put_text(&format!("aws:ResourceTag/{key}"), value);
    }
    let keys = [
        const { Key::known("aws:ResourceOrgID") },
        const { Key::known("aws:ResourceOrgPaths") },
    ];
    of_organisation(context, facts.organisation.as_ref().filter(|_| counts), keys);
    context.set_resource(policies.resource_conditions.as_ref().filter(|_| counts));
}
