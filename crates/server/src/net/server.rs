//! Listening: connections, their number, what each has to show, and the way down.

use std::io;
use std::sync::Arc;

use aws_lc_rs::digest;
use moho_terms::EndpointId;
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::connection::Handshake;
use super::listener::Source;
use super::memory::BodyMemory;
use super::patient::Patient;
use super::places::Places;
use super::pool::Sharer;
use super::seats::Seats;
use super::service::{Rim, RimSettings};
use super::tasks::{Shutdown, tasks};
use super::tls::PrivateAcceptor;
use super::tls::cipher_suite;
use super::{Listener, Peer, Road, SocketListener, Via, accept, connection};

/// The application protocol that TLS agreed on, when it is HTTP/2.
const H2: &[u8] = b"h2";
/// What somebody gets who speaks plain HTTP to the TLS port.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 67\r\nconnection: close\r\n\r\n\
    this port speaks HTTPS, not plain HTTP: begin the URL with https://";
/// The most bytes that are read of what somebody sent plainly there.
const PLAIN_REST: u64 = 64 << 10;

/// What a listener is: which way in, and what a client has to show there.
#[derive(Clone)]
pub struct Entrance {
    via: Via,
    /// What accepts TLS; without it, plain HTTP is spoken.
    tls: Option<TlsAcceptor>,
}

impl Entrance {
    /// One for everybody, over TLS.
    #[must_use]
    pub fn public(tls: TlsAcceptor) -> Self {
        Self {
            via: Via::Public,
            tls: Some(tls),
        }
    }

    /// A private endpoint's. `tls` demands a certificate of its clients
    /// ([`Certificates::private_acceptor`](super::tls::Certificates::private_acceptor)).
    #[must_use]
    pub fn private(endpoint: EndpointId, tls: PrivateAcceptor) -> Self {
        Self {
            via: Via::Endpoint(Arc::new(endpoint)),
            tls: Some(tls.into_inner()),
        }
    }

    /// The one for local tools, without TLS. Whether it may be is the caller's to know.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            via: Via::Plain,
            tls: None,
        }
    }
}

/// A server: one road behind any number of listeners.
pub struct Server<R> {
    rim: Arc<Rim<R>>,
    seats: Seats,
    shutdown: Shutdown,
}

impl<R: Road> Server<R> {
    /// A server that listens nowhere yet.
    #[must_use]
    pub fn new(road: Arc<R>, settings: RimSettings) -> Self {
        let (tasks, shutdown) = tasks(settings.closing.clone());
        let limits = settings.limits;
        Self {
            rim: Arc::new(Rim {
                road,
                settings,
                memory: BodyMemory::new(&limits),
                streams: BodyMemory::of_streams(&limits),
                requests: Places::new(limits.requests, limits.requests_per_peer()),
                tasks,
            }),
            seats: Seats::new(limits.connections, limits.connections_per_peer),
            shutdown,
        }
    }

    /// Serves what comes in by `listener` from now on.
    pub fn listen(&self, listener: Listener, entrance: Entrance) {
        self.accept_from(listener, entrance);
    }

    /// Serves what comes in by a Unix socket from now on; its file goes when the server stops.
    pub fn listen_on_socket(&self, listener: SocketListener, entrance: Entrance) {
        self.accept_from(listener, entrance);
    }

    fn accept_from<S: Source>(&self, source: S, entrance: Entrance) {
        let (rim, seats) = (Arc::clone(&self.rim), self.seats.clone());
        self.rim.tasks.spawn(async move {
            tokio::select! {
                () = accept_all(&rim, &source, &seats, &entrance) => {}
                () = rim.tasks.draining() => {}
            }
        });
    }

    /// What all connections share, for a listener of another kind.
    pub(crate) fn rim(&self) -> &Arc<Rim<R>> {
        &self.rim
    }

    /// Stops listening, and lets requests in progress end within the limit or until `hurry` resolves. Those that do not
    /// are told to end with an error, and cut when their clients do not take it in time or `hurry` resolves again.
    /// Whether all ended by themselves.
    pub async fn finish(self, hurry: impl AsyncFnMut()) -> bool {
        let limits = self.rim.settings.limits;
        drop(self.rim);
        self.shutdown.finish(limits.drain, limits.last_words, hurry).await
    }
}

/// Accepts connections until the server stops, as far as there are seats.
async fn accept_all<R: Road, S: Source>(rim: &Arc<Rim<R>>, source: &S, seats: &Seats, entrance: &Entrance) {
    loop {
        let (stream, peer) = accept::next(|| source.accept()).await;
        let activity = Arc::new(Activity::new());
        seats.settled().await;
        // One too many is closed at once, and not logged: that, too, is a line that a stranger could write.
        let Some(seat) = seats.take(Sharer::of(peer), &activity) else {
            continue;
        };
        let serving = serve::<R, S>(Arc::clone(rim), stream, (peer, activity), entrance.clone());
        rim.tasks.spawn(async move {
            serving.await;
            drop(seat);
        });
    }
}

async fn serve<R: Road, S: Source>(
    rim: Arc<Rim<R>>,
    stream: S::Stream,
    (peer, activity): (Peer, Arc<Activity>),
    Entrance { via, tls }: Entrance,
) {
    let limits = rim.settings.limits;
    let Some(tls) = tls else {
        let stream = Patient::new(stream, limits.stall, Arc::clone(&activity));
        return Box::pin(connection::http1(
            rim,
            stream,
            ((peer, via, Handshake::default()), activity),
        ))
        .await;
    };
    let handshake = async {
        if S::begins_plainly(&stream).await? {
            return plainly_refuse(stream).await.map(|()| None);
        }
        tls.accept(Patient::new(stream, limits.stall, Arc::clone(&activity)))
            .await
            .map(Some)
    };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(limits.handshake, handshake) => shaken,
        () = rim.tasks.draining() => return,
        () = activity.told_to_leave() => return,
    };
    // Scanners and broken handshakes are everyday: not worth a log line that a stranger can write.
    let Ok(Ok(Some(stream))) = shaken else { return };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let shaken = Handshake {
        certificate: shown.first().map(|certificate| sha256(certificate)),
        version: match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Some("1.3"),
            Some(ProtocolVersion::TLSv1_2) => Some("1.2"),
            Some(_) | None => None,
        },
        cipher_suite: stream
            .get_ref()
            .1
            .negotiated_cipher_suite()
            .and_then(|suite| cipher_suite(suite.suite())),
    };
    let client = ((peer, via, shaken), activity);
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        Box::pin(connection::http2(rim, stream, client)).await;
    } else {
        Box::pin(connection::http1(rim, stream, client)).await;
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

async fn plainly_refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await?;
    // Closed with bytes unread, a connection is reset, and the client may never see what it was told.
    let mut rest = stream.take(PLAIN_REST);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.map(drop)
}
