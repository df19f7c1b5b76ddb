//! `moho root protect`, `split` and `recover`: what it takes to open the root key.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command, value_parser};
use moho_kms::{
    Development, KeyEncryptionKey, PassphraseCost, Quorum, RootKey, RootKeyError, RootOfTrust, Share,
};
use moho_os::PrivateFileError;

use super::{harden, new_protection, new_protection_group, open, root_config, unopened};
use crate::cli::{Exit, Failure};
use crate::config::RootConfig;
use crate::root_key::{self, NoRootKey};
use crate::system::SystemEntropy;

pub(super) fn protect_command() -> Command {
    Command::new("protect")
        .about("Protects the root key with something else, or makes one")
        .long_about(
            "Protects the root key with something else; all that is in it stays the same, and so do all keys. What opened it \
             before opens it no more, but old copies of the file: destroy those. If there is no root key yet, it makes one.\n\nA \
             moho that serves goes on; restart it with the new passphrase or shares before you next rotate the root key. \
             Shares that were made before (`moho root split`) open it no more: split it again.",
        )
        .after_help(
            "Examples:\n  moho root protect --passphrase-file /etc/moho/root.passphrase   # then: moho serve \
             --root-passphrase-file …\n  moho root protect --shares 3/5                                  # one line for each of \
             five people\n  moho root protect --passphrase --root-passphrase-file OLD       # another passphrase",
        )
        .args(new_protection())
        .group(new_protection_group())
}

pub(super) fn split_command() -> Command {
    Command::new("split")
        .about("Prints shares that open the root key if its passphrase is lost")
        .long_about(
            "Splits the key that protects the root key, and prints the shares, one a line: any M of the N open the root key \
             (`moho root recover`), and fewer tell nothing at all. The file stays as it is, and so do shares of before. They \
             hold until the root key is protected anew, also after rotations.\n\nGive each to another person, on paper; nobody \
             should ever have M of them. Then try them: `moho root show --root-shares-file` is not enough, `moho root recover` on \
             a copy of the file is (docs/operations.md has the drill).",
        )
        .after_help("Examples:\n  moho root split 3/5 --root-passphrase-file /etc/moho/root.passphrase | lpr")
        .arg(
            Arg::new("quorum")
                .value_name("M/N")
                .required(true)
                .value_parser(value_parser!(Quorum))
                .help("How many shares it takes, of how many: 3/5"),
        )
}

pub(super) fn recover_command() -> Command {
    Command::new("recover")
        .about("Opens the root key by shares, and protects it anew")
        .long_about(
            "Opens the root key by shares of what protects it, whatever that is, and protects it anew: when the passphrase is \
             lost, or those who know it are gone. The shares come from --root-shares-file, or are asked for one after the other \
             at the terminal, where each keeper can type in their own. Afterwards they open it no more: split it again.",
        )
        .after_help("Examples:\n  moho root recover --passphrase\n  moho root recover --shares 3/5 --root-shares-file ada.txt …")
        .args(new_protection())
        .group(new_protection_group())
}

pub(super) fn protect(matches: &ArgMatches) -> Result<(), Failure> {
    let config = root_config(matches)?;
    harden()?;
    let root = match open(&config_of_present(&config)) {
        Ok(root) => Some(root),
        Err(failure) if is_absent(&failure) => None,
        Err(failure) => return Err(failure),
    };
    put_under(matches, &config, root)
}

pub(super) fn recover(matches: &ArgMatches) -> Result<(), Failure> {
    let config = root_config(matches)?;
    harden()?;
    let root = root_key::open_by_shares(&config).map_err(unopened)?;
    put_under(matches, &config, Some(root))
}

pub(super) fn split(matches: &ArgMatches) -> Result<(), Failure> {
    let config = root_config(matches)?;
    harden()?;
    let root = open(&config)?;
    let shares = match matches.get_one::<Quorum>("quorum") {
        Some(quorum) => root.split(*quorum, &SystemEntropy::default()),
        None => Ok(Vec::new()),
    };
    print(&shares.map_err(|error| unopened(error.into()))?)?;
    note(&format!(
        "These shares open {} until it is protected anew. Give each to another person.",
        config.file.display()
    ))
}

/// What is in the clear opens without the passphrase that it is to be put under.
fn config_of_present(config: &RootConfig) -> RootConfig {
    let is_clear = moho_kms::RootFile::read(&config.file)
        .is_ok_and(|file| file.kind() == moho_kms::RootKind::Development);
    RootConfig {
        passphrase: config.passphrase.clone().filter(|_| !is_clear),
        ..config.clone()
    }
}

fn is_absent(failure: &Failure) -> bool {
    let absent = |cause: &NoRootKey| {
        matches!(
            cause,
            NoRootKey::Root(RootKeyError::File(PrivateFileError::Absent(_)))
        )
    };
    failure.error.downcast_ref().is_some_and(absent)
}

/// Puts the root key, or a new one, under what the command line says. New shares are printed first: should nobody get
/// them, nothing has happened.
fn put_under(matches: &ArgMatches, config: &RootConfig, root: Option<RootKey>) -> Result<(), Failure> {
    let entropy = SystemEntropy::default();
    let (protection, shares) = new(matches).map_err(unopened)?;
    print(&shares)?;
    let kind = protection.kind();
    match root {
        Some(root) => root.protect(protection, &entropy),
        None => make(config, protection),
    }
    .map_err(|error| unopened(error.into()))?;
    note(&format!(
        "The root key in {} is protected by: {}. Back the file up, and destroy copies of before.",
        config.file.display(),
        kind.as_str()
    ))?;
    if shares.is_empty() {
        return Ok(());
    }
    note("The lines above are its shares. Give each to another person; nothing else opens it.")
}

fn make(config: &RootConfig, protection: Arc<dyn RootOfTrust>) -> Result<RootKey, RootKeyError> {
    if let Some(folder) = config.file.parent() {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(|source| PrivateFileError::Io {
            path: folder.to_owned(),
            source,
        })?;
    }
    RootKey::create(&config.file, protection, &SystemEntropy::default())
}

type New = (Arc<dyn RootOfTrust>, Vec<Share>);

fn new(matches: &ArgMatches) -> Result<New, NoRootKey> {
    let entropy = SystemEntropy::default();
    if let Some(quorum) = matches.get_one::<Quorum>("shares") {
        let (key, shares) = KeyEncryptionKey::of_new_shares(*quorum, &entropy)?;
        return Ok((Arc::new(key), shares));
    }
    if matches.get_flag("development") {
        return Ok((Arc::new(Development), Vec::new()));
    }
    let file = matches.get_one::<PathBuf>("passphrase-file");
    let passphrase = root_key::new_passphrase(file.map(PathBuf::as_path))?;
    let key = KeyEncryptionKey::of_new_passphrase(&passphrase, PassphraseCost::STANDARD, &entropy)?;
    Ok((Arc::new(key), Vec::new()))
}

/// Writes shares to standard output, to the last byte.
fn print(shares: &[Share]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = shares.iter().try_for_each(|share| {
        out.write_all(share.line().expose())?;
        out.write_all(b"\n")
    });
    written
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Exit::Failed, error))
}

/// Says something to whoever reads the terminal, beside what goes into a file or to a printer.
pub(super) fn note(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stderr().lock(), "{text}").map_err(|error| Failure::new(Exit::Failed, error))
}
