//! Heads for S3 over the road, and what becomes of them on the way to the gateway and back.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use moho_iam::authn::TemporaryCredentials;
use moho_iam::bootstrap::Door;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::closing::Closing;
use crate::net::connection::{self, Handshake};
use crate::net::{Limits, Piece, RimSettings, Server, Via, activity::Activity};
use crate::road::RequestRoad;
use crate::road::tests::Rig;
use crate::system::{SystemClock, SystemEntropy};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signs a request's head with these headers, which are in order.
fn signed(
    rig: &Rig,
    by: &TemporaryCredentials,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    region: &str,
) -> String {
    let now = rig.platform().clock.now();
    let (date, time) = (now.basic_date(), now.iso8601_basic());
    let token = String::from_utf8(by.session_token.expose().to_vec()).unwrap();
    let mut all = vec![
        ("host", "moho.test"),
        ("x-amz-date", &time),
        ("x-amz-security-token", &token),
    ];
    all.extend_from_slice(headers);
    all.sort_unstable();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = all
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let payload = headers.iter().find(|(name, _)| *name == "x-amz-content-sha256");
    let canonical = format!(
        "{method}\n{path}\n\n{lines}\n{names}\n{}",
        payload.map_or("", |(_, hash)| hash)
    );
    let scope = format!("{date}/{region}/s3/aws4_request");
    let digest = hex(&authenticate::sha256(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let mut key = [b"AWS4", by.secret_access_key.expose()].concat();
    for part in scope.split('/') {
        key = hmac(&key, part);
    }
    let signature = hex(&hmac(&key, &text));
    let id = &by.access_key_id;
    let mut head = format!("{method} {path} HTTP/1.1\r\n{}", lines.replace('\n', "\r\n"));
    head.push_str(&format!(
        "connection: close\r\nauthorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n"
    ));
    head
}

/// What is answered to bytes of a client, who came by TLS or not.
async fn answer(rig: &Rig, via: Via, bytes: &str) -> String {
    let settings = RimSettings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::default()),
        limits: Limits::default(),
        attestation: HeaderValue::from_static("development"),
        closing: Closing::new(),
    };
    let server = Server::new(Arc::new(RequestRoad::new(Arc::clone(rig.platform()))), settings);
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let peer = Peer::Network(([192, 0, 2, 1], 40_000).into());
    let shaken = Handshake {
        certificate: None,
        version: Some("1.3"),
        cipher_suite: Some("TLS_AES_128_GCM_SHA256"),
    };
    let client = ((peer, via, shaken), Arc::new(Activity::new()));
    let serving = Box::pin(connection::http1(Arc::clone(server.rim()), theirs, client));
    let asking = async {
        ours.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        answer
    };
    tokio::join!(serving, asking).1
}

fn is(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(&format!("<Code>{code}</Code>")), "{answer}");
    assert!(answer.contains("\r\nx-amz-request-id: "), "{answer}");
    assert!(answer.contains("\r\nx-amz-id-2: "), "{answer}");
    assert!(answer.contains("content-type: application/xml"), "{answer}");
}

const LENGTH: (&str, &str) = ("content-length", "3");
const EXPECT: (&str, &str) = ("expect", "100-continue");

#[tokio::test]
async fn a_proof_that_fails_is_told_in_s3s_words_before_the_body_is_asked_for() {
    let rig = Rig::open();
    let by = rig.credentials();
    let region = rig.platform().region.as_str().to_owned();
    let put = ("PUT", "/some-bucket/a%20key");
    let sha = |value: &'static str| ("x-amz-content-sha256", value);
    let of = async |head: String| answer(&rig, Via::Public, &head).await;
    let headers = [LENGTH, EXPECT, sha("UNSIGNED-PAYLOAD")];
    let good = signed(&rig, &by, put, &headers, &region);
    let answers = [
        (good.replace("a%20key", "b"), 403, "SignatureDoesNotMatch"),
        (good.replace("ASIA", "ASIB"), 400, "InvalidToken"),
        (
            signed(&rig, &by, put, &headers, "eu-nowhere-1"),
            400,
            "AuthorizationHeaderMalformed",
        ),
        (
            signed(&rig, &by, put, &[LENGTH, EXPECT], &region),
            400,
            "InvalidRequest",
        ),
        (
            signed(&rig, &by, put, &[LENGTH, EXPECT, sha("x")], &region),
            400,
            "InvalidArgument",
        ),
    ];
    let before = rig.failures();
    let many = answers.len();
    for (head, status, code) in answers {
        let told = of(head).await;
        is(&told, status, code);
        assert!(!told.contains("100 Continue"), "{told}");
        assert!(told.contains("<Resource>/some-bucket/"), "{told}");
    }
    assert_eq!(rig.failures(), before + many, "each is journaled once");
    let streaming = [LENGTH, EXPECT, sha("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")];
    is(
        &of(signed(&rig, &by, put, &streaming, &region)).await,
        411,
        "MissingContentLength",
    );
    let told = of(signed(&rig, &by, put, &headers, "eu-nowhere-1")).await;
    assert!(told.contains(&format!("<Region>{region}</Region>")), "{told}");
    assert!(told.contains(&format!("x-amz-bucket-region: {region}")), "{told}");
    let told = of(signed(&rig, &by, ("HEAD", "/some-bucket"), &[sha("x")], &region)).await;
    assert!(
        told.starts_with("HTTP/1.1 400 ") && told.ends_with("\r\n\r\n"),
        "{told}"
    );
    let plainly = answer(&rig, Via::Plain, &good).await;
    is(&plainly, 400, "InvalidRequest");
}

