//! IAM operations.

use moho_terms::{Arn, RequestId};

use crate::{Failure, Reply};

/// A parsed `CreateOpenIDConnectProvider`.
pub struct CreateOpenIdConnectProvider {
    /// The provider's `https://` address.
    pub url: String,
    /// The audiences it may name.
    pub client_ids: Vec<String>,
    /// SHA-1 thumbprints of its certificate authorities.
    pub thumbprints: Vec<String>,
}

/// What `CreateOpenIDConnectProvider` answers.
pub struct CreateOpenIdConnectProviderReply {
    /// `arn:aws:iam::…:oidc-provider/…`
    pub arn: Arn,
}

impl CreateOpenIdConnectProviderReply {
    /// The reply on the wire.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(self, request: &RequestId) -> Result<Reply, Failure> {
        let _: &RequestId = request;
        todo!()
    }
}
