//! The profile in AWS's settings file: one section is written, everything else stays as it is.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};

use super::kept::Login;

/// Bytes of a settings file that is changed.
const LONGEST: u64 = 1 << 20;
/// Settings that get credentials from elsewhere: a profile with one of them is somebody else's.
const OTHERS: [&str; 7] = [
    "aws_access_key_id",
    "credential_source",
    "role_arn",
    "source_profile",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];
const OWN: [&str; 4] = ["credential_process", "region", "endpoint_url", "ca_bundle"];

/// What means something to a shell, between quotes or without them.
const SHELLS: &str = "\"'\\$`;&|<>()*?[]{}#~!";

/// A profile that gets its credentials from `moho credential-process`.
pub(super) struct Profile {
    name: String,
    process: String,
}

impl Profile {
    /// The profile `name`, for which AWS's tools run `program`.
    ///
    /// # Errors
    /// The program's path is nothing that every one of AWS's tools reads alike: some give the line to a shell.
    pub(super) fn named(name: &str, program: &Path) -> anyhow::Result<Self> {
        let path = plain(program)?;
        if path.contains(|c: char| SHELLS.contains(c)) {
            bail!("the path of this program has characters that a shell reads otherwise: {path}");
        }
        let program = quoted(path);
        Ok(Self {
            process: format!("{program} credential-process --profile {name}"),
            name: name.to_owned(),
        })
    }

    /// Whether the profile can be written.
    pub(super) fn check(&self, file: &Path) -> anyhow::Result<()> {
        self.refuse_foreign(&read(file)?)
            .with_context(|| format!("the profile {} in {} is not moho's", self.name, file.display()))
    }

    /// Writes the profile, whole or not at all.
    pub(super) fn write(&self, file: &Path, login: &Login) -> anyhow::Result<()> {
        // A link is followed, as its owner means the file behind it.
        let file = file.canonicalize().unwrap_or_else(|_absent| file.to_owned());
        let text = self.within(&read(&file)?, login);
        let folder = file.parent().context("AWS's settings are in no directory")?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mode = std::fs::metadata(&file).map_or(0o600, |met| met.permissions().mode() & 0o777);
        let draft = file.with_extension(format!("{}.new", std::process::id()));
        let put = || {
            let mut options = std::fs::OpenOptions::new();
            let mut new = options.write(true).create_new(true).mode(mode).open(&draft)?;
            std::io::Write::write_all(&mut new, text.as_bytes())?;
            new.sync_all()?;
            std::fs::rename(&draft, &file)
        };
        put().map_err(|error| {
            // What went wrong first is what is told.
            drop(std::fs::remove_file(&draft));
            anyhow::Error::new(error).context(format!("{} cannot be written", file.display()))
        })
    }

    fn is_headed(&self, line: &str) -> bool {
        let head = line
            .trim()
            .strip_prefix('[')
            .and_then(|line| line.split_once(']'));
        let mut words = head
            .map(|(head, _)| head.split_whitespace())
            .into_iter()
            .flatten();
        match (words.next(), words.next(), words.next()) {
            (Some("profile"), Some(name), None) => name.trim_matches(['"', '\'']) == self.name,
            (Some("default"), None, None) => self.name == "default",
            _ => false,
        }
    }

