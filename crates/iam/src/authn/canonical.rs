//! SigV4's canonical request: the one way of writing a request that both sides sign.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};

use super::{AuthnError, HttpHead, SigningName};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same, within a path.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// The path as signed. S3 takes it as sent; everybody else removes dot segments and double slashes and encodes what was
/// sent once more.
pub(super) fn uri(raw_path: &str, service: SigningName) -> String {
    if raw_path.is_empty() {
        "/".to_owned()
    } else if service == SigningName::S3 {
        raw_path.to_owned()
    } else {
        encoded(&normalised(raw_path))
    }
}

/// The path percent-encoded (again), slashes kept.
pub(super) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, RESERVED_IN_PATH).to_string()
}

/// The path without empty segments, `.` and `..`.
pub(super) fn normalised(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let last = if path.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{last}", kept.join("/"))
}

/// A query parameter, decoded.
pub(super) type Parameter<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Name and value of every parameter, decoded; a `+` is a plus.
pub(super) fn query_parameters(raw_query: &str) -> impl Iterator<Item = Parameter<'_>> {
    raw_query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (percent_decode_str(name).into(), percent_decode_str(value).into())
    })
}

/// The query as signed for a service. S3 acts on a `+` as on a space, so a space is what has to be signed; for everybody
/// else it is a plus.
pub(super) fn query_for(raw_query: &str, service: SigningName) -> String {
    if service == SigningName::S3 && raw_query.contains('+') {
        query(&raw_query.replace('+', "%20"))
    } else {
        query(raw_query)
    }
}

/// The query as signed: decoded, encoded again, sorted by name, then value; without the signature itself.
pub(super) fn query(raw_query: &str) -> String {
    query_of(&query_parameters(raw_query).collect::<Vec<_>>())
}

/// The same of parameters that are decoded already.
pub(super) fn query_of(parameters: &[Parameter<'_>]) -> String {
    let mut encoded: Vec<(Cow<'_, str>, Cow<'_, str>)> = parameters
        .iter()
        .filter(|(name, _)| name.as_ref() != b"X-Amz-Signature")
        .map(|(name, value)| {
            (
                percent_encode(name, RESERVED).into(),
                percent_encode(value, RESERVED).into(),
            )
        })
        .collect();
    encoded.sort();
    let mut query = String::with_capacity(256);
    for (name, value) in &encoded {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(value);
    }
    query
}

/// The signed headers as signed, one per line. They are named in order, each once; all must be there.
pub(super) fn headers(head: &HttpHead<'_>, signed: &str) -> Result<String, AuthnError> {
    let mut lines = String::new();
    for name in signed.split(';') {
        lines.push_str(name);
        lines.push(':');
        if name == "host" {
            push_collapsed(&mut lines, head.authority);
        } else {
            let mut any = false;
            for (_, value) in head.headers.iter().filter(|(header, _)| *header == name) {
                if any {
                    lines.push(',');
                }
                push_collapsed(&mut lines, value);
                any = true;
            }
            if !any {
                return Err(AuthnError::Malformed("A signed header is not in the request."));
            }
        }
        lines.push('\n');
    }
    Ok(lines)
}

/// Appends a header's value, trimmed, inner runs of white space as one space.
fn push_collapsed(line: &mut String, value: &str) {
    for (index, word) in value
        .split([' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
}

/// The parts of a canonical request, each already canonical.
pub(super) struct CanonicalRequest<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) payload_hash: &'a str,
}

impl CanonicalRequest<'_> {
    /// The text whose digest is signed.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(512);
        let lines = [
            self.method,
            self.uri,
            self.query,
            self.headers,
            self.signed_headers,
        ];
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(self.payload_hash);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_encoded_once_more_except_for_s3() {
        assert_eq!(
            uri("/model/arn%3Aaws/converse", SigningName::Bedrock),
            "/model/arn%253Aaws/converse"
        );
        assert_eq!(uri("/a%20b/../c", SigningName::S3), "/a%20b/../c");
        assert_eq!(uri("//a/./b/../c/", SigningName::Sts), "/a/c/");
        assert_eq!(uri("/../..", SigningName::Sts), "/");
        assert_eq!(uri("", SigningName::S3), "/");
    }

    #[test]
    fn a_plus_is_signed_as_what_it_is_acted_on_as() {
        for (service, plus) in [(SigningName::S3, "%20"), (SigningName::Sts, "%2B")] {
            assert_eq!(query_for("a=x+y&b=%2B", service), format!("a=x{plus}y&b=%2B"));
        }
        assert_eq!(query_for("c+d=+", SigningName::S3), "c%20d=%20");
    }

    #[test]
    fn queries_are_sorted_and_encoded() {
        assert_eq!(
            query("b=2&a=%7E&a=1&c&d=x+y%20z&=e"),
            "=e&a=1&a=~&b=2&c=&d=x%2By%20z"
        );
        assert_eq!(query("X-Amz-Signature=x&a=%zz"), "a=%25zz");
    }

    proptest! {
        #[test]
        fn what_was_signed_is_what_was_sent(
            pairs in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..6),
        ) {
            let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = pairs.into_iter().filter(|(name, _)| name != b"X-Amz-Signature").collect();
            let parameters: Vec<Parameter<'_>> = pairs.iter().map(|(n, v)| (n.as_slice().into(), v.as_slice().into())).collect();
            let signed = query_of(&parameters);
            let mut read: Vec<(Vec<u8>, Vec<u8>)> =
                query_parameters(&signed).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
            pairs.sort();
            read.sort();
            prop_assert_eq!(&read, &pairs);
            prop_assert_eq!(query(&signed), signed);
        }

        #[test]
        fn any_path_and_query_never_panic(text in "\\PC{0,60}") {
            prop_assert!(uri(&text, SigningName::Sts).starts_with('/'));
            let once = query(&text);
            prop_assert!(once.is_ascii());
            if !text.contains("X-Amz-Signature") && !text.contains('%') {
                prop_assert_eq!(&query(&once), &once);
            }
        }
    }
}
