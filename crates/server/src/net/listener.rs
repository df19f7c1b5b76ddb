//! Sockets that listen: addresses of the network, and Unix sockets with a name in the file system.

use std::fs;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};

use super::Peer;
use super::socket_file::SocketFile;

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

/// What gives connections: an address of the network, or a socket of this machine.
pub(super) trait Source: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next one, and who is at its other end.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;

    /// Whether its client begins with plain HTTP where TLS is spoken. What it sent is left to be read.
    fn begins_plainly(stream: &Self::Stream) -> impl Future<Output = io::Result<bool>> + Send;
}

impl Source for Listener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = self.socket.accept().await?;
        // A client that has left already ends like any other.
        at_once(&stream).unwrap_or_default();
        Ok((stream, Peer::Network(address)))
    }

    async fn begins_plainly(stream: &TcpStream) -> io::Result<bool> {
        let mut first = [0_u8; 1];
        let read = stream.peek(&mut first).await?;
        Ok(is_method(&first, read))
    }
}

/// Sends each piece of a reply at once: Nagle's algorithm and delayed acknowledgements would hold one back for 40 ms.
fn at_once(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

fn is_method(first: &[u8; 1], read: usize) -> bool {
    read == 1 && first.first().is_some_and(u8::is_ascii_uppercase)
}

/// What a socket is called until nobody can connect to it who may not.
const DRAFT: &str = ".new";
/// The longest path: what fits into a socket address, its final zero and the draft's ending aside.
const LONGEST: usize = 107 - DRAFT.len();
/// Owner and group may connect; whom else the folder lets in is its business.
const MODE: u32 = 0o660;

/// Why a Unix socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system's limit on a socket's path.
    #[error("the path {} is too long for a socket: choose one of at most {LONGEST} bytes", .0.display())]
    TooLong(PathBuf),
    /// Another process listens there.
    #[error("the socket {} is in use: stop what listens there, or choose another path", .0.display())]
    InUse(PathBuf),
    /// Something else has that name.
    #[error("{} is there and is no socket: remove it, or choose another path", .0.display())]
    InTheWay(PathBuf),
    /// Anything else.
    #[error("the socket {} cannot be listened on", path.display())]
    Other {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A Unix socket that already listens, but is not served yet. Its file goes when it is dropped.
pub struct SocketListener(SocketFile);

impl SocketListener {
    /// Makes the socket, in place of one that a killed process left behind. Owner and group may connect.
    ///
    /// # Errors
    /// [`SocketError`]: it cannot be had.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        check_place(path)?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(DRAFT);
        let made = SocketFile::make(path, Path::new(&draft), MODE);
        made.map(Self).map_err(|source| SocketError::Other {
            path: path.to_owned(),
            source,
        })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Whether a socket can have this path, without changing anything.
///
/// # Errors
/// [`SocketError`]: it cannot.
pub(crate) fn check_place(path: &Path) -> Result<(), SocketError> {
    if path.as_os_str().len() > LONGEST {
        return Err(SocketError::TooLong(path.to_owned()));
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::InTheWay(path.to_owned())),
        Ok(_socket) if is_served(path) => Err(SocketError::InUse(path.to_owned())),
        Ok(_stale) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SocketError::Other {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Whether a process listens there. It is asked without waiting: one that has much to do has no room for a connection.
fn is_served(path: &Path) -> bool {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connected = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .and_then(|socket| rustix::net::connect(&socket, &SocketAddrUnix::new(path)?));
    !matches!(
        connected,
        Err(rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOENT)
    )
}

impl Source for SocketListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, uid) = self.0.accept().await?;
        Ok((stream, Peer::Local { uid }))
    }

    async fn begins_plainly(stream: &UnixStream) -> io::Result<bool> {
        let mut first = [0_u8; 1];
        let read = stream
            .async_io(Interest::READABLE, || {
                let (_, read) = rustix::net::recv(stream, &mut first[..], RecvFlags::PEEK)?;
                Ok(read)
            })
            .await?;
        Ok(is_method(&first, read))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn replies_are_not_held_back() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = TcpStream::connect(listener.address()).await.unwrap();
        let (stream, _) = listener.socket.accept().await.unwrap();
        assert!(!stream.nodelay().unwrap());
        at_once(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        let _client = TcpStream::connect(listener.address()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_socket_takes_the_place_of_a_dead_one_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private.sock");
        let first = SocketListener::bind(&path).unwrap();
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, MODE);
        assert!(matches!(SocketListener::bind(&path), Err(SocketError::InUse(_))));
        drop(first);
        assert!(!path.exists());
        // What a killed process leaves behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists() && check_place(&path).is_ok());
        let third = SocketListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody's").unwrap();
        drop(third);
        assert!(path.exists(), "what is another's stays");
        assert!(matches!(
            SocketListener::bind(&path),
            Err(SocketError::InTheWay(_))
        ));
        let long = folder.path().join("x".repeat(120));
        assert!(matches!(
            SocketListener::bind(&long),
            Err(SocketError::TooLong(_))
        ));
        let nowhere = folder.path().join("no/such/folder.sock");
        assert!(matches!(
            SocketListener::bind(&nowhere),
            Err(SocketError::Other { .. })
        ));
    }
}
