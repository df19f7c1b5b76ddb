//! Signatures of version 4 as a client makes them.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use aws_lc_rs::{digest, hmac};
use serde::Deserialize;

/// As `moho credentials --format json` prints them, and when the requests are to be dated.
#[derive(Deserialize)]
pub struct Credentials {
    /// The public half.
    #[serde(rename = "AccessKeyId")]
    pub access_key_id: String,
    /// The secret half.
    #[serde(rename = "SecretAccessKey")]
    pub secret: String,
    /// The session token.
    #[serde(rename = "SessionToken")]
    pub token: String,
    /// The region.
    #[serde(rename = "Region")]
    pub region: String,
    /// The date, such as `20150830T123600Z`.
    #[serde(rename = "Date")]
    pub date: String,
}

impl Credentials {
    /// Signs with them for a service.
    #[must_use]
    pub fn signer<'a>(&'a self, service: &'a str) -> Signer<'a> {
        Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            region: &self.region,
            service,
        }
    }
}

/// Who signs, where and for which service.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The public half of the credentials.
    pub access_key_id: &'a str,
    /// The secret half.
    pub secret: &'a str,
    /// The region of the scope.
    pub region: &'a str,
    /// The service of the scope.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The `authorization` of a request with this method and path. The headers are all that are signed, in the order of their
    /// names, in lower case; the date is as `x-amz-date` has it, such as `20150830T123600Z`.
    #[must_use]
    pub fn authorization(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        date: &str,
        body: &[u8],
    ) -> String {
        let (region, service) = (self.region, self.service);
        let day = date.get(..8).unwrap_or_default();
        let mut canonical = format!("{method}\n{path}\n\n");
        let mut signed = String::new();
        for (name, value) in headers {
            canonical.push_str(&format!("{name}:{value}\n"));
            if !signed.is_empty() {
                signed.push(';');
            }
            signed.push_str(name);
        }
        canonical.push_str(&format!("\n{signed}\n{}", sha256(body)));
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [day, region, service, "aws4_request"] {
            key = mac(&key, part);
        }
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}",
            self.access_key_id,
            hex(&mac(&key, &to_sign))
        )
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
