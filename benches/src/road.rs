//! A client of the whole road: one TLS connection that is kept, requests of one token, and the time of each.
//!
//! The bearer key comes on standard input, since a command line can be read by every user of the machine.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use moho_benches::tls::Tls;
use moho_benches::{Stopwatch, print};
use serde::Serialize;

/// Measures the road.
#[derive(Parser)]
struct Options {
    /// Where moho listens.
    #[arg(long)]
    address: SocketAddr,
    /// The certificate authority to trust.
    #[arg(long)]
    authority: PathBuf,
    /// Which model is asked.
    #[arg(long)]
    model: String,
    /// What is asked each time.
    #[arg(long)]
    question: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Requests of one token, one after the other, on one connection.
    Latency {
        /// How many.
        #[arg(long)]
        requests: usize,
    },
    /// Waits for a server that is starting, and ends with the first word of its first answer.
    FirstToken,
}

/// How often a server that is starting is tried.
const TRIES: u32 = 30_000;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Serialize)]
struct Latency {
    milliseconds: Vec<f64>,
}

/// What stays the same from request to request.
struct Client {
    options: Options,
    key: String,
    tls: Tls,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut key = String::new();
    std::io::stdin()
        .read_to_string(&mut key)
        .context("no bearer key on standard input")?;
    let mut client = None;
    for _ in 0..TRIES {
        // A server that starts for the first time makes its certificate authority first.
        if options.authority.is_file() {
            client = Some(Client {
                tls: Tls::trusting(&options.authority)?,
                key: key.trim().to_owned(),
                options,
            });
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let client = client.context("there is no certificate authority")?;
    match client.options.what {
        What::Latency { requests } => print(&client.latency(requests).await?),
        What::FirstToken => client.first_token().await,
    }
}

impl Client {
    fn request(&self, stream: bool) -> Result<Request<Full<Bytes>>> {
        let body = serde_json::json!({
            "model": self.options.model,
            "input": self.options.question,
            "max_output_tokens": 1,
            "temperature": 0,
            "store": false,
            "stream": stream,
        });
        Request::builder()
            .method(Method::POST)
            .uri("/v1/responses")
            .header(HOST, self.options.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .context("no request")
    }

    async fn ask(&self, sender: &mut SendRequest<Full<Bytes>>) -> Result<()> {
        let answer = sender.send_request(self.request(false)?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success(),
            "refused: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }

    async fn latency(&self, requests: usize) -> Result<Latency> {
        let mut sender = self.tls.connect(self.options.address).await?;
        self.ask(&mut sender).await?;
        let mut milliseconds = Vec::with_capacity(requests);
        for _ in 0..requests {
            let since = Stopwatch::start();
            self.ask(&mut sender).await?;
            milliseconds.push(since.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Latency { milliseconds })
    }

    async fn first_token(&self) -> Result<()> {
        let mut sender = None;
        for _ in 0..TRIES {
            if let Ok(connected) = self.tls.connect(self.options.address).await {
                sender = Some(connected);
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let mut sender = sender.context("the server does not start")?;
        let mut answer = sender.send_request(self.request(true)?).await?;
        ensure!(answer.status().is_success(), "refused: {}", answer.status());
        let mut read = Vec::new();
        while let Some(frame) = answer.frame().await {
            if let Some(part) = frame?.data_ref() {
                read.extend_from_slice(part);
            }
            if String::from_utf8_lossy(&read).contains("\"response.output_text.delta\"") {
                return Ok(());
            }
        }
        bail!("the answer ended without a word")
    }
}