#[tokio::test]
async fn older_signatures_are_told_what_to_use() {
    let rig = Rig::open();
    for (target, authorization) in [
        ("/b/k", "authorization: AWS AKIAEXAMPLEEXAMPLE22:c2lnbmF0dXJl\r\n"),
        ("/b/k?AWSAccessKeyId=AKIA&Expires=1&Signature=c2ln", ""),
        (
            "/b/k",
            "authorization: AWS4-ECDSA-P256-SHA256 Credential=AKIA/20261122/s3/aws4_request, SignedHeaders=host, Signature=00\r\n",
        ),
    ] {
        let head =
            format!("GET {target} HTTP/1.1\r\nhost: moho.test\r\nconnection: close\r\n{authorization}\r\n");
        let told = answer(&rig, Via::Public, &head).await;
        is(&told, 400, "InvalidRequest");
        assert!(told.contains("Please use AWS4-HMAC-SHA256."), "{told}");
    }
}

#[tokio::test]
async fn who_is_known_reaches_the_gateway_and_a_wrong_empty_body_does_not() {
    let rig = Rig::open();
    let by = rig.credentials();
    let region = rig.platform().region.as_str().to_owned();
    let get = ("GET", "/no-such-bucket-here/key");
    let head = signed(&rig, &by, get, &[("x-amz-content-sha256", EMPTY)], &region);
    let told = answer(&rig, Via::Public, &head).await;
    assert!(
        told.contains("\r\nx-amz-id-2: ") && !told.contains("Signature"),
        "{told}"
    );
    let other = "0".repeat(64);
    let head = signed(&rig, &by, get, &[("x-amz-content-sha256", &other)], &region);
    let before = rig.failures();
    let told = answer(&rig, Via::Public, &head).await;
    is(&told, 400, "XAmzContentSHA256Mismatch");
    assert_eq!(rig.failures(), before + 1, "what was signed did not come");
    let door = answer(&rig, Via::Door, &head).await;
    is(&door, 400, "XAmzContentSHA256Mismatch");
}

