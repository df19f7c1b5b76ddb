//! From a fresh checkout to a served, answering model in one command.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::places::Places;
use crate::served::{Credentials, Served, Setup};
use crate::terminal::{self, say};
use crate::{cargo, demo_model, packages, proc, question};

/// What is asked first.
const QUESTION: &str = "What is the Earth made of, from its crust to its core? Two sentences, please.";

/// What `cargo xtask up` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Ends after the first answer instead of serving on.
    #[arg(long)]
    once: bool,
    /// Where moho keeps its state [default: moho in the user's data folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where moho listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
}

/// Brings everything up.
pub(crate) fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    packages::bring()?;
    let moho = cargo::build(&places, cargo::MOHO)?;
    let model = demo_model::bring(&places)?;
    let data = match &options.data {
        Some(folder) => std::path::absolute(folder).context("--data is no path")?,
        None => places.data().to_path_buf(),
    };
    // From here on a Ctrl-C must end the server too, so it may no longer just end us.
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD]).context("cannot listen for signals")?;
    let setup = Setup {
        moho: &moho,
        model: &model,
        data: &data,
        listen: options.listen,
    };
    let mut served = Served::start(&setup)?;
    let health = served.wait_until_ready()?;
    terminal::note(&format!("{:>10} {} of CPU until serving", "", cpu(&served)?));
    let credentials = served.credentials("Developer")?;
    introduce(&served, &credentials)?;
    print_lines(&served, &credentials, &health.attestation);
    if options.once {
        let status = served.end()?;
        return if status.success() {
            Ok(())
        } else {
            bail!("moho ended: {status}\n{}", served.end_of_log())
        };
    }
    say("Serving; Ctrl-C ends it.");
    serve_on(&mut served, &mut signals)
}

/// What everything so far has taken: this process, what it ran, and the server.
fn cpu(served: &Served) -> Result<String> {
    let used = proc::own_cpu_time()?.saturating_add(proc::cpu_time(served.process())?);
    Ok(format!("{:.2} s", used.as_secs_f64()))
}

/// Asks the model one question and prints its answer as it comes.
fn introduce(served: &Served, credentials: &Credentials) -> Result<()> {
    say(&format!("\n> {QUESTION}"));
    let answer = question::ask(served, credentials, QUESTION, 128, terminal::stream)?;
    say(&format!(
        "\n\n{} tokens in, {} out; first word after {:.2} s, then {:.1} tokens/s\n",
        answer.input_tokens,
        answer.output_tokens,
        answer.first_word.as_secs_f64(),
        answer.tokens_per_second(),
    ));
    Ok(())
}

/// What to paste into a shell, with credentials that end by themselves.
fn print_lines(served: &Served, credentials: &Credentials, attestation: &str) {
    let base = served.url("/v1");
    let endpoint = served.url("");
    let authority = served.authority().display().to_string();
    say(&format!("attestation: {attestation}"));
    say(&format!(
        "Credentials of the role Developer, until {}.\n",
        credentials.expiration
    ));
    say("# OpenAI SDK");
    export("OPENAI_BASE_URL", &base);
    export("OPENAI_API_KEY", &credentials.bearer_token);
    export("SSL_CERT_FILE", &authority);
    say("\n# AWS CLI and SDKs");
    export("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
    export("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
    export("AWS_SESSION_TOKEN", &credentials.session_token);
    export("AWS_REGION", &credentials.region);
    // The AWS CLI reads this one, the other SDKs the one above.
    export("AWS_DEFAULT_REGION", &credentials.region);
    export("AWS_ENDPOINT_URL", &endpoint);
    export("AWS_CA_BUNDLE", &authority);
    say("\n# curl");
    let body = format!(
        r#"{{"model":"{}","input":"Hello!","stream":true}}"#,
        demo_model::ID
    );
    say(&format!(
        "curl -N --cacert {} -H \"Authorization: Bearer $OPENAI_API_KEY\" -H 'Content-Type: application/json' \
         -d {} {base}/responses\n",
        quoted(&authority),
        quoted(&body),
    ));
    say(&format!("log: {}", served.log().display()));
}

fn export(name: &str, value: &str) {
    say(&format!("export {name}={}", quoted(value)));
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Until the server ends or somebody asks us to.
fn serve_on(served: &mut Served, signals: &mut Signals) -> Result<()> {
    for signal in signals.forever() {
        if let Some(status) = served.ended()? {
            bail!("moho ended by itself: {status}\n{}", served.end_of_log());
        }
        if signal != SIGCHLD {
            break;
        }
    }
    terminal::note("ending moho");
    let status = served.end()?;
    if status.success() {
        Ok(())
    } else {
        bail!("moho ended: {status}\n{}", served.end_of_log())
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn every_value_is_one_word_of_a_shell() {
        assert_eq!(quoted("https://127.0.0.1:8443/v1"), "https://127.0.0.1:8443/v1");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(x)"), "'$(x)'");
        assert_eq!(quoted(""), "''");
    }
}
