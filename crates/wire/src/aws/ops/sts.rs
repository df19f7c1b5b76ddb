//! STS operations.

use moho_terms::{AccessKeyId, AccountId, Arn, RequestId, Secret, SessionName, Timestamp};

use crate::{Failure, Reply};

/// A parsed `AssumeRole`.
pub struct AssumeRole {
    /// The role.
    pub role_arn: Arn,
    /// The caller's name for the session.
    pub session_name: SessionName,
    /// How long the credentials last, 900 to 43200 seconds; 3600 unless set.
    pub duration_seconds: u32,
    /// A session policy: IAM policy JSON that narrows what the role may do.
    pub policy: Option<String>,
}

/// What `AssumeRole` answers.
pub struct AssumeRoleReply {
    /// Public half of the credentials.
    pub access_key_id: AccessKeyId,
    /// Secret half, as text.
    pub secret_access_key: Secret,
    /// The session token, as text.
    pub session_token: Secret,
    /// When they end.
    pub expiration: Timestamp,
    /// `AROA…:session`
    pub assumed_role_id: String,
    /// `arn:aws:sts::…:assumed-role/…`
    pub assumed_role_arn: Arn,
    /// How much of the room for a packed session policy is used, in percent.
    pub packed_policy_size: Option<u32>,
}

impl AssumeRoleReply {
    /// The reply on the wire.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(self, request: &RequestId) -> Result<Reply, Failure> {
        let _: &RequestId = request;
        todo!()
    }
}

/// What `GetCallerIdentity` answers.
pub struct CallerIdentityReply {
    /// `AROA…:session`
    pub user_id: String,
    /// The account.
    pub account: AccountId,
    /// The caller.
    pub arn: Arn,
}

impl CallerIdentityReply {
    /// The reply on the wire.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(self, request: &RequestId) -> Result<Reply, Failure> {
        let _: &RequestId = request;
        todo!()
    }
}
