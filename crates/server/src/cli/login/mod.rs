//! `moho login` and `moho credential-process`: how people come by credentials, and how their tools do from then on.
//!
//! Somebody proves who it is to the organisation's own identity provider, in a browser here or on any other device; the
//! provider's word is exchanged for a session of a role (`AssumeRoleWithWebIdentity`), and an AWS profile is written
//! that gets new sessions for as long as the provider lets it.

mod authorities;
mod browser;
mod callback;
mod device;
mod exchange;
mod kept;
mod process;
mod profile;
mod provider;
mod whose;
mod wish;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use moho_terms::{Clock, Timestamp};

use self::kept::{Login, Logins};
use self::profile::Profile;
use self::provider::OpenIdProvider;
use super::credentials::{Printed, json};
use super::{Exit, Failure, say};
use crate::system::SystemClock;

pub(super) use process::run as run_process;

/// How long somebody may take to log in.
const LONGEST_LOGIN: Duration = Duration::from_secs(900);

pub(super) fn command() -> Command {
    Command::new("login")
        .about("Logs in with the organisation's identity provider, and writes an AWS profile")
        .long_about(
            "Logs in with the organisation's identity provider (OpenID Connect), in a browser or, with --device, by a code \
             that is typed in on any other device, and takes on a role at moho (AssumeRoleWithWebIdentity).\n\nIt writes a \
             profile to ~/.aws/config whose `credential_process` gets new credentials for as long as the provider lets it, \
             and prints lines for a shell: the profile for AWS's tools, a bearer key for the OpenAI SDK. What the provider \
             gave is kept in a file that only you can read. A profile that was logged in with before remembers everything \
             but you.",
        )
        .after_help(
            "Examples:\n  eval \"$(moho login --endpoint https://moho.example.com:8443 --issuer https://login.example.com/realm \
             --client-id moho-cli --role arn:aws:iam::123456789012:role/Developer)\"\n  eval \"$(moho login)\"              # \
             again, with the same profile\n  moho login --device --profile moho  # without a browser here",
        )
        .args(whom())
        .args(how())
        .group(ArgGroup::new("way").args(["device", "browser"]))
}

pub(super) fn process_command() -> Command {
    Command::new("credential-process")
        .about("Prints the credentials of a profile that `moho login` wrote, for AWS's credential_process")
        .long_about(
            "Prints the credentials of a profile that `moho login` wrote: the present ones while they last, else new ones, by \
             what the identity provider gave. AWS's tools call it by themselves. It ends with 4 when somebody has to log in \
             again.",
        )
        .args([profile_arg(), format_arg().default_value("process")])
}

fn profile_arg() -> Arg {
    Arg::new("profile")
        .long("profile")
        .value_name("NAME")
        .default_value("moho")
        .help("Name of the AWS profile")
}

fn format_arg() -> Arg {
    Arg::new("format")
        .long("format")
        .value_parser(PossibleValuesParser::new(["env", "json", "process"]))
        .help("env: lines for a shell; json: everything, for programs; process: for AWS's credential_process")
}

/// With whom to log in, and as what.
fn whom() -> Vec<Arg> {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let file = |name: &'static str, help: &'static str| {
        text(name, "FILE", help).value_parser(value_parser!(PathBuf))
    };
    vec![
        profile_arg(),
        text(
            "endpoint",
            "URL",
            "Where moho is, such as https://moho.example.com:8443",
        )
        .env("MOHO_ENDPOINT"),
        file(
            "ca-file",
            "Authority to trust for moho's certificate, in PEM (its ca.pem); else the system's",
        ),
        text("region", "REGION", "moho's region [default: us-east-1]"),
        text(
            "role",
            "ARN",
            "Role to take on, such as arn:aws:iam::123456789012:role/Developer",
        ),
        text(
            "issuer",
            "URL",
            "The identity provider, to the letter of its issuer",
        ),
        text(
            "client-id",
            "ID",
            "What the identity provider knows this client as",
        ),
        file(
            "issuer-ca-file",
            "Authority to trust for the identity provider's certificate, in PEM; else the system's",
        ),
        text(
            "scope",
            "SCOPES",
            "What to ask of the identity provider [default: openid offline_access]",
        ),
    ]
}

