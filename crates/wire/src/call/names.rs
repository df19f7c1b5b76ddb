//! The services and operations that are served, and which of them change nothing.

use super::ApiCall;
use crate::aws::{JsonService, QueryService};
use crate::bedrock::{AgentOperation, ControlOperation, Operation};

/// Bedrock, as CloudTrail names it.
pub(crate) const BEDROCK: &str = "bedrock.amazonaws.com";
/// Bedrock's OpenAI-compatible endpoint.
pub(super) const MANTLE: &str = "bedrock-mantle.amazonaws.com";
/// What AWS has nothing like.
pub(super) const MOHO: &str = "moho";

/// Its operations.
const OF_MANTLE: [&str; 19] = [
    "CreateInference",
    "GetInference",
    "DeleteInference",
    "ListInferenceInputItems",
    "ListModels",
    "GetModel",
    "GetUsage",
    "CreateConversation",
    "GetConversation",
    "UpdateConversation",
    "DeleteConversation",
    "CreateConversationItems",
    "ListConversationItems",
    "GetConversationItem",
    "DeleteConversationItem",
    "ExportContent",
    "DeleteContent",
    "GetDataRetention",
    "PutDataRetention",
];
/// What there is of moho's own.
const OF_MOHO: [&str; 5] = [
    "ListAuditRecords",
    "ListKeyOverviews",
    "GetKeyOverview",
    "GetRestore",
    "AcceptRestore",
];

/// With what the names of operations begin that only read.
const READING: [&str; 10] = [
    "Count", "Decode", "Describe", "Export", "Filter", "Get", "List", "Lookup", "Simulate", "Test",
];
/// Further operations that CloudTrail calls read-only, by service: they keep nothing.
const KEEPING_NOTHING: [(&str, &[&str]); 4] = [
    (
        "kms.amazonaws.com",
        &[
            "Decapsulate",
            "Decrypt",
            "DeriveSharedSecret",
            "Encapsulate",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GenerateRandom",
            "ReEncrypt",
            "Sign",
            "Verify",
            "VerifyMac",
        ],
    ),
    (
        "sts.amazonaws.com",
        &["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"],
    ),
    (
        BEDROCK,
        &[
            "Converse",
            "ConverseStream",
            "InvokeModel",
            "InvokeModelWithResponseStream",
            "RenderPrompt",
        ],
    ),
    (
        "iam.amazonaws.com",
        &["GenerateCredentialReport", "GenerateServiceLastAccessedDetails"],
    ),
];

/// Whether an operation can change nothing, as CloudTrail sees it.
pub(crate) fn changes_nothing(source: &str, name: &str) -> bool {
    let further = KEEPING_NOTHING.iter().filter(|(service, _)| *service == source);
    READING.iter().any(|begins| name.starts_with(begins))
        || further.flat_map(|(_, names)| *names).any(|known| *known == name)
}

/// Whether a record of it tells the reply: of what changes something, and of new sessions.
pub(crate) fn tells_what_it_did(source: &str, name: &str) -> bool {
    !changes_nothing(source, name) || name.starts_with("AssumeRole")
}

pub(super) fn all() -> Vec<ApiCall> {
    let query = [QueryService::Sts, QueryService::Iam, QueryService::Ec2];
    let query = query.into_iter().flat_map(|service| {
        service
            .operations()
            .map(move |name| (service.event_source(), name))
    });
    let json = JsonService::ALL.into_iter().flat_map(|service| {
        service
            .operations()
            .map(move |name| (service.event_source(), name))
    });
    let aws = query.chain(json);
    let bedrock = [
        Operation::Converse,
        Operation::ConverseStream,
        Operation::InvokeModel,
        Operation::InvokeModelWithResponseStream,
        Operation::CountTokens,
        Operation::ListFoundationModels,
        Operation::GetFoundationModel,
    ];
    let bedrock = bedrock
        .into_iter()
        .chain(ControlOperation::all().map(Operation::Control))
        .chain(AgentOperation::all().map(Operation::Agent))
        .map(|operation| (BEDROCK, operation.name()));
    let mantle = OF_MANTLE.map(|name| (MANTLE, name));
    let moho = OF_MOHO.map(|name| (MOHO, name));
    let mut all: Vec<ApiCall> = aws
        .chain(bedrock)
        .chain(mantle)
        .chain(moho)
        .map(|(source, name)| ApiCall::new(source, name))
        .collect();
    all.sort_unstable();
    // Bedrock's control plane and its agents have some names in common.
    all.dedup();
    all
}
