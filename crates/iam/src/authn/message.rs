//! Encoded authorization messages: why something was denied, sealed, so that whoever was denied can hand it on but only
//! whoever may decode it in that account learns it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_terms::{AccountId, Entropy};
use zeroize::Zeroizing;

use super::{Authenticator, IssueError};
use crate::action::sts::DecodeAuthorizationMessage;
use crate::authz::Permit;

/// The longest encoded message that is read: AWS's limit.
const MAX_MESSAGE: usize = 10_240;

impl Authenticator {
    /// Encodes `detail`, a JSON document, for those of `account` who may decode it.
    ///
    /// # Errors
    /// [`IssueError`] if there are no random bytes.
    pub fn encode_authorization_message(
        &self,
        account: AccountId,
        detail: &str,
        entropy: &dyn Entropy,
    ) -> Result<String, IssueError> {
        let plain = Zeroizing::new(detail.as_bytes().to_vec());
        Ok(URL_SAFE_NO_PAD.encode(self.messages.seal(account.as_str(), plain, entropy)?))
    }

    /// What an encoded message of the permit's account says; `None` if it is not one.
    #[must_use]
    pub fn decode_authorization_message(
        &self,
        permit: &Permit<DecodeAuthorizationMessage>,
        message: &str,
    ) -> Option<String> {
        if message.len() > MAX_MESSAGE {
            return None;
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(message).ok()?;
        let plain = self
            .messages
            .open(permit.session().account().as_str(), &mut sealed)?;
        std::str::from_utf8(plain).ok().map(str::to_owned)
    }
}
