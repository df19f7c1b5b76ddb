//! The models an account can use, as Bedrock's catalogue lists them.

use moho_iam::action::bedrock;
use moho_iam::authz::Permit;
use moho_terms::ModelId;
use moho_wire::Failure;
use moho_wire::bedrock::{FoundationModel, ListFoundationModels};
use moho_wire::openai::models::Model;

use super::super::models::model_arn;
use crate::net::Outbound;
use crate::road;
use crate::startup::Platform;

/// `GET /foundation-models`: all there are, for whom may see them, whether or not the account agreed to use them yet.
pub(crate) fn list(
    platform: &Platform,
    _permit: &Permit<bedrock::ListFoundationModels>,
    list: &ListFoundationModels,
) -> Result<Outbound, Failure> {
    let models = platform.models.iter().map(|model| described(platform, model));
    let models: Result<Vec<_>, _> = models.collect();
    list.reply(&models?).map(road::whole)
}

/// `GET /foundation-models/{modelIdentifier}`
pub(crate) fn get(
    platform: &Platform,
    _permit: &Permit<bedrock::GetFoundationModel>,
    id: &ModelId,
) -> Result<Outbound, Failure> {
    let model = platform.models.iter().find(|model| model.id == *id);
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
