//! Groups and streams in CloudWatch Logs' own shapes and words.

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_store::logs::{GroupFacts, GroupSums, StreamFacts, group_arn, stream_arn};
use moho_terms::{Arn, Timestamp};
use moho_wire::Failure;
use moho_wire::aws::ops::logs::events::LogStream;
use moho_wire::aws::ops::logs::groups::LogGroup;

/// A moment as this API tells it.
pub(crate) fn milliseconds(time: Timestamp) -> i64 {
    i64::try_from(time.unix_micros() / 1000).unwrap_or(i64::MAX)
}

/// A count as this API tells it.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An error of the service's.
pub(crate) fn service(code: &'static str, message: &str) -> Failure {
    Failure::Service {
        code,
        message: message.to_owned(),
        status: 400,
    }
}

/// That something in a request is not as it has to be.
pub(crate) fn invalid(message: &str) -> Failure {
    service("InvalidParameterException", message)
}

/// That there is no such group.
pub(crate) fn no_group() -> Failure {
    service(
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
}

/// That there is no such stream.
pub(crate) fn no_stream() -> Failure {
    service(
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
}

/// Whatever is wrong with a request, or with a key, has this API's one code.
pub(crate) fn in_own_words(failure: Failure) -> Failure {
    if let Failure::Validation(message) = failure {
        return invalid(&message);
    }
    failure
}

/// The one of two ways to name a group that a request takes.
pub(crate) fn one_of<'a>(
    name: Option<&'a String>,
    identifier: Option<&'a String>,
) -> Result<&'a str, Failure> {
    match (name, identifier) {
        (Some(name), None) if name.starts_with("arn:") => {
            Err(invalid("The specified log group name is not valid."))
        }
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (Some(_), Some(_)) => Err(invalid(
            "The log group name and its identifier were both given. Give one of them.",
        )),
        (None, None) => Err(invalid(
            "Either the log group name or its identifier is required.",
        )),
    }
}

pub(super) fn group<A: Action>(
    permit: &Permit<A>,
    region: &str,
    (facts, sums): (GroupFacts, GroupSums),
) -> LogGroup {
    let arn = group_arn(region, permit.session().account().as_str(), &facts.name);
    let arn = arn.ok().map(|arn| arn.to_string());
    let key = facts
        .key
        .and_then(|(account, key)| Arn::of("kms", region, account.as_str(), &format!("key/{key}")).ok());
    LogGroup {
        log_group_name: Some(facts.name),
        creation_time: Some(milliseconds(facts.created)),
        retention_in_days: facts.retention_days.map(i64::from),
        metric_filter_count: Some(number(sums.metric_filters)),
        arn: arn.as_ref().map(|arn| format!("{arn}:*")),
        stored_bytes: Some(number(sums.stored_bytes)),
        kms_key_id: key.map(|key| key.to_string()),
        log_group_class: Some(facts.class),
        log_group_arn: arn,
        deletion_protection_enabled: Some(facts.protected),
    }
}

pub(super) fn stream(group: &Arn, name: &str, facts: StreamFacts) -> LogStream {
    let arn = stream_arn(group.region(), group.account(), (name, &facts.name));
    LogStream {
        creation_time: Some(milliseconds(facts.created)),
        first_event_timestamp: facts.first_event,
        last_event_timestamp: facts.last_event,
        last_ingestion_time: facts.last_ingestion,
        // As AWS does, whose clients may still send one, which nobody looks at.
        upload_sequence_token: Some(format!("{:056}", facts.id)),
        arn: arn.ok().map(|arn| arn.to_string()),
        // As AWS has it since 2019.
        stored_bytes: Some(0),
        log_stream_name: Some(facts.name),
    }
}
