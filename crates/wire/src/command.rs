//! What a client can ask: one variant per API, already checked.

use moho_terms::ResponseId;

use crate::aws::ops;
use crate::bedrock::{
    Converse, CountTokens, InvokeModel, ListFoundationModels, ModelIdentifier, PromptedConverse,
};
use crate::openai::audit::ListRecords;
use crate::openai::chat::CreateChat;
use crate::openai::conversations;
use crate::openai::keys::ListKeys;
use crate::openai::responses::{CreateResponse, ListInputItems, PromptedResponse};
use crate::openai::restore::AcceptRestore;
use crate::openai::usage::GetUsage;

/// A request, parsed. Handlers see nothing rawer than this.
pub enum Command {
    /// `POST /responses`
    CreateResponse(Box<CreateResponse>),
    /// `POST /responses` with a prompt that is kept
    CreatePromptedResponse(Box<PromptedResponse>),
    /// `GET /responses/{id}`
    GetResponse(ResponseId),
    /// `DELETE /responses/{id}`
    DeleteResponse(ResponseId),
    /// `GET /responses/{id}/input_items`
    ListInputItems(ListInputItems),
    /// About conversations, and all that is kept
    Conversations(Box<conversations::Request>),
    /// `POST /chat/completions`
    CreateChat(Box<CreateChat>),
    /// `GET /models`
    ListModels,
    /// `GET /models/{id}`
    GetModel(ModelIdentifier),
    /// `GET /organization/usage/completions`
    GetUsage(Box<GetUsage>),
    /// `GET /keys`
    ListKeys(ListKeys),
    /// `GET /keys/{key}`, by the key's id, ARN or alias
    GetKey(String),
    /// `GET /audit/records`
    ListRecords(Box<ListRecords>),
    /// `GET /restore`
    GetRestore,
    /// `POST /restore/accept`
    AcceptRestore(AcceptRestore),
    /// An operation of STS
    Sts(ops::sts::Request),
    /// An operation of IAM
    Iam(ops::iam::Request),
    /// An operation of Organizations
    Organizations(ops::organizations::Request),
    /// An operation of KMS
    Kms(ops::kms::Request),
    /// An operation of CloudWatch Logs
    Logs(ops::logs::Request),
    /// An operation of CloudTrail
    CloudTrail(ops::cloudtrail::Request),
    /// An operation of EC2
    Ec2(ops::ec2::Request),
    /// An operation of Bedrock's control plane
    BedrockControl(ops::bedrock::Request),
    /// An operation on Bedrock's prompts
    BedrockAgent(ops::bedrock_agent::Request),
    /// Bedrock `Converse` and `ConverseStream` with a prompt that is kept
    ConversePrompt(Box<PromptedConverse>),
    /// Bedrock `Converse`
    Converse(Box<Converse>),
    /// Bedrock `ConverseStream`
    ConverseStream(Box<Converse>),
    /// Bedrock `InvokeModel`
    InvokeModel(Box<InvokeModel>),
    /// Bedrock `InvokeModelWithResponseStream`
    InvokeModelWithResponseStream(Box<InvokeModel>),
    /// Bedrock `CountTokens`
    CountTokens(Box<CountTokens>),
    /// Bedrock `ListFoundationModels`
    ListFoundationModels(ListFoundationModels),
    /// Bedrock `GetFoundationModel`
    GetFoundationModel(ModelIdentifier),
}
