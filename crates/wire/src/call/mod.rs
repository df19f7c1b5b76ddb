//! What a request is called in an audit trail, and what of it may be told there: names, ids and settings, never content.

mod elements;
mod names;
#[cfg(test)]
mod tests;

use moho_terms::ContentBytes;

use crate::bedrock::Operation;
use crate::json::Writer;
use crate::openai::conversations::ConversationRoute;
use crate::route::{Headers, Prefix, Route, Target, parameter_of};
use crate::{Command, Failure};

pub(crate) use elements::told;
pub(crate) use names::{BEDROCK, changes_nothing, tells_what_it_did};

/// An operation of an API, as CloudTrail names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiCall {
    /// The service, such as `kms.amazonaws.com`.
    pub source: &'static str,
    /// The operation, such as `CreateKey`.
    pub name: &'static str,
    /// Whether it can change nothing, as CloudTrail sees it.
    pub read_only: bool,
}

impl ApiCall {
    fn new(source: &'static str, name: &'static str) -> Self {
        Self {
            source,
            name,
            read_only: changes_nothing(source, name),
        }
    }

    /// Every operation that is served, in order; S3's are not among them, as no request of theirs is held as a whole.
    #[must_use]
    pub fn all() -> Vec<Self> {
        names::all()
    }
}

/// What a request asks, and what of that may be told.
pub struct Asked {
    /// The JSON object of what it asks, without content; `None` if nothing can be told. It is a tenant's words all the same.
    pub parameters: Option<ContentBytes>,
    /// What it asks.
    ///
    /// # Errors
    /// A [`Failure`] that says which field is wrong, without repeating a tenant's words.
    pub command: Result<Command, Failure>,
}

/// Where a codec notes what of a request may be told.
pub(crate) type Noted = Option<ContentBytes>;

impl Route {
    /// Which operation a request is; `None` if it is none.
    #[must_use]
    pub fn call(&self, headers: &Headers<'_>, body: &[u8]) -> Option<ApiCall> {
        let (source, name) = match self.target() {
            Target::Query(service) => {
                let of_form = std::str::from_utf8(body).ok();
                let action = [of_form.unwrap_or_default(), self.raw_query()]
                    .into_iter()
                    .find_map(|form| parameter_of(form, "Action"))?;
                (service.event_source(), service.operation_named(&action)?)
            }
            Target::Json(service) => (service.event_source(), service.operation_of(headers)?),
            Target::Bedrock(operation) => (BEDROCK, operation.name()),
            Target::S3(_) => return None,
            Target::Conversations(_, route) => (names::MANTLE, of_conversations(route)),
            Target::CreateResponse(Prefix::Mantle) | Target::CreateChat(Prefix::Mantle) => {
                (names::MANTLE, "CreateInference")
            }
            Target::CreateResponse(Prefix::Runtime) | Target::CreateChat(Prefix::Runtime) => {
                (BEDROCK, Operation::InvokeModel.name())
            }
            Target::GetResponse(..) => (names::MANTLE, "GetInference"),
            Target::DeleteResponse(..) => (names::MANTLE, "DeleteInference"),
            Target::ListInputItems(..) => (names::MANTLE, "ListInferenceInputItems"),
            Target::ListModels(Prefix::Mantle) => (names::MANTLE, "ListModels"),
            Target::ListModels(Prefix::Runtime) => (BEDROCK, Operation::ListFoundationModels.name()),
            Target::GetModel(Prefix::Mantle, _) => (names::MANTLE, "GetModel"),
            Target::GetModel(Prefix::Runtime, _) => (BEDROCK, Operation::GetFoundationModel.name()),
            Target::GetUsage => (names::MANTLE, "GetUsage"),
            Target::ListKeys => (names::MOHO, "ListKeyOverviews"),
            Target::GetKey(_) => (names::MOHO, "GetKeyOverview"),
            Target::ListRecords => (names::MOHO, "ListAuditRecords"),
            Target::GetRestore => (names::MOHO, "GetRestore"),
            Target::AcceptRestore => (names::MOHO, "AcceptRestore"),
        };
        Some(ApiCall::new(source, name))
    }

    /// What a request asks, and what of that may be told.
    #[must_use]
    pub fn asked(&self, headers: &Headers<'_>, body: &[u8]) -> Asked {
        let mut parameters = None;
        let command = self.command_noting(headers, body, &mut parameters);
        if let Ok(command) = &command {
            parameters = of_openai(command).or(parameters);
        }
        Asked { parameters, command }
    }
}

