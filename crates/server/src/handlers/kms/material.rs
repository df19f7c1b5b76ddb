//! Imported key material.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_kms::spec::{WrappingAlgorithm, WrappingKeySpec};
use moho_kms::{Import, ImportType, MaterialId};
use moho_terms::{ContentBytes, Secret, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::material as ops;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, compute, shown};

/// `GetParametersForImport`
pub(crate) async fn parameters(
    asked: &Asked,
    permit: Permit<action::GetParametersForImport>,
    request: ops::GetParametersForImport,
) -> Result<Reply, Failure> {
    let algorithm: WrappingAlgorithm = shown::parsed("WrappingAlgorithm", &request.wrapping_algorithm)?;
    let wrapping: WrappingKeySpec = shown::parsed("WrappingKeySpec", &request.wrapping_key_spec)?;
    let key = permit.resource().to_string();
    let parameters = compute(asked, Pace::MakesRsa, move |platform| {
        platform.kms.parameters_for_import(&permit, algorithm, wrapping)
    })
    .await?;
    let reply = ops::GetParametersForImportResponse {
        key_id: Some(key),
        import_token: Some(ContentBytes::new(parameters.token)),
        public_key: Some(Secret::new(parameters.public_key)),
        parameters_valid_to: Some(parameters.valid_to),
    };
    reply.reply(Service::Kms, "GetParametersForImport", &asked.request)
}

/// When imported material ends, as a request says.
fn valid_to(request: &ops::ImportKeyMaterial) -> Result<Option<Timestamp>, Failure> {
    let ends = request.expiration_model.as_deref() != Some("KEY_MATERIAL_DOES_NOT_EXPIRE");
    match (ends, request.valid_to) {
        (true, Some(at)) => Ok(Some(at)),
        (false, None) => Ok(None),
        (true, None) => Err(shown::invalid(
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        )),
        (false, Some(_)) => Err(shown::invalid(
            "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        )),
    }
}

fn material_id(id: Option<&String>) -> Result<Option<MaterialId>, Failure> {
    id.map(|id| id.parse().map_err(|_never| Failure::Internal))
        .transpose()
}

/// `ImportKeyMaterial`
pub(crate) async fn import(
    asked: &Asked,
    permit: Permit<action::ImportKeyMaterial>,
    request: ops::ImportKeyMaterial,
) -> Result<Reply, Failure> {
    let valid_to = valid_to(&request)?;
    let material = material_id(request.key_material_id.as_ref())?;
    let kind = request.import_type.as_deref().map(|kind| match kind {
        "NEW_KEY_MATERIAL" => ImportType::New,
        _ => ImportType::Existing,
    });
    let key = permit.resource().to_string();
    let id = compute(asked, Pace::UsesRsa, move |platform| {
        let import = Import {
            token: request.import_token.expose(),
            wrapped: request.encrypted_key_material.expose(),
            valid_to,
            kind,
            material,
            description: request.key_material_description.as_deref(),
        };
        platform.kms.import(&permit, &import)
    })
    .await?;
    let reply = ops::ImportKeyMaterialResponse {
        key_id: Some(key),
        key_material_id: Some(id.to_string()),
    };
    reply.reply(Service::Kms, "ImportKeyMaterial", &asked.request)
}

/// `DeleteImportedKeyMaterial`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<action::DeleteImportedKeyMaterial>,
    request: ops::DeleteImportedKeyMaterial,
) -> Result<Reply, Failure> {
    let id = material_id(request.key_material_id.as_ref())?;
    let key = permit.resource().to_string();
    let id = compute(asked, Pace::Slow, move |platform| {
        platform.kms.delete_imported(&permit, id.as_ref())
    })
    .await?;
    let reply = ops::DeleteImportedKeyMaterialResponse {
        key_id: Some(key),
        key_material_id: id.map(|id| id.to_string()),
    };
    reply.reply(Service::Kms, "DeleteImportedKeyMaterial", &asked.request)
}
