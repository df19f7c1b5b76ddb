//! Whom a shell's programs trust once moho's own authority is among them.
//!
//! `SSL_CERT_FILE` replaces the system's authorities where a program reads it, and would do so for every program of the
//! shell. So what it names is one file of both: those that the shell trusted before, and moho's.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};

/// Bytes of a file of authorities; those of systems have a few hundred kilobytes.
const LONGEST: usize = 8 << 20;

/// The text of moho's authorities after those of the first of `others` that can be read, and is not moho's alone.
pub(super) fn with_ours(own: &Path, others: &[&Path]) -> anyhow::Result<String> {
    let ours = read(own).with_context(|| format!("{} cannot be read", own.display()))?;
    let ours = ours.trim();
    let theirs = others.iter().find_map(|path| {
        let text = read(path).ok()?;
        (text.contains("-----BEGIN ") && text.trim() != ours).then_some(text)
    });
    Ok(match theirs {
        // Written by an earlier login of this shell.
        Some(text) if text.contains(ours) => text,
        Some(text) => format!("{}\n\n# moho's own\n{ours}\n", text.trim_end()),
        None => format!("# moho's own\n{ours}\n"),
    })
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
        assert_eq!(both, format!("{}\n# moho's own\n{}", pem("system"), pem("own")));
        let before = put("before", &both);
        assert_eq!(
            with_ours(&own, &[&before, &system]).unwrap(),
            both,
            "once is enough"
        );
        let alone = put("alone", &pem("own"));
        assert_eq!(with_ours(&own, &[&alone, &system]).unwrap(), both);
        let none = put("none", "no authority");
        let only = format!("# moho's own\n{}", pem("own"));
        assert_eq!(with_ours(&own, &[&none, &absent]).unwrap(), only);
        assert!(with_ours(&absent, &[&system]).is_err());
    }
}
