//! Small data, encrypted and decrypted.

use moho_iam::action::{Action, kms as action};
use moho_iam::authz::Permit;
use moho_kms::spec::EncryptionAlgorithm;
use moho_kms::{EncryptionContext, KmsError, Under};
use moho_terms::ContentBytes;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::encryption as ops;
use moho_wire::{Failure, Reply};

use super::release::ReleaseTo;
use super::{Asked, Pace, compute, shown, unless_tried};
use crate::road::from_kms;

/// What lets a try do without a ciphertext.
const IGNORE_CIPHERTEXT: &str = "IGNORE_CIPHERTEXT";

/// The ciphertext of a request; `None` of one that only tries, and says that it has none.
pub(crate) fn ciphertext<'a>(
    blob: Option<&'a ContentBytes>,
    dry_run: Option<bool>,
    modifiers: Option<&Vec<String>>,
) -> Result<Option<&'a [u8]>, Failure> {
    let ignored = modifiers.is_some_and(|all| all.iter().any(|modifier| modifier == IGNORE_CIPHERTEXT));
    if ignored && dry_run != Some(true) {
        return Err(shown::invalid("DryRunModifiers can only be used with DryRun."));
    }
    match blob {
        _ if ignored => Ok(None),
        Some(blob) => Ok(Some(blob.expose())),
        None => Err(shown::missing("ciphertextBlob")),
    }
}

fn algorithm(name: Option<&str>) -> Result<EncryptionAlgorithm, Failure> {
    name.map_or(Ok(EncryptionAlgorithm::SymmetricDefault), |name| {
        shown::parsed("EncryptionAlgorithm", name)
    })
}

/// RSA takes its time, most of all to decrypt: `with_rsa`.
fn pace(algorithm: EncryptionAlgorithm, with_rsa: Pace) -> Pace {
    match algorithm {
        EncryptionAlgorithm::SymmetricDefault => Pace::Quick,
        EncryptionAlgorithm::RsaesOaepSha1 | EncryptionAlgorithm::RsaesOaepSha256 => with_rsa,
    }
}

/// Keys with which nothing is bound to what it encrypts take no encryption context.
fn bound(algorithm: EncryptionAlgorithm, context: &EncryptionContext) -> Result<(), Failure> {
    if algorithm == EncryptionAlgorithm::SymmetricDefault || context.pairs().next().is_none() {
        Ok(())
    } else {
        Err(shown::invalid(
            "EncryptionContext is only supported with the SYMMETRIC_DEFAULT algorithm.",
        ))
    }
}

/// Whether the key of a permit could do with `algorithm` what the permit is for.
fn could<A: Action>(
    asked: &Asked,
    permit: &Permit<A>,
    algorithm: EncryptionAlgorithm,
) -> Result<(), Failure> {
    let record = asked.platform.kms.key(permit).map_err(|error| from_kms(&error))?;
    let known = record.spec.encryption_algorithms(record.usage);
    if known.contains(&algorithm) {
        return Ok(());
    }
    let incompatible = KmsError::IncompatibleAlgorithm(algorithm.as_str(), record.spec.as_str());
    Err(from_kms(&incompatible))
}

/// `Encrypt`
pub(crate) async fn encrypt(
    asked: &Asked,
    permit: Permit<action::Encrypt>,
    context: EncryptionContext,
    request: ops::Encrypt,
) -> Result<Reply, Failure> {
    let algorithm = algorithm(request.encryption_algorithm.as_deref())?;
    bound(algorithm, &context)?;
    let key = permit.resource().to_string();
    let encrypted = compute(asked, pace(algorithm, Pace::Slow), move |platform| {
        let under = Under {
            permit: &permit,
            context: &context,
            algorithm,
        };
        platform.kms.encrypt(&under, request.plaintext.expose())
    })
    .await?;
    let encrypted = unless_tried(request.dry_run, encrypted)?;
    let reply = ops::EncryptResponse {
        ciphertext_blob: Some(ContentBytes::new(encrypted.blob)),
        key_id: Some(key),
        encryption_algorithm: Some(algorithm.to_string()),
    };
    reply.reply(Service::Kms, "Encrypt", &asked.request)
}

