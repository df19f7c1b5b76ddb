//! What a client of the crowd does: something else every time, as its own chance has it.

use std::time::Duration;

use anyhow::{Result, ensure};
use hyper::Method;
use moho_benches::Stopwatch;
use serde_json::json;

use crate::client::{Ask, Connection, Reply, Server};
use crate::tally::Tally;

/// How long a client waits that was asked to come again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a slow reader looks away from each piece.
const SLOW: Duration = Duration::from_millis(100);
/// Letters of the longest question, in words of five.
const LONGEST: u64 = 200;

/// An API that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Responses,
    Converse,
}

/// What a client can do.
#[derive(Clone, Copy)]
enum Act {
    Stream,
    Whole,
    Leave,
    ReadSlowly,
    Mistake,
    List,
    Keep,
    Reconnect,
}

/// By how often they are done.
const ACTS: [(u64, Act); 8] = [
    (30, Act::Stream),
    (20, Act::Whole),
    (15, Act::Leave),
    (8, Act::ReadSlowly),
    (12, Act::Mistake),
    (5, Act::List),
    (5, Act::Keep),
    (5, Act::Reconnect),
];

/// A client: its chance, its connection, and who counts.
struct Client<'a> {
    server: &'a Server,
    tally: &'a Tally,
    chance: u64,
    second: bool,
    connection: Option<Connection>,
}

/// The APIs that this server has.
pub(crate) async fn offer(server: &Server) -> Result<Vec<Api>> {
    let mut offered = vec![Api::Chat, Api::Responses];
    let ask = generation(server, Api::Converse, (false, 1), "Hi.");
    let mut connection = server.connect(false).await?;
    let mut reply = connection.send(server, &ask).await?;
    reply.whole().await?;
    if reply.status == 200 {
        offered.push(Api::Converse);
    }
    Ok(offered)
}

/// Does things for as long as `more` says.
pub(crate) async fn until(
    server: &Server,
    offer: &[Api],
    tally: &Tally,
    (seed, more): (u64, impl Fn() -> bool),
) {
    let mut client = Client {
        server,
        tally,
        chance: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        second: seed % 2 == 0,
        connection: None,
    };
    while more() {
        let act = client.choose();
        if let Err(error) = client.act(act, offer).await {
            tally.fault(format!("{error:#}"));
            client.connection = None;
        }
    }
}

