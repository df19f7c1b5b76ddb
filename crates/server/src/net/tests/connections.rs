//! Connections: kept, counted, given up; strangers that speak no TLS; the door.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::rig::Rig;
use crate::door::{self, DoorSocket, DoorState};
use crate::net::{BindError, Limits, Listener};

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        for _ in 0..20 {
            assert_eq!(client.ask(Method::POST, "/length", b"12345").await.2, "5");
        }
    }
}

#[tokio::test]
async fn what_is_no_tls_is_turned_away() {
    let rig = Rig::start(Limits::default());
    let mut plain = TcpStream::connect(rig.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer).await);
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ")
            && answer
                .ends_with("\r\n\r\nthis port speaks HTTPS, not plain HTTP: begin the URL with https://"),
        "{answer}"
    );

    for garbage in [
        &[0_u8; 64][..],
        &[0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff],
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    ] {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream.read_to_end(&mut Vec::new()).await);
    }
    assert_eq!(
        rig.http2().await.get("/empty").await.status(),
        204,
        "others are served"
    );
}

#[tokio::test]
async fn half_open_connections_are_given_up() {
    let patience = Duration::from_millis(20);
    let limits = Limits {
        handshake: patience,
        head_wait: patience,
        idle: patience,
        ..Limits::default()
    };
    let rig = Rig::start(limits);
    let mut silent = TcpStream::connect(rig.address).await.unwrap();
    let mut dripping = TcpStream::connect(rig.address).await.unwrap();
    dripping.write_all(&[0x16, 3, 1]).await.unwrap();
    for stream in [&mut silent, &mut dripping] {
        drop(stream.read_to_end(&mut Vec::new()).await);
    }
    let mut half = rig.connect(b"http/1.1").await;
    half.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    drop(half.read_to_end(&mut Vec::new()).await);
    for protocol in [b"http/1.1".as_slice(), b"h2"] {
        let mut idle = rig.connect(protocol).await;
        drop(idle.read_to_end(&mut Vec::new()).await);
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_requests() {
    let limits = Limits {
        idle: Duration::from_millis(20),
        ..Limits::default()
    };
    let rig = Rig::start(limits);
    for protocol in 1..=2 {
        let mut client = if protocol == 1 {
            rig.http1().await
        } else {
            rig.http2().await
        };
        // On a slow machine the connection may have been idle for too long already.
        let request = client.request(Method::GET, "/empty", b"");
        assert!(
            client
                .send(request)
                .await
                .map_or(true, |reply| reply.status() == 204)
        );
        // `ready` fails once the server has closed the connection.
        while client.ready().await {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_connection_too_many_is_closed_at_once() {
    let rig = Rig::start(Limits {
        connections: 2,
        connections_per_peer: 2,
        ..Limits::default()
    });
    let [mut one, mut two] = rig.both().await;
    let streams = [one.get("/stream").await, two.get("/stream").await];
    assert!(rig.try_connect(b"h2").await.is_err(), "both have requests");
    drop(streams);
    drop((one, two));
    while rig.try_connect(b"h2").await.is_err() {}
}

#[tokio::test]
async fn an_unread_refusal_keeps_no_seat() {
    let rig = Rig::start(Limits {
        connections: 1,
        connections_per_peer: 1,
        stall: Duration::from_secs(3600),
        ..Limits::default()
    });
    let mut stranger = rig.http2_that_takes_nothing().await;
    let refusal = stranger.get("/private").await;
    let mut other = rig.http1().await;
    assert_eq!(other.get("/empty").await.status(), 204);
    assert!(
        refusal.into_body().collect().await.is_err(),
        "who lost the seat is gone soon"
    );
}

#[tokio::test]
async fn an_idle_connection_makes_room() {
    let rig = Rig::start(Limits {
        connections: 8,
        connections_per_peer: 2,
        ..Limits::default()
    });
    let [mut one, mut two] = rig.both().await;
    assert_eq!(two.get("/empty").await.status(), 204);
    assert_eq!(one.get("/empty").await.status(), 204);
    let mut third = rig.http1().await;
    assert_eq!(third.get("/empty").await.status(), 204);
    // `ready` fails once the server has closed the connection.
    while two.ready().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(one.get("/empty").await.status(), 204, "it was used later");
}

#[tokio::test]
async fn a_port_in_use_says_so() {
    let rig = Rig::start(Limits::default());
    let error = Listener::bind(rig.address).err().unwrap();
    assert!(matches!(error, BindError::InUse(_)) && error.to_string().contains("--listen"));
}

async fn at_the_door(path: &std::path::Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(path).await?;
    stream
        .write_all(b"GET /who HTTP/1.1\r\nhost: sts\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn the_door_tells_who_is_there_until_it_is_closed() {
    let rig = Rig::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let path = door::socket_path(folder.path());
    // A killed server leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (switch, state) = watch::channel(DoorState::Open);
    door::serve(
        &rig.server,
        DoorSocket::open(folder.path()).unwrap(),
        moho_os::own_user(),
        state,
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let answer = at_the_door(&path).await.unwrap();
    assert!(
        answer.ends_with(&format!("door {}", moho_os::own_user())),
        "{answer}"
    );

    let mut kept = UnixStream::connect(&path).await.unwrap();
    kept.write_all(b"GET /who HTTP/1.1\r\nhost: sts\r\n\r\n")
        .await
        .unwrap();
    assert!(kept.read(&mut [0; 1024]).await.unwrap() > 0);
    switch.send(DoorState::Closed).unwrap();
    assert_eq!(
        kept.read_to_end(&mut Vec::new()).await.unwrap(),
        0,
        "nobody stays inside"
    );
    while at_the_door(&path).await.is_ok() {}
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        rig.http1().await.get("/empty").await.status(),
        204,
        "the front is open"
    );
}

#[tokio::test]
async fn the_door_admits_no_other_user() {
    let rig = Rig::start(Limits::default());
    let folder = tempfile::tempdir().unwrap();
    let (_switch, state) = watch::channel(DoorState::Open);
    door::serve(
        &rig.server,
        DoorSocket::open(folder.path()).unwrap(),
        moho_os::own_user() + 1,
        state,
    );
    let answer = at_the_door(&door::socket_path(folder.path())).await;
    assert!(answer.map_or(true, |text| text.is_empty()));
}

#[test]
fn a_path_too_long_for_a_socket_says_so() {
    let error = DoorSocket::open(&std::path::Path::new("/").join("x".repeat(120)))
        .err()
        .unwrap();
    assert!(error.to_string().contains("shorter path"), "{error}");
}
