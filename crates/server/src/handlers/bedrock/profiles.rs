//! Inference profiles: names that lead to models, of which each use can be told apart.

use std::sync::Arc;

use aws_lc_rs::digest;
use moho_iam::action::bedrock::{
    CreateInferenceProfile, DeleteInferenceProfile, GetInferenceProfile, ListInferenceProfiles,
};
use moho_iam::authz::Permit;
use moho_store::{InferenceProfile, NewInferenceProfile, ProfileMade};
use moho_terms::{AccountId, ModelId, Secret};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::{
    self as ops, CreateInferenceProfileReply, InferenceProfileModel, InferenceProfileSummary,
    ListInferenceProfilesReply,
};
use moho_wire::bedrock::{ProfileArn, ProfileKind, profile_not_found};
use moho_wire::{Failure, Reply};

use super::{blocking, profile_names, profile_tags};
use crate::handlers::Asked;
use crate::handlers::models::model_arn;
use crate::handlers::paging::Listing;
use crate::road::from_store;
use crate::startup::Platform;

/// Profiles in one page, unless fewer are asked for.
const PAGE: usize = 1000;

/// `CreateInferenceProfile`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<CreateInferenceProfile>,
    (create, model): (ops::CreateInferenceProfile, ModelId),
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let account = permit.session().account();
    let tags = profile_tags::by_key(create.tags.as_deref().unwrap_or_default())?;
    if tags.len() > profile_tags::MOST {
        return Err(profile_tags::too_many());
    }
    let asked_for = digest_of(&create, &tags);
    let id = profile_names::random_id(&*platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let new = NewInferenceProfile {
        id,
        name: create.inference_profile_name,
        description: create.description.as_ref().map(text),
        model,
        tags,
        token: create.client_request_token.map(|token| (token, asked_for)),
    };
    let made = blocking(move || {
        let now = platform.clock.now();
        let made = platform.store.create_inference_profile(&permit, &new, now);
        made.map_err(|error| from_store(&error))
    });
    let id = match made.await? {
        ProfileMade::There(id) => id,
        ProfileMade::Conflict => {
            let message =
                "The clientRequestToken was used for another request. Use a new one for each profile.";
            return Err(service("ConflictException", message, 400));
        }
        ProfileMade::Full => {
            let message =
                "The account has as many application inference profiles as it may: 1000. Delete some first.";
            return Err(service("ServiceQuotaExceededException", message, 400));
        }
    };
    let arn = profile_names::arn(
        &asked.platform.region,
        account,
        ProfileKind::Application,
        id.as_str(),
    )?;
    CreateInferenceProfileReply {
        inference_profile_arn: Some(arn.to_string()),
        status: Some("ACTIVE".to_owned()),
    }
    .reply(Service::Bedrock, "CreateInferenceProfile", &asked.request)
}

