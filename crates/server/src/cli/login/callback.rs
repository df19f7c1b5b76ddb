//! Where the browser begins and where it comes back to: one address of the loopback interface, for as long as one login
//! takes.
//!
//! Other users of the machine see the address that the browser is started with. Were it the provider's, they would have
//! everything that a callback needs but the right code, and could log the person in as themselves. So it is one of ours,
//! which leads on to the provider's; and only sockets of the same user are heard.

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
/// Where the browser begins, before what no other page in it knows.
const START: &str = "/start/";

/// A port of the loopback address.
pub(super) struct Callback {
    listener: TcpListener,
    address: SocketAddr,
    /// The path where the browser begins.
    start: String,
}

/// What a request of the browser's is for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// To begin, on this path.
    Start(String),
    /// To end.
    End(Arrived),
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
    /// Takes the port. Whoever does not know `secret` does not learn where the browser is led.
    pub(super) async fn open(port: u16, secret: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.context("there is no port for the browser to come back to (--port)")?;
        let address = listener.local_addr()?;
        let start = format!("{START}{secret}");
        Ok(Self {
            listener,
            address,
            start,
        })
    }

    /// What the browser is started with.
    pub(super) fn start(&self) -> String {
        format!("http://{}{}", self.address, self.start)
    }

    /// As the provider is to know it.
    pub(super) fn address(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Leads the browser to `page`, and waits for the first request that `is_ours`; all others are turned away.
    pub(super) async fn wait(
        self,
        page: &str,
        is_ours: impl Fn(&Arrived) -> bool,
    ) -> anyhow::Result<Arrived> {
        let mut coming = JoinSet::new();
        let mut held: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let (stream, wanted) = tokio::select! {
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
                    Ok(Some(wanted)) => wanted,
                    Ok(None) | Err(_) => continue,
                },
            };
            let ours = match wanted {
                Some(Wanted::Start(path)) if path == self.start => {
                    let location = format!("location: {page}\r\n");
                    let answer = reply(
                        stream,
                        ("302 Found", &location),
                        "The identity provider asks who you are.",
                    );
                    drop(tokio::time::timeout(PATIENCE, answer).await);
                    continue;
                }
                Some(Wanted::End(arrived)) => Some(arrived).filter(&is_ours),
                Some(Wanted::Start(_)) | None => None,
            };
            let (status, text) = told(ours.as_ref());
            drop(tokio::time::timeout(PATIENCE, reply(stream, (status, ""), text)).await);
            if let Some(ours) = ours {
                return Ok(ours);
            }
        }
    }
}

/// What the browser shows at the end.
fn told(ours: Option<&Arrived>) -> (&'static str, &'static str) {
    match ours {
        Some(Arrived { error: None, .. }) => ("200 OK", "You are logged in. You may close this page."),
        Some(_) => (
            "200 OK",
            "The identity provider declined. You may close this page.",
        ),
        None => ("404 Not Found", "There is nothing here."),
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
async fn arrive(mut stream: TcpStream) -> Option<(TcpStream, Option<Wanted>)> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LONGEST || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.split(|b| *b == b'\r').next()?;
    let wanted = std::str::from_utf8(line).ok().and_then(Wanted::read);
    Some((stream, wanted))
}

async fn reply(mut stream: TcpStream, (status, location): (&str, &str), text: &str) -> std::io::Result<()> {
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{location}content-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

impl Wanted {
    /// Reads a request line; `None` if it is not for a path there is, or says something twice.
    fn read(line: &str) -> Option<Self> {
        let target = line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
        if target.starts_with(START) {
            return Some(Self::Start(target.to_owned()));
        }
        let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
        Arrived::read(query).map(Self::End)
    }
}

impl Arrived {
    /// Reads a query; `None` if it says something twice.
    fn read(query: &str) -> Option<Self> {
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
            Wanted::read("GET /callback?code=a%2Fb&state=s&session_state=x&iss=https%3A%2F%2Fi HTTP/1.1");
        let expected = Arrived {
            code: Some("a/b".to_owned()),
            state: Some("s".to_owned()),
            error: None,
            issuer: Some("https://i".to_owned()),
        };
        assert_eq!(read, Some(Wanted::End(expected)));
        let start = Wanted::read("GET /start/x HTTP/1.1");
        assert_eq!(start, Some(Wanted::Start("/start/x".to_owned())));
        for line in [
            "",
            "GET / HTTP/1.1",
            "GET /callback HTTP/1.1",
            "GET /callbackx?code=a HTTP/1.1",
            "POST /callback?code=a HTTP/1.1",
            "GET /callback?code=a&code=b HTTP/1.1",
            "GET /callback?state=%ff HTTP/1.1",
            "GET /callback?code=a",
            "POST /start/x HTTP/1.1",
            "GET /start HTTP/1.1",
        ] {
            assert_eq!(Wanted::read(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics_and_what_is_read_was_said(line in "(GET /callback\\?)?\\PC{0,60}( HTTP/1.1)?", code in "[a-zA-Z0-9._~-]{0,20}") {
            drop(Wanted::read(&line));
            let said = Wanted::read(&format!("GET /callback?state=s&code={code} HTTP/1.1"));
            let (code, state) = (Some(code), Some("s".to_owned()));
            prop_assert_eq!(said, Some(Wanted::End(Arrived { code, state, ..Arrived::default() })));
        }
    }

    #[tokio::test]
    async fn others_are_turned_away_and_hold_nobody_up() {
        let callback = Callback::open(0, "secret").await.unwrap();
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
                "/start/guess",
                "/start/secret",
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
        assert_eq!(callback.start(), format!("http://{address}/start/secret"));
        let ours = callback.wait("https://i/page?state=ours", |arrived| {
            arrived.state.as_deref() == Some("ours")
        });
        let (arrived, answers) = tokio::join!(ours, browser);
        assert_eq!(arrived.unwrap().code.as_deref(), Some("y"));
        for absent in [&answers[0], &answers[1], &answers[3]] {
            assert!(
                absent.starts_with("HTTP/1.1 404") && !absent.contains("location"),
                "{absent}"
            );
        }
        let led = "HTTP/1.1 302 Found\r\nlocation: https://i/page?state=ours\r\n";
        assert!(answers[2].starts_with(led), "{}", answers[2]);
        assert!(answers[4].starts_with("HTTP/1.1 200") && answers[4].contains("logged in"));
    }
}
