//! How inference profiles are named, and which there are without anybody making them.

use moho_terms::{AccountId, Arn, Entropy, EntropyUnavailable, ModelId, Region};
use moho_wire::Failure;
use moho_wire::bedrock::ProfileKind;

/// What the id of a profile for every region begins with.
const GLOBAL: &str = "global";
/// Characters in the id of an application's profile, as at AWS.
const LENGTH: usize = 12;

/// What the ids of the system's profiles begin with in a region: of its part of the world, if AWS has a name for it, and
/// of all of it.
fn prefixes(region: &Region) -> impl Iterator<Item = &'static str> {
    let parts = [
        ("us-gov-", "us-gov"),
        ("us-", "us"),
        ("eu-", "eu"),
        ("ap-", "apac"),
        ("ca-", "ca"),
    ];
    let here = parts
        .into_iter()
        .find(|(begins, _)| region.as_str().starts_with(begins));
    here.map(|(_, prefix)| prefix).into_iter().chain([GLOBAL])
}

/// The ids of the system's profiles for a model, such as `us.smollm2-135m`.
pub(crate) fn system_ids(region: &Region, model: &ModelId) -> Vec<ModelId> {
    prefixes(region)
        .filter_map(|prefix| format!("{prefix}.{model}").parse().ok())
        .collect()
}

/// The model that the id of a system's profile is for.
pub(crate) fn system_model(region: &Region, id: &ModelId) -> Option<ModelId> {
    let (prefix, model) = id.as_str().split_once('.')?;
    prefixes(region).find(|known| *known == prefix)?;
    model.parse().ok()
}

/// Whether an id has the form of an application's profile.
pub(crate) fn is_application_id(id: &ModelId) -> bool {
    let id = id.as_str();
    id.len() == LENGTH && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// A new id for an application's profile.
pub(crate) fn random_id(entropy: &dyn Entropy) -> Result<ModelId, EntropyUnavailable> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0; LENGTH];
    entropy.fill(&mut bytes)?;
    let letters = bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
    let id: String = letters.map(|letter| char::from(*letter)).collect();
    id.parse().map_err(|_never| EntropyUnavailable)
}

/// The ARN of a profile in an account.
pub(crate) fn arn(region: &Region, account: AccountId, kind: ProfileKind, id: &str) -> Result<Arn, Failure> {
    let resource = format!("{}/{id}", kind.resource());
    Arn::of("bedrock", region.as_str(), account.as_str(), &resource).map_err(|_invalid| Failure::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn every_model_has_a_profile_for_its_part_of_the_world_and_for_all_of_it() {
        let model: ModelId = "provider.model-v1:0".parse().unwrap();
        for (region, expected) in [
            (
                "us-east-1",
                &["us.provider.model-v1:0", "global.provider.model-v1:0"][..],
            ),
            (
                "us-gov-west-1",
                &["us-gov.provider.model-v1:0", "global.provider.model-v1:0"],
            ),
            (
                "ap-south-1",
                &["apac.provider.model-v1:0", "global.provider.model-v1:0"],
            ),
            ("moho-local-1", &["global.provider.model-v1:0"]),
        ] {
            let region: Region = region.parse().unwrap();
            let ids = system_ids(&region, &model);
            assert_eq!(ids.iter().map(ModelId::as_str).collect::<Vec<_>>(), expected);
            for id in &ids {
                assert_eq!(system_model(&region, id), Some(model.clone()));
                assert!(!is_application_id(id));
            }
        }
        let region: Region = "us-east-1".parse().unwrap();
        for other in ["eu.m", "m", "us", "us."] {
            if let Ok(id) = other.parse() {
                assert_eq!(system_model(&region, &id), None, "{other}");
            }
        }
    }

    #[test]
    fn ids_of_applications_are_told_by_their_form() {
        let id = random_id(&SystemEntropy::default()).unwrap();
        assert!(is_application_id(&id), "{id}");
        assert_ne!(id, random_id(&SystemEntropy::default()).unwrap());
        for other in ["abcdefghijk", "abcdefghijklm", "Abcdefghijkl", "abc-efghijkl"] {
            assert!(!is_application_id(&other.parse().unwrap()), "{other}");
        }
    }
}
