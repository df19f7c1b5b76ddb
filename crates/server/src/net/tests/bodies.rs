//! Bodies: counted, bounded, timed, and refused in words that the client gets to read.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{Rig, expecting};
use crate::net::Limits;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn bodies_up_to_the_limit_arrive_whole() {
    let rig = Rig::start(Limits {
        body: MIB,
        ..Limits::default()
    });
    for mut client in rig.both().await {
        for size in [0, 1, 100_000, MIB] {
            let (status, _, text) = client.ask(Method::POST, "/length", &vec![b'x'; size]).await;
            assert_eq!((status, text), (StatusCode::OK, size.to_string()));
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_far_too_much_still_reads_why() {
    let rig = Rig::start(Limits {
        body: MIB,
        ..Limits::default()
    });
    for mut client in rig.both().await {
        let (status, _, text) = client.ask(Method::POST, "/length", &vec![b'x'; 16 * MIB]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(text, "the request body is longer than the limit of 1048576 bytes");
    }
}

#[tokio::test]
async fn a_client_that_was_told_to_go_on_and_sends_too_much_reads_why() {
    let rig = Rig::start(Limits {
        body: 100,
        ..Limits::default()
    });
    let head =
        "POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n";
    let mut stream = rig.told_to_go_on(head).await;
    // More than the buffers between the two hold: it is only sent if somebody reads it.
    let size = 16 * MIB;
    stream
        .write_all(format!("{size:x}\r\n").as_bytes())
        .await
        .unwrap();
    stream.write_all(&vec![b'x'; size]).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_of_no_said_length_is_counted_as_it_comes() {
    let rig = Rig::start(Limits {
        body: 100,
        ..Limits::default()
    });
    let chunked = |size: usize| {
        format!(
            "POST /length HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{}\r\n0\r\n\r\n",
            "x".repeat(size)
        )
    };
    assert!(
        rig.answer_to(chunked(100).as_bytes())
            .await
            .ends_with("\r\n\r\n100")
    );
    assert!(
        rig.answer_to(chunked(101).as_bytes())
            .await
            .starts_with("HTTP/1.1 413 ")
    );
}

#[tokio::test]
async fn a_body_is_only_asked_for_when_it_is_wanted() {
    let rig = Rig::start(Limits {
        body: 100,
        ..Limits::default()
    });
    assert!(
        rig.answer_to(expecting("POST /length", 101).as_bytes())
            .await
            .starts_with("HTTP/1.1 413 ")
    );
    assert!(
        rig.answer_to(expecting("POST /private", 100).as_bytes())
            .await
            .starts_with("HTTP/1.1 403 ")
    );
    let mut stream = rig.told_to_go_on(&expecting("POST /length", 3)).await;
    stream.write_all(b"abc").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(
        rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("\r\n\r\n3"),
        "{rest}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let rig = Rig::start(Limits {
        body_wait: Duration::from_millis(20),
        linger: Duration::from_millis(20),
        ..Limits::default()
    });
    let answer = rig
        .answer_to(b"POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("did not arrive"),
        "{answer}"
    );
}

#[tokio::test]
async fn bodies_in_progress_share_one_memory() {
    let rig = Rig::start(Limits {
        body: 100_000,
        body_memory: 150_000,
        ..Limits::default()
    });
    let head = "POST /length HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000\r\nexpect: 100-continue\r\n\r\n";
    let mut first = rig.connect(b"http/1.1").await;
    first.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    first.read_exact(&mut interim).await.unwrap();
    first.write_all(&[b'x'; 99_999]).await.unwrap();

    // The first body is being held: a second of its size is asked to come again, until the first is gone.
    let mut refused = false;
    for _ in 0..1000 {
        let mut second = rig.http1().await;
        let status = second.ask(Method::POST, "/length", &[b'x'; 100_000]).await.0;
        refused = status == StatusCode::SERVICE_UNAVAILABLE;
        if refused {
            break;
        }
    }
    assert!(refused);
    first.write_all(b"x").await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n100000"), "{answer}");
    let mut third = rig.http1().await;
    assert_eq!(
        third.ask(Method::POST, "/length", &[b'x'; 100_000]).await.2,
        "100000"
    );
}

#[tokio::test]
async fn those_who_claim_to_have_one_key_share_a_part_until_it_is_shown() {
    let rig = Rig::start(Limits {
        body: 100_000,
        body_memory: 1_000_000,
        ..Limits::default()
    });
    let slow = b"POST /claimed HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = rig.connect(b"http/1.1").await;
        stream.write_all(slow).await.unwrap();
        stream.write_all(&[b'x'; 99_999]).await.unwrap();
        held.push(stream);
    }
    let mut client = rig.http2().await;
    let mut refused = false;
    for _ in 0..1000 {
        let (status, _, text) = client.ask(Method::POST, "/claimed", &[b'x'; 100_000]).await;
        refused = status == StatusCode::TOO_MANY_REQUESTS;
        if refused {
            assert_eq!(text, "too many large requests at once for one access key");
            break;
        }
    }
    assert!(refused);
    for (path, size) in [("/claimed", 1000), ("/length", 100_000)] {
        let (status, _, text) = client.ask(Method::POST, path, &vec![b'x'; size]).await;
        assert_eq!((status, text), (StatusCode::OK, size.to_string()), "{path}");
    }
    for mut stream in held {
        stream.write_all(b"x").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\n100000"), "{answer}");
    }
    let (status, _, _) = client.ask(Method::POST, "/claimed", &[b'x'; 100_000]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_route_that_takes_little_is_sent_little() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        assert_eq!(client.ask(Method::POST, "/small", &[b'x'; 10]).await.2, "10");
        let (status, _, text) = client.ask(Method::POST, "/small", &[b'x'; 11]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(text, "the request body is longer than the limit of 10 bytes");
    }
    let announced = b"POST /small HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\nexpect: 100-continue\r\n\r\n";
    assert!(rig.answer_to(announced).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_stream_holds_the_memory_of_its_request() {
    let rig = Rig::start(Limits {
        body: 100_000,
        body_memory: 150_000,
        ..Limits::default()
    });
    let [mut first, mut second] = rig.both().await;
    let body = [b'x'; 100_000];
    let request = first.request(Method::POST, "/stream", &body);
    let stream = first.send(request).await.unwrap();
    let (status, _, text) = second.ask(Method::POST, "/length", &body).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "too many large requests at once")
    );
    drop((stream, first));
    while second.ask(Method::POST, "/length", &body).await.0 != StatusCode::OK {}
}
