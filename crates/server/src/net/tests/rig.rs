//! A server on a free port, a road that mirrors, and clients of both protocol versions.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::closing::Closing;
use crate::net::tls::{Certificates, ClientAuthorities, Identity, PrivateAcceptor, TlsError};
use crate::net::{
    Admission, Body, BodyPieces, Entrance, Head, Inbound, Limits, Listener, Outbound, Peer, Piece, RimError,
    RimSettings, Road, Server, Taking, Via,
};
use crate::system::{SystemClock, SystemEntropy};

/// Bytes of a reply for which no client of these tests has room before it reads some.
pub(super) const LARGE: usize = 8 << 20;

/// Shows what it is given, and reports what happens to its streams.
pub(super) struct Mirror {
    /// Told of each stream's `Sender` when its client has left.
    pub(super) left: mpsc::UnboundedSender<()>,
    /// Told of each streamed body that did not come whole.
    pub(super) broken: mpsc::UnboundedSender<RimError>,
    /// Pieces for the streams, as the test gives them.
    pub(super) pieces: tokio::sync::Mutex<mpsc::UnboundedReceiver<Bytes>>,
}

/// The head of a client that waits to be told to go on.
pub(super) fn expecting(asked: &str, size: usize) -> String {
    format!(
        "{asked} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {size}\r\nexpect: 100-continue\r\n\r\n"
    )
}

pub(super) fn reply(status: StatusCode, body: Body) -> Outbound {
    Outbound {
        status,
        headers: Vec::new(),
        body,
        told: None,
    }
}

fn words(text: String) -> Outbound {
    reply(StatusCode::OK, Body::Full(Bytes::from(text)))
}

fn who(peer: Peer) -> String {
    match peer {
        Peer::Network(_) => "network".to_owned(),
        Peer::Local { uid } => format!("user {uid}"),
        Peer::Door { uid } => format!("door {uid}"),
    }
}

fn way_in(via: &Via) -> String {
    let name = match via {
        Via::Public => "public".to_owned(),
        Via::Endpoint(id) => id.to_string(),
        Via::Plain => "plain".to_owned(),
        Via::Door => "door".to_owned(),
    };
    if via.is_secure() {
        name
    } else {
        format!("{name}, insecure")
    }
}

impl Road for Arc<Mirror> {
    fn admit(&self, head: &Head) -> Result<Admission, Outbound> {
        match head.raw_path.as_str() {
            "/private" => Err(reply(
                StatusCode::FORBIDDEN,
                Body::Full(Bytes::from_static(b"turned away")),
            )),
            "/small" => Ok(Admission {
                body: 10,
                claims: None,
                taking: Taking::Whole,
            }),
            "/pieces" | "/first-piece" | "/no-piece" | "/panic-at-piece" => Ok(Admission {
                body: 64 << 20,
                claims: None,
                taking: Taking::Streamed { held: 0, gathered: 0 },
            }),
            "/claimed" => Ok(Admission {
                body: usize::MAX,
                claims: Some("AKIAEXAMPLEEXAMPLE23".parse().unwrap()),
                taking: Taking::Whole,
            }),
            _ => Ok(Admission {
                body: usize::MAX,
                claims: None,
                taking: Taking::Whole,
            }),
        }
    }