fn how() -> [Arg; 6] {
    [
        Arg::new("duration-seconds")
            .long("duration-seconds")
            .value_name("SECONDS")
            .value_parser(value_parser!(u32).range(900..=43_200))
            .help("How long each session lasts: 900 to 43200, and no longer than the role allows [default: 3600]"),
        Arg::new("session-name")
            .long("session-name")
            .value_name("NAME")
            .help("Name of the session, as the journal shows it [default: what the provider calls you]"),
        Arg::new("device")
            .long("device")
            .action(ArgAction::SetTrue)
            .help("Log in on another device, by a code"),
        Arg::new("browser")
            .long("browser")
            .action(ArgAction::SetTrue)
            .help("Log in with a browser on this machine; without either, a browser if there is a screen"),
        Arg::new("port")
            .long("port")
            .value_name("PORT")
            .value_parser(value_parser!(u16))
            .default_value("0")
            .help("Port of 127.0.0.1 that the browser comes back to, if the provider wants to know it before; 0: any"),
        format_arg().default_value("env"),
    ]
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    // Not more: the browser that is started inherits the rest, and some need set-user-id programs of their own.
    moho_os::close_process().map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let name = profile_name(matches)?;
    let logins = Logins::of_user().map_err(Failure::of(Exit::InTheWay))?;
    let _turn = logins.lock(&name).map_err(Failure::of(Exit::InTheWay))?;
    let earlier = logins.read(&name).map_err(Failure::of(Exit::InTheWay))?;
    let wish = wish::of(matches, earlier.as_ref()).map_err(Failure::of(Exit::Usage))?;
    let program = logins.program().map_err(Failure::of(Exit::InTheWay))?;
    let profile = Profile::named(&name, &program).map_err(Failure::of(Exit::InTheWay))?;
    // Before anybody logs in for nothing.
    profile
        .check(&logins.aws_config().map_err(Failure::of(Exit::InTheWay))?)
        .map_err(Failure::of(Exit::InTheWay))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let login = runtime.block_on(log_in(matches, wish))?;
    logins.write(&name, &login).map_err(Failure::of(Exit::InTheWay))?;
    let file = logins.aws_config().map_err(Failure::of(Exit::InTheWay))?;
    profile
        .write(&file, &login)
        .map_err(Failure::of(Exit::InTheWay))?;
    tell(&format!(
        "moho: logged in; the profile {name} is in {}",
        file.display()
    ));
    print((&logins, &login), &name, format(matches))
}

fn profile_name(matches: &ArgMatches) -> Result<String, Failure> {
    let name = matches
        .get_one::<String>("profile")
        .map_or("moho", String::as_str);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+@".contains(&b);
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with(['.', '-']) {
        Ok(name.to_owned())
    } else {
        Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!(
                "--profile: a name has 1 to 64 letters, digits and -_.+@, and begins with a letter or digit"
            ),
        ))
    }
}

fn format(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("format").map_or("env", String::as_str)
}

/// Logs in with the provider, and takes on the role.
async fn log_in(matches: &ArgMatches, mut login: Login) -> Result<Login, Failure> {
    let provider = OpenIdProvider::find(&login.issuer, &login.client_id, login.issuer_ca.as_deref())
        .await
        .map_err(Failure::of(Exit::InTheWay))?;
    let device = match (matches.get_flag("device"), matches.get_flag("browser")) {
        (false, false) => provider.has_device_codes() && !browser::is_likely(),
        (device, _) => device,
    };
    let tokens = async {
        if device {
            device::log_in(&provider, &login.scope).await
        } else {
            let port = matches.get_one::<u16>("port").copied().unwrap_or_default();
            browser::log_in(&provider, &login.scope, port).await
        }
    };
    let tokens = tokio::time::timeout(LONGEST_LOGIN, tokens).await;
    let tokens = tokens
        .map_err(|_elapsed| Failure::new(Exit::Refused, anyhow::anyhow!("nobody logged in in time")))?
        .map_err(Failure::of(Exit::Refused))?;
    login.take(tokens);
    exchange::take_on(&mut login, now())
        .await
        .map_err(Failure::of(Exit::Refused))?;
    Ok(login)
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// Says something to the person, not to the shell.
fn tell(text: &str) {
    // Without standard error there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// What somebody else says, as a terminal may show it.
fn shown(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        _ if c.is_control() => c.escape_default().to_string(),
        _ => c.to_string(),
    });
    escaped.collect()
}

/// Prints the credentials in the form asked for.
fn print((logins, login): (&Logins, &Login), name: &str, format: &str) -> Result<(), Failure> {
    let credentials = login.credentials().map_err(Failure::of(Exit::Failed))?;
    let printed = Printed::of(&credentials, &login.endpoint(), now()).map_err(Failure::of(Exit::Failed))?;
    let text = match format {
        "json" => json(&printed).map_err(Failure::of(Exit::Failed))?,
        "process" => json(&printed.for_process()).map_err(Failure::of(Exit::Failed))?,
        _ => {
            let authorities = logins.write_authorities(name, login);
            let authorities = authorities.map_err(Failure::of(Exit::InTheWay))?;
            printed.profile_lines(name, authorities.as_deref())
        }
    };
    say(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_moves_no_cursor() {
        assert_eq!(
            shown("no, \"Zoë\"\u{1b}[2J\r\n\u{9b}"),
            "no, \"Zoë\"\\u{1b}[2J\\r\\n\\u{9b}"
        );
    }
}
