//! Listening: addresses, connections, their number, and the way down.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::memory::BodyMemory;
use super::patient::Patient;
use super::places::Places;
use super::seats::Seats;
use super::service::{Rim, RimSettings};
use super::tasks::{Shutdown, tasks};
use super::{Peer, Road, accept, connection};

/// The application protocol that TLS agreed on, when it is HTTP/2.
const H2: &[u8] = b"h2";
/// What somebody gets who speaks plain HTTP to the TLS port.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 67\r\nconnection: close\r\n\r\n\
    this port speaks HTTPS, not plain HTTP: begin the URL with https://";

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;
/// Bytes that the system keeps for one connection until the client has them; it counts its own overhead in.
const SEND_BUFFER: u32 = 64 << 10;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has it.
    #[error("the address {0} is in use: stop what listens there, or choose another with --listen")]
    InUse(SocketAddr),
    /// The system's permission is missing.
    #[error("this user may not listen on {0}: choose a port of 1024 or higher with --listen")]
    NotPermitted(SocketAddr),
    /// This machine does not have it.
    #[error("this machine has no address {0}: choose another with --listen")]
    NotHere(SocketAddr),
    /// Anything else.
    #[error("the address {address} cannot be listened on")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        let kind = source.kind();
        if kind == io::ErrorKind::AddrInUse {
            Self::InUse(address)
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::NotPermitted(address)
        } else if kind == io::ErrorKind::AddrNotAvailable {
            Self::NotHere(address)
        } else {
            Self::Other { address, source }
        }
    }
}

/// A socket that already listens, but is not served yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the address; port 0 takes any free port.
    ///
    /// # Errors
    /// [`BindError`]: the address cannot be had.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |source| BindError::new(address, source);
        let socket = take(address)?.listen(BACKLOG).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// The socket, for a server of another kind.
    pub(crate) fn into_socket(self) -> TcpListener {
        self.socket
    }

    /// The address, with the port that it really has.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The address, until dropped. Nobody can connect to it before it listens.
///
/// # Errors
/// [`BindError`]: the address cannot be had.
pub(crate) fn take(address: SocketAddr) -> Result<TcpSocket, BindError> {
    let taken = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Connections that linger from before are no hindrance.
        socket.set_reuseaddr(true)?;
        // Connections inherit it; without it the system lets a reader who takes nothing have megabytes.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        Ok(socket)
    };
    taken().map_err(|source| BindError::new(address, source))
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
                requests: Places::new(limits.requests, limits.requests_per_peer()),
                tasks,
            }),
            seats: Seats::new(limits.connections, limits.connections_per_peer),
            shutdown,
        }
    }

    /// Serves TLS on `listener` from now on.
    pub fn listen(&self, listener: Listener, tls: TlsAcceptor) {
        let (rim, seats) = (Arc::clone(&self.rim), self.seats.clone());
        self.rim.tasks.spawn(async move {
            tokio::select! {
                () = accept_all(&rim, &listener.socket, &seats, &tls) => {}
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
async fn accept_all<R: Road>(rim: &Arc<Rim<R>>, socket: &TcpListener, seats: &Seats, tls: &TlsAcceptor) {
    loop {
        let (stream, address) = accept::next(|| socket.accept()).await;
        let activity = Arc::new(Activity::new());
        seats.settled().await;
        // One too many is closed at once, and not logged: that, too, is a line that a stranger could write.
        let Some(seat) = seats.take(address.ip(), &activity) else {
            continue;
        };
        let serving = serve(Arc::clone(rim), stream, (address, activity), tls.clone());
        rim.tasks.spawn(async move {
            serving.await;
            drop(seat);
        });
    }
}

async fn serve<R: Road>(
    rim: Arc<Rim<R>>,
    stream: TcpStream,
    (address, activity): (SocketAddr, Arc<Activity>),
    tls: TlsAcceptor,
) {
    let limits = rim.settings.limits;
    let handshake = async {
        at_once(&stream)?;
        let mut first = [0_u8; 1];
        if stream.peek(&mut first).await? == 1 && first.first().is_some_and(u8::is_ascii_uppercase) {
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
    let client = (Peer::Network(address), activity);
    if stream.get_ref().1.alpn_protocol() == Some(H2) {
        Box::pin(connection::http2(rim, stream, client)).await;
    } else {
        Box::pin(connection::http1(rim, stream, client)).await;
    }
}

/// Sends each piece of a reply at once: Nagle's algorithm and delayed acknowledgements would hold one back for 40 ms.
fn at_once(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

async fn plainly_refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn replies_are_not_held_back() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = TcpStream::connect(listener.address()).await.unwrap();
        let (stream, _) = listener.socket.accept().await.unwrap();
        assert!(!stream.nodelay().unwrap());
        at_once(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