impl Client<'_> {
    /// Xorshift: the same crowd does the same things in every run, as far as the server lets it.
    fn dice(&mut self, sides: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance.checked_rem(sides).unwrap_or_default()
    }

    fn choose(&mut self) -> Act {
        let mut left = self.dice(100);
        for (share, act) in ACTS {
            if left < share {
                return act;
            }
            left = left.saturating_sub(share);
        }
        Act::Stream
    }

    async fn act(&mut self, act: Act, offer: &[Api]) -> Result<()> {
        let index = usize::try_from(self.dice(u64::try_from(offer.len())?))?;
        let api = offer.get(index).copied().unwrap_or(Api::Chat);
        match act {
            Act::Stream => self.stream(api, None).await,
            Act::ReadSlowly => self.stream(api, Some(SLOW)).await,
            Act::Whole => self.whole(api).await,
            Act::Leave => self.leave(api).await,
            Act::Mistake => self.mistake().await,
            Act::List => self.list().await,
            Act::Keep => self.keep().await,
            Act::Reconnect => {
                self.connection = None;
                Ok(())
            }
        }
    }

    async fn send(&mut self, kind: &'static str, ask: &Ask) -> Result<Reply> {
        self.tally.request(kind);
        if let Some(connection) = &mut self.connection {
            // A connection that the server closed while it was idle is nobody's fault.
            if let Ok(reply) = connection.send(self.server, ask).await {
                return Ok(reply);
            }
        }
        let mut fresh = self.server.connect(self.second).await?;
        let reply = fresh.send(self.server, ask).await?;
        self.connection = Some(fresh);
        Ok(reply)
    }

    /// Asks for an answer; `None` if the server asks to come again.
    async fn ask(&mut self, kind: &'static str, api: Api, stream: bool) -> Result<Option<Reply>> {
        let words = self.dice(LONGEST);
        let question: String = (0..words)
            .map(|_| ["stone ", "river ", "cloud "])
            .flat_map(|three| {
                three
                    .get(usize::try_from(self.dice(3)).unwrap_or_default())
                    .copied()
            })
            .collect();
        let tokens = self.dice(48).saturating_add(1);
        let ask = generation(self.server, api, (stream, tokens), &format!("Go on: {question}"));
        let mut reply = self.send(kind, &ask).await?;
        if reply.status == 200 {
            return Ok(Some(reply));
        }
        let said = reply.whole().await?;
        ensure!(
            matches!(reply.status, 429 | 503) && reply.retry_after,
            "{kind} over {api:?}: {} {}",
            reply.status,
            String::from_utf8_lossy(&said)
        );
        self.tally.refusal();
        tokio::time::sleep(AGAIN).await;
        Ok(None)
    }

    async fn stream(&mut self, api: Api, pause: Option<Duration>) -> Result<()> {
        let kind = if pause.is_some() { "read slowly" } else { "stream" };
        let since = Stopwatch::start();
        let Some(mut reply) = self.ask(kind, api, true).await? else {
            return Ok(());
        };
        let mut all = Vec::new();
        while let Some(piece) = reply.piece().await? {
            if all.is_empty() {
                self.tally.first_piece(since.elapsed());
            }
            all.extend_from_slice(&piece);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        let text = String::from_utf8_lossy(&all);
        ensure!(
            ended_well(api, &text),
            "a stream over {api:?} ended badly: {}",
            end_of(&text)
        );
        self.tally.tokens(tokens(&text));
        Ok(())
    }

    async fn whole(&mut self, api: Api) -> Result<()> {
        let since = Stopwatch::start();
        let Some(mut reply) = self.ask("whole", api, false).await? else {
            return Ok(());
        };
        let all = reply.whole().await?;
        self.tally.whole_answer(since.elapsed());
        let tokens = tokens(&String::from_utf8_lossy(&all));
        ensure!(tokens > 0, "a whole answer over {api:?} has no tokens");
        self.tally.tokens(tokens);
        Ok(())
    }

    /// Leaves in the middle of a stream, or before it begins.
    async fn leave(&mut self, api: Api) -> Result<()> {
        let Some(mut reply) = self.ask("leave", api, true).await? else {
            return Ok(());
        };
        for _ in 0..self.dice(10) {
            if reply.piece().await?.is_none() {
                return Ok(());
            }
        }
        // On HTTP/1.1 there is no other way; on HTTP/2 the connection goes on.
        if !self.second {
            self.connection = None;
        }
        Ok(())
    }

    async fn mistake(&mut self) -> Result<()> {
        let model = &self.server.model;
        let post = |path: &str, body: String| Ask {
            method: Method::POST,
            path: path.to_owned(),
            body,
            signed: true,
        };
        let (ask, status) = match self.dice(5) {
            0 => (post("/v1/responses", "{".to_owned()), 400),
            1 => (post("/v1/nothing", String::new()), 404),
            2 => {
                let unknown = json!({"model": "nobody", "input": "Hi."}).to_string();
                (post("/v1/responses", unknown), 404)
            }
            3 => {
                let stranger = Ask {
                    signed: false,
                    ..post("/v1/responses", "x".repeat(100_000))
                };
                (stranger, 401)
            }
            _ => {
                let long = json!({"model": model, "input": "stone ".repeat(20_000)}).to_string();
                (post("/v1/responses", long), 400)
            }
        };
        let mut reply = self.send("mistake", &ask).await?;
        let said = reply.whole().await?;
        ensure!(
            reply.status == status || (matches!(reply.status, 429 | 503) && reply.retry_after),
            "a mistake was answered with {} instead of {status}: {}",
            reply.status,
            String::from_utf8_lossy(&said)
        );
        Ok(())
    }

    async fn list(&mut self) -> Result<()> {
        let ask = Ask {
            method: Method::GET,
            path: "/v1/models".to_owned(),
            body: String::new(),
            signed: true,
        };
        let mut reply = self.send("list", &ask).await?;
        reply.whole().await?;
        ensure!(reply.status == 200, "models are listed with {}", reply.status);
        Ok(())
    }

    /// A response that is stored, read again and deleted.
    async fn keep(&mut self) -> Result<()> {
        let body = json!({"model": self.server.model, "input": "Hi.", "max_output_tokens": 16}).to_string();
        let ask = |method, path: &str, body| Ask {
            method,
            path: path.to_owned(),
            body,
            signed: true,
        };
        let mut reply = self
            .send("keep", &ask(Method::POST, "/v1/responses", body))
            .await?;
        let made = reply.whole().await?;
        if matches!(reply.status, 429 | 503) && reply.retry_after {
            self.tally.refusal();
            tokio::time::sleep(AGAIN).await;
            return Ok(());
        }
        let made = String::from_utf8_lossy(&made);
        let id = made
            .split('"')
            .find(|word| word.starts_with("resp_"))
            .unwrap_or_default();
        let path = format!("/v1/responses/{id}");
        for (method, status) in [(Method::GET, 200), (Method::DELETE, 200), (Method::GET, 404)] {
            let mut reply = self.send("keep", &ask(method, &path, String::new())).await?;
            reply.whole().await?;
            ensure!(
                reply.status == status,
                "a stored response: {} instead of {status}",
                reply.status
            );
        }
        Ok(())
    }
}

