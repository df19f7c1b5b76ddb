//! For which service a request is signed, as its head says.

use percent_encoding::percent_decode_str;

use super::{RequestHead, label};

/// The service in the credential scope of a SigV4 `Authorization` header.
#[must_use]
pub fn signing_name(authorization: &str) -> Option<&str> {
    let parameters = authorization.strip_prefix("AWS4-HMAC-SHA256")?;
    let credential = parameters
        .split(',')
        .find_map(|part| part.trim().strip_prefix("Credential="))?;
    scoped_to(credential)
}

/// The service in a credential scope, in the `Authorization` header or in the query of a presigned URL.
pub(super) fn signed_for(head: &RequestHead<'_>) -> Option<String> {
    match head.authorization {
        Some(authorization) => signing_name(authorization).map(str::to_owned),
        None => scoped_to(&parameter(head.raw_query, "X-Amz-Credential")?).map(str::to_owned),
    }
}

/// The first value of a name in a query, decoded.
pub(crate) fn parameter(raw_query: &str, wanted: &str) -> Option<String> {
    let pairs = raw_query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .filter(|(name, _)| percent_decode_str(name).eq(wanted.bytes()))
        .find_map(|(_, value)| label(value))
}

fn scoped_to(credential: &str) -> Option<&str> {
    let mut scope = credential.rsplit('/');
    (scope.next()? == "aws4_request").then(|| scope.next()).flatten()
}
