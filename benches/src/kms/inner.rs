//! Decision, journal and key in one process, as the road has them in this order.

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;
use moho_benches::house::{House, REGION};
use moho_benches::signing::Signer;
use moho_iam::action::kms;
use moho_iam::authn::{Authenticated, HttpHead, SigningName};
use moho_iam::authz::{Permit, RequestFacts};
use moho_kms::spec::EncryptionAlgorithm;
use moho_kms::{DataKeyLength, EncryptionContext, Under};
use moho_os::process_cpu_time;
use moho_terms::Arn;
use serde::Serialize;

/// How many a second of one core's time, all threads of the process together.
#[derive(Serialize)]
pub(crate) struct Inner {
    /// `GenerateDataKey` with its permit and journal entry.
    generate: f64,
    /// `Decrypt` of such a key, with its permit and journal entry.
    decrypt: f64,
    /// Permit and journal entry alone.
    permit: f64,
    /// What the library takes to encrypt as many bytes, under a key of its own each time.
    library: f64,
}

struct Asking<'a> {
    house: &'a House,
    caller: Authenticated,
    request: RequestFacts,
    key: Arn,
    context: EncryptionContext,
}

pub(crate) fn measure(count: u32) -> Result<Inner> {
    let house = House::build()?;
    let asking = Asking {
        caller: signed(&house)?,
        request: house.request()?,
        key: house.key()?,
        context: EncryptionContext::from_pairs([("purpose", "invoices"), ("tenant", "one")])?,
        house: &house,
    };
    let length = DataKeyLength::new(32)?;
    let generate = || {
        let permit = asking.permit::<kms::GenerateDataKey>()?;
        Ok(house.kms.generate_data_key(&permit, &asking.context, length)?)
    };
    let made = generate()?;
    let decrypt = || {
        let permit = asking.permit::<kms::Decrypt>()?;
        let under = Under {
            permit: &permit,
            context: &asking.context,
            algorithm: EncryptionAlgorithm::SymmetricDefault,
        };
        Ok(house.kms.decrypt(&under, &made.encrypted.blob)?)
    };
    let opened = decrypt()?;
    ensure!(
        opened.plain.expose() == made.plain.expose(),
        "another data key was opened"
    );
    let warm = count / 10;
    for _ in 0..warm {
        std::hint::black_box((generate()?, decrypt()?));
    }
    Ok(Inner {
        generate: rate(count, || generate().map(drop))?,
        decrypt: rate(count, || decrypt().map(drop))?,
        permit: rate(count, || asking.permit::<kms::GenerateDataKey>().map(drop))?,
        library: rate(count, library)?,
    })
}

impl Asking<'_> {
    fn permit<A: moho_iam::action::Action>(&self) -> Result<Permit<A>> {
        let context = self.context.condition_keys();
        Ok(self
            .house
            .authorizer
            .authorize(&self.caller, &self.request, &self.key, &context)?)
    }
}

/// Whoever signs a request to KMS with the credentials of a session.
fn signed(house: &House) -> Result<Authenticated> {
    let credentials = house.credentials()?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).context("credentials are text");
    let secret = text(credentials.secret_access_key.expose())?;
    let token = text(credentials.session_token.expose())?;
    let date = house.now().iso8601_basic();
    let headers = [
        ("host", "localhost"),
        ("x-amz-date", &*date),
        ("x-amz-security-token", &*token),
    ];
    let signer = Signer {
        access_key_id: credentials.access_key_id.as_str(),
        secret: &secret,
        region: REGION,
        service: "kms",
    };
    let authorization = signer.authorization(("POST", "/"), &headers, &date, b"{}");
    let [host, date, token] = headers;
    let mut body_sha256 = [0; 32];
    body_sha256.copy_from_slice(digest::digest(&digest::SHA256, b"{}").as_ref());
    let head = HttpHead {
        method: "POST",
        raw_path: "/",
        raw_query: "",
        authority: "localhost",
        headers: &[host, date, token, ("authorization", &authorization)],
        body_sha256: &body_sha256,
    };
    Ok(house
        .authenticator
        .authenticate(&head, &[SigningName::Kms], house.now())?)
}

/// 32 random bytes, encrypted under 32 others.
fn library() -> Result<()> {
    let mut random = [0; 64];
    aws_lc_rs::rand::fill(&mut random).ok().context("no randomness")?;
    let (key, plain) = random.split_at(32);
    let key = UnboundKey::new(&AES_256_GCM, key).ok().context("no key")?;
    let mut sealed = plain.to_vec();
    LessSafeKey::new(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut sealed)
        .ok()
        .context("not encrypted")?;
    std::hint::black_box(sealed);
    Ok(())
}

fn rate(count: u32, does: impl Fn() -> Result<()>) -> Result<f64> {
    let before = process_cpu_time();
    for _ in 0..count {
        does()?;
    }
    let took = process_cpu_time().saturating_sub(before);
    Ok(f64::from(count) / took.as_secs_f64())
}
