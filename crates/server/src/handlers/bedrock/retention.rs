//! Whether an account's content may be kept at all.

use std::sync::Arc;

use moho_iam::action::bedrock::{GetAccountDataRetention, PutAccountDataRetention};
use moho_iam::authz::Permit;
use moho_store::Retention;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::AccountDataRetention;
use moho_wire::{Failure, Reply};

use super::blocking;
use crate::handlers::Asked;
use crate::road::from_store;

/// `GetAccountDataRetention`
pub(crate) fn get(asked: &Asked, permit: &Permit<GetAccountDataRetention>) -> Result<Reply, Failure> {
    let retention = asked.platform.store.own_retention(permit);
    shown(
        asked,
        "GetAccountDataRetention",
        retention.map_err(|error| from_store(&error))?,
    )
}

/// `PutAccountDataRetention`. Nobody else sees what is kept here, so that modes that would share it are refused.
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<PutAccountDataRetention>,
    mode: &str,
) -> Result<Reply, Failure> {
    let keeps = match mode {
        "default" | "inherit" => true,
        "none" => false,
        _ => {
            let message = "The data retention mode is not supported: content is shared with nobody here, neither for review nor \
                           with a model's provider. Use default or none.";
            return Err(Failure::Validation(message.to_owned()));
        }
    };
    let platform = Arc::clone(&asked.platform);
    let put = blocking(move || {
        let now = platform.clock.now();
        let put = platform.store.put_retention_mode(&permit, keeps, now);
        put.map_err(|error| from_store(&error))
    });
    shown(asked, "PutAccountDataRetention", put.await?)
}

fn shown(asked: &Asked, operation: &str, retention: Retention) -> Result<Reply, Failure> {
    let mode = if retention.keeps { "default" } else { "none" };
    AccountDataRetention {
        mode: Some(mode.to_owned()),
        updated_at: retention.updated,
    }
    .reply(Service::Bedrock, operation, &asked.request)
}
