//! How a caller names a model: by its id, by its ARN, or by an inference profile that leads to it.

use moho_terms::{Arn, ModelId, Region};

use crate::Failure;

/// What foundation models are called within an ARN.
const MODEL: &str = "foundation-model/";

/// A model as the caller named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelIdentifier {
    /// An id: a model's, such as `smollm2-135m-instruct`, or a profile's, such as `us.smollm2-135m-instruct`.
    Id(ModelId),
    /// A model's ARN, such as `arn:aws:bedrock:moho-local-1::foundation-model/smollm2-135m-instruct`.
    Arn {
        /// The whole ARN: service `bedrock`, no account.
        arn: Arn,
        /// The model it names.
        model: ModelId,
    },
    /// An inference profile's ARN.
    Profile(ProfileArn),
}

/// The ARN of an inference profile, such as `arn:aws:bedrock:moho-local-1:123456789012:inference-profile/us.smollm2-135m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileArn {
    /// The whole ARN: service `bedrock`, any account.
    pub arn: Arn,
    /// Which kind of profile.
    pub kind: ProfileKind,
    /// The profile's id.
    pub id: ModelId,
}

/// The kinds of inference profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileKind {
    /// There is one for each model, in every account.
    System,
    /// An account has made it.
    Application,
}

impl ProfileKind {
    /// What such profiles are called within an ARN.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::System => "inference-profile",
            Self::Application => "application-inference-profile",
        }
    }

    /// AWS's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "SYSTEM_DEFINED",
            Self::Application => "APPLICATION",
        }
    }
}

impl ProfileArn {
    /// Reads the ARN of a profile; `None` if it is another's.
    #[must_use]
    pub fn of(arn: &Arn) -> Option<Self> {
        let (resource, id) = arn.resource().split_once('/')?;
        let kinds = [ProfileKind::System, ProfileKind::Application];
        let kind = kinds.into_iter().find(|kind| kind.resource() == resource)?;
        let id = id.parse().ok()?;
        (arn.service() == "bedrock").then(|| Self {
            arn: arn.clone(),
            kind,
            id,
        })
    }
}

impl ModelIdentifier {
    /// Reads a name that is decoded already.
    ///
    /// # Errors
    /// [`Failure::Validation`] if it is neither an id nor an ARN; `ResourceNotFoundException` for the ARN of something
    /// that is no foundation model or inference profile (custom and imported models): moho has none.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if !text.starts_with("arn:") {
            return text.parse().map(Self::Id).map_err(|_unsuitable| invalid());
        }
        let arn: Arn = text.parse().map_err(|_unsuitable| invalid())?;
        if let Some(profile) = ProfileArn::of(&arn) {
            return Ok(Self::Profile(profile));
        }
        let model = arn.resource().strip_prefix(MODEL).map(str::parse);
        match model {
            Some(Ok(model)) if arn.service() == "bedrock" && arn.account().is_empty() => {
                Ok(Self::Arn { arn, model })
            }
            _ => Err(not_found()),
        }
    }

    /// The name as the caller wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Arn { arn, .. } | Self::Profile(ProfileArn { arn, .. }) => arn.as_str(),
        }
    }

    /// The id in the name, be it a model's or a profile's.
    #[must_use]
    pub fn id(&self) -> &ModelId {
        match self {
            Self::Id(id) | Self::Arn { model: id, .. } | Self::Profile(ProfileArn { id, .. }) => id,
        }
    }

    /// The model's id, if a model of `region` is named.
    ///
    /// # Errors
    /// [`Self::unknown`] for the ARN of a profile, or of another region or partition.
    pub fn within(&self, region: &Region) -> Result<&ModelId, Failure> {
        match self {
            Self::Id(model) => Ok(model),
            Self::Arn { arn, model } => {
                let ours = Arn::of("bedrock", region.as_str(), "", &format!("{MODEL}{model}"));
                if ours.is_ok_and(|ours| ours == *arn) {
                    Ok(model)
                } else {
                    Err(self.unknown())
                }
            }
            Self::Profile(_) => Err(self.unknown()),
        }
    }

    /// How Bedrock says that there is no such model or profile.
    #[must_use]
    pub fn unknown(&self) -> Failure {
        match self {
            Self::Id(_) => invalid(),
            Self::Arn { .. } => not_found(),
            Self::Profile(_) => profile_not_found(),
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

/// How Bedrock says that there is no such inference profile.
#[must_use]
pub fn profile_not_found() -> Failure {
    Failure::Service {
        code: "ResourceNotFoundException",
        message: "The provided inference profile identifier was not found. `aws bedrock list-inference-profiles` lists those \
                  that there are."
            .to_owned(),
        status: 404,
    }
}
