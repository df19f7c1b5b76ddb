//! The exchange between rim and road: a request's head and body, the reply, and what the rim itself has to refuse.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use moho_terms::{AccessKeyId, ContentBytes, EndpointId, RequestId, Timestamp};
use tokio::sync::mpsc;

use super::BodyPieces;

/// Who is at the other end of the connection, as the system (not the request) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client on the network.
    Network(SocketAddr),
    /// A process of this machine at a private endpoint's Unix socket, by the user id the kernel vouches for.
    Local {
        /// The process's user id (`SO_PEERCRED`).
        uid: u32,
    },
    /// A process of this machine at the bootstrap door, by the user id the kernel vouches for.
    Door {
        /// The process's user id (`SO_PEERCRED`).
        uid: u32,
    },
}

/// By which of moho's listeners a request came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A public one, over TLS.
    Public,
    /// A private endpoint, over TLS, from a client that showed a certificate.
    Endpoint(Arc<EndpointId>),
    /// The one for local tools, without TLS.
    Plain,
    /// The bootstrap door.
    Door,
}

impl Via {
    /// Whether nobody on the way could listen in: `aws:SecureTransport`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        match self {
            Self::Public | Self::Endpoint(_) | Self::Door => true,
            Self::Plain => false,
        }
    }
}

/// A request up to its body.
///
/// No `Debug`: the headers hold credentials.
///
/// INVARIANT: in a request that reaches [`Road::handle`], `authority` is what the client signed as `host`: there was
/// exactly one, and HTTP/2's `:authority` and a `Host` header did not disagree. It is empty only in a refusal for
/// [`RimError::NoSingleHost`].
pub struct Head {
    /// The method.
    pub method: Method,
    /// The path exactly as sent: not decoded, not normalised. Route on this.
    pub raw_path: String,
    /// The query exactly as sent, without the question mark; empty when there was none.
    pub raw_query: String,
    /// The host (and port) the client asked for: `Host`, or `:authority` on HTTP/2.
    pub authority: String,
    /// All headers, `host` included whichever the protocol version.
    pub headers: HeaderMap,
    /// The other end.
    pub peer: Peer,
    /// The listener.
    pub via: Via,
    /// SHA-256 of the certificate, in DER, that the client showed and that was verified; private endpoints demand one.
    pub certificate: Option<[u8; 32]>,
    /// The version of TLS that it came over, such as `1.3`.
    pub tls: Option<&'static str>,
    /// The cipher suite that it came over, as OpenSSL names it.
    pub cipher_suite: Option<&'static str>,
    /// The version of HTTP.
    pub version: Version,
    /// When the head had arrived.
    pub received: Timestamp,
    /// The id in the reply's headers, the journal and the receipt.
    pub request_id: RequestId,
}

/// A whole request.
pub struct Inbound {
    /// Everything up to the body.
    pub head: Arc<Head>,
    /// The body, complete and within the limit. A tenant's words, so wiped when dropped.
    pub body: ContentBytes,
}

/// What a request may send after its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The most bytes of a body that the request's route takes. Where it is taken whole,
    /// [`Limits::body`](super::Limits::body) holds as well.
    pub body: usize,
    /// The access key that the caller claims to have, which only the signature of the whole request shows.
    pub claims: Option<AccessKeyId>,
    /// How the road takes the body.
    pub taking: Taking,
}

/// How the road takes a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// All of it at once, by [`Road::handle`].
    Whole,
    /// Piece by piece while it comes, by [`Road::handle_streamed`], whatever its `Content-Encoding`.
    Streamed {
        /// The most bytes that the road holds of it until it has checked them, and of what it makes of it, beside those
        /// that it gathers.
        held: usize,
        /// The most bytes that the road gathers of it.
        gathered: usize,
    },
}

/// A reply's body.
pub enum Body {
    /// No body.
    Empty,
    /// All of it at once; see [`reply_bytes`] for a tenant's words.
    Full(Bytes),
    /// Piece by piece; each piece is sent at once. The road keeps the `Sender`: when the client leaves, the receiver is
    /// dropped, `Sender::closed` resolves and `send` fails, upon which the road stops the work. A sender that goes
    /// without a [`Piece::Last`] breaks the reply off, which the client sees; so does a reply that says its `content-length`
    /// and has another.
    Stream(mpsc::Receiver<Piece>),
}