    async fn handle(&self, inbound: Inbound) -> Outbound {
        let Inbound { head, body } = inbound;
        match head.raw_path.as_str() {
            "/length" | "/small" | "/claimed" => words(body.len().to_string()),
            "/large" => reply(StatusCode::OK, Body::Full(Bytes::from(vec![b'x'; LARGE]))),
            "/empty" => reply(StatusCode::NO_CONTENT, Body::Empty),
            "/panic" => panic!("as the test asked"),
            "/stream" => {
                let (sender, receiver) = mpsc::channel(1);
                drop(start(feed(Self::clone(self), sender)));
                reply(StatusCode::OK, Body::Stream(receiver))
            }
            path if path.starts_with("/measured/") => {
                let (sender, receiver) = mpsc::channel(1);
                let mut reply = reply(StatusCode::OK, Body::Stream(receiver));
                let length = path.trim_start_matches("/measured/").parse().unwrap();
                reply.headers.push((CONTENT_LENGTH, length));
                if head.method == Method::HEAD {
                    reply.body = Body::Empty;
                }
                drop(start(async move {
                    for piece in ["hello", " world"] {
                        drop(sender.send(Piece::More(Bytes::from(piece))).await);
                    }
                    drop(sender.send(Piece::Last(Bytes::new())).await);
                }));
                reply
            }
            "/broken-stream" => {
                let (sender, receiver) = mpsc::channel(1);
                drop(start(async move {
                    drop(sender.send(Piece::More(Bytes::from_static(b"half"))).await);
                    panic!("as the test asked");
                }));
                reply(StatusCode::OK, Body::Stream(receiver))
            }
            "/seen" => words(format!(
                "{} via {} with {:02x?}",
                who(head.peer),
                way_in(&head.via),
                head.certificate.unwrap_or_default()
            )),
            _ => words(format!(
                "{} {} ? {} @ {} host={} {}",
                head.method,
                head.raw_path,
                head.raw_query,
                head.authority,
                head.headers.get("host").map_or("", |host| host.to_str().unwrap()),
                who(head.peer)
            )),
        }
    }

    async fn handle_streamed(&self, head: Arc<Head>, mut body: BodyPieces) -> Outbound {
        let mut received = 0;
        if head.raw_path == "/no-piece" {
            return words("enough".to_owned());
        }
        loop {
            match (head.raw_path.as_str(), body.next().await) {
                ("/first-piece", _) => return words("enough".to_owned()),
                ("/panic-at-piece", _) => panic!("as the test asked"),
                (_, Some(Ok(piece))) => received += piece.len(),
                (_, Some(Err(error))) => {
                    self.broken.send(error).unwrap();
                    return reply(error.status(), Body::Full(Bytes::from(error.to_string())));
                }
                (_, None) => return words(received.to_string()),
            }
        }
    }

    async fn settle(&self, _head: &Head, reply: Outbound) -> Outbound {
        reply
    }

    fn refuse(&self, _head: &Head, error: RimError) -> Outbound {
        reply(error.status(), Body::Full(Bytes::from(error.to_string())))
    }
}

/// Passes the test's pieces on until they end or the client leaves.
async fn feed(mirror: Arc<Mirror>, sender: mpsc::Sender<Piece>) {
    let mut pieces = mirror.pieces.lock().await;
    loop {
        let piece = tokio::select! {
            piece = pieces.recv() => piece,
            () = sender.closed() => None,
        };
        let (piece, last) = match piece {
            Some(bytes) => (Piece::More(bytes), false),
            None => (Piece::Last(Bytes::new()), true),
        };
        if sender.send(piece).await.is_err() || last {
            break;
        }
    }
    if sender.is_closed() {
        mirror.left.send(()).unwrap();
    }
}

/// A running server and what a client needs to reach it.
pub(super) struct Rig {
    pub(super) server: Server<Arc<Mirror>>,
    pub(super) address: SocketAddr,
    pub(super) pieces: mpsc::UnboundedSender<Bytes>,
    pub(super) left: mpsc::UnboundedReceiver<()>,
    pub(super) broken: mpsc::UnboundedReceiver<RimError>,
    roots: Arc<rustls::RootCertStore>,
    certificates: Arc<Certificates>,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(super) fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["localhost".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let identity = Identity::Generated {
            data: folder.path().to_owned(),
            names,
        };
        let certificates = Certificates::open(identity, &SystemClock).unwrap();
        let authority = CertificateDer::from_pem_file(certificates.authority().unwrap()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority).unwrap();

        let (pieces, theirs) = mpsc::unbounded_channel();
        let (left, leaving) = mpsc::unbounded_channel();
        let (broken, breaking) = mpsc::unbounded_channel();
        let mirror = Arc::new(Mirror {
            left,
            broken,
            pieces: tokio::sync::Mutex::new(theirs),
        });
        let settings = RimSettings {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
            limits,
            attestation: HeaderValue::from_static("development"),
            closing: Closing::new(),
        };
        let server = Server::new(Arc::new(mirror), settings);
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        server.listen(
            listener,
            Entrance::public(Arc::clone(&certificates).acceptor().unwrap()),
        );
        Self {
            server,
            address,
            pieces,
            left: leaving,
            broken: breaking,
            roots: Arc::new(roots),
            certificates,
            _folder: folder,
        }
    }

