//! The command line: what can be asked of `moho`, and how it says what went wrong.

mod audit;
mod backup;
mod client;
mod counting;
mod credentials;
mod doctor;
mod journal;
mod keys;
mod listeners;
mod loading;
mod login;
mod posture;
mod restore;
mod root;
mod serve;
mod sts;
mod verify;
mod version;

use std::fmt;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::config::{Config, ConfigError, ModelFile, Surroundings, Typed};
use crate::net::Road;
use crate::system::Supervisor;

pub use serve::{Opened, Surface};

/// Hears how far loading a model has come: the model, bytes done, bytes in all.
pub type Progress<'a> = &'a mut dyn FnMut(&ModelFile, u64, u64);

/// What a command ends with when it fails; see docs/configuration.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    Failed = 1,
    Usage = 2,
    InTheWay = 3,
    Refused = 4,
    Damaged = 5,
}

/// A command that failed: how it ends, and what to tell.
struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    fn of(exit: Exit) -> impl Fn(anyhow::Error) -> Self {
        move |error| Self { exit, error }
    }

    fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        self.error
            .chain()
            .skip(1)
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Runs the command that stands on the command line. `open` starts the platform behind the road, for `moho serve`; it
/// may take its time, and is called inside the asynchronous runtime, but not on one of its tasks.
pub fn run<R: Road>(
    open: impl FnOnce(&Config, &Surface, Progress<'_>) -> anyhow::Result<Opened<R>>,
) -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(usage) => {
            // Help and version go to standard output and end well; if nobody reads them, nobody needs them.
            drop(usage.print());
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let result = match matches.subcommand() {
        Some(("serve", serving)) => serve::run(serving, open),
        Some(("credentials", asked)) => credentials::run(asked),
        Some(("login", asked)) => login::run(asked),
        Some(("credential-process", asked)) => login::run_process(asked),
        Some(("doctor", asked)) => doctor::run(asked),
        Some(("audit", asked)) => audit::run(asked),
        Some(("backup", asked)) => backup::run(asked),
        Some(("restore", asked)) => restore::run(asked),
        Some(("journal", journal)) => journal::run(journal),
        Some(("keys", asked)) => keys::run(asked),
        Some(("root", asked)) => root::run(asked),
        Some(("verify", asked)) => verify::run(asked),
        Some(("version", asked)) => version::run(asked),
        Some(_) | None => Ok(()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without standard error, the exit code has to do.
            drop(writeln!(std::io::stderr().lock(), "moho: {failure}"));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn command() -> Command {
    let config = || {
        Arg::new("config")
            .long("config")
            .env("MOHO_CONFIG")
            .value_name("FILE")
            .value_parser(value_parser!(std::path::PathBuf))
            .help("Settings file in TOML; flags and variables are stronger (docs/configuration.md)")
    };
    let data = || Typed::args().into_iter().filter(|arg| arg.get_id() == "data");
    Command::new("moho")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The private generative-AI platform that you can prove")
        .after_help("Start here:  moho serve --model smollm2-135m-instruct=FILE.gguf --bootstrap-grant smollm2-135m-instruct\n\
                     then:        eval \"$(moho credentials --role Developer)\"\n\
                     or, if that did not go well:  moho doctor (with the same settings)\n\n\
                     `moho COMMAND --help` says more about each; docs/operations.md how to run it for good.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("serve")
                .about("Serves models until it is told to stop (SIGTERM or Ctrl-C; twice to stop at once)")
                .long_about(
                    "Serves models over the OpenAI and AWS APIs on one TLS port, until it is told to stop (SIGTERM or Ctrl-C; \
                     twice to stop at once).\n\nThe first start creates what is missing in the data directory: keys, a certificate \
                     authority (`ca.pem`, for clients to trust), an organisation, an account and its roles. As long as no identity \
                     provider is set, `moho credentials` gets the first credentials from the bootstrap door; afterwards people come in by `moho login`.\n\nEvery flag has \
                     a variable and a key in the settings file; a flag is stronger than a variable, and a variable than the \
                     file. It ends with 0 when it was told to stop, 2 if settings are wrong, 3 if something is in the way \
                     (`moho doctor` says what), 5 if the journal is damaged.",
                )
                .after_long_help(
                    "Examples:\n  moho serve --model smollm2-135m-instruct=FILE.gguf --bootstrap-grant smollm2-135m-instruct\n  \
                     moho serve --config /etc/moho/moho.toml --log-format json\n  moho serve --listen 0.0.0.0:443 --tls-certificate \
                     fullchain.pem --tls-key key.pem …\n\nAs a service: deploy/systemd/moho.service, docs/operations.md",
                )
                .arg(config())
                .args(Typed::args()),
        )
        .subcommand(credentials::command().arg(config()).args(data()))
        .subcommand(login::command())
        .subcommand(login::process_command())
        .subcommand(doctor::command().arg(config()).args(Typed::args()))
        .subcommand(journal::command().subcommand(journal::verify_command().arg(config()).args(data())))
        .subcommand(keys::command().arg(config()).args(data()))
        .subcommand(audit::command(&|command| command.arg(config()).args(data())))
        .subcommand(root::command(&config))
        .subcommand(backup::command(&config))
        .subcommand(restore::command(&config))
        .subcommand(verify::command())
        .subcommand(version::command())
}

/// The settings as typed, with those of the file behind them.
fn typed(matches: &ArgMatches) -> Result<Typed, Failure> {
    let typed = Typed::from_command_line(matches);
    if let Some(secret) = typed.secret_flag() {
        moho_os::blot_out_argument(secret).map_err(|error| Failure::new(Exit::InTheWay, error))?;
    }
    match matches.get_one::<std::path::PathBuf>("config") {
        Some(path) => Ok(typed.over(of_file(path)?)),
        None => Ok(typed),
    }
}

/// The settings of a file, which is nobody else's to read if a secret is in it.
fn of_file(path: &Path) -> Result<Typed, Failure> {
    let unsafe_file = |problem: &str| {
        let said = format!("the settings file {} {problem}", path.display());
        Failure::new(Exit::Usage, anyhow::Error::msg(said))
    };
    let typed = Typed::from_file(&read(path)?)?;
    if typed.holds_secret() {
        let mode = std::fs::metadata(path).map(|file| file.permissions().mode());
        let mode = mode.map_err(|_gone| unsafe_file("cannot be looked at"))?;
        if mode & 0o077 != 0 {
            return Err(unsafe_file(
                "holds fixed credentials, and others may read it: `chmod 600` makes it yours alone",
            ));
        }
    }
    Ok(typed)
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |source| {
        anyhow::Error::new(source).context(format!("the settings file {} cannot be read", path.display()))
    };
    std::fs::read_to_string(path).map_err(|source| Failure::new(Exit::Usage, unreadable(source)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the configuration's own reading of the environment"
)]
fn surroundings() -> Surroundings {
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|value| value.starts_with('/'))
            .map(std::path::PathBuf::from)
    };
    let home = || variable("HOME").map(|home| home.join(".local/share"));
    Surroundings {
        cores: moho_os::available_cores().get(),
        data_home: variable("XDG_DATA_HOME").or_else(home),
    }
}

/// The service manager, if one started this process and wants to hear of it.
#[expect(
    clippy::disallowed_methods,
    reason = "the service manager's words to the process it starts"
)]
fn supervisor() -> Supervisor {
    let text = |name: &str| std::env::var(name).ok();
    Supervisor::named(
        std::env::var_os("NOTIFY_SOCKET").as_deref(),
        text("WATCHDOG_USEC").as_deref(),
        text("WATCHDOG_PID").as_deref(),
    )
}

/// Writes to standard output.
fn say(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| Failure::new(Exit::Failed, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn a_file_with_a_secret_is_nobody_else_s_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("moho.toml");
        let may = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            of_file(&file).is_ok()
        };
        std::fs::write(&file, "region = 'us-east-1'").unwrap();
        assert!(may(0o644));
        std::fs::write(&file, "[dev]\nstatic_credentials = 'test:hidden:123456789012'").unwrap();
        assert!(may(0o600) && !may(0o640) && !may(0o604));
    }

    #[test]
    fn a_failure_says_all_its_causes() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let failure = Failure::new(
            Exit::InTheWay,
            anyhow::Error::new(cause).context("the model cannot be read"),
        );
        assert_eq!(failure.to_string(), "the model cannot be read: no such file");
    }
}
