//! Documents of replies where S3 writes them otherwise than s3s does.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use s3s::Body;

use crate::query;

/// How the reply to a request is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelling {
    /// `GetObjectAttributes` tells entity tags without quotes, unlike everything else.
    bare_tags: bool,
}

impl Spelling {
    pub(crate) fn of(request: &Request<Body>) -> Self {
        Self {
            bare_tags: request.method() == Method::GET && query::asks_for_attributes(request.uri()),
        }
    }

    /// The reply as S3 writes it. What is no document, or comes in pieces, is not looked at.
    pub(crate) fn correct(self, response: Response<Body>) -> Response<Body> {
        let is_document =
            response.headers().get(CONTENT_TYPE) == Some(&HeaderValue::from_static("application/xml"));
        if !is_document {
            return response;
        }
        let (mut head, body) = response.into_parts();
        let bytes = body.bytes();
        let corrected = match bytes.as_deref().map(std::str::from_utf8) {
            Some(Ok(document)) => self.written(document).into_owned(),
            Some(Err(_)) | None => return Response::from_parts(head, body),
        };
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, Body::from(Bytes::from(corrected)))
    }

    fn written(self, document: &str) -> Cow<'_, str> {
        let document = referred(document);
        if !self.bare_tags {
            return document;
        }
        Cow::Owned(
            document
                .replace("<ETag>\"", "<ETag>")
                .replace("\"</ETag>", "</ETag>"),
        )
    }
}

/// Characters that no parser takes, or that each takes for a line's end, as references: XML 1.1 has the first, and whoever
/// reads XML 1.0 only asks for names that are encoded as in URLs.
fn referred(document: &str) -> Cow<'_, str> {
    let is_plain = |character: char| match character {
        '\t' | '\n' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => !other.is_control(),
    };
    if document.chars().all(is_plain) {
        return Cow::Borrowed(document);
    }
    let mut written = String::with_capacity(document.len().saturating_add(64));
    for character in document.chars() {
        if is_plain(character) {
            written.push(character);
        } else {
            written.push_str(&format!("&#x{:x};", u32::from(character)));
        }
    }
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_not_xmls_are_references() {
        for (raw, written) in [
            ("<Key>a\u{1}b\0\r</Key>", "<Key>a&#x1;b&#x0;&#xd;</Key>"),
            ("<Key>a\tb\n\u{e4}</Key>", "<Key>a\tb\n\u{e4}</Key>"),
            ("<Key>\u{7f}\u{fffe}</Key>", "<Key>&#x7f;&#xfffe;</Key>"),
        ] {
            assert_eq!(Spelling { bare_tags: false }.written(raw), written);
        }
    }

    #[test]
    fn only_attributes_have_entity_tags_without_quotes() {
        let document = "<ETag>\"a-2\"</ETag><Key>\"b\"</Key>";
        assert_eq!(Spelling { bare_tags: false }.written(document), document);
        let bare = Spelling { bare_tags: true }.written(document);
        assert_eq!(bare, "<ETag>a-2</ETag><Key>\"b\"</Key>");
    }
}
