//! `moho doctor`: looks at everything that keeps moho from serving, and says the cure.
//!
//! It reads what `moho serve` would read, with the same code where that only reads, and changes nothing: it takes no
//! lock, makes no key, and writes but one file that never has a name, to see whether the disk takes it. It calls nobody,
//! unless it is told whose clock to believe.

mod address;
mod certificate;
mod clock;
mod credentials;
mod disk;
mod finding;
mod journal;
mod machine;
mod model;
mod objects;
mod private;
mod processor;
mod providers;
mod quotas;
mod root;
mod scene;
mod scrub;
mod tpm;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use moho_iam::authn::FixedCredentials;
use moho_terms::Clock;
use serde::Serialize;

use self::finding::{Finding, Level};
use self::scene::{Scene, System};
use super::{Exit, Failure, say, surroundings, typed};
use crate::config::{Config, Typed};
use crate::net::tls::HostName;
use crate::system::SystemClock;

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Finds what keeps moho from serving, and says the cure")
        .long_about(
            "Looks at everything that `moho serve` with the same settings would need, and says in one line each what is \
             wrong, why it matters and what to do: addresses in use, certificate, clock, processor, disk, data directory, \
             models, memory, limits, kernel.\n\nIt changes nothing and calls nobody, and may run beside a moho that serves. With --scrub it also reads everything that is \
             kept, and writes down in the store how far it is. \
             Run it as moho's own user, with the same settings. It ends with 0 if moho can serve, with 1 if something has \
             to be put right first, and with 2 if the settings themselves are wrong.",
        )
        .after_help(
            "Examples:\n  moho doctor --model smollm2-135m-instruct=FILE.gguf\n  sudo -u moho moho doctor --config \
             /etc/moho/moho.toml --name models.example.com\n  moho doctor --json | jq '.findings[] | select(.level != \"fine\")'",
        )
        .args([
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print one JSON object, for programs"),
            Arg::new("strict")
                .long("strict")
                .action(ArgAction::SetTrue)
                .help("End with 1 for warnings, too"),
            Arg::new("name")
                .long("name")
                .value_name("NAME")
                .action(ArgAction::Append)
                .value_parser(value_parser!(HostName))
                .help("Host name or address that clients use, which the certificate has to hold (repeatable)"),
            Arg::new("time-from")
                .long("time-from")
                .value_name("URL")
                .help("Server to compare the clock with, such as http://time.example: its `Date`, over plain HTTP"),
        ])
        .args(scrub::arguments())
}

/// What is printed for programs.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    /// Whether moho can serve.
    healthy: bool,
    findings: &'a [Finding],
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let json = matches.get_flag("json");
    let settings = typed(matches).and_then(|typed| understood(&typed));
    let (findings, exit) = match settings {
        Ok(config) => (examine(&config, matches)?, Exit::Failed),
        Err(failure) => {
            let found = Finding::fault("settings", failure.to_string())
                .why("moho cannot start")
                .cure("docs/configuration.md has every setting, `moho serve --help` every flag");
            (vec![found], Exit::Usage)
        }
    };
    let worst = findings
        .iter()
        .map(|found| found.level)
        .max()
        .unwrap_or(Level::Fine);
    let bound = if matches.get_flag("strict") {
        Level::Warning
    } else {
        Level::Fault
    };
    print(&findings, json, worst)?;
    if worst >= bound {
        let count = findings.iter().filter(|found| found.level >= bound).count();
        return Err(Failure::new(
            exit,
            anyhow::anyhow!("{count} of {} findings have to be put right", findings.len()),
        ));
    }
    Ok(())
}

fn understood(typed: &Typed) -> Result<Config, Failure> {
    Ok(Config::resolve(typed, &surroundings())?)
}

fn examine(config: &Config, matches: &ArgMatches) -> Result<Vec<Finding>, Failure> {
    let system = System::here();
    let scene = Scene {
        config,
        now: SystemClock.now(),
        running: system.running(&config.data),
        system,
    };
    let names: Vec<HostName> = matches
        .get_many("name")
        .map(|names| names.cloned().collect())
        .unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let mut findings = vec![Finding::fine("settings", "they can be understood")];
    findings.extend(config.static_credentials.as_ref().map(fixed_credentials));
    findings.extend({
        let _inside = runtime.enter();
        let mut found = address::check(&scene);
        found.extend(private::check(&scene));
        found
    });
    findings.extend(certificate::check(&scene, &names));
    findings.extend(providers::check(&scene));
    findings.extend(clock::check(
        &scene,
        matches.get_one::<String>("time-from").map(String::as_str),
    ));
    findings.extend(processor::check(surroundings().cores, config.threads));
    findings.extend(disk::check(&scene));
    findings.extend(journal::check(&scene));
    findings.extend(root::check(&scene));
    findings.extend(tpm::check(config.tpm.as_deref()));
    findings.extend(credentials::check(&scene));
    findings.extend(objects::check(config.objects.as_ref()));
    findings.extend(model::check(&scene));
    findings.extend(quotas::check(config));
    findings.extend(machine::check(&scene));
    findings.extend(scrub::check(config, matches));
    Ok(findings)
}

fn fixed_credentials(fixed: &FixedCredentials) -> Finding {
    let what = format!(
        "fixed credentials are taken: {} acts as Admin of account {}",
        fixed.id, fixed.account
    );
    Finding::warning("credentials", what)
        .why("whoever on this machine knows them may do everything in that account, without end")
        .cure("leave out `dev.static_credentials` wherever temporary credentials can be sent")
}

fn print(findings: &[Finding], json: bool, worst: Level) -> Result<(), Failure> {
    if json {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            healthy: worst < Level::Fault,
            findings,
        };
        let text =
            serde_json::to_string_pretty(&report).map_err(|error| Failure::new(Exit::Failed, error))?;
        return say(&text);
    }
    findings.iter().try_for_each(|found| say(&found.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_credentials_are_a_warning_that_keeps_the_secret() {
        let config = config(&[("dev.static_credentials", "test:zanzibar:123456789012")]);
        let finding = fixed_credentials(config.static_credentials.as_ref().unwrap());
        assert_eq!((finding.check, finding.level), ("credentials", Level::Warning));
        let line = finding.line();
        assert!(
            line.contains("123456789012") && !line.contains("zanzibar"),
            "{line}"
        );
    }

    /// Settings as a file would say them.
    pub(super) fn config(settings: &[(&str, &str)]) -> Config {
        let lines = settings.iter().map(|(key, value)| format!("{key} = {value:?}\n"));
        let typed = Typed::from_file(&lines.collect::<String>()).unwrap();
        let surroundings = crate::config::Surroundings {
            cores: 2,
            data_home: Some("/nonexistent".into()),
        };
        Config::resolve(&typed, &surroundings).unwrap()
    }

    /// This machine, with nothing running.
    pub(super) fn scene(config: &Config) -> Scene<'_> {
        Scene {
            config,
            now: SystemClock.now(),
            system: System::here(),
            running: None,
        }
    }
}
