//! `ListFoundationModels` and `GetFoundationModel`.

use moho_terms::{Arn, ModelId};

use super::answer::{structure, word};
use crate::aws::document::{Document, Members};
use crate::aws::rest::RestService;
use crate::{Failure, Reply};

/// Which models to list: each filter that is set must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFoundationModels {
    by_provider: Option<String>,
    by_output_modality: Option<String>,
    by_inference_type: Option<String>,
    by_customization_type: Option<String>,
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
    /// Reads a validated request.
    pub(super) fn read(members: &mut Members) -> Result<Self, Failure> {
        Ok(Self {
            by_provider: members.take("byProvider")?,
            by_output_modality: members.take("byOutputModality")?,
            by_inference_type: members.take("byInferenceType")?,
            by_customization_type: members.take("byCustomizationType")?,
        })
    }

    /// The reply on the wire: those of `models` that fit the filters.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(&self, models: &[FoundationModel]) -> Result<Reply, Failure> {
        let kept = models.iter().filter(|model| self.keeps(model));
        let summaries = Document::List(kept.map(FoundationModel::document).collect());
        RestService::Bedrock.reply("ListFoundationModels", structure([("modelSummaries", summaries)]))
    }

    fn keeps(&self, model: &FoundationModel) -> bool {
        let is = |filter: &Option<String>, value: &str| filter.as_deref().is_none_or(|asked| asked == value);
        let provider = self.by_provider.as_deref();
        provider.is_none_or(|asked| asked.eq_ignore_ascii_case(&model.provider))
            && is(&self.by_output_modality, "TEXT")
            && is(&self.by_inference_type, "ON_DEMAND")
            && self.by_customization_type.is_none()
    }
}

impl FoundationModel {
    /// The reply to `GetFoundationModel`.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(&self) -> Result<Reply, Failure> {
        let details = structure([("modelDetails", self.document())]);
        RestService::Bedrock.reply("GetFoundationModel", details)
    }

    fn document(&self) -> Document {
        let list = |words: &[&str]| Document::List(words.iter().map(|text| word(text)).collect());
        structure([
            ("modelArn", word(self.arn.as_str())),
            ("modelId", word(self.id.as_str())),
            ("modelName", word(&self.name)),
            ("providerName", word(&self.provider)),
            ("inputModalities", list(&["TEXT"])),
            ("outputModalities", list(&["TEXT"])),
            ("responseStreamingSupported", Document::Boolean(true)),
            ("customizationsSupported", list(&[])),
            ("inferenceTypesSupported", list(&["ON_DEMAND"])),
            ("modelLifecycle", structure([("status", word("ACTIVE"))])),
        ])
    }
}
