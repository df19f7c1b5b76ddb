//! `moho credential-process`: the credentials of a profile, new ones if need be, without anybody there to ask.

use clap::ArgMatches;

use super::kept::{Login, Logins};
use super::provider::{OpenIdProvider, ProviderSays};
use super::{Exit, Failure, exchange, format, now, print, profile_name};

/// Prints the credentials of a profile.
pub(in crate::cli) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let name = profile_name(matches)?;
    let again = || {
        let text = format!("nobody is logged in with the profile {name}: run `moho login --profile {name}`");
        Failure::new(Exit::Refused, anyhow::anyhow!(text))
    };
    let logins = Logins::of_user().map_err(Failure::of(Exit::InTheWay))?;
    // One at a time: many providers let a refresh token be used but once.
    let _turn = logins.lock(&name).map_err(Failure::of(Exit::InTheWay))?;
    let login = logins.read(&name).map_err(Failure::of(Exit::InTheWay))?;
    let mut login = login.ok_or_else(again)?;
    if !login.lasts(now()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
        runtime.block_on(renew(&logins, &name, &mut login, &again))?;
    }
    print(&login, &name, format(matches))
}

/// Gets new credentials by what the provider gave.
async fn renew(
    logins: &Logins,
    name: &str,
    login: &mut Login,
    again: &impl Fn() -> Failure,
) -> Result<(), Failure> {
    if !exchange::has_word(login, now()) {
        refresh(login, again).await?;
        // The provider may have taken the old refresh token back: what it gave must not be lost, come what may.
        logins.write(name, login).map_err(Failure::of(Exit::InTheWay))?;
    }
    exchange::take_on(login, now())
        .await
        .map_err(Failure::of(Exit::Refused))?;
    logins.write(name, login).map_err(Failure::of(Exit::InTheWay))
}

/// Asks the provider for its word once more.
async fn refresh(login: &mut Login, again: &impl Fn() -> Failure) -> Result<(), Failure> {
    let refresh_token = login.refresh_token.clone().ok_or_else(again)?;
    let provider = OpenIdProvider::find(&login.issuer, &login.client_id, login.issuer_ca.as_deref())
        .await
        .map_err(Failure::of(Exit::InTheWay))?;
    let grant = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
        ("scope", login.scope.as_str()),
    ];
    match provider.tokens(&grant).await {
        Ok(tokens) => {
            login.take(tokens);
            Ok(())
        }
        Err(error) => match error.downcast_ref::<ProviderSays>() {
            Some(says) if says.0 == "invalid_grant" => Err(again()),
            Some(_) | None => Err(Failure::new(Exit::InTheWay, error)),
        },
    }
}
