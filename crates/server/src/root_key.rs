//! The root key as a process comes by it: what protects its file stands in the file, and the passphrase or the shares
//! come from files that were named, or from whoever sits at the terminal. Never from arguments or variables: too many can
//! read those.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moho_kms::{
    KeyEncryptionKey, PassphraseCost, Quorum, RootFile, RootKey, RootKeyError, RootKind, Share, ShareError,
};
use moho_os::{PrivateFileError, TerminalError, ask_hidden, read_given_within};
use moho_terms::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::config::RootConfig;

/// More than any passphrase or all shares of a key take.
const MOST: usize = 64 << 10;

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRootKey {
    #[error(transparent)]
    Root(#[from] RootKeyError),
    #[error("the passphrase of the root key cannot be read")]
    PassphraseFile(#[source] PrivateFileError),
    #[error("the shares of the root key cannot be read")]
    SharesFile(#[source] PrivateFileError),
    #[error("{}, line {line}", path.display())]
    Share {
        path: PathBuf,
        line: usize,
        source: ShareError,
    },
    #[error(
        "nobody can be asked for the passphrase of the root key: name its file with --root-passphrase-file"
    )]
    AskPassphrase(#[source] TerminalError),
    #[error("nobody can be asked for shares of the root key: name their files with --root-shares-file")]
    AskShares(#[source] TerminalError),
    #[error("the two passphrases are not the same")]
    NotRepeated,
    #[error(
        "a passphrase for the root key is set, but {} lies there in the clear: `moho root protect --passphrase-file FILE` \
         puts it under the passphrase", .0.display()
    )]
    InTheClear(PathBuf),
    #[error(
        "the root key file {} is gone, and nothing in {} opens without it: bring it back from a backup", file.display(),
        store.display()
    )]
    Lost { file: PathBuf, store: PathBuf },
}

/// The root key that is there, or a new one if there is neither one nor a store that needs one.
pub(crate) fn open_or_make(
    config: &RootConfig,
    store: &Path,
    entropy: &dyn Entropy,
) -> Result<RootKey, NoRootKey> {
    match open(config, entropy) {
        Err(NoRootKey::Root(RootKeyError::File(PrivateFileError::Absent(file)))) if store.exists() => {
            Err(NoRootKey::Lost {
                file,
                store: store.to_owned(),
            })
        }
        Err(NoRootKey::Root(RootKeyError::File(PrivateFileError::Absent(_)))) => make(config, entropy),
        opened => opened,
    }
}

/// The root key that is there.
pub(crate) fn open(config: &RootConfig, entropy: &dyn Entropy) -> Result<RootKey, NoRootKey> {
    let file = RootFile::read(&config.file)?;
    match file.kind() {
        RootKind::Development if config.passphrase.is_some() => {
            Err(NoRootKey::InTheClear(config.file.clone()))
        }
        RootKind::Development => Ok(RootKey::development(&config.file, entropy)?),
        RootKind::Passphrase => {
            let passphrase = passphrase(config.passphrase.as_deref())?;
            Ok(RootKey::with_passphrase(&config.file, &passphrase)?)
        }
        RootKind::Shares => open_by_shares(config),
    }
}

/// The root key that is there, by shares of whatever protects it.
pub(crate) fn open_by_shares(config: &RootConfig) -> Result<RootKey, NoRootKey> {
    let quorum = RootFile::read(&config.file)?.quorum();
    let shares = match config.shares.as_slice() {
        [] => asked_shares(quorum, &mut |prompt| ask_hidden(prompt))?,
        files => shares_of(files)?,
    };
    Ok(RootKey::with_shares(&config.file, &shares)?)
}

fn make(config: &RootConfig, entropy: &dyn Entropy) -> Result<RootKey, NoRootKey> {
    let Some(file) = &config.passphrase else {
        return Ok(RootKey::development(&config.file, entropy)?);
    };
    let passphrase = passphrase_of(file)?;
    let key = KeyEncryptionKey::of_new_passphrase(&passphrase, PassphraseCost::STANDARD, entropy)?;
    match RootKey::create(&config.file, Arc::new(key), entropy) {
        // Another process was faster: its key is the key.
        Err(RootKeyError::File(PrivateFileError::Exists(_))) => open(config, entropy),
        made => Ok(made?),
    }
}

/// Why a file that is set cannot be read, if one cannot be.
pub(crate) fn unreadable(config: &RootConfig) -> Option<NoRootKey> {
    let passphrase = config.passphrase.iter().map(|file| passphrase_of(file).err());
    passphrase
        .chain([shares_of(&config.shares).err()])
        .flatten()
        .next()
}

