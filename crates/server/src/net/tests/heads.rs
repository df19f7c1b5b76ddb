//! What the road is told about a request, what every reply says, and heads that are refused.

use http::{Method, StatusCode};
use moho_terms::RequestId;

use super::rig::Rig;
use crate::net::Limits;

#[tokio::test]
async fn the_head_arrives_as_it_was_sent() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        let (status, _, text) = client.ask(Method::POST, "/a%2Fb/../c//?x=%20&y", b"").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            text,
            "POST /a%2Fb/../c// ? x=%20&y @ moho.test host=moho.test network"
        );
    }
}

#[tokio::test]
async fn every_reply_is_labelled() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        for (path, expected) in [("/", 200), ("/empty", 204), ("/private", 403), ("/panic", 500)] {
            let (status, headers, _) = client.ask(Method::GET, path, b"").await;
            assert_eq!(status.as_u16(), expected, "{path}");
            let id = headers["x-request-id"].to_str().unwrap();
            assert!(id.parse::<RequestId>().is_ok());
            assert_eq!(headers["x-amzn-requestid"], id);
            assert_eq!(headers["moho-attestation"], "development");
            assert!(headers["date"].to_str().unwrap().ends_with(" GMT"));
            assert_eq!(headers.get_all("date").iter().count(), 1);
        }
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_and_not_the_connection() {
    let rig = Rig::start(Limits::default());
    for mut client in rig.both().await {
        assert_eq!(client.ask(Method::GET, "/panic", b"").await.2, "internal failure");
        assert_eq!(client.ask(Method::POST, "/length", b"four").await.2, "4");
    }
}

#[tokio::test]
async fn malformed_http_is_refused_and_ends_the_connection() {
    let rig = Rig::start(Limits::default());
    let refused = [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET https://b/ HTTP/1.1\r\nconnection: close\r\nhost: a\r\n\r\n",
    ];
    for request in refused {
        let answer = rig.answer_to(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer:?}");
    }
    let odd = rig
        .answer_to(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 200-maybe\r\n\r\n")
        .await;
    assert!(odd.starts_with("HTTP/1.1 417 "), "{odd}");
}

#[tokio::test]
async fn a_request_cannot_hide_another() {
    let rig = Rig::start(Limits::default());
    let smuggled = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 39\r\ntransfer-encoding: chunked\r\n\r\n\
                    0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = rig.answer_to(smuggled.as_bytes()).await;
    assert!(!answer.contains("/hidden"), "{answer}");
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let rig = Rig::start(Limits::default());
    let long = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(Limits::default().head)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(Limits::default().headers)
    );
    for request in [long, many] {
        let answer = rig.answer_to(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{}", answer.len());
    }
    let mut client = rig.http2().await;
    let mut request = client.request(Method::GET, "/", b"");
    request
        .headers_mut()
        .insert("x", "x".repeat(Limits::default().head).parse().unwrap());
    let refused = client.send(request).await;
    assert!(
        refused.is_err()
            || refused.is_ok_and(|reply| reply.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
}

#[tokio::test]
async fn a_body_in_a_coding_is_refused_unread() {
    let rig = Rig::start(Limits::default());
    let coded = |coding: &str| {
        format!(
            "POST /length HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-encoding: {coding}\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
        )
    };
    assert!(
        rig.answer_to(coded("gzip").as_bytes())
            .await
            .starts_with("HTTP/1.1 415 ")
    );
    let plain = coded("Identity").replace("expect: 100-continue\r\n", "") + "12345";
    assert!(rig.answer_to(plain.as_bytes()).await.ends_with("\r\n\r\n5"));
}
