//! What must be on the machine before anything else: installed from Debian's packages if absent, else asked for.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::terminal::Step;

/// One thing that automation needs from the system.
struct Need {
    package: &'static str,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        package: "curl",
        present: || process::succeeds(Command::new("curl").arg("--version")),
    },
    Need {
        package: "python3-venv",
        present: || process::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])),
    },
    Need {
        package: "gcc",
        present: || process::succeeds(Command::new("cc").arg("--version")),
    },
    Need {
        package: "openssl",
        present: || process::succeeds(Command::new("openssl").arg("version")),
    },
];

/// What only the tests need: the service manager's own checker of units, what makes networks of the tests' own, a compiler and
/// library for a log's monitor, Debian's AWS CLI, which tails logs, a simulated TPM with its tools, and clients of S3.
const TEST_NEEDS: &[Need] = &[
    Need {
        package: "systemd",
        present: || process::succeeds(Command::new("systemd-analyze").arg("--version")),
    },
    Need {
        package: "iproute2",
        present: || process::succeeds(Command::new("ip").arg("-V")),
    },
    Need {
        package: "golang-go",
        present: || process::succeeds(Command::new("go").arg("version")),
    },
    Need {
        package: "golang-golang-x-mod-dev",
        present: || Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog").is_dir(),
    },
    Need {
        package: "awscli",
        present: || Path::new("/usr/bin/aws").exists(),
    },
    Need {
        package: "swtpm",
        present: || process::succeeds(Command::new("swtpm").arg("--version")),
    },
    Need {
        package: "swtpm-tools",
        present: || Path::new("/usr/bin/swtpm_setup").exists(),
    },
    Need {
        package: "tpm2-tools",
        present: || process::succeeds(Command::new("tpm2_checkquote").arg("--version")),
    },
    Need {
        package: "rclone",
        present: || process::succeeds(Command::new("rclone").arg("version")),
    },
    Need {
        package: "s3fs",
        present: || process::succeeds(Command::new("s3fs").arg("--version")),
    },
];

/// Installs what is missing, or says exactly what to install.
pub(crate) fn bring() -> Result<()> {
    bring_all(NEEDS)
}

/// The same, with what only the tests need.
pub(crate) fn bring_for_tests() -> Result<()> {
    bring_all(NEEDS)?;
    bring_all(TEST_NEEDS)
}

fn bring_all(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|need| !(need.present)())
        .map(|need| need.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let may_install =
        rustix::process::geteuid().is_root() && process::succeeds(Command::new("apt-get").arg("--version"));
    if !may_install {
        bail!("missing: {names}; install them first, on Debian: sudo apt-get install {names}");
    }
    let step = Step::spinner("packages");
    step.now(&names);
    process::capture(Command::new("apt-get").args(["update", "-qq"]))?;
    process::capture(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    if let Some(need) = needs.iter().find(|need| !(need.present)()) {
        bail!("{} was installed and still does not work", need.package);
    }
    step.done(&format!("installed {names}"));
    Ok(())
}
