//! Why a request was allowed or denied, for people.

use super::shown::clean;
use super::told::{Entry, Record};

/// All that the journal has of one request, decision by decision.
pub(super) fn explained(records: &[Record]) -> String {
    let mut lines = Vec::new();
    if let Some(first) = records.first() {
        let entry = &first.said.entry;
        lines.push(format!("request {}", clean(&entry.request_id)));
        lines.push(format!(
            "  at    {}, from {}",
            clean(&entry.time),
            clean(entry.whence())
        ));
        lines.push(format!(
            "  by    {}",
            if entry.who().is_empty() {
                "nobody who is known".to_owned()
            } else {
                clean(entry.who())
            }
        ));
    }
    for record in records {
        let entry = &record.said.entry;
        let proven = record.proven().map(|proven| format!(", {proven}"));
        let proven = proven.unwrap_or_default();
        lines.push(String::new());
        if entry.kind.is_some() {
            lines.push(format!(
                "record {}{proven}: {} answered {}",
                record.said.sequence,
                clean(&entry.what()),
                clean(&entry.why())
            ));
            lines.extend(details(record));
        } else {
            lines.push(format!(
                "record {}{proven}: {} {} on {}",
                record.said.sequence,
                decided(entry),
                clean(&entry.what()),
                clean(&entry.on())
            ));
            lines.extend(reasons(entry));
        }
    }
    lines.join("\n")
}

fn decided(entry: &Entry) -> &'static str {
    match entry.outcome() {
        "allow" => "ALLOWED",
        "deny" => "DENIED",
        _ => "NOT AUTHENTICATED",
    }
}

fn reasons(entry: &Entry) -> Vec<String> {
    let reason = entry.reason.as_deref().unwrap_or_default();
    let mut lines = vec![format!("  why        {} ({})", meaning(reason), clean(reason))];
    if let Some(policy) = &entry.policy {
        let statement = entry.statement.as_deref().unwrap_or("the only one");
        lines.push(format!("  policy     {}", clean(policy)));
        lines.push(format!("  statement  {}", clean(statement)));
    }
    if let Some(service) = &entry.via_service {
        lines.push(format!("  used by    {} for the caller", clean(service)));
    }
    lines
}

/// What a reason of the journal's means.
fn meaning(reason: &str) -> &'static str {
    let (kind, layer) = reason.split_once('/').unwrap_or((reason, ""));
    match (kind, layer) {
        ("allowed", _) => "a statement allows it, and none denies it",
        ("explicit-deny", "identity") => "a statement of the caller's own policies denies it",
        ("explicit-deny", "resource") => "a statement of the resource's policy denies it",
        ("explicit-deny", "service-control") => "a policy of the organisation denies it",
        ("explicit-deny", "endpoint") => "the private endpoint's policy denies it",
        ("explicit-deny", "boundary") => "the caller's permissions boundary denies it",
        ("explicit-deny", "session") => "the policy that the session was issued with denies it",
        ("explicit-deny", _) => "a statement denies it",
        ("not-allowed", "identity") => "no policy of the caller's allows it",
        ("not-allowed", "resource") => "the resource's policy does not allow the caller",
        ("not-allowed", "service-control") => "the organisation's policies do not allow it",
        ("not-allowed", "endpoint") => "the private endpoint's policy does not allow it",
        ("not-allowed", "boundary") => "the caller's permissions boundary does not allow it",
        ("not-allowed", "session") => "the policy that the session was issued with does not allow it",
        ("not-allowed", _) => "nothing allows it",
        ("model-access", _) => "the account has not agreed to the model's terms",
        ("principal-gone", _) => "the role or user of the session is there no more",
        _ => "as the word says",
    }
}

fn details(record: &Record) -> Vec<String> {
    let Some(told) = &record.cloudtrail else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            lines.push(format!("  {name:10} {}", clean(value)));
        }
    };
    line("program", told.user_agent.as_deref());
    line(
        "asked",
        told.request_parameters
            .as_ref()
            .map(|asked| asked.get())
            .filter(|asked| *asked != "null"),
    );
    line("error", told.error_message.as_deref());
    let denial = told
        .additional_event_data
        .as_ref()
        .and_then(|more| more.denial.as_ref());
    for statement in denial.iter().flat_map(|denial| &denial.matched_statements.items) {
        line("statement", Some(statement.get()));
    }
    lines
}
