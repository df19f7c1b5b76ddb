//! The way to the collector: HTTP/1.1 to one address, over TLS unless its URL says otherwise.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::Full;

use super::{OtlpError, protobuf};
use crate::config::OtlpConfig;
use crate::outbound::{Answer, ExchangeError, Peer, connector};

/// For one batch, from the connection to the answer.
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER: usize = 64 << 10;

/// A collector.
pub(super) struct Collector {
    peer: Peer,
    path: String,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The collector has it, but for so many spans.
    Taken { rejected: u64 },
    /// It may take it later.
    Later(&'static str),
    /// It will not take it.
    Refused(StatusCode),
}

impl Collector {
    /// The collector of the settings, with what vouches for it.
    pub(super) fn new(config: &OtlpConfig) -> Result<Self, OtlpError> {
        let peer = if config.tls {
            let connector = connector(config.ca.as_deref())?;
            Peer::over_tls(&config.host, config.port, connector).map_err(|_no_name| OtlpError::Name)?
        } else {
            Peer::plain(&config.host, config.port)
        };
        Ok(Self {
            peer,
            path: config.path.clone(),
        })
    }

    /// Sends one batch, once.
    pub(super) async fn send(&self, batch: Bytes) -> Delivery {
        match tokio::time::timeout(WHOLE, self.exchange(batch)).await {
            Err(_elapsed) => Delivery::Later("the collector does not answer in time"),
            Ok(Err(ExchangeError::Io(_))) => Delivery::Later("the collector cannot be reached"),
            Ok(Err(ExchangeError::Http(_) | ExchangeError::Request(_))) => {
                Delivery::Later("the collector does not speak HTTP")
            }
            // An answer that is too long says no more than its status.
            Ok(Ok(answer)) => delivery(answer.status, &answer.body.unwrap_or_default()),
        }
    }

    async fn exchange(&self, batch: Bytes) -> Result<Answer, ExchangeError> {
        let request = Request::post(&self.path)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Full::new(batch))?;
        self.peer.exchange(request, ANSWER).await
    }
}

/// As OTLP/HTTP says which answers are worth another try.
fn delivery(status: StatusCode, answer: &[u8]) -> Delivery {
    match status.as_u16() {
        200..=299 => Delivery::Taken {
            rejected: protobuf::rejected(answer),
        },
        429 | 502 | 503 | 504 => Delivery::Later("the collector is busy"),
        _ => Delivery::Refused(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of = |status: u16| delivery(StatusCode::from_u16(status).unwrap(), b"");
        assert_eq!(of(200), Delivery::Taken { rejected: 0 });
        assert!(matches!(of(503), Delivery::Later(_)) && matches!(of(429), Delivery::Later(_)));
        for final_word in [400, 401, 404, 413, 500] {
            assert!(matches!(of(final_word), Delivery::Refused(_)), "{final_word}");
        }
    }
}
