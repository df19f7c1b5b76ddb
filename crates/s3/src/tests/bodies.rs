//! Bodies: large, short, broken, damaged.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;

use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3ErrorCode, StdError};

use super::*;
use crate::Notes;

/// A body that comes in pieces, and may end in an error.
struct Pieces(Vec<Result<Bytes, StdError>>);

impl Stream for Pieces {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.0.remove(0)))
    }
}

impl ByteStream for Pieces {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::unknown()
    }
}

// Errors of bodies are boxed, and shared by nobody.
struct Alone(Mutex<Pieces>);

impl Stream for Alone {
    type Item = Result<Bytes, StdError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let mut pieces = self.0.lock().unwrap();
        Pin::new(&mut *pieces).poll_next(context)
    }
}

impl ByteStream for Alone {}

fn streamed(path: &str, headers: &[(&str, &str)], pieces: Vec<Result<Bytes, StdError>>) -> Request<Body> {
    let mut asked = request("PUT", path, &[], b"");
    asked.headers_mut().remove("content-length");
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        asked.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream: s3s::stream::DynByteStream = Box::pin(Alone(Mutex::new(Pieces(pieces))));
    *asked.body_mut() = Body::from(stream);
    asked
}

fn words(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 31 % 251).unwrap())
        .collect()
}

#[tokio::test]
async fn large_objects_come_and_go_in_pieces() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let bytes = words(5 * (1 << 20) + 17);
    let pieces = bytes
        .chunks(70_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let length = bytes.len().to_string();
    let put = house
        .ask(streamed("/my-bucket/k", &[("content-length", &length)], pieces))
        .await;
    assert_eq!(put.status.as_u16(), 200, "{}", put.text());
    let got = house.done("GET", "/my-bucket/k", &[], b"").await;
    assert!(got.bytes() == bytes);
    let range = [("range", "bytes=1048570-3145735")];
    let got = house.done("GET", "/my-bucket/k", &range, b"").await;
    assert!(got.bytes() == &bytes[1_048_570..3_145_736]);
}

/// More readers than chunks may be open: those that were not used for longest are closed, and opened again.
#[tokio::test]
async fn readers_that_wait_for_their_clients_lose_their_chunks_and_nothing_else() {
    use http_body_util::BodyExt;

    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let bytes = words((1 << 20) + 300_000);
    house.done("PUT", "/my-bucket/k", &[], &bytes).await;
    let mut readers = Vec::new();
    for _ in 0..80 {
        let call = S3Call {
            caller: Arc::clone(&house.admin),
            facts: house.facts(),
            proof: Proof::default(),
            request: request("GET", "/my-bucket/k", &[], b""),
            trailers: Trailers::new(),
            notes: Notes::new(),
        };
        let mut body = house.gateway.answer(call).await.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), 64 << 10, "a slice, and no chunk");
        readers.push((first.to_vec(), body));
    }
    for (mut got, mut body) in readers {
        got.extend_from_slice(&body.store_all_limited(64 << 20).await.unwrap());
        assert!(got == bytes);
    }
}

#[tokio::test]
async fn a_body_has_the_length_that_it_was_said_to_have() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let piece = || vec![Ok(Bytes::from_static(b"12345"))];
    for (length, expected) in [
        ("5", "200 "),
        ("6", "400 IncompleteBody"),
        ("4", "400 IncompleteBody"),
    ] {
        let put = house
            .ask(streamed("/my-bucket/k", &[("content-length", length)], piece()))
            .await;
        assert_eq!(format!("{} {}", put.status.as_u16(), put.code()), expected);
    }
    let without = house.ask(streamed("/my-bucket/k", &[], piece())).await;
    assert_eq!(
        (without.status.as_u16(), without.code().as_str()),
        (411, "MissingContentLength")
    );
    let decoded = [("content-length", "99"), ("x-amz-decoded-content-length", "5")];
    assert_eq!(
        house
            .ask(streamed("/my-bucket/k", &decoded, piece()))
            .await
            .status
            .as_u16(),
        200
    );
    let large = house
        .ask(streamed(
            "/my-bucket/k",
            &[("content-length", "5368709121")],
            piece(),
        ))
        .await;
    assert_eq!(large.code(), "EntityTooLarge");
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_in_the_words_of_who_took_it_apart() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let error = S3Error::with_message(S3ErrorCode::SignatureDoesNotMatch, "no");
    let pieces = vec![Ok(Bytes::from_static(b"1")), Err(Box::new(error) as StdError)];
    let put = house
        .ask(streamed("/my-bucket/k", &[("content-length", "5")], pieces))
        .await;
    assert_eq!(
        (put.status.as_u16(), put.code().as_str()),
        (403, "SignatureDoesNotMatch")
    );
    let pieces = vec![Err(Box::new(std::io::Error::other("cut")) as StdError)];
    let put = house
        .ask(streamed("/my-bucket/k", &[("content-length", "5")], pieces))
        .await;
    assert_eq!(
        (put.status.as_u16(), put.code().as_str()),
        (400, "IncompleteBody")
    );
    assert_eq!(house.plain("GET", "/my-bucket/k").await.code(), "NoSuchKey");
}

