//! The certificate: whether it can be used, is in time, is for the right names, and comes with those that vouch for it.

mod der;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use moho_terms::{Clock, Timestamp};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use self::der::Certificate;
use super::finding::{Finding, chain};
use super::scene::Scene;
use crate::config::TlsConfig;
use crate::net::tls::{Certificates, HostName, Identity};

const CHECK: &str = "certificate";
const DAY: u64 = 86_400;
/// A certificate that ends this soon should have been renewed.
const SOON: u64 = 14 * DAY;

/// Looks at the certificate that clients would be shown. `names` are those that clients will use, if they were given.
pub(super) fn check(scene: &Scene<'_>, names: &[HostName]) -> Vec<Finding> {
    match &scene.config.tls {
        TlsConfig::Generated(own) => vec![generated(scene, own, names)],
        TlsConfig::Given { certificate, key } => given(scene.now, (certificate, key), names),
    }
}

/// Without a certificate of the operator's, moho makes one that fits, and renews it.
fn generated(scene: &Scene<'_>, own: &[HostName], names: &[HostName]) -> Finding {
    let missing: Vec<String> = names
        .iter()
        .filter(|name| !own.contains(name))
        .map(HostName::to_string)
        .collect();
    if !missing.is_empty() {
        let flags: Vec<String> = missing.iter().map(|name| format!("--tls-name {name}")).collect();
        return Finding::fault(
            CHECK,
            format!("the generated certificate is not for {}", missing.join(", ")),
        )
        .why("clients that use that name refuse to connect")
        .cure(format!("serve with {} (`tls.names`)", flags.join(" ")));
    }
    let authority = scene.config.data.join("ca.pem");
    let holds: Vec<String> = own.iter().map(HostName::to_string).collect();
    Finding::fine(
        CHECK,
        format!(
            "moho generates one for {}; clients have to trust {}",
            holds.join(", "),
            authority.display()
        ),
    )
}

fn given(now: Timestamp, (path, key): (&Path, &Path), names: &[HostName]) -> Vec<Finding> {
    struct At(Timestamp);
    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }
    let identity = Identity::Given {
        certificate: path.to_owned(),
        key: key.to_owned(),
    };
    let mut findings = Vec::new();
    if let Err(error) = Certificates::open(identity, &At(now)) {
        findings.push(
            Finding::fault(CHECK, chain(&error))
                .why("moho cannot start")
                .cure(
                    "give the chain (`tls.certificate`) and its own private key (`tls.key`) as PEM files that moho's user \
                     can read, the server's certificate first; keys are ECDSA, Ed25519 or RSA of 2048 bits or more",
                ),
        );
    }
    findings.extend(open_key(key));
    let list: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .map(|all| all.filter_map(Result::ok).collect())
        .unwrap_or_default();
    findings.extend(in_time(&list, now));
    if let Some((own, issuers)) = list.split_first() {
        findings.extend(named(own, path, names));
        findings.extend(vouched_for(own, issuers));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(CHECK, summary(&list, path)));
    }
    findings
}

fn summary(list: &[CertificateDer<'_>], path: &Path) -> String {
    match list.first().and_then(|own| Certificate::read(own)) {
        Some(own) => format!(
            "{} is for {}, until {}",
            path.display(),
            own.names.join(", "),
            own.not_after
        ),
        None => format!("{} can be used", path.display()),
    }
}

fn open_key(key: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        Finding::warning(
            CHECK,
            format!("the private key {} has mode {mode:03o}", key.display()),
        )
        .why("other users of this machine may read it and pretend to be this server")
        .cure("make it the property of moho's user and `chmod 600` it")
    })
}

/// When a certificate begins and ends; `None` if it is no X.509 certificate.
pub(super) fn lifetime(der: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    Certificate::read(der).map(|read| (read.not_before, read.not_after))
}

fn in_time(list: &[CertificateDer<'_>], now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, der) in (1..).zip(list) {
        let name = if number == 1 {
            "the certificate".to_owned()
        } else {
            format!("certificate {number} of the chain")
        };
        let Some(read) = Certificate::read(der) else {
            findings.push(
                Finding::fault(CHECK, format!("{name} is no X.509 certificate"))
                    .why("clients cannot read it")
                    .cure("replace it"),
            );
            continue;
        };
        let fault = |what: String, why: &str, cure: &str| Finding::fault(CHECK, what).why(why).cure(cure);
        if read.not_after <= now {
            let what = format!("{name} ended on {}", read.not_after);
            findings.push(fault(
                what,
                "clients refuse to connect",
                "renew it; moho takes a new file within a day, or at once when it is started again",
            ));
        } else if read.not_before > now {
            let what = format!(
                "{name} is not valid before {}, and it is {now} here",
                read.not_before
            );
            findings.push(fault(
                what,
                "clients refuse to connect",
                "check this machine's clock (`timedatectl`), or wait",
            ));
        } else if read.not_after.unix_seconds() - now.unix_seconds() < SOON {
            findings.push(
                Finding::warning(CHECK, format!("{name} ends on {}", read.not_after))
                    .why("clients refuse to connect from then on")
                    .cure("renew it now"),
            );
        }
        if let Some(weakness) = read.weakness {
            findings.push(fault(
                format!("{name} {weakness}"),
                "clients refuse it",
                "have a new one made, with an ECDSA key (P-256) and SHA-256",
            ));
        }
    }
    findings
}

