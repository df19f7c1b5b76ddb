//! The keys every request has, whatever its handler says about them: AWS's global condition keys, and those that follow
//! from who asks.

use moho_terms::{Arn, Timestamp};

use super::attached::Policies;
use super::context::{Context, Key};
use super::facts::{OrganisationFacts, RequestFacts};
use super::hidden;
use super::key_set::KeySet;
use crate::authn::{Authenticated, Scheme};
use crate::session::{Principal, Session, WebIdentity};

/// The most bytes of a `User-Agent` that conditions see.
const USER_AGENT: usize = 2048;
/// A context that is being completed with the keys that somebody wants to know.
pub(super) struct Completion {
    context: Context,
    wanted: KeySet,
}

impl Completion {
    /// What `asked` says, to be completed.
    pub(super) fn of(asked: &Context, wanted: KeySet) -> Self {
        let context = asked.with_room(wanted.room());
        Self { context, wanted }
    }

    pub(super) fn done(self) -> Context {
        self.context
    }

    /// Sets `key` to a value, or to none. Whoever asks cannot have said so itself, wanted or not.
    fn replace(&mut self, key: Key, value: impl FnOnce() -> Option<String>) {
        let value = if self.wanted.may_have(&key) { value() } else { None };
        self.context.replace(key, value);
    }

    /// Adds what is not worth looking for before it is added.
    fn put_named(&mut self, prefix: &str, name: &str, value: &str) {
        let key = Key::new(&format!("{prefix}{name}"));
        if self.wanted.may_have(&key) {
            self.context.replace(key, Some(value.to_owned()));
        }
    }
}

/// `asked` with those global keys of a request for `action` that arrived at `now` that are `wanted`.
pub(super) fn complete(
    asked: (&Context, KeySet),
    caller: &Authenticated,
    request: &RequestFacts,
    now: Timestamp,
    (action, resource, policies): (&str, &Arn, &Policies),
) -> Context {
    let (asked, wanted) = asked;
    let session = caller.session();
    let facts = &policies.principal.facts;
    let mut completion = Completion::of(asked, wanted);
    of_principal(&mut completion, session);
    of_credentials(&mut completion, caller);
    // The session's own tags are stronger than those of whom it is of.
    for (key, value) in facts.tags.iter().chain(session.tags().all()) {
        completion.put_named("aws:PrincipalTag/", key, value);
    }
    let keys = [
        const { Key::known("aws:PrincipalOrgID") },
        const { Key::known("aws:PrincipalOrgPaths") },
    ];
    of_organisation(&mut completion, facts.organisation.as_ref(), keys);
    of_request(&mut completion, request, now);
    let counts = hidden::facts_count(session, resource, policies);
    of_resource(&mut completion, resource, policies, counts);
    if action.starts_with("kms:") {
        completion.replace(const { Key::known("kms:CallerAccount") }, || {
            Some(session.account().to_string())
        });
        if via_service(action, &completion.context).is_some() {
            completion.replace(const { Key::known("aws:ViaAWSService") }, || {
                Some("true".to_owned())
            });
        }
    }
    completion.done()
}

/// The service that uses a key for whoever asks, if one does.
pub(super) fn via_service<'a>(action: &str, context: &'a Context) -> Option<&'a str> {
    let services = context.values(const { &Key::known("kms:ViaService") })?;
    services
        .first()
        .map(String::as_str)
        .filter(|_| action.starts_with("kms:"))
}

