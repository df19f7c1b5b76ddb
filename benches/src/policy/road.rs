//! Requests from their signature to the journal, as the road takes them, and what CPU each costs.

use anyhow::{Context as _, Result};
use aws_lc_rs::digest;
use moho_benches::house::{House, MODEL, REGION};
use moho_benches::signing::Signer;
use moho_iam::action::bedrock;
use moho_iam::authn::{HttpHead, SigningName, TemporaryCredentials};
use moho_iam::authz::{Context, Permit};
use moho_os::process_cpu_time;
use moho_terms::{Arn, Timestamp};
use serde::Serialize;

/// CPU of single requests, in microseconds, all threads of the process together.
#[derive(Serialize)]
pub(crate) struct Road {
    /// The caller's session was seen before.
    known_p50: f64,
    known_p99: f64,
    /// It was not: its token has to be opened.
    new_p50: f64,
}

/// More sessions than the authenticator remembers, so that none is when its turn comes again.
const SESSIONS: usize = 2048;

pub(crate) fn measure(requests: u32) -> Result<Road> {
    let house = House::build()?;
    let model = Arn::of("bedrock", REGION, "", &format!("foundation-model/{MODEL}"))?;
    let one = [Signed::of(&house.credentials()?, house.now())?];
    let many = (0..SESSIONS)
        .map(|_| Signed::of(&house.credentials()?, house.now()))
        .collect::<Result<Vec<_>>>()?;
    let count = usize::try_from(requests)?;
    let warm = count / 10;
    costs(&house, &model, one.iter().cycle().take(warm))?;
    let known = costs(&house, &model, one.iter().cycle().take(count))?;
    let new = costs(&house, &model, many.iter().cycle().take(count))?;
    Ok(Road {
        known_p50: at(&known, 50)?,
        known_p99: at(&known, 99)?,
        new_p50: at(&new, 50)?,
    })
}

fn at(sorted: &[f64], percent: usize) -> Result<f64> {
    let rank = sorted.len().saturating_mul(percent) / 100;
    sorted.get(rank).copied().context("nothing was measured")
}

/// What each request took, sorted.
fn costs<'a>(house: &House, model: &Arn, requests: impl Iterator<Item = &'a Signed>) -> Result<Vec<f64>> {
    let mut costs = Vec::new();
    for request in requests {
        let facts = house.request()?;
        let headers = request.headers();
        let before = process_cpu_time();
        let head = HttpHead {
            method: "POST",
            raw_path: Signed::PATH,
            raw_query: "",
            authority: Signed::HOST,
            headers: &headers,
            body_sha256: &request.body_sha256,
        };
        let caller = house
            .authenticator
            .authenticate(&head, &[SigningName::Bedrock], house.now())?;
        let permit: Permit<bedrock::InvokeModel> =
            house
                .authorizer
                .authorize(&caller, &facts, model, &Context::new())?;
        let cost = process_cpu_time().saturating_sub(before);
        std::hint::black_box(permit.position());
        costs.push(cost.as_secs_f64() * 1e6);
    }
    costs.sort_by(f64::total_cmp);
    Ok(costs)
}

/// A signed request, ready to be sent.
struct Signed {
    authorization: String,
    date: String,
    token: String,
    body_sha256: [u8; 32],
}

impl Signed {
    const PATH: &str = "/model/llama-3/converse";
    const HOST: &str = "localhost:8443";

    fn of(credentials: &TemporaryCredentials, now: Timestamp) -> Result<Self> {
        let body = br#"{"messages":[{"role":"user","content":[{"text":"Name one rock."}]}]}"#;
        let mut body_sha256 = [0; 32];
        body_sha256.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).context("credentials are text");
        let secret = text(credentials.secret_access_key.expose())?;
        let token = text(credentials.session_token.expose())?;
        let date = now.iso8601_basic();
        let headers = [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("host", Self::HOST),
            ("x-amz-date", &*date),
            ("x-amz-security-token", &*token),
        ];
        let signer = Signer {
            access_key_id: credentials.access_key_id.as_str(),
            secret: &secret,
            region: REGION,
            service: "bedrock",
        };
        let authorization = signer.authorization(("POST", Self::PATH), &headers, &date, body);
        Ok(Self {
            authorization,
            date,
            token,
            body_sha256,
        })
    }

    fn headers(&self) -> [(&str, &str); 8] {
        [
            ("host", Self::HOST),
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("user-agent", "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux"),
            ("content-length", "68"),
            ("x-amz-date", &self.date),
            ("x-amz-security-token", &self.token),
            ("authorization", &self.authorization),
        ]
    }
}
