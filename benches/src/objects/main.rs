//! Puts very many small objects into one bucket, over many connections at once, and says how many a second. Every request is
//! one of S3's, signed for itself; one that is refused ends it.
//!
//! Credentials come on standard input, since a command line can be read by every user of the machine.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use moho_benches::signing::{Credentials, sha256};
use moho_benches::tls::Tls;
use moho_benches::{Stopwatch, print};
use moho_terms::Timestamp;
use serde::Serialize;
use tokio::task::JoinSet;

/// Fills a bucket.
#[derive(Parser)]
struct Options {
    /// Where moho listens.
    #[arg(long)]
    address: SocketAddr,
    /// The certificate authority to trust.
    #[arg(long)]
    authority: PathBuf,
    /// The bucket, which is there.
    #[arg(long)]
    bucket: String,
    /// The number of the first object.
    #[arg(long)]
    from: u64,
    /// The number after that of the last one.
    #[arg(long)]
    to: u64,
    /// How many connections at once.
    #[arg(long, default_value_t = 32)]
    connections: usize,
}

/// The one result.
#[derive(Serialize)]
struct Report {
    objects: u64,
    seconds: f64,
}

struct Client {
    options: Options,
    host: String,
    credentials: Credentials,
    begun: Timestamp,
    watch: Stopwatch,
    next: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut read = String::new();
    std::io::stdin()
        .read_to_string(&mut read)
        .context("no credentials on standard input")?;
    let credentials: Credentials = serde_json::from_str(&read).context("these are no credentials")?;
    let tls = Tls::trusting(&options.authority)?;
    let client = Arc::new(Client {
        host: options.address.to_string(),
        begun: Timestamp::parse_iso8601_basic(&credentials.date).context("the date is none")?,
        credentials,
        watch: Stopwatch::start(),
        next: AtomicU64::new(options.from),
        options,
    });
    let mut crowd = JoinSet::new();
    for _ in 0..client.options.connections {
        let (client, mut sender) = (Arc::clone(&client), tls.connect(client.options.address).await?);
        crowd.spawn(async move { client.put_all(&mut sender).await });
    }
    while let Some(ended) = crowd.join_next().await {
        ended.context("a client panicked")??;
    }
    print(&Report {
        objects: client.options.to.saturating_sub(client.options.from),
        seconds: client.watch.elapsed().as_secs_f64(),
    })
}

impl Client {
    /// Puts objects, each of which nobody else puts, until there are all.
    async fn put_all(&self, sender: &mut SendRequest<Full<Bytes>>) -> Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.options.to {
                return Ok(());
            }
            sender.ready().await?;
            let answer = sender.send_request(self.request(number)?).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            ensure!(
                status.is_success(),
                "object {number} was refused: {status} {}",
                String::from_utf8_lossy(&body)
            );
        }
    }

    /// Objects that come one after the other lie far from each other: in a thousand folders, with a thousand in each.
    fn request(&self, number: u64) -> Result<Request<Full<Bytes>>> {
        let (folder, within) = (number % 1000, number / 1000);
        let path = format!(
            "/{}/{folder:03}/{:03}/{number:07}",
            self.options.bucket,
            within % 1000
        );
        let body = format!("object {number}");
        let digest = sha256(body.as_bytes());
        let date = self
            .begun
            .plus_seconds(self.watch.elapsed().as_secs())
            .iso8601_basic();
        let headers = [
            ("host", &*self.host),
            ("x-amz-content-sha256", &*digest),
            ("x-amz-date", &*date),
            ("x-amz-security-token", &*self.credentials.token),
        ];
        let signer = self.credentials.signer("s3");
        let authorization = signer.authorization(("PUT", &path), &headers, &date, body.as_bytes());
        let mut request = Request::put(path).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(body))).context("no request")
    }
}
