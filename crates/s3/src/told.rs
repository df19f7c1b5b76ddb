//! Things as replies tell them, and as conditions ask about them.

use std::time::{Duration, SystemTime};

use moho_iam::authz::Context;
use moho_store::objects::lifecycle::WhenExpired;
use moho_terms::{AccountId, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{ETag, Owner, Tag};

/// A moment.
pub(crate) fn timestamp(at: Timestamp) -> s3s::dto::Timestamp {
    let since = Duration::from_micros(at.unix_micros());
    s3s::dto::Timestamp::from(
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .unwrap_or(SystemTime::UNIX_EPOCH),
    )
}

/// The same as HTTP dates and lists tell it: by whole seconds.
pub(crate) fn seconds(at: Timestamp) -> s3s::dto::Timestamp {
    timestamp(Timestamp::from_unix_seconds(at.unix_seconds()))
}

/// A moment that a request tells; `None` before 1970.
pub(crate) fn moment(at: &s3s::dto::Timestamp) -> Option<Timestamp> {
    let mut text = Vec::new();
    at.format(s3s::dto::TimestampFormat::EpochSeconds, &mut text)
        .ok()?;
    let text = String::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().ok()?;
    Some(Timestamp::from_unix_micros(
        whole.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)?,
    ))
}

/// An entity tag, without its quotes here and with them on the wire.
pub(crate) fn etag(tag: &str) -> ETag {
    ETag::Strong(tag.to_owned())
}

/// When an object goes by itself, and by which rule, whose name is encoded as in URLs.
pub(crate) fn expiration(end: &WhenExpired) -> String {
    let rule = utf8_percent_encode(end.rule.as_deref().unwrap_or_default(), NON_ALPHANUMERIC);
    format!("expiry-date=\"{}\", rule-id=\"{rule}\"", end.at.http_date())
}

/// An account as an owner: by its canonical user's id, of which an account here has none but its own number.
pub(crate) fn owner(account: AccountId) -> Owner {
    Owner {
        display_name: None,
        id: Some(canonical_id(account)),
    }
}

/// 64 hexadecimal digits, as canonical user ids are: the account's number, and zeros before it.
pub(crate) fn canonical_id(account: AccountId) -> String {
    format!("{:0>64}", account.as_str())
}

/// Tags.
pub(crate) fn tags(tags: Vec<(String, String)>) -> Vec<Tag> {
    let tag = |(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    };
    tags.into_iter().map(tag).collect()
}

/// Tags as they came.
pub(crate) fn tags_read(tags: &[Tag]) -> Vec<(String, String)> {
    let pair = |tag: &Tag| {
        (
            tag.key.clone().unwrap_or_default(),
            tag.value.clone().unwrap_or_default(),
        )
    };
    tags.iter().map(pair).collect()
}

/// Tags that a request brings, of a bucket.
pub(crate) fn request_tags(mut context: Context, tags: &[(String, String)]) -> Context {
    for (key, value) in tags {
        context = context.with(&format!("aws:RequestTag/{key}"), value.as_str());
    }
    if !tags.is_empty() {
        context.set("aws:TagKeys", tags.iter().map(|(key, _)| key.clone()).collect());
    }
    context
}

/// Tags that a request brings, of an object.
pub(crate) fn request_object_tags(mut context: Context, tags: &[(String, String)]) -> Context {
    for (key, value) in tags {
        context = context.with(&format!("s3:RequestObjectTag/{key}"), value.as_str());
    }
    if !tags.is_empty() {
        let keys: Vec<String> = tags.iter().map(|(key, _)| key.clone()).collect();
        context.set("s3:RequestObjectTagKeys", keys.clone());
        context.set("aws:TagKeys", keys);
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_they_were() {
        for micros in [0, 1, 999_999, 1_795_312_800_123_456] {
            let at = Timestamp::from_unix_micros(micros);
            assert_eq!(moment(&timestamp(at)), Some(at), "{micros}");
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(2);
        assert_eq!(moment(&before.into()), None);
    }

    #[test]
    fn an_account_has_a_canonical_id() {
        let id = canonical_id("123456789012".parse().unwrap());
        assert_eq!(id.len(), 64);
        assert!(id.ends_with("000123456789012"));
    }
}
