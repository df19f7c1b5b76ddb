//! The organisation, as far as it concerns who looks after the machine: whether long-lived credentials may exist.

use moho_store::organizations::long_lived_credentials_seen_in;

use super::finding::{Finding, chain};
use super::scene::Scene;

const CREDENTIALS: &str = "credentials";

/// Looks for accounts whose users may have credentials that do not expire.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let store = scene.config.data.join("store");
    let finding = match long_lived_credentials_seen_in(&store, scene.running.is_some()) {
        Ok(accounts) if accounts.is_empty() => {
            Finding::fine(CREDENTIALS, "no account may have long-lived credentials")
        }
        Ok(accounts) => {
            let names: Vec<&str> = accounts.iter().map(moho_terms::AccountId::as_str).collect();
            Finding::warning(
                CREDENTIALS,
                format!("accounts that may have LONG-LIVED CREDENTIALS: {}", names.join(", ")),
            )
            .why("access keys that do not expire are what is stolen and stays useful")
            .cure(
                "detach or change the service control policy that allows iam:CreateAccessKey, and let users come by roles",
            )
        }
        // What keeps moho from serving is found by others; an older schema is brought up to date at the next start.
        Err(error) => Finding::note(
            CREDENTIALS,
            format!(
                "whether long-lived credentials may exist cannot be said: {}",
                chain(&error)
            ),
        ),
    };
    vec![finding]
}
