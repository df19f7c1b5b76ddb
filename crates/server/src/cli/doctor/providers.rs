//! Identity providers: whether their certificates could be checked, and whether anybody can come in by one. Nobody is
//! asked for anything.

use moho_store::identities::WaysIn;

use super::finding::{Finding, chain};
use super::scene::Scene;
use crate::config::FederationConfig;
use crate::outbound::connector;
use crate::startup::ways_in;

const PROVIDERS: &str = "providers";

/// What there is to say of the settings, and of the store beside them.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let federation = &scene.config.federation;
    let mut findings: Vec<Finding> = of_settings(federation).into_iter().collect();
    match WaysIn::of_directory(&scene.config.store.join("store")) {
        Ok(found) => {
            let said = found.and_then(|found| ways_in::posture(&found, federation));
            findings.extend(said.map(|said| {
                Finding::warning(PROVIDERS, said)
                    .why("what is kept here is lost to everybody then")
                    .cure(ways_in::CURE)
            }));
        }
        Err(error) => findings.push(Finding::note(
            PROVIDERS,
            format!("whether anybody can come in cannot be said: {}", chain(&error)),
        )),
    }
    findings
}

/// What there is to say of the settings, if they name any provider.
fn of_settings(federation: &FederationConfig) -> Option<Finding> {
    let issuers: Vec<&str> = federation.issuers.iter().map(|issuer| issuer.as_str()).collect();
    if issuers.is_empty() {
        return (!federation.key_hosts.is_empty() || federation.ca.is_some()).then(|| {
            Finding::warning(
                PROVIDERS,
                "no identity provider is named, but where its keys are or who vouches for it",
            )
            .why("no identity token is taken")
            .cure("name the issuer with `federation.issuers`")
        });
    }
    Some(match connector(federation.ca.as_deref()) {
        Ok(_connector) => Finding::fine(PROVIDERS, format!("tokens of {} are taken", issuers.join(", "))),
        Err(error) => Finding::fault(PROVIDERS, chain(&error))
            .why("moho cannot start, as it could not check whose keys it gets")
            .cure(
                "name a file of authorities with `federation.ca`, or install the system's (ca-certificates)",
            ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn what_would_keep_moho_from_starting_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let of = |issuers: &[&str], ca: Option<&str>| {
            of_settings(&FederationConfig {
                issuers: issuers.iter().map(|issuer| issuer.parse().unwrap()).collect(),
                key_hosts: Vec::new(),
                ca: ca.map(|name| folder.path().join(name)),
            })
            .map(|finding| finding.level)
        };
        let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("good.pem"), authority.cert.pem()).unwrap();
        std::fs::write(folder.path().join("empty.pem"), "").unwrap();
        assert_eq!(of(&[], None), None);
        assert_eq!(of(&[], Some("good.pem")), Some(Level::Warning));
        let issuers = ["https://login.example.com"];
        assert_eq!(of(&issuers, Some("good.pem")), Some(Level::Fine));
        assert_eq!(of(&issuers, Some("empty.pem")), Some(Level::Fault));
        assert_eq!(of(&issuers, Some("absent.pem")), Some(Level::Fault));
    }

    #[test]
    fn a_store_that_is_none_is_no_hindrance_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let config = super::super::tests::config(&[("data", folder.path().to_str().unwrap())]);
        let scene = super::super::tests::scene(&config);
        assert!(check(&scene).is_empty(), "before the first start");
        std::fs::create_dir(folder.path().join("store")).unwrap();
        std::fs::write(folder.path().join("store/moho.sqlite"), "no database at all").unwrap();
        let levels: Vec<Level> = check(&scene).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Note]);
    }
}
