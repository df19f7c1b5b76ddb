//! The services that a private endpoint can lead to, by AWS's names.

use moho_terms::Region;
use moho_wire::aws::{JsonService, QueryService};
use moho_wire::bedrock::Operation;
use moho_wire::{Prefix, Target};

/// What an endpoint of the settings leads to: everything that moho serves.
pub(crate) const EVERYTHING: &str = "moho";

/// What an endpoint can be made for.
pub(crate) const SERVICES: [&str; 12] = [
    "bedrock",
    "bedrock-agent",
    "bedrock-mantle",
    "bedrock-runtime",
    "cloudtrail",
    "ec2",
    "iam",
    "kms",
    "logs",
    "organizations",
    "s3",
    "sts",
];

/// A service's whole name, such as `com.amazonaws.us-east-1.bedrock-runtime`.
pub(crate) fn service_name(region: &Region, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// The service that a request is for, as its route has it: nothing else may decide that.
pub(crate) fn of_request(target: &Target) -> &'static str {
    match target {
        Target::CreateResponse(prefix)
        | Target::GetResponse(prefix, _)
        | Target::DeleteResponse(prefix, _)
        | Target::ListInputItems(prefix, _)
        | Target::Conversations(prefix, _)
        | Target::CreateChat(prefix)
        | Target::ListModels(prefix)
        | Target::GetModel(prefix, _) => match prefix {
            Prefix::Mantle => "bedrock-mantle",
            Prefix::Runtime => "bedrock-runtime",
        },
        Target::GetUsage
        | Target::ListKeys
        | Target::GetKey(_)
        | Target::ListRecords
        | Target::GetRestore
        | Target::AcceptRestore => "bedrock-mantle",
        Target::Query(QueryService::Sts) => "sts",
        Target::Query(QueryService::Iam) => "iam",
        Target::Query(QueryService::Ec2) => "ec2",
        Target::Json(JsonService::Organizations) => "organizations",
        Target::Json(JsonService::Kms) => "kms",
        Target::Json(JsonService::Logs) => "logs",
        Target::Json(JsonService::CloudTrail) => "cloudtrail",
        Target::S3(_) => "s3",
        Target::Bedrock(operation) => match operation {
            Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream
            | Operation::CountTokens => "bedrock-runtime",
            Operation::ListFoundationModels | Operation::GetFoundationModel | Operation::Control(_) => {
                "bedrock"
            }
            Operation::Agent(_) => "bedrock-agent",
        },
    }
}
