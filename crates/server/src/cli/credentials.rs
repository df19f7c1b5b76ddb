//! `moho credentials`: the first credentials, from the bootstrap door, in the form that the next tool wants.
//!
//! It speaks the real STS protocol, unsigned, over the door's socket: `GetCallerIdentity` to learn the account, then
//! `AssumeRole`. The bearer key is then made here, as AWS's own generator makes it; the server never hands one out.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use moho_iam::authn::TemporaryCredentials;
use moho_terms::{Clock, EndpointId, Region, RoleName, Secret, SessionName, Timestamp};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::sts::Sts;
use super::{Exit, Failure, say, surroundings, typed};
use crate::config;
use crate::door;
use crate::endpoint_file::{Endpoint, endpoint_path};
use crate::system::SystemClock;

/// Bearer keys end after twelve hours, if their session does not end before.
const LONGEST_BEARER_SECONDS: u64 = 43_200;

pub(super) fn command() -> Command {
    Command::new("credentials")
        .about("Prints short-lived credentials for a role, from the bootstrap door of a running moho")
        .long_about(
            "Prints short-lived credentials for a role, from the bootstrap door of the moho that runs on this machine, as this \
             user, on this data directory. The door is open under the development root only, and closes for good once an identity \
             provider is set. What is printed is secret until it ends.",
        )
        .after_help(
            "Examples:\n  eval \"$(moho credentials --role Developer)\"\n  curl --cacert \"$AWS_CA_BUNDLE\" -H \"Authorization: Bearer \
             $OPENAI_API_KEY\" \"$OPENAI_BASE_URL/models\"\n  aws sts get-caller-identity\n\nIn ~/.aws/config:\n  [profile moho]\n  \
             credential_process = moho credentials --role Admin --format process",
        )
        .args(args())
}

fn args() -> [Arg; 4] {
    [
        Arg::new("role").long("role").value_name("ROLE").required(true).help("Role to take on, such as Admin or Developer"),
        Arg::new("format")
            .long("format")
            .value_parser(PossibleValuesParser::new(["env", "json", "process"]))
            .default_value("env")
            .help("env: lines for a shell; json: everything, for programs; process: for AWS's credential_process"),
        Arg::new("duration")
            .long("duration-seconds")
            .value_name("SECONDS")
            .value_parser(clap::value_parser!(u32).range(900..=3600))
            .default_value("3600")
            .help("How long they last: 900 to 3600"),
        Arg::new("session")
            .long("session-name")
            .value_name("NAME")
            .default_value("moho-credentials")
            .help("Name of the session, as the journal shows it"),
    ]
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let data = config::data(&typed(matches)?, &surroundings())?;
    let wish = Wish::from(matches).map_err(Failure::of(Exit::Usage))?;
    let endpoint = endpoint(&data).map_err(Failure::of(Exit::InTheWay))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let credentials = runtime.block_on(ask(&data, &wish))?;
    let printed =
        Printed::of(&credentials, &endpoint, SystemClock.now()).map_err(Failure::of(Exit::Failed))?;
    let text = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => json(&printed).map_err(Failure::of(Exit::Failed))?,
        Some("process") => json(&printed.for_process()).map_err(Failure::of(Exit::Failed))?,
        Some(_) | None => printed.lines(),
    };
    say(&text)
}

/// What is asked for.
struct Wish {
    role: RoleName,
    session: SessionName,
    seconds: u32,
}

impl Wish {
    fn from(matches: &ArgMatches) -> anyhow::Result<Self> {
        let text = |name: &str| {
            matches
                .get_one::<String>(name)
                .map(String::as_str)
                .unwrap_or_default()
        };
        Ok(Self {
            role: text("role").parse().context("--role")?,
            session: text("session").parse().context("--session-name")?,
            seconds: matches.get_one::<u32>("duration").copied().unwrap_or(3600),
        })
    }
}

pub(super) fn endpoint(data: &Path) -> anyhow::Result<Endpoint> {
    let path = endpoint_path(data);
    let text = std::fs::read(&path).with_context(|| {
        format!(
            "no moho is running on {}: start `moho serve`, or name its data directory with --data",
            data.display()
        )
    })?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not what moho writes", path.display()))
}

async fn ask(data: &Path, wish: &Wish) -> Result<TemporaryCredentials, Failure> {
    let mut sts = Sts::at(&door::socket_path(data)).await.map_err(|error| {
        let error = error.context(
            "the bootstrap door does not answer: moho is not running, or the door is closed for good, as there is an identity \
             provider: then `moho login`",
        );
        Failure::new(Exit::InTheWay, error)
    })?;
    let refused = Failure::of(Exit::Refused);
    let account = sts.account().await.map_err(&refused)?;
    let role = format!("arn:aws:iam::{account}:role/{}", wish.role);
    sts.assume_role(&role, wish.session.as_str(), wish.seconds)
        .await
        .map_err(&refused)
}

