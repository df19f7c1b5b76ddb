//! Private endpoints and the plain listener: whether they can be had, and whom they let in.

use std::path::Path;

use moho_terms::Timestamp;
use rustix::fs::{Access, access};

use super::address;
use super::certificate::lifetime;
use super::finding::{Finding, chain};
use super::scene::Scene;
use crate::config::{EndpointConfig, Place};
use crate::net::tls::authorities;
use crate::net::{SocketError, check_place};

const CHECK: &str = "endpoint";
/// An authority that ends this soon should have been renewed.
const SOON: u64 = 14 * 86_400;

/// Looks at each private endpoint of the settings, and at the plain listener.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for endpoint in &scene.config.endpoints {
        findings.push(match &endpoint.listen {
            Place::Address(place) => address::taken(
                scene,
                *place,
                &format!(", for the private endpoint {}", endpoint.id),
            ),
            Place::Socket(path) => socket(scene, endpoint, path),
        });
        findings.extend(clients(scene.now, endpoint));
    }
    if let Some(place) = scene.config.plain_http {
        findings.push(address::taken(scene, place, ", for plain HTTP"));
        findings.push(
            Finding::warning("exposure", format!("plain HTTP is served on {place}"))
                .why("every program on this machine that can look at its traffic reads credentials and content")
                .cure("leave `dev.plain_http` (--dev-plain-http) out where a tool can speak HTTPS"),
        );
    }
    if scene.config.listen.is_empty() {
        findings.push(Finding::note("exposure", "there is no public listener"));
    }
    findings
}

fn socket(scene: &Scene<'_>, endpoint: &EndpointConfig, path: &Path) -> Finding {
    let id = &endpoint.id;
    match check_place(path) {
        Err(SocketError::InUse(_)) if scene.running.is_some() => Finding::fine(
            CHECK,
            format!("{id}: {} is in use by a moho that runs", path.display()),
        ),
        Err(error) => Finding::fault(CHECK, format!("{id}: {}", chain(&error))).why("moho cannot start"),
        Ok(()) => {
            let folder = path.parent().unwrap_or_else(|| Path::new("/"));
            match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) => Finding::fine(CHECK, format!("{id}: {} is free", path.display())),
                Err(error) => Finding::fault(
                    CHECK,
                    format!(
                        "{id}: no socket can be made in {}: {}",
                        folder.display(),
                        std::io::Error::from(error)
                    ),
                )
                .why("moho cannot start")
                .cure("make that folder for moho's user (systemd: `RuntimeDirectory=moho`), or choose another path"),
            }
        }
    }
}

