//! A request's address as a telemetry label: the template it was routed by, never what was sent.

use http::Method;
use moho_wire::aws::{JsonService, QueryService};
use moho_wire::bedrock::Operation;
use moho_wire::{Addressed, Prefix, Target};

/// What stands for every path that is not served.
pub(crate) const UNKNOWN: &str = "(none)";

/// The template of a request's path.
pub(crate) fn template(target: &Target) -> &'static str {
    match target {
        Target::CreateResponse(Prefix::Mantle) => "/v1/responses",
        Target::CreateResponse(Prefix::Runtime) => "/openai/v1/responses",
        Target::GetResponse(Prefix::Mantle, _) | Target::DeleteResponse(Prefix::Mantle, _) => {
            "/v1/responses/{id}"
        }
        Target::GetResponse(Prefix::Runtime, _) | Target::DeleteResponse(Prefix::Runtime, _) => {
            "/openai/v1/responses/{id}"
        }
        Target::ListInputItems(Prefix::Mantle, _) => "/v1/responses/{id}/input_items",
        Target::ListInputItems(Prefix::Runtime, _) => "/openai/v1/responses/{id}/input_items",
        Target::Conversations(Prefix::Mantle, route) => route.templates().0,
        Target::Conversations(Prefix::Runtime, route) => route.templates().1,
        Target::CreateChat(Prefix::Mantle) => "/v1/chat/completions",
        Target::CreateChat(Prefix::Runtime) => "/openai/v1/chat/completions",
        Target::ListModels(Prefix::Mantle) => "/v1/models",
        Target::ListModels(Prefix::Runtime) => "/openai/v1/models",
        Target::GetModel(Prefix::Mantle, _) => "/v1/models/{id}",
        Target::GetModel(Prefix::Runtime, _) => "/openai/v1/models/{id}",
        Target::GetUsage => "/v1/organization/usage/completions",
        Target::ListKeys => "/v1/keys",
        Target::GetKey(_) => "/v1/keys/{key}",
        Target::ListRecords => "/v1/audit/records",
        Target::GetRestore => "/v1/restore",
        Target::AcceptRestore => "/v1/restore/accept",
        // All have the one path of AWS's services of one address.
        Target::Query(QueryService::Sts) => "/ (sts)",
        Target::Query(QueryService::Iam) => "/ (iam)",
        Target::Query(QueryService::Ec2) => "/ (ec2)",
        Target::Json(JsonService::Organizations) => "/ (organizations)",
        Target::Json(JsonService::Kms) => "/ (kms)",
        Target::Json(JsonService::Logs) => "/ (logs)",
        Target::Json(JsonService::CloudTrail) => "/ (cloudtrail)",
        Target::S3(addressed) => match addressed {
            Addressed::Service => "/ (s3)",
            Addressed::Bucket => "/{bucket}",
            Addressed::Object => "/{bucket}/{key}",
        },
        Target::Bedrock(operation) => match operation {
            Operation::Converse => "/model/{modelId}/converse",
            Operation::ConverseStream => "/model/{modelId}/converse-stream",
            Operation::InvokeModel => "/model/{modelId}/invoke",
            Operation::InvokeModelWithResponseStream => "/model/{modelId}/invoke-with-response-stream",
            Operation::CountTokens => "/model/{modelId}/count-tokens",
            Operation::ListFoundationModels => "/foundation-models",
            Operation::GetFoundationModel => "/foundation-models/{modelIdentifier}",
            Operation::Control(operation) => operation.template(),
            Operation::Agent(operation) => operation.template(),
        },
    }
}

/// The method, one of a fixed number.
pub(crate) fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT",
    ];
    let known = KNOWN.iter().find(|known| method == **known);
    known.copied().unwrap_or("_OTHER")
}