/// All that can be printed. Wiped afterwards, as far as it is ours.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Printed {
    access_key_id: String,
    #[serde(serialize_with = "as_text")]
    secret_access_key: Zeroizing<String>,
    #[serde(serialize_with = "as_text")]
    session_token: Zeroizing<String>,
    expiration: String,
    #[serde(serialize_with = "as_text")]
    bearer_token: Zeroizing<String>,
    region: String,
    endpoint: String,
    ca_file: Option<String>,
    /// The private endpoint that `endpoint` is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<EndpointId>,
    /// The socket to connect to, where there is no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<PathBuf>,
}

/// What AWS's tools expect of a `credential_process`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForProcess<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: &'a str,
}

impl Printed {
    pub(super) fn of(
        credentials: &TemporaryCredentials,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let region: Region = endpoint.region.parse().context("endpoint.json holds no region")?;
        let lasting = credentials
            .expires_at
            .unix_seconds()
            .saturating_sub(now.unix_seconds());
        let seconds = u32::try_from(lasting.min(LONGEST_BEARER_SECONDS)).unwrap_or(u32::MAX);
        let bearer = credentials.bearer_key(&region, now, seconds);
        let bearer = bearer.context("the credentials have ended already: is the clock right?")?;
        Ok(Self {
            access_key_id: credentials.access_key_id.to_string(),
            secret_access_key: text(&credentials.secret_access_key)?,
            session_token: text(&credentials.session_token)?,
            expiration: credentials.expires_at.to_string(),
            bearer_token: text(&bearer)?,
            region: endpoint.region.clone(),
            endpoint: endpoint.url.clone(),
            ca_file: endpoint.ca.clone(),
            private: endpoint.private.clone(),
            socket: endpoint.socket.clone(),
        })
    }

    pub(super) fn for_process(&self) -> ForProcess<'_> {
        ForProcess {
            version: 1,
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: &self.session_token,
            expiration: &self.expiration,
        }
    }

    /// Lines for a POSIX shell: the AWS CLI and SDKs, the OpenAI SDK, curl.
    fn lines(&self) -> String {
        let openai = self.openai_url();
        let mut pairs = vec![
            ("AWS_ACCESS_KEY_ID", self.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("AWS_SESSION_TOKEN", &self.session_token),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("OPENAI_BASE_URL", &openai),
            ("OPENAI_API_KEY", &self.bearer_token),
        ];
        if let Some(ca) = self.ca_file.as_deref() {
            pairs.extend([
                ("AWS_CA_BUNDLE", ca),
                ("SSL_CERT_FILE", ca),
                ("CURL_CA_BUNDLE", ca),
            ]);
        }
        // AWS's SDKs would rather send a key for Bedrock, if there is one, than sign.
        exports(
            vec![self.head(), "unset AWS_BEARER_TOKEN_BEDROCK".to_owned()],
            &pairs,
        )
    }

    /// Lines for somebody who logged in: the profile has all that AWS's tools need, so that nothing is said here that would
    /// lead other profiles to moho. `authorities` is a file of all whom the shell is to trust.
    pub(super) fn profile_lines(&self, profile: &str, authorities: Option<&Path>) -> String {
        let openai = self.openai_url();
        let mut pairs = vec![
            ("AWS_PROFILE", profile),
            ("OPENAI_BASE_URL", &openai),
            ("OPENAI_API_KEY", &self.bearer_token),
        ];
        let mut head = vec![
            self.head(),
            // All of it would be stronger than the profile, or lead other profiles to where it leads.
            "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_BEARER_TOKEN_BEDROCK AWS_DEFAULT_PROFILE"
                .to_owned(),
            "unset AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_CA_BUNDLE".to_owned(),
        ];
        let authorities = authorities.map(Path::to_string_lossy);
        if let Some(authorities) = &authorities {
            head.push(
                "# SSL_CERT_FILE, for the OpenAI SDK: whom this shell trusted before, and moho's authority"
                    .to_owned(),
            );
            pairs.push(("SSL_CERT_FILE", authorities));
        }
        exports(head, &pairs)
    }

    fn openai_url(&self) -> String {
        format!("{}/v1", self.endpoint)
    }

    /// What a person has to know of the lines, as a comment.
    fn head(&self) -> String {
        let mut head = format!("# until {}; secret until then", self.expiration);
        if let Some(private) = &self.private {
            head.push_str(&format!(
                "; {private} is a private endpoint: clients need a certificate"
            ));
        }
        if let Some(socket) = &self.socket {
            let path = socket.display().to_string().replace(char::is_control, "?");
            head.push_str(&format!(", and connect to {path}"));
        }
        head
    }
}