    fn refuse_foreign(&self, text: &str) -> anyhow::Result<()> {
        let ours = |value: &str| value.contains(" credential-process --profile ");
        for line in self.section(text) {
            match setting(line) {
                Some((name, _)) if OTHERS.contains(&name) => {
                    bail!("it has `{name}`: remove it, or name another with --profile")
                }
                Some(("credential_process", value)) if !ours(value) => {
                    bail!("it has another `credential_process`: remove it, or name another with --profile")
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// The lines of the profile's section, its head left out.
    fn section<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let from = text.lines().skip_while(|line| !self.is_headed(line)).skip(1);
        from.take_while(|line| !is_head(line))
    }

    /// The file's text with the profile in it.
    fn within(&self, text: &str, login: &Login) -> String {
        let mut own = vec![
            format!("credential_process = {}", self.process),
            format!("region = {}", login.region),
            format!("endpoint_url = {}", login.moho),
        ];
        if let Some(ca) = &login.ca_file {
            own.push(format!("ca_bundle = {}", ca.display()));
        }
        let mut lines: Vec<String> = Vec::new();
        let (mut inside, mut there) = (false, false);
        for line in text.lines() {
            if is_head(line) {
                inside = !there && self.is_headed(line);
                lines.push(line.to_owned());
                if inside {
                    there = true;
                    lines.append(&mut own);
                }
            } else if !(inside && setting(line).is_some_and(|(name, _)| OWN.contains(&name))) {
                lines.push(line.to_owned());
            }
        }
        if !there {
            if lines.last().is_some_and(|last| !last.trim().is_empty()) {
                lines.push(String::new());
            }
            lines.push(match self.name.as_str() {
                "default" => "[default]".to_owned(),
                name => format!("[profile {name}]"),
            });
            lines.append(&mut own);
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn is_head(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// Name and value of a line that sets something; indented ones belong to the line before.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let own_line = !name.starts_with([' ', '\t', '#', ';']);
    own_line.then(|| (name.trim(), value.trim()))
}

fn read(file: &Path) -> anyhow::Result<String> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Ok(met) if met.len() > LONGEST => bail!("{} is too long to be changed", file.display()),
        Ok(_) | Err(_) => {}
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// A path that is one line of text.
pub(super) fn plain(path: &Path) -> anyhow::Result<&str> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    text.with_context(|| {
        let shown = path.to_string_lossy();
        format!("`{}` is no plain text: choose another path", shown.escape_debug())
    })
}

/// A word as AWS's tools, and shells, split it.
fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile() -> Profile {
        Profile::named("moho", Path::new("/opt/my tools/moho")).unwrap()
    }

    fn login() -> Login {
        serde_json::from_str(
            r#"{"moho": "https://moho:8443", "ca_file": "/ca.pem", "region": "eu-1", "role": "", "issuer": "", "client_id": "",
                "issuer_ca": null, "scope": "", "duration_seconds": 3600, "session_name": null, "id_token": null,
                "refresh_token": null, "session": null}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_program_with_a_path_for_a_shell_is_refused() {
        let refused = |path: &str| Profile::named("moho", Path::new(path)).is_err();
        for c in SHELLS.chars().chain("\n\r\t\0\u{7f}\u{85}".chars()) {
            assert!(refused(&format!("/opt/a{c}b/moho")), "{c:?}");
        }
        let bytes = std::os::unix::ffi::OsStrExt::from_bytes(&b"/opt/\xff"[..]);
        assert!(Profile::named("moho", Path::new::<std::ffi::OsStr>(bytes)).is_err());
        assert!(!refused("/opt/ä-b_c.d+e@f,g:h=i%j k/moho"));
    }

    const OURS: &str = "credential_process = \"/opt/my tools/moho\" credential-process --profile moho\nregion = eu-1\n\
                        endpoint_url = https://moho:8443\nca_bundle = /ca.pem\n";

    #[test]
    fn one_section_is_written_and_all_else_stays() {
        assert_eq!(profile().within("", &login()), format!("[profile moho]\n{OURS}"));
        let before = "[default]\nregion = a\n\n[profile moho]\nregion = b\n# mine\noutput = json\ns3 =\n  region = c\n[profile z]\nregion = d";
        let after = format!(
            "[default]\nregion = a\n\n[profile moho]\n{OURS}# mine\noutput = json\ns3 =\n  region = c\n[profile z]\nregion = d\n"
        );
        let written = profile().within(before, &login());
        assert_eq!(written, after);
        assert_eq!(
            profile().within(&written, &login()),
            after,
            "written again it is the same"
        );
        let appended = profile().within("[profile moho2]\nregion = a", &login());
        assert_eq!(
            appended,
            format!("[profile moho2]\nregion = a\n\n[profile moho]\n{OURS}")
        );
    }

    proptest! {
        #[test]
        fn whatever_the_file_says_it_is_kept(
            lines in proptest::collection::vec(r"(\[(profile )?(moho|z|default)\]|[a-z_ ]{0,6}= ?[a-z]{0,4}|#? ?[\PC]{0,8})", 0..12),
        ) {
            let before = lines.join("\n");
            let after = profile().within(&before, &login());
            prop_assert_eq!(&profile().within(&after, &login()), &after, "once is enough");
            let own = |line: &&str| setting(line).is_some_and(|(name, _)| OWN.contains(&name));
            let mut kept = after.lines();
            for line in before.lines().filter(|line| !own(line) && !line.is_empty()) {
                prop_assert!(kept.any(|other| other == line), "{}", line);
            }
        }
    }

    #[test]
    fn anothers_profile_is_left_alone() {
        let refused = |section: &str| {
            let text = format!("[profile moho]\n{section}\n[profile b]\nrole_arn = x");
            profile().refuse_foreign(&text).is_err()
        };
        assert!(refused("role_arn = arn:aws:iam::1:role/x"));
        assert!(refused("sso_session = x"));
        assert!(refused("credential_process = other --tool"));
        assert!(!refused("region = us-east-1"));
        assert!(!refused(
            "credential_process = /old/moho credential-process --profile moho"
        ));
    }

    #[test]
    fn the_file_keeps_its_mode_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real"), folder.path().join("config"));
        std::fs::write(&file, "[default]\n").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        profile().write(&link, &login()).unwrap();
        assert!(link.is_symlink());
        assert!(std::fs::read_to_string(&file).unwrap().contains("[profile moho]"));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        let new = folder.path().join("new/.aws/config");
        profile().write(&new, &login()).unwrap();
        assert_eq!(new.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
