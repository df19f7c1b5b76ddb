//! A certification authority of our own, for a server that has been given no certificate.
//!
//! It is kept in the data directory, so that a client that trusts `ca.pem` once trusts it after every start. It may
//! vouch for this server's own names only (name constraints): trusting it opens nothing else.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use moho_terms::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use zeroize::Zeroizing;

use super::files::{self, Audience};
use super::{TlsError, files::read};

const DAY: u64 = 86_400;
/// How long each lives, and how long before its end it is renewed.
const AUTHORITY_DAYS: u64 = 3650;
const SERVER_DAYS: u64 = 90;
const AUTHORITY_MARGIN_DAYS: u64 = SERVER_DAYS + 1;
const SERVER_MARGIN_DAYS: u64 = 30;
/// The first line of our PEM files: what is inside, until when (seconds since 1970), for which names.
const NOTE: &str = "moho-certificate";

/// A name that a certificate can vouch for: a host name, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostName {
    /// A DNS name, in lower case.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl HostName {
    /// A name for a certificate to vouch for, which may be all hosts right below one: `*.NAME`.
    ///
    /// # Errors
    /// [`TlsError::Name`] for what is none.
    pub fn of_certificate(text: &str) -> Result<Self, TlsError> {
        let Some(below) = text.strip_prefix("*.") else {
            return text.parse();
        };
        match below.parse() {
            Ok(Self::Dns(name)) if name.contains('.') => Ok(Self::Dns(format!("*.{name}"))),
            Ok(_) | Err(_) => Err(TlsError::Name(text.to_owned())),
        }
    }
}

impl FromStr for HostName {
    type Err = TlsError;

    fn from_str(text: &str) -> Result<Self, TlsError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() <= 253 && text.split('.').all(fits) {
            Ok(Self::Dns(text.to_ascii_lowercase()))
        } else {
            Err(TlsError::Name(text.to_owned()))
        }
    }
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// The authority's certificate, for clients to trust.
pub(super) fn certificate_path(data: &Path) -> PathBuf {
    data.join("ca.pem")
}

/// The files of a certificate and key that are good for `names` now; makes or renews what is missing.
pub(super) fn current(
    data: &Path,
    names: &[HostName],
    now: Timestamp,
) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (data.join("tls/server.pem"), data.join("tls/server.key"));
    let note = |days: u64| Note {
        not_after: now.plus_seconds(days * DAY).unix_seconds(),
        names: spelled(names),
    };
    let authority_key = data.join("tls/ca.key");
    let authority_lives = lives(
        &certificate_path(data),
        &authority_key,
        names,
        now,
        AUTHORITY_MARGIN_DAYS,
    );
    if !authority_lives {
        make_authority(data, &authority_key, names, now, &note(AUTHORITY_DAYS))?;
    }
    if !authority_lives || !lives(&certificate, &key, names, now, SERVER_MARGIN_DAYS) {
        let issuer_key = read_key(&authority_key)?;
        let issuer = Issuer::new(authority_params(names, now)?, issuer_key);
        let own_key = KeyPair::generate()?;
        let signed = server_params(names, now)?.signed_by(&own_key, &issuer)?;
        write_key(&key, &own_key)?;
        files::write(
            &certificate,
            note(SERVER_DAYS).above(&signed.pem()).as_bytes(),
            Audience::Everybody,
        )?;
    }
    Ok((certificate, key))
}

fn make_authority(
    data: &Path,
    key_path: &Path,
    names: &[HostName],
    now: Timestamp,
    note: &Note,
) -> Result<(), TlsError> {
    let key = KeyPair::generate()?;
    let certificate = authority_params(names, now)?.self_signed(&key)?;
    write_key(key_path, &key)?;
    let path = certificate_path(data);
    files::write(
        &path,
        note.above(&certificate.pem()).as_bytes(),
        Audience::Everybody,
    )?;
    tracing::info!(file = %path.display(), "generated a certification authority; clients have to trust this file");
    Ok(())
}

/// Whether a certificate of ours and its key are there, for these names, for long enough.
fn lives(certificate: &Path, key: &Path, names: &[HostName], now: Timestamp, margin_days: u64) -> bool {
    let Ok(text) = read(certificate) else { return false };
    let note = String::from_utf8_lossy(&text)
        .lines()
        .next()
        .and_then(|line| line.parse::<Note>().ok());
    let lasting = |note: Note| {
        note.names == spelled(names) && note.not_after > now.plus_seconds(margin_days * DAY).unix_seconds()
    };
    note.is_some_and(lasting) && key.is_file()
}

