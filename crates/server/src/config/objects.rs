//! Where the bytes of objects rest: in files of the store, or in a bucket somewhere else.

use std::net::IpAddr;
use std::path::PathBuf;

use moho_terms::{BucketName, Region};

use super::ConfigError;
use super::resolve::{one, path};
use super::typed::Typed;
use crate::outbound::{Origin, authority};

/// A bucket of an S3 service, and what it takes to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectsConfig {
    /// Its name.
    pub bucket: String,
    /// What every key in it begins with, without a slash at either end; empty if nothing.
    pub prefix: String,
    /// Who serves it.
    pub origin: Origin,
    /// Whether TLS protects what is sent; without, it is a server on this machine.
    pub tls: bool,
    /// Whether the bucket stands in the path of URLs, and not before the host.
    pub in_path: bool,
    /// The region in signatures.
    pub region: String,
    /// The file of the credentials.
    pub credentials: PathBuf,
    /// Authorities to trust for the server's certificate, in PEM; without it, the system's.
    pub ca: Option<PathBuf>,
}

impl ObjectsConfig {
    /// The place, for people.
    #[must_use]
    pub fn place(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!(
            "s3://{}{slash}{} at {}",
            self.bucket,
            self.prefix,
            authority(&self.origin.host, self.origin.port)
        )
    }
}

/// The bucket, if one is named.
pub(crate) fn resolve(typed: &Typed) -> Result<Option<ObjectsConfig>, ConfigError> {
    let url = one(typed, "objects.url", |text| match text {
        "none" => Ok(None),
        text => url(text).map(Some),
    })?;
    let endpoint = one(typed, "objects.endpoint", endpoint)?;
    let addressing = one(typed, "objects.addressing", |text| match text {
        "path" => Ok(true),
        "host" => Ok(false),
        _ => Err("expected path or host"),
    })?;
    let region = one(typed, "objects.region", region)?;
    let own_region = one(typed, "region", |text| text.parse::<Region>())?;
    let credentials = one(typed, "objects.credentials_file", path)?;
    let ca = one(typed, "objects.ca", path)?;
    let Some((bucket, prefix)) = url.flatten() else {
        return Ok(None);
    };
    let Some(credentials) = credentials else {
        return Err(ConfigError::Together(
            "`objects.url` needs `objects.credentials_file`: a file that only moho may read, as AWS's tools write it",
        ));
    };
    let region =
        region.unwrap_or_else(|| own_region.map_or_else(|| "us-east-1".to_owned(), |own| own.to_string()));
    let in_path = addressing.unwrap_or_else(|| endpoint.is_some());
    let (tls, server) = match endpoint {
        Some(named) => named,
        None => (true, aws(&region)?),
    };
    if !in_path && server.host.parse::<IpAddr>().is_ok() {
        return Err(ConfigError::Together(
            "`objects.addressing` is host, but `objects.endpoint` is an address: a bucket's name goes before a name only",
        ));
    }
    let origin = if in_path {
        server
    } else {
        Origin {
            host: format!("{bucket}.{}", server.host),
            ..server
        }
    };
    Ok(Some(ObjectsConfig {
        bucket,
        prefix,
        origin,
        tls,
        in_path,
        region,
        credentials,
        ca,
    }))
}

fn aws(region: &str) -> Result<Origin, ConfigError> {
    let origin = format!("s3.{region}.amazonaws.com").parse();
    origin.map_err(|_none| ConfigError::Together("`objects.region` is no region of AWS's"))
}

/// `s3://bucket/prefix`
fn url(text: &str) -> Result<(String, String), &'static str> {
    let problem = "expected s3://BUCKET or s3://BUCKET/PREFIX, the prefix of letters, digits and ._-/";
    let rest = text.strip_prefix("s3://").ok_or(problem)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket: BucketName = bucket.parse().map_err(|_none| problem)?;
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let plain = |part: &str| {
        let letters = part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        letters && !matches!(part, "" | "." | "..")
    };
    if prefix.len() > 512 || !(prefix.is_empty() || prefix.split('/').all(plain)) {
        return Err(problem);
    }
    Ok((bucket.to_string(), prefix.to_owned()))
}

/// Whether TLS is spoken, and with whom.
fn endpoint(text: &str) -> Result<(bool, Origin), &'static str> {
    let problem = "expected a URL such as https://s3.example.com, without a path; http:// for a server on this machine only";
    let text = text.strip_suffix('/').unwrap_or(text);
    if let Some(rest) = text.strip_prefix("https://") {
        return Ok((true, rest.parse().map_err(|_none| problem)?));
    }
    let rest = text.strip_prefix("http://").ok_or(problem)?;
    let origin: Origin = rest.parse().map_err(|_none| problem)?;
    let here = match origin.host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_name) => origin.host == "localhost",
    };
    let port_said = rest.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let port = if port_said { origin.port } else { 80 };
    here.then_some((false, Origin { port, ..origin })).ok_or(problem)
}

fn region(text: &str) -> Result<String, &'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected a region such as eu-central-1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(lines: &str) -> Result<Option<ObjectsConfig>, ConfigError> {
        resolve(&Typed::from_file(&format!("[objects]\n{lines}")).unwrap())
    }

    #[test]
    fn a_bucket_is_found_where_it_is_said_to_be() {
        assert_eq!(resolved("").unwrap(), None);
        assert_eq!(resolved("url = 'none'").unwrap(), None);
        let of_aws = resolved("url = 's3://bucket'\ncredentials_file = 'c'\nregion = 'eu-central-1'");
        let of_aws = of_aws.unwrap().unwrap();
        assert_eq!(
            of_aws.place(),
            "s3://bucket at bucket.s3.eu-central-1.amazonaws.com:443"
        );
        assert!(of_aws.tls && !of_aws.in_path);
        let own =
            resolved("url = 's3://bucket/a/b/'\ncredentials_file = 'c'\nendpoint = 'https://[::1]:9000/'");
        let own = own.unwrap().unwrap();
        assert_eq!(own.place(), "s3://bucket/a/b at [::1]:9000");
        assert!(own.tls && own.in_path && own.region == "us-east-1");
        let here = resolved("url = 's3://bucket'\ncredentials_file = 'c'\nendpoint = 'http://localhost'");
        let here = here.unwrap().unwrap();
        assert_eq!((here.tls, here.origin.port), (false, 80));
        let named = "url = 's3://bucket'\ncredentials_file = 'c'\nendpoint = 'https://s3.example.com'\naddressing = 'host'";
        assert_eq!(
            resolved(named).unwrap().unwrap().origin.host,
            "bucket.s3.example.com"
        );
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for lines in [
            "url = 's3://bucket'",
            "url = 'https://bucket'\ncredentials_file = 'c'",
            "url = 's3://Bucket'\ncredentials_file = 'c'",
            "url = 's3://bucket/../x'\ncredentials_file = 'c'",
            "url = 's3://bucket//x'\ncredentials_file = 'c'",
            "url = 's3://bucket/a?b'\ncredentials_file = 'c'",
            "endpoint = 'http://s3.example.com'",
            "endpoint = 'https://s3.example.com/path'",
            "endpoint = 'https://user@s3.example.com'",
            "endpoint = 's3.example.com'",
            "region = 'eu/1'",
            "addressing = 'both'",
            "url = 's3://bucket'\ncredentials_file = 'c'\nendpoint = 'https://10.0.0.1'\naddressing = 'host'",
        ] {
            assert!(resolved(lines).is_err(), "{lines}");
        }
    }
}
