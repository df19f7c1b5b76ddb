//! A whole reply, ready for the socket.

use moho_terms::ContentBytes;

/// Status, headers and body. `server` adds `Date`, the request id headers and the length.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: ContentBytes,
    /// What of it may be told in an audit trail, as a JSON object without content, if it says what was changed.
    pub elements: Option<ContentBytes>,
}

impl Reply {
    /// A 200 with a JSON body.
    #[must_use]
    pub fn json(body: ContentBytes) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            headers: Vec::new(),
            body,
            elements: None,
        }
    }
}
