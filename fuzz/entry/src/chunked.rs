//! Bodies in chunks: however they are cut they are the same, and no signed chunk is made up.

use moho_iam::authn::hostile_input::chunked_body;
use moho_iam::authn::{PayloadError, Trailers};
use moho_terms::Timestamp;

/// The bytes as a body: a line with `signed` or `unsigned`, the body's length and the names of its trailing headers, then
/// the chunks.
pub fn aws_chunked(data: &[u8]) {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    let body = rest.strip_prefix(b"\n").unwrap_or(rest);
    let line = super::text(line);
    let mut words = line.split(' ');
    let signed = words.next() == Some("signed");
    let length = words.next().and_then(|length| length.parse().ok()).unwrap_or(0);
    let trailers: Vec<&str> = words.collect();
    let pass = |pieces: &mut dyn Iterator<Item = &[u8]>| passed((signed, length, &trailers), pieces);
    let (out, result) = pass(&mut [body].into_iter());
    assert_eq!(
        pass(&mut body.chunks(1)),
        (out.clone(), result.clone()),
        "byte by byte"
    );
    assert_eq!(
        pass(&mut body.chunks(7)),
        (out.clone(), result.clone()),
        "in pieces"
    );
    assert!(
        !signed || (out.is_empty() && result.is_err()),
        "nobody has the key"
    );
    let said = u64::try_from(out.len()).unwrap_or(u64::MAX);
    let Ok(found) = result else {
        assert!(said < length.max(1), "what is refused never has its last byte");
        return;
    };
    assert_eq!(said, length);
    assert_eq!(found.len(), trailers.len());
    let again = written(&out, &found);
    let (once_more, result) = pass(&mut [again.as_slice()].into_iter());
    assert_eq!((once_more, result), (out, Ok(found)), "as it is written");
}

fn passed(
    (signed, length, trailers): (bool, u64, &[&str]),
    pieces: &mut dyn Iterator<Item = &[u8]>,
) -> (Vec<u8>, Result<Trailers, PayloadError>) {
    let mut check = chunked_body(signed, length, trailers, Timestamp::from_unix_seconds(super::NOW));
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = check.push(piece, &mut out) {
            return (out, Err(error));
        }
    }
    let result = check.finish(&mut out);
    (out, result)
}

/// The same body in one chunk.
fn written(data: &[u8], trailers: &Trailers) -> Vec<u8> {
    let mut body = Vec::new();
    if !data.is_empty() {
        body.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}
