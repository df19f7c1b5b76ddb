//! Which model a name leads to: its own id or ARN, or an inference profile's.
//!
//! By a profile, both it and the model have to be allowed, and the model under `bedrock:InferenceProfileArn`, as at AWS. It is
//! decided on what was named before anything is looked up, so that nobody learns from a refusal what is there.

use moho_iam::action::Action;
use moho_iam::authz::{Context, Permit};
use moho_terms::{Arn, ModelId};
use moho_wire::Failure;
use moho_wire::bedrock::{ModelIdentifier, ProfileArn, ProfileKind};

use super::super::failure;
use super::Trip;
use crate::handlers::bedrock::profile_names;
use crate::handlers::{Named, models};
use crate::road::from_store;

/// The condition key that a model's policies see when it was named by a profile.
const BY_PROFILE: &str = "bedrock:InferenceProfileArn";

/// What a name is, before anything is decided.
enum Reading {
    /// A model of this region, served or not.
    Model(ModelId),
    /// A profile, of whatever account.
    Profile(ProfileArn),
    /// Something that is not here.
    Elsewhere(Arn),
}

impl Trip<'_> {
    /// Whether the caller may do `A` on what it named; only then whether there is such a thing.
    pub(super) fn on_named<A: Action>(&self, named: &ModelIdentifier) -> Result<(Permit<A>, Named), Failure> {
        match self.read_name(named)? {
            Reading::Model(model) => {
                let permit = self.on_model(&model, &Context::new())?;
                let profile = None;
                Ok((permit, Named { model, profile }))
            }
            Reading::Profile(profile) => {
                self.permit::<A>(&profile.arn)?;
                let unknown = || Failure::ModelNotFound(Some(named.id().clone()));
                let model = self.behind(&profile)?.ok_or_else(unknown)?;
                let context = Context::new().with(BY_PROFILE, profile.arn.as_str());
                let permit = self.on_model(&model, &context)?;
                let profile = Some(profile.arn);
                Ok((permit, Named { model, profile }))
            }
            Reading::Elsewhere(arn) => {
                self.permit::<A>(&arn)?;
                Err(Failure::ModelNotFound(Some(named.id().clone())))
            }
        }
    }

    /// Whether the caller may put a model to use; only then whether it is served at all.
    fn on_model<A: Action>(&self, model: &ModelId, context: &Context) -> Result<Permit<A>, Failure> {
        let arn = models::model_arn(self.platform, model)?;
        let permit = self.decide(&arn, context);
        let served = self.platform.serves(model);
        let permit = permit.map_err(|refusal| failure::from_model_refusal(&refusal, model, served))?;
        if served {
            Ok(permit)
        } else {
            Err(Failure::ModelNotFound(Some(model.clone())))
        }
    }

    /// What a name is, by its form and by what is served, which is the same for every account.
    fn read_name(&self, named: &ModelIdentifier) -> Result<Reading, Failure> {
        let region = &self.platform.region;
        match named {
            ModelIdentifier::Profile(profile) => Ok(Reading::Profile(profile.clone())),
            ModelIdentifier::Arn { arn, .. } => Ok(match named.within(region) {
                Ok(model) => Reading::Model(model.clone()),
                Err(_elsewhere) => Reading::Elsewhere(arn.clone()),
            }),
            ModelIdentifier::Id(id) if self.platform.serves(id) => Ok(Reading::Model(id.clone())),
            ModelIdentifier::Id(id) => Ok(match self.profile_of_id(id)? {
                Some(profile) => Reading::Profile(profile),
                None => Reading::Model(id.clone()),
            }),
        }
    }

    /// The own profile that an id names by its form; `None` if it has the form of none.
    pub(super) fn profile_of_id(&self, id: &ModelId) -> Result<Option<ProfileArn>, Failure> {
        let region = &self.platform.region;
        let system = profile_names::system_model(region, id).filter(|model| self.platform.serves(model));
        let kind = match system {
            Some(_model) => ProfileKind::System,
            None if profile_names::is_application_id(id) => ProfileKind::Application,
            None => return Ok(None),
        };
        let account = self.caller.session().account();
        Ok(Some(ProfileArn {
            arn: profile_names::arn(region, account, kind, id.as_str())?,
            kind,
            id: id.clone(),
        }))
    }

    /// The model that a profile leads to; `None` if the caller's account has no such profile here.
    pub(super) fn behind(&self, profile: &ProfileArn) -> Result<Option<ModelId>, Failure> {
        let (region, account) = (&self.platform.region, self.caller.session().account());
        let own = profile_names::arn(region, account, profile.kind, profile.id.as_str())?;
        if own != profile.arn {
            return Ok(None);
        }
        match profile.kind {
            ProfileKind::System => Ok(profile_names::system_model(region, &profile.id)),
            ProfileKind::Application => {
                let profile = self.platform.store.inference_profile(account, &profile.id);
                let profile = profile.map_err(|error| from_store(&error))?;
                Ok(profile.map(|profile| profile.model))
            }
        }
    }
}
