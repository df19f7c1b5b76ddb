//! The root key: whether it is there, what protects it, and whether moho can come by what that takes.

use moho_kms::{RootFile, RootKeyError, RootKind};
use moho_os::PrivateFileError;

use super::finding::{Finding, chain};
use super::scene::Scene;
use crate::cli::root::protection;
use crate::config::RootConfig;
use crate::root_key;

const ROOT: &str = "root";

/// Looks at the root key's file, and at those of its passphrase and shares. Tries none of them: that takes its time.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let (config, file) = (&scene.config.root, scene.config.root.file.display());
    let why = "without the root key nothing that is kept can be opened";
    let mut findings = match RootFile::read(&config.file) {
        Ok(found) => vec![resting(config, &found)],
        Err(RootKeyError::File(PrivateFileError::Absent(_))) => {
            vec![if scene.config.store.join("store").exists() {
                Finding::fault(ROOT, format!("the root key file {file} is gone"))
                    .why(why)
                    .cure("bring it back from a backup, or name it with --root-file (`root.file`)")
            } else {
                Finding::fine(ROOT, format!("{file} will be made when moho starts"))
            }]
        }
        Err(error) => vec![
            Finding::fault(ROOT, chain(&error))
                .why(why)
                .cure("put that right, or bring the file back from a backup"),
        ],
    };
    findings.extend(unreadable(config));
    findings
}

fn resting(config: &RootConfig, found: &RootFile) -> Finding {
    let what = format!(
        "the root key in {} is protected by: {}",
        config.file.display(),
        protection(found)
    );
    let asks = |finding: Finding, cure| {
        finding
            .why("moho asks for it at the terminal when it starts, and a service has none")
            .cure(cure)
    };
    match found.kind() {
        RootKind::Development if config.passphrase.is_some() => Finding::fault(ROOT, what)
            .why("a passphrase is set, so moho does not start with a root key in the clear")
            .cure("`moho root protect --passphrase-file FILE`, or leave the setting out"),
        RootKind::Development => Finding::note(ROOT, what)
            .why("a copy of the file, or of the disk, opens everything")
            .cure("`moho root protect`"),
        RootKind::Passphrase if config.passphrase.is_none() => asks(
            Finding::note(ROOT, what),
            "as a service: --root-passphrase-file (`root.passphrase_file`)",
        ),
        RootKind::Shares if config.shares.is_empty() => asks(
            Finding::note(ROOT, what),
            "as a service: --root-shares-file (`root.shares_files`)",
        ),
        RootKind::Passphrase | RootKind::Shares => Finding::fine(ROOT, what),
    }
}

/// What is set and cannot be read.
fn unreadable(config: &RootConfig) -> Option<Finding> {
    let error = root_key::unreadable(config)?;
    Some(
        Finding::fault(ROOT, chain(&error))
            .why("moho cannot start")
            .cure("`chmod 600` it, as moho's own user, or name another file"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::tests::{config, scene};
    use super::*;
    use crate::system::SystemEntropy;
    use moho_os::create_private;

    struct House(tempfile::TempDir);

    impl House {
        fn found(&self, settings: &[(&str, &str)]) -> Finding {
            let data = self.0.path().to_str().unwrap();
            let config = config(&[&[("data", data)], settings].concat());
            let findings = check(&scene(&config));
            findings.into_iter().max_by_key(|found| found.level).unwrap()
        }

        fn file(&self, name: &str, bytes: &[u8]) -> String {
            let path = self.0.path().join(name);
            create_private(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        }
    }

    fn house() -> House {
        House(tempfile::tempdir().unwrap())
    }

    #[test]
    fn what_is_not_there_yet_is_fine_and_what_is_gone_is_a_fault() {
        let house = house();
        assert_eq!(house.found(&[]).level, Level::Fine);
        std::fs::create_dir(house.0.path().join("store")).unwrap();
        let found = house.found(&[]);
        assert!(
            found.level == Level::Fault && found.cure.contains("backup"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_damaged_or_open_to_others_is_a_fault() {
        let house = house();
        let path = house.file("root.key", b"moho-root-key-2\n and then nothing");
        assert_eq!(house.found(&[]).level, Level::Fault);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let found = house.found(&[]);
        assert!(
            found.level == Level::Fault && found.what.contains("chmod 600"),
            "{found:?}"
        );
    }

    #[test]
    fn what_lies_in_the_clear_is_told_and_is_a_fault_where_a_passphrase_is_set() {
        let house = house();
        let path = house.0.path().join("root.key");
        drop(moho_kms::RootKey::development(&path, &SystemEntropy::default()).unwrap());
        let found = house.found(&[]);
        assert!(
            found.level == Level::Note && found.what.contains("in the clear"),
            "{found:?}"
        );
        let passphrase = house.file("passphrase", b"several words in a row");
        let found = house.found(&[("root.passphrase_file", &passphrase)]);
        assert!(
            found.level == Level::Fault && found.cure.contains("root protect"),
            "{found:?}"
        );
    }

    #[test]
    fn a_passphrase_has_to_be_readable_and_is_better_named() {
        let house = house();
        let passphrase = house.file("passphrase", b"several words in a row");
        let set = [("root.passphrase_file", passphrase.as_str())];
        let config = config(&[&[("data", house.0.path().to_str().unwrap())], &set[..]].concat());
        let entropy = SystemEntropy::default();
        drop(root_key::open_or_make(&config.root, &house.0.path().join("store"), &entropy).unwrap());
        assert_eq!(house.found(&set).level, Level::Fine);
        let found = house.found(&[]);
        assert!(
            found.level == Level::Note && found.why.contains("terminal"),
            "{found:?}"
        );
        let found = house.found(&[("root.passphrase_file", "/nonexistent/passphrase")]);
        assert!(
            found.level == Level::Fault && found.what.contains("/nonexistent"),
            "{found:?}"
        );
    }
}
