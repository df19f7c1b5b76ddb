//! What sessions have to know of their role.

use std::collections::BTreeMap;

use moho_iam::RoleFacts;
use moho_terms::{AccountId, Arn, RoleName};
use rusqlite::params;

use crate::Store;
use crate::error::StoreError;

impl Store {
    /// What sessions of a role have to know of it; `None` if there is none with this very ARN.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn role_facts(&self, role: &Arn) -> Result<Option<RoleFacts>, StoreError> {
        let (Ok(account), Some(Ok(name))) = (
            role.account().parse::<AccountId>(),
            role.resource().strip_prefix("role/").map(str::parse::<RoleName>),
        ) else {
            return Ok(None);
        };
        let found = self.database.find(|connection| {
            connection
                .prepare("SELECT 1 FROM role WHERE account_id = ?1 AND name = ?2")?
                .query_row(params![account.as_str(), name.as_str()], |_| Ok(()))
        })?;
        Ok(found.map(|()| RoleFacts {
            arn: role.clone(),
            path: "/".to_owned(),
            id: role_id(&name),
            name,
            max_session_seconds: 43_200,
            tags: BTreeMap::new(),
        }))
    }
}

/// Made from the role's name: a role that is deleted and made again keeps its id.
fn role_id(name: &RoleName) -> String {
    let letters = name.as_str().bytes().filter(u8::is_ascii_alphanumeric);
    let letters = letters.map(|b| char::from(b.to_ascii_uppercase()));
    "AROA"
        .chars()
        .chain(letters.chain("A".repeat(17).chars()).take(17))
        .collect()
}
