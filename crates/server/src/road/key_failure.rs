//! What went wrong with keys, in the words of the wire: for who calls KMS, and for who calls something that uses a key.

use moho_kms::KmsError;
use moho_store::keys::KeyError;
use moho_wire::Failure;

use super::failure::{internal, unavailable};

/// What KMS answers: with 400 whatever a caller can mend.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what no caller can have caused is a fault of ours, whatever it is"
)]
pub(crate) fn from_kms(error: &KmsError) -> Failure {
    let code = match error {
        KmsError::NotFound(_) | KmsError::NoSuchMaterial => "NotFoundException",
        KmsError::Disabled(_) => "DisabledException",
        KmsError::InvalidState(..) => "KMSInvalidStateException",
        KmsError::InvalidKeyUsage(..) | KmsError::IncompatibleAlgorithm(..) => "InvalidKeyUsageException",
        KmsError::InvalidCiphertext => "InvalidCiphertextException",
        KmsError::IncorrectKey => "IncorrectKeyException",
        KmsError::UnsupportedOperation(..) => "UnsupportedOperationException",
        KmsError::Validation(message) => return Failure::Validation(message.clone()),
        KmsError::LimitExceeded(_) => "LimitExceededException",
        KmsError::AlreadyExists(_) => "AlreadyExistsException",
        KmsError::MalformedPolicy(_) => "MalformedPolicyDocumentException",
        KmsError::Tag(_) => "TagException",
        KmsError::IncorrectKeyMaterial(_) => "IncorrectKeyMaterialException",
        KmsError::InvalidImportToken => "InvalidImportTokenException",
        KmsError::ExpiredImportToken => "ExpiredImportTokenException",
        KmsError::InvalidSignature => "KMSInvalidSignatureException",
        KmsError::InvalidMac => "KMSInvalidMacException",
        KmsError::InvalidGrantToken => "InvalidGrantTokenException",
        KmsError::InvalidGrantId => "InvalidGrantIdException",
        KmsError::Conflict => "ConflictException",
        KmsError::Records(_) | KmsError::Root(_) | KmsError::Entropy(_) | KmsError::Memory(_) => {
            return unavailable(error);
        }
        _ => return internal(error),
    };
    Failure::Service {
        code,
        message: error.to_string(),
        status: 400,
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
    let code = match error {
        KeyError::AliasNotFound(_) | KeyError::KeyNotFound(_) | KeyError::GrantNotFound(_) => {
            "NotFoundException"
        }
        KeyError::AliasExists(_) => "AlreadyExistsException",
        KeyError::LimitExceeded(_) => "LimitExceededException",
        KeyError::InvalidPrincipal(_) => "InvalidArnException",
        KeyError::InvalidPrincipals => "MalformedPolicyDocumentException",
        KeyError::NotCovered => return Failure::AccessDenied(error.to_string()),
        KeyError::Changed => "ConflictException",
        KeyError::Store(error) => return unavailable(error),
        _ => return internal(error),
    };
    Failure::Service {
        code,
        message: error.to_string(),
        status: 400,
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
        assert_eq!(told(KmsError::Disabled(key.clone())), ("DisabledException", 400));
        assert_eq!(
            told(KmsError::InvalidState(key, "pending import")),
            ("KMSInvalidStateException", 400)
        );
        assert_eq!(told(KmsError::Conflict), ("ConflictException", 400));
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
