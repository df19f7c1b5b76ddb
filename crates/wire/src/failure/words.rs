//! What a person reads: what went wrong, and what to do next.
//!
//! Programs look at codes and statuses; people read the sentence. Where AWS or OpenAI has a sentence of its own, ours
//! begins with it, as tools look for it; the next step follows. Nothing here repeats a tenant's words, and nothing
//! tells an unseen resource from an absent one.

use moho_terms::{Region, Timestamp};

use super::Failure;

/// Whose habits the reader has: the next step names the tools and settings of that world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Of OpenAI's SDKs.
    OpenAi,
    /// Of AWS's SDKs and command line.
    Aws,
}

impl Failure {
    /// What went wrong and what to do, for users of OpenAI's SDKs.
    pub(crate) fn message(&self) -> String {
        self.words(Reader::OpenAi)
    }

    /// What went wrong and what to do, for users of AWS's SDKs and command line.
    pub(crate) fn aws_message(&self) -> String {
        self.words(Reader::Aws)
    }

    fn words(&self, reader: Reader) -> String {
        match self {
            Self::MissingAuthentication => missing(reader).to_owned(),
            Self::MalformedAuthentication(message) => format!("{message} {}", well_formed(reader)),
            Self::UnknownCredentials => format!("{UNKNOWN} {}", known(reader)),
            Self::BadSignature => BAD_SIGNATURE.to_owned(),
            Self::ExpiredCredentials { ended } => expired(*ended),
            Self::WrongScope(message) => format!(
                "{message} Set the client's signing name for the API you call, and let an AWS SDK sign the request."
            ),
            Self::WrongRegion { asked, served } => wrong_region(asked.as_ref(), served),
            Self::Skewed(message) => format!(
                "{message} Check this machine's clock (`timedatectl`); if it is right, the server's is not (`moho doctor` \
                 there)."
            ),
            // These come with their next step, or with the one field that is wrong.
            Self::AccessDenied(message)
            | Self::Validation(message)
            | Self::Invalid { message, .. }
            | Self::Service { message, .. }
            | Self::ServiceReason { message, .. } => message.clone(),
            Self::NoSuchPath => format!("Invalid URL. This path is not served here. {}", paths(reader)),
            Self::MethodNotAllowed(methods) => {
                format!("This path does not take this method, only {methods}.")
            }
            Self::UnknownOperation { operation, version } => operations(operation, version),
            Self::UnknownService(service) => unserved(service),
            Self::ModelNotFound(model) => {
                let named = model
                    .as_ref()
                    .map_or_else(String::new, |model| format!(" '{model}'"));
                let list = models(reader);
                format!("The model{named} does not exist or you do not have access to it. {list}")
            }
            Self::ResponseNotFound(id) => match id {
                Some(id) => format!("Response with id '{id}' not found. {GONE}."),
                None => format!("Response not found. {GONE}."),
            },
            Self::PreviousResponseNotFound(id) => match id {
                Some(id) => format!("Previous response with id '{id}' not found. {GONE}: {SEND_ALL}"),
                None => format!("Previous response not found. {GONE}: {SEND_ALL}"),
            },
            Self::ContextLengthExceeded { limit, prompt_tokens } => too_long(*limit, *prompt_tokens),
            Self::PayloadTooLarge { limit } => {
                format!("The request body is larger than {limit} bytes. Send less in one request.")
            }
            Self::RequestTimeout => LATE.to_owned(),
            Self::Throttled { retry_after } => {
                format!("Rate exceeded. Try again in {retry_after} s (`retry-after`).")
            }
            Self::Quota(quota) => match reader {
                Reader::OpenAi => quota.openai_message(),
                Reader::Aws => quota.aws_message(),
            },
            Self::Overloaded { retry_after } => format!(
                "The engine is currently overloaded, please try again later: in {retry_after} s (`retry-after`)."
            ),
            Self::Unavailable => UNAVAILABLE.to_owned(),
            Self::Restored => RESTORED.to_owned(),
            Self::Internal => INTERNAL.to_owned(),
        }
    }
}

const SERVED: &str = "Of AWS's services bedrock, bedrock-mantle, cloudtrail, ec2, iam, kms, logs, organizations, s3 and sts are: docs/api.md lists their \
    operations.";
const UNKNOWN: &str = "The security token included in the request is invalid.";
const BAD_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
    Secret Access Key and signing method. Consult the service documentation for details. Access key, secret key and session \
    token have to be of one set, and no proxy may change the method, path, query, body or signed headers.";