/// What the start-up lines have to say of how the root key rests.
pub(crate) fn posture(kind: RootKind, previous: usize) -> Vec<String> {
    let clear = (kind == RootKind::Development).then_some(
        "the root key lies in its file in the clear: `moho root protect` puts it under a passphrase or shares",
    );
    let rotating = (previous > 0)
        .then_some("a rotation of the root key was begun and has not ended: `moho root rotate` ends it");
    clear.into_iter().chain(rotating).map(str::to_owned).collect()
}

/// The passphrase in a file, or of whoever sits at the terminal.
fn passphrase(file: Option<&Path>) -> Result<Secret, NoRootKey> {
    match file {
        Some(file) => passphrase_of(file),
        None => asked("Passphrase of the root key: "),
    }
}

/// A new passphrase: in a file, or twice from whoever sits at the terminal.
pub(crate) fn new_passphrase(file: Option<&Path>) -> Result<Secret, NoRootKey> {
    let Some(file) = file else {
        let passphrase = asked("New passphrase of the root key (several words): ")?;
        let again = asked("Once more: ")?;
        return if passphrase.expose() == again.expose() {
            Ok(passphrase)
        } else {
            Err(NoRootKey::NotRepeated)
        };
    };
    passphrase_of(file)
}

fn asked(prompt: &str) -> Result<Secret, NoRootKey> {
    let mut line = ask_hidden(prompt).map_err(NoRootKey::AskPassphrase)?;
    Ok(Secret::new(std::mem::take(&mut *line)))
}

