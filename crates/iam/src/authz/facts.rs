//! What is known about principals, resources, organisations and endpoints beside their policies: conditions ask about it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use moho_terms::{AccountId, Arn, RequestId};

use super::attached::Attached;

/// What is known about the principal that acts. The default is a principal that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrincipalFacts {
    /// Whether the role or user that the session is of is still there, under the same unique id. If it is not, everything
    /// but `sts:GetCallerIdentity` is denied.
    pub exists: bool,
    /// The tags of the role or user; the session's own tags are stronger.
    pub tags: BTreeMap<String, String>,
    /// The organisation that its account belongs to.
    pub organisation: Option<OrganisationFacts>,
    /// Whether it is a service-linked role: guard policies of the organisation do not bind those.
    pub service_linked: bool,
}

/// Where an account stands in its organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationFacts {
    /// `o-…`.
    pub id: String,
    /// `o-…/r-…/ou-…/`, from the organisation to the account's parent, with a slash at its end.
    pub path: String,
    /// The account that manages the organisation; guard policies do not bind it.
    pub management_account: AccountId,
}

/// What is known about the resource. The default is one that nothing is known of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceFacts {
    /// Who owns it, where its ARN does not say so (a bucket's).
    pub account: Option<AccountId>,
    /// Which it is, whatever else had its name before or gets it later, where its ARN does not say so (a bucket's).
    pub unique_id: Option<u64>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The organisation that its account belongs to.
    pub organisation: Option<OrganisationFacts>,
}

/// The private endpoint that a request came by.
#[derive(Debug, Clone)]
pub struct EndpointFacts {
    /// `vpce-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Who owns the endpoint.
    pub account: AccountId,
    /// What may pass it.
    pub policy: Attached,
}

/// What is known about a request, beside who asks for what.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Which request.
    pub request_id: RequestId,
    /// From which address; `None` on a local socket.
    pub source_ip: Option<IpAddr>,
    /// The user id of the process that sent it, as the kernel vouches; `None` for one from the network.
    pub peer_uid: Option<u32>,
    /// SHA-256 of the certificate, in DER, that its client showed and that was verified.
    pub client_certificate_sha256: Option<[u8; 32]>,
    /// SHA-256 of its `User-Agent`, as received.
    pub user_agent_sha256: Option<[u8; 32]>,
    /// Its `User-Agent`, if that is text.
    pub user_agent: Option<String>,
    /// The private endpoint it came by; `None` on a public listener.
    pub endpoint: Option<Arc<EndpointFacts>>,
    /// Whether it came encrypted.
    pub secure_transport: bool,
    /// For whose sake one of moho's own services acts.
    pub acting_for: Option<ActingFor>,
}

/// For whose sake a service acts: policies ask about it, so that it does for nobody else what it may do for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActingFor {
    /// The resource that wants it done.
    pub resource: Arn,
    /// Its account.
    pub account: AccountId,
}

impl RequestFacts {
    /// A request of which nothing else is known: no address, no endpoint, not encrypted.
    #[must_use]
    pub fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            source_ip: None,
            peer_uid: None,
            client_certificate_sha256: None,
            user_agent_sha256: None,
            user_agent: None,
            endpoint: None,
            secure_transport: false,
            acting_for: None,
        }
    }
}
