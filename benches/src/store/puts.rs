//! Objects of 1 KiB put by S3's `PutObject`, each of them answered when it is on the disk.

use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Request;
use moho_benches::Stopwatch;
use moho_benches::house::House;
use moho_iam::authn::Authenticated;
use moho_s3::{Notes, Proof, S3Call, S3Gateway, Trailers};
use s3s::Body;
use serde::Serialize;

const OBJECT: usize = 1024;
const BUCKET: &str = "/bench-bucket";

/// How many a second.
#[derive(Serialize)]
pub(crate) struct Puts {
    per_second: f64,
    alone_per_second: f64,
}

pub(crate) fn measure(clients: u32, count: u32) -> Result<Puts> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let putting = Arc::new(Putting::begin()?);
        putting.put(BUCKET.to_owned(), Bytes::new()).await?;
        Ok(Puts {
            per_second: rate(&putting, clients, count).await?,
            alone_per_second: rate(&putting, 1, count).await?,
        })
    })
}

async fn rate(putting: &Arc<Putting>, clients: u32, count: u32) -> Result<f64> {
    let watch = Stopwatch::start();
    let mut all = tokio::task::JoinSet::new();
    for client in 0..clients {
        let putting = Arc::clone(putting);
        all.spawn(async move {
            let bytes = Bytes::from(vec![7; OBJECT]);
            for one in 0..count {
                let path = format!("{BUCKET}/of-{clients}/{client}/{one}");
                putting.put(path, bytes.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(f64::from(clients.saturating_mul(count)) / watch.elapsed().as_secs_f64())
}

/// An administrator at S3's door.
struct Putting {
    house: House,
    gateway: S3Gateway,
    caller: Arc<Authenticated>,
}

impl Putting {
    fn begin() -> Result<Self> {
        let house = House::build()?;
        Ok(Self {
            gateway: house.s3()?,
            caller: Arc::new(house.administrator()?),
            house,
        })
    }

    /// With its permits and their lines in the journal.
    async fn put(&self, path: String, bytes: Bytes) -> Result<()> {
        let request = Request::put(&path)
            .header("host", "localhost:8443")
            .header("content-length", bytes.len())
            .body(Body::from(bytes))?;
        let call = S3Call {
            caller: Arc::clone(&self.caller),
            facts: self.house.request()?,
            proof: Proof::default(),
            request,
            trailers: Trailers::new(),
            notes: Notes::new(),
        };
        let answered = self.gateway.answer(call).await;
        ensure!(answered.status().is_success(), "{path}: {}", answered.status());
        Ok(())
    }
}
