//! What conditions can ask about a request to KMS, in AWS's own keys.

use std::collections::BTreeMap;

use moho_iam::authz::Context;
use moho_kms::EncryptionContext;
use moho_terms::Timestamp;
use moho_wire::Failure;
use moho_wire::aws::ops::kms::shapes::{GrantConstraints, Tag};
use moho_wire::aws::ops::kms::{grants, keys, material};

use crate::handlers::kms::shown::SYMMETRIC;

/// A request's encryption context.
pub(super) fn pairs(pairs: Option<&BTreeMap<String, String>>) -> Result<EncryptionContext, Failure> {
    let pairs = pairs.into_iter().flatten();
    EncryptionContext::from_pairs(pairs.map(|(key, value)| (key.as_str(), value.as_str())))
        .map_err(|error| Failure::Validation(error.to_string()))
}

/// Of encryption and decryption, of data keys and others.
pub(super) fn encryption(context: &EncryptionContext, algorithm: Option<&str>) -> Context {
    context
        .condition_keys()
        .with("kms:EncryptionAlgorithm", algorithm.unwrap_or(SYMMETRIC))
}

/// Of signatures.
pub(super) fn signing(algorithm: &str, message: Option<&str>) -> Context {
    Context::new()
        .with("kms:SigningAlgorithm", algorithm)
        .with("kms:MessageType", message.unwrap_or("RAW"))
}

/// Of tags that a request brings.
pub(super) fn tags(mut context: Context, tags: &[Tag]) -> Context {
    for tag in tags {
        context = context.with(&format!("aws:RequestTag/{}", tag.tag_key), tag.tag_value.clone());
    }
    tag_keys(context, tags.iter().map(|tag| tag.tag_key.clone()).collect())
}

/// Of the keys of tags that a request brings or takes away.
pub(super) fn tag_keys(mut context: Context, keys: Vec<String>) -> Context {
    if !keys.is_empty() {
        context.set("aws:TagKeys", keys);
    }
    context
}

/// Of a key that is to be made.
pub(super) fn creation(request: &keys::CreateKey) -> Context {
    let spec = request
        .key_spec
        .as_deref()
        .or(request.customer_master_key_spec.as_deref());
    let spec = spec.unwrap_or(SYMMETRIC);
    let usage = request.key_usage.as_deref().unwrap_or("ENCRYPT_DECRYPT");
    let context = Context::new()
        .with("kms:KeySpec", spec)
        .with("kms:CustomerMasterKeySpec", spec)
        .with("kms:KeyUsage", usage)
        .with("kms:CustomerMasterKeyUsage", usage)
        .with("kms:KeyOrigin", request.origin.as_deref().unwrap_or("AWS_KMS"))
        .with("kms:MultiRegion", truth(request.multi_region));
    let context = bypass(context, request.bypass_policy_lockout_safety_check);
    tags(context, request.tags.as_deref().unwrap_or_default())
}

/// Of a key policy that comes without the check whether it can be changed again.
pub(super) fn bypass(context: Context, bypass: Option<bool>) -> Context {
    context.with("kms:BypassPolicyLockoutSafetyCheck", truth(bypass))
}

/// Of a grant that is to be made.
pub(super) fn granting(request: &grants::CreateGrant) -> Context {
    let mut context = Context::new().with("kms:GrantIsForAWSResource", "false");
    context.set("kms:GrantOperations", request.operations.clone());
    for (key, principal) in [
        ("kms:GranteePrincipal", &request.grantee_principal),
        ("kms:RetiringPrincipal", &request.retiring_principal),
    ] {
        if let Some(principal) = principal {
            context = context.with(key, principal.clone());
        }
    }
    if let Some(kind) = request.constraints.as_ref().and_then(constraint_type) {
        context = context.with("kms:GrantConstraintType", kind);
    }
    context
}

fn constraint_type(constraints: &GrantConstraints) -> Option<&'static str> {
    if constraints.encryption_context_equals.is_some() {
        Some("EncryptionContextEquals")
    } else if constraints.encryption_context_subset.is_some() {
        Some("EncryptionContextSubset")
    } else {
        None
    }
}

/// Of material that is imported.
pub(super) fn importing(request: &material::ImportKeyMaterial) -> Context {
    let model = request.expiration_model.as_deref();
    let context = Context::new().with("kms:ExpirationModel", model.unwrap_or("KEY_MATERIAL_EXPIRES"));
    match request.valid_to {
        Some(time) => context.with("kms:ValidTo", seconds(time)),
        None => context,
    }
}

fn seconds(time: Timestamp) -> String {
    time.unix_seconds().to_string()
}

fn truth(flag: Option<bool>) -> &'static str {
    if flag == Some(true) { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one<'a>(context: &'a Context, key: &str) -> Option<&'a str> {
        match context.get(key) {
            Some([value]) => Some(value),
            Some(_) | None => None,
        }
    }

    #[test]
    fn encryption_tells_its_context_to_the_letter_and_its_algorithm() {
        let given = BTreeMap::from([("Team".to_owned(), "a".to_owned())]);
        let context = pairs(Some(&given)).unwrap();
        let asked = encryption(&context, None);
        assert_eq!(one(&asked, "kms:EncryptionContext:team"), Some("a"));
        assert_eq!(one(&asked, "kms:EncryptionContextKeys"), Some("Team"));
        assert_eq!(one(&asked, "kms:EncryptionAlgorithm"), Some("SYMMETRIC_DEFAULT"));
        assert_eq!(asked.encryption_context(), Some(&given));
        let empty = BTreeMap::from([(String::new(), "a".to_owned())]);
        assert!(matches!(pairs(Some(&empty)), Err(Failure::Validation(_))));
        assert!(pairs(None).unwrap().pairs().next().is_none());
    }

    #[test]
    fn a_grant_tells_whom_it_is_to_for_what_and_how_narrow_it_is() {
        let mut request = grants::CreateGrant {
            key_id: "k".to_owned(),
            grantee_principal: Some("arn:aws:iam::123456789012:role/R".to_owned()),
            retiring_principal: None,
            operations: vec!["Encrypt".to_owned(), "Decrypt".to_owned()],
            constraints: None,
            grant_tokens: None,
            name: None,
            dry_run: None,
            grantee_service_principal: None,
            retiring_service_principal: None,
        };
        let asked = granting(&request);
        assert_eq!(
            one(&asked, "kms:GranteePrincipal"),
            request.grantee_principal.as_deref()
        );
        assert_eq!(asked.get("kms:RetiringPrincipal"), None);
        assert_eq!(asked.get("kms:GrantOperations").unwrap(), ["Encrypt", "Decrypt"]);
        assert_eq!(asked.get("kms:GrantConstraintType"), None);
        assert_eq!(one(&asked, "kms:GrantIsForAWSResource"), Some("false"));
        request.constraints = Some(GrantConstraints {
            encryption_context_subset: Some(BTreeMap::new()),
            encryption_context_equals: None,
            source_arn: None,
        });
        let asked = granting(&request);
        assert_eq!(
            one(&asked, "kms:GrantConstraintType"),
            Some("EncryptionContextSubset")
        );
    }
}
