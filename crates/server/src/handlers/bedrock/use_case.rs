//! What an account says it uses models for: kept sealed under its key, and read by nobody but itself.

use std::sync::Arc;

use moho_iam::action::bedrock::{GetUseCaseForModelAccess, PutUseCaseForModelAccess};
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_terms::ContentBytes;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::GetUseCaseForModelAccessReply;
use moho_wire::{Failure, Reply};

use super::blocking;
use crate::handlers::Asked;
use crate::road::from_store;

/// `PutUseCaseForModelAccess`
pub(crate) async fn put(
    asked: &Asked,
    (permit, key): (Permit<PutUseCaseForModelAccess>, Permit<kms::GenerateDataKey>),
    form: ContentBytes,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let now = platform.clock.now();
        let put = platform
            .store
            .put_use_case((&permit, &key), &platform.kms, &form, now);
        put.map_err(|error| from_store(&error))
    })
    .await?;
    Service::Bedrock.done("PutUseCaseForModelAccess", &asked.request)
}

/// `GetUseCaseForModelAccess`
pub(crate) async fn get(
    asked: &Asked,
    (permit, key): (Permit<GetUseCaseForModelAccess>, Permit<kms::Decrypt>),
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let form = blocking(move || {
        let form = platform.store.use_case(&permit, &key, &platform.kms);
        form.map_err(|error| from_store(&error))
    });
    let form = form.await?.ok_or_else(|| Failure::Service {
        code: "ResourceNotFoundException",
        message: "No use case was found: this account has not put one.".to_owned(),
        status: 404,
    })?;
    GetUseCaseForModelAccessReply {
        form_data: Some(form),
    }
    .reply(Service::Bedrock, "GetUseCaseForModelAccess", &asked.request)
}