fn generation(server: &Server, api: Api, (stream, tokens): (bool, u64), question: &str) -> Ask {
    let model = &server.model;
    let (path, body) = match api {
        Api::Chat => {
            let options = stream.then(|| json!({"include_usage": true}));
            let body = json!({"model": model, "messages": [{"role": "user", "content": question}], "max_completion_tokens": tokens, "stream": stream, "stream_options": options});
            ("/v1/chat/completions".to_owned(), body)
        }
        Api::Responses => {
            let body = json!({"model": model, "input": question, "max_output_tokens": tokens.max(16), "stream": stream, "store": false});
            ("/v1/responses".to_owned(), body)
        }
        Api::Converse => {
            let body = json!({"messages": [{"role": "user", "content": [{"text": question}]}], "inferenceConfig": {"maxTokens": tokens}});
            let operation = if stream { "converse-stream" } else { "converse" };
            (format!("/model/{model}/{operation}"), body)
        }
    };
    Ask {
        method: Method::POST,
        path,
        body: body.to_string(),
        signed: true,
    }
}

fn ended_well(api: Api, text: &str) -> bool {
    match api {
        Api::Chat => text.ends_with("data: [DONE]\n\n"),
        Api::Responses => {
            text.contains("event: response.completed") || text.contains("event: response.incomplete")
        }
        // The last frame holds the usage; binary around it.
        Api::Converse => text.contains("\"outputTokens\":"),
    }
}

/// The tokens of an answer, as its usage says them, whichever the API.
fn tokens(text: &str) -> u64 {
    [
        "\"completion_tokens\":",
        "\"output_tokens\":",
        "\"outputTokens\":",
    ]
    .iter()
    .filter_map(|name| {
        let (_, rest) = text.rsplit_once(name)?;
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(rest.len());
        rest.get(..digits)?.parse::<u64>().ok()
    })
    .max()
    .unwrap_or_default()
}

fn end_of(text: &str) -> &str {
    let from = text.len().saturating_sub(300);
    text.get(from..).unwrap_or_default()
}
