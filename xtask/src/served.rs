//! A `moho serve` of our own: started, waited for, asked for credentials, and ended as gracefully as it lets us.

use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::terminal::Step;
use crate::{demo_model, process};

/// How long a start may take: a large model on a slow disk.
const TRIES: u32 = 2400;
/// Between two looks at a server that is starting.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a graceful end may take before it is no longer asked for.
const GRACE: u32 = 400;

/// How moho is to be served.
pub(crate) struct Setup<'a> {
    /// The `moho` binary.
    pub(crate) moho: &'a Path,
    /// The demo model's file.
    pub(crate) model: &'a Path,
    /// Where moho keeps its state.
    pub(crate) data: &'a Path,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
}

/// A running server. Dropping it ends it.
pub(crate) struct Served {
    child: Child,
    moho: PathBuf,
    data: PathBuf,
    listen: SocketAddr,
    log: PathBuf,
}

/// What `/healthz` says.
#[derive(Deserialize)]
pub(crate) struct Health {
    /// What vouches for the machine, such as `development`.
    #[serde(default)]
    pub(crate) attestation: String,
}

/// Short-lived credentials, as `moho credentials --format json` prints them. No `Debug`: they are secret.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(rename = "AccessKeyId")]
    pub(crate) access_key_id: String,
    #[serde(rename = "SecretAccessKey")]
    pub(crate) secret_access_key: String,
    #[serde(rename = "SessionToken")]
    pub(crate) session_token: String,
    #[serde(rename = "Expiration")]
    pub(crate) expiration: String,
    #[serde(rename = "BearerToken")]
    pub(crate) bearer_token: String,
    #[serde(rename = "Region")]
    pub(crate) region: String,
}

impl Served {
    /// Starts a server in a process group of its own, so that a Ctrl-C reaches it through us, once.
    pub(crate) fn start(setup: &Setup<'_>) -> Result<Self> {
        // Keys will lie here: for this user alone.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(setup.data)
            .with_context(|| format!("cannot make {}", setup.data.display()))?;
        let log = setup.data.join("moho.log");
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = out.try_clone().context("cannot share the log file")?;
        let mut model = std::ffi::OsString::from(format!("{}=", demo_model::ID));
        model.push(setup.model);
        let mut command = Command::new(setup.moho);
        command
            .arg("serve")
            .arg("--data")
            .arg(setup.data)
            .arg("--listen")
            .arg(setup.listen.to_string());
        command
            .arg("--model")
            .arg(model)
            .args(["--bootstrap-grant", demo_model::ID]);
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .process_group(0);
        crate::cargo::clean(&mut command);
        let child = command.spawn().context("cannot start moho")?;
        Ok(Self {
            child,
            moho: setup.moho.to_path_buf(),
            data: setup.data.to_path_buf(),
            listen: setup.listen,
            log,
        })
    }

    /// The process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where it keeps its state.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Where it logs.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The certificate authority to trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.data.join("ca.pem")
    }

    /// The address of a path on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.listen)
    }

    /// Waits until it says that it is healthy; an end before that is an error with the last of its log.
    pub(crate) fn wait_until_ready(&mut self) -> Result<Health> {
        let step = Step::spinner("load");
        for _ in 0..TRIES {
            if let Some(status) = self.child.try_wait().context("cannot watch moho")? {
                bail!("moho ended: {status}\n{}", self.end_of_log());
            }
            if self.listens()
                && let Ok(text) = process::capture(self.curl().arg(self.url("/healthz")))
            {
                step.done("moho is ready");
                return serde_json::from_str(&text).context("/healthz is no JSON object");
            }
            std::thread::sleep(PAUSE);
        }
        bail!("moho is not ready in time\n{}", self.end_of_log())
    }

    /// Asks the bootstrap door for short-lived credentials.
    pub(crate) fn credentials(&self, role: &str) -> Result<Credentials> {
        let mut command = Command::new(&self.moho);
        command
            .args(["credentials", "--role", role, "--format", "json", "--data"])
            .arg(&self.data);
        let text = process::capture(&mut command)?;
        serde_json::from_str(&text).context("moho printed no credentials")
    }

    /// A curl that trusts this server, fails on refusals and says why.
    pub(crate) fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "--disable",
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--noproxy",
            "*",
        ]);
        command.arg("--cacert").arg(self.authority());
        command
    }

    /// The exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot watch moho")
    }

    /// Asks it to end, and waits until it has; in the end without asking.
    pub(crate) fn end(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        let process = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("no process id")?;
        kill_process(process, Signal::TERM).context("cannot signal moho")?;
        for _ in 0..GRACE {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            std::thread::sleep(PAUSE);
        }
        self.child.kill().context("cannot end moho")?;
        self.child.wait().context("cannot wait for moho")
    }

    /// The last lines of its log.
    pub(crate) fn end_of_log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        process::last_lines(&text, 20)
    }

    /// Cheap, so that waiting costs next to nothing.
    fn listens(&self) -> bool {
        TcpStream::connect_timeout(&self.listen, Duration::from_millis(200)).is_ok()
            && self.authority().is_file()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended = self.end();
    }
}

/// A file that only this user can read, for what must not stand on a command line.
pub(crate) fn private_file(folder: &Path, text: &str) -> Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new_in(folder).context("cannot make a private file")?;
    file.write_all(text.as_bytes())
        .context("cannot write a private file")?;
    Ok(file)
}