/// `Decrypt`
pub(crate) async fn decrypt(
    asked: &Asked,
    permit: Permit<action::Decrypt>,
    (context, to): (EncryptionContext, ReleaseTo),
    request: ops::Decrypt,
) -> Result<Reply, Failure> {
    let algorithm = algorithm(request.encryption_algorithm.as_deref())?;
    bound(algorithm, &context)?;
    let tried = (request.dry_run, request.dry_run_modifiers.as_ref());
    if ciphertext(request.ciphertext_blob.as_ref(), tried.0, tried.1)?.is_none() {
        could(asked, &permit, algorithm)?;
        return Err(shown::dry_run());
    }
    let key = permit.resource().to_string();
    let (blob, dry_run) = (request.ciphertext_blob, request.dry_run);
    let decrypted = compute(asked, pace(algorithm, Pace::UsesRsa), move |platform| {
        let under = Under {
            permit: &permit,
            context: &context,
            algorithm,
        };
        let blob = blob.as_ref().map_or(&[][..], ContentBytes::expose);
        platform.kms.decrypt(&under, blob)
    })
    .await?;
    let decrypted = unless_tried(dry_run, decrypted)?;
    let released = to.release(asked, decrypted.plain)?;
    let reply = ops::DecryptResponse {
        key_id: Some(key),
        plaintext: released.plaintext,
        encryption_algorithm: Some(algorithm.to_string()),
        ciphertext_for_recipient: released.ciphertext_for_recipient,
        key_material_id: decrypted.material.map(|id| id.to_string()),
    };
    reply.reply(Service::Kms, "Decrypt", &asked.request)
}

/// Leave to decrypt with one key and to encrypt with another.
pub(crate) struct ReEncryptPermits {
    pub(crate) from: Permit<action::ReEncryptFrom>,
    pub(crate) to: Permit<action::ReEncryptTo>,
}

/// `ReEncrypt`
pub(crate) async fn re_encrypt(
    asked: &Asked,
    permits: ReEncryptPermits,
    (from_context, to_context): (EncryptionContext, EncryptionContext),
    request: ops::ReEncrypt,
) -> Result<Reply, Failure> {
    let from = algorithm(request.source_encryption_algorithm.as_deref())?;
    let to = algorithm(request.destination_encryption_algorithm.as_deref())?;
    bound(from, &from_context)?;
    bound(to, &to_context)?;
    let tried = (request.dry_run, request.dry_run_modifiers.as_ref());
    if ciphertext(request.ciphertext_blob.as_ref(), tried.0, tried.1)?.is_none() {
        could(asked, &permits.from, from)?;
        could(asked, &permits.to, to)?;
        return Err(shown::dry_run());
    }
    let source = permits.from.resource().to_string();
    let destination = permits.to.resource().to_string();
    let (blob, dry_run) = (request.ciphertext_blob, request.dry_run);
    let pace = match pace(from, Pace::UsesRsa) {
        Pace::Quick => pace(to, Pace::Slow),
        slower @ (Pace::Slow | Pace::UsesRsa | Pace::MakesRsa) => slower,
    };
    let done = compute(asked, pace, move |platform| {
        let from = Under {
            permit: &permits.from,
            context: &from_context,
            algorithm: from,
        };
        let to = Under {
            permit: &permits.to,
            context: &to_context,
            algorithm: to,
        };
        let blob = blob.as_ref().map_or(&[][..], ContentBytes::expose);
        platform.kms.re_encrypt(&from, &to, blob)
    })
    .await?;
    let done = unless_tried(dry_run, done)?;
    let reply = ops::ReEncryptResponse {
        ciphertext_blob: Some(ContentBytes::new(done.encrypted.blob)),
        source_key_id: Some(source),
        key_id: Some(destination),
        source_encryption_algorithm: Some(from.to_string()),
        destination_encryption_algorithm: Some(to.to_string()),
        source_key_material_id: done.source.map(|id| id.to_string()),
        destination_key_material_id: done.encrypted.material.map(|id| id.to_string()),
    };
    reply.reply(Service::Kms, "ReEncrypt", &asked.request)
}
