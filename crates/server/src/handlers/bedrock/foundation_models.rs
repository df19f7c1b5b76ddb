//! The models an account can use, as Bedrock's catalogue lists them.

use moho_iam::action::bedrock;
use moho_iam::authz::Permit;
use moho_terms::ModelId;
use moho_wire::Failure;
use moho_wire::bedrock::{FoundationModel, ListFoundationModels};
use moho_wire::openai::models::Model;

use super::super::models::{agreed, model_arn};
use crate::net::Outbound;
use crate::road;
use crate::startup::Platform;

/// `GET /foundation-models`: those the account agreed to use.
pub(crate) fn list(
    platform: &Platform,
    permit: &Permit<bedrock::ListFoundationModels>,
    list: &ListFoundationModels,
) -> Result<Outbound, Failure> {
    let models: Result<Vec<_>, _> = agreed(platform, permit.session().account())?
        .iter()
        .map(|model| described(platform, model))
        .collect();
    list.reply(&models?).map(road::whole)
}

/// `GET /foundation-models/{modelIdentifier}`: one that the account did not agree to looks like none.
pub(crate) fn get(
    platform: &Platform,
    permit: &Permit<bedrock::GetFoundationModel>,
    id: &ModelId,
) -> Result<Outbound, Failure> {
    let agreed = agreed(platform, permit.session().account())?;
    let model = agreed.iter().find(|model| model.id == *id);
    let model = model.ok_or_else(|| Failure::ModelNotFound(Some(id.clone())))?;
    described(platform, model)?.reply().map(road::whole)
}

fn described(platform: &Platform, model: &Model) -> Result<FoundationModel, Failure> {
    Ok(FoundationModel {
        arn: model_arn(platform, &model.id)?,
        id: model.id.clone(),
        name: model.id.to_string(),
        provider: model.owned_by.clone(),
    })
}
