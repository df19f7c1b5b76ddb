//! Every refusal in every protocol, as written down in `words.txt`: what programs match on, and what people read.

use std::fmt::Write;

use super::super::*;

const STS: ErrorShape = ErrorShape::Query {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
};

/// One of each, with values that are as long as they get in life.
fn every() -> Vec<(&'static str, Failure)> {
    let mut all = of_who();
    all.extend(of_what());
    all
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Refusals of who the caller is, or may be.
fn of_who() -> Vec<(&'static str, Failure)> {
    let region = |name: &str| name.parse().unwrap();
    vec![
        ("missing", Failure::MissingAuthentication),
        (
            "malformed",
            Failure::MalformedAuthentication(text("The bearer key is malformed.")),
        ),
        ("unknown", Failure::UnknownCredentials),
        ("signature", Failure::BadSignature),
        (
            "expired",
            Failure::ExpiredCredentials {
                ended: Timestamp::from_unix_seconds(1_790_000_000),
            },
        ),
        (
            "scope",
            Failure::WrongScope(text("Credential should be scoped to correct service: 'bedrock'.")),
        ),
        (
            "region",
            Failure::WrongRegion {
                asked: Some(region("eu-west-1")),
                served: region("us-east-1"),
            },
        ),
        (
            "no-region",
            Failure::WrongRegion {
                asked: None,
                served: region("us-east-1"),
            },
        ),
        (
            "skewed",
            Failure::Skewed(text(
                "Signature expired: 20261122T020000Z is now earlier than 20261122T020001Z (20261122T020501Z - 5 min.)",
            )),
        ),
        (
            "denied",
            Failure::AccessDenied(text("User: … is not authorized to perform: ….")),
        ),
    ]
}

fn quota(of: QuotaOf, per: QuotaPer, retry_millis: Option<u64>) -> Failure {
    Failure::Quota(Box::new(QuotaExceeded {
        model: "llama".parse().unwrap(),
        of,
        per,
        limit: 100,
        used: 90,
        requested: 120,
        retry_after: retry_millis.map(std::time::Duration::from_millis),
    }))
}

/// Refusals of what was asked for, or of anything at the moment.
fn of_what() -> Vec<(&'static str, Failure)> {
    vec![
        ("path", Failure::NoSuchPath),
        ("method", Failure::MethodNotAllowed("GET, DELETE")),
        (
            "operation",
            Failure::UnknownOperation {
                operation: text("GetSessionToken"),
                version: text("2011-06-15"),
            },
        ),
        (
            "no-operation",
            Failure::UnknownOperation {
                operation: String::new(),
                version: String::new(),
            },
        ),
        ("service", Failure::UnknownService(text("sqs"))),
        ("model", Failure::ModelNotFound("llama".parse().ok())),
        ("no-model", Failure::ModelNotFound(None)),
        ("response", Failure::ResponseNotFound(None)),
        ("previous", Failure::PreviousResponseNotFound(None)),
        (
            "context",
            Failure::ContextLengthExceeded {
                limit: 8192,
                prompt_tokens: Some(9000),
            },
        ),
        (
            "far-context",
            Failure::ContextLengthExceeded {
                limit: 8192,
                prompt_tokens: None,
            },
        ),
        ("large", Failure::PayloadTooLarge { limit: 8_388_608 }),
        ("late", Failure::RequestTimeout),
        ("throttled", Failure::Throttled { retry_after: 7 }),
        ("quota", quota(QuotaOf::Requests, QuotaPer::Minute, Some(12_500))),
        (
            "day-quota",
            quota(QuotaOf::Tokens, QuotaPer::Day, Some(3_600_000)),
        ),
        (
            "small-quota",
            quota(QuotaOf::OutputTokens, QuotaPer::Minute, None),
        ),
        (
            "sequence-quota",
            quota(QuotaOf::Sequences, QuotaPer::Now, Some(1000)),
        ),
        ("overloaded", Failure::Overloaded { retry_after: 1 }),
        ("unavailable", Failure::Unavailable),
        ("restored", Failure::Restored),
        ("internal", Failure::Internal),
    ]
}

/// The table as it is: per failure its codes, and what each kind of reader is told.
fn table() -> String {
    let mut table = String::from(
        "# failure | OpenAI | query | JSON | REST-JSON, then the words for users of OpenAI's SDKs and of AWS's\n",
    );
    for (name, failure) in every() {
        let told = |shape| format!("{} {}", failure.status(shape), failure.code(shape));
        let codes = [ErrorShape::OpenAi, STS, ErrorShape::AwsJson, ErrorShape::RestJson].map(told);
        writeln!(table, "{name} | {}", codes.join(" | ")).unwrap();
        writeln!(table, "  openai: {}", failure.message()).unwrap();
        writeln!(table, "  aws:    {}", failure.aws_message()).unwrap();
    }
    table
}

#[test]
fn every_refusal_is_worded_as_written_down() {
    let (is, should) = (table(), include_str!("words.txt"));
    for (is, should) in is.lines().zip(should.lines()) {
        assert_eq!(is, should);
    }
    assert_eq!(is, should, "one of them is longer");
}

/// What tools look for at the beginning of AWS's and OpenAI's own sentences.
#[test]
fn sentences_of_the_real_apis_stay_at_the_beginning() {
    let starts = [
        ("missing", "Request is missing Authentication Token"),
        ("unknown", "The security token included in the request is invalid"),
        (
            "signature",
            "The request signature we calculated does not match the signature you provided.",
        ),
        ("expired", "The security token included in the request is expired"),
        ("region", "Credential should be scoped to a valid region"),
        (
            "skewed",
            "Signature expired: 20261122T020000Z is now earlier than ",
        ),
        ("throttled", "Rate exceeded"),
        ("quota", "Too many requests, please wait before trying again."),
        (
            "day-quota",
            "Too many tokens per day, please wait before trying again.",
        ),
        (
            "small-quota",
            "Your request exceeds the service quota for your account.",
        ),
        ("no-operation", "The request must contain the parameter Action"),
        ("context", "This model's maximum context length is 8192 tokens."),
        (
            "model",
            "The model 'llama' does not exist or you do not have access to it.",
        ),
    ];
    let all = every();
    for (name, start) in starts {
        let (_, failure) = all.iter().find(|(known, _)| *known == name).unwrap();
        let said = failure.aws_message();
        assert!(said.starts_with(start), "{said}");
    }
}

/// A next step is more than the sentence: nothing ends where the real API's sentence does.
#[test]
fn every_refusal_has_a_next_step() {
    for (name, failure) in every() {
        for said in [failure.message(), failure.aws_message()] {
            assert!(said.ends_with('.') || said.ends_with(')'), "{name}: {said}");
            // These carry theirs in from where they were made, or are one themselves.
            if !["denied", "method"].contains(&name) {
                assert!(said.matches(['.', ':']).count() >= 2, "{name}: {said}");
            }
        }
    }
}
