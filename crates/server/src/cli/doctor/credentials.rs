//! Whether there may be credentials that do not end.

use moho_store::identities::LongLivedCredentials;

use super::finding::{Finding, chain};
use super::scene::Scene;
use crate::startup::long_lived;

const CREDENTIALS: &str = "credentials";

/// Looks into the store, and changes nothing.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let found = match LongLivedCredentials::of_directory(&scene.config.store.join("store")) {
        Ok(Some(found)) => found,
        Ok(None) => return Vec::new(),
        Err(error) => {
            let cannot = format!(
                "whether there are long-lived credentials cannot be said: {}",
                chain(&error)
            );
            return vec![Finding::note(CREDENTIALS, cannot)];
        }
    };
    let finding = match long_lived::posture(&found) {
        None => Finding::fine(
            CREDENTIALS,
            "there are no long-lived credentials, and none may be made",
        ),
        Some(said) if found.allowed_in.is_empty() => Finding::note(CREDENTIALS, said)
            .why("whoever lets them in again has them working at once")
            .cure("delete the users that are not needed"),
        Some(said) => Finding::warning(CREDENTIALS, said)
            .why("whoever has one is its user until somebody takes it away")
            .cure("assume roles instead, and detach the service control policy"),
    };
    vec![finding]
}
