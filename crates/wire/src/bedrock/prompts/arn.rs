//! How a caller names a prompt: by its id or ARN, and which version of it.

use moho_terms::{Arn, PromptId, Region};

use crate::Failure;

/// What prompts are called within an ARN.
const PROMPT: &str = "prompt/";
/// What the version that changes is called.
const DRAFT: &str = "DRAFT";

/// The ARN of a prompt or of a version of one, such as `arn:aws:bedrock:moho-local-1:123456789012:prompt/ABCDEFGHIJ:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptArn {
    /// The whole ARN: service `bedrock`, any account.
    pub arn: Arn,
    /// The prompt's id.
    pub id: PromptId,
    /// Which version; `None` is the draft.
    pub version: Option<u32>,
}

impl PromptArn {
    /// Reads the ARN of a prompt; `None` if it is another's.
    #[must_use]
    pub fn of(arn: &Arn) -> Option<Self> {
        let named = arn.resource().strip_prefix(PROMPT)?;
        let (id, version) = match named.split_once(':') {
            Some((id, version)) => (id, Some(number(version)?)),
            None => (named, None),
        };
        (arn.service() == "bedrock").then_some(())?;
        Self::new((arn.region(), arn.account()), id.parse().ok()?, version).filter(|read| read.arn == *arn)
    }

    /// The ARN of a prompt in an account of a region.
    #[must_use]
    pub fn new((region, account): (&str, &str), id: PromptId, version: Option<u32>) -> Option<Self> {
        let version_of = version.map_or_else(String::new, |version| format!(":{version}"));
        let arn = Arn::of("bedrock", region, account, &format!("{PROMPT}{id}{version_of}")).ok()?;
        Some(Self { arn, id, version })
    }

    /// Reads what names a prompt, an id or an ARN, and which version is asked for beside it, of `account` if it is an id.
    ///
    /// # Errors
    /// [`Failure::Validation`] if it names none, or two versions.
    pub fn parse(
        text: &str,
        version: Option<&str>,
        (region, account): (&Region, &str),
    ) -> Result<Self, Failure> {
        let named = if text.starts_with("arn:") {
            let arn = text.parse().ok();
            arn.as_ref().and_then(Self::of)
        } else {
            let id = text.parse().ok();
            id.and_then(|id| Self::new((region.as_str(), account), id, None))
        };
        let named = named.ok_or_else(|| refused("The provided prompt identifier is invalid."))?;
        let asked = match version {
            None => return Ok(named),
            Some(DRAFT) => None,
            Some(version) => {
                Some(number(version).ok_or_else(|| refused("The provided prompt version is invalid."))?)
            }
        };
        if named.version.is_some() && named.version != asked {
            return Err(refused(
                "The prompt identifier names one version and the request another.",
            ));
        }
        let place = (named.arn.region().to_owned(), named.arn.account().to_owned());
        Self::new((&place.0, &place.1), named.id, asked).ok_or(Failure::Internal)
    }

    /// The same prompt, in another version.
    #[must_use]
    pub fn at(&self, version: Option<u32>) -> Option<Self> {
        Self::new((self.arn.region(), self.arn.account()), self.id.clone(), version)
    }

    /// The version as it is called.
    #[must_use]
    pub fn version(&self) -> String {
        self.version
            .map_or_else(|| DRAFT.to_owned(), |version| version.to_string())
    }
}

/// The number of a version, which begins with 1.
fn number(version: &str) -> Option<u32> {
    let digits = (1..=5).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit());
    version.parse().ok().filter(|number| digits && *number > 0)
}

fn refused(message: &str) -> Failure {
    Failure::Validation(message.to_owned())
}

/// How Bedrock says that there is no such prompt.
#[must_use]
pub fn prompt_not_found() -> Failure {
    Failure::Service {
        code: "ResourceNotFoundException",
        message:
            "The prompt, or that version of it, was not found. `aws bedrock-agent list-prompts` lists those that \
                  there are."
                .to_owned(),
        status: 404,
    }
}