impl Command {
    /// Which model is asked for tokens, as the caller names it, and whether they are to be streamed; `None` of what asks none.
    #[must_use]
    pub fn inference(&self) -> Option<(&str, bool)> {
        Some(match self {
            Self::CreateResponse(create) => (create.model.as_str(), create.stream),
            Self::CreateChat(create) => (create.model.as_str(), create.stream),
            Self::Converse(converse) => (converse.model.as_str(), false),
            Self::ConverseStream(converse) => (converse.model.as_str(), true),
            Self::InvokeModel(invoke) => (invoke.model.as_str(), false),
            Self::InvokeModelWithResponseStream(invoke) => (invoke.model.as_str(), true),
            Self::CreatePromptedResponse(_)
            | Self::GetResponse(_)
            | Self::DeleteResponse(_)
            | Self::ListInputItems(_)
            | Self::Conversations(_)
            | Self::ListModels
            | Self::GetModel(_)
            | Self::GetUsage(_)
            | Self::ListKeys(_)
            | Self::GetKey(_)
            | Self::ListRecords(_)
            | Self::GetRestore
            | Self::AcceptRestore(_)
            | Self::Sts(_)
            | Self::Iam(_)
            | Self::Organizations(_)
            | Self::Kms(_)
            | Self::Logs(_)
            | Self::CloudTrail(_)
            | Self::Ec2(_)
            | Self::BedrockControl(_)
            | Self::BedrockAgent(_)
            | Self::ConversePrompt(_)
            | Self::CountTokens(_)
            | Self::ListFoundationModels(_)
            | Self::GetFoundationModel(_) => return None,
        })
    }
}

fn of_conversations(route: &ConversationRoute) -> &'static str {
    match route {
        ConversationRoute::Create => "CreateConversation",
        ConversationRoute::Get(_) => "GetConversation",
        ConversationRoute::Update(_) => "UpdateConversation",
        ConversationRoute::Delete(_) => "DeleteConversation",
        ConversationRoute::CreateItems(_) => "CreateConversationItems",
        ConversationRoute::ListItems(_) => "ListConversationItems",
        ConversationRoute::GetItem(..) => "GetConversationItem",
        ConversationRoute::DeleteItem(..) => "DeleteConversationItem",
        ConversationRoute::Export => "ExportContent",
        ConversationRoute::Erase => "DeleteContent",
        ConversationRoute::GetRetention => "GetDataRetention",
        ConversationRoute::PutRetention => "PutDataRetention",
    }
}

/// What of a request of OpenAI's may be told: which model it asks, and the ids in its path.
fn of_openai(command: &Command) -> Option<ContentBytes> {
    let told = |members: &[(&str, &str)], stream: Option<bool>| {
        let mut writer = Writer::new();
        writer.object(|w| {
            for (name, value) in members {
                w.text(name, value);
            }
            if let Some(stream) = stream {
                w.fixed("stream", if stream { "true" } else { "false" });
            }
        });
        Some(writer.finish())
    };
    match command {
        Command::CreateResponse(_) | Command::CreateChat(_) => {
            let (model, stream) = command.inference()?;
            told(&[("modelId", model)], Some(stream))
        }
        Command::CreatePromptedResponse(_) => told(&[], None),
        Command::GetResponse(id) | Command::DeleteResponse(id) => told(&[("responseId", id.as_str())], None),
        Command::ListInputItems(list) => told(&[("responseId", list.id.as_str())], None),
        Command::GetModel(model) => told(&[("modelId", model.as_str())], None),
        Command::GetKey(key) => told(&[("keyId", key)], None),
        // Of AWS's the service model says what may be told, and what is left has nothing to tell.
        Command::Conversations(_)
        | Command::ListModels
        | Command::GetUsage(_)
        | Command::ListKeys(_)
        | Command::ListRecords(_)
        | Command::GetRestore
        | Command::AcceptRestore(_)
        | Command::Sts(_)
        | Command::Iam(_)
        | Command::Organizations(_)
        | Command::Kms(_)
        | Command::Logs(_)
        | Command::CloudTrail(_)
        | Command::Ec2(_)
        | Command::BedrockControl(_)
        | Command::BedrockAgent(_)
        | Command::ConversePrompt(_)
        | Command::Converse(_)
        | Command::ConverseStream(_)
        | Command::InvokeModel(_)
        | Command::InvokeModelWithResponseStream(_)
        | Command::CountTokens(_)
        | Command::ListFoundationModels(_)
        | Command::GetFoundationModel(_) => None,
    }
}
