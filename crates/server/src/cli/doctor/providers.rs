//! Identity providers: whether their certificates could be checked. Nobody is asked for anything.

use super::finding::{Finding, chain};
use crate::config::FederationConfig;
use crate::outbound::connector;

/// What there is to say of the settings, if they name any provider.
pub(super) fn check(federation: &FederationConfig) -> Option<Finding> {
    let issuers: Vec<&str> = federation.issuers.iter().map(|issuer| issuer.as_str()).collect();
    if issuers.is_empty() {
        return (!federation.key_hosts.is_empty() || federation.ca.is_some()).then(|| {
            Finding::warning(
                "providers",
                "no identity provider is named, but where its keys are or who vouches for it",
            )
            .why("no identity token is taken")
            .cure("name the issuer with `federation.issuers`")
        });
    }
    Some(match connector(federation.ca.as_deref()) {
        Ok(_connector) => Finding::fine("providers", format!("tokens of {} are taken", issuers.join(", "))),
        Err(error) => Finding::fault("providers", chain(&error))
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
            check(&FederationConfig {
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
}
