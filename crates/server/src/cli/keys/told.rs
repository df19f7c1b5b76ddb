//! What `GET /v1/keys` and `GET /v1/keys/{key}` say, as it is read here and given on to programs.

use serde::{Deserialize, Serialize};

/// A page of the list.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Key>,
    pub(super) has_more: bool,
    pub(super) last_id: Option<String>,
}

/// A key; what the list alone says has nothing from `arn` on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) exists: bool,
    pub(super) accounts_own: bool,
    pub(super) sealed: Vec<Sealed>,
    #[serde(default)]
    pub(super) arn: Option<String>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) deleted_at: Option<u64>,
    #[serde(default)]
    pub(super) spec: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<String>,
    #[serde(default)]
    pub(super) principals: Vec<Principal>,
    #[serde(default)]
    pub(super) has_more_principals: bool,
    #[serde(default)]
    pub(super) named: Vec<Named>,
    /// Why there is no more of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_shown: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sealed {
    pub(super) what: String,
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// A role or user of the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Principal {
    pub(super) principal: String,
    #[serde(rename = "use")]
    pub(super) uses: Vec<Decided>,
    #[serde(rename = "manage")]
    pub(super) manages: Vec<Decided>,
}

/// Actions that are decided alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) actions: Vec<String>,
    pub(super) decision: String,
    pub(super) reason: String,
    pub(super) by: Vec<Deciding>,
    pub(super) conditions: Vec<String>,
}

/// A statement or grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Deciding {
    pub(super) policy: String,
    pub(super) statement: String,
}

/// Somebody else whom the key names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) principal: String,
    pub(super) by: Deciding,
}
