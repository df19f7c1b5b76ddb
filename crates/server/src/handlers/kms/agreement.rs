//! Secrets that two sides agree on.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_kms::spec::{EncapsulationAlgorithm, KeyAgreementAlgorithm};
use moho_terms::ContentBytes;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::asymmetric as ops;
use moho_wire::{Failure, Reply};

use super::release::ReleaseTo;
use super::{Asked, Pace, compute, shown, unless_tried};

/// `DeriveSharedSecret`
pub(crate) async fn derive(
    asked: &Asked,
    permit: Permit<action::DeriveSharedSecret>,
    to: ReleaseTo,
    request: ops::DeriveSharedSecret,
) -> Result<Reply, Failure> {
    let name = request.key_agreement_algorithm.as_str();
    let algorithm: KeyAgreementAlgorithm = shown::parsed("KeyAgreementAlgorithm", name)?;
    let (key, dry_run) = (permit.resource().to_string(), request.dry_run);
    let (record, secret) = compute(asked, Pace::Slow, move |platform| {
        let record = platform.kms.key(&permit)?;
        let public = request.public_key.expose();
        let secret = platform.kms.derive_shared_secret(&permit, algorithm, public)?;
        Ok((record, secret))
    })
    .await?;
    let released = to.release(asked, unless_tried(dry_run, secret)?)?;
    let reply = ops::DeriveSharedSecretResponse {
        key_id: Some(key),
        shared_secret: released.plaintext,
        ciphertext_for_recipient: released.ciphertext_for_recipient,
        key_agreement_algorithm: Some(algorithm.to_string()),
        key_origin: Some(record.origin.to_string()),
    };
    reply.reply(Service::Kms, "DeriveSharedSecret", &asked.request)
}

/// `Encapsulate`
pub(crate) async fn encapsulate(
    asked: &Asked,
    permit: Permit<action::Encapsulate>,
    request: ops::Encapsulate,
) -> Result<Reply, Failure> {
    let name = request.encapsulation_algorithm.as_str();
    let algorithm: EncapsulationAlgorithm = shown::parsed("EncapsulationAlgorithm", name)?;
    let key = permit.resource().to_string();
    let fresh = compute(asked, Pace::Slow, move |platform| {
        platform.kms.encapsulate(&permit, algorithm)
    })
    .await?;
    let fresh = unless_tried(request.dry_run, fresh)?;
    let reply = ops::EncapsulateResponse {
        key_id: Some(key),
        shared_secret: Some(fresh.secret),
        shared_secret_ciphertext_blob: Some(ContentBytes::new(fresh.ciphertext)),
        encapsulation_algorithm: Some(algorithm.to_string()),
    };
    reply.reply(Service::Kms, "Encapsulate", &asked.request)
}

/// `Decapsulate`
pub(crate) async fn decapsulate(
    asked: &Asked,
    permit: Permit<action::Decapsulate>,
    request: ops::Decapsulate,
) -> Result<Reply, Failure> {
    let name = request.encapsulation_algorithm.as_str();
    let algorithm: EncapsulationAlgorithm = shown::parsed("EncapsulationAlgorithm", name)?;
    let (key, dry_run) = (permit.resource().to_string(), request.dry_run);
    let secret = compute(asked, Pace::Slow, move |platform| {
        let ciphertext = request.shared_secret_ciphertext_blob.expose();
        platform.kms.decapsulate(&permit, algorithm, ciphertext)
    })
    .await?;
    let reply = ops::DecapsulateResponse {
        key_id: Some(key),
        shared_secret: Some(unless_tried(dry_run, secret)?),
        encapsulation_algorithm: Some(algorithm.to_string()),
    };
    reply.reply(Service::Kms, "Decapsulate", &asked.request)
}
