//! Fixed credentials for local tools: as whom they act, and how loudly that is said.

use moho_iam::authn::{Authenticator, FixedCredentials};
use moho_iam::bootstrap::Attestation;
use moho_store::Store;
use moho_terms::{AccountId, Arn, SessionName, Timestamp};

use super::StartupError;

/// The role that they act as.
const ROLE: &str = "Admin";
/// What their session is called.
const SESSION: &str = "dev-static-credentials";

/// The authenticator, which takes them now. `first` is the account that this data directory began with.
pub(super) fn taken(
    authenticator: Authenticator,
    fixed: &FixedCredentials,
    (store, attestation): (&Store, Attestation),
    (first, now): (AccountId, Timestamp),
) -> Result<Authenticator, StartupError> {
    let role = Arn::of("iam", "", fixed.account.as_str(), &format!("role/{ROLE}"))?;
    let role = store.role_facts(&role)?.ok_or(StartupError::FixedAccount {
        asked: fixed.account,
        first,
    })?;
    let name: SessionName = SESSION.parse()?;
    Ok(authenticator.with_fixed_credentials(fixed, (&role, name), attestation, now)?)
}

/// What the start-up lines say of them; never the secret.
pub(super) fn posture(fixed: &FixedCredentials) -> String {
    format!(
        "fixed credentials are taken: whoever on this machine knows them acts as {ROLE} of account {}, without end \
         (--dev-static-credentials, key id {})",
        fixed.account, fixed.id
    )
}
