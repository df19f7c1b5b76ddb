//! What a login leaves behind: one private file for each profile, in the user's state directory.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use moho_iam::authn::TemporaryCredentials;
use moho_os::{FileLock, PrivateFileError};
use moho_terms::{Secret, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::authorities;
use crate::endpoint_file::Endpoint;
use crate::outbound::SYSTEM_AUTHORITIES;

/// Bytes of a login's file: tokens of providers have some kilobytes.
const LONGEST: usize = 256 << 10;

/// A token or a secret half: wiped when it goes, and shown by nothing but the private file.
#[derive(Clone)]
pub(super) struct Token(Zeroizing<String>);

impl Token {
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads the token. Whoever calls this answers for where it goes.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// What a provider gives to whoever logged in.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) id_token: Token,
    pub(super) refresh_token: Option<Token>,
}

/// A login: with whom, as what, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Login {
    /// moho's base URL.
    pub(super) moho: String,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) region: String,
    pub(super) role: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) issuer_ca: Option<PathBuf>,
    pub(super) scope: String,
    pub(super) duration_seconds: u32,
    /// `None`: what the provider calls the person.
    pub(super) session_name: Option<String>,
    pub(super) id_token: Option<Token>,
    pub(super) refresh_token: Option<Token>,
    pub(super) session: Option<Session>,
}

/// Credentials as they are kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Token,
    pub(super) session_token: Token,
    /// Seconds since 1970.
    pub(super) ends: u64,
    pub(super) principal_arn: String,
    pub(super) user_id: String,
}

impl Login {
    /// Keeps what the provider gave; a provider that gives no new refresh token lets the old one live.
    pub(super) fn take(&mut self, tokens: Tokens) {
        self.id_token = Some(tokens.id_token);
        if tokens.refresh_token.is_some() {
            self.refresh_token = tokens.refresh_token;
        }
    }

    /// The present credentials.
    pub(super) fn credentials(&self) -> anyhow::Result<TemporaryCredentials> {
        let session = self.session.as_ref().context("there are no credentials yet")?;
        let secret = |token: &Token| Secret::new(token.expose().as_bytes().to_vec());
        Ok(TemporaryCredentials {
            access_key_id: session.access_key_id.parse()?,
            secret_access_key: secret(&session.secret_access_key),
            session_token: secret(&session.session_token),
            expires_at: Timestamp::from_unix_seconds(session.ends),
            principal_arn: session.principal_arn.parse()?,
            user_id: session.user_id.clone(),
            packed_percent: None,
            source_identity: None,
        })
    }

    /// Whether the present credentials last long enough to be handed out: tools that find them near their end ask
    /// again and again, from a quarter of an hour before it.
    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        let margin = u64::from(self.duration_seconds / 4).min(900);
        self.session
            .as_ref()
            .is_some_and(|session| session.ends > now.unix_seconds().saturating_add(margin))
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.moho.clone(),
            region: self.region.clone(),
            ca: self
                .ca_file
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            private: None,
            socket: None,
            metrics: None,
        }
    }
}

/// Where logins and AWS's settings are.
pub(super) struct Logins {
    folder: PathBuf,
    aws_config: Option<PathBuf>,
    /// The authorities that the user's shell trusts, if it says so.
    authorities: Option<PathBuf>,
}

