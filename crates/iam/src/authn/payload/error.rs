//! Why the body of a request is not what its head says.

/// Why a body, or what a head says of it, is refused. The texts are the ones S3 sends, where it has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The head does not say what the body is.
    #[error("Missing required header for this request: x-amz-content-sha256")]
    Undeclared,
    /// What the head says is nothing that a body can be.
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
    )]
    UnknownForm,
    /// A body that no signature covers came over a connection that others can change.
    #[error("An unsigned payload is taken over TLS only: sign the payload, or use https.")]
    Insecure,
    /// A body in chunks, and no word of how long it is without them.
    #[error("You must provide the x-amz-decoded-content-length HTTP header.")]
    NoLength,
    /// The names of trailing headers, or that length, cannot be read.
    #[error("{0}")]
    Declared(&'static str),
    /// The body is not the one that was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    Mismatch,
    /// A chunk, or the trailing headers, are not those that were signed.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    ChunkSignature,
    /// The chunks cannot be told apart.
    #[error("{0}")]
    Framing(&'static str),
    /// A signed chunk is longer than what is held of one until it is checked.
    #[error("A signed chunk may have at most 1048576 bytes: send smaller chunks.")]
    ChunkTooLarge,
    /// The body is longer or shorter than was said.
    #[error(
        "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header."
    )]
    Incomplete,
    /// The trailing headers are not those that the head announces.
    #[error(
        "The request contained trailing data that was not well-formed or did not conform to our published schema."
    )]
    Trailers,
}

impl PayloadError {
    /// S3's code for it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Undeclared | Self::Insecure => "InvalidRequest",
            Self::UnknownForm | Self::Declared(_) => "InvalidArgument",
            Self::NoLength => "MissingContentLength",
            Self::Mismatch => "XAmzContentSHA256Mismatch",
            Self::ChunkSignature => "SignatureDoesNotMatch",
            Self::ChunkTooLarge => "InvalidChunkSizeError",
            Self::Framing(_) | Self::Incomplete => "IncompleteBody",
            Self::Trailers => "MalformedTrailerError",
        }
    }

    /// The HTTP status of that code.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NoLength => 411,
            Self::ChunkSignature => 403,
            Self::Undeclared
            | Self::Insecure
            | Self::UnknownForm
            | Self::Declared(_)
            | Self::Mismatch
            | Self::ChunkTooLarge
            | Self::Framing(_)
            | Self::Incomplete
            | Self::Trailers => 400,
        }
    }

    /// Whether somebody did not prove what it sent, which is a failed authentication. All else is a client's fault.
    #[must_use]
    pub fn is_unproven(self) -> bool {
        matches!(self, Self::Mismatch | Self::ChunkSignature)
    }
}