/// The names in a certificate, against those that clients will use.
fn named(own: &CertificateDer<'_>, path: &Path, names: &[HostName]) -> Vec<Finding> {
    let Some(read) = Certificate::read(own) else {
        return Vec::new();
    };
    if read.names.is_empty() {
        return vec![
            Finding::fault(CHECK, format!("{} has no subjectAltName", path.display()))
                .why("clients look for the server's name there and nowhere else")
                .cure("have one made that lists every host name and address that clients use"),
        ];
    }
    let holds = read.names.join(", ");
    names
        .iter()
        .filter(|name| {
            let name = ServerName::try_from(name.to_string());
            name.is_ok_and(|name| {
                let parsed = rustls::server::ParsedCertificate::try_from(own);
                parsed.is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, &name).is_err())
            })
        })
        .map(|name| {
            Finding::fault(
                CHECK,
                format!("{} is not for {name}, only for {holds}", path.display()),
            )
            .why("clients that use that name refuse to connect")
            .cure("have one made for that name, or let clients use another")
        })
        .collect()
}

/// Whether each certificate is followed by the one that vouches for it, up to one that clients may know.
fn vouched_for(own: &CertificateDer<'_>, issuers: &[CertificateDer<'_>]) -> Vec<Finding> {
    let all: Vec<Certificate<'_>> = std::iter::once(own)
        .chain(issuers)
        .filter_map(|der| Certificate::read(der))
        .collect();
    for (number, (one, next)) in (1..).zip(all.iter().zip(all.iter().skip(1))) {
        if one.issuer != next.subject {
            return vec![
                Finding::fault(
                    CHECK,
                    format!("certificate {} of the chain did not issue certificate {number}", number + 1),
                )
                .why("clients cannot follow the chain and refuse to connect")
                .cure("put the server's own certificate first, and after each one its issuer; leave out all others"),
            ];
        }
    }
    let Some((first, last)) = all.first().zip(all.last()) else {
        return Vec::new();
    };
    if issuers.is_empty() && first.issuer != first.subject {
        return vec![
            Finding::note(CHECK, "the certificate comes without its issuer's")
                .why("clients can check it only if they trust its issuer directly; a public authority's issuer is an intermediate one")
                .cure("append the issuer's certificate (`fullchain.pem`), unless clients are given it"),
        ];
    }
    signed_by(own, issuers, first.not_before, last.not_before)
}

/// Checks signatures and purposes as clients do, at a moment when all are in time: times were looked at before.
fn signed_by(
    own: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    not_before: Timestamp,
    last_not_before: Timestamp,
) -> Vec<Finding> {
    let moment = std::time::Duration::from_secs(not_before.max(last_not_before).unix_seconds());
    let mut roots = RootCertStore::empty();
    let anchor = issuers.last().unwrap_or(own).clone().into_owned();
    let verifier = roots.add(anchor).ok().and_then(|()| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()))
            .build()
            .ok()
    });
    let (Some(verifier), Ok(anyone)) = (verifier, ServerName::try_from("name.invalid")) else {
        return Vec::new();
    };
    let verdict = verifier.verify_server_cert(own, issuers, &anyone, &[], UnixTime::since_unix_epoch(moment));
    let Err(rustls::Error::InvalidCertificate(problem)) = verdict else {
        return Vec::new();
    };
    // It was checked for no name that it could have, and at no time but its own.
    let of_no_interest = matches!(
        problem,
        CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    );
    if of_no_interest {
        Vec::new()
    } else if matches!(problem, CertificateError::Other(_)) {
        vec![
            Finding::warning(CHECK, "the server's certificate says that it is an authority's")
                .why("strict clients refuse it, rustls's among them")
                .cure("have one made without `CA:TRUE`"),
        ]
    } else {
        let problem = rustls::Error::InvalidCertificate(problem);
        vec![
            Finding::fault(CHECK, format!("the chain does not hold: {problem}"))
                .why("clients refuse to connect")
                .cure("have the certificate made again, for server authentication, and put its issuers after it"),
        ]
    }
}

#[cfg(test)]
mod tests;
