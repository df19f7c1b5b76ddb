//! Many exchanges with one server, over connections that are kept between them for a while.
//!
//! Everything waits within bounds: for a connection, for the head of an answer, and for each next piece of its body. How long an
//! exchange may take as a whole is for the caller to know.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::{LONGEST_HEAD, Peer};

/// Connections that are kept for the next exchange, at most.
const MOST_IDLE: usize = 32;
/// How long they are kept: less than servers usually wait before they close one.
const IDLE: Duration = Duration::from_secs(15);
/// Bytes a second that a request's body is given time for, at least.
const SLOWEST: u64 = 64 << 10;

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// For a connection, with its TLS.
    pub(crate) connect: Duration,
    /// For the head of an answer once the request is sent, and then for each next piece of the body.
    pub(crate) stall: Duration,
}

/// Why there is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("it cannot be connected to")]
    Connect(#[source] io::Error),
    #[error("it does not answer in time")]
    Slow,
    #[error("the connection broke off, or it does not speak HTTP")]
    Broken(#[from] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    #[error("its answer is too long")]
    Long,
}

/// A server, and the connections to it.
pub(crate) struct KeptConnections<B> {
    peer: Peer,
    waits: Waits,
    idle: Arc<Idle<B>>,
}

type Idle<B> = Mutex<Vec<(SendRequest<B>, Instant)>>;

impl<B> KeptConnections<B>
where
    B: Body + Clone + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(crate) fn new(peer: Peer, waits: Waits) -> Self {
        Self {
            peer,
            waits,
            idle: Arc::default(),
        }
    }

    /// Sends one request to the server, wherever its URI says that it goes, and takes the head of the answer. A request that a
    /// connection which was kept took along when it ended is sent once more: it has to be one that does the same when it is done
    /// twice.
    pub(crate) async fn send(&self, mut request: Request<B>) -> Result<Response<KeptBody<B>>, Trouble> {
        self.address(&mut request)?;
        let body = request.body().size_hint().lower();
        let patience = self
            .waits
            .stall
            .saturating_add(Duration::from_secs(body.checked_div(SLOWEST).unwrap_or(0)));
        let exchange = async {
            loop {
                let (mut sender, fresh) = match self.taken().await {
                    Some(kept) => (kept, false),
                    None => (self.connected().await?, true),
                };
                match sender.send_request(request.clone()).await {
                    Ok(response) => return Ok((sender, response)),
                    // It was closed while nobody used it, and nothing was answered.
                    Err(error) if !fresh && !error.is_parse() => {}
                    Err(error) => return Err(Trouble::from(error)),
                }
            }
        };
        let whole = self.waits.connect.saturating_add(patience);
        let (sender, response) = timeout(whole, exchange).await.unwrap_or(Err(Trouble::Slow))?;
        let (idle, stall) = (Arc::downgrade(&self.idle), self.waits.stall);
        Ok(response.map(|body| KeptBody {
            body,
            left: u64::MAX,
            stall,
            waiting: None,
            back: Some((sender, idle)),
        }))
    }

    /// Makes a request one to this server.
    fn address(&self, request: &mut Request<B>) -> Result<(), Trouble> {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        let authority = HeaderValue::from_str(self.peer.authority()).map_err(http::Error::from)?;
        let headers = request.headers_mut();
        // What is signed has its own spelling of the same host.
        headers.entry(HOST).or_insert(authority);
        let agent = HeaderValue::from_static(concat!("moho/", env!("CARGO_PKG_VERSION")));
        headers.insert(USER_AGENT, agent);
        Ok(())
    }

    /// A connection that is kept and still there.
    async fn taken(&self) -> Option<SendRequest<B>> {
        loop {
            let (mut sender, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let young = since.elapsed() < IDLE && !sender.is_closed();
            if young && matches!(timeout(self.waits.stall, sender.ready()).await, Ok(Ok(()))) {
                return Some(sender);
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with its sender, and with the runtime that the exchange is on"
    )]
    async fn connected(&self) -> Result<SendRequest<B>, Trouble> {
        let connecting = timeout(self.waits.connect, self.peer.connect());
        let stream = connecting.await.map_err(|_elapsed| Trouble::Slow)?;
        let stream = TokioIo::new(stream.map_err(Trouble::Connect)?);
        let mut http = Builder::new();
        http.max_buf_size(LONGEST_HEAD);
        let (sender, connection) = http.handshake(stream).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// The body of an answer: bounded in bytes and in waiting. Read to its end, its connection is kept.
pub(crate) struct KeptBody<B> {
    body: Incoming,
    left: u64,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    back: Option<(SendRequest<B>, Weak<Idle<B>>)>,
}

impl<B> KeptBody<B> {
    /// Gives no more than so many bytes from now on, and then an error.
    pub(crate) fn limit(&mut self, longest: u64) {
        self.left = longest;
    }

    fn give_back(&mut self) {
        let Some((sender, idle)) = self.back.take() else {
            return;
        };
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push((sender, Instant::now()));
        }
    }
}

impl<B: Unpin> Body for KeptBody<B> {
    type Data = Bytes;
    type Error = Trouble;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let stall = self.stall;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(stall)));
            return waiting.as_mut().poll(context).map(|()| {
                self.back = None;
                Some(Err(Trouble::Slow))
            });
        };
        self.waiting = None;
        let told = match frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                match self.left.checked_sub(bytes) {
                    Some(left) => {
                        self.left = left;
                        Some(Ok(frame))
                    }
                    None => Some(Err(Trouble::Long)),
                }
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        };
        match &told {
            Some(Err(_)) => self.back = None,
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            Some(Ok(_)) | None => self.give_back(),
        }
        Poll::Ready(told)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
