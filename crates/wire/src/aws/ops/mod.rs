//! Typed requests and replies of the AWS operations moho serves.

pub mod bedrock;
pub mod bedrock_agent;
pub mod cloudtrail;
pub mod ec2;
pub mod iam;
pub mod kms;
pub mod logs;
pub mod organizations;
pub mod sts;

use moho_terms::RequestId;

use super::declare::Operations as _;
use super::document::{Document, Members};
use super::json::JsonService;
use super::rest::RestService;
use super::{QueryService, query_out};
use crate::call;
use crate::{Command, Failure, Reply};

/// A service whose replies are declared here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
    /// AWS Organizations.
    Organizations,
    /// Key Management Service.
    Kms,
    /// CloudWatch Logs.
    Logs,
    /// CloudTrail.
    CloudTrail,
    /// Elastic Compute Cloud.
    Ec2,
    /// Bedrock's control plane.
    Bedrock,
    /// Bedrock's prompts.
    BedrockAgent,
}

impl Service {
    /// The service as CloudTrail names it.
    fn event_source(self) -> &'static str {
        match self {
            Self::Sts => QueryService::Sts.event_source(),
            Self::Iam => QueryService::Iam.event_source(),
            Self::Ec2 => QueryService::Ec2.event_source(),
            Self::Organizations => JsonService::Organizations.event_source(),
            Self::Kms => JsonService::Kms.event_source(),
            Self::Logs => JsonService::Logs.event_source(),
            Self::CloudTrail => JsonService::CloudTrail.event_source(),
            Self::Bedrock | Self::BedrockAgent => call::BEDROCK,
        }
    }

    /// The reply of an operation that says nothing.
    ///
    /// # Errors
    /// [`Failure::Internal`] if the operation is not one of the service's.
    pub fn done(self, operation: &str, request: &RequestId) -> Result<Reply, Failure> {
        self.reply(operation, None, request)
    }

    pub(crate) fn reply(
        self,
        operation: &str,
        document: Option<Document>,
        request: &RequestId,
    ) -> Result<Reply, Failure> {
        let document = document.unwrap_or_else(|| Document::Structure(Vec::new()));
        let elements = call::tells_what_it_did(self.event_source(), operation).then(|| call::told(&document));
        let query = |service: QueryService, document| {
            query_out::reply(service.model()?, operation, &document, request)
        };
        let reply = match self {
            Self::Sts => query(QueryService::Sts, document),
            Self::Iam => query(QueryService::Iam, document),
            Self::Ec2 => query(QueryService::Ec2, document),
            Self::Organizations => JsonService::Organizations.reply(operation, document),
            Self::Kms => JsonService::Kms.reply(operation, document),
            Self::Logs => JsonService::Logs.reply(operation, document),
            Self::CloudTrail => JsonService::CloudTrail.reply(operation, document),
            Self::Bedrock => RestService::Bedrock.reply(operation, document),
            Self::BedrockAgent => RestService::BedrockAgent.reply(operation, document),
        };
        Ok(Reply {
            elements: elements.flatten(),
            ..reply?
        })
    }
}

/// The command of a validated request.
pub(super) fn command(service: QueryService, operation: &str, input: Document) -> Result<Command, Failure> {
    let mut members = Members::of(input)?;
    match service {
        QueryService::Sts => sts::Request::read(operation, &mut members).map(Command::Sts),
        QueryService::Iam => iam::Request::read(operation, &mut members).map(Command::Iam),
        QueryService::Ec2 => ec2::Request::read(operation, &mut members).map(Command::Ec2),
    }
}

/// The command of a validated request of a JSON service.
pub(super) fn json_command(
    service: JsonService,
    operation: &str,
    input: Document,
) -> Result<Command, Failure> {
    let mut members = Members::of(input)?;
    match service {
        JsonService::Organizations => {
            organizations::Request::read(operation, &mut members).map(Command::Organizations)
        }
        JsonService::Kms => kms::Request::read(operation, &mut members).map(Command::Kms),
        JsonService::Logs => logs::Request::read(operation, &mut members).map(Command::Logs),
        JsonService::CloudTrail => {
            cloudtrail::Request::read(operation, &mut members).map(Command::CloudTrail)
        }
    }
}
