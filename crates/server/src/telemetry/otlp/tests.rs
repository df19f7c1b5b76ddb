//! The exporter against collectors that the tests play.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::trace::{Place, Value};
use super::*;

const AT_ONCE: Patience = Patience {
    gather: Duration::ZERO,
    pauses: [Duration::ZERO; 3],
};

fn span() -> Span {
    let place = Place {
        trace: [1; 16],
        span: [2; 8],
        parent: None,
    };
    Span {
        place,
        kind: super::super::trace::Kind::Server,
        name: "GET /".to_owned(),
        start: 1,
        end: 2,
        attributes: vec![("http.route", Value::Word("/"))],
        failed: false,
    }
}

fn config(listener: &TcpListener) -> OtlpConfig {
    let address = listener.local_addr().unwrap();
    OtlpConfig {
        tls: false,
        host: address.ip().to_string(),
        port: address.port(),
        path: "/v1/traces".to_owned(),
        ca: None,
        share: 1.0,
    }
}

/// Reads one request whole, and gives one answer.
async fn answer(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        stream.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        if request.len() >= head.len() + 4 + length.parse::<usize>().unwrap() {
            break;
        }
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8_lossy(&request).into_owned()
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const NEVER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

fn counts(exporter: &Exporter) -> (u64, u64, u64, u64) {
    let counts = &exporter.counts;
    (
        counts.sent.get(),
        counts.queue_full.get(),
        counts.refused.get(),
        counts.unreachable.get(),
    )
}

#[tokio::test]
async fn what_waits_at_the_end_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = Exporter::with(&config(&listener), AT_ONCE).unwrap();
    exporter.take(span());
    exporter.take(span());
    let ((), request) = tokio::join!(exporter.finish(), answer(&listener, TAKEN));
    assert!(request.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-protobuf\r\n"));
    assert_eq!(counts(&exporter), (2, 0, 0, 0));
    exporter.finish().await;
}

#[tokio::test]
async fn a_busy_collector_is_asked_again_and_one_that_refuses_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporter = Exporter::with(&config(&listener), AT_ONCE).unwrap();
    exporter.take(span());
    answer(&listener, BUSY).await;
    answer(&listener, TAKEN).await;
    exporter.take(span());
    answer(&listener, NEVER).await;
    exporter.finish().await;
    assert_eq!(counts(&exporter), (1, 0, 1, 0));
}

#[tokio::test]
async fn a_queue_that_is_full_drops_and_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config(&listener);
    drop(listener);
    let exporter = Exporter::with(&config, AT_ONCE).unwrap();
    // Nothing is sent in between, as the test does not let others run.
    for _ in 0..QUEUE + 7 {
        exporter.take(span());
    }
    assert_eq!(counts(&exporter), (0, 7, 0, 0));
    exporter.finish().await;
    let (sent, full, refused, unreachable) = counts(&exporter);
    assert_eq!((sent, full, refused), (0, 7, 0));
    assert_eq!(
        unreachable,
        u64::try_from(QUEUE).unwrap(),
        "all that waited is accounted for"
    );
}
