//! What a client can ask: one variant per API, already checked.

use moho_terms::ResponseId;

use crate::aws::ops;
use crate::bedrock::{Converse, CountTokens, InvokeModel, ListFoundationModels, ModelIdentifier};
use crate::openai::chat::CreateChat;
use crate::openai::keys::ListKeys;
use crate::openai::responses::{CreateResponse, ListInputItems};
use crate::openai::usage::GetUsage;

/// A request, parsed. Handlers see nothing rawer than this.
pub enum Command {
    /// `POST /responses`
    CreateResponse(Box<CreateResponse>),
    /// `GET /responses/{id}`
    GetResponse(ResponseId),
    /// `DELETE /responses/{id}`
    DeleteResponse(ResponseId),
    /// `GET /responses/{id}/input_items`
    ListInputItems(ListInputItems),
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
    /// An operation of STS
    Sts(ops::sts::Request),
    /// An operation of IAM
    Iam(ops::iam::Request),
    /// An operation of Organizations
    Organizations(ops::organizations::Request),
    /// An operation of KMS
    Kms(ops::kms::Request),
    /// An operation of EC2
    Ec2(ops::ec2::Request),
    /// An operation of Bedrock's control plane
    BedrockControl(ops::bedrock::Request),
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
