//! Credentials that do not end: users' access keys and long-term bearer keys. They exist only where an organisation's
//! policy allows them; where they are kept is not this crate's to know.
//!
//! An access key's secret is kept sealed, as checking a signature needs it; of a bearer key only a digest is kept.

use std::error::Error;
use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{AccessKeyId, AccountId, Entropy, Secret, Timestamp};
use zeroize::Zeroizing;

use super::issue::random_secret;
use super::sealing::SealError;
use super::{Authenticator, AuthnError, IssueError};
use crate::action::iam::{CreateAccessKey, CreateServiceSpecificCredential, ResetServiceSpecificCredential};
use crate::authz::Permit;
use crate::session::{Principal, Session, Terms, UserRef};
use moho_terms::hex;

/// What a long-term bearer key begins with, before `base64(id:secret)`.
const PREFIX: &str = "ABSK";
/// The longest of them.
const MAX_KEY: usize = 512;

/// A user's access key as it is kept: active, and of a user that still is.
#[derive(Debug, Clone)]
pub struct LongLivedKey {
    /// Whose account.
    pub account: AccountId,
    /// Whose.
    pub user: UserRef,
    /// The secret, as [`NewAccessKey::sealed`] had it.
    pub sealed: Vec<u8>,
}

/// A long-term bearer key as it is kept: active, and of a user that still is.
#[derive(Debug, Clone)]
pub struct LongLivedBearer {
    /// Whose account.
    pub account: AccountId,
    /// Whose.
    pub user: UserRef,
    /// What [`NewBedrockKey::sha256`] was.
    pub sha256: [u8; 32],
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// The credentials could not be looked up. The request must fail.
#[derive(Debug, thiserror::Error)]
#[error("the credentials cannot be read")]
pub struct CredentialsUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl CredentialsUnavailable {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Where long-lived credentials are kept. What is inactive, of a user that is gone, or in an account that may have none
/// is absent.
pub trait CredentialSource: Send + Sync {
    /// The access key of this id.
    ///
    /// # Errors
    /// [`CredentialsUnavailable`] if that cannot be said.
    fn access_key(&self, id: &AccessKeyId) -> Result<Option<LongLivedKey>, CredentialsUnavailable>;

    /// The bearer key of this id, `BedrockAPIKey-…-at-ACCOUNT`.
    ///
    /// # Errors
    /// [`CredentialsUnavailable`] if that cannot be said.
    fn bedrock_key(&self, id: &str) -> Result<Option<LongLivedBearer>, CredentialsUnavailable>;
}

/// A new access key, to be told once.
pub struct NewAccessKey {
    /// `AKIA…`
    pub id: AccessKeyId,
    /// 40 ASCII characters.
    pub secret: Secret,
    /// The secret as it may be kept: only this installation opens it, and only for this id.
    pub sealed: Vec<u8>,
}

/// A new long-term bearer key, to be told once.
pub struct NewBedrockKey {
    /// `BedrockAPIKey-…-at-ACCOUNT`, which IAM calls the service's user name.
    pub id: String,
    /// The whole key, `ABSK…`: ASCII.
    pub secret: Secret,
    /// What may be kept of it.
    pub sha256: [u8; 32],
}

/// A long-term bearer key's secret was compared and found equal. Made by [`Authenticator::by_long_term_key`] only.
#[derive(Debug)]
pub(super) struct BearerSecretValid(());

/// A permit for what makes a bearer key.
pub trait MakesBedrockKey: sealed::Sealed {
    /// The account that it is for.
    fn account(&self) -> AccountId;
}

mod sealed {
    /// Only permits of this crate make keys.
    #[expect(unnameable_types, reason = "a sealed trait: nobody else may implement it")]
    pub trait Sealed {}
}

macro_rules! makes_bedrock_key {
    ($($action:ty),+) => {
        $(
            impl sealed::Sealed for Permit<$action> {}
            impl MakesBedrockKey for Permit<$action> {
                fn account(&self) -> AccountId {
                    self.session().account()
                }
            }
        )+
    };
}

makes_bedrock_key!(CreateServiceSpecificCredential, ResetServiceSpecificCredential);

impl Authenticator {
    /// This authenticator, which takes these long-lived credentials beside the temporary ones it issues.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn CredentialSource>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Makes an access key for a user of the permit's account. That there may be one is the caller's to know.
    ///
    /// # Errors
    /// [`IssueError`] if there are no random bytes.
    pub fn make_access_key(
        &self,
        permit: &Permit<CreateAccessKey>,
        entropy: &dyn Entropy,
    ) -> Result<NewAccessKey, IssueError> {
        let id = AccessKeyId::long_lived(permit.session().account(), entropy)?;
        let secret = random_secret(entropy)?;
        let plain = Zeroizing::new(secret.expose().to_vec());
        let sealed = self.access_keys.seal(id.as_str(), plain, entropy)?;
        Ok(NewAccessKey { id, secret, sealed })
    }

