//! What somebody asks for: what stands on the command line, else what the profile remembers, else what is usual.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ArgMatches;
use moho_terms::{Arn, Region, SessionName};

use super::kept::Login;
use super::profile::plain;
use crate::outbound::HttpsUrl;

/// A login that nobody has made yet.
pub(super) fn of(matches: &ArgMatches, earlier: Option<&Login>) -> anyhow::Result<Login> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let needed = |name: &str, remembered: Option<&String>| {
        text(name).or_else(|| remembered.cloned()).with_context(|| {
            format!("--{name} is needed: this profile was never logged in with (moho login --help)")
        })
    };
    let file = |name: &str, remembered: Option<&PathBuf>| {
        let given = matches.get_one::<PathBuf>(name);
        let whole = given.map(|path| {
            path.canonicalize()
                .with_context(|| format!("--{name} {}", path.display()))
        });
        whole
            .transpose()
            .map(|given| given.or_else(|| remembered.cloned()))
    };
    let login = Login {
        moho: needed("endpoint", earlier.map(|l| &l.moho))?
            .trim_end_matches('/')
            .to_owned(),
        ca_file: file("ca-file", earlier.and_then(|l| l.ca_file.as_ref()))?,
        region: text("region")
            .or_else(|| earlier.map(|l| l.region.clone()))
            .unwrap_or_else(|| "us-east-1".to_owned()),
        role: needed("role", earlier.map(|l| &l.role))?,
        issuer: needed("issuer", earlier.map(|l| &l.issuer))?,
        client_id: needed("client-id", earlier.map(|l| &l.client_id))?,
        issuer_ca: file("issuer-ca-file", earlier.and_then(|l| l.issuer_ca.as_ref()))?,
        scope: text("scope")
            .or_else(|| earlier.map(|l| l.scope.clone()))
            .unwrap_or_else(|| "openid offline_access".to_owned()),
        duration_seconds: matches
            .get_one::<u32>("duration-seconds")
            .copied()
            .or_else(|| earlier.map(|l| l.duration_seconds))
            .unwrap_or(3600),
        session_name: text("session-name").or_else(|| earlier.and_then(|l| l.session_name.clone())),
        id_token: None,
        refresh_token: None,
        session: None,
    };
    check(&login)?;
    Ok(login)
}

/// Nothing that could not go well.
fn check(login: &Login) -> anyhow::Result<()> {
    let moho: HttpsUrl = login.moho.parse().context("--endpoint")?;
    if moho.path() != "/" {
        bail!("--endpoint: expected no path, such as https://moho.example.com:8443");
    }
    // They become lines of AWS's settings.
    for (name, file) in [("ca-file", &login.ca_file), ("issuer-ca-file", &login.issuer_ca)] {
        if let Some(file) = file {
            plain(file).with_context(|| format!("--{name}"))?;
        }
    }
    login.issuer.parse::<HttpsUrl>().context("--issuer")?;
    login.region.parse::<Region>().context("--region")?;
    let role: Arn = login.role.parse().context("--role")?;
    if role.service() != "iam" || !role.resource().starts_with("role/") {
        bail!("--role: expected a role's ARN, such as arn:aws:iam::123456789012:role/Developer");
    }
    if let Some(name) = &login.session_name {
        name.parse::<SessionName>().context("--session-name")?;
    }
    let scopes: Vec<&str> = login.scope.split_ascii_whitespace().collect();
    if !scopes.contains(&"openid") {
        bail!("--scope: without `openid` the provider gives no ID Token");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: &str, earlier: Option<&Login>) -> anyhow::Result<Login> {
        let words = format!("login {line}");
        let matches = crate::cli::login::command().try_get_matches_from(words.split_whitespace())?;
        of(&matches, earlier)
    }

    const WHOLE: &str = "--endpoint https://moho:8443/ --issuer https://login --client-id cli --role \
                         arn:aws:iam::123456789012:role/path/Developer";

    #[test]
    fn what_was_said_once_is_remembered() {
        let first = wish(WHOLE, None).unwrap();
        assert_eq!(
            (first.moho.as_str(), first.duration_seconds),
            ("https://moho:8443", 3600)
        );
        let again = wish("--duration-seconds 900", Some(&first)).unwrap();
        assert_eq!(
            (again.issuer.as_str(), again.duration_seconds),
            ("https://login", 900)
        );
        let told = wish("--issuer https://login", None).unwrap_err().to_string();
        assert!(told.starts_with("--endpoint is needed"), "{told}");
    }

    #[test]
    fn a_file_whose_name_is_more_than_a_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca\ncredential_process = evil");
        std::fs::write(&path, "").unwrap();
        for name in ["--ca-file", "--issuer-ca-file"] {
            let words = ["login"].into_iter().chain(WHOLE.split_whitespace());
            let words = words.chain([name, path.to_str().unwrap()]);
            let matches = crate::cli::login::command().try_get_matches_from(words).unwrap();
            let error = of(&matches, None).unwrap_err().to_string();
            assert_eq!(error, name);
        }
    }

    #[test]
    fn what_cannot_go_well_is_told_before() {
        for (wrong, told) in [
            ("--endpoint http://moho", "--endpoint"),
            ("--endpoint https://moho/v1", "--endpoint"),
            ("--issuer http://login", "--issuer"),
            ("--role Developer", "--role"),
            ("--role arn:aws:iam::123456789012:user/x", "--role"),
            ("--session-name a/b", "--session-name"),
            ("--scope profile", "--scope"),
            ("--ca-file /nowhere/ca.pem", "--ca-file"),
        ] {
            let earlier = wish(WHOLE, None).unwrap();
            let error = wish(wrong, Some(&earlier)).unwrap_err().to_string();
            assert!(error.starts_with(told), "{wrong}: {error}");
        }
        assert!(wish(&format!("{WHOLE} --device --browser"), None).is_err());
    }
}
