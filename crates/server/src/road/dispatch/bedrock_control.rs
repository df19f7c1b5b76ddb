//! Who may use which models, and under which names: which action each operation takes, and on what.

use std::str::FromStr;

use moho_iam::action::bedrock::{self as action, CreateInferenceProfile, TagResource, UntagResource};
use moho_iam::action::{Action, iam, kms};
use moho_iam::authz::{Context, Permit};
use moho_terms::{Arn, ModelId};
use moho_wire::aws::ops::bedrock::{self as ops, Request};
use moho_wire::bedrock::{ModelIdentifier, ProfileArn, ProfileKind, profile_not_found};
use moho_wire::{Failure, Reply};

use super::{Trip, failure};
use crate::handlers::bedrock::{
    agreements, invocation_logging, profile_names, profile_tags, profiles, retention, use_case,
};
use crate::net::Outbound;
use crate::road;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let reply = match request {
        Request::GetFoundationModelAvailability(get) => availability(trip, &get),
        Request::ListFoundationModelAgreementOffers(list) => offers(trip, &list),
        Request::CreateFoundationModelAgreement(create) => {
            let (permit, model) = trip.on_model_id(&create.model_id)?;
            agreements::create(&trip.asked(), permit, (model, &create.offer_token)).await
        }
        Request::DeleteFoundationModelAgreement(delete) => {
            let (permit, model) = trip.on_model_id(&delete.model_id)?;
            agreements::delete(&trip.asked(), permit, model).await
        }
        Request::PutUseCaseForModelAccess(put) => {
            let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
            let key = trip.use_case_key::<kms::GenerateDataKey>()?;
            use_case::put(&trip.asked(), (permit, key), put.form_data).await
        }
        Request::GetUseCaseForModelAccess(_) => {
            let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
            let key = trip.use_case_key::<kms::Decrypt>()?;
            use_case::get(&trip.asked(), (permit, key)).await
        }
        Request::CreateInferenceProfile(create) => {
            let (permit, model) = trip.may_create(&create)?;
            profiles::create(&trip.asked(), permit, (*create, model)).await
        }
        Request::GetInferenceProfile(get) => get_profile(trip, &get),
        Request::ListInferenceProfiles(list) => {
            let permit = trip.permit::<action::ListInferenceProfiles>(&trip.arn("bedrock", "*")?)?;
            profiles::list(&trip.asked(), &permit, &list)
        }
        Request::DeleteInferenceProfile(delete) => {
            let profile = trip.profile(&delete.inference_profile_identifier)?;
            let permit = trip.permit::<action::DeleteInferenceProfile>(&profile.arn)?;
            profiles::delete(&trip.asked(), permit, profile).await
        }
        Request::GetAccountDataRetention(_) => {
            let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
            retention::get(&trip.asked(), &permit)
        }
        Request::PutAccountDataRetention(put) => {
            let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
            retention::put(&trip.asked(), permit, &put.mode).await
        }
        Request::TagResource(request) => tag(trip, *request).await,
        Request::UntagResource(request) => untag(trip, *request).await,
        Request::ListTagsForResource(list) => {
            let permit = trip.permit(&taggable(&list.resource_arn)?)?;
            profile_tags::list(&trip.asked(), &permit)
        }
        Request::PutModelInvocationLoggingConfiguration(put) => put_logging(trip, *put).await,
        Request::GetModelInvocationLoggingConfiguration(_) => get_logging(trip),
        Request::DeleteModelInvocationLoggingConfiguration(_) => delete_logging(trip).await,
    };
    reply.map(road::whole)
}

fn get_logging(trip: &Trip<'_>) -> Result<Reply, Failure> {
    let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
    invocation_logging::get(&trip.asked(), &permit)
}

async fn delete_logging(trip: &Trip<'_>) -> Result<Reply, Failure> {
    let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
    invocation_logging::delete(&trip.asked(), permit).await
}

async fn put_logging(
    trip: &Trip<'_>,
    put: ops::PutModelInvocationLoggingConfiguration,
) -> Result<Reply, Failure> {
    let permit = trip.permit(&trip.arn("bedrock", "*")?)?;
    if let Some(to) = &put.logging_config.cloud_watch_config {
        // Whoever hands a role to a service could do by it what it may not do itself.
        let role: Arn = to
            .role_arn
            .parse()
            .map_err(|_no_arn| Failure::Validation("The role ARN is not valid.".to_owned()))?;
        let passed = Context::new().with("iam:PassedToService", "bedrock.amazonaws.com");
        let _leave: Permit<iam::PassRole> = trip.permit_with(&role, &passed)?;
    }
    invocation_logging::put(&trip.asked(), permit, put.logging_config).await
}

fn availability(trip: &Trip<'_>, get: &ops::GetFoundationModelAvailability) -> Result<Reply, Failure> {
    let (permit, model) = trip.on_model_id::<action::GetFoundationModelAvailability>(&get.model_id)?;
    let endpoint = trip.facts.endpoint.as_deref();
    agreements::availability(&trip.asked(), &permit, (&model, endpoint))
}