    /// Whom the server's clients trust.
    pub(super) fn roots(&self) -> Arc<rustls::RootCertStore> {
        Arc::clone(&self.roots)
    }

    /// What accepts those with a certificate of an authority in a file.
    pub(super) fn private_acceptor(&self, client_ca: &Path) -> Result<PrivateAcceptor, TlsError> {
        Arc::clone(&self.certificates).private_acceptor(&ClientAuthorities::read(client_ca)?)
    }

    /// A TLS connection that offers one protocol.
    pub(super) async fn connect(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        self.try_connect(protocol).await.unwrap()
    }

    pub(super) async fn try_connect(&self, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut config = config
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::from(self.address.ip()), stream)
            .await
    }

    /// A connection on which this head was sent, and the client was told to go on.
    pub(super) async fn told_to_go_on(&self, head: &str) -> TlsStream<TcpStream> {
        let mut stream = self.connect(b"http/1.1").await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }

    /// An HTTP/1.1 client on a connection of its own.
    pub(super) async fn http1(&self) -> Client {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect(b"http/1.1").await))
            .await
            .unwrap();
        Client {
            sender: Sender::One(sender),
            _connection: run(connection),
        }
    }

    /// An HTTP/2 client on a connection of its own.
    pub(super) async fn http2(&self) -> Client {
        let io = TokioIo::new(self.connect(b"h2").await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        Client {
            sender: Sender::Two(sender),
            _connection: run(connection),
        }
    }

    /// An HTTP/2 client that makes no room for replies' bodies.
    pub(super) async fn http2_that_takes_nothing(&self) -> Client {
        let io = TokioIo::new(self.connect(b"h2").await);
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(0)
            .handshake(io)
            .await
            .unwrap();
        Client {
            sender: Sender::Two(sender),
            _connection: run(connection),
        }
    }

    /// Both, to show that something holds for both.
    pub(super) async fn both(&self) -> [Client; 2] {
        [self.http1().await, self.http2().await]
    }

    /// What the server answers to bytes as they are, up to the end of the connection.
    pub(super) async fn answer_to(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect(b"http/1.1").await;
        // The server may have answered and closed before it has everything.
        drop(stream.write_all(bytes).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8(answer).unwrap()
    }
}

/// A connection's task, which ends with its client.
pub(super) struct Running(tokio::task::JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn run<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) -> Running {
    Running(start(async move {
        // How a connection ends, its requests tell.
        connection.await.map_err(drop).unwrap_or_default();
    }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's own task, which nothing has to wait for"
)]
fn start(work: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(work)
}

/// A client of either version, on a connection of its own.
pub(super) struct Client {
    sender: Sender,
    /// Dropped with the client, which closes the connection.
    _connection: Running,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Sends a request and reads the whole reply.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> (StatusCode, HeaderMap, String) {
        let response = self.send(self.request(method, path, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    pub(super) async fn get(&mut self, path: &str) -> Response<Incoming> {
        self.send(self.request(Method::GET, path, b"")).await.unwrap()
    }

    /// Whether the connection would still take a request.
    pub(super) async fn ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::One(sender) => sender.ready().await.is_ok(),
            Sender::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    pub(super) fn request(&self, method: Method, path: &str, body: &[u8]) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method);
        let request = match &self.sender {
            Sender::One(_) => request.uri(path).header("host", "moho.test"),
            Sender::Two(_) => request.uri(format!("https://moho.test{path}")),
        };
        request.body(Full::new(Bytes::copy_from_slice(body))).unwrap()
    }
}
