//! Signatures, public keys and message authentication codes.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_kms::Message;
use moho_kms::spec::{MacAlgorithm, MessageType, SigningAlgorithm};
use moho_terms::ContentBytes;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::asymmetric as ops;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, compute, shown, unless_tried};
use crate::road::from_kms;

/// What is signed, and how.
fn message_type(name: Option<&str>) -> Result<MessageType, Failure> {
    name.map_or(Ok(MessageType::Raw), |name| shown::parsed("MessageType", name))
}

/// What of it takes longer than a request of others may wait: all but the small curves.
fn pace(algorithm: SigningAlgorithm) -> Pace {
    match algorithm {
        SigningAlgorithm::EcdsaSha256 | SigningAlgorithm::Ed25519Sha512 => Pace::Quick,
        SigningAlgorithm::RsassaPssSha256
        | SigningAlgorithm::RsassaPssSha384
        | SigningAlgorithm::RsassaPssSha512
        | SigningAlgorithm::RsassaPkcs1V15Sha256
        | SigningAlgorithm::RsassaPkcs1V15Sha384
        | SigningAlgorithm::RsassaPkcs1V15Sha512 => Pace::UsesRsa,
        SigningAlgorithm::EcdsaSha384 | SigningAlgorithm::EcdsaSha512 | SigningAlgorithm::MlDsaShake256 => {
            Pace::Slow
        }
    }
}

/// `Sign`
pub(crate) async fn sign(
    asked: &Asked,
    permit: Permit<action::Sign>,
    request: ops::Sign,
) -> Result<Reply, Failure> {
    let algorithm: SigningAlgorithm = shown::parsed("SigningAlgorithm", &request.signing_algorithm)?;
    let kind = message_type(request.message_type.as_deref())?;
    let key = permit.resource().to_string();
    let dry_run = request.dry_run;
    let signature = compute(asked, pace(algorithm), move |platform| {
        let bytes = request.message.expose();
        platform.kms.sign(&permit, algorithm, Message { kind, bytes })
    })
    .await?;
    let reply = ops::SignResponse {
        key_id: Some(key),
        signature: Some(ContentBytes::new(unless_tried(dry_run, signature)?)),
        signing_algorithm: Some(algorithm.to_string()),
    };
    reply.reply(Service::Kms, "Sign", &asked.request)
}

/// `Verify`
pub(crate) async fn verify(
    asked: &Asked,
    permit: Permit<action::Verify>,
    request: ops::Verify,
) -> Result<Reply, Failure> {
    let algorithm: SigningAlgorithm = shown::parsed("SigningAlgorithm", &request.signing_algorithm)?;
    let kind = message_type(request.message_type.as_deref())?;
    let key = permit.resource().to_string();
    let dry_run = request.dry_run;
    // A public key of RSA is soon used.
    let pace = match pace(algorithm) {
        Pace::Quick => Pace::Quick,
        Pace::Slow | Pace::UsesRsa | Pace::MakesRsa => Pace::Slow,
    };
    compute(asked, pace, move |platform| {
        let bytes = request.message.expose();
        let signature = request.signature.expose();
        let message = Message { kind, bytes };
        platform.kms.verify(&permit, algorithm, message, signature)
    })
    .await?;
    unless_tried(dry_run, ())?;
    let reply = ops::VerifyResponse {
        key_id: Some(key),
        signature_valid: Some(true),
        signing_algorithm: Some(algorithm.to_string()),
    };
    reply.reply(Service::Kms, "Verify", &asked.request)
}

/// `GetPublicKey`
pub(crate) async fn public_key(
    asked: &Asked,
    permit: Permit<action::GetPublicKey>,
) -> Result<Reply, Failure> {
    let key = permit.resource().to_string();
    let public = compute(asked, Pace::Slow, move |platform| {
        platform.kms.public_key(&permit)
    })
    .await?;
    let (spec, usage) = (public.spec, public.usage);
    let reply = ops::GetPublicKeyResponse {
        key_id: Some(key),
        public_key: Some(ContentBytes::new(public.der)),
        customer_master_key_spec: Some(spec.to_string()),
        key_spec: Some(spec.to_string()),
        key_usage: Some(usage.to_string()),
        encryption_algorithms: shown::names(spec.encryption_algorithms(usage)),
        signing_algorithms: shown::names(spec.signing_algorithms(usage)),
        key_agreement_algorithms: shown::names(spec.agreement_algorithms(usage)),
        encapsulation_algorithms: shown::names(spec.encapsulation_algorithms(usage)),
    };
    reply.reply(Service::Kms, "GetPublicKey", &asked.request)
}

/// `GenerateMac`
pub(crate) fn mac(
    asked: &Asked,
    permit: &Permit<action::GenerateMac>,
    request: &ops::GenerateMac,
) -> Result<Reply, Failure> {
    let algorithm: MacAlgorithm = shown::parsed("MacAlgorithm", &request.mac_algorithm)?;
    let mac = asked
        .platform
        .kms
        .generate_mac(permit, algorithm, request.message.expose());
    let mac = unless_tried(request.dry_run, mac.map_err(|error| from_kms(&error))?)?;
    let reply = ops::GenerateMacResponse {
        mac: Some(ContentBytes::new(mac)),
        mac_algorithm: Some(algorithm.to_string()),
        key_id: Some(permit.resource().to_string()),
    };
    reply.reply(Service::Kms, "GenerateMac", &asked.request)
}

/// `VerifyMac`
pub(crate) fn verify_mac(
    asked: &Asked,
    permit: &Permit<action::VerifyMac>,
    request: &ops::VerifyMac,
) -> Result<Reply, Failure> {
    let algorithm: MacAlgorithm = shown::parsed("MacAlgorithm", &request.mac_algorithm)?;
    let (message, mac) = (request.message.expose(), request.mac.expose());
    let verified = asked.platform.kms.verify_mac(permit, algorithm, message, mac);
    verified.map_err(|error| from_kms(&error))?;
    unless_tried(request.dry_run, ())?;
    let reply = ops::VerifyMacResponse {
        key_id: Some(permit.resource().to_string()),
        mac_valid: Some(true),
        mac_algorithm: Some(algorithm.to_string()),
    };
    reply.reply(Service::Kms, "VerifyMac", &asked.request)
}
