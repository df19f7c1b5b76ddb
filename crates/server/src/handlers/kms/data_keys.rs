//! Data keys, pairs of them, and random bytes.

use moho_iam::action::{Action, kms as action};
use moho_iam::authz::Permit;
use moho_kms::spec::DataKeyPairSpec;
use moho_kms::{DataKeyLength, EncryptionContext};
use moho_terms::ContentBytes;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::encryption as ops;
use moho_wire::{Failure, Reply};

use super::release::ReleaseTo;
use super::{Asked, Pace, compute, making, shown, unless_tried};
use crate::road::from_kms;

/// How long a data key is to be: either by a spec or in bytes.
fn length(spec: Option<&str>, bytes: Option<i64>) -> Result<DataKeyLength, Failure> {
    match (spec, bytes) {
        (Some("AES_128"), None) => Ok(DataKeyLength::AES_128),
        (Some(_), None) => Ok(DataKeyLength::AES_256),
        (None, Some(bytes)) => of_bytes(bytes),
        (Some(_), Some(_)) | (None, None) => Err(shown::invalid(
            "Please specify either number of bytes or key spec.",
        )),
    }
}

fn of_bytes(bytes: i64) -> Result<DataKeyLength, Failure> {
    let bytes = usize::try_from(bytes).map_err(|_never| Failure::Internal)?;
    DataKeyLength::new(bytes).map_err(|error| from_kms(&error))
}

/// `GenerateDataKey`
pub(crate) fn generate(
    asked: &Asked,
    permit: &Permit<action::GenerateDataKey>,
    (context, to): (&EncryptionContext, &ReleaseTo),
    request: &ops::GenerateDataKey,
) -> Result<Reply, Failure> {
    let length = length(request.key_spec.as_deref(), request.number_of_bytes)?;
    let key = asked.platform.kms.generate_data_key(permit, context, length);
    let key = unless_tried(request.dry_run, key.map_err(|error| from_kms(&error))?)?;
    let released = to.release(asked, key.plain)?;
    let reply = ops::GenerateDataKeyResponse {
        ciphertext_blob: Some(ContentBytes::new(key.encrypted.blob)),
        plaintext: released.plaintext,
        key_id: Some(permit.resource().to_string()),
        ciphertext_for_recipient: released.ciphertext_for_recipient,
        key_material_id: key.encrypted.material.map(|id| id.to_string()),
    };
    reply.reply(Service::Kms, "GenerateDataKey", &asked.request)
}

/// `GenerateDataKeyWithoutPlaintext`
pub(crate) fn generate_wrapped(
    asked: &Asked,
    permit: &Permit<action::GenerateDataKeyWithoutPlaintext>,
    context: &EncryptionContext,
    request: &ops::GenerateDataKeyWithoutPlaintext,
) -> Result<Reply, Failure> {
    let length = length(request.key_spec.as_deref(), request.number_of_bytes)?;
    let kms = &asked.platform.kms;
    let key = kms.generate_data_key_without_plaintext(permit, context, length);
    let key = unless_tried(request.dry_run, key.map_err(|error| from_kms(&error))?)?;
    let reply = ops::GenerateDataKeyWithoutPlaintextResponse {
        ciphertext_blob: Some(ContentBytes::new(key.blob)),
        key_id: Some(permit.resource().to_string()),
        key_material_id: key.material.map(|id| id.to_string()),
    };
    reply.reply(Service::Kms, "GenerateDataKeyWithoutPlaintext", &asked.request)
}

/// What is said to who only tries to have a pair made: none is made.
async fn could<A: Action>(asked: &Asked, permit: Permit<A>, context: EncryptionContext) -> Failure {
    let could = compute(asked, Pace::Slow, move |platform| {
        platform.kms.could_make_data_keys(&permit, &context)
    });
    could.await.err().unwrap_or_else(shown::dry_run)
}

/// `GenerateDataKeyPair`
pub(crate) async fn generate_pair(
    asked: &Asked,
    permit: Permit<action::GenerateDataKeyPair>,
    (context, to): (EncryptionContext, ReleaseTo),
    request: ops::GenerateDataKeyPair,
) -> Result<Reply, Failure> {
    let spec: DataKeyPairSpec = shown::parsed("KeyPairSpec", &request.key_pair_spec)?;
    if request.dry_run == Some(true) {
        return Err(could(asked, permit, context).await);
    }
    let key = permit.resource().to_string();
    let pair = compute(asked, making(spec.key_spec()), move |platform| {
        platform.kms.generate_data_key_pair(&permit, &context, spec)
    })
    .await?;
    let released = to.release(asked, pair.private_key)?;
    let reply = ops::GenerateDataKeyPairResponse {
        private_key_ciphertext_blob: Some(ContentBytes::new(pair.encrypted.blob)),
        private_key_plaintext: released.plaintext,
        public_key: Some(ContentBytes::new(pair.public_key)),
        key_id: Some(key),
        key_pair_spec: Some(request.key_pair_spec),
        ciphertext_for_recipient: released.ciphertext_for_recipient,
        key_material_id: pair.encrypted.material.map(|id| id.to_string()),
    };
    reply.reply(Service::Kms, "GenerateDataKeyPair", &asked.request)
}

/// `GenerateDataKeyPairWithoutPlaintext`
pub(crate) async fn generate_wrapped_pair(
    asked: &Asked,
    permit: Permit<action::GenerateDataKeyPairWithoutPlaintext>,
    context: EncryptionContext,
    request: ops::GenerateDataKeyPairWithoutPlaintext,
) -> Result<Reply, Failure> {
    let spec: DataKeyPairSpec = shown::parsed("KeyPairSpec", &request.key_pair_spec)?;
    if request.dry_run == Some(true) {
        return Err(could(asked, permit, context).await);
    }
    let key = permit.resource().to_string();
    let (public, encrypted) = compute(asked, making(spec.key_spec()), move |platform| {
        platform
            .kms
            .generate_data_key_pair_without_plaintext(&permit, &context, spec)
    })
    .await?;
    let reply = ops::GenerateDataKeyPairWithoutPlaintextResponse {
        private_key_ciphertext_blob: Some(ContentBytes::new(encrypted.blob)),
        public_key: Some(ContentBytes::new(public)),
        key_id: Some(key),
        key_pair_spec: Some(request.key_pair_spec),
        key_material_id: encrypted.material.map(|id| id.to_string()),
    };
    reply.reply(
        Service::Kms,
        "GenerateDataKeyPairWithoutPlaintext",
        &asked.request,
    )
}

/// `GenerateRandom`
pub(crate) fn random(
    asked: &Asked,
    permit: &Permit<action::GenerateRandom>,
    to: &ReleaseTo,
    request: &ops::GenerateRandom,
) -> Result<Reply, Failure> {
    let bytes = request
        .number_of_bytes
        .ok_or_else(|| shown::missing("numberOfBytes"))?;
    let random = asked.platform.kms.generate_random(permit, of_bytes(bytes)?);
    let released = to.release(asked, random.map_err(|error| from_kms(&error))?)?;
    let reply = ops::GenerateRandomResponse {
        plaintext: released.plaintext,
        ciphertext_for_recipient: released.ciphertext_for_recipient,
    };
    reply.reply(Service::Kms, "GenerateRandom", &asked.request)
}
