//! Requests as somebody signs them who keeps no rule but the arithmetic.

use super::*;

/// A request that is about to be signed, with everything that goes into the signature.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) query: String,
    pub(super) authority: &'static str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'static [u8],
    pub(super) key: &'static str,
    pub(super) scope: (String, &'static str, &'static str, &'static str),
    pub(super) signed: String,
    pub(super) algorithm: &'static str,
    /// What is signed instead of the body's digest.
    pub(super) payload: Option<String>,
}

pub(super) const KEY: &str = "ASIAEXAMPLEEXAMPLE22";

impl Draft {
    pub(super) fn new(token: &str) -> Self {
        Self {
            method: "POST",
            path: "/",
            query: "b=2&a=1".to_owned(),
            authority: "localhost:8443",
            headers: vec![
                ("x-amz-date".to_owned(), at(START).iso8601_basic()),
                ("x-amz-security-token".to_owned(), token.to_owned()),
                ("user-agent".to_owned(), "me".to_owned()),
            ],
            body: b"Action=GetCallerIdentity",
            key: KEY,
            scope: (at(START).basic_date(), REGION, "sts", "aws4_request"),
            signed: "host;x-amz-date;x-amz-security-token".to_owned(),
            algorithm: ALGORITHM,
            payload: None,
        }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.headers.retain(|(header, _)| header != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn head<R>(&self, headers: &[(String, String)], read: impl FnOnce(&HttpHead<'_>) -> R) -> R {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let body: [u8; 32] = digest::digest(&digest::SHA256, self.body)
            .as_ref()
            .try_into()
            .unwrap();
        read(&HttpHead {
            method: self.method,
            raw_path: self.path,
            raw_query: &self.query,
            authority: self.authority,
            headers: &headers,
            body_sha256: &body,
        })
    }

    /// Signs, as a client that keeps no rule but the arithmetic.
    pub(super) fn sign(&mut self) -> &mut Self {
        let (date, region, service, terminator) = self.scope.clone();
        let time =
            Timestamp::parse_iso8601_basic(&self.headers.iter().find(|(n, _)| n == "x-amz-date").unwrap().1)
                .unwrap();
        let signature = self.signature((&date, region, service), time);
        let (algorithm, key, signed) = (self.algorithm, self.key, self.signed.clone());
        self.set("authorization", &format!(
            "{algorithm} Credential={key}/{date}/{region}/{service}/{terminator}, SignedHeaders={signed}, Signature={signature}"
        ))
    }

    /// Signs all that may be.
    pub(super) fn sign_all(&mut self) -> &mut Self {
        self.headers.retain(|(name, _)| name != "authorization");
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.push("host");
        names.sort_unstable();
        self.signed = names.join(";");
        self.sign()
    }

    /// Puts the signature into the query.
    pub(super) fn presign(&mut self, token: &str, signed: &str) {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let (date, region, service, terminator) = self.scope.clone();
        self.signed = signed.to_owned();
        let credential = format!("{}/{date}/{region}/{service}/{terminator}", self.key);
        self.query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires=60&X-Amz-SignedHeaders={}&X-Amz-Security-Token={}",
            encode(&credential),
            at(START).iso8601_basic(),
            encode(signed),
            encode(token)
        );
        let signature = self.signature((&date, region, service), at(START));
        self.query.push_str("&X-Amz-Signature=");
        self.query.push_str(&signature);
    }

    pub(super) fn signature(&self, (date, region, service): (&str, &str, &str), time: Timestamp) -> String {
        self.head(&self.headers, |head| {
            let request = CanonicalRequest {
                method: head.method,
                uri: &canonical::uri(
                    head.raw_path,
                    SigningName::from_scope(service).unwrap_or(SigningName::Sts),
                ),
                query: &canonical::query(head.raw_query),
                headers: &canonical::headers(head, &self.signed).unwrap(),
                signed_headers: &self.signed,
                payload_hash: &self
                    .payload
                    .clone()
                    .unwrap_or_else(|| hex::encode(head.body_sha256)),
            };
            let scope = Scope {
                date,
                region,
                service,
            };
            hex::encode(signature::sign(SECRET.as_bytes(), scope, time, &request.text()).as_ref())
        })
    }

    pub(super) fn send(&self, to: &Authenticator, now: u64) -> Result<Authenticated, AuthnError> {
        self.head(&self.headers, |head| {
            to.authenticate(head, &[SigningName::Sts, SigningName::S3], at(now))
        })
    }
}