impl Logins {
    /// The present user's.
    #[expect(
        clippy::disallowed_methods,
        reason = "where the user's own files are is told by its environment"
    )]
    pub(super) fn of_user() -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| value.starts_with('/'));
        let home = variable("HOME").map(PathBuf::from);
        let state = variable("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.or_else(|| home.as_ref().map(|home| home.join(".local/state")));
        let aws = std::env::var_os("AWS_CONFIG_FILE")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        Ok(Self {
            folder: state
                .context("there is no home directory to keep a login in: set HOME")?
                .join("moho/logins"),
            aws_config: aws.or_else(|| home.map(|home| home.join(".aws/config"))),
            authorities: variable("SSL_CERT_FILE").map(PathBuf::from),
        })
    }

    /// Waits until no other `moho` changes this login.
    pub(super) fn lock(&self, profile: &str) -> anyhow::Result<FileLock> {
        use std::os::unix::fs::DirBuilderExt;
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder
            .create(&self.folder)
            .with_context(|| format!("{} cannot be made", self.folder.display()))?;
        Ok(moho_os::lock_file_in_turn(
            &self.folder.join(format!("{profile}.lock")),
        )?)
    }

    /// The login of a profile, if there was one.
    pub(super) fn read(&self, profile: &str) -> anyhow::Result<Option<Login>> {
        let path = self.path(profile);
        match moho_os::read_private_within(&path, LONGEST) {
            Ok(bytes) => {
                let login = serde_json::from_slice(&bytes);
                login
                    .with_context(|| format!("{} is not what moho wrote: remove it", path.display()))
                    .map(Some)
            }
            Err(PrivateFileError::Absent(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn write(&self, profile: &str, login: &Login) -> anyhow::Result<()> {
        // Large enough that the buffer does not move and leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
        serde_json::to_writer(&mut *bytes, login)?;
        if bytes.len() > LONGEST {
            bail!("the identity provider's tokens are too long to be kept");
        }
        Ok(moho_os::replace_private(&self.path(profile), &bytes)?)
    }

    /// Writes a file of the authorities that the shell trusts, or else the system, and of moho's own, if it has some.
    pub(super) fn write_authorities(&self, profile: &str, login: &Login) -> anyhow::Result<Option<PathBuf>> {
        let Some(own) = &login.ca_file else {
            return Ok(None);
        };
        let system = SYSTEM_AUTHORITIES.iter().map(Path::new);
        // What an earlier login of this shell wrote is no more than a copy.
        let before = match &self.authorities {
            Some(path) if path.starts_with(&self.folder) => authorities::after(path),
            named => named.clone(),
        };
        let others: Vec<&Path> = before.as_deref().into_iter().chain(system).collect();
        let text = authorities::with_ours(own, &others)?;
        let path = self.folder.join(format!("{profile}.pem"));
        moho_os::replace_private(&path, text.as_bytes())?;
        Ok(Some(path))
    }

    /// AWS's settings file.
    pub(super) fn aws_config(&self) -> anyhow::Result<PathBuf> {
        let path = self.aws_config.clone();
        path.context("there is no home directory for AWS's settings: set HOME or AWS_CONFIG_FILE")
    }

    /// What AWS's tools are to run.
    pub(super) fn program(&self) -> anyhow::Result<PathBuf> {
        std::env::current_exe().context("where this program is cannot be told")
    }

    fn path(&self, profile: &str) -> PathBuf {
        Path::new(&self.folder).join(format!("{profile}.json"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli::login) fn login() -> Login {
        serde_json::from_str(
            r#"{"moho": "https://127.0.0.1:8443", "ca_file": null, "region": "us-east-1", "role": "arn", "issuer": "https://i",
                "client_id": "c", "issuer_ca": null, "scope": "openid", "duration_seconds": 3600, "session_name": null,
                "id_token": "a.b.c", "refresh_token": "old", "session": {"access_key_id": "ASIAABCDEFGHIJKLMNOP",
                "secret_access_key": "s", "session_token": "t", "ends": 10000,
                "principal_arn": "arn:aws:sts::123456789012:assumed-role/R/n", "user_id": "AROA:n"}}"#,
        )
        .unwrap()
    }

    #[test]
    fn credentials_are_handed_out_while_tools_are_content_with_them() {
        let login = login();
        let lasts = |now| login.lasts(Timestamp::from_unix_seconds(now));
        assert!(lasts(0) && lasts(9_099));
        assert!(!lasts(9_100) && !lasts(20_000));
        let short = Login {
            duration_seconds: 900,
            ..self::login()
        };
        assert!(short.lasts(Timestamp::from_unix_seconds(9_774)));
        assert!(!short.lasts(Timestamp::from_unix_seconds(9_775)));
    }

    #[test]
    fn a_refresh_token_stays_until_there_is_another() {
        let mut login = login();
        login.take(Tokens {
            id_token: Token::new("new".to_owned()),
            refresh_token: None,
        });
        assert_eq!(login.refresh_token.as_ref().unwrap().expose(), "old");
        assert_eq!(login.id_token.as_ref().unwrap().expose(), "new");
    }

    #[test]
    fn a_token_is_not_told() {
        assert!(!format!("{:?}", login()).contains("old"));
    }
}
