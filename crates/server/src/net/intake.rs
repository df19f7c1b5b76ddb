//! From a hyper request to what the road takes: one host, one bounded body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use moho_terms::{ContentBytes, RequestId, Timestamp};
use zeroize::Zeroizing;

use super::connection::{Client, GOODBYE};
use super::memory::Share;
use super::{Head, Limits, RimError};
use crate::closing::Closing;

/// The first piece of memory for a body of which nothing is known.
const FIRST_PIECE: usize = 16 << 10;

/// A body as it comes, and whether anybody has asked the client for it.
pub(crate) struct Coming {
    incoming: Incoming,
    asked: bool,
}

impl Coming {
    pub(crate) fn new(incoming: Incoming, headers: &HeaderMap) -> Self {
        // A client that expects to be told to go on sends nothing before the first look at its body.
        let asked = !headers.contains_key(EXPECT);
        Self { incoming, asked }
    }

    /// Whether the client has not sent all of it yet.
    pub(crate) fn is_unread(&self) -> bool {
        !self.incoming.is_end_stream()
    }

    /// Whether the client sends on, as it does not know yet that nobody reads.
    pub(crate) fn is_sent_on(&self) -> bool {
        self.asked && self.is_unread()
    }

    /// The body's length as the client says it, if it does.
    pub(crate) fn announced(&self, headers: &HeaderMap) -> Option<u64> {
        let said = headers
            .get(CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse::<u64>().ok());
        self.incoming.size_hint().exact().or(said)
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.asked = true;
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    async fn frame(&mut self) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        self.asked = true;
        self.incoming.frame().await
    }
}

/// Reads the head, and says what is wrong with it.
pub(crate) fn head(
    mut parts: Parts,
    (peer, via, shaken): Client,
    received: Timestamp,
    request_id: RequestId,
) -> (Head, Result<(), RimError>) {
    let authority = single_host(&parts);
    if let Some(host) = authority.as_deref().and_then(|a| HeaderValue::from_str(a).ok()) {
        parts.headers.insert(HOST, host);
    }
    let verdict = if authority.is_none() {
        Err(RimError::NoSingleHost)
    } else if !every(&parts.headers, &EXPECT, b"100-continue") {
        Err(RimError::ExpectationFailed)
    } else {
        Ok(())
    };
    let head = Head {
        method: parts.method,
        raw_path: parts.uri.path().to_owned(),
        raw_query: parts.uri.query().unwrap_or_default().to_owned(),
        authority: authority.unwrap_or_default(),
        headers: parts.headers,
        peer,
        via,
        certificate: shaken.certificate,
        tls: shaken.version,
        cipher_suite: shaken.cipher_suite,
        version: parts.version,
        received,
        request_id,
    };
    (head, verdict)
}

/// The one host that the request names. A target in absolute form (or `:authority`) and a `Host` header must agree, as
/// the signature covers only one of them.
fn single_host(parts: &Parts) -> Option<String> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return None;
    }
    let host = match host {
        Some(value) => Some(value.to_str().ok()?),
        None => None,
    };
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let named = match (target, host) {
        (Some(target), Some(host)) if target.eq_ignore_ascii_case(host) => host,
        (Some(target), None) => target,
        (None, Some(host)) => host,
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let visible = !named.is_empty() && named.bytes().all(|b| b.is_ascii_graphic() && b != b'@');
    visible.then(|| named.to_owned())
}

/// Whether a body is sent as it is.
pub(crate) fn is_plain(headers: &HeaderMap) -> bool {
    every(headers, &CONTENT_ENCODING, b"identity")
}

/// Whether a header, if it is there, says the one thing that is understood.
fn every(headers: &HeaderMap, name: &HeaderName, known: &[u8]) -> bool {
    headers
        .get_all(name)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(known))
}

/// Collects a body within its limit, its time and the memory that is free. The share is to be held for as long as the
/// body is.
pub(crate) async fn body(
    incoming: &mut Coming,
    headers: &HeaderMap,
    limits: &Limits,
    share: Share,
) -> Result<(ContentBytes, Share), RimError> {
    let too_large = RimError::BodyTooLarge { limit: limits.body };
    let announced = incoming.announced(headers);
    let announced = announced.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limits.body) {
        return Err(too_large);
    }
    let collecting = collect(incoming, announced, limits.body, share);
    match tokio::time::timeout(limits.body_wait, collecting).await {
        Ok(result) => result,
        Err(_elapsed) => Err(RimError::BodyTooSlow {
            after: limits.body_wait,
        }),
    }
}

async fn collect(
    incoming: &mut Coming,
    announced: Option<usize>,
    limit: usize,
    mut share: Share,
) -> Result<(ContentBytes, Share), RimError> {
    let mut collected = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_broken| RimError::BodyBroken)?;
        // Trailers are read past: nothing that moho serves has a meaning for them.
        let Ok(piece) = frame.into_data() else { continue };
        let needed = collected.len().saturating_add(piece.len());
        if needed > limit {
            wipe(collected);
            return Err(RimError::BodyTooLarge { limit });
        }
        if needed > collected.capacity() {
            // Grow by doubling, up to what was announced: memory follows what came, not what was promised.
            let most = announced.unwrap_or(limit).max(needed);
            let capacity = needed.saturating_mul(2).max(FIRST_PIECE).min(most);
            share.grow(capacity.saturating_sub(collected.capacity()))?;
            let mut grown = Vec::with_capacity(capacity);
            grown.extend_from_slice(&collected);
            wipe(std::mem::replace(&mut collected, grown));
        }
        collected.extend_from_slice(&piece);
    }
    Ok((ContentBytes::new(collected), share))
}

fn wipe(bytes: Vec<u8>) {
    drop(Zeroizing::new(bytes));
}

/// Reads and forgets what a client still sends after its reply, so that it is not reset before it reads that reply: for as
/// long as `limit`, and until shortly after the server has told everybody to end.
pub(crate) async fn discard(mut incoming: Coming, limit: Duration, closing: Closing) {
    let reading = async { while let Some(Ok(_piece)) = incoming.frame().await {} };
    let over = async {
        closing.ending().await;
        // Shorter than its connection, which ends in order after this.
        tokio::time::sleep(GOODBYE / 2).await;
    };
    tokio::select! {
        () = reading => {}
        () = tokio::time::sleep(limit) => {}
        () = over => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(target: &str, hosts: &[&str]) -> Option<String> {
        let mut request = http::Request::builder().uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        single_host(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn one_host_is_named_in_either_place() {
        assert_eq!(
            host_of("/v1/models", &["a.example:8443"]).as_deref(),
            Some("a.example:8443")
        );
        assert_eq!(
            host_of("https://a.example/v1/models", &[]).as_deref(),
            Some("a.example")
        );
        assert_eq!(
            host_of("https://a.example/", &["A.example"]).as_deref(),
            Some("A.example")
        );
    }

    #[test]
    fn no_host_two_hosts_and_disagreeing_hosts_are_refused() {
        assert_eq!(host_of("/", &[]), None);
        assert_eq!(host_of("/", &["a", "a"]), None);
        assert_eq!(host_of("https://a/", &["b"]), None);
        assert_eq!(host_of("/", &["user@a"]), None);
        assert_eq!(host_of("/", &[""]), None);
    }
}