fn exports(mut lines: Vec<String>, pairs: &[(&str, &str)]) -> String {
    lines.extend(
        pairs
            .iter()
            .map(|(name, value)| format!("export {name}={}", quoted(value))),
    );
    lines.join("\n")
}

fn text(secret: &Secret) -> anyhow::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(
        std::str::from_utf8(secret.expose())
            .context("a credential is not text")?
            .to_owned(),
    ))
}

fn as_text<S: Serializer>(secret: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret)
}

pub(super) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

/// A word that a shell takes as it is.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=+,@%".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    fn printed() -> Printed {
        let credentials = TemporaryCredentials {
            access_key_id: "ASIAABCDEFGHIJKLMNOP".parse().unwrap(),
            secret_access_key: Secret::new(b"a/secret+of/forty".to_vec()),
            session_token: Secret::new(b"token==".to_vec()),
            expires_at: Timestamp::from_unix_seconds(NOW + 3600),
            principal_arn: "arn:aws:sts::123456789012:assumed-role/Admin/me".parse().unwrap(),
            user_id: "AROA:me".to_owned(),
            packed_percent: None,
            source_identity: None,
        };
        let endpoint = Endpoint {
            url: "https://127.0.0.1:8443".to_owned(),
            region: "us-east-1".to_owned(),
            ca: Some("/a b/it's.pem".to_owned()),
            private: None,
            socket: None,
            metrics: None,
        };
        Printed::of(&credentials, &endpoint, Timestamp::from_unix_seconds(NOW)).unwrap()
    }

    #[test]
    fn lines_are_safe_for_a_shell() {
        let lines = printed().lines();
        assert!(lines.contains("\nexport AWS_CA_BUNDLE='/a b/it'\\''s.pem'"));
        assert!(lines.contains(
            "\nexport OPENAI_BASE_URL=https://127.0.0.1:8443/v1\nexport OPENAI_API_KEY=bedrock-api-key-"
        ));
        assert_eq!(quoted("$(x)"), "'$(x)'");
    }

    #[test]
    fn who_logged_in_leads_no_other_profile_to_moho() {
        let lines = printed().profile_lines("moho", Some(Path::new("/a b/moho.pem")));
        let exported: Vec<&str> = lines
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split('=').next())
            .collect();
        assert_eq!(
            exported,
            [
                "AWS_PROFILE",
                "OPENAI_BASE_URL",
                "OPENAI_API_KEY",
                "SSL_CERT_FILE"
            ]
        );
        assert!(
            lines.ends_with("\nexport SSL_CERT_FILE='/a b/moho.pem'"),
            "{lines}"
        );
        let unset = lines.lines().filter_map(|line| line.strip_prefix("unset "));
        let unset: Vec<&str> = unset.flat_map(str::split_whitespace).collect();
        for stronger in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_DEFAULT_PROFILE",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_CA_BUNDLE",
        ] {
            assert!(unset.contains(&stronger), "{stronger}");
        }
        assert!(!printed().profile_lines("moho", None).contains("SSL_CERT_FILE"));
    }

    #[test]
    fn a_private_endpoint_is_told_in_a_comment() {
        let private = Printed {
            private: Some("vpce-0a1b2c3d".parse().unwrap()),
            socket: Some("/run/moho/a\nrm -rf".into()),
            ..printed()
        };
        let lines = private.lines();
        let first = lines.lines().next().unwrap();
        assert!(
            first.starts_with('#') && first.contains("vpce-0a1b2c3d"),
            "{first}"
        );
        assert!(first.ends_with("/run/moho/a?rm -rf"), "{first}");
        assert!(!json(&printed()).unwrap().contains("Socket"));
    }

    #[test]
    fn programs_find_the_names_they_know() {
        let all = json(&printed()).unwrap();
        let names = [
            "AccessKeyId",
            "SecretAccessKey",
            "SessionToken",
            "Expiration",
            "BearerToken",
            "Region",
            "Endpoint",
            "CaFile",
        ];
        for name in names {
            assert!(all.contains(&format!("\"{name}\":")), "{name}");
        }
        let process = json(&printed().for_process()).unwrap();
        assert!(process.starts_with("{\n  \"Version\": 1,") && !process.contains("Bearer"));
        assert!(
            process.contains("\"Expiration\": \"2026-09-21T15:13:20Z\""),
            "{process}"
        );
    }
}