fn head_with(rig: &Rig, raw_query: &str, headers: &[(&'static str, &str)]) -> Head {
    let mut head = rig.head("/bucket/a%20b//c");
    head.method = Method::PUT;
    head.raw_query = raw_query.to_owned();
    head.headers = HeaderMap::new();
    for (name, value) in headers {
        head.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    head
}

#[tokio::test]
async fn what_a_document_may_take_is_known_by_its_head() {
    let rig = Rig::open();
    let gathered_with = |method: Method, raw_query: &str, headers: &[(&'static str, &str)]| {
        let mut head = head_with(&rig, raw_query, headers);
        head.method = method;
        authenticate::gathered(&head)
    };
    let gathered = |method: Method, raw_query: &str| gathered_with(method, raw_query, &[]);
    assert_eq!(gathered(Method::PUT, ""), (0, moho_s3::GATHERED));
    assert_eq!(gathered(Method::PUT, "tagging"), (1 << 20, 1 << 20));
    assert_eq!(gathered(Method::POST, "uploadId=x"), (8 << 20, 8 << 20));
    assert_eq!(gathered(Method::GET, ""), (0, moho_s3::GATHERED));
    let chunks = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let decoded = ("x-amz-decoded-content-length", "1000");
    assert_eq!(gathered_with(Method::PUT, "", &[chunks, decoded]), (0, 1000));
    assert_eq!(
        gathered_with(Method::POST, "uploadId=x", &[chunks, decoded]),
        (1000, 1000)
    );
    let whole = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(
        gathered_with(Method::PUT, "", &[whole, decoded]),
        (0, moho_s3::GATHERED),
        "it is not in chunks"
    );
}

fn shown(rig: &Rig, raw_query: &str, headers: &[(&'static str, &str)], length: Option<u64>) -> String {
    let request = request::stripped(&head_with(rig, raw_query, headers), length).unwrap();
    let mut lines: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    format!("{} | {}", request.uri(), lines.join(" | "))
}

#[tokio::test]
async fn what_proves_who_calls_does_not_reach_the_gateway() {
    let rig = Rig::open();
    let headers = [
        ("host", "moho.test"),
        ("authorization", "AWS4-HMAC-SHA256 x"),
        ("x-amz-security-token", "secret"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "3"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("content-encoding", "aws-chunked,gzip"),
        ("content-length", "100"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
        ("x-amz-meta-a", "b"),
    ];
    assert_eq!(
        shown(&rig, "uploadId=a%2Fb&partNumber=1&acl", &headers, Some(3)),
        "/bucket/a%20b//c?uploadId=a%2Fb&partNumber=1&acl | content-encoding: gzip | content-length: 3 | host: moho.test | \
         x-amz-meta-a: b | x-amz-trailer: x-amz-checksum-crc32"
    );
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1&X-Amz-SignedHeaders=host&\
        X-Amz-Security-Token=secret&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Signature=00&x-id=PutObject&\
        x-amz-server-side-encryption-aws-kms-key-id=alias%2Fmine";
    assert_eq!(
        shown(&rig, query, &[("content-encoding", "AWS-Chunked")], None),
        "/bucket/a%20b//c?x-id=PutObject | x-amz-server-side-encryption-aws-kms-key-id: alias/mine"
    );
    assert_eq!(
        shown(&rig, "x-amz-meta-a=b", &[], Some(0)),
        "/bucket/a%20b//c?x-amz-meta-a=b | content-length: 0",
        "of no presigned URL"
    );
}

#[tokio::test]
async fn what_failed_has_s3s_own_codes() {
    let rig = Rig::open();
    let head = head_with(&rig, "", &[]);
    let presigned = head_with(&rig, "X-Amz-Signature=00&X-Amz-Security-Token=x", &[]);
    let code = |head: &Head, error: &AuthnError| {
        let failure = from_authn(head, error);
        (failure.code(ErrorShape::S3), failure.status(ErrorShape::S3))
    };
    let (signed, now) = (head.received, head.received.plus_seconds(1000));
    let skewed = |signed, now| AuthnError::Skewed {
        signed,
        now,
        allowed_seconds: 900,
    };
    let old = skewed(signed, now);
    assert_eq!(code(&head, &old), ("RequestTimeTooSkewed", 403));
    assert_eq!(code(&presigned, &old), ("AccessDenied", 403));
    assert_eq!(
        code(&presigned, &skewed(now, signed)),
        ("RequestTimeTooSkewed", 403)
    );
    assert_eq!(code(&head, &AuthnError::UnknownKey), ("InvalidAccessKeyId", 403));
    assert_eq!(code(&presigned, &AuthnError::UnknownKey), ("InvalidToken", 400));
    let malformed = AuthnError::Malformed("x");
    assert_eq!(code(&head, &malformed), ("AuthorizationHeaderMalformed", 400));
    assert_eq!(
        code(&presigned, &malformed),
        ("AuthorizationQueryParametersError", 400)
    );
    for (error, expected) in [
        (RimError::BodyBroken, ("IncompleteBody", 400)),
        (RimError::BodyTooLarge { limit: 1 }, ("EntityTooLarge", 400)),
        (RimError::Busy, ("SlowDown", 503)),
        (RimError::Stopping, ("ServiceUnavailable", 503)),
        (RimError::Internal, ("InternalError", 500)),
    ] {
        let failure = from_rim(error);
        assert_eq!(
            (failure.code(ErrorShape::S3), failure.status(ErrorShape::S3)),
            expected
        );
    }
}

/// What is observed of a call that is made through the door.
fn observed(rig: &Rig, head: Head) -> ObjectCall {
    let platform = rig.platform();
    let (own, now) = (platform.own_uid, platform.clock.now());
    let door = Door::open(platform.attestation, platform.store.identity_provider().unwrap()).unwrap();
    let caller = door.admit(own, own, platform.account, now).unwrap();
    let facts = RequestFacts::new(head.request_id.clone());
    ObjectCall::begin(platform, &Arc::new(head), &facts, &caller)
}

fn response(status: u16, length: Option<&str>, body: s3s::Body) -> Response<s3s::Body> {
    let mut response = Response::builder().status(status);
    if let Some(length) = length {
        response = response.header("content-length", length);
    }
    response.body(body).unwrap()
}

#[tokio::test]
async fn replies_keep_what_belongs_to_them() {
    let rig = Rig::open();
    let telemetry = &rig.platform().telemetry;
    let span = RequestSpan::begin(telemetry, &head_with(&rig, "", &[]), "/{bucket}/{key}");
    let of = |response, is_head| {
        let call = observed(&rig, head_with(&rig, "", &[]));
        reply::outbound(response, is_head, (span.clone(), call))
    };
    let length = |outbound: &Outbound| {
        let found = outbound.headers.iter().find(|(name, _)| name == "content-length");
        found.map(|(_, value)| value.to_str().unwrap().to_owned())
    };
    let head = of(response(200, Some("7"), s3s::Body::empty()), true);
    assert!(matches!(head.body, Body::Empty) && length(&head).as_deref() == Some("7"));
    let unchanged = of(response(304, Some("7"), s3s::Body::empty()), false);
    assert!(matches!(unchanged.body, Body::Empty) && length(&unchanged).is_none());
    let whole = of(
        response(200, None, s3s::Body::from(Bytes::from_static(b"<a/>"))),
        false,
    );
    assert!(matches!(whole.body, Body::Full(_)));
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(3);
    for piece in [
        Ok(Bytes::from_static(b"abc")),
        Err(std::io::Error::other("damaged")),
    ] {
        sender.send(piece).await.unwrap();
    }
    drop(sender);
    let body = Receiving(receiver);
    let broken = of(response(200, Some("7"), s3s::Body::http_body_unsync(body)), false);
    let Body::Stream(mut pieces) = broken.body else {
        panic!("it is known when it comes");
    };
    assert!(matches!(pieces.recv().await, Some(Piece::More(_))));
    assert!(pieces.recv().await.is_none(), "broken off");
}

/// A body of what comes by a channel.
struct Receiving(tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl hyper::body::Body for Receiving {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        let next = self.0.poll_recv(cx);
        next.map(|next| next.map(|piece| piece.map(hyper::body::Frame::data)))
    }
}

/// A reply of six bytes in two pieces, and what becomes of it.
fn of_two_pieces(rig: &Rig) -> (tokio::sync::mpsc::Sender<Result<Bytes, std::io::Error>>, Outbound) {
    let head = head_with(rig, "", &[]);
    let span = RequestSpan::begin(&rig.platform().telemetry, &head, "/{bucket}/{key}");
    let (sender, receiver) = tokio::sync::mpsc::channel(3);
    let body = s3s::Body::http_body_unsync(Receiving(receiver));
    let measured = (span, observed(rig, head));
    (
        sender,
        reply::outbound(response(200, Some("6"), body), false, measured),
    )
}

async fn journaled(rig: &Rig, word: &str) -> usize {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        if rig.journaled(word) > 0 {
            break;
        }
    }
    rig.journaled(word)
}

#[tokio::test]
async fn what_came_of_a_call_is_in_the_journal_once() {
    let rig = Rig::open();
    let (sender, whole) = of_two_pieces(&rig);
    let Body::Stream(mut pieces) = whole.body else {
        panic!("it is known when it comes");
    };
    for piece in ["abc", "def"] {
        sender.send(Ok(Bytes::from(piece))).await.unwrap();
        assert!(pieces.recv().await.is_some());
    }
    drop((sender, pieces));
    let complete = r#""answer":{"status":200,"bytes_in":0,"bytes_out":6,"delivery":"complete"}"#;
    assert_eq!(journaled(&rig, complete).await, 1);
    let (sender, left) = of_two_pieces(&rig);
    sender.send(Ok(Bytes::from("abc"))).await.unwrap();
    let Body::Stream(mut pieces) = left.body else {
        panic!("it is known when it comes");
    };
    assert!(pieces.recv().await.is_some());
    drop(pieces);
    assert_eq!(
        journaled(&rig, r#""bytes_out":3,"delivery":"abandoned""#).await,
        1
    );
    drop(observed(&rig, head_with(&rig, "", &[])));
    let none = r#""answer":{"status":null,"bytes_in":0,"bytes_out":0,"delivery":"unanswered"}"#;
    assert_eq!(journaled(&rig, none).await, 1);
    assert_eq!(rig.journaled(r#""kind":"data-event""#), 3);
    let subject = r#""subject":{"bucket":"bucket","key":"a b//c"}"#;
    assert_eq!(rig.journaled(subject), 3);
}

#[tokio::test]
async fn nobody_has_an_answer_that_the_journal_does_not_know_of() {
    let rig = Rig::open().with_a_full_journal();
    let (sender, whole) = of_two_pieces(&rig);
    let Body::Stream(mut pieces) = whole.body else {
        panic!("it is known when it comes");
    };
    for piece in ["abc", "def"] {
        sender.send(Ok(Bytes::from(piece))).await.unwrap();
    }
    assert!(pieces.recv().await.is_some());
    assert!(pieces.recv().await.is_none(), "the last piece is not sent");
    let head = head_with(&rig, "", &[]);
    let call = observed(&rig, head_with(&rig, "", &[]));
    let done = Outbound {
        status: http::StatusCode::OK,
        headers: Vec::new(),
        body: Body::Empty,
        told: None,
    };
    assert_eq!(written_down(&call, done, &head).status.as_u16(), 503);
}
