//! The account's alias.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::Listed;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::users as wire;
use moho_wire::{Failure, Reply};

use super::carry_out;
use super::listing::{Wanted, page};
use crate::handlers::Asked;

/// `CreateAccountAlias`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<iam::CreateAccountAlias>,
    alias: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.create_account_alias(permit, &alias)
    })
    .await
}

/// `ListAccountAliases`: one at most.
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListAccountAliases>,
    list: wire::ListAccountAliases,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(list.marker, list.max_items);
    let page = page(asked, permit, wanted, |store, permit, _| {
        let alias = store.account_alias(permit)?;
        Ok(Listed {
            items: alias.into_iter().collect(),
            last: None,
        })
    })
    .await?;
    wire::ListAccountAliasesResponse {
        account_aliases: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListAccountAliases", &asked.request)
}

/// `DeleteAccountAlias`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<iam::DeleteAccountAlias>,
    alias: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_account_alias(permit, &alias)
    })
    .await
}
