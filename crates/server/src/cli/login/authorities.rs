//! Whom a shell's programs trust once moho's own authority is among them.
//!
//! `SSL_CERT_FILE` replaces the system's authorities where a program reads it, and would do so for every program of the
//! shell. So what it names is one file of both: those that the shell trusted before, and moho's.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Bytes of a file of authorities; those of systems have a few hundred kilobytes.
const LONGEST: usize = 8 << 20;

/// How such a file begins: with the name of the one whose authorities come first, so that a later login reads that again.
const AFTER: &str = "# after ";

/// The text of moho's authorities after those of the first of `others` that can be read, and is not moho's alone.
pub(super) fn with_ours(own: &Path, others: &[&Path]) -> anyhow::Result<String> {
    let ours = read(own).with_context(|| format!("{} cannot be read", own.display()))?;
    let ours = ours.trim();
    let theirs = others.iter().find_map(|path| {
        let text = read(path).ok()?;
        (text.contains("-----BEGIN ") && text.trim() != ours).then_some((path.display(), text))
    });
    Ok(match theirs {
        Some((path, text)) if text.contains(ours) => format!("{AFTER}{path}\n{}\n", text.trim_end()),
        Some((path, text)) => format!("{AFTER}{path}\n{}\n\n# moho's own\n{ours}\n", text.trim_end()),
        None => format!("# moho's own\n{ours}\n"),
    })
}

/// Whose authorities come first in a file that an earlier login wrote.
pub(super) fn after(path: &Path) -> Option<PathBuf> {
    let text = read(path).ok()?;
    let named = text.lines().next()?.strip_prefix(AFTER)?;
    Some(PathBuf::from(named))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        bail!("it is too long for a file of authorities");
    }
    // Comments in such files are of any encoding.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(name: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn what_was_trusted_before_stays_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (own, system) = (put("own", &pem("own")), put("system", &pem("system")));
        let absent = folder.path().join("absent");
        let both = with_ours(&own, &[&absent, &system]).unwrap();
        let first = format!("# after {}\n", system.display());
        assert_eq!(
            both,
            format!("{first}{}\n# moho's own\n{}", pem("system"), pem("own"))
        );
        assert_eq!(
            after(&put("both", &both)),
            Some(system.clone()),
            "a later login reads it again"
        );
        assert_eq!(after(&system), None);
        let has_ours = put("has_ours", &format!("{}{}", pem("system"), pem("own")));
        let once = with_ours(&own, &[&has_ours]).unwrap();
        assert_eq!(once.matches("own\n-----END").count(), 1, "once is enough");
        let alone = put("alone", &pem("own"));
        assert_eq!(with_ours(&own, &[&alone, &system]).unwrap(), both);
        let none = put("none", "no authority");
        let only = format!("# moho's own\n{}", pem("own"));
        assert_eq!(with_ours(&own, &[&none, &absent]).unwrap(), only);
        assert!(with_ours(&absent, &[&system]).is_err());
    }
}
