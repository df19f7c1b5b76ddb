//! That nobody can come into the management account is said loudly, while somebody who is in may still put it right.

use moho_iam::bootstrap::IdentityProvider;
use moho_store::identities::WaysIn;

use crate::config::FederationConfig;

/// What can be done about it.
pub(crate) const CURE: &str = "name the issuer of one of its providers in `federation.issuers` and restart, or have a session \
    of its Admin role that lives set another (docs/operations.md, `From the first start to federated access`)";

/// What the start-up lines say, with what to do.
pub(super) fn loudly(found: &WaysIn, settings: &FederationConfig) -> Option<String> {
    posture(found, settings).map(|said| format!("{said}: {CURE}"))
}

/// What is the case; `None` while the door is open, or if the settings name an issuer that the account trusts.
pub(crate) fn posture(found: &WaysIn, settings: &FederationConfig) -> Option<String> {
    let named = |issuer: &String| settings.issuers.iter().any(|named| named.as_str() == issuer);
    if found.provider == IdentityProvider::None || found.issuers.iter().any(named) {
        return None;
    }
    let has = if found.issuers.is_empty() {
        "has no OpenID Connect provider any more".to_owned()
    } else {
        let providers = found.issuers.join(", ");
        format!("has no provider whose issuer `federation.issuers` names (it has {providers})")
    };
    Some(format!(
        "NO WAY IN: the bootstrap door is closed, and the management account {has}; once its last session ends, nobody gets in \
         but by a user's access key"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_door_without_another_way_in_is_told() {
        let said = |provider, has: &[&str], named: &[&str]| {
            let found = WaysIn {
                provider,
                issuers: has.iter().map(|issuer| (*issuer).to_owned()).collect(),
            };
            let settings = FederationConfig {
                issuers: named.iter().map(|issuer| issuer.parse().unwrap()).collect(),
                key_hosts: Vec::new(),
                ca: None,
            };
            posture(&found, &settings)
        };
        let (one, two) = ("https://one.example", "https://two.example/realm");
        assert_eq!(said(IdentityProvider::None, &[], &[]), None);
        assert_eq!(said(IdentityProvider::Set, &[one, two], &[two]), None);
        let none = said(IdentityProvider::Set, &[], &[one]).unwrap();
        assert!(none.starts_with("NO WAY IN") && none.contains("has no OpenID Connect provider"));
        let other = said(IdentityProvider::Set, &[one], &["https://one.example/", two]).unwrap();
        assert!(other.contains("it has https://one.example)"), "{other}");
        let found = WaysIn {
            provider: IdentityProvider::Set,
            issuers: Vec::new(),
        };
        let settings = FederationConfig {
            issuers: Vec::new(),
            key_hosts: Vec::new(),
            ca: None,
        };
        let loudly = loudly(&found, &settings).unwrap();
        assert!(loudly.ends_with(CURE), "{loudly}");
    }
}
