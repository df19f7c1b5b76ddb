//! STS operations.

use moho_terms::{AccessKeyId, AccountId, Arn, RequestId, Secret, SessionName, Timestamp};

use crate::aws::document::{Document, Members};
use crate::aws::{QueryService, query_out};
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

impl AssumeRole {
    pub(super) fn read(members: &mut Members) -> Result<Self, Failure> {
        let role_arn: String = members.require("RoleArn")?;
        let session_name: String = members.require("RoleSessionName")?;
        Ok(Self {
            role_arn: role_arn
                .parse()
                .map_err(|_unsuitable| Failure::Validation(format!("{role_arn} is invalid")))?,
            session_name: session_name.parse().map_err(|_unsuitable| Failure::Internal)?,
            duration_seconds: members.take("DurationSeconds")?.unwrap_or(3600),
            policy: members.take("Policy")?,
        })
    }
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
        let credentials = Document::Structure(vec![
            member(
                "AccessKeyId",
                Document::Text(self.access_key_id.as_str().to_owned()),
            ),
            member("SecretAccessKey", Document::Sensitive(self.secret_access_key)),
            // The model does not call the token sensitive, but it is.
            member("SessionToken", Document::Sensitive(self.session_token)),
            member("Expiration", Document::Timestamp(self.expiration)),
        ]);
        let user = Document::Structure(vec![
            member("AssumedRoleId", Document::Text(self.assumed_role_id)),
            member("Arn", Document::Text(self.assumed_role_arn.as_str().to_owned())),
        ]);
        let mut members = vec![
            member("Credentials", credentials),
            member("AssumedRoleUser", user),
        ];
        if let Some(size) = self.packed_policy_size {
            members.push(member("PackedPolicySize", Document::Integer(size.into())));
        }
        query_out::reply(
            QueryService::Sts.model()?,
            "AssumeRole",
            &Document::Structure(members),
            request,
        )
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
        let document = Document::Structure(vec![
            member("UserId", Document::Text(self.user_id)),
            member("Account", Document::Text(self.account.as_str().to_owned())),
            member("Arn", Document::Text(self.arn.as_str().to_owned())),
        ]);
        query_out::reply(
            QueryService::Sts.model()?,
            "GetCallerIdentity",
            &document,
            request,
        )
    }
}

fn member(name: &str, value: Document) -> (String, Document) {
    (name.to_owned(), value)
}
