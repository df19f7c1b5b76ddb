//! A crowd of clients for one server, each doing something else every time, while somebody looks at what the server holds.
//!
//! It ends with an error when a client got what it should not get, or when the server holds more and more. The bearer key
//! comes on standard input, since a command line can be read by every user of the machine.

mod client;
mod tally;
mod watch;
mod work;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use moho_benches::{Stopwatch, print};
use tokio::task::JoinSet;

use client::Server;
use tally::Tally;
use watch::Watch;

/// Puts a server under load.
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
    /// The server's process.
    #[arg(long)]
    process: u32,
    /// For how long.
    #[arg(long)]
    seconds: u64,
    /// How many clients at once.
    #[arg(long, default_value_t = 64)]
    clients: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut key = String::new();
    std::io::stdin()
        .read_to_string(&mut key)
        .context("no bearer key on standard input")?;
    let server = Arc::new(Server::new(
        options.address,
        &options.authority,
        options.model.clone(),
        key.trim(),
    )?);
    let offer = work::offer(&server).await?;
    let (tally, since) = (Arc::new(Tally::default()), Stopwatch::start());
    let limit = Duration::from_secs(options.seconds);
    let mut crowd = JoinSet::new();
    for seed in 1..=options.clients {
        let (server, tally, offer) = (Arc::clone(&server), Arc::clone(&tally), offer.clone());
        crowd.spawn(async move {
            work::until(&server, &offer, &tally, (seed, || since.elapsed() < limit)).await;
        });
    }
    let mut watch = Watch::new(options.process);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    while !crowd.is_empty() {
        tokio::select! {
            _instant = seconds.tick(), if since.elapsed() < limit => watch.look()?,
            ended = crowd.join_next() => if let Some(ended) = ended {
                ended.context("a client panicked")?;
            },
        }
    }
    let seen = watch.seen();
    let report = tally.report(since.elapsed(), &seen);
    print(&report)?;
    if let Some(fault) = tally.first_fault() {
        bail!("a client was served wrongly: {fault}");
    }
    seen.verdict()
}
