//! Bodies that the road takes while they come: bounded in memory and time, and never taken for whole if they are not.

use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{Rig, expecting};
use crate::net::{Limits, RimError};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_body_far_larger_than_the_memory_for_bodies_arrives_whole() {
    let rig = Rig::start(Limits {
        body: 100_000,
        body_memory: 400_000,
        ..Limits::default()
    });
    for mut client in rig.both().await {
        for size in [0, 1, 100_000, 16 * MIB] {
            let (status, _, text) = client.ask(Method::PUT, "/pieces", &vec![b'x'; size]).await;
            assert_eq!((status, text), (StatusCode::OK, size.to_string()));
        }
    }
    let chunked = format!(
        "PUT /pieces HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        50_000,
        "x".repeat(50_000)
    );
    let answer = rig.answer_to(chunked.as_bytes()).await;
    assert!(answer.ends_with("\r\n\r\n50000"), "{answer}");
}

#[tokio::test]
async fn what_is_in_flight_of_bodies_is_counted() {
    let rig = Rig::start(Limits {
        body: 100_000,
        body_memory: 100_000,
        ..Limits::default()
    });
    let head = |size: usize| {
        format!("PUT /pieces HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n")
    };
    let mut first = rig.connect(b"http/1.1").await;
    first.write_all(head(MIB).as_bytes()).await.unwrap();
    first.write_all(b"some").await.unwrap();
    first.flush().await.unwrap();
    let mut answer = String::new();
    for _ in 0..200 {
        answer = rig.answer_to(format!("{}abc", head(MIB)).as_bytes()).await;
        if answer.starts_with("HTTP/1.1 503 ") {
            break;
        }
    }
    assert!(answer.contains("too many large requests"), "{answer}");
    let answer = rig.answer_to(format!("{}abc", head(3)).as_bytes()).await;
    assert!(
        answer.ends_with("\r\n\r\n3"),
        "a small one needs little: {answer}"
    );
    first.write_all(&vec![b'x'; MIB - 4]).await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n1048576"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stops_is_broken_for_the_road_too() {
    let mut rig = Rig::start(Limits::default());
    for framing in [
        "content-length: 5\r\n\r\nab",
        "transfer-encoding: chunked\r\n\r\n5\r\nab",
        "transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
    ] {
        let mut stream = rig.connect(b"http/1.1").await;
        let head = format!("PUT /pieces HTTP/1.1\r\nhost: a\r\n{framing}");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(30), rig.broken.recv()).await;
        assert_eq!(told.unwrap(), Some(RimError::BodyBroken), "{framing}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_in_an_error() {
    let mut rig = Rig::start(Limits {
        body_wait: Duration::from_millis(20),
        linger: Duration::from_millis(20),
        ..Limits::default()
    });
    let answer = rig
        .answer_to(b"PUT /pieces HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("did not arrive"),
        "{answer}"
    );
    let after = Duration::from_millis(20);
    assert_eq!(rig.broken.recv().await, Some(RimError::BodyTooSlow { after }));
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_is_not_asked_for() {
    let rig = Rig::start(Limits::default());
    let size = 65 * MIB;
    let answer = rig.answer_to(expecting("PUT /pieces", size).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = rig.answer_to(expecting("PUT /no-piece", 5).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "nobody looked: {answer}");
    let mut stream = rig.told_to_go_on(&expecting("PUT /pieces", 3)).await;
    stream.write_all(b"abc").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("\r\n\r\n3"), "{rest}");
}

#[tokio::test]
async fn a_reply_before_the_end_of_the_body_is_read() {
    let rig = Rig::start(Limits::default());
    for path in ["/first-piece", "/no-piece"] {
        for mut client in rig.both().await {
            let (status, headers, text) = client.ask(Method::PUT, path, &vec![b'x'; 16 * MIB]).await;
            assert_eq!((status, text.as_str()), (StatusCode::OK, "enough"));
            assert!(headers.get("connection").is_none_or(|close| close == "close"));
        }
    }
}

#[tokio::test]
async fn a_panic_in_the_middle_of_a_body_costs_one_request() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        let (status, _, text) = client.ask(Method::PUT, "/panic-at-piece", b"four").await;
        assert_eq!((status.as_u16(), text.as_str()), (500, "internal failure"));
    }
    let mut client = rig.http2().await;
    client.ask(Method::PUT, "/panic-at-piece", b"four").await;
    assert_eq!(client.ask(Method::PUT, "/pieces", b"four").await.2, "4");
}

#[tokio::test]
async fn only_bodies_in_pieces_may_be_packed() {
    let rig = Rig::start(Limits::default());
    for coding in ["aws-chunked", "aws-chunked,gzip", "gzip"] {
        let request = |path: &str| {
            format!(
                "PUT {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-encoding: {coding}\r\ncontent-length: 3\r\n\r\nabc"
            )
        };
        let answer = rig.answer_to(request("/pieces").as_bytes()).await;
        assert!(answer.ends_with("\r\n\r\n3"), "{answer}");
        let answer = rig.answer_to(request("/length").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    }
}

#[tokio::test]
async fn a_stopping_server_waits_no_longer_for_a_body() {
    let mut rig = Rig::start(Limits {
        drain: Duration::from_millis(20),
        ..Limits::default()
    });
    let mut stream = rig.connect(b"http/1.1").await;
    stream
        .write_all(b"PUT /pieces HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab")
        .await
        .unwrap();
    stream.flush().await.unwrap();
    let client = async {
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer).await);
        answer
    };
    let (_, answer) = tokio::join!(rig.server.finish(std::future::pending::<()>), client);
    if !answer.is_empty() {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert_eq!(rig.broken.recv().await, Some(RimError::Stopping));
    }
}

#[tokio::test]
async fn a_stream_of_a_said_length_has_that_length() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        let (status, headers, text) = client.ask(Method::GET, "/measured/11", b"").await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, "hello world"));
        assert_eq!(headers["content-length"], "11");
        let (_, headers, text) = client.ask(Method::HEAD, "/measured/11", b"").await;
        assert_eq!(
            (headers["content-length"].to_str().unwrap(), text.as_str()),
            ("11", "")
        );
    }
    for other in ["/measured/12", "/measured/10"] {
        for mut client in rig.both().await {
            let reply = client.get(other).await;
            assert!(reply.into_body().collect().await.is_err(), "{other}");
        }
    }
}
