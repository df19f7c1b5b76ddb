//! The observers' listener, and those who misuse it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::{Config, Surroundings, Typed};
use crate::net::Listener;
use crate::startup::{self, Started};

struct Rig {
    listener: MetricsListener,
    _folder: tempfile::TempDir,
    _locks: (moho_os::FileLock, moho_os::FileLock),
}

impl Rig {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(folder.path().to_owned()),
        };
        let config = Config::resolve(&Typed::default(), &surroundings).unwrap();
        let Started { platform, locks, .. } = startup::open(&config, &mut |_, _, _| {}).unwrap();
        let socket = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            listener: MetricsListener::open(socket, Arc::new(Observed::new(platform))),
            _folder: folder,
            _locks: locks,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listener.address()).await.unwrap()
    }

    /// What comes back for these bytes, until the end of the connection.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        // A connection that is cut in the middle has said what it says.
        drop(stream.read_to_end(&mut reply).await);
        String::from_utf8(reply).unwrap()
    }
}

#[tokio::test]
async fn it_shows_three_pages_and_nothing_else() {
    let rig = Rig::open();
    let metrics = rig.ask("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(metrics.contains("\nmoho_build_info{version=\""));
    assert!(metrics.contains("\nprocess_resident_memory_bytes "));
    let head = rig.ask("HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"));
    let health = rig.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(
        health.contains("{\"status\":\"ok\",\"attestation\":\"development\"}"),
        "{health}"
    );
    let ready = rig.ask("GET /readyz?x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("\"models\":\"none\""));
    for (request, status) in [
        (
            "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n",
            "405",
        ),
        ("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        ("\0\0\0\r\n\r\n", "400"),
    ] {
        let reply = rig.ask(request).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
    }
}

#[tokio::test]
async fn nobody_makes_it_hold_much() {
    let rig = Rig::open();
    let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    assert!(!rig.ask(&long).await.contains("moho_build_info"));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(rig.ask(&many).await.starts_with("HTTP/1.1 431 "));
    let two = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
    let replies = rig.ask(&two).await;
    assert_eq!(
        replies.matches("HTTP/1.1").count(),
        1,
        "one answer for a connection"
    );
}

#[tokio::test]
async fn nobody_waits_for_those_that_ask_nothing() {
    let rig = Rig::open();
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(rig.connect().await);
    }
    let health = rig.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(health.starts_with("HTTP/1.1 200 "));
    let last = silent.pop().unwrap().into_std().unwrap();
    let open = last.peek(&mut [0]).unwrap_err();
    assert_eq!(
        open.kind(),
        std::io::ErrorKind::WouldBlock,
        "its time was not over"
    );
    let mut rest = Vec::new();
    drop(silent.remove(0).read_to_end(&mut rest).await);
    assert!(rest.is_empty(), "the oldest made room");
}

#[tokio::test]
async fn it_ends_with_all_its_connections() {
    let rig = Rig::open();
    let mut open = rig.connect().await;
    let health = rig.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(health.starts_with("HTTP/1.1 200 "));
    let address = rig.listener.address();
    drop(rig);
    let mut rest = Vec::new();
    drop(open.read_to_end(&mut rest).await);
    assert!(rest.is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}
