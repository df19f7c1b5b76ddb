//! `moho credential-process`: the credentials of a profile, new ones if need be, without anybody there to ask.

use clap::ArgMatches;
use moho_iam::oidc::IdToken;

use super::kept::{Login, Logins, Tokens};
use super::provider::{OpenIdProvider, ProviderSays};
use super::{Exit, Failure, exchange, format, now, print, profile_name};

/// Prints the credentials of a profile.
pub(in crate::cli) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    moho_os::harden_process().map_err(|error| Failure::new(Exit::InTheWay, error))?;
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
    print((&logins, &login), &name, format(matches))
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
        Ok(tokens) if is_of_another(login, &tokens) => Err(Failure::new(
            Exit::Refused,
            anyhow::anyhow!("the identity provider renewed the login with somebody else's ID Token"),
        )),
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

/// Whether the subject is not the one that logged in (OpenID Connect Core §12.2).
fn is_of_another(login: &Login, tokens: &Tokens) -> bool {
    let subject = |text: &str| IdToken::parse(text).ok()?.says("sub").map(str::to_owned);
    let former = login.id_token.as_ref().map(|token| subject(token.expose()));
    former.is_some_and(|former| former.is_none() || former != subject(tokens.id_token.expose()))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::kept::Token;
    use super::*;

    fn word(subject: &str) -> Token {
        let claims = format!(r#"{{"iss":"https://i","sub":"{subject}","aud":"c","iat":1,"exp":2}}"#);
        let parts = [r#"{"alg":"EdDSA"}"#, &claims, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
        Token::new(parts.join("."))
    }

    #[test]
    fn a_login_is_renewed_for_nobody_else() {
        let login = |id_token: Option<Token>| Login {
            id_token,
            ..super::super::kept::tests::login()
        };
        let is_anothers = |former: Option<Token>, subject: &str| {
            let tokens = Tokens {
                id_token: word(subject),
                refresh_token: None,
            };
            is_of_another(&login(former), &tokens)
        };
        assert!(!is_anothers(Some(word("alice")), "alice") && !is_anothers(None, "alice"));
        assert!(is_anothers(Some(word("alice")), "mallory"));
        assert!(is_anothers(Some(Token::new("x".to_owned())), "alice"));
    }
}
