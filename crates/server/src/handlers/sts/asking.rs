//! What a request for a session asks, in types that cannot be wrong.

use moho_iam::authz::{Context, Permit};
use moho_iam::policy::{PolicyDocument, PolicyError, PolicyKind};
use moho_iam::{Narrowing, NarrowingError, NarrowingRequest, SessionTags, TagError};
use moho_store::Store;
use moho_store::iam::{IamError, MakesSession};
use moho_terms::{Arn, SessionName, SourceIdentity};
use moho_wire::Failure;
use moho_wire::aws::ops::sts::{AssumeRole, AssumeRoleWithWebIdentity, PolicyDescriptorType, Tag};

use super::service;
use crate::road::from_store;

/// A request for a session of a role.
pub(crate) struct Asking {
    pub(crate) role: Arn,
    pub(crate) session_name: SessionName,
    pub(crate) duration_seconds: Option<u32>,
    pub(crate) narrowing: NarrowingRequest,
    pub(crate) tags: SessionTags,
    pub(crate) source_identity: Option<SourceIdentity>,
    pub(crate) external_id: Option<String>,
}

/// Session policies as they are asked for.
pub(crate) struct Narrowed {
    pub(crate) policy: Option<String>,
    pub(crate) policy_arns: Option<Vec<PolicyDescriptorType>>,
}

impl Asking {
    /// What `AssumeRole` asks.
    pub(crate) fn of_role(assume: AssumeRole) -> Result<Self, Failure> {
        let mut asking = Self::named(
            &assume.role_arn,
            &assume.role_session_name,
            assume.duration_seconds,
        )?;
        asking.narrowing = Narrowed {
            policy: assume.policy,
            policy_arns: assume.policy_arns,
        }
        .parse()?;
        asking.tags = session_tags(assume.tags, assume.transitive_tag_keys)?;
        asking.source_identity = assume
            .source_identity
            .map(|text| text.parse().map_err(|_unsuitable| invalid("SourceIdentity")))
            .transpose()?;
        asking.external_id = assume.external_id;
        Ok(asking)
    }

    /// What `AssumeRoleWithWebIdentity` asks, beside what the token says.
    pub(crate) fn of_web_identity(assume: &AssumeRoleWithWebIdentity) -> Result<Self, Failure> {
        let mut asking = Self::named(
            &assume.role_arn,
            &assume.role_session_name,
            assume.duration_seconds,
        )?;
        asking.narrowing = Narrowed {
            policy: assume.policy.clone(),
            policy_arns: assume.policy_arns.clone(),
        }
        .parse()?;
        Ok(asking)
    }

    fn named(role: &str, session_name: &str, seconds: Option<i64>) -> Result<Self, Failure> {
        let of_a_role = |arn: &Arn| arn.service() == "iam" && arn.resource().starts_with("role/");
        Ok(Self {
            role: role
                .parse()
                .ok()
                .filter(of_a_role)
                .ok_or_else(|| Failure::Validation(format!("{role} is invalid")))?,
            session_name: session_name
                .parse()
                .map_err(|_unsuitable| invalid("RoleSessionName"))?,
            duration_seconds: seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
            narrowing: NarrowingRequest::default(),
            tags: SessionTags::default(),
            source_identity: None,
            external_id: None,
        })
    }

    /// What conditions can ask about the request, if its session will have these tags and this source identity.
    pub(crate) fn context(&self, source_identity: Option<&SourceIdentity>) -> Context {
        let mut context = Context::new().with("sts:RoleSessionName", self.session_name.as_str());
        if let Some(id) = &self.external_id {
            context.set("sts:ExternalId", vec![id.clone()]);
        }
        if let Some(source) = source_identity {
            context.set("sts:SourceIdentity", vec![source.to_string()]);
        }
        of_tags(&mut context, &self.tags);
        context
    }
}

/// What conditions can ask about tags in a request.
pub(crate) fn of_tags(context: &mut Context, tags: &SessionTags) {
    for (key, value) in tags.all() {
        context.set(&format!("aws:RequestTag/{key}"), vec![value.clone()]);
    }
    if !tags.is_empty() {
        context.set("aws:TagKeys", tags.all().keys().cloned().collect());
    }
    if !tags.transitive().is_empty() {
        context.set(
            "sts:TransitiveTagKeys",
            tags.transitive().iter().cloned().collect(),
        );
    }
}

impl Narrowed {
    pub(crate) fn parse(self) -> Result<NarrowingRequest, Failure> {
        let malformed = |message: String| service("MalformedPolicyDocument", message, 400);
        let inline = self
            .policy
            .map(|text| PolicyDocument::parse(PolicyKind::Session, &text))
            .transpose()
            .map_err(|error| match error {
                PolicyError::TooLong { limit } => Failure::Validation(format!(
                    "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less \
                     than or equal to {limit}"
                )),
                PolicyError::Syntax { .. } | PolicyError::Grammar(_) => malformed(error.to_string()),
            })?;
        let managed = self.policy_arns.unwrap_or_default().into_iter().map(|named| {
            let text = named.arn.unwrap_or_default();
            text.parse::<Arn>()
                .ok()
                .filter(|arn| arn.service() == "iam" && arn.resource().starts_with("policy/"))
                .ok_or_else(|| Failure::Validation(format!("{text} is invalid")))
        });
        let managed = managed.collect::<Result<_, _>>()?;
        NarrowingRequest::new(inline, managed).map_err(|error| match error {
            NarrowingError::Kind => malformed(error.to_string()),
            NarrowingError::TooLong => service("PackedPolicyTooLarge", error.to_string(), 400),
            NarrowingError::TooMany => Failure::Validation(error.to_string()),
        })
    }
}

/// What the session that the permit is for is narrowed by. Only who may make it learns which managed policies are there.
pub(crate) fn narrowing<A: MakesSession>(
    store: &Store,
    permit: &Permit<A>,
    asked: NarrowingRequest,
) -> Result<Narrowing, Failure> {
    store.narrowing(permit, asked).map_err(|error| match error {
        IamError::Refused { message, .. } => Failure::Validation(message),
        IamError::Store(error) => from_store(&error),
    })
}

/// Tags as they are asked for.
pub(crate) fn session_tags(
    tags: Option<Vec<Tag>>,
    transitive: Option<Vec<String>>,
) -> Result<SessionTags, Failure> {
    let tags = tags
        .unwrap_or_default()
        .into_iter()
        .map(|tag| (tag.key, tag.value));
    SessionTags::parse(tags, transitive.unwrap_or_default()).map_err(|error| from_tags(&error))
}

/// Which rule tags break, in STS's words.
pub(super) fn from_tags(error: &TagError) -> Failure {
    service("InvalidParameterValue", error.to_string(), 400)
}

fn invalid(member: &str) -> Failure {
    Failure::Validation(format!("{member} is invalid"))
}
