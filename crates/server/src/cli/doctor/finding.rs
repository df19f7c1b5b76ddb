//! What the doctor finds: one line each, for people and for machines.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Fine,
    /// Worth knowing; nothing has to be done.
    Note,
    /// moho serves, but worse or less safely than it could.
    Warning,
    /// moho does not start, or its clients are refused.
    Fault,
}

impl Level {
    /// The word at the beginning of a line, all of one width.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine   ",
            Self::Note => "note   ",
            Self::Warning => "warning",
            Self::Fault => "FAULT  ",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Which check found it: a stable word for machines.
    pub(super) check: &'static str,
    /// How bad it is.
    pub(super) level: Level,
    /// What is the case.
    pub(super) what: String,
    /// Why it matters; empty if all is well.
    pub(super) why: String,
    /// What to do; empty if nothing.
    pub(super) cure: String,
}

impl Finding {
    fn new(check: &'static str, level: Level, what: impl Into<String>) -> Self {
        Self {
            check,
            level,
            what: what.into(),
            why: String::new(),
            cure: String::new(),
        }
    }

    /// All is well.
    pub(super) fn fine(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Fine, what)
    }

    /// Worth knowing.
    pub(super) fn note(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Note, what)
    }

    /// Could be better.
    pub(super) fn warning(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, what)
    }

    /// Does not work.
    pub(super) fn fault(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Fault, what)
    }

    /// Why it matters.
    pub(super) fn why(self, why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            ..self
        }
    }

    /// What to do.
    pub(super) fn cure(self, cure: impl Into<String>) -> Self {
        Self {
            cure: cure.into(),
            ..self
        }
    }

    /// The line for people.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} {:<12} {}", self.level.word(), self.check, self.what);
        for part in [&self.why, &self.cure] {
            if !part.is_empty() {
                line.push_str("; ");
                line.push_str(part);
            }
        }
        // One finding, one line, whatever a file's name holds.
        line.chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect()
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    crate::road::chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_that_says_what_why_and_what_to_do() {
        let finding = Finding::fault("disk", "/a\nb is full")
            .why("nothing can be stored")
            .cure("free some room");
        assert_eq!(
            finding.line(),
            "FAULT   disk         /a?b is full; nothing can be stored; free some room"
        );
        assert_eq!(Finding::fine("cpu", "avx2").line(), "fine    cpu          avx2");
    }
}
