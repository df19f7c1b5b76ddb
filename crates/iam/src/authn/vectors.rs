//! Signatures that others made: AWS's published suites, botocore, and AWS's generator of bearer keys.

use aws_lc_rs::digest;
use moho_terms::{Region, Secret, Timestamp};
use serde::Deserialize;

use super::bearer::{self, BearerKey};
use super::canonical::{self, CanonicalRequest};
use super::header::Authorization;
use super::presigned::Presigned;
use super::signature::{self, Scope};
use super::{HttpHead, SigningName};
use moho_terms::hex;

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Deserialize)]
struct Published {
    suite: String,
    name: String,
    form: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    #[serde(default = "yes")]
    normalize: bool,
    #[serde(default)]
    token_unsigned: bool,
    /// Set where the suite does not say the secret: only the path can be compared.
    canonical_uri: Option<String>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Botocore {
    name: String,
    service: String,
    region: String,
    method: String,
    target: String,
    authority: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Deserialize)]
struct MadeKey {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    region: String,
    seconds: u64,
    signed_at: String,
    bearer_key: String,
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}

fn value_of<'a>(pairs: impl IntoIterator<Item = &'a str>, name: &str) -> &'a str {
    pairs
        .into_iter()
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .unwrap()
}

impl Published {
    fn split_target(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    fn uri(&self) -> String {
        let (path, _) = self.split_target();
        if self.normalize {
            canonical::uri(path, SigningName::Bedrock)
        } else {
            canonical::encoded(path)
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The four things a signer says about its signature, and the query it signed.
    fn said(&self) -> Said {
        let (_, query) = self.split_target();
        if self.form == "header" {
            let pairs: Vec<&str> = self.header("authorization").unwrap().split([' ', ',']).collect();
            let said = |name| value_of(pairs.clone(), name).to_owned();
            return Said {
                credential: said("Credential"),
                signed_headers: said("SignedHeaders"),
                signature: said("Signature"),
                time: self.header("x-amz-date").unwrap().trim().to_owned(),
                query: query.to_owned(),
            };
        }
        let said = |name| {
            let value = value_of(query.split('&'), name);
            percent_encoding::percent_decode_str(value)
                .decode_utf8()
                .unwrap()
                .into_owned()
        };
        let signed = |pair: &&str| !(self.token_unsigned && pair.starts_with("X-Amz-Security-Token="));
        Said {
            credential: said("X-Amz-Credential"),
            signed_headers: said("X-Amz-SignedHeaders"),
            signature: said("X-Amz-Signature"),
            time: said("X-Amz-Date"),
            query: query.split('&').filter(signed).collect::<Vec<_>>().join("&"),
        }
    }

    fn check(&self) {
        let said = self.said();
        let parts: Vec<&str> = said.credential.split('/').collect();
        let scope = Scope {
            date: parts[1],
            region: parts[2],
            service: parts[3],
        };
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let head = HttpHead {
            method: &self.method,
            raw_path: "",
            raw_query: "",
            authority: self.header("host").unwrap().trim(),
            headers: &headers,
            body_sha256: &[0; 32],
        };
        let request = CanonicalRequest {
            method: &self.method,
            uri: &self.uri(),
            query: &canonical::query(&said.query),
            headers: &canonical::headers(&head, &said.signed_headers).unwrap(),
            signed_headers: &said.signed_headers,
            payload_hash: &hex::encode(&sha256(self.body.as_bytes())),
        }
        .text();
        let signed_at = Timestamp::parse_iso8601_basic(&said.time).unwrap();
        let signature = hex::decode(&said.signature).unwrap();
        if self.form == "query" {
            let (_, query) = self.split_target();
            let parameters: Vec<_> = canonical::query_parameters(query).collect();
            let presigned = Presigned::parse(&parameters, 604_800).unwrap();
            let claim = presigned.claim().unwrap();
            assert_eq!(claim.signed_headers, said.signed_headers, "{}", self.name);
            assert_eq!((claim.signed_at, claim.signature), (signed_at, signature));
            assert_eq!(claim.credential.access_key_id, parts[0]);
        }
        let verified = signature::SigningKeys::new().verify(SECRET, (scope, signed_at), &request, &signature);
        assert!(
            verified.is_ok(),
            "{} {} {}\n{request}",
            self.suite,
            self.name,
            self.form
        );
    }
}

struct Said {
    credential: String,
    signed_headers: String,
    signature: String,
    time: String,
    query: String,
}

#[test]
fn every_published_vector_verifies() {
    let cases: Vec<Published> =
        serde_json::from_str(include_str!("../../testdata/sigv4/published.json")).unwrap();
    assert_eq!(cases.len(), 112);
    for case in cases {
        match &case.canonical_uri {
            Some(expected) => assert_eq!(&case.uri(), expected, "{}", case.name),
            None => case.check(),
        }
    }
}

#[test]
fn what_botocore_signs_verifies() {
    let cases: Vec<Botocore> =
        serde_json::from_str(include_str!("../../testdata/sigv4/botocore_requests.json")).unwrap();
    for case in cases {
        let (raw_path, raw_query) = case.target.split_once('?').unwrap_or((&case.target, ""));
        let headers: Vec<(&str, &str)> = case
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let head = HttpHead {
            method: &case.method,
            raw_path,
            raw_query,
            authority: &case.authority,
            headers: &headers,
            body_sha256: &sha256(case.body.as_bytes()),
        };
        let authorization = headers
            .iter()
            .find(|(name, _)| *name == "authorization")
            .unwrap()
            .1;
        let region: Region = if case.service == "sts" {
            "moho-local-1"
        } else {
            &case.region
        }
        .parse()
        .unwrap();
        let services = [SigningName::from_scope(&case.service).unwrap()];
        let parsed = Authorization::parse(authorization).unwrap();
        let claim = parsed.claim(&head).unwrap();
        let (presented, _) = claim
            .present(&head, (&region, &services), claim.signed_at)
            .unwrap();
        assert_eq!(presented.session_token, Some("tok+en/with=="));
        let verified = signature::SigningKeys::new().verify(
            SECRET,
            (presented.scope, presented.signed_at),
            &presented.canonical_request,
            &presented.signature,
        );
        assert!(verified.is_ok(), "{}\n{}", case.name, presented.canonical_request);
    }
}

#[test]
fn keys_of_awss_generator_verify_and_ours_are_the_same() {
    let cases: Vec<MadeKey> =
        serde_json::from_str(include_str!("../../testdata/sigv4/bearer_keys.json")).unwrap();
    for case in cases {
        let region: Region = case.region.parse().unwrap();
        let signed_at = Timestamp::parse_iso8601_basic(&case.signed_at).unwrap();
        let key = BearerKey::parse(&case.bearer_key).unwrap();
        assert_eq!(key.signed_at(), signed_at);
        assert_eq!(key.expires_at(), signed_at.plus_seconds(case.seconds));
        let presented = key.present(&region).unwrap();
        assert_eq!(presented.access_key_id, case.access_key_id);
        assert_eq!(presented.session_token, Some(case.session_token.as_str()));
        let secret = Secret::new(case.secret_access_key.into_bytes());
        let verified = signature::SigningKeys::new().verify(
            secret.expose(),
            (presented.scope, signed_at),
            &presented.canonical_request,
            &presented.signature,
        );
        assert!(verified.is_ok(), "{}", case.bearer_key);

        let ours = bearer::make(
            &case.access_key_id,
            &secret,
            &case.session_token,
            (&region, signed_at, case.seconds),
        );
        let ours = BearerKey::parse(std::str::from_utf8(ours.expose()).unwrap()).unwrap();
        assert_eq!(
            ours.present(&region).unwrap().canonical_request,
            presented.canonical_request
        );
        assert_eq!(ours.present(&region).unwrap().signature, presented.signature);
    }
}