#[tokio::test]
async fn checksums_are_verified_before_anything_is_kept() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    for (header, right) in [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        (
            "x-amz-checksum-sha256",
            "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        ),
        ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
    ] {
        house
            .done("PUT", "/my-bucket/k", &[(header, right)], b"123456789")
            .await;
        let wrong = house
            .ask(request("PUT", "/my-bucket/k", &[(header, right)], b"12345678"))
            .await;
        assert_eq!(
            (wrong.status.as_u16(), wrong.code().as_str()),
            (400, "BadDigest"),
            "{header}"
        );
        assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"123456789");
    }
    let trailers = Trailers::new();
    trailers.put(
        [(
            "x-amz-checksum-crc32".parse().unwrap(),
            "y/Q5Jg==".parse().unwrap(),
        )]
        .into_iter()
        .collect(),
    );
    let announced = [("x-amz-trailer", "x-amz-checksum-crc32")];
    let asked = request("PUT", "/my-bucket/t", &announced, b"123456789");
    let put = house.ask_with(&house.admin, asked, trailers).await;
    assert_eq!(put.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    assert_eq!(
        house
            .done("HEAD", "/my-bucket/t", &asked, b"")
            .await
            .header("x-amz-checksum-crc32"),
        "y/Q5Jg=="
    );
}

#[tokio::test]
async fn a_damaged_object_is_no_answer_or_one_that_is_broken_off() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let bytes = words(4 << 20);
    house.done("PUT", "/my-bucket/k", &[], &bytes).await;
    let file = file_in(&house.directory.path().join("store/objects"));
    let whole = std::fs::read(&file).unwrap();
    let flip = |at: usize| {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, damaged).unwrap();
    };
    flip(20_000);
    let first = house.plain("GET", "/my-bucket/k").await;
    assert_eq!(
        (first.status.as_u16(), first.code().as_str()),
        (500, "InternalError")
    );
    assert!(first.element("Message").contains("chunk 0"), "{}", first.text());
    let noted = first.noted.damage.as_deref();
    assert!(noted.is_some_and(|noted| noted.starts_with("chunk 0 of segment")));
    flip(whole.len() - 20_000);
    let last = house.plain("GET", "/my-bucket/k").await;
    assert_eq!(last.status.as_u16(), 200);
    assert!(last.body.is_err());
    assert!(
        last.noted.damage.is_some(),
        "nobody else says why it is broken off"
    );
    let range = house
        .ask(request("GET", "/my-bucket/k", &[("range", "bytes=0-9")], b""))
        .await;
    assert_eq!(range.bytes(), &bytes[..10]);
    assert_eq!(range.noted.damage, None);
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(house.plain("GET", "/my-bucket/k").await.code(), "InternalError");
    std::fs::write(&file, &whole).unwrap();
    assert!(house.plain("GET", "/my-bucket/k").await.bytes() == bytes);
}

fn file_in(folder: &std::path::Path) -> std::path::PathBuf {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let found = file_in(&path);
            if found.is_file() {
                return found;
            }
        } else if std::fs::metadata(&path).unwrap().len() > 1 << 20 {
            return path;
        }
    }
    folder.to_owned()
}

/// What would be refused in the end is refused before anybody sends its bytes.
#[tokio::test]
async fn a_body_that_is_in_vain_is_not_taken() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let broken = || {
        let broken: StdError = "nothing was to be read".into();
        vec![Err(broken)]
    };
    let tags: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
    let tags = tags.join("&");
    for (header, expected) in [
        (("x-amz-meta-nothing", "special"), "400 IncompleteBody"),
        (("if-none-match", "*"), "412 PreconditionFailed"),
        (("if-match", "\"other\""), "412 PreconditionFailed"),
        (("x-amz-tagging", tags.as_str()), "400 BadRequest"),
        (("x-amz-object-lock-legal-hold", "ON"), "400 InvalidRequest"),
    ] {
        let headers = [("content-length", "5"), header];
        let put = house.ask(streamed("/my-bucket/k", &headers, broken())).await;
        assert_eq!(
            format!("{} {}", put.status.as_u16(), put.code()),
            expected,
            "{header:?}"
        );
    }
    let held = [("x-amz-bucket-object-lock-enabled", "true")];
    house.done("PUT", "/held-bucket", &held, b"").await;
    let hold = [("x-amz-object-lock-legal-hold", "ON")];
    house.done("PUT", "/held-bucket/k", &hold, b"x").await;
    let newer = house
        .done("PUT", "/held-bucket/k", &[], b"a version beside it")
        .await;
    assert_eq!(newer.status.as_u16(), 200);
}
