//! Aliases: names that lead to keys. To make, turn or delete one takes leave on the alias and on every key that it leads
//! to, before or after.

use moho_iam::action::{Action, kms as action};
use moho_iam::authz::{Context, Permit};
use moho_terms::Arn;
use moho_wire::Failure;
use moho_wire::aws::ops::kms::aliases::Request;

use super::super::Trip;
use super::Replied;
use super::named::Takes;
use crate::handlers::kms::{aliases as handlers, shown};

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Replied {
    let asked = &trip.asked();
    match request {
        Request::CreateAlias(request) => {
            let alias = trip.alias(&request.alias_name)?;
            let target = trip.target(&request.target_key_id)?;
            let permits = handlers::Permits {
                alias: trip.permit::<action::CreateAlias>(&alias)?,
                key: trip.permit::<action::CreateAlias>(&target)?,
            };
            handlers::create(asked, permits).await
        }
        Request::UpdateAlias(request) => {
            let alias = trip.alias(&request.alias_name)?;
            let target = trip.target(&request.target_key_id)?;
            let on_alias = trip.permit::<action::UpdateAlias>(&alias)?;
            let was = trip.behind_alias(&alias)?;
            let permits = handlers::UpdatePermits {
                alias: on_alias,
                was: trip.permit::<action::UpdateAlias>(&was)?,
                key: trip.permit::<action::UpdateAlias>(&target)?,
            };
            handlers::update(asked, permits).await
        }
        Request::DeleteAlias(request) => {
            let alias = trip.alias(&request.alias_name)?;
            let on_alias = trip.permit::<action::DeleteAlias>(&alias)?;
            let key = trip.behind_alias(&alias)?;
            let permits = handlers::Permits {
                alias: on_alias,
                key: trip.permit::<action::DeleteAlias>(&key)?,
            };
            handlers::delete(asked, permits).await
        }
        Request::ListAliases(request) => {
            let permit: Permit<action::ListAliases> = trip.permit(&trip.arn("kms", "*")?)?;
            let key = match &request.key_id {
                Some(name) => Some(trip.own_key_behind(&permit, name)?),
                None => None,
            };
            handlers::list(asked, permit, (key, *request)).await
        }
    }
}

impl Trip<'_> {
    /// The alias of the caller's account that has this name, or would have it.
    fn alias(&self, name: &str) -> Result<Arn, Failure> {
        handlers::check_name(name)?;
        self.arn("kms", name)
    }

    /// The key of the caller's account that an alias is to lead to.
    fn target(&self, name: &str) -> Result<Arn, Failure> {
        if name.starts_with("alias/") || name.contains(":alias/") {
            let message = "Aliases must refer to keys. Not aliases";
            return Err(Failure::Validation(message.to_owned()));
        }
        let key = self.key_named(name, Takes::Keys)?.arn()?;
        if key.account() == self.caller.session().account().as_str() {
            Ok(key)
        } else {
            self.judge_absent::<action::CreateAlias>(&key, &Context::new())?;
            Err(shown::no_such_key(&key))
        }
    }

    /// The key that an alias leads to; who may touch the alias hears if there is none.
    fn behind_alias(&self, alias: &Arn) -> Result<Arn, Failure> {
        self.key_behind(alias)?.ok_or_else(|| shown::no_such_alias(alias))
    }

    /// The key of the caller's account that a list is narrowed to, for who may list.
    fn own_key_behind<A: Action>(&self, permit: &Permit<A>, name: &str) -> Result<Arn, Failure> {
        let named = self.key_named(name, Takes::Aliases)?;
        let key = named.arn()?;
        if key.account() == permit.session().account().as_str() {
            named.present()
        } else {
            Err(shown::no_such_key(&key))
        }
    }
}
