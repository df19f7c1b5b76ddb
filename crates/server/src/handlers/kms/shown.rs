//! What KMS says of keys, and of what is not there, in AWS's words.

use std::str::FromStr;

use moho_kms::spec::{Origin, SpecError};
use moho_kms::{KeyRecord, KeyState, KmsError};
use moho_terms::{Arn, Timestamp};
use moho_wire::Failure;
use moho_wire::aws::ops::kms::shapes::KeyMetadata;

/// The algorithm of symmetric keys, and their spec.
pub(crate) const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

/// What `DescribeKey` says.
pub(super) fn metadata(record: &KeyRecord, now: Timestamp) -> Result<KeyMetadata, Failure> {
    let state = record.state_at(now);
    let (spec, usage) = (record.spec, record.usage);
    let deletion_date = match state {
        KeyState::PendingDeletion { at } => Some(at),
        KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport => None,
    };
    let current = record.current();
    let imported = current.filter(|material| record.origin == Origin::External && material.is_present(now));
    Ok(KeyMetadata {
        aws_account_id: Some(record.account.to_string()),
        key_id: Some(record.key_id.to_string()),
        arn: Some(arn(record)?.to_string()),
        creation_date: Some(record.created_at),
        enabled: Some(state == KeyState::Enabled),
        description: Some(record.description.clone()),
        key_usage: Some(usage.to_string()),
        key_state: Some(state.to_string()),
        deletion_date,
        valid_to: imported.and_then(|material| material.valid_to),
        origin: Some(record.origin.to_string()),
        expiration_model: imported.map(|material| expiration(material.valid_to).to_owned()),
        key_manager: Some("CUSTOMER".to_owned()),
        customer_master_key_spec: Some(spec.to_string()),
        key_spec: Some(spec.to_string()),
        encryption_algorithms: names(spec.encryption_algorithms(usage)),
        signing_algorithms: names(spec.signing_algorithms(usage)),
        key_agreement_algorithms: names(spec.agreement_algorithms(usage)),
        encapsulation_algorithms: names(spec.encapsulation_algorithms(usage)),
        mac_algorithms: names(spec.mac_algorithms(usage)),
        multi_region: Some(false),
        current_key_material_id: current
            .filter(|_| spec.as_str() == SYMMETRIC)
            .map(|material| material.id.to_string()),
        ..KeyMetadata::default()
    })
}

/// A key's ARN.
pub(super) fn arn(record: &KeyRecord) -> Result<Arn, Failure> {
    record.arn().map_err(|_never| Failure::Internal)
}

/// Whether imported material ends by itself.
pub(super) fn expiration(valid_to: Option<Timestamp>) -> &'static str {
    if valid_to.is_some() {
        "KEY_MATERIAL_EXPIRES"
    } else {
        "KEY_MATERIAL_DOES_NOT_EXPIRE"
    }
}

/// Names of algorithms; `None` if there are none.
pub(super) fn names<T: ToString>(all: &[T]) -> Option<Vec<String>> {
    (!all.is_empty()).then(|| all.iter().map(T::to_string).collect())
}

/// What a request calls by one of AWS's names.
pub(super) fn parsed<T: FromStr<Err = SpecError>>(member: &str, name: &str) -> Result<T, Failure> {
    name.parse().map_err(|error| match error {
        SpecError::Unsupported => unsupported(format!("{member} {name} is not supported here.")),
        SpecError::Unknown => invalid(&format!("{member} {name} is not valid for this operation.")),
    })
}

fn service(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::Service {
        code,
        message: message.into(),
        status: 400,
    }
}

/// What AWS calls an error about what is not there.
pub(crate) const NOT_FOUND: &str = "NotFoundException";

pub(crate) fn not_found(message: String) -> Failure {
    service(NOT_FOUND, message)
}

pub(crate) fn no_such_key(key: &Arn) -> Failure {
    not_found(KmsError::NotFound(key.clone()).to_string())
}

pub(crate) fn no_such_alias(alias: &Arn) -> Failure {
    not_found(format!("Alias {alias} is not found."))
}

/// Text that begins like an ARN and is none of a key or alias; `quoted` is what of it can be repeated.
pub(crate) fn invalid_arn(quoted: &str) -> Failure {
    service("InvalidArnException", format!("Invalid arn{quoted}"))
}

pub(crate) fn invalid(message: &str) -> Failure {
    Failure::Validation(message.to_owned())
}

pub(crate) fn unsupported(message: String) -> Failure {
    service("UnsupportedOperationException", message)
}

pub(super) fn dry_run() -> Failure {
    service(
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    )
}

/// A page that would be too small or too large.
pub(super) fn limit(limit: i64, most: usize) -> Failure {
    let bound = if limit < 1 {
        "greater than or equal to 1".to_owned()
    } else {
        format!("less than or equal to {most}")
    };
    Failure::Validation(format!(
        "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value {bound}"
    ))
}

/// A required member that is not there, of those that the model does not require.
pub(crate) fn missing(member: &str) -> Failure {
    Failure::Validation(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

/// What KMS calls the faults that no caller can mend.
pub(crate) fn in_kms_words(failure: Failure) -> Failure {
    if failure == Failure::Internal {
        return Failure::Service {
            code: "KMSInternalException",
            message: "The request was rejected because an internal exception occurred. The request can be retried. If it \
                lasts, tell the operator this reply's request id."
                .to_owned(),
            status: 500,
        };
    }
    if failure == Failure::Unavailable {
        return Failure::Service {
            code: "DependencyTimeoutException",
            message: "The system timed out while trying to fulfill the request. You can retry the request. If it lasts, \
                tell the operator this reply's request id: `moho doctor` there says what is missing."
                .to_owned(),
            status: 503,
        };
    }
    failure
}
