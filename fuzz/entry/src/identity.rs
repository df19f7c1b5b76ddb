//! Names: what is accepted prints back, and a name is the sum of its parts.

use std::fmt::Display;
use std::str::FromStr;

use moho_iam::SessionTags;
use moho_terms::{
    AccessKeyId, AccountId, Arn, BucketName, ConversationId, ItemId, KeyId, ModelId, ObjectKey, PromptId,
    Region, RequestId, ResponseId, RoleName, SessionName, SourceIdentity, Timestamp, UploadId, UserName,
    VersionId,
};

/// The text as every kind of name.
pub fn identity(data: &[u8]) {
    let text = super::text(data);
    if let Ok(arn) = text.parse::<Arn>() {
        let (service, region, account, resource) =
            (arn.service(), arn.region(), arn.account(), arn.resource());
        let whole = format!("{service}:{region}:{account}:{resource}");
        assert!(arn.as_str().ends_with(&whole), "an ARN is the sum of its parts");
        assert!(!resource.is_empty());
        assert!(
            arn.as_str().is_ascii() || service == "s3",
            "only keys of objects are any text"
        );
    }
    prints_back::<AccessKeyId>(&text);
    prints_back::<AccountId>(&text);
    prints_back::<Arn>(&text);
    prints_back::<BucketName>(&text);
    prints_back::<ConversationId>(&text);
    prints_back::<ItemId>(&text);
    prints_back::<KeyId>(&text);
    prints_back::<ModelId>(&text);
    prints_back::<ObjectKey>(&text);
    prints_back::<PromptId>(&text);
    prints_back::<Region>(&text);
    prints_back::<RequestId>(&text);
    prints_back::<ResponseId>(&text);
    prints_back::<RoleName>(&text);
    prints_back::<SessionName>(&text);
    prints_back::<SourceIdentity>(&text);
    prints_back::<UploadId>(&text);
    prints_back::<UserName>(&text);
    prints_back::<VersionId>(&text);
    session_tags(&text);
    if let Ok(time) = Timestamp::parse_iso8601_basic(&text) {
        assert_eq!(time.iso8601_basic(), text);
        assert_eq!(time.basic_date().as_str(), text.get(..8).unwrap_or_default());
    }
}

/// The lines as tags (`key=value`) and as keys of those to keep (`*key`): what is taken is taken again.
fn session_tags(text: &str) {
    let kept = text.lines().filter_map(|line| line.strip_prefix('*'));
    let tags = text.lines().filter_map(|line| line.split_once('='));
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    if let Ok(tags) = SessionTags::parse(tags.map(owned), kept.map(str::to_owned)) {
        assert!(tags.all().len() <= 50 && tags.transitive().len() <= tags.all().len());
        let again = SessionTags::parse(tags.all().clone(), tags.transitive().clone());
        assert_eq!(again.as_ref(), Ok(&tags), "tags print back");
        assert!(
            tags.transitive().is_empty() || tags.clone().following(&tags).is_err(),
            "a tag that is kept cannot be given again"
        );
    }
}

fn prints_back<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!(name.to_string(), text, "what is accepted prints back");
    }
}
