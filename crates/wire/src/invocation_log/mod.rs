//! The log of calls of models: which requests are such calls, and what Bedrock's log says of each.
//!
//! A record is made in two steps. While it waits it is [kept](KeptInvocation) with its bodies beside it; when it is delivered,
//! bodies that are too large for it are put elsewhere, and it [says where](Body::At).

mod events;
mod record;

pub use events::StreamedEvents;
pub use record::{Body, InvocationFacts, InvocationTokens, KeptInvocation, TooLarge};

use moho_terms::ContentBytes;

use crate::Target;
use crate::bedrock::Operation;
use crate::json::{self, Json, Writer};
use crate::openai::conversations::ConversationRoute;
use crate::route::Headers;

/// What the log calls a call of this API; `None` if no model is called by it. Bedrock's operations have their own names, OpenAI's
/// those of OpenAI's API reference.
#[must_use]
pub fn logged_operation(target: &Target) -> Option<&'static str> {
    match target {
        Target::CreateResponse(_) => Some("CreateResponse"),
        Target::CreateChat(_) => Some("CreateChatCompletion"),
        Target::Bedrock(operation) => match operation {
            Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream => Some(operation.name()),
            // It is counted, and nothing is generated.
            Operation::CountTokens
            | Operation::ListFoundationModels
            | Operation::GetFoundationModel
            | Operation::Control(_)
            | Operation::Agent(_) => None,
        },
        Target::Conversations(_, route) => of_conversations(route),
        Target::GetResponse(..)
        | Target::DeleteResponse(..)
        | Target::ListInputItems(..)
        | Target::ListModels(_)
        | Target::GetModel(..)
        | Target::GetUsage
        | Target::ListKeys
        | Target::GetKey(_)
        | Target::ListRecords
        | Target::GetRestore
        | Target::AcceptRestore
        | Target::Query(_)
        | Target::Json(_)
        | Target::S3(_) => None,
    }
}

fn of_conversations(route: &ConversationRoute) -> Option<&'static str> {
    match route {
        ConversationRoute::Create
        | ConversationRoute::Get(_)
        | ConversationRoute::Update(_)
        | ConversationRoute::Delete(_)
        | ConversationRoute::CreateItems(_)
        | ConversationRoute::ListItems(_)
        | ConversationRoute::GetItem(..)
        | ConversationRoute::DeleteItem(..)
        | ConversationRoute::Export
        | ConversationRoute::Erase
        | ConversationRoute::GetRetention
        | ConversationRoute::PutRetention => None,
    }
}

/// What a caller of Bedrock has its call marked with: a member of Converse's body, a header of InvokeModel.
#[must_use]
pub fn request_metadata(target: &Target, headers: &Headers<'_>, body: &[u8]) -> Option<ContentBytes> {
    let in_header = |name: &str| json::parse(headers(name).first()?).ok();
    let Target::Bedrock(operation) = target else {
        return None;
    };
    let metadata = match operation {
        Operation::Converse | Operation::ConverseStream => {
            let Json::Object(members) = json::parse(body).ok()? else {
                return None;
            };
            let mut named = members.into_iter().rev();
            named
                .find(|(name, _)| name.expose() == "requestMetadata")
                .map(|(_, value)| value)
        }
        Operation::InvokeModel | Operation::InvokeModelWithResponseStream => {
            in_header("x-amzn-bedrock-request-metadata")
        }
        Operation::CountTokens
        | Operation::ListFoundationModels
        | Operation::GetFoundationModel
        | Operation::Control(_)
        | Operation::Agent(_) => None,
    };
    let metadata = metadata.filter(|metadata| matches!(metadata, Json::Object(_)))?;
    let mut w = Writer::new();
    w.json(&metadata);
    Some(w.finish())
}

#[cfg(test)]
mod tests;
