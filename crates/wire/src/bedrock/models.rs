//! `ListFoundationModels` and `GetFoundationModel`.

use moho_terms::{Arn, ModelId};

use crate::{Failure, Reply};

/// Which models to list: each filter that is set must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFoundationModels {
    pub(crate) by_provider: Option<String>,
    pub(crate) by_output_modality: Option<String>,
    pub(crate) by_inference_type: Option<String>,
    pub(crate) by_customization_type: Option<String>,
}

/// What is told about a model. All of them read and write text, on demand, streamed or whole, and are active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundationModel {
    /// `arn:aws:bedrock:{region}::foundation-model/{id}`
    pub arn: Arn,
    /// Its one name.
    pub id: ModelId,
    /// Its name for people.
    pub name: String,
    /// Who provides it.
    pub provider: String,
}

impl ListFoundationModels {
    /// The reply on the wire: those of `models` that fit the filters.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(&self, models: &[FoundationModel]) -> Result<Reply, Failure> {
        let _unused = models;
        Err(Failure::Internal)
    }
}

impl FoundationModel {
    /// The reply to `GetFoundationModel`.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(&self) -> Result<Reply, Failure> {
        Err(Failure::Internal)
    }
}