/// The file's one line, without its end.
fn passphrase_of(file: &Path) -> Result<Secret, NoRootKey> {
    let mut bytes = read_given_within(file, MOST).map_err(NoRootKey::PassphraseFile)?;
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

/// The shares in files: one a line, with empty lines and such that begin with `#` between them.
fn shares_of(files: &[PathBuf]) -> Result<Vec<Share>, NoRootKey> {
    let mut shares = Vec::new();
    for path in files {
        let bytes = read_given_within(path, MOST).map_err(NoRootKey::SharesFile)?;
        let lines = bytes.split(|byte| *byte == b'\n');
        for (number, line) in (1..).zip(lines) {
            let line = str::from_utf8(line).unwrap_or("?").trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let share = Share::parse(line).map_err(|source| NoRootKey::Share {
                path: path.clone(),
                line: number,
                source,
            })?;
            shares.push(share);
        }
    }
    Ok(shares)
}

/// What is typed in answer to a prompt.
type Answer = Result<Zeroizing<Vec<u8>>, TerminalError>;

/// Asks for shares, one after the other, until there are enough.
fn asked_shares(
    quorum: Option<Quorum>,
    ask: &mut dyn FnMut(&str) -> Answer,
) -> Result<Vec<Share>, NoRootKey> {
    let mut shares: Vec<Share> = Vec::new();
    let mut problem = None::<String>;
    loop {
        let needed = shares
            .first()
            .map(Share::quorum)
            .or(quorum)
            .map(Quorum::threshold);
        if needed.is_some_and(|needed| shares.len() >= usize::from(needed)) {
            return Ok(shares);
        }
        let said = problem
            .take()
            .map(|problem| format!("{problem}\n"))
            .unwrap_or_default();
        let of = needed.map(|needed| format!(" of {needed}")).unwrap_or_default();
        let prompt = format!(
            "{said}Share {}{of} of the root key: ",
            shares.len().saturating_add(1)
        );
        let line = ask(&prompt).map_err(NoRootKey::AskShares)?;
        match Share::parse(str::from_utf8(&line).unwrap_or("?")) {
            Ok(share) if shares.iter().any(|other| other.index() == share.index()) => {
                problem = Some(ShareError::Repeated(share.index()).to_string());
            }
            Ok(share) => shares.push(share),
            Err(error) => problem = Some(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;
    use moho_os::create_private;

    struct House {
        folder: tempfile::TempDir,
        config: RootConfig,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = RootConfig {
                file: folder.path().join("root.key"),
                ..RootConfig::default()
            };
            Self { folder, config }
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            create_private(&path, text.as_bytes()).unwrap();
            path
        }

        fn open(&self) -> Result<RootKey, NoRootKey> {
            let store = self.folder.path().join("store");
            open_or_make(&self.config, &store, &SystemEntropy::default())
        }

        fn refused(&self) -> NoRootKey {
            match self.open() {
                Ok(_) => panic!("it opens"),
                Err(error) => error,
            }
        }

        fn shares(&self, root: &RootKey) -> Vec<String> {
            let shares = root
                .split("2/3".parse().unwrap(), &SystemEntropy::default())
                .unwrap();
            let line = |share: &Share| String::from_utf8(share.line().expose().to_vec()).unwrap();
            shares.iter().map(line).collect()
        }
    }

    #[test]
    fn without_settings_it_is_the_development_one_and_stays_the_same() {
        let house = House::new();
        let name = |root: &RootKey| root.ring().current().name();
        let root = house.open().unwrap();
        assert_eq!(root.kind(), RootKind::Development);
        assert_eq!(name(&house.open().unwrap()), name(&root));
        assert!(posture(root.kind(), 0).concat().contains("in the clear"));
        assert!(
            posture(RootKind::Passphrase, 1)
                .concat()
                .contains("has not ended")
        );
        assert!(posture(RootKind::Shares, 0).is_empty());
    }

    #[test]
    fn with_a_passphrase_a_new_one_is_under_it_and_opens_with_no_other() {
        let mut house = House::new();
        house.config.passphrase = Some(house.file("one", "several words in a row\n"));
        assert_eq!(house.open().unwrap().kind(), RootKind::Passphrase);
        assert_eq!(house.open().unwrap().kind(), RootKind::Passphrase);
        house.config.passphrase = Some(house.file("two", "several words in a bow"));
        assert!(matches!(
            house.refused(),
            NoRootKey::Root(RootKeyError::WrongPassphrase)
        ));
        house.config.passphrase = Some(house.folder.path().join("absent"));
        assert!(matches!(house.refused(), NoRootKey::PassphraseFile(_)));
    }

    #[test]
    fn a_passphrase_for_what_lies_in_the_clear_is_refused() {
        let mut house = House::new();
        drop(house.open().unwrap());
        house.config.passphrase = Some(house.file("one", "several words in a row"));
        assert!(house.refused().to_string().contains("moho root protect"));
    }

    #[test]
    fn no_other_root_key_is_made_for_a_store_that_has_lost_its_own() {
        let house = House::new();
        drop(house.open().unwrap());
        std::fs::create_dir(house.folder.path().join("store")).unwrap();
        drop(house.open().unwrap());
        std::fs::remove_file(&house.config.file).unwrap();
        assert!(
            house
                .refused()
                .to_string()
                .contains("bring it back from a backup")
        );
        assert!(!house.config.file.exists());
    }

    #[test]
    fn shares_are_read_from_files_with_words_between_them() {
        let mut house = House::new();
        house.config.passphrase = Some(house.file("one", "several words in a row"));
        let lines = house.shares(&house.open().unwrap());
        let both = house.file("shares", &format!("# Ada\n\n{}\r\n  {}", lines[0], lines[2]));
        house.config.shares = vec![both];
        assert!(open_by_shares(&house.config).is_ok());
        let bad = house.file("bad", &format!("{}\nmoho-share-1 what\n", lines[0]));
        house.config.shares = vec![bad];
        let Err(error) = open_by_shares(&house.config) else {
            panic!("it opens")
        };
        assert!(matches!(
            error,
            NoRootKey::Share {
                line: 2,
                source: ShareError::Parts,
                ..
            }
        ));
    }

    #[test]
    fn whoever_mistypes_a_share_is_asked_again() {
        let mut house = House::new();
        house.config.passphrase = Some(house.file("one", "several words in a row"));
        let lines = house.shares(&house.open().unwrap());
        let mistyped = lines[1].replacen('1', "2", 2);
        let mut answers = [lines[0].clone(), mistyped, lines[0].clone(), lines[1].clone()].into_iter();
        let mut prompts = Vec::new();
        let shares = asked_shares(None, &mut |prompt| {
            prompts.push(prompt.to_owned());
            let answer = answers.next().ok_or(TerminalError::Cancelled)?;
            Ok(Zeroizing::new(answer.into_bytes()))
        });
        assert_eq!(shares.unwrap().len(), 2);
        assert_eq!(prompts[0], "Share 1 of the root key: ");
        assert_eq!(prompts[1], "Share 2 of 2 of the root key: ");
        assert!(prompts[2].ends_with("\nShare 2 of 2 of the root key: "));
        assert!(prompts[3].starts_with("share 1 is there twice\n"));
        let cancelled = asked_shares(None, &mut |_| Err(TerminalError::Cancelled));
        assert!(matches!(cancelled, Err(NoRootKey::AskShares(_))));
    }
}
