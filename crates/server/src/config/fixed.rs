//! What is for a developer's machine alone: fixed credentials, for tools that can send no others, and a test's root of
//! attestation documents.

use std::net::SocketAddr;

use moho_iam::authn::FixedCredentials;
use moho_terms::Secret;

use super::resolve::one;
use super::settings::STATIC_CREDENTIALS;
use super::typed::Typed;
use super::{ConfigError, EndpointConfig, NitroRoot, Place};

/// The credentials, if nobody but this machine's own tools can send them: all `addresses` are loopback ones, and no
/// private endpoint is a Unix socket, whose other end may be anywhere.
pub(super) fn resolve<'a>(
    typed: &Typed,
    mut addresses: impl Iterator<Item = &'a SocketAddr>,
    endpoints: &[EndpointConfig],
) -> Result<Option<FixedCredentials>, ConfigError> {
    let fixed = one(typed, STATIC_CREDENTIALS, |text| match text {
        "none" => Ok(None),
        text => fixed(text).map(Some),
    })?;
    let fixed = fixed.flatten();
    if fixed.is_some() && !addresses.all(|address| address.ip().to_canonical().is_loopback()) {
        return Err(ConfigError::Together(
            "`dev.static_credentials` is for this machine alone: every address to serve on has to be a loopback one, such as \
             127.0.0.1:8443",
        ));
    }
    let is_socket = |endpoint: &EndpointConfig| matches!(endpoint.listen, Place::Socket(_));
    if fixed.is_some() && endpoints.iter().any(is_socket) {
        return Err(ConfigError::Together(
            "`dev.static_credentials` is for this machine alone: no private endpoint may be a Unix socket (`unix:`), only a \
             loopback address",
        ));
    }
    Ok(fixed)
}

/// Whose attestation documents are taken: a test's only if nobody but this machine can ask.
pub(super) fn nitro_root<'a>(
    typed: &Typed,
    mut addresses: impl Iterator<Item = &'a SocketAddr>,
) -> Result<NitroRoot, ConfigError> {
    let root = one(typed, "dev.nitro_root", |text| match text {
        "none" => Ok(NitroRoot::Aws),
        "" => Err("expected the name of a file"),
        file => Ok(NitroRoot::Test(file.into())),
    })?;
    let root = root.unwrap_or_default();
    if root != NitroRoot::Aws && !addresses.all(|address| address.ip().to_canonical().is_loopback()) {
        return Err(ConfigError::Together(
            "`dev.nitro_root` is for this machine alone: every address to serve on has to be a loopback one, such as 127.0.0.1:8443",
        ));
    }
    Ok(root)
}

fn fixed(text: &str) -> Result<FixedCredentials, &'static str> {
    let problem = "expected ID:SECRET:ACCOUNT: an id of 3 to 128 letters, digits and _, a secret of 1 to 128 visible \
                   characters, and the 12 digits of an account";
    let (id, rest) = text.split_once(':').ok_or(problem)?;
    let (secret, account) = rest.rsplit_once(':').ok_or(problem)?;
    if !(1..=128).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(problem);
    }
    Ok(FixedCredentials {
        id: id.parse().map_err(|_e| problem)?,
        secret: Secret::new(secret.as_bytes().to_vec()),
        account: account.parse().map_err(|_e| problem)?,
    })
}
