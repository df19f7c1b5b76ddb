//! Streamed replies: each piece at once, the client's leaving, the client's sleeping, the server's end.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{LARGE, Rig};
use crate::net::Limits;

const FIRST: Bytes = Bytes::from_static(b"data: one\n\n");
const SECOND: Bytes = Bytes::from_static(b"data: two\n\n");

#[tokio::test]
async fn each_piece_arrives_before_the_next_is_made() {
    let mut rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        let mut reply = client.get("/stream").await;
        for piece in [FIRST, SECOND] {
            rig.pieces.send(piece.clone()).unwrap();
            assert_eq!(reply.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
        }
        drop(reply);
        drop(client);
        rig.left.recv().await.unwrap();
    }
}

#[tokio::test]
async fn the_road_sees_a_client_leave() {
    let mut rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        let mut reply = client.get("/stream").await;
        rig.pieces.send(FIRST).unwrap();
        reply.frame().await.unwrap().unwrap();
        drop((reply, client));
        rig.left.recv().await.unwrap();
    }
}

#[tokio::test]
async fn leaving_one_stream_of_a_connection_is_seen_too() {
    let mut rig = Rig::start(Limits::default());
    let mut client = rig.http2().await;
    let mut reply = client.get("/stream").await;
    rig.pieces.send(FIRST).unwrap();
    reply.frame().await.unwrap().unwrap();
    drop(reply);
    rig.left.recv().await.unwrap();
    assert_eq!(client.get("/empty").await.status(), 204, "the connection goes on");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let limits = Limits {
        stall: Duration::from_millis(40),
        ..Limits::default()
    };
    let mut rig = Rig::start(limits);
    let mut sleeping = rig.connect(b"http/1.1").await;
    sleeping
        .write_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..64 {
        rig.pieces.send(Bytes::from(vec![b'x'; 1 << 20])).unwrap();
    }
    rig.left.recv().await.unwrap();
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_cut_alone() {
    let limits = Limits {
        stall: Duration::from_millis(40),
        ..Limits::default()
    };
    let mut rig = Rig::start(limits);
    let mut client = rig.http2().await;
    let reply = client.get("/stream").await;
    for _ in 0..64 {
        rig.pieces.send(Bytes::from(vec![b'x'; 1 << 20])).unwrap();
    }
    assert_eq!(
        client.ask(Method::POST, "/length", b"123").await.2,
        "3",
        "others go on"
    );
    rig.left.recv().await.unwrap();
    assert_eq!(client.get("/empty").await.status(), 204, "the connection goes on");
    assert!(
        reply.into_body().collect().await.is_err(),
        "a cut stream does not look like a whole one"
    );
}

#[tokio::test]
async fn a_whole_reply_keeps_its_place_until_its_client_has_room_for_it() {
    let limits = Limits {
        requests: 1,
        ..Limits::default()
    };
    let rig = Rig::start(limits);
    let [mut other, mut client] = rig.both().await;
    let reply = client.get("/large").await;
    assert_eq!(reply.headers()["content-length"], LARGE.to_string());
    assert_eq!(other.get("/length").await.status(), 429);
    assert_eq!(reply.into_body().collect().await.unwrap().to_bytes().len(), LARGE);
    while other.get("/length").await.status() != 200 {}
}

#[tokio::test]
async fn a_whole_reply_that_is_not_taken_is_cut() {
    let limits = Limits {
        requests: 1,
        stall: Duration::from_millis(40),
        ..Limits::default()
    };
    let rig = Rig::start(limits);
    let [mut other, mut client] = rig.both().await;
    let reply = client.get("/large").await;
    while other.get("/length").await.status() != 200 {}
    assert!(
        reply.into_body().collect().await.is_err(),
        "a cut reply does not look like a whole one"
    );
}

#[tokio::test]
async fn a_request_too_many_is_refused_at_once() {
    let limits = Limits {
        requests: 4,
        connections_per_peer: Limits::default().connections / 2,
        ..Limits::default()
    };
    let mut rig = Rig::start(limits);
    let mut client = rig.http2().await;
    let streams = [client.get("/stream").await, client.get("/stream").await];
    let mut other = rig.http1().await;
    assert_eq!(
        other.get("/length").await.status(),
        429,
        "half is one peer's share"
    );
    assert_eq!(
        other.get("/private").await.status(),
        403,
        "refusals take no place"
    );
    drop(streams);
    rig.left.recv().await.unwrap();
    while other.get("/length").await.status() != 200 {}
}

#[tokio::test]
async fn a_body_that_still_comes_when_time_is_over_is_answered() {
    let rig = Rig::start(Limits::default());
    let mut slow = rig.connect(b"http/1.1").await;
    slow.write_all(b"POST /length HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .await
        .unwrap();
    // Once it says that it waits for the body, it does.
    let mut go_on = [0; 25];
    slow.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    slow.write_all(b"123").await.unwrap();
    let mut hurries = 0;
    // The first signal lets it go on, the second does not.
    let whole = rig.server.finish(async || {
        hurries += 1;
        if hurries > 1 {
            std::future::pending::<()>().await;
        }
    });
    let mut answer = String::new();
    let (whole, _) = tokio::join!(whole, slow.read_to_string(&mut answer));
    assert!(!whole);
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("the server is stopping"),
        "{answer}"
    );
}

#[tokio::test]
async fn half_a_head_does_not_hold_up_the_end() {
    let rig = Rig::start(Limits::default());
    let mut half = rig.connect(b"http/1.1").await;
    half.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
    let _idle = rig.connect(b"h2").await;
    assert!(rig.server.finish(std::future::pending).await);
}

#[tokio::test]
async fn stopping_lets_a_stream_end() {
    let rig = Rig::start(Limits::default());
    let [mut one, mut two] = rig.both().await;
    let mut reply = one.get("/stream").await;
    assert_eq!(two.get("/empty").await.status(), 204);
    let address = rig.address;
    let finishing = rig.server.finish(std::future::pending);
    let streaming = async {
        // Once the server refuses connections it is stopping, and the stream goes on.
        while tokio::net::TcpStream::connect(address).await.is_ok() {}
        rig.pieces.send(FIRST).unwrap();
        drop(rig.pieces);
        reply.body_mut().collect().await.unwrap().to_bytes()
    };
    let (whole, text) = tokio::join!(finishing, streaming);
    assert!(whole);
    assert_eq!(text, FIRST);
}

#[tokio::test]
async fn stopping_in_a_hurry_cuts_a_stream() {
    let mut rig = Rig::start(Limits::default());
    let mut client = rig.http1().await;
    let mut reply = client.get("/stream").await;
    rig.pieces.send(FIRST).unwrap();
    reply.frame().await.unwrap().unwrap();
    assert!(!rig.server.finish(async || {}).await);
    rig.left.recv().await.unwrap();
    assert!(
        reply.frame().await.unwrap().is_err(),
        "a cut stream does not look like a whole one"
    );
}

#[tokio::test]
async fn a_stream_says_that_it_is_whole() {
    let rig = Rig::start(Limits::default());
    let mut stream = rig.connect(b"http/1.1").await;
    stream
        .write_all(b"GET /stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    rig.pieces.send(FIRST).unwrap();
    drop(rig.pieces);
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert!(all.ends_with("\r\n\r\nB\r\ndata: one\n\n\r\n0\r\n\r\n"), "{all}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_does_not_look_whole() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        let reply = client.get("/broken-stream").await;
        assert_eq!(reply.status(), 200);
        assert!(reply.into_body().collect().await.is_err());
    }
}
