//! Users, groups, their long-lived credentials, and the identity providers and alias of an account.
//!
//! Everything is done on the strength of a permit, whose resource says what of which account is meant: there is no way to
//! name something of another account. Managed policies and tags are [`iam`](crate::iam)'s.
//!
//! Users and long-lived credentials exist only where the organisation allows them: nothing here makes one without, and
//! [`CredentialSource`](moho_iam::authn::CredentialSource) then finds none.

mod access_keys;
mod alias;
mod entities;
mod members;
mod oidc;
mod policies;
mod saml;
mod service_credentials;
mod source;
mod survey;
mod tags;
mod ways_in;

pub use access_keys::{AccessKey, LastUse};
pub use entities::{Group, IdentityFacts, NewUser, User};
pub use oidc::{NewOidcProvider, OidcProvider};
pub use policies::{Attaches, DeletesPolicy, Detaches, GetsPolicy, ListsAttached, ListsPolicies, PutsPolicy};
pub use saml::SamlProvider;
pub use service_credentials::ServiceCredential;
pub use survey::LongLivedCredentials;
pub use tags::{ListsTags, RemovesTags, SetsTags};
pub use ways_in::WaysIn;

pub(crate) use entities::{arn_of_user, user_with_arn};
pub(crate) use policies::user_policies;

use moho_terms::{AccountId, Arn, Entropy};
use rusqlite::Connection;

use crate::database::Stopped;
use crate::iam::error::Found;
use crate::iam::{IamCode, IamError, IdKind, unique_id};
use crate::{Store, StoreError};

impl Store {
    /// Goes on only where the organisation allows users and long-lived credentials.
    fn require_long_lived(&self, account: AccountId) -> Result<(), IamError> {
        if self.long_lived_credentials_allowed(account)? {
            return Ok(());
        }
        Err(IamCode::AccessDenied.because(format!(
            "Users and long-lived credentials are not allowed in account {account}: have the organization's management \
             account attach a service control policy with an Allow statement that names iam:CreateAccessKey to the \
             account, to an organizational unit above it or to the root; or assume a role instead"
        )))
    }
}

/// A refusal, where a query stops.
fn refused<T>(code: IamCode, sentence: String) -> Found<T> {
    Err(Stopped::Refused(code.because(sentence)))
}

fn over_quota<T>(name: &str, limit: u32) -> Found<T> {
    refused(
        IamCode::LimitExceeded,
        format!("Cannot exceed quota for {name}: {limit}"),
    )
}

/// An ARN of IAM's.
fn iam_arn(account: AccountId, resource: &str) -> Result<Arn, IamError> {
    let arn = Arn::of("iam", "", account.as_str(), resource);
    Ok(arn.map_err(StoreError::from)?)
}

/// A number that is compared with a quota.
fn count(connection: &Connection, query: &str, of: &str) -> rusqlite::Result<u32> {
    connection.prepare(query)?.query_row([of], |row| row.get(0))
}

/// A new unique id.
fn new_id(kind: IdKind, entropy: &dyn Entropy) -> Result<String, IamError> {
    unique_id(kind, entropy).map_err(|none| StoreError::Entropy(none).into())
}