fn authority_params(names: &[HostName], now: Timestamp) -> Result<CertificateParams, TlsError> {
    let mut params = dated(CertificateParams::default(), now, AUTHORITY_DAYS);
    params
        .distinguished_name
        .push(DnType::CommonName, "moho generated authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let permitted_subtrees = names.iter().map(subtree).collect();
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees,
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

fn server_params(names: &[HostName], now: Timestamp) -> Result<CertificateParams, TlsError> {
    let mut params = dated(CertificateParams::default(), now, SERVER_DAYS);
    params.distinguished_name.push(DnType::CommonName, "moho");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    for name in names {
        params.subject_alt_names.push(match name {
            HostName::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            HostName::Ip(address) => SanType::IpAddress(*address),
        });
    }
    Ok(params)
}

fn subtree(name: &HostName) -> GeneralSubtree {
    match name {
        HostName::Dns(name) => GeneralSubtree::DnsName(name.strip_prefix("*.").unwrap_or(name).to_owned()),
        HostName::Ip(address) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
            *address,
            if address.is_ipv4() { 32 } else { 128 },
        )),
    }
}

/// Valid from yesterday, as clocks differ.
fn dated(mut params: CertificateParams, now: Timestamp, days: u64) -> CertificateParams {
    let yesterday = Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(DAY));
    let day = |moment: Timestamp| {
        let digits = moment.basic_date().parse::<u32>().unwrap_or(19_700_101);
        let part = |value: u32| u8::try_from(value % 100).unwrap_or(1);
        date_time_ymd(
            i32::try_from(digits / 10_000).unwrap_or(1970),
            part(digits / 100),
            part(digits),
        )
    };
    params.not_before = day(yesterday);
    params.not_after = day(now.plus_seconds(days * DAY));
    params
}

fn spelled(names: &[HostName]) -> String {
    let mut names: Vec<String> = names.iter().map(HostName::to_string).collect();
    names.sort();
    names.dedup();
    names.join(",")
}

fn read_key(path: &Path) -> Result<KeyPair, TlsError> {
    let unusable = || TlsError::Content {
        path: path.to_owned(),
        what: "private key",
    };
    let text = read(path)?;
    KeyPair::from_pem(std::str::from_utf8(&text).map_err(|_not_text| unusable())?)
        .map_err(|_not_a_key| unusable())
}

fn write_key(path: &Path, key: &KeyPair) -> Result<(), TlsError> {
    files::write(
        path,
        Zeroizing::new(key.serialize_pem()).as_bytes(),
        Audience::Owner,
    )
}

/// What we remember of a certificate, in the text that PEM allows before it.
struct Note {
    not_after: u64,
    names: String,
}

impl Note {
    fn above(&self, pem: &str) -> String {
        format!("{NOTE} {} {}\n{pem}", self.not_after, self.names)
    }
}

impl FromStr for Note {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let mut words = line.split(' ');
        let (Some(NOTE), Some(not_after), Some(names), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(());
        };
        Ok(Self {
            not_after: not_after.parse().map_err(|_not_a_number| ())?,
            names: names.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const NOW: u64 = 1_790_000_000;

    fn names(list: &[&str]) -> Vec<HostName> {
        list.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_second_start_reuses_and_the_last_month_renews() {
        let folder = tempfile::tempdir().unwrap();
        let (data, hosts) = (folder.path(), names(&["localhost", "127.0.0.1", "::1"]));
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let (certificate, key) = current(data, &hosts, Timestamp::from_unix_seconds(NOW)).unwrap();
        let (authority, first, first_key) = (read(&certificate_path(data)), read(&certificate), read(&key));
        current(data, &hosts, Timestamp::from_unix_seconds(NOW + 59 * DAY)).unwrap();
        assert!(read(&certificate) == first && read(&key) == first_key);
        current(data, &hosts, Timestamp::from_unix_seconds(NOW + 61 * DAY)).unwrap();
        assert!(read(&certificate) != first && read(&key) != first_key);
        assert_eq!(
            read(&certificate_path(data)),
            authority,
            "clients go on trusting the same authority"
        );
        current(data, &names(&["moho.example"]), Timestamp::from_unix_seconds(NOW)).unwrap();
        assert_ne!(
            read(&certificate_path(data)),
            authority,
            "its constraints do not fit the new name"
        );
    }

    #[test]
    fn keys_are_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        current(
            folder.path(),
            &names(&["localhost"]),
            Timestamp::from_unix_seconds(NOW),
        )
        .unwrap();
        for key in ["tls/ca.key", "tls/server.key"] {
            let mode = fs::metadata(folder.path().join(key))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }

    #[test]
    fn names_are_read_once_and_for_all() {
        assert_eq!(
            "Moho.Example".parse::<HostName>().unwrap(),
            HostName::Dns("moho.example".to_owned())
        );
        assert!(matches!("::1".parse::<HostName>().unwrap(), HostName::Ip(_)));
        let below = HostName::of_certificate("*.S3.moho.example").unwrap();
        assert_eq!(below.to_string(), "*.s3.moho.example");
        assert!(HostName::of_certificate("s3.moho.example").is_ok());
        for text in [
            "*.example",
            "*.127.0.0.1",
            "*",
            "*.",
            "a.*.example",
            "*.*.s3.example",
        ] {
            assert!(HostName::of_certificate(text).is_err(), "{text}");
        }
        for text in ["", "a b", "-a", "a..b", "a_b", "a/b"] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