/// The authorities of clients' certificates.
fn clients(now: Timestamp, endpoint: &EndpointConfig) -> Vec<Finding> {
    let (id, path) = (&endpoint.id, endpoint.client_ca.display());
    let found = match authorities(&endpoint.client_ca) {
        Ok(found) => found,
        Err(error) => {
            return vec![
                Finding::fault(CHECK, format!("{id}: {}", chain(&error)))
                    .why("moho cannot start, as nobody could come in")
                    .cure("give the authorities of your clients' certificates as a PEM file that moho's user can read"),
            ];
        }
    };
    let mut findings = Vec::new();
    for (number, authority) in (1..).zip(&found) {
        let name = format!("{id}: authority {number} in {path}");
        let Some((not_before, not_after)) = lifetime(authority) else {
            findings.push(
                Finding::fault(CHECK, format!("{name} is no X.509 certificate"))
                    .why("moho cannot start")
                    .cure("replace it"),
            );
            continue;
        };
        if not_after <= now || not_before > now {
            findings.push(
                Finding::fault(
                    CHECK,
                    format!("{name} is valid from {not_before} to {not_after}, and it is {now}"),
                )
                .why("clients with its certificates are refused")
                .cure("renew it, or check this machine's clock (`timedatectl`)"),
            );
        } else if not_after.unix_seconds() - now.unix_seconds() < SOON {
            findings.push(
                Finding::warning(CHECK, format!("{name} ends on {not_after}"))
                    .why("clients with its certificates are refused from then on")
                    .cure("add its successor to the file, and start moho again"),
            );
        }
    }
    if findings.is_empty() {
        let what = format!(
            "{id}: clients need a certificate of one of {} in {path}",
            found.len()
        );
        findings.push(Finding::fine(CHECK, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use moho_terms::Clock;

    use super::super::tests::scene;
    use super::*;
    use crate::cli::doctor::finding::Level;
    use crate::config::{Config, Surroundings, Typed};
    use crate::net::tls::{Certificates, Identity};
    use crate::system::SystemClock;

    fn config(listen: &str, client_ca: &Path) -> Config {
        let file = format!(
            "listen = []\n[endpoints.vpce-0a1b2c3d]\nlisten = '{listen}'\nvpc = 'vpc-0a1b2c3d'\nclient_ca = '{}'\n",
            client_ca.display()
        );
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some("/nonexistent".into()),
        };
        Config::resolve(&Typed::from_file(&file).unwrap(), &surroundings).unwrap()
    }

    /// An authority in `folder`.
    fn authority(folder: &Path) -> std::path::PathBuf {
        let identity = Identity::Generated {
            data: folder.to_owned(),
            names: vec!["localhost".parse().unwrap()],
        };
        let made = Certificates::open(identity, &SystemClock).unwrap();
        made.authority().unwrap()
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|found| found.level).collect()
    }

    #[tokio::test]
    async fn what_is_well_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let ca = authority(folder.path());
        let path = folder.path().join("private.sock");
        for listen in ["127.0.0.1:0".to_owned(), format!("unix:{}", path.display())] {
            let config = config(&listen, &ca);
            let findings = check(&scene(&config));
            assert_eq!(
                levels(&findings),
                [Level::Fine, Level::Fine, Level::Note],
                "{findings:?}"
            );
        }
        assert!(!path.exists(), "it changes nothing");
    }

    #[tokio::test]
    async fn authorities_that_are_absent_none_or_ended_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let ca = authority(folder.path());
        let none = folder.path().join("none.pem");
        std::fs::write(&none, "none").unwrap();
        for path in [folder.path().join("absent.pem"), none] {
            let config = config("127.0.0.1:0", &path);
            assert_eq!(
                levels(&check(&scene(&config)))[1],
                Level::Fault,
                "{}",
                path.display()
            );
        }
        let config = config("127.0.0.1:0", &ca);
        let (_, end) = lifetime(&authorities(&ca).unwrap()[0]).unwrap();
        for (now, level) in [
            (SystemClock.now().unix_seconds(), Level::Fine),
            (end.unix_seconds() - 60, Level::Warning),
            (end.unix_seconds() + 60, Level::Fault),
            (0, Level::Fault),
        ] {
            let mut scene = scene(&config);
            scene.now = Timestamp::from_unix_seconds(now);
            assert_eq!(levels(&check(&scene))[1], level, "{now}");
        }
    }

    #[tokio::test]
    async fn a_socket_that_cannot_be_had_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let ca = authority(folder.path());
        let taken = folder.path().join("taken.sock");
        let _taken = std::os::unix::net::UnixListener::bind(&taken).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let absent = folder.path().join("absent/private.sock");
        for path in [taken, file, absent, format!("/{}", "x".repeat(200)).into()] {
            let config = config(&format!("unix:{}", path.display()), &ca);
            let findings = check(&scene(&config));
            assert_eq!(findings[0].level, Level::Fault, "{findings:?}");
        }
    }

    #[tokio::test]
    async fn plain_http_is_warned_of() {
        let file = "listen = []\n[dev]\nplain_http = '127.0.0.1:0'\n";
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some("/nonexistent".into()),
        };
        let config = Config::resolve(&Typed::from_file(file).unwrap(), &surroundings).unwrap();
        let findings = check(&scene(&config));
        assert_eq!(levels(&findings), [Level::Fine, Level::Warning, Level::Note]);
    }
}
