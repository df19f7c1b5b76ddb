//! Logging in with a browser on this machine (RFC 8252): it comes back to a port of the loopback address with a code that
//! is of use only to whoever knows the verifier (PKCE, RFC 7636), which is this process.

use std::process::Stdio;

use anyhow::{Context, bail};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_iam::oidc::IdToken;
use moho_terms::Entropy;
use zeroize::Zeroizing;

use super::callback::{Arrived, Callback};
use super::kept::Tokens;
use super::provider::OpenIdProvider;
use super::tell;
use crate::cli::sts::form;
use crate::system::SystemEntropy;

/// Whether somebody sits before this machine: a browser of its own, or a screen that is not another machine's.
pub(super) fn is_likely() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let elsewhere = set("SSH_CONNECTION") || set("SSH_TTY");
    set("BROWSER") || (!elsewhere && (set("DISPLAY") || set("WAYLAND_DISPLAY")))
}

/// Opens a browser, waits for it to come back, and turns what it brings into tokens.
pub(super) async fn log_in(provider: &OpenIdProvider, scope: &str, port: u16) -> anyhow::Result<Tokens> {
    let callback = Callback::open(port, &secret()?).await?;
    let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let redirect = callback.address();
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", provider.client_id()),
        ("redirect_uri", &redirect),
        ("scope", scope),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    if scope
        .split_ascii_whitespace()
        .any(|scope| scope == "offline_access")
    {
        // OpenID Connect Core §11: without it nobody may be given offline access.
        query.push(("prompt", "consent"));
    }
    let endpoint = provider.authorization_endpoint()?;
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    let url = format!("{endpoint}{joint}{}", form(&query));
    // What a program is started with, every user of the machine can read: not what the provider is asked.
    let start = callback.start();
    tell(&format!("moho: opening {start} (it leads to {endpoint})"));
    open(&start);
    let arrived = callback
        .wait(&url, |arrived| is_ours(arrived, &state, provider.issuer()))
        .await?;
    let code = match arrived {
        Arrived {
            code: Some(code),
            error: None,
            ..
        } => code,
        Arrived {
            error: Some(error), ..
        } => bail!("the identity provider says `{}`", error.escape_debug()),
        Arrived { .. } => bail!("the identity provider sent the browser back without a code"),
    };
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect),
        ("code_verifier", &verifier),
    ];
    let tokens = provider.tokens(&grant).await?;
    let token = IdToken::parse(tokens.id_token.expose())?;
    if !token.says("nonce").is_some_and(|said| equal(said, &nonce)) {
        bail!("the identity provider's ID Token is for another login");
    }
    Ok(tokens)
}

/// Whether this is the end of the login that we began, and not something that another page sent here.
fn is_ours(arrived: &Arrived, state: &str, issuer: &str) -> bool {
    let same_state = arrived.state.as_deref().is_some_and(|said| equal(said, state));
    // RFC 9207: who says where it comes from comes from there.
    same_state && arrived.issuer.as_deref().is_none_or(|said| said == issuer)
}

fn equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// 256 random bits as text.
fn secret() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    SystemEntropy::default().fill(bytes.as_mut_slice())?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Shows the page in a browser; if there is none, the person has read the address.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment names the user's browser"
)]
fn open(url: &str) {
    let named = std::env::var("BROWSER")
        .ok()
        .filter(|browser| !browser.is_empty());
    let program = named.unwrap_or_else(|| "xdg-open".to_owned());
    let begun = std::process::Command::new(program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("no browser");
    if begun.is_err() {
        tell("moho: no browser could be started: open that address yourself, or use --device");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_our_own_login_is_taken() {
        let arrived = |state: Option<&str>, issuer: Option<&str>| Arrived {
            state: state.map(str::to_owned),
            issuer: issuer.map(str::to_owned),
            ..Arrived::default()
        };
        let ours = |arrived: &Arrived| is_ours(arrived, "state", "https://issuer");
        assert!(ours(&arrived(Some("state"), None)));
        assert!(ours(&arrived(Some("state"), Some("https://issuer"))));
        for (state, issuer) in [
            (None, None),
            (Some(""), None),
            (Some("other"), None),
            (Some("state"), Some("https://other")),
        ] {
            assert!(!ours(&arrived(state, issuer)), "{state:?} {issuer:?}");
            let declined = Arrived {
                error: Some("access_denied".to_owned()),
                ..arrived(state, issuer)
            };
            assert!(!ours(&declined), "{state:?} {issuer:?}");
        }
    }

    #[test]
    fn no_two_secrets_are_the_same() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
    }
}
