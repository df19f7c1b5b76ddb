//! How a caller names a model: by its id, or by its ARN.

use moho_terms::{Arn, ModelId, Region};

use crate::Failure;

/// What foundation models are called within an ARN.
const RESOURCE: &str = "foundation-model/";

/// A model as the caller named it, read from one label of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelIdentifier {
    /// Its id, such as `smollm2-135m-instruct`.
    Id(ModelId),
    /// Its ARN, such as `arn:aws:bedrock:moho-local-1::foundation-model/smollm2-135m-instruct`.
    Arn {
        /// The whole ARN: service `bedrock`, no account.
        arn: Arn,
        /// The model it names.
        model: ModelId,
    },
}

impl ModelIdentifier {
    /// Reads a label that is decoded already.
    ///
    /// # Errors
    /// [`Failure::Validation`] if it is neither an id nor an ARN; `ResourceNotFoundException` for the ARN of something
    /// that is no foundation model (profiles, custom and imported models): moho has none.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if !text.starts_with("arn:") {
            return text.parse().map(Self::Id).map_err(|_unsuitable| invalid());
        }
        let arn: Arn = text.parse().map_err(|_unsuitable| invalid())?;
        let model = arn.resource().strip_prefix(RESOURCE).map(str::parse);
        match model {
            Some(Ok(model)) if arn.service() == "bedrock" && arn.account().is_empty() => {
                Ok(Self::Arn { arn, model })
            }
            _ => Err(not_found()),
        }
    }

    /// The model's id, whichever way it was named.
    #[must_use]
    pub fn model(&self) -> &ModelId {
        match self {
            Self::Id(model) | Self::Arn { model, .. } => model,
        }
    }

    /// The model's id, if it is one of `region`.
    ///
    /// # Errors
    /// [`Self::unknown`] for the ARN of another region or partition.
    pub fn within(&self, region: &Region) -> Result<&ModelId, Failure> {
        match self {
            Self::Id(model) => Ok(model),
            Self::Arn { arn, model } => {
                let ours = Arn::of("bedrock", region.as_str(), "", &format!("{RESOURCE}{model}"));
                if ours.is_ok_and(|ours| ours == *arn) {
                    Ok(model)
                } else {
                    Err(self.unknown())
                }
            }
        }
    }

    /// How Bedrock says that there is no such model.
    #[must_use]
    pub fn unknown(&self) -> Failure {
        match self {
            Self::Id(_) => invalid(),
            Self::Arn { .. } => not_found(),
        }
    }
}

fn invalid() -> Failure {
    Failure::Validation("The provided model identifier is invalid.".to_owned())
}

fn not_found() -> Failure {
    Failure::Service {
        code: "ResourceNotFoundException",
        message: "Could not resolve the foundation model from the provided model identifier.".to_owned(),
        status: 404,
    }
}