    /// Makes a long-term bearer key for a user of the permit's account, in the form of AWS's own.
    ///
    /// # Errors
    /// [`IssueError`] if there are no random bytes.
    pub fn make_bedrock_key(
        &self,
        permit: &impl MakesBedrockKey,
        entropy: &dyn Entropy,
    ) -> Result<NewBedrockKey, IssueError> {
        let mut name = [0_u8; 6];
        entropy.fill(&mut name)?;
        let id = format!("BedrockAPIKey-{}-at-{}", hex::encode(&name), permit.account());
        let mut random = Zeroizing::new([0_u8; 32]);
        entropy.fill(random.as_mut_slice())?;
        let secret = Zeroizing::new(STANDARD.encode(random.as_slice()));
        let whole = Zeroizing::new(format!("{id}:{}", *secret));
        let key = Zeroizing::new(STANDARD.encode(whole.as_bytes()));
        Ok(NewBedrockKey {
            sha256: kept(&id, &secret),
            secret: Secret::new(format!("{PREFIX}{}", *key).into_bytes()),
            id,
        })
    }

    /// Whose access key `id` is, with its secret; `None` if there is none.
    pub(super) fn access_key(&self, id: &str) -> Result<Option<(Session, Secret)>, AuthnError> {
        let (Some(credentials), Ok(id)) = (&self.credentials, id.parse::<AccessKeyId>()) else {
            return Ok(None);
        };
        let found = credentials.access_key(&id).map_err(|error| unavailable(&error))?;
        let Some(mut key) = found else {
            return Ok(None);
        };
        let Some(secret) = self.access_keys.open(id.as_str(), &mut key.sealed) else {
            return Ok(None);
        };
        let secret = Secret::new(secret.to_vec());
        let terms = Terms::new(Some(id), Timestamp::from_unix_seconds(0), None);
        Ok(Session::new(key.account, Principal::User(key.user), terms)
            .ok()
            .map(|session| (session, secret)))
    }

    /// Whose long-term bearer key this is. One that was never made costs what a wrong one does.
    pub(super) fn by_long_term_key(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<(Session, BearerSecretValid), AuthnError> {
        let (id, secret) = parse(key).ok_or(AuthnError::UnknownKey)?;
        let found = match &self.credentials {
            Some(credentials) => credentials
                .bedrock_key(&id)
                .map_err(|error| unavailable(&error))?,
            None => None,
        };
        let expected = found.as_ref().map_or([0; 32], |found| found.sha256);
        let equal = constant_time::verify_slices_are_equal(&expected, &kept(&id, &secret)).is_ok();
        let Some(found) = found.filter(|_| equal) else {
            return Err(AuthnError::UnknownKey);
        };
        if let Some(at) = found.expires_at.filter(|at| *at <= now) {
            return Err(AuthnError::Expired { at });
        }
        let terms = Terms::new(None, Timestamp::from_unix_seconds(0), found.expires_at);
        match Session::new(found.account, Principal::User(found.user), terms) {
            Ok(session) => Ok((session, BearerSecretValid(()))),
            Err(_unnamed) => Err(AuthnError::UnknownKey),
        }
    }
}

/// Whether a bearer key has the form of a long-term one.
pub(super) fn is_long_term(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Id and secret of a key.
pub(super) fn parse(key: &str) -> Option<(String, Zeroizing<String>)> {
    let encoded = key.strip_prefix(PREFIX).filter(|rest| rest.len() <= MAX_KEY)?;
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let fits = (1..=128).contains(&id.len()) && id.bytes().all(plain);
    fits.then(|| (id.to_owned(), Zeroizing::new(secret.to_owned())))
}

/// What is kept of a key: it has 256 random bits, so that nobody finds it by trying.
pub(super) fn kept(id: &str, secret: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in ["moho long-term bearer key\0", id, "\0", secret] {
        context.update(part.as_bytes());
    }
    let mut kept = [0; 32];
    for (to, from) in kept.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    kept
}

fn unavailable(error: &CredentialsUnavailable) -> AuthnError {
    let cause = error.source().map_or_else(String::new, ToString::to_string);
    AuthnError::Unavailable(format!("{error}: {cause}"))
}

impl From<SealError> for IssueError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Entropy(none) => Self::Entropy(none),
            SealError::Cipher => Self::Sealing,
        }
    }
}
