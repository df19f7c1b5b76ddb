//! What a path, a content type and a signature name of AWS's services, and of nobody's.

use super::signed::{parameter, signed_for};
use super::{RequestHead, RouteRefused, Target};
use crate::aws::{self, JsonService, QueryService};
use crate::bedrock::Operation;
use crate::{ErrorShape, Failure};

/// What is nowhere here, in the words of whom the client seems to take us for.
pub(super) fn no_such_path(head: &RequestHead<'_>) -> RouteRefused {
    let shape = if signed_for(head).is_some() {
        ErrorShape::RestJson
    } else {
        ErrorShape::OpenAi
    };
    RouteRefused {
        failure: Failure::NoSuchPath,
        shape,
    }
}

/// What is not served here is an operation AWS may have and moho has not, whatever the path.
pub(super) fn bedrock_target<'a>(method: &str, labels: &[&'a str]) -> Result<(Operation, &'a str), Failure> {
    match (method, labels) {
        ("POST", ["model", model, "converse"]) => Ok((Operation::Converse, model)),
        ("POST", ["model", model, "converse-stream"]) => Ok((Operation::ConverseStream, model)),
        ("POST", ["model", model, "invoke"]) => Ok((Operation::InvokeModel, model)),
        ("POST", ["model", model, "invoke-with-response-stream"]) => {
            Ok((Operation::InvokeModelWithResponseStream, model))
        }
        ("POST", ["model", model, "count-tokens"]) => Ok((Operation::CountTokens, model)),
        ("GET", ["foundation-models"]) => Ok((Operation::ListFoundationModels, "")),
        ("GET", ["foundation-models", model]) => Ok((Operation::GetFoundationModel, model)),
        _ => Err(Failure::NoSuchPath),
    }
}

pub(super) fn aws_target(head: &RequestHead<'_>) -> Result<Target, RouteRefused> {
    let kind = head
        .content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let kind = kind.to_ascii_lowercase();
    let name = signed_for(head);
    if kind.starts_with("application/x-amz-json-") {
        return json_target(head.method, &kind, name.as_deref()).map_err(|failure| RouteRefused {
            failure,
            shape: ErrorShape::AwsJson,
        });
    }
    // What is not signed at all is refused later, in the words of STS.
    let service = match &name {
        Some(name) => QueryService::from_signing_name(name),
        None => Some(QueryService::Sts),
    };
    let Some(service) = service else {
        let shape = QueryService::Sts.error_shape();
        return Err(RouteRefused {
            failure: unserved(name.as_deref().unwrap_or_default()),
            shape,
        });
    };
    // A form may also stand in the query, as it does in every presigned URL.
    let form = kind == "application/x-www-form-urlencoded" || parameter(head.raw_query, "Action").is_some();
    if !form && name.is_none() {
        return Err(RouteRefused {
            failure: Failure::NoSuchPath,
            shape: ErrorShape::OpenAi,
        });
    }
    if !matches!(head.method, "GET" | "POST") {
        return Err(RouteRefused {
            failure: Failure::MethodNotAllowed("GET, POST"),
            shape: service.error_shape(),
        });
    }
    Ok(Target::Query(service))
}

/// The JSON service that a request is signed for. What is not signed at all is refused later, in the words of the first.
fn json_target(method: &str, kind: &str, name: Option<&str>) -> Result<Target, Failure> {
    let service = match name {
        Some(name) => JsonService::from_signing_name(name),
        None => Some(JsonService::Organizations),
    };
    match service {
        Some(_) if method != "POST" => Err(Failure::MethodNotAllowed("POST")),
        Some(service) if kind == service.content_type() => Ok(Target::Json(service)),
        Some(service) => Err(Failure::UnknownService(format!(
            "{} (in this content type)",
            service.signing_name()
        ))),
        None => Err(unserved(name.unwrap_or_default())),
    }
}

/// What is signed for a service that is not served.
fn unserved(service: &str) -> Failure {
    Failure::UnknownService(aws::name(service))
}
