//! Names: what is accepted prints back, and a name is the sum of its parts.

use std::fmt::Display;
use std::str::FromStr;

use moho_terms::{
    AccessKeyId, AccountId, Arn, KeyId, ModelId, Region, RequestId, ResponseId, RoleName, SessionName,
    Timestamp,
};

/// The text as every kind of name.
pub fn identity(data: &[u8]) {
    let text = super::text(data);
    if let Ok(arn) = text.parse::<Arn>() {
        let (service, region, account, resource) =
            (arn.service(), arn.region(), arn.account(), arn.resource());
        let whole = format!("{service}:{region}:{account}:{resource}");
        assert!(arn.as_str().ends_with(&whole), "an ARN is the sum of its parts");
        assert!(!resource.is_empty() && arn.as_str().is_ascii());
    }
    prints_back::<AccessKeyId>(&text);
    prints_back::<AccountId>(&text);
    prints_back::<Arn>(&text);
    prints_back::<KeyId>(&text);
    prints_back::<ModelId>(&text);
    prints_back::<Region>(&text);
    prints_back::<RequestId>(&text);
    prints_back::<ResponseId>(&text);
    prints_back::<RoleName>(&text);
    prints_back::<SessionName>(&text);
    if let Ok(time) = Timestamp::parse_iso8601_basic(&text) {
        assert_eq!(time.iso8601_basic(), text);
        assert_eq!(time.basic_date().as_str(), text.get(..8).unwrap_or_default());
    }
}

fn prints_back<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!(name.to_string(), text, "what is accepted prints back");
    }
}