/// What tells one request from another that comes with the same token.
fn digest_of(
    create: &ops::CreateInferenceProfile,
    tags: &std::collections::BTreeMap<String, String>,
) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut part = |bytes: &[u8]| {
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    };
    part(create.inference_profile_name.as_bytes());
    part(create.description.as_ref().map_or(&[][..], Secret::expose));
    part(
        create
            .model_source
            .copy_from
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
    );
    for (key, value) in tags {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

/// `GetInferenceProfile`
pub(crate) fn get(
    asked: &Asked,
    permit: &Permit<GetInferenceProfile>,
    profile: &ProfileArn,
) -> Result<Reply, Failure> {
    let (platform, account) = (&asked.platform, permit.session().account());
    if !is_own(platform, account, profile)? {
        return Err(profile_not_found());
    }
    let summary = match profile.kind {
        ProfileKind::System => {
            let model = profile_names::system_model(&platform.region, &profile.id);
            let served = model.filter(|model| platform.serves(model));
            served
                .map(|model| of_the_system(platform, account, (&profile.id, &model)))
                .transpose()?
        }
        ProfileKind::Application => {
            let found = platform.store.inference_profile(account, &profile.id);
            let found = found.map_err(|error| from_store(&error))?;
            found
                .map(|found| of_an_application(platform, account, found))
                .transpose()?
        }
    };
    let summary = summary.ok_or_else(profile_not_found)?;
    summary.reply(Service::Bedrock, "GetInferenceProfile", &asked.request)
}

/// `ListInferenceProfiles`: the system's first, then the account's own.
pub(crate) fn list(
    asked: &Asked,
    permit: &Permit<ListInferenceProfiles>,
    list: &ops::ListInferenceProfiles,
) -> Result<Reply, Failure> {
    let (platform, account) = (&asked.platform, permit.session().account());
    let kind = list.type_equals.as_deref();
    let wanted = |of: ProfileKind| kind.is_none_or(|kind| kind == of.word());
    let listing = Listing::of_permit(permit, &[kind.unwrap_or_default()]);
    let now = platform.clock.now();
    let after = match &list.next_token {
        None => String::new(),
        Some(token) => platform.paging.open(&listing, token, now).map_err(|_bad| {
            Failure::Validation(
                "The provided nextToken is invalid or has expired. Begin the list again.".to_owned(),
            )
        })?,
    };
    let page = list
        .max_results
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(PAGE);
    let most = page.saturating_add(1);
    let mut found: Vec<(String, InferenceProfileSummary)> = Vec::new();
    if wanted(ProfileKind::System) {
        found = systems(platform, account)?;
        found.retain(|(place, _)| *place > after);
        found.truncate(most);
    }
    if wanted(ProfileKind::Application) {
        let after = after.strip_prefix(OWN).unwrap_or_default();
        let left = most.saturating_sub(found.len());
        let own = platform.store.inference_profiles(permit, after, left);
        for profile in own.map_err(|error| from_store(&error))? {
            let place = format!("{OWN}{}", profile.id);
            found.push((place, of_an_application(platform, account, profile)?));
        }
    }
    let more = found.len() > page;
    found.truncate(page);
    let next = match found.last() {
        Some((last, _)) if more => {
            let sealed = platform.paging.seal(&listing, last, now, &*platform.entropy);
            Some(sealed.map_err(|_none| Failure::Unavailable)?)
        }
        _ => None,
    };
    ListInferenceProfilesReply {
        inference_profile_summaries: Some(found.into_iter().map(|(_, summary)| summary).collect()),
        next_token: next,
    }
    .reply(Service::Bedrock, "ListInferenceProfiles", &asked.request)
}

/// What the place of an account's own profile in the list begins with: those of the system come before.
const OWN: &str = "2/";

/// The system's profiles, each with its place in the list.
fn systems(
    platform: &Platform,
    account: AccountId,
) -> Result<Vec<(String, InferenceProfileSummary)>, Failure> {
    let mut found = Vec::new();
    for model in &platform.models {
        for id in profile_names::system_ids(&platform.region, &model.id) {
            let summary = of_the_system(platform, account, (&id, &model.id))?;
            found.push((format!("1/{id}"), summary));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// `DeleteInferenceProfile`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<DeleteInferenceProfile>,
    profile: ProfileArn,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    if !is_own(&platform, permit.session().account(), &profile)? {
        return Err(profile_not_found());
    }
    if profile.kind == ProfileKind::System {
        let message = "System-defined inference profiles cannot be deleted.";
        return Err(Failure::Validation(message.to_owned()));
    }
    let deleted = blocking(move || {
        let deleted = platform.store.delete_inference_profile(&permit, &profile.id);
        deleted.map_err(|error| from_store(&error))
    });
    if deleted.await? {
        Service::Bedrock.done("DeleteInferenceProfile", &asked.request)
    } else {
        Err(profile_not_found())
    }
}

/// Whether a profile's ARN is of the caller's account, and of this region.
fn is_own(platform: &Platform, account: AccountId, profile: &ProfileArn) -> Result<bool, Failure> {
    let own = profile_names::arn(&platform.region, account, profile.kind, profile.id.as_str())?;
    Ok(own == profile.arn)
}

fn of_the_system(
    platform: &Platform,
    account: AccountId,
    (id, model): (&ModelId, &ModelId),
) -> Result<InferenceProfileSummary, Failure> {
    let served = platform.models.iter().find(|served| served.id == *model);
    let region = id.as_str().split('.').next().unwrap_or_default();
    let name = format!("{} {model}", region.to_ascii_uppercase());
    let description = format!("Routes requests to {model} in {}.", platform.region);
    described(
        platform,
        (account, ProfileKind::System),
        InferenceProfile {
            id: id.clone(),
            name,
            description: Some(description),
            model: model.clone(),
            created: served.map_or_else(|| platform.clock.now(), |served| served.created),
        },
    )
}

fn of_an_application(
    platform: &Platform,
    account: AccountId,
    profile: InferenceProfile,
) -> Result<InferenceProfileSummary, Failure> {
    described(platform, (account, ProfileKind::Application), profile)
}

fn described(
    platform: &Platform,
    (account, kind): (AccountId, ProfileKind),
    profile: InferenceProfile,
) -> Result<InferenceProfileSummary, Failure> {
    let arn = profile_names::arn(&platform.region, account, kind, profile.id.as_str())?;
    Ok(InferenceProfileSummary {
        inference_profile_name: Some(profile.name),
        description: profile.description.map(|text| Secret::new(text.into_bytes())),
        created_at: Some(profile.created),
        // It is never changed: what leads elsewhere is another profile.
        updated_at: Some(profile.created),
        inference_profile_arn: Some(arn.to_string()),
        models: Some(vec![InferenceProfileModel {
            model_arn: Some(model_arn(platform, &profile.model)?.to_string()),
        }]),
        inference_profile_id: Some(profile.id.to_string()),
        status: Some("ACTIVE".to_owned()),
        r#type: Some(kind.word().to_owned()),
    })
}

fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

fn service(code: &'static str, message: &str, status: u16) -> Failure {
    Failure::Service {
        code,
        message: message.to_owned(),
        status,
    }
}