fn of_principal(completion: &mut Completion, session: &Session) {
    let nobody_yet = match session.principal() {
        Principal::WebIdentity(web) => Some(web),
        Principal::AssumedRole { .. }
        | Principal::User(_)
        | Principal::FederatedUser { .. }
        | Principal::Bootstrap
        | Principal::Service(_) => None,
    };
    let service = if let Principal::Service(service) = session.principal() {
        Some(service.as_str())
    } else {
        None
    };
    let somebody = nobody_yet.is_none() && service.is_none();
    completion.replace(const { Key::known("aws:PrincipalAccount") }, || {
        somebody.then(|| session.account().to_string())
    });
    completion.replace(const { Key::known("aws:PrincipalArn") }, || {
        somebody.then(|| session.role_arn().to_string())
    });
    completion.replace(const { Key::known("aws:PrincipalType") }, || {
        session.principal_type().map(str::to_owned)
    });
    completion.replace(const { Key::known("aws:userid") }, || {
        Some(session.user_id().to_owned())
    });
    completion.replace(const { Key::known("aws:username") }, || {
        session.user_name().map(ToString::to_string)
    });
    completion.replace(const { Key::known("aws:SourceIdentity") }, || {
        session.source_identity().map(ToString::to_string)
    });
    completion.replace(
        const { Key::known("aws:FederatedProvider") },
        || match nobody_yet {
            Some(web) => Some(web.provider.to_string()),
            None => session.federated_provider().map(str::to_owned),
        },
    );
    completion.replace(const { Key::known("aws:PrincipalIsAWSService") }, || {
        Some(service.is_some().to_string())
    });
    for key in [
        const { Key::known("aws:PrincipalServiceName") },
        const { Key::known("aws:PrincipalServiceNamesList") },
    ] {
        completion.replace(key, || service.map(str::to_owned));
    }
    completion.replace(const { Key::known("aws:ViaAWSService") }, || {
        Some("false".to_owned())
    });
    if let Some(web) = nobody_yet {
        of_web_identity(&mut completion.context, web);
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

fn of_credentials(completion: &mut Completion, caller: &Authenticated) {
    let session = caller.session();
    let bearer = match caller.scheme() {
        Scheme::Bearer { lifetime, .. } => Some(lifetime.as_str()),
        Scheme::SigV4 { .. } | Scheme::WebIdentity | Scheme::Bootstrap | Scheme::OwnService => None,
    };
    let temporary = session.is_temporary();
    completion.replace(const { Key::known("aws:TokenIssueTime") }, || {
        session.token_issued_at().map(|at| at.to_string())
    });
    completion.replace(const { Key::known("aws:MultiFactorAuthPresent") }, || {
        temporary.then(|| session.mfa().to_string())
    });
    for key in [
        const { Key::known("bedrock:BearerTokenType") },
        const { Key::known("bedrock-mantle:BearerTokenType") },
    ] {
        completion.replace(key, || bearer.map(str::to_owned));
    }
}

pub(super) fn of_organisation(
    completion: &mut Completion,
    organisation: Option<&OrganisationFacts>,
    [id, paths]: [Key; 2],
) {
    completion.replace(id, || organisation.map(|organisation| organisation.id.clone()));
    completion.replace(paths, || {
        organisation.map(|organisation| organisation.path.clone())
    });
}

fn of_request(completion: &mut Completion, request: &RequestFacts, now: Timestamp) {
    let address = || {
        request
            .source_ip
            .map(|address| address.to_canonical().to_string())
    };
    let endpoint = request.endpoint.as_deref();
    completion.replace(const { Key::known("aws:CurrentTime") }, || Some(now.to_string()));
    completion.replace(const { Key::known("aws:EpochTime") }, || {
        Some(now.unix_seconds().to_string())
    });
    completion.replace(const { Key::known("aws:SourceIp") }, || {
        address().filter(|_| endpoint.is_none())
    });
    completion.replace(const { Key::known("aws:VpcSourceIp") }, || {
        address().filter(|_| endpoint.is_some())
    });
    completion.replace(const { Key::known("aws:SourceVpce") }, || {
        endpoint.map(|endpoint| endpoint.id.clone())
    });
    completion.replace(const { Key::known("aws:SourceVpc") }, || {
        endpoint.map(|endpoint| endpoint.vpc.clone())
    });
    completion.replace(const { Key::known("aws:VpceAccount") }, || {
        endpoint.map(|endpoint| endpoint.account.to_string())
    });
    let acting_for = request.acting_for.as_ref();
    completion.replace(const { Key::known("aws:SourceArn") }, || {
        acting_for.map(|acting| acting.resource.to_string())
    });
    completion.replace(const { Key::known("aws:SourceAccount") }, || {
        acting_for.map(|acting| acting.account.to_string())
    });
    completion.replace(const { Key::known("aws:SecureTransport") }, || {
        Some(request.secure_transport.to_string())
    });
    completion.replace(const { Key::known("aws:UserAgent") }, || {
        request.user_agent.as_ref().map(|agent| {
            let end = agent.floor_char_boundary(USER_AGENT);
            agent.get(..end).unwrap_or("").to_owned()
        })
    });
}

/// `counts` says whether more of the resource counts than its name says.
pub(super) fn of_resource(completion: &mut Completion, resource: &Arn, policies: &Policies, counts: bool) {
    let facts = &policies.resource_facts;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    if resource.service() == "s3" {
        // A bucket's name has no region: whoever asks says which was asked.
        completion.replace(const { Key::known("s3:ResourceAccount") }, || {
            facts.account.map(|account| account.to_string())
        });
    } else {
        completion.replace(const { Key::known("aws:RequestedRegion") }, || {
            named(resource.region())
        });
    }
    completion.replace(const { Key::known("aws:ResourceAccount") }, || {
        named(resource.account()).or_else(|| facts.account.map(|account| account.to_string()))
    });
    for (key, value) in facts.tags.iter().filter(|_| counts) {
        completion.put_named("aws:ResourceTag/", key, value);
    }
    let keys = [
        const { Key::known("aws:ResourceOrgID") },
        const { Key::known("aws:ResourceOrgPaths") },
    ];
    of_organisation(completion, facts.organisation.as_ref().filter(|_| counts), keys);
    let of_resource = policies.resource_conditions.as_ref().filter(|_| counts);
    completion.context.set_resource(of_resource);
}
