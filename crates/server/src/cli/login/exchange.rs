//! The provider's word for a session of a role: `AssumeRoleWithWebIdentity`, as any of AWS's tools asks for it.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use moho_iam::oidc::IdToken;
use moho_terms::{SessionName, Timestamp};
use zeroize::Zeroizing;

use super::kept::{Login, Session, Token};
use super::shown;
use crate::cli::sts::{credentials, element, form};
use crate::outbound::{HttpsUrl, Peer, connector};

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of one answer.
const LONGEST: usize = 256 << 10;

/// Whether the provider's word is still good for a while.
pub(super) fn has_word(login: &Login, now: Timestamp) -> bool {
    let token = login
        .id_token
        .as_ref()
        .map(|token| IdToken::parse(token.expose()));
    matches!(token, Some(Ok(token)) if token.ends() > now.plus_seconds(60))
}

/// Takes on the login's role.
pub(super) async fn take_on(login: &mut Login, now: Timestamp) -> anyhow::Result<()> {
    let token = login.id_token.as_ref().context("nobody has logged in")?;
    let word = IdToken::parse(token.expose()).context("the identity provider's ID Token is none")?;
    if word.ends() <= now {
        bail!("the identity provider's ID Token has ended already: is the clock right?");
    }
    let name = login.session_name.clone().unwrap_or_else(|| name_of(&word));
    let seconds = login.duration_seconds.to_string();
    let request = Zeroizing::new(form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", &login.role),
        ("RoleSessionName", &name),
        ("DurationSeconds", &seconds),
        ("WebIdentityToken", token.expose()),
    ]));
    let reply = ask(login, &word, &request).await?;
    let got = credentials(&reply)?;
    let text = |secret: &moho_terms::Secret| {
        let text = std::str::from_utf8(secret.expose()).context("a credential is not text")?;
        anyhow::Ok(Token::new(text.to_owned()))
    };
    login.session = Some(Session {
        access_key_id: got.access_key_id.to_string(),
        secret_access_key: text(&got.secret_access_key)?,
        session_token: text(&got.session_token)?,
        ends: got.expires_at.unix_seconds(),
        principal_arn: got.principal_arn.to_string(),
        user_id: got.user_id,
    });
    Ok(())
}

async fn ask(login: &Login, word: &IdToken<'_>, form: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let tls =
        connector(login.ca_file.as_deref()).context("moho's certificate cannot be checked (--ca-file)")?;
    let url: HttpsUrl = login.moho.parse()?;
    let origin = url.origin();
    let peer = Peer::over_tls(&origin.host, origin.port, tls)?;
    let request = Request::post("/")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
        .body(Full::new(Bytes::copy_from_slice(form.as_bytes())))?;
    let answer = tokio::time::timeout(PATIENCE, peer.exchange(request, LONGEST)).await;
    let answer = answer
        .context("moho does not answer in time")?
        .with_context(|| format!("moho at {url}"))?;
    let body = Zeroizing::new(answer.body.context("moho's answer is too long")?.to_vec());
    if answer.status.is_success() {
        return Ok(body);
    }
    let part = |name: &str| element(&body, name).map(|text| shown(&text)).unwrap_or_default();
    let (code, message) = (part("Code"), part("Message"));
    let next = match code.as_str() {
        "AccessDenied" => format!(". {}", trust(login, word)),
        _ => String::new(),
    };
    bail!(
        "AssumeRoleWithWebIdentity was refused ({}, {code}): {message}{next}",
        answer.status
    )
}

/// What has to be so for this login, for whoever administrates the role: the server does not tell strangers what is not.
fn trust(login: &Login, word: &IdToken<'_>) -> String {
    let name = shown(login.issuer.strip_prefix("https://").unwrap_or(&login.issuer));
    let (role, client) = (shown(&login.role), shown(&login.client_id));
    let subject = shown(word.says("sub").unwrap_or_default());
    format!(
        "The trust policy of {role} has to allow sts:AssumeRoleWithWebIdentity to the provider ({{\"Federated\": \
         \"arn:aws:iam::ACCOUNT:oidc-provider/{name}\"}}); what it asks for has to be so of this login: audience {name}:aud \
         = {client}, subject {name}:sub = {subject}; and {client} has to be one of the provider's client ids. The server's \
         journal says which it was."
    )
}

/// What the provider calls the person, as far as a session can be called so.
fn name_of(word: &IdToken<'_>) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
    let names = ["preferred_username", "email", "sub"]
        .iter()
        .filter_map(|claim| word.says(claim));
    let mut names = names.map(|name| name.chars().filter(fits).take(64).collect::<String>());
    names
        .find(|name| name.parse::<SessionName>().is_ok())
        .unwrap_or_else(|| "moho-login".to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn who_is_refused_a_role_is_told_what_its_trust_policy_has_to_name() {
        let login = Login {
            issuer: "https://login.example.com/acme".to_owned(),
            client_id: "moho-cli".to_owned(),
            ..super::super::kept::tests::login()
        };
        let claims = r#"{"iss":"https://i","sub":"alice","aud":"c","iat":1,"exp":2}"#;
        let parts = [r#"{"alg":"EdDSA"}"#, claims, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
        let token = parts.join(".");
        let said = trust(&login, &IdToken::parse(&token).unwrap());
        for words in [
            "oidc-provider/login.example.com/acme",
            "login.example.com/acme:aud = moho-cli",
            "login.example.com/acme:sub = alice",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
