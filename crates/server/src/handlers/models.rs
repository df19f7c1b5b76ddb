//! The models an account can use.

use moho_iam::action::{bedrock, mantle};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, ModelId};
use moho_wire::Failure;
use moho_wire::bedrock::ModelIdentifier;
use moho_wire::openai::models::{self, Model};

use crate::net::Outbound;
use crate::road::{content, from_store};
use crate::startup::Platform;

/// Leave to list models.
pub(crate) enum ListPermit {
    Mantle(Permit<mantle::ListModels>),
    Bedrock(Permit<bedrock::ListFoundationModels>),
}

/// Leave to see one model.
pub(crate) enum GetPermit {
    Mantle(Permit<mantle::GetModel>),
    Bedrock(Permit<bedrock::GetFoundationModel>),
}

impl ListPermit {
    fn account(&self) -> AccountId {
        match self {
            Self::Mantle(permit) => permit.session().account(),
            Self::Bedrock(permit) => permit.session().account(),
        }
    }
}

impl GetPermit {
    fn account(&self) -> AccountId {
        match self {
            Self::Mantle(permit) => permit.session().account(),
            Self::Bedrock(permit) => permit.session().account(),
        }
    }
}

/// `GET /models`: those the account agreed to use.
pub(crate) fn list(platform: &Platform, permit: &ListPermit) -> Result<Outbound, Failure> {
    Ok(content(models::list(&agreed(platform, permit.account())?)))
}

/// `GET /models/{id}`: one that the account did not agree to looks like none. It keeps the name by which it was asked for.
pub(crate) fn get(
    platform: &Platform,
    permit: &GetPermit,
    (named, id): (&ModelIdentifier, &ModelId),
) -> Result<Outbound, Failure> {
    let agreed = agreed(platform, permit.account())?;
    let model = agreed.iter().find(|model| model.id == *id);
    model
        .map(|model| content(models::one(named.as_str(), model)))
        .ok_or_else(|| Failure::ModelNotFound(Some(named.id().clone())))
}

/// How policies and Bedrock's catalogue name a model.
pub(crate) fn model_arn(platform: &Platform, model: &ModelId) -> Result<Arn, Failure> {
    let resource = format!("foundation-model/{model}");
    Arn::of("bedrock", platform.region.as_str(), "", &resource).map_err(|_invalid| Failure::Internal)
}

/// The models that the account agreed to use.
pub(super) fn agreed(platform: &Platform, account: AccountId) -> Result<Vec<Model>, Failure> {
    let mut agreed = Vec::new();
    for model in &platform.models {
        if platform
            .store
            .model_agreed(account, &model.id)
            .map_err(|error| from_store(&error))?
        {
            agreed.push(model.clone());
        }
    }
    Ok(agreed)
}
