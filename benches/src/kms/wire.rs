//! A client of the wire: some TLS connections that are kept, every request signed for itself.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use moho_benches::Stopwatch;
use moho_benches::signing::Credentials;
use moho_benches::tls::Tls;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::Wire;

/// How many a second were answered, client and server on the same machine.
#[derive(Serialize)]
pub(crate) struct Found {
    generate: f64,
    decrypt: f64,
    /// `GetCallerIdentity`-like: a request that is signed, decided and answered, without a key.
    describe: f64,
}

/// A new key.
#[derive(Deserialize)]
struct Made {
    #[serde(rename = "KeyMetadata")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "KeyId")]
    key_id: String,
}

/// A new data key, both ways.
#[derive(Deserialize)]
struct DataKey {
    #[serde(rename = "CiphertextBlob")]
    blob: String,
    #[serde(rename = "Plaintext")]
    plain: String,
}

/// The same, opened.
#[derive(Deserialize)]
struct Opened {
    #[serde(rename = "Plaintext")]
    plain: String,
}

struct Client {
    credentials: Credentials,
    host: String,
    tls: Tls,
    address: std::net::SocketAddr,
}

/// What is asked again and again.
#[derive(Clone)]
struct Ask {
    target: &'static str,
    body: Bytes,
}

pub(crate) fn measure(options: &Wire) -> Result<Found> {
    let mut read = String::new();
    std::io::stdin()
        .read_to_string(&mut read)
        .context("no credentials on standard input")?;
    let client = Arc::new(Client {
        credentials: serde_json::from_str(&read).context("these are no credentials")?,
        host: options.address.to_string(),
        tls: Tls::trusting(&options.authority)?,
        address: options.address,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ask(client, options))
}

async fn ask(client: Arc<Client>, options: &Wire) -> Result<Found> {
    let mut sender = client.tls.connect(client.address).await?;
    let made: Made = client.call(&mut sender, ("CreateKey", "{}".to_owned())).await?;
    let key = made.metadata.key_id;
    let context = serde_json::json!({"purpose": "invoices", "tenant": "one"});
    let generate = serde_json::json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context});
    let made: DataKey = client
        .call(&mut sender, ("GenerateDataKey", generate.to_string()))
        .await?;
    let decrypt = serde_json::json!({"CiphertextBlob": made.blob, "EncryptionContext": context});
    let opened: Opened = client.call(&mut sender, ("Decrypt", decrypt.to_string())).await?;
    ensure!(opened.plain == made.plain, "another data key was opened");
    let asks = [
        ("GenerateDataKey", generate),
        ("Decrypt", decrypt),
        ("DescribeKey", serde_json::json!({"KeyId": key})),
    ];
    let mut rates = Vec::new();
    for (target, body) in asks {
        let body = Bytes::from(body.to_string());
        rates.push(client.rate(Ask { target, body }, options).await?);
    }
    let [generate, decrypt, describe] = rates[..] else {
        anyhow::bail!("not everything was measured")
    };
    Ok(Found {
        generate,
        decrypt,
        describe,
    })
}

impl Client {
    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>> {
        let credentials = &self.credentials;
        let target = format!("TrentService.{}", ask.target);
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("host", &*self.host),
            ("x-amz-date", &*credentials.date),
            ("x-amz-security-token", &*credentials.token),
            ("x-amz-target", &*target),
        ];
        let authorization =
            credentials
                .signer("kms")
                .authorization(("POST", "/"), &headers, &credentials.date, &ask.body);
        let mut request = Request::post("/").header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(Full::new(ask.body.clone())).context("no request")
    }

    async fn send(&self, sender: &mut SendRequest<Full<Bytes>>, ask: &Ask) -> Result<Bytes> {
        let answer = sender.send_request(self.request(ask)?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success(),
            "{} was refused: {status} {}",
            ask.target,
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        (target, body): (&'static str, String),
    ) -> Result<T> {
        let body = Bytes::from(body);
        let answer = self.send(sender, &Ask { target, body }).await?;
        serde_json::from_slice(&answer).context("the reply says something else")
    }

    /// How many a second are answered on all connections together.
    async fn rate(self: &Arc<Self>, ask: Ask, options: &Wire) -> Result<f64> {
        let left = Arc::new(AtomicUsize::new(options.requests));
        let mut senders = Vec::new();
        for _ in 0..options.connections {
            senders.push(self.tls.connect(self.address).await?);
        }
        let since = Stopwatch::start();
        let mut crowd = JoinSet::new();
        for mut sender in senders {
            let (client, left, ask) = (Arc::clone(self), Arc::clone(&left), ask.clone());
            crowd.spawn(async move {
                let take = |left: usize| left.checked_sub(1);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
                {
                    sender.ready().await?;
                    client.send(&mut sender, &ask).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = crowd.join_next().await {
            ended.context("a client panicked")??;
        }
        let requests = u32::try_from(options.requests)?;
        Ok(f64::from(requests) / since.elapsed().as_secs_f64())
    }
}
