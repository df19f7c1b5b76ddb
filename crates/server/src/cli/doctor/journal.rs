//! The journal's log: whether there is what it has to go on from.

use moho_audit::log_named;

use super::finding::{Finding, chain};
use super::scene::Scene;

const CHECK: &str = "journal";

/// Looks at the files that say which log the journal is, and what it has published. Records are not read: that is for
/// `moho journal verify`.
pub(super) fn check(scene: &Scene<'_>) -> Option<Finding> {
    match log_named(&scene.config.data.join("journal")) {
        Ok(None) => None,
        Ok(Some(origin)) => Some(Finding::fine(
            CHECK,
            format!("{} has its checkpoint", origin.as_str()),
        )),
        Err(error) => {
            let finding = Finding::fault(CHECK, chain(&error));
            Some(
                finding
                    .why("moho cannot start: it signs nothing that could contradict what it has published"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::tests::{config, scene};
    use super::*;

    #[test]
    fn a_log_without_its_checkpoint_or_with_no_name_is_a_fault() {
        let data = tempfile::tempdir().unwrap();
        let config = config(&[("data", data.path().to_str().unwrap())]);
        let found = || check(&scene(&config));
        assert_eq!(found(), None);
        let journal = data.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        assert_eq!(found(), None, "a journal of before logs begins one");
        std::fs::write(journal.join("log"), "01".repeat(16)).unwrap();
        let missing = found().unwrap();
        assert_eq!((missing.check, missing.level), ("journal", Level::Fault));
        assert!(missing.line().contains("move `log` away"), "{}", missing.line());
        std::fs::write(journal.join("checkpoint"), "").unwrap();
        assert_eq!(found().unwrap().level, Level::Fine);
        std::fs::write(journal.join("log"), "no id").unwrap();
        assert_eq!(found().unwrap().level, Level::Fault);
    }
}
