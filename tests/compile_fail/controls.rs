//! compiles: what is allowed, so that the cases beside it fail for their own reasons alone.

use moho_iam::action::{Action, kms, mantle, sts};
use moho_iam::authn::Authenticated;
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms, KmsError};
use moho_terms::{AccountId, Content, ContentBytes, Secret};

/// The same serde as the libraries': content may come in, though it may not go out.
pub fn reads<T: serde::de::DeserializeOwned>(_: Option<T>) {}

pub fn content_comes_in() {
    reads::<Content>(None);
}

pub fn sealed_things_move_and_are_read(content: Content, bytes: ContentBytes, secret: Secret) -> usize {
    let kept = content;
    kept.expose().len() + bytes.expose().len() + secret.expose().len()
}

pub fn an_account_is_no_secret(account: &AccountId) -> String {
    format!("{account} {account:?}")
}

fn handler(permit: &Permit<mantle::CreateInference>) -> AccountId {
    permit.session().account()
}

pub fn a_handler_runs_with_its_permit(permit: &Permit<mantle::CreateInference>) -> AccountId {
    handler(permit)
}

pub fn who_is_authenticated_may_be_asked(caller: &Authenticated) -> AccountId {
    caller.session().account()
}

pub fn names() -> [&'static str; 2] {
    [sts::GetCallerIdentity::NAME, mantle::CreateInference::NAME]
}

pub fn a_key_is_used_with_a_permit(
    kms: &Kms,
    permit: &Permit<kms::GenerateDataKey>,
    context: &EncryptionContext,
    content: &ContentBytes,
) -> Result<(), KmsError> {
    kms.seal(permit, context, content).map(|_| ())
}

pub fn the_store_takes_part(_: &moho_store::Store) {}
