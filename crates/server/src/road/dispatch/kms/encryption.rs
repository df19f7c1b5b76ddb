//! Encryption, data keys and randomness.

use moho_iam::action::kms as action;
use moho_iam::authz::Context;
use moho_kms::EncryptionContext;
use moho_wire::Failure;
use moho_wire::aws::ops::kms::encryption::{self as ops, Request};

use super::super::Trip;
use super::named::{NamedKey, Takes};
use super::release::Release;
use super::{Replied, conditions, with_tokens};
use crate::handlers::kms::{data_keys, encryption as handlers, shown, tokens};

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    match request {
        Request::Encrypt(request) => encrypt(trip, *request).await,
        Request::Decrypt(request) => decrypt(trip, *request).await,
        Request::ReEncrypt(request) => re_encrypt(trip, *request).await,
        Request::GenerateDataKey(request) => {
            let (named, context) = generating(trip, &request.key_id, request.encryption_context.as_ref())?;
            let release = Release::asked(trip, request.recipient.as_ref()).await?;
            let asked_with = release.conditions(conditions::encryption(&context, None));
            let permit = trip.on_key(&named, asked_with)?;
            let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
            data_keys::generate(&trip.asked(), &permit, (&context, &release.to), &request)
        }
        Request::GenerateDataKeyWithoutPlaintext(request) => {
            let (named, context) = generating(trip, &request.key_id, request.encryption_context.as_ref())?;
            let permit = trip.on_key(&named, conditions::encryption(&context, None))?;
            let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
            data_keys::generate_wrapped(&trip.asked(), &permit, &context, &request)
        }
        Request::GenerateDataKeyPair(request) => {
            let (named, context) = generating(trip, &request.key_id, request.encryption_context.as_ref())?;
            let release = Release::asked(trip, request.recipient.as_ref()).await?;
            let asked_with = release.conditions(of_pair(&context, &request.key_pair_spec));
            let permit = trip.on_key(&named, asked_with)?;
            let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
            data_keys::generate_pair(&trip.asked(), permit, (context, release.to), *request).await
        }
        Request::GenerateDataKeyPairWithoutPlaintext(request) => {
            let (named, context) = generating(trip, &request.key_id, request.encryption_context.as_ref())?;
            let permit = trip.on_key(&named, of_pair(&context, &request.key_pair_spec))?;
            let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
            data_keys::generate_wrapped_pair(&trip.asked(), permit, context, *request).await
        }
        Request::GenerateRandom(request) => {
            let release = Release::asked(trip, request.recipient.as_ref()).await?;
            let asked_with = release.conditions(Context::new());
            let permit = trip.permit_with::<action::GenerateRandom>(&trip.arn("kms", "*")?, &asked_with)?;
            data_keys::random(&trip.asked(), &permit, &release.to, &request)
        }
    }
}

/// The key and the encryption context that a data key is made under.
fn generating(
    trip: &Trip<'_>,
    key: &str,
    context: Option<&std::collections::BTreeMap<String, String>>,
) -> Result<(NamedKey, EncryptionContext), Failure> {
    let context = conditions::pairs(context)?;
    Ok((trip.key_named(key, Takes::Aliases)?, context))
}

fn of_pair(context: &EncryptionContext, spec: &str) -> Context {
    conditions::encryption(context, None).with("kms:DataKeyPairSpec", spec)
}

async fn encrypt(trip: &Trip<'_>, request: ops::Encrypt) -> Replied {
    let context = conditions::pairs(request.encryption_context.as_ref())?;
    let algorithm = request.encryption_algorithm.as_deref();
    let asked_with = conditions::encryption(&context, algorithm);
    let permit = trip.on_key_named::<action::Encrypt>((&request.key_id, Takes::Aliases), asked_with)?;
    let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
    handlers::encrypt(&trip.asked(), permit, context, request).await
}

async fn decrypt(trip: &Trip<'_>, request: ops::Decrypt) -> Replied {
    let context = conditions::pairs(request.encryption_context.as_ref())?;
    let release = Release::asked(trip, request.recipient.as_ref()).await?;
    let algorithm = request.encryption_algorithm.as_deref();
    let asked_with = release.conditions(conditions::encryption(&context, algorithm));
    let blob = request.ciphertext_blob.as_ref();
    let blob = handlers::ciphertext(blob, request.dry_run, request.dry_run_modifiers.as_ref())?;
    let permit = match (&request.key_id, blob) {
        (Some(key), _) => trip.on_key_named::<action::Decrypt>((key, Takes::Aliases), asked_with)?,
        (None, Some(blob)) => trip.on_key_of_blob(&trip.key_of_blob(blob)?, asked_with)?,
        (None, None) => return Err(shown::missing("keyId")),
    };
    let permit = with_tokens(trip, permit, request.grant_tokens.as_ref())?;
    handlers::decrypt(&trip.asked(), permit, (context, release.to), request).await
}

async fn re_encrypt(trip: &Trip<'_>, request: ops::ReEncrypt) -> Replied {
    let from = conditions::pairs(request.source_encryption_context.as_ref())?;
    let to = conditions::pairs(request.destination_encryption_context.as_ref())?;
    let blob = request.ciphertext_blob.as_ref();
    let blob = handlers::ciphertext(blob, request.dry_run, request.dry_run_modifiers.as_ref())?;
    let destination = trip.key_named(&request.destination_key_id, Takes::Aliases)?;
    let source = match (&request.source_key_id, blob) {
        (Some(key), _) => trip.key_named(key, Takes::Aliases)?,
        (None, Some(blob)) => trip.key_of_blob(blob)?,
        (None, None) => return Err(shown::missing("sourceKeyId")),
    };
    let same = (source.arn()? == destination.arn()?).to_string();
    let with = |context, algorithm: Option<&String>| {
        conditions::encryption(context, algorithm.map(String::as_str))
            .with("kms:ReEncryptOnSameKey", same.as_str())
    };
    let asked_with = with(&from, request.source_encryption_algorithm.as_ref());
    let source = match &request.source_key_id {
        Some(_) => trip.on_key::<action::ReEncryptFrom>(&source, asked_with)?,
        None => trip.on_key_of_blob(&source, asked_with)?,
    };
    let asked_with = with(&to, request.destination_encryption_algorithm.as_ref());
    let destination = trip.on_key::<action::ReEncryptTo>(&destination, asked_with)?;
    for token in request.grant_tokens.iter().flatten() {
        let of_source = tokens::check(trip.platform, source.resource(), token);
        of_source.or_else(|_other| tokens::check(trip.platform, destination.resource(), token))?;
    }
    let permits = handlers::ReEncryptPermits {
        from: source,
        to: destination,
    };
    handlers::re_encrypt(&trip.asked(), permits, (from, to), request).await
}