const GONE: &str = "It was deleted, was created with `store: false`, or is not yours";
const SEND_ALL: &str = "send the whole conversation as `input` instead.";
const LATE: &str = "The request did not arrive in time. Send it again, on a new connection.";
const UNAVAILABLE: &str = "The service is unavailable. Please try again later. If it lasts, tell the operator this reply's \
    request id: the server's log and `moho doctor` there say what is missing.";
const RESTORED: &str = "This installation was restored from a backup, which may be an earlier state than it was in. Nothing is \
    served until a principal of the management account that may `moho:AcceptRestore` accepts that (GET /v1/restore tells what \
    was restored, POST /v1/restore/accept accepts it).";
const INTERNAL: &str = "An internal error occurred. Tell the operator this reply's request id: the server's log says what failed.";

fn missing(reader: Reader) -> &'static str {
    match reader {
        Reader::OpenAi => {
            "You didn't provide credentials. Send a bearer key in an Authorization header (Authorization: Bearer \
             bedrock-api-key-…), or sign the request with SigV4. `moho login` gives both; on the server's machine, before the \
             first identity provider is set, `moho credentials` does."
        }
        Reader::Aws => {
            "Request is missing Authentication Token. Sign it with temporary credentials and their session token (SigV4); \
             `moho login` gives some; on the server's machine, before the first identity provider is set, `moho credentials` \
             does."
        }
    }
}

fn well_formed(reader: Reader) -> &'static str {
    match reader {
        Reader::OpenAi => {
            "Send the bearer key whole, as it was printed (Authorization: Bearer bedrock-api-key-…), or let an AWS SDK sign \
             the request."
        }
        Reader::Aws => "Let an AWS SDK or the AWS CLI sign the request.",
    }
}

fn known(reader: Reader) -> &'static str {
    match reader {
        Reader::OpenAi => {
            "Only temporary credentials issued here are known: no OpenAI key, none of AWS, none of another server or an \
             older data directory. Get new ones with `moho login`, whose OPENAI_API_KEY is the bearer key to send; on the \
             server's machine, before the first identity provider is set, with `moho credentials`."
        }
        Reader::Aws => {
            "Only temporary credentials issued here are known, each with its own session token: none of AWS, none of \
             another server or an older data directory. Get new ones: `moho login`, or AssumeRole; on the server's machine, \
             before the first identity provider is set, `moho credentials`."
        }
    }
}

fn expired(ended: Timestamp) -> String {
    format!(
        "The security token included in the request is expired: it ended at {ended}. Get new credentials: `moho login`, or \
         AssumeRole while another session lives; on the server's machine, before the first identity provider is set, `moho \
         credentials`."
    )
}

fn unserved(service: &str) -> String {
    format!("The service '{service}', for which the request is signed, is not served here. {SERVED}")
}

fn wrong_region(asked: Option<&Region>, served: &Region) -> String {
    let not = asked.map_or_else(String::new, |asked| format!(", not '{asked}'"));
    format!(
        "Credential should be scoped to a valid region{not}. This server's region is '{served}': set AWS_REGION={served} (or \
         `region` in the AWS profile), and make bearer keys for that region."
    )
}

fn paths(reader: Reader) -> &'static str {
    match reader {
        Reader::OpenAi => {
            "OpenAI's APIs (responses, chat/completions, models) are under /v1 and /openai/v1: set the client's base_url to \
             https://HOST:PORT/v1."
        }
        Reader::Aws => {
            "Set the client's endpoint_url (AWS_ENDPOINT_URL) to https://HOST:PORT, without a path; not every API of AWS is \
             served."
        }
    }
}

fn operations(operation: &str, version: &str) -> String {
    if operation.is_empty() {
        return "The request must contain the parameter Action. Send a form with Action and Version, as the AWS CLI does."
            .to_owned();
    }
    format!(
        "Could not find operation {operation} for version {version}. Not every operation of AWS is served here: docs/api.md \
         lists those that are."
    )
}

fn models(reader: Reader) -> &'static str {
    match reader {
        Reader::OpenAi => "GET /v1/models lists those that are served.",
        Reader::Aws => "`aws bedrock list-foundation-models` lists those that are served.",
    }
}

fn too_long(limit: u64, prompt_tokens: Option<u64>) -> String {
    let counted = prompt_tokens.map_or_else(|| "far more".to_owned(), |tokens| format!("{tokens} tokens"));
    format!(
        "This model's maximum context length is {limit} tokens. However, your messages resulted in {counted}. Please reduce \
         the length of the messages."
    )
}
