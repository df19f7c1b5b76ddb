//! Where the browser comes back to: one address of the loopback interface, for as long as one login takes.
//!
//! Other users of the machine see the address that the browser was started with, and with it everything that a callback
//! needs but the right code: they could log the person in as themselves. So only sockets of the same user are heard.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::whose;

/// Bytes of a request's head: a code and a state have some hundred.
const LONGEST: usize = 16 << 10;
/// For one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once: for one more the oldest goes. Browsers open a few before they need them.
const MOST: usize = 32;
const PATH: &str = "/callback";

/// A port of the loopback address.
pub(super) struct Callback {
    listener: TcpListener,
    address: SocketAddr,
}

/// What the browser brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) code: Option<String>,
    pub(super) state: Option<String>,
    pub(super) error: Option<String>,
    pub(super) issuer: Option<String>,
}

impl Callback {
    pub(super) async fn open(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.context("there is no port for the browser to come back to (--port)")?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// As the provider is to know it.
    pub(super) fn address(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Waits for the first request that `is_ours`; all others are turned away.
    pub(super) async fn wait(self, is_ours: impl Fn(&Arrived) -> bool) -> anyhow::Result<Arrived> {
        let mut coming = JoinSet::new();
        let mut held: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let (stream, arrived) = tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, from) = accepted?;
                    if !is_own(from, self.address)? {
                        continue;
                    }
                    held.retain(|one| !one.is_finished());
                    if held.len() >= MOST && let Some(oldest) = held.pop_front() {
                        oldest.abort();
                    }
                    held.push_back(coming.spawn(async move {
                        let read = tokio::time::timeout(PATIENCE, arrive(stream)).await;
                        read.ok().flatten()
                    }));
                    continue;
                }
                Some(ended) = coming.join_next() => match ended {
                    Ok(Some(arrived)) => arrived,
                    Ok(None) | Err(_) => continue,
                },
            };
            let ours = arrived.filter(&is_ours);
            let (status, text) = match &ours {
                Some(Arrived { error: None, .. }) => {
                    ("200 OK", "You are logged in. You may close this page.")
                }
                Some(_) => (
                    "200 OK",
                    "The identity provider declined. You may close this page.",
                ),
                None => ("404 Not Found", "There is nothing here."),
            };
            drop(tokio::time::timeout(PATIENCE, reply(stream, status, text)).await);
            if let Some(ours) = ours {
                return Ok(ours);
            }
        }
    }
}

/// Whether a connection to `to` comes from a socket of the user who runs this.
fn is_own(from: SocketAddr, to: SocketAddr) -> anyhow::Result<bool> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else {
        return Ok(false);
    };
    let owner = whose::owner(from, to)
        .context("who comes to this port cannot be told, as /proc/net/tcp cannot be read: use --device")?;
    Ok(owner == Some(moho_os::own_user()))
}

/// Reads one request's head: the connection, and what it brings if it is for us.
async fn arrive(mut stream: TcpStream) -> Option<(TcpStream, Option<Arrived>)> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LONGEST || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.split(|b| *b == b'\r').next()?;
    let arrived = std::str::from_utf8(line).ok().and_then(Arrived::read);
    Some((stream, arrived))
}

async fn reply(mut stream: TcpStream, status: &str, text: &str) -> std::io::Result<()> {
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

impl Arrived {
    /// Reads a request line; `None` if it is not for the one path there is, or says something twice.
    fn read(line: &str) -> Option<Self> {
        let target = line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
        let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
        let mut arrived = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "code" => &mut arrived.code,
                "state" => &mut arrived.state,
                "error" => &mut arrived.error,
                "iss" => &mut arrived.issuer,
                _ => continue,
            };
            let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(arrived)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_line_is_read_strictly() {
        let read =
            Arrived::read("GET /callback?code=a%2Fb&state=s&session_state=x&iss=https%3A%2F%2Fi HTTP/1.1");
        let expected = Arrived {
            code: Some("a/b".to_owned()),
            state: Some("s".to_owned()),
            error: None,
            issuer: Some("https://i".to_owned()),
        };
        assert_eq!(read, Some(expected));
        for line in [
            "",
            "GET / HTTP/1.1",
            "GET /callback HTTP/1.1",
            "GET /callbackx?code=a HTTP/1.1",
            "POST /callback?code=a HTTP/1.1",
            "GET /callback?code=a&code=b HTTP/1.1",
            "GET /callback?state=%ff HTTP/1.1",
            "GET /callback?code=a",
        ] {
            assert_eq!(Arrived::read(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics_and_what_is_read_was_said(line in "(GET /callback\\?)?\\PC{0,60}( HTTP/1.1)?", code in "[a-zA-Z0-9._~-]{0,20}") {
            drop(Arrived::read(&line));
            let said = Arrived::read(&format!("GET /callback?state=s&code={code} HTTP/1.1"));
            prop_assert_eq!(said.and_then(|said| said.code), Some(code));
        }
    }

    #[tokio::test]
    async fn others_are_turned_away_and_hold_nobody_up() {
        let callback = Callback::open(0).await.unwrap();
        let address = callback.address;
        assert!(
            callback
                .address()
                .ends_with(&format!(":{}/callback", address.port()))
        );
        let browser = async {
            let mut silent = Vec::new();
            for _ in 0..MOST * 2 {
                silent.push(TcpStream::connect(address).await.unwrap());
            }
            let mut answers = Vec::new();
            for target in [
                "/favicon.ico",
                "/callback?state=other&code=x",
                "/callback?state=ours&code=y",
            ] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answers.push(answer);
            }
            answers
        };
        let ours = callback.wait(|arrived| arrived.state.as_deref() == Some("ours"));
        let (arrived, answers) = tokio::join!(ours, browser);
        assert_eq!(arrived.unwrap().code.as_deref(), Some("y"));
        assert!(answers[0].starts_with("HTTP/1.1 404") && answers[1].starts_with("HTTP/1.1 404"));
        assert!(answers[2].starts_with("HTTP/1.1 200") && answers[2].contains("logged in"));
    }
}
