//! Private endpoints: who gets a line at all, and what the road learns of how a request came in.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::rig::Rig;
use crate::net::{Entrance, Limits, Listener, SocketListener};

/// An authority of clients' certificates in `folder`, and one of them: the authority's file, and those of the client.
struct Clients {
    authority: PathBuf,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn clients(folder: &Path, name: &str) -> Clients {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = folder.join(name);
    std::fs::write(&authority, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a-client".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&own, &issuer).unwrap();
    Clients {
        authority,
        certificate: certificate.der().clone(),
        key: PrivateKeyDer::from_pem_slice(own.serialize_pem().as_bytes()).unwrap(),
    }
}

/// What a client hears over `stream`, with a certificate or without; nothing if the handshake fails on either side.
async fn heard<S: AsyncRead + AsyncWrite + Unpin>(rig: &Rig, shown: Option<&Clients>, stream: S) -> String {
    let connector = connector(rig, shown, rustls::DEFAULT_VERSIONS);
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(mut stream) = connector.connect(name, stream).await else {
        return String::new();
    };
    said_to(&mut stream).await
}

fn connector(
    rig: &Rig,
    shown: Option<&Clients>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let config = config
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(rig.roots());
    TlsConnector::from(Arc::new(match shown {
        Some(clients) => config
            .with_client_auth_cert(vec![clients.certificate.clone()], clients.key.clone_key())
            .unwrap(),
        None => config.with_no_client_auth(),
    }))
}

async fn said_to<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> String {
    let request = b"GET /seen HTTP/1.1\r\nhost: moho.test\r\nconnection: close\r\n\r\n";
    // With TLS 1.3, a client learns only afterwards that its certificate, or none, was not enough.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn only_who_shows_a_certificate_of_the_authority_gets_a_line() {
    let rig = Rig::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let (ours, strangers) = (
        clients(folder.path(), "ours.pem"),
        clients(folder.path(), "strangers.pem"),
    );
    let entrance = |id: &str| {
        let tls = rig.private_acceptor(&ours.authority).unwrap();
        Entrance::private(id.parse().unwrap(), tls)
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    rig.server.listen(listener, entrance("vpce-0a1b2c3d"));
    let path = folder.path().join("private.sock");
    let socket = SocketListener::bind(&path).unwrap();
    rig.server.listen_on_socket(socket, entrance("vpce-1a1b2c3d"));
    let uid = std::fs::metadata(folder.path()).unwrap().uid();
    for (shown, allowed) in [(Some(&ours), true), (Some(&strangers), false), (None, false)] {
        let network = heard(&rig, shown, TcpStream::connect(address).await.unwrap()).await;
        assert_eq!(
            network.contains("network via vpce-0a1b2c3d"),
            allowed,
            "{network}"
        );
        let local = heard(&rig, shown, UnixStream::connect(&path).await.unwrap()).await;
        let certificate = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &ours.certificate);
        let with = format!("with {:02x?}", certificate.as_ref());
        assert_eq!(network.contains(&with), allowed, "{network}");
        let expected = format!("user {uid} via vpce-1a1b2c3d {with}");
        assert_eq!(local.contains(&expected), allowed, "{local}");
        assert_eq!((network.is_empty(), local.is_empty()), (!allowed, !allowed));
    }
    // Of the public listener, nobody is asked for a certificate, and none opens another way.
    let public = heard(&rig, Some(&ours), TcpStream::connect(rig.address).await.unwrap()).await;
    assert!(public.contains("network via public with [00, 00"), "{public}");
}

#[tokio::test]
async fn each_connection_shows_its_certificate_anew() {
    let rig = Rig::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let ours = clients(folder.path(), "ours.pem");
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let private = listener.address();
    let tls = rig.private_acceptor(&ours.authority).unwrap();
    rig.server
        .listen(listener, Entrance::private("vpce-0a1b2c3d".parse().unwrap(), tls));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for (address, anew) in [(private, true), (rig.address, false)] {
            let connector = connector(&rig, Some(&ours), &[version]);
            let mut shaken = Vec::new();
            for _ in 0..2 {
                let name = ServerName::try_from("localhost").unwrap();
                let stream = TcpStream::connect(address).await.unwrap();
                let mut stream = connector.connect(name, stream).await.unwrap();
                assert!(said_to(&mut stream).await.contains("network via"));
                shaken.push(stream.get_ref().1.handshake_kind().unwrap());
            }
            let resumed = shaken.contains(&rustls::HandshakeKind::Resumed);
            assert_eq!(resumed, !anew, "{version:?} {address}: {shaken:?}");
        }
    }
}

#[tokio::test]
async fn plain_http_is_told_apart() {
    let rig = Rig::start(Limits::default());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    rig.server.listen(listener, Entrance::plain());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /seen HTTP/1.1\r\nhost: moho.test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("network via plain, insecure"), "{answer}");
}

#[tokio::test]
async fn whoever_speaks_plainly_to_a_unix_socket_is_told_so() {
    let rig = Rig::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let ours = clients(folder.path(), "ours.pem");
    let path = folder.path().join("private.sock");
    let tls = rig.private_acceptor(&ours.authority).unwrap();
    let entrance = Entrance::private("vpce-0a1b2c3d".parse().unwrap(), tls);
    rig.server
        .listen_on_socket(SocketListener::bind(&path).unwrap(), entrance);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A socket that is closed with something unread says so after what was written to it.
    if let Err(error) = stream.read_to_end(&mut answer).await {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("this port speaks HTTPS"), "{answer}");
}

#[test]
fn a_file_without_an_authority_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rig = tokio::runtime::Runtime::new().unwrap();
    let _inside = rig.enter();
    let rig = Rig::start(Limits::default());
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let ours = clients(folder.path(), "ours.pem");
    std::fs::write(
        folder.path().join("key.pem"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    for file in ["absent.pem", "empty.pem", "key.pem"] {
        assert!(rig.private_acceptor(&folder.path().join(file)).is_err(), "{file}");
    }
    assert!(rig.private_acceptor(&ours.authority).is_ok());
}
