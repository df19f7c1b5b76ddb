//! What went wrong with keys, in the words of the wire: for who calls KMS, and for who calls something that uses a key.

use moho_kms::KmsError;
use moho_store::keys::KeyError;
use moho_wire::Failure;

use super::failure::{internal, unavailable};

/// AWS's statuses, where they are not 400.
const CONFLICT: u16 = 409;

/// What KMS answers.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what no caller can have caused is a fault of ours, whatever it is"
)]
pub(crate) fn from_kms(error: &KmsError) -> Failure {
    let (code, status) = match error {
        KmsError::NotFound(_) | KmsError::NoSuchMaterial => ("NotFoundException", 400),
        KmsError::Disabled(_) => ("DisabledException", CONFLICT),
        KmsError::InvalidState(..) => ("KMSInvalidStateException", CONFLICT),
        KmsError::InvalidKeyUsage(..) | KmsError::IncompatibleAlgorithm(..) => {
            ("InvalidKeyUsageException", 400)
        }
        KmsError::InvalidCiphertext => ("InvalidCiphertextException", 400),
        KmsError::IncorrectKey => ("IncorrectKeyException", 400),
        KmsError::UnsupportedOperation(..) => ("UnsupportedOperationException", 400),
        KmsError::Validation(message) => return Failure::Validation(message.clone()),
        KmsError::LimitExceeded(_) => ("LimitExceededException", 400),
        KmsError::AlreadyExists(_) => ("AlreadyExistsException", 400),
        KmsError::MalformedPolicy(_) => ("MalformedPolicyDocumentException", 400),
        KmsError::Tag(_) => ("TagException", 400),
        KmsError::IncorrectKeyMaterial(_) => ("IncorrectKeyMaterialException", 400),
        KmsError::InvalidImportToken => ("InvalidImportTokenException", 400),
        KmsError::ExpiredImportToken => ("ExpiredImportTokenException", 400),
        KmsError::InvalidSignature => ("KMSInvalidSignatureException", 400),
        KmsError::InvalidMac => ("KMSInvalidMacException", 400),
        KmsError::InvalidGrantToken => ("InvalidGrantTokenException", 400),
        KmsError::InvalidGrantId => ("InvalidGrantIdException", 400),
        KmsError::Conflict => ("ConflictException", CONFLICT),
        KmsError::Records(_) | KmsError::Root(_) | KmsError::Entropy(_) | KmsError::Memory(_) => {
            return unavailable(error);
        }
        _ => return internal(error),
    };
    Failure::Service {
        code,
        message: error.to_string(),
        status,
    }
}

/// What is said if a key could not be used for something else that was asked for: whose key it is can mend it, so it is no
/// fault of ours.
pub(super) fn from_key_use(error: &KmsError) -> Failure {
    let is_owners = matches!(
        error,
        KmsError::NotFound(_)
            | KmsError::Disabled(_)
            | KmsError::InvalidState(..)
            | KmsError::InvalidKeyUsage(..)
            | KmsError::IncompatibleAlgorithm(..)
    );
    if !is_owners {
        return unavailable(error);
    }
    Failure::Validation(format!(
        "The KMS key that seals what this account stores cannot be used: {error} Nothing that is sealed under it can be \
         stored or read until that is mended (`aws kms describe-key`, `enable-key`, `cancel-key-deletion`)."
    ))
}

/// What KMS answers if aliases or grants cannot be as asked for.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what no caller can have caused is a fault of ours, whatever it is"
)]
pub(crate) fn from_key_store(error: &KeyError) -> Failure {
    let (code, status) = match error {
        KeyError::AliasNotFound(_) | KeyError::KeyNotFound(_) | KeyError::GrantNotFound(_) => {
            ("NotFoundException", 400)
        }
        KeyError::AliasExists(_) => ("AlreadyExistsException", 400),
        KeyError::LimitExceeded(_) => ("LimitExceededException", 400),
        KeyError::InvalidPrincipal(_) => ("InvalidArnException", 400),
        KeyError::NotCovered => return Failure::AccessDenied(error.to_string()),
        KeyError::Changed => ("ConflictException", CONFLICT),
        KeyError::Store(error) => return unavailable(error),
        _ => return internal(error),
    };
    Failure::Service {
        code,
        message: error.to_string(),
        status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_of_kms_hear_aws_exceptions_and_no_fault_of_ours_in_detail() {
        let key: moho_terms::Arn = "arn:aws:kms:r:123456789012:key/1".parse().unwrap();
        let told = |error: KmsError| {
            let Failure::Service { code, status, .. } = from_kms(&error) else {
                return ("not KMS's own", 0);
            };
            (code, status)
        };
        assert_eq!(told(KmsError::NotFound(key.clone())), ("NotFoundException", 400));
        assert_eq!(told(KmsError::Disabled(key)), ("DisabledException", 409));
        assert_eq!(
            told(KmsError::InvalidCiphertext),
            ("InvalidCiphertextException", 400)
        );
        assert_eq!(from_kms(&KmsError::OtherContext), Failure::Internal);
        assert_eq!(
            from_kms(&KmsError::Entropy(moho_terms::EntropyUnavailable)),
            Failure::Unavailable
        );
    }

    #[test]
    fn a_key_that_its_owner_took_away_is_the_callers_to_mend() {
        let key: moho_terms::Arn = "arn:aws:kms:r:123456789012:key/1".parse().unwrap();
        let told = from_key_use(&KmsError::Disabled(key.clone()));
        assert!(
            matches!(&told, Failure::Validation(message) if message.contains(key.as_str())),
            "{told:?}"
        );
        assert_eq!(from_key_use(&KmsError::OtherContext), Failure::Unavailable);
    }
}
