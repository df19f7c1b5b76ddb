//! What of a validated request, and of a reply, may be told in an audit trail.
//!
//! Names, ids, policies and settings are. What the model calls sensitive is said to be hidden, as AWS does; bytes, and what has no
//! shape, are left out, and so is every string of the services whose strings are prompts, but for the ids of what is asked for.

use moho_terms::ContentBytes;

use crate::aws::document::Document;
use crate::json::Writer;

/// The most bytes that CloudTrail tells of a request or of a reply.
const LONGEST: usize = 100 << 10;
/// What stands for what is not told, as AWS has it.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// Strings of requests whose strings are a tenant's words: those that name what is asked for.
const NAMING: [&str; 20] = [
    "arn",
    "customerEncryptionKeyArn",
    "destinationArn",
    "filterName",
    "guardrailIdentifier",
    "guardrailVersion",
    "kmsKeyId",
    "logGroupIdentifier",
    "logGroupName",
    "logGroupNamePrefix",
    "logStreamName",
    "logStreamNamePrefix",
    "modelId",
    "policyName",
    "promptIdentifier",
    "promptVersion",
    "resourceArn",
    "resourceIdentifier",
    "roleArn",
    "version",
];
/// What is as good as a credential, whether a model says so or not.
const CREDENTIALS: [&str; 8] = [
    "GrantToken",
    "GrantTokens",
    "Password",
    "SAMLAssertion",
    "SecretAccessKey",
    "ServicePassword",
    "TokenCode",
    "WebIdentityToken",
];

/// What of a document may be told, as a JSON object.
pub(crate) fn told(document: &Document) -> Option<ContentBytes> {
    let Document::Structure(members) = document else {
        return None;
    };
    let mut writer = Writer::new();
    structure(&mut writer, members);
    let size = writer.written().len();
    if size <= LONGEST {
        return Some(writer.finish());
    }
    // No trail would have it, so nobody keeps it until then.
    let mut note = Writer::new();
    note.object(|w| {
        w.fixed("omitted", "true");
        w.number("originalSize", u64::try_from(size).unwrap_or(u64::MAX));
        w.text("reason", "too large");
    });
    Some(note.finish())
}

fn structure(writer: &mut Writer, members: &[(String, Document)]) {
    writer.object(|w| {
        for (name, value) in members {
            member(w, name, value);
        }
    });
}

fn member(writer: &mut Writer, name: &str, value: &Document) {
    let shown = camel(name);
    if CREDENTIALS.contains(&name) {
        writer.text(&shown, HIDDEN);
    } else if let Document::Words(words) = value {
        if NAMING.contains(&shown.as_str()) {
            writer.text(&shown, words.expose());
        }
    } else if is_told(value) {
        writer.key(&shown);
        put(writer, value);
    }
}

/// Whether there is anything to tell of it.
fn is_told(value: &Document) -> bool {
    match value {
        Document::Words(_) | Document::Blob(_) | Document::Json(_) => false,
        // What holds nothing else than a tenant's words is left out as a whole.
        Document::List(items) => items.is_empty() || items.iter().any(is_told),
        Document::Map(entries) => entries.is_empty() || entries.iter().any(|(_, value)| is_told(value)),
        Document::Structure(members) => {
            members.is_empty()
                || members
                    .iter()
                    .any(|(name, value)| is_told(value) || NAMING.contains(&camel(name).as_str()))
        }
        Document::Text(_)
        | Document::Sensitive(_)
        | Document::Integer(_)
        | Document::Float(_)
        | Document::Boolean(_)
        | Document::Timestamp(_) => true,
    }
}

fn put(writer: &mut Writer, value: &Document) {
    match value {
        Document::Structure(members) => structure(writer, members),
        Document::List(items) => writer.array(|w| {
            for item in items.iter().filter(|item| is_told(item)) {
                put(w, item);
            }
        }),
        Document::Map(entries) => writer.object(|w| {
            for (name, value) in entries.iter().filter(|(_, value)| is_told(value)) {
                w.key(name.expose());
                put(w, value);
            }
        }),
        Document::Text(text) => writer.string(text),
        Document::Sensitive(_) => writer.string(HIDDEN),
        Document::Integer(number) => writer.raw(number.to_string().as_bytes()),
        Document::Float(number) if number.is_finite() => writer.raw(number.to_string().as_bytes()),
        Document::Boolean(true) => writer.raw(b"true"),
        Document::Boolean(false) => writer.raw(b"false"),
        Document::Timestamp(time) => writer.string(&time.to_string()),
        // These are told nowhere.
        Document::Float(_) | Document::Words(_) | Document::Blob(_) | Document::Json(_) => {
            writer.raw(b"null");
        }
    }
}

/// A name as CloudTrail writes it: its first letter small.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}