/// A piece of a streamed reply.
pub enum Piece {
    /// More follows.
    More(Bytes),
    /// With this the reply is whole; it may be empty.
    Last(Bytes),
}

/// A reply. The rim adds `date`, `x-request-id`, `x-amzn-requestid`, `moho-attestation` and, for a body of known size,
/// `content-length`.
pub struct Outbound {
    /// The status.
    pub status: StatusCode,
    /// Headers in the order they are sent.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Body,
    /// What of it may be told in an audit trail; the rim sends nothing of it.
    pub told: Option<ContentBytes>,
}

/// Why the rim refuses a request before the road has all of it. The road words the reply, in the protocol of the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RimError {
    /// The body is, or says it will be, longer than allowed: 413.
    #[error("the request body is longer than the limit of {limit} bytes")]
    BodyTooLarge {
        /// The most a body may have.
        limit: usize,
    },
    /// The body did not arrive in time: 408.
    #[error("the request body did not arrive within {} s", after.as_secs())]
    BodyTooSlow {
        /// How long the rim waited.
        after: Duration,
    },
    /// The client stopped in the middle of the body, or its framing is broken: 400.
    #[error("the request body is incomplete or malformed")]
    BodyBroken,
    /// Bodies of other requests fill the memory set aside for them: 503, worth a retry.
    #[error("too many large requests at once")]
    Busy,
    /// As many requests as may be in progress are: 503, worth a retry.
    #[error("too many requests at once")]
    Full,
    /// As many requests of one peer as may be in progress are: 429, worth a retry.
    #[error("too many requests at once from one address")]
    TooMany,
    /// As much as may be is being sent by those who claim to have one access key, without proof so far: 429, worth a
    /// retry.
    #[error("too many large requests at once for one access key")]
    Unproven,
    /// The server stops: 503, worth a retry, elsewhere or later.
    #[error("the server is stopping")]
    Stopping,
    /// No `Host`, several, or one that is not what `:authority` says: 400.
    #[error("the request does not name exactly one host")]
    NoSingleHost,
    /// An expectation other than `100-continue`: 417.
    #[error("the expectation in `Expect` cannot be met")]
    ExpectationFailed,
    /// A body that is packed in a way the rim does not unpack: 415.
    #[error("the request body has a `Content-Encoding` that is not served: send it as it is")]
    ContentEncoding,
    /// The road ended without a reply: 500.
    #[error("internal failure")]
    Internal,
}

impl RimError {
    /// The status that fits on every API.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken | Self::NoSingleHost => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Full | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany | Self::Unproven => StatusCode::TOO_MANY_REQUESTS,
            Self::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
            Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The request road, as the rim sees it.
pub trait Road: Send + Sync + 'static {
    /// Looks at a head before any of its body is read; a reply here ends the request without buffering a byte of it,
    /// so that a stranger cannot fill memory. Must not block.
    ///
    /// # Errors
    /// The reply to a request that goes no further.
    fn admit(&self, head: &Head) -> Result<Admission, Outbound>;

    /// Answers a whole request. The future is dropped when the client leaves before the reply has begun.
    fn handle(&self, inbound: Inbound) -> impl Future<Output = Outbound> + Send;

    /// Answers a request that was admitted as [`Taking::Streamed`], of whose body nothing was read yet. The client is asked
    /// for it by the first look at the pieces. What is left of it when the pieces are dropped is thrown away.
    fn handle_streamed(&self, head: Arc<Head>, body: BodyPieces) -> impl Future<Output = Outbound> + Send;

    /// Waits until the first byte of a reply may leave, and says what is to be sent then: the reply, or that it cannot be.
    fn settle(&self, head: &Head, reply: Outbound) -> impl Future<Output = Outbound> + Send;

    /// Words a refusal of the rim's in the protocol that `head`'s route speaks.
    fn refuse(&self, head: &Head, error: RimError) -> Outbound;
}

struct Wiped(ContentBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// A tenant's words as reply bytes, without a copy; wiped once the last of them is sent.
#[must_use]
pub fn reply_bytes(content: ContentBytes) -> Bytes {
    Bytes::from_owner(Wiped(content))
}
