//! Whether a key may be used.

use std::fmt;

use moho_terms::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::micros;

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum KeyState {
    /// It may.
    Enabled,
    /// It may not, until it is enabled again.
    Disabled,
    /// It may not, until all of its material is imported.
    PendingImport,
    /// It may not, and ends.
    PendingDeletion {
        /// When.
        #[serde(with = "micros")]
        at: Timestamp,
    },
}

impl KeyState {
    /// As AWS KMS writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingImport => "PendingImport",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
