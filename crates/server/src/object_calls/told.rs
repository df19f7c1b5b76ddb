//! What CloudTrail's record of a call tells of the request: the bucket, the key and what stands in its query, as S3's records do.

use std::collections::BTreeMap;

use moho_audit::cloudtrail::record::JsonObject;
use moho_iam::authz::Event;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::{Observed, text};
use crate::api_calls::Told;

/// Values of a query are told up to so many bytes.
const LONGEST: usize = 1024;

/// How many bytes went either way, and how the signature came.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Additional {
    bytes_transferred_in: Option<u64>,
    bytes_transferred_out: Option<u64>,
    #[serde(rename = "SignatureVersion", skip_serializing_if = "Option::is_none")]
    signature_version: Option<&'static str>,
    #[serde(rename = "AuthenticationMethod", skip_serializing_if = "Option::is_none")]
    authentication_method: Option<&'static str>,
}

impl Observed {
    pub(super) fn told(&self, event: &Event) -> Told {
        let subject = &event.subject;
        let mut asked: BTreeMap<String, String> = of_query(&self.head.raw_query).collect();
        asked.insert("Host".to_owned(), self.head.authority.clone());
        if let Some(bucket) = &subject.bucket {
            asked.insert("bucketName".to_owned(), bucket.to_string());
        }
        if let Some(key) = &subject.key {
            asked.insert("key".to_owned(), key.to_string());
        }
        let signed = event.origin.as_ref().and_then(|origin| origin.authentication);
        let answer = event.answer.as_ref();
        let additional = Additional {
            bytes_transferred_in: answer.map(|answer| answer.bytes_in),
            bytes_transferred_out: answer.map(|answer| answer.bytes_out),
            signature_version: signed.map(|_signed| "SigV4"),
            authentication_method: signed,
        };
        Told {
            user_agent: text(&self.head.headers, "user-agent"),
            host: Some(self.head.authority.clone()),
            parameters: JsonObject::of(&asked).ok(),
            additional: JsonObject::of(&additional).ok(),
            ..Told::default()
        }
    }
}

/// The names and values of a query, but for those that prove who asks.
fn of_query(raw_query: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = raw_query.split('&').filter(|pair| !pair.is_empty());
    let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    pairs.filter_map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        let proof = name.to_ascii_lowercase().starts_with("x-amz-");
        (!proof && name.len() <= LONGEST && value.len() <= LONGEST).then_some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_who_asks_is_not_told() {
        let query = "versionId=a%20b&X-Amz-Signature=00&x-amz-security-token=t&uploads&bad=%ff";
        let told: Vec<_> = of_query(query).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(told, [pair("versionId", "a b"), pair("uploads", "")]);
    }
}
