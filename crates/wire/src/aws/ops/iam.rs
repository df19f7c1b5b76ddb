//! IAM operations.

use moho_terms::{Arn, RequestId};

use crate::aws::document::{Document, Members};
use crate::aws::{QueryService, query_out};
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

impl CreateOpenIdConnectProvider {
    pub(super) fn read(members: &mut Members) -> Result<Self, Failure> {
        Ok(Self {
            url: members.require("Url")?,
            client_ids: members.take("ClientIDList")?.unwrap_or_default(),
            thumbprints: members.take("ThumbprintList")?.unwrap_or_default(),
        })
    }
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
        let arn = Document::Text(self.arn.as_str().to_owned());
        let document = Document::Structure(vec![("OpenIDConnectProviderArn".to_owned(), arn)]);
        query_out::reply(
            QueryService::Iam.model()?,
            "CreateOpenIDConnectProvider",
            &document,
            request,
        )
    }
}
