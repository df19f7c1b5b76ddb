//! When services were last used, as the journal says.

use std::collections::BTreeMap;

use moho_iam::action::{self, iam};
use moho_iam::authz::Permit;
use moho_store::iam::{AccessJob, IamCode, IamError, LastAccess};
use moho_terms::{RequestId, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{account as ops, shapes};
use moho_wire::{Failure, Reply};

use super::{act, refusal};
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};
use crate::startup::Platform;

/// `GenerateServiceLastAccessedDetails`: remembers what is asked about; the answer is at hand whenever it is fetched.
pub(crate) async fn generate(
    asked: &Asked,
    permit: Permit<iam::GenerateServiceLastAccessedDetails>,
    request: ops::GenerateServiceLastAccessedDetails,
) -> Result<Reply, Failure> {
    if request
        .granularity
        .is_some_and(|granularity| granularity == "ACTION_LEVEL")
    {
        let message = "Only SERVICE_LEVEL is kept here: the journal has the actions.";
        return Err(refusal(IamCode::InvalidInput, message));
    }
    let job = RequestId::random(&*asked.platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let job = job.as_str().to_owned();
    let asking = job.clone();
    act(asked, move |platform| {
        let now = platform.clock.now();
        platform.store.ask_last_accesses(&permit, &asking, now)
    })
    .await?;
    ops::GenerateServiceLastAccessedDetailsResponse { job_id: Some(job) }.reply(
        Service::Iam,
        "GenerateServiceLastAccessedDetails",
        &asked.request,
    )
}

/// The last use of a service by any of those that are asked about.
struct Used {
    last: LastAccess,
    by: String,
    /// How many used it.
    count: i64,
}

/// `GetServiceLastAccessedDetails`
pub(crate) async fn get(
    asked: &Asked,
    permit: Permit<iam::GetServiceLastAccessedDetails>,
    request: ops::GetServiceLastAccessedDetails,
) -> Result<Reply, Failure> {
    let listing = Listing::of_permit(&permit, &[request.job_id.as_str()]);
    let page = Asking::of_iam(
        &asked.platform,
        listing,
        request.marker.as_deref(),
        request.max_items,
    )?;
    let (job, used) = act(asked, move |platform| {
        let job = platform.store.asked_last_accesses(&permit, &request.job_id)?;
        let used = gathered(platform, &permit, &job)?;
        Ok((job, used))
    })
    .await?;
    let mut services = services(&job, used);
    let after = page.after.as_deref().unwrap_or("");
    services.retain(|service| service.service_namespace.as_deref() > Some(after) || after.is_empty());
    let more = services.len() > page.limit;
    services.truncate(page.limit);
    let last = services
        .last()
        .and_then(|service| service.service_namespace.clone());
    let (is_truncated, marker) = page.next(&asked.platform, last.filter(|_| more).as_deref())?;
    ops::GetServiceLastAccessedDetailsResponse {
        job_status: Some("COMPLETED".to_owned()),
        job_type: Some("SERVICE_LEVEL".to_owned()),
        job_creation_date: Some(job.asked_at),
        services_last_accessed: Some(services),
        job_completion_date: Some(job.asked_at),
        is_truncated,
        marker,
        error: None,
    }
    .reply(Service::Iam, "GetServiceLastAccessedDetails", &asked.request)
}

/// What those that are asked about used, by service.
fn gathered(
    platform: &Platform,
    permit: &Permit<iam::GetServiceLastAccessedDetails>,
    job: &AccessJob,
) -> Result<BTreeMap<String, Used>, IamError> {
    let mut used: BTreeMap<String, Used> = BTreeMap::new();
    for principal in &job.principals {
        for last in platform.last_use.of(permit, &principal.whose, principal.since)? {
            let entry = used.entry(last.service.clone()).or_insert_with(|| Used {
                last: LastAccess {
                    at: Timestamp::from_unix_seconds(0),
                    ..last.clone()
                },
                by: String::new(),
                count: 0,
            });
            entry.count = entry.count.saturating_add(1);
            if last.at >= entry.last.at {
                entry.last = last;
                entry.by.clone_from(&principal.arn);
            }
        }
    }
    Ok(used)
}

/// The services that the policies let be used, and those that were used.
fn services(job: &AccessJob, mut used: BTreeMap<String, Used>) -> Vec<shapes::ServiceLastAccessed> {
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    for action in action::ALL {
        let allowed = job
            .policies
            .iter()
            .any(|policy| policy.document.may_allow(action));
        let service = action.split_once(':').map_or("", |(service, _)| service);
        if allowed || used.contains_key(service) {
            names.insert(service, ());
        }
    }
    let told = names.into_keys().map(|service| {
        let used = used.remove(service);
        shapes::ServiceLastAccessed {
            service_name: Some(name(service).to_owned()),
            last_authenticated: used.as_ref().map(|used| used.last.at),
            service_namespace: Some(service.to_owned()),
            last_authenticated_entity: used.as_ref().map(|used| used.by.clone()),
            last_authenticated_region: used.as_ref().map(|used| used.last.region.clone()),
            total_authenticated_entities: Some(used.map_or(0, |used| used.count)),
            tracked_actions_last_accessed: None,
        }
    });
    told.collect()
}

/// A service's name, as people call it.
fn name(service: &str) -> &str {
    match service {
        "bedrock" => "Amazon Bedrock",
        "bedrock-mantle" => "Amazon Bedrock Mantle",
        "ec2" => "Amazon EC2",
        "iam" => "AWS Identity and Access Management",
        "kms" => "AWS Key Management Service",
        "logs" => "Amazon CloudWatch Logs",
        "organizations" => "AWS Organizations",
        "sts" => "AWS Security Token Service",
        other => other,
    }
}
