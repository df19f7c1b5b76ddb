//! What goes wrong with a TPM: the way to it, its answer, or what it says.

use std::fmt;
use std::io;

/// A command that a TPM did not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// The device or socket cannot be used.
    #[error("the TPM cannot be asked: check that moho's user may use it")]
    Transport(#[from] io::Error),
    /// The TPM refused a command.
    #[error("{command} failed: {code}")]
    Refused {
        /// TCG's name of the command.
        command: &'static str,
        /// Why.
        code: ResponseCode,
    },
    /// An answer is not one of a TPM.
    #[error("the TPM's answer to {command} is malformed: {problem}")]
    Malformed {
        /// TCG's name of the command.
        command: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something is longer than a TPM takes.
    #[error("{0} is longer than a TPM takes")]
    TooLong(&'static str),
}

/// Why a TPM refused a command (`TPM_RC`, Part 2, 6.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResponseCode(pub(crate) u32);

/// Names of those codes that people meet, and what they can do about them.
const NAMES: &[(u32, &str)] = &[
    (
        0x100,
        "TPM_RC_INITIALIZE: it was not started, or was started already",
    ),
    (
        0x101,
        "TPM_RC_FAILURE: it is in failure mode: restart the machine",
    ),
    (
        0x120,
        "TPM_RC_DISABLED: this part of it is switched off in the firmware",
    ),
    (0x143, "TPM_RC_COMMAND_CODE: it does not know this command"),
    (0x081, "TPM_RC_ASYMMETRIC"),
    (0x083, "TPM_RC_HASH: it does not have this hash"),
    (0x084, "TPM_RC_VALUE"),
    (0x085, "TPM_RC_HIERARCHY: this hierarchy is switched off"),
    (0x08b, "TPM_RC_HANDLE"),
    (0x08e, "TPM_RC_AUTH_FAIL: the authorization is not the right one"),
    (0x092, "TPM_RC_SCHEME"),
    (0x095, "TPM_RC_SIZE"),
    (0x098, "TPM_RC_SELECTOR"),
    (0x099, "TPM_RC_POLICY_FAIL: registers are not as the policy says"),
    (0x09d, "TPM_RC_POLICY_FAIL: registers are not as the policy says"),
    (
        0x09f,
        "TPM_RC_INTEGRITY: this was not made by this TPM, or was altered",
    ),
    (0x0a2, "TPM_RC_BAD_AUTH: the authorization is not the right one"),
    (
        0x902,
        "TPM_RC_OBJECT_MEMORY: too many objects are loaded: use the device with a resource manager (/dev/tpmrm0)",
    ),
    (0x903, "TPM_RC_SESSION_MEMORY: too many sessions are open"),
    (
        0x921,
        "TPM_RC_LOCKOUT: too many wrong authorizations: wait, or clear the lockout (tpm2_dictionarylockout --clear-lockout)",
    ),
    (0x922, "TPM_RC_RETRY"),
];

impl ResponseCode {
    /// The code without what it says of parameters, handles and sessions (Part 2, 6.6.3).
    fn bare(self) -> u32 {
        if self.0 & 0x080 == 0 {
            self.0
        } else {
            self.0 & 0x0bf
        }
    }

    /// As TCG numbers it.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().find(|(code, _)| *code == self.bare());
        match known {
            Some((_, name)) => write!(f, "{name} ({:#05x}", self.0)?,
            None => write!(f, "TPM_RC {:#05x} (", self.0)?,
        }
        if self.0 & 0x080 != 0 {
            let number = self.0 >> 8 & 0x0f;
            let of = if self.0 & 0x040 != 0 {
                "parameter"
            } else if number & 8 != 0 {
                "session"
            } else {
                "handle"
            };
            let number = if of == "parameter" { number } else { number & 7 };
            write!(f, ", {of} {number}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
