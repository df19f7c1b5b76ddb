//! A way in for those who test the rim with hostile input: a client's bytes without a socket.
//!
//! Nothing here is another path: the bytes go where those of a connection go after TLS. Hidden from the documentation, as
//! it is no interface to build on.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use moho_terms::{Clock, Entropy, EntropyUnavailable, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::closing::Closing;

use super::activity::Activity;
use super::{
    Admission, Body, BodyPieces, Head, Inbound, Limits, Outbound, Peer, RimError, RimSettings, Road, Server,
    Taking, Via, connection,
};

/// What a connection may hold: little, so that its bounds are met.
const LIMITS: fn() -> Limits = || Limits {
    body: 4 << 10,
    body_memory: 16 << 10,
    head: 8 << 10,
    linger: Duration::from_millis(1),
    ..Limits::default()
};
/// The moment at which all requests arrive: 22 November 2026, 02:00 UTC.
const NOW: u64 = 1_795_312_800;

/// What came of a client's bytes.
#[derive(Default)]
pub struct Served {
    /// Heads that reached the road, in order.
    pub heads: Vec<(Head, Reached)>,
    /// All bytes that the client got back.
    pub replies: Vec<u8>,
}

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The rim asked the road to word a refusal.
    Refused(RimError),
    /// The road handled it, with a body of this many bytes.
    Handled(usize),
}

/// Serves all that one client sends, over HTTP/2 or HTTP/1.1, until it has sent and received everything.
///
/// # Errors
/// [`io::Error`] if no runtime can be made.
pub fn serve(client: &[u8], version_2: bool) -> io::Result<Served> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    Ok(runtime.block_on(answer(client.to_vec(), version_2)))
}

async fn answer(client: Vec<u8>, version_2: bool) -> Served {
    let road = Arc::new(Noting::default());
    let settings = RimSettings {
        clock: Arc::new(Fixed),
        entropy: Arc::new(Fixed),
        limits: LIMITS(),
        attestation: HeaderValue::from_static("development"),
        closing: Closing::new(),
    };
    let server = Server::new(Arc::clone(&road), settings);
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (mut reading, mut writing) = tokio::io::split(ours);
    let peer = Peer::Network(([192, 0, 2, 1], 40_000).into());
    let client_of = (
        (peer, Via::Public, connection::Handshake::default()),
        Arc::new(Activity::new()),
    );
    let serving = async {
        if version_2 {
            connection::http2(Arc::clone(server.rim()), theirs, client_of).await;
        } else {
            connection::http1(Arc::clone(server.rim()), theirs, client_of).await;
        }
    };
    let sending = async {
        // It fails once the server hangs up, which it may.
        drop(writing.write_all(&client).await);
        drop(writing.shutdown().await);
    };
    let receiving = async {
        let mut replies = Vec::new();
        drop(reading.read_to_end(&mut replies).await);
        replies
    };
    let ((), (), replies) = tokio::join!(serving, sending, receiving);
    server.finish(async || ()).await;
    let mut heads = road.0.lock().unwrap_or_else(PoisonError::into_inner);
    Served {
        heads: std::mem::take(&mut heads),
        replies,
    }
}

/// A road that notes who came.
#[derive(Default)]
struct Noting(Mutex<Vec<(Head, Reached)>>);

impl Noting {
    fn note(&self, head: &Head, reached: Reached) -> Outbound {
        let copy = Head {
            method: head.method.clone(),
            raw_path: head.raw_path.clone(),
            raw_query: head.raw_query.clone(),
            authority: head.authority.clone(),
            headers: head.headers.clone(),
            peer: head.peer,
            via: head.via.clone(),
            certificate: head.certificate,
            tls: head.tls,
            cipher_suite: head.cipher_suite,
            version: head.version,
            received: head.received,
            request_id: head.request_id.clone(),
        };
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.push((copy, reached));
        let status = match reached {
            Reached::Refused(error) => error.status(),
            Reached::Handled(_) => StatusCode::OK,
        };
        Outbound {
            status,
            headers: Vec::new(),
            body: Body::Full(Bytes::from_static(b"noted")),
            told: None,
        }
    }
}

impl Road for Noting {
    fn admit(&self, _head: &Head) -> Result<Admission, Outbound> {
        Ok(Admission {
            body: usize::MAX,
            claims: None,
            taking: Taking::Whole,
        })
    }

    async fn handle_streamed(&self, head: Arc<Head>, _body: BodyPieces) -> Outbound {
        self.note(&head, Reached::Handled(0))
    }

    async fn handle(&self, inbound: Inbound) -> Outbound {
        self.note(&inbound.head, Reached::Handled(inbound.body.len()))
    }

    async fn settle(&self, _head: &Head, reply: Outbound) -> Outbound {
        reply
    }

    fn refuse(&self, head: &Head, error: RimError) -> Outbound {
        self.note(head, Reached::Refused(error))
    }
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }
}

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill(7);
        Ok(())
    }
}
