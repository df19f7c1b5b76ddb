//! The keys every request has, whatever its handler says about them: AWS's global condition keys.

use moho_terms::{Arn, Timestamp};

use super::attached::Policies;
use super::context::Context;
use super::facts::{OrganisationFacts, RequestFacts};
use crate::authn::{Authenticated, Scheme};

/// `asked` with the global keys of a request that arrived at `now`.
pub(super) fn complete(
    asked: &Context,
    caller: &Authenticated,
    request: &RequestFacts,
    now: Timestamp,
    (resource, policies): (&Arn, &Policies),
) -> Context {
    let mut context = asked.clone();
    of_principal(&mut context, caller, policies);
    of_request(&mut context, request, now);
    of_resource(&mut context, resource, policies);
    context
}

fn of_principal(context: &mut Context, caller: &Authenticated, policies: &Policies) {
    let session = caller.session();
    let facts = &policies.principal.facts;
    let bearer = matches!(caller.scheme(), Scheme::Bearer { .. }).then_some("SHORT_TERM");
    let temporary = session.access_key_id().is_some();
    for (key, value) in [
        ("aws:principalaccount", Some(session.account().as_str())),
        ("aws:principalarn", Some(session.role_arn().as_str())),
        ("aws:principaltype", session.role().map(|_| "AssumedRole")),
        ("aws:userid", Some(session.user_id())),
        ("aws:principalisawsservice", Some("false")),
        ("aws:viaawsservice", Some("false")),
        ("aws:multifactorauthpresent", temporary.then_some("false")),
        ("bedrock:bearertokentype", bearer),
        ("bedrock-mantle:bearertokentype", bearer),
    ] {
        context.replace(key, value.map(str::to_owned));
    }
    context.replace(
        "aws:tokenissuetime",
        temporary.then(|| session.issued_at().to_string()),
    );
    for (key, value) in &facts.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), vec![value.clone()]);
    }
    let organisation = facts.organisation.as_ref();
    of_organisation(
        context,
        organisation,
        ["aws:principalorgid", "aws:principalorgpaths"],
    );
}

fn of_organisation(context: &mut Context, organisation: Option<&OrganisationFacts>, [id, paths]: [&str; 2]) {
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
    for (key, value) in [
        ("aws:currenttime", Some(now.to_string())),
        ("aws:epochtime", Some(now.unix_seconds().to_string())),
        ("aws:sourceip", public),
        ("aws:vpcsourceip", private),
        ("aws:sourcevpce", endpoint.map(|endpoint| endpoint.id.clone())),
        ("aws:sourcevpc", endpoint.map(|endpoint| endpoint.vpc.clone())),
        ("aws:securetransport", Some(request.secure_transport.to_string())),
        ("aws:useragent", request.user_agent.clone()),
    ] {
        context.replace(key, value);
    }
}

fn of_resource(context: &mut Context, resource: &Arn, policies: &Policies) {
    let facts = &policies.resource_facts;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let owner = named(resource.account()).or_else(|| facts.account.map(|account| account.to_string()));
    context.replace("aws:requestedregion", named(resource.region()));
    context.replace("aws:resourceaccount", owner);
    for (key, value) in &facts.tags {
        context.set(&format!("aws:ResourceTag/{key}"), vec![value.clone()]);
    }
    let organisation = facts.organisation.as_ref();
    of_organisation(
        context,
        organisation,
        ["aws:resourceorgid", "aws:resourceorgpaths"],
    );
}
