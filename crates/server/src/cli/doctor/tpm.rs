//! The TPM that the settings name: whether it is there, and whether this user may use it. It is asked for nothing.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::finding::{Finding, chain};

const TPM: &str = "tpm";

/// Looks at the TPM, if one is named.
pub(super) fn check(named: Option<&Path>) -> Option<Finding> {
    let path = named?;
    let shown = path.display();
    Some(match usable(path) {
        Ok(Kind::Device) => Finding::fine(TPM, format!("{shown} is there, and this user may use it")),
        Ok(Kind::Simulator) => Finding::warning(TPM, format!("{shown} is a socket, so it is a simulator's"))
            .why("what a simulator says of this host proves nothing")
            .cure("name a device, such as /dev/tpmrm0, with --tpm (`tpm`)"),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            Finding::note(TPM, format!("{shown} is in use by another program"))
                .why("a device without resource manager is for one program at a time")
                .cure("name /dev/tpmrm0, which several may use")
        }
        Err(error) => Finding::fault(TPM, format!("{shown} cannot be used: {}", chain(&error)))
            .why("moho does not start without the TPM that is named")
            .cure("/dev/tpmrm0, and moho's user in the device's group (tss); or leave `tpm` out"),
    })
}

enum Kind {
    Device,
    Simulator,
}

fn usable(path: &Path) -> io::Result<Kind> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_socket() {
        return Ok(Kind::Simulator);
    }
    if !kind.is_char_device() {
        return Err(io::Error::other("it is no device and no socket"));
    }
    OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Kind::Device)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn what_is_no_tpm_is_a_fault_and_a_simulator_a_warning() {
        assert!(check(None).is_none());
        let folder = tempfile::tempdir().unwrap();
        let (absent, file, socket) = (
            folder.path().join("absent"),
            folder.path().join("file"),
            folder.path().join("socket"),
        );
        std::fs::write(&file, "no TPM").unwrap();
        let _listening = UnixListener::bind(&socket).unwrap();
        let level = |path: &Path| check(Some(path)).unwrap().level;
        assert_eq!(level(&absent), Level::Fault);
        assert_eq!(level(&file), Level::Fault);
        assert_eq!(level(&socket), Level::Warning);
        assert_eq!(
            level(Path::new("/dev/null")),
            Level::Fine,
            "a device is only opened"
        );
    }
}