fn offers(trip: &Trip<'_>, list: &ops::ListFoundationModelAgreementOffers) -> Result<Reply, Failure> {
    agreements::offered(list.offer_type.as_deref())?;
    let (permit, model) = trip.on_model_id::<action::ListFoundationModelAgreementOffers>(&list.model_id)?;
    agreements::offers(&trip.asked(), &permit, &model)
}

fn get_profile(trip: &Trip<'_>, get: &ops::GetInferenceProfile) -> Result<Reply, Failure> {
    let profile = trip.profile(&get.inference_profile_identifier)?;
    let permit = trip.permit::<action::GetInferenceProfile>(&profile.arn)?;
    profiles::get(&trip.asked(), &permit, &profile)
}

async fn tag(trip: &Trip<'_>, tag: ops::TagResource) -> Result<Reply, Failure> {
    let arn = taggable(&tag.resource_arn)?;
    let context = profile_tags::requested(&tag.tags)?;
    let permit = trip.permit_with::<TagResource>(&arn, &context)?;
    profile_tags::tag(&trip.asked(), permit, tag.tags).await
}

async fn untag(trip: &Trip<'_>, untag: ops::UntagResource) -> Result<Reply, Failure> {
    let arn = taggable(&untag.resource_arn)?;
    let mut context = Context::new();
    context.set("aws:TagKeys", untag.tag_keys.clone());
    let permit = trip.permit_with::<UntagResource>(&arn, &context)?;
    profile_tags::untag(&trip.asked(), permit, untag.tag_keys).await
}

fn taggable(arn: &str) -> Result<Arn, Failure> {
    Arn::from_str(arn).map_err(|_not_one| {
        Failure::Validation(
            "The provided resource ARN is invalid. Name an inference profile by its ARN.".to_owned(),
        )
    })
}

impl Trip<'_> {
    fn on_model_id<A: Action>(&self, id: &str) -> Result<(Permit<A>, ModelId), Failure> {
        self.on_foundation_model(&ModelIdentifier::parse(id)?)
    }

    /// The use of the account's key for what it says it uses models for.
    fn use_case_key<A: Action>(&self) -> Result<Permit<A>, Failure> {
        let context = moho_store::use_case_context(self.caller.session().account())
            .map_err(|error| failure::from_store(&error))?;
        self.account_key_for(&context, "bedrock")
    }

    /// The profile that an id or ARN names. What has the form of none is decided as one of the system's.
    fn profile(&self, identifier: &str) -> Result<ProfileArn, Failure> {
        let invalid =
            || Failure::Validation("The provided inference profile identifier is invalid.".to_owned());
        match ModelIdentifier::parse(identifier) {
            Ok(ModelIdentifier::Profile(profile)) => Ok(profile),
            Ok(ModelIdentifier::Id(id)) => match self.profile_of_id(&id)? {
                Some(profile) => Ok(profile),
                None => {
                    let account = self.caller.session().account();
                    let kind = ProfileKind::System;
                    let arn = profile_names::arn(&self.platform.region, account, kind, id.as_str())?;
                    Ok(ProfileArn { arn, kind, id })
                }
            },
            Ok(ModelIdentifier::Arn { .. }) | Err(_) => Err(invalid()),
        }
    }

    /// Whether the caller may make such a profile, from what it names, with such tags; and the model it leads to.
    fn may_create(
        &self,
        create: &ops::CreateInferenceProfile,
    ) -> Result<(Permit<CreateInferenceProfile>, ModelId), Failure> {
        let tags = create.tags.as_deref().unwrap_or_default();
        let context = profile_tags::requested(tags)?;
        let any = self.arn("bedrock", "application-inference-profile/*")?;
        let permit = self.permit_with::<CreateInferenceProfile>(&any, &context)?;
        if !tags.is_empty() {
            self.permit_with::<TagResource>(&any, &context)?;
        }
        let source = create.model_source.copy_from.as_deref().unwrap_or_default();
        let source = ModelIdentifier::parse(source)?;
        let arn = Arn::from_str(source.as_str());
        let arn = arn.map_err(|_an_id| {
            Failure::Validation("copyFrom takes the ARN of a model or a profile.".to_owned())
        })?;
        self.permit_with::<CreateInferenceProfile>(&arn, &context)?;
        let model = match &source {
            ModelIdentifier::Profile(profile) if profile.kind == ProfileKind::System => {
                self.behind(profile)?.ok_or_else(profile_not_found)?
            }
            ModelIdentifier::Profile(_) => {
                let message = "A profile is copied from a model or from a system-defined profile.";
                return Err(Failure::Validation(message.to_owned()));
            }
            ModelIdentifier::Id(_) | ModelIdentifier::Arn { .. } => {
                source.within(&self.platform.region)?.clone()
            }
        };
        if self.platform.serves(&model) {
            Ok((permit, model))
        } else {
            Err(source.unknown())
        }
    }
}
