//! AWS's published bodies, and bodies of our own cut, changed and cut short everywhere.

use aws_lc_rs::{digest, hmac};
use moho_terms::Timestamp;
use proptest::prelude::*;

use super::super::signature::{Scope, SigningKeys};
use super::*;

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SCOPE: Scope<'_> = Scope {
    date: "20130524",
    region: "us-east-1",
    service: "s3",
};

fn signed_at() -> Timestamp {
    Timestamp::parse_iso8601_basic("20130524T000000Z").unwrap()
}

fn key() -> hmac::Key {
    SigningKeys::new().of_tests(SECRET, SCOPE)
}

fn payload(form: Form, decoded_length: usize, trailers: &[&str], seed: [u8; 32]) -> Payload {
    Payload {
        form,
        decoded_length: Some(decoded_length.try_into().unwrap()),
        trailers: trailers.iter().map(|name| (*name).to_owned()).collect(),
        signed_at: signed_at(),
        chain: Chain::new(key(), (SCOPE, signed_at()), seed),
    }
}

/// What passes of a body in these pieces, and what comes of it.
fn pass<'a>(
    payload: Payload,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Result<Trailers, PayloadError>) {
    let (mut check, mut out) = (payload.check(), Vec::new());
    for piece in pieces {
        if let Err(error) = check.push(piece, &mut out) {
            assert_eq!(check.push(b"", &mut out), Err(error), "it stays refused");
            return (out, Err(error));
        }
    }
    let result = check.finish(&mut out);
    (out, result)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Writes chunks as clients do, each signed if the form says so.
struct Writer {
    signed: bool,
    previous: String,
    body: Vec<u8>,
}

impl Writer {
    fn sign(&mut self, kind: &str, last: &str) -> String {
        let text = format!(
            "{kind}\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n{}\n{last}",
            self.previous
        );
        self.previous = hex::encode(hmac::sign(&key(), text.as_bytes()).as_ref());
        self.previous.clone()
    }

    fn chunk(&mut self, data: &[u8]) {
        let mut line = format!("{:x}", data.len());
        if self.signed {
            let last = format!("{EMPTY_SHA256}\n{}", sha256(data));
            let signature = self.sign("AWS4-HMAC-SHA256-PAYLOAD", &last);
            line.push_str(&format!(";chunk-signature={signature}"));
        }
        self.body.extend_from_slice(line.as_bytes());
        self.body.extend_from_slice(b"\r\n");
        if !data.is_empty() {
            self.body.extend_from_slice(data);
            self.body.extend_from_slice(b"\r\n");
        }
    }

    fn trailers(&mut self, trailers: &[(&str, &str)]) {
        let lines: String = trailers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        self.body
            .extend_from_slice(lines.replace('\n', "\r\n").as_bytes());
        if self.signed && !trailers.is_empty() {
            let signature = self.sign("AWS4-HMAC-SHA256-TRAILER", &sha256(lines.as_bytes()));
            self.body
                .extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
        self.body.extend_from_slice(b"\r\n");
    }
}

fn written(signed: bool, data: &[u8], size: usize, trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer {
        signed,
        previous: hex::encode(&[7; 32]),
        body: Vec::new(),
    };
    for chunk in data.chunks(size) {
        writer.chunk(chunk);
    }
    writer.chunk(b"");
    writer.trailers(trailers);
    writer.body
}

const CHECKSUM: (&str, &str) = ("x-amz-checksum-crc32c", "sOO8/Q==");

fn form(signed: bool) -> Form {
    if signed {
        Form::SignedChunks
    } else {
        Form::UnsignedChunks
    }
}

#[test]
fn the_body_of_awss_example_passes() {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let chunks = [
        (
            65536,
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        ),
        (
            1024,
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        ),
        (
            0,
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
    ];
    let mut body = Vec::new();
    for (size, signature) in chunks {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend_from_slice(&vec![b'a'; size]);
        body.extend_from_slice(b"\r\n");
    }
    assert_eq!(body.len(), 66824, "AWS's Content-Length");
    let payload = payload(Form::SignedChunks, 66560, &[], hex::decode(seed).unwrap());
    let (out, result) = pass(payload, [body.as_slice()]);
    assert_eq!(result, Ok(vec![]));
    assert_eq!(out, vec![b'a'; 66560]);
}

#[test]
fn the_body_of_awss_example_with_a_trailer_passes() {
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let chunks = [
        (
            65536,
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        ),
        (
            1024,
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        ),
        (
            0,
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
    ];
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    let mut body = Vec::new();
    for (size, signature) in chunks {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        if size > 0 {
            body.extend_from_slice(&vec![b'a'; size]);
            body.extend_from_slice(b"\r\n");
        }
    }
    // AWS's text has a line's end of its own before the signature.
    for between in ["\r\n", "\n\r\n"] {
        let trailer =
            format!("x-amz-checksum-crc32c:sOO8/Q=={between}x-amz-trailer-signature:{signature}\r\n\r\n");
        let whole = [&body, trailer.as_bytes()].concat();
        let trailers = ["x-amz-checksum-crc32c"];
        let payload = payload(Form::SignedChunks, 66560, &trailers, hex::decode(seed).unwrap());
        let (out, result) = pass(payload, whole.chunks(7));
        let (name, value) = CHECKSUM;
        assert_eq!(result, Ok(vec![(name.to_owned(), value.to_owned())]));
        assert_eq!(out.len(), 66560);
    }
}

#[test]
fn nothing_of_a_signed_chunk_passes_before_its_last_byte() {
    let data = vec![b'x'; 1000];
    let body = written(true, &data, 600, &[]);
    let mut check = payload(Form::SignedChunks, 1000, &[], [7; 32]).check();
    let mut out = Vec::new();
    let first = "258;chunk-signature=".len() + 64 + 2 + 600;
    let (before, after) = body.split_at(first - 1);
    check.push(before, &mut out).unwrap();
    assert_eq!(out.len(), 0);
    check.push(&after[..1], &mut out).unwrap();
    assert_eq!(out.len(), 599, "all but the last byte, which waits for the end");
    check.push(&after[1..after.len() - 1], &mut out).unwrap();
    assert_eq!(out.len(), 999);
    check.push(b"\n", &mut out).unwrap();
    check.finish(&mut out).unwrap();
    assert_eq!(out, data);
}

#[test]
fn a_hashed_body_gets_its_last_byte_only_if_it_is_the_one() {
    let hashed = |digest: &str| Payload {
        decoded_length: None,
        ..payload(Form::Hashed(hex::decode(digest).unwrap()), 0, &[], [0; 32])
    };
    let right = sha256(b"abc");
    assert_eq!(
        pass(hashed(&right), [b"a".as_slice(), b"", b"bc"]),
        (b"abc".to_vec(), Ok(vec![]))
    );
    for wrong in [b"ab".as_slice(), b"abcd", b"abd", b""] {
        let (out, result) = pass(hashed(&right), [wrong]);
        assert_eq!(result, Err(PayloadError::Mismatch));
        assert_eq!(out.len(), wrong.len().saturating_sub(1));
    }
    assert_eq!(pass(hashed(EMPTY_SHA256), []), (vec![], Ok(vec![])));
}

#[test]
fn every_rule_of_chunks_is_kept() {
    let told = |text: &str, length: usize, trailers: &[&str]| {
        pass(
            payload(Form::UnsignedChunks, length, trailers, [7; 32]),
            [text.as_bytes()],
        )
        .1
    };
    assert_eq!(told("3\r\nabc\r\n0\r\n\r\n", 3, &[]), Ok(vec![]));
    assert_eq!(told("0\r\n\r\n", 0, &[]), Ok(vec![]));
    assert_eq!(
        told("0003\r\nabc\r\n00\r\nA: b\r\n\r\n", 3, &["a"]).unwrap()[0].1,
        "b"
    );
    let incomplete = Err(PayloadError::Incomplete);
    assert_eq!(told("", 0, &[]), incomplete, "the last chunk has to come");
    assert_eq!(told("3\r\nabc\r\n", 3, &[]), incomplete);
    assert_eq!(told("3\r\nabc\r\n0\r\n", 3, &[]), incomplete);
    assert_eq!(told("3\r\nabc\r\n0\r\n\r\n", 4, &[]), incomplete);
    assert_eq!(told("3\r\nabc\r\n0\r\n\r\n", 2, &[]), incomplete);
    assert_eq!(told("ffffffffffffffff\r\n", 2, &[]), incomplete);
    for text in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "00000000000000003\r\nabc\r\n0\r\n\r\n",
        "3;a=b\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\nx",
        "\u{e9}\r\n",
        &"3".repeat(1000),
    ] {
        assert!(
            matches!(told(text, 3, &[]), Err(PayloadError::Framing(_))),
            "{text}"
        );
    }
    for (text, trailers) in [
        ("0\r\na:b\r\n\r\n", &[][..]),
        ("0\r\n\r\n", &["a"]),
        ("0\r\na:b\r\na:b\r\n\r\n", &["a"]),
        ("0\r\na\r\n\r\n", &["a"]),
        ("0\r\na:\u{e9}\r\n\r\n", &["a"]),
        ("0\r\nx-amz-trailer-signature:b\r\n\r\n", &["a"]),
    ] {
        assert_eq!(told(text, 0, trailers), Err(PayloadError::Trailers), "{text}");
    }
}

#[test]
fn a_signed_chunk_has_its_limit_and_needs_its_signature() {
    let told = |body: &[u8], length: usize| pass(payload(Form::SignedChunks, length, &[], [7; 32]), [body]).1;
    let data = vec![b'x'; LARGEST_CHUNK + 1];
    assert_eq!(
        told(&written(true, &data, LARGEST_CHUNK, &[]), data.len()),
        Ok(vec![])
    );
    assert_eq!(
        told(&written(true, &data, data.len(), &[]), data.len()),
        Err(PayloadError::ChunkTooLarge)
    );
    assert!(matches!(
        told(&written(false, b"abc", 3, &[]), 3),
        Err(PayloadError::Framing(_))
    ));
    let mut body = written(true, b"abcdef", 3, &[]);
    let second = body.len() / 3;
    body.drain(..second);
    assert!(told(&body, 3).is_err(), "no chunk can be left out");
}

fn sizes() -> impl Strategy<Value = (Vec<u8>, usize, bool, bool)> {
    (
        proptest::collection::vec(any::<u8>(), 0..300),
        1_usize..120,
        any::<bool>(),
        any::<bool>(),
    )
}

proptest! {
    #[test]
    fn however_a_body_is_cut_it_is_the_same(
        (data, size, signed, trailing) in sizes(),
        cuts in proptest::collection::vec(0_usize..4000, 0..12),
    ) {
        let trailers: &[_] = if trailing { &[CHECKSUM] } else { &[] };
        let names: Vec<&str> = trailers.iter().map(|(name, _)| *name).collect();
        let body = written(signed, &data, size, trailers);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]);
        let (out, result) = pass(payload(form(signed), data.len(), &names, [7; 32]), pieces);
        prop_assert_eq!(result.map(|trailers| trailers.len()), Ok(trailers.len()));
        prop_assert_eq!(out, data);
    }

    #[test]
    fn whatever_is_changed_in_signed_chunks_is_refused(
        (data, size, _, trailing) in sizes(),
        at in any::<prop::sample::Index>(),
        change in 1_u8..,
        piece in 1_usize..64,
    ) {
        let trailers: &[_] = if trailing { &[CHECKSUM] } else { &[] };
        let names: Vec<&str> = trailers.iter().map(|(name, _)| *name).collect();
        let mut body = written(true, &data, size, trailers);
        let at = at.index(body.len());
        body[at] ^= change;
        let (out, result) = pass(payload(Form::SignedChunks, data.len(), &names, [7; 32]), body.chunks(piece));
        prop_assert!(data.starts_with(&out), "nothing else passes");
        match result {
            // A digit or a name in the other case, or a space for another, says the same.
            Ok(found) => {
                prop_assert_eq!(found.len(), trailers.len());
                prop_assert!(found.iter().zip(trailers).all(|(one, other)| (one.0.as_str(), one.1.as_str()) == *other));
                prop_assert_eq!(out, data);
            }
            Err(_) => prop_assert!(out.len() < data.len().max(1)),
        }
    }

    #[test]
    fn a_body_cut_short_never_gets_its_last_byte(
        (data, size, signed, trailing) in sizes(),
        at in any::<prop::sample::Index>(),
    ) {
        let trailers: &[_] = if trailing { &[CHECKSUM] } else { &[] };
        let names: Vec<&str> = trailers.iter().map(|(name, _)| *name).collect();
        let body = written(signed, &data, size, trailers);
        let at = at.index(body.len());
        let (out, result) = pass(payload(form(signed), data.len(), &names, [7; 32]), [&body[..at]]);
        prop_assert!(result.is_err());
        prop_assert!(out.len() < data.len().max(1) && data.starts_with(&out));
    }
}
