//! The types of policies, and what holds for each.

use moho_iam::organisation::{check_management, check_resource_control};
use moho_iam::policy::{PolicyDocument, PolicyKind};

/// A type of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyType {
    /// The most that principals of an account may do.
    ServiceControl,
    /// The most that may be done with resources of an account.
    ResourceControl,
    /// How tags are to be written.
    Tag,
    /// Whether services may use content to become better.
    AiServicesOptOut,
}

impl PolicyType {
    /// All that are served.
    pub const ALL: [Self; 4] = [
        Self::ServiceControl,
        Self::ResourceControl,
        Self::Tag,
        Self::AiServicesOptOut,
    ];

    /// As AWS Organizations writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceControl => "SERVICE_CONTROL_POLICY",
            Self::ResourceControl => "RESOURCE_CONTROL_POLICY",
            Self::Tag => "TAG_POLICY",
            Self::AiServicesOptOut => "AISERVICES_OPT_OUT_POLICY",
        }
    }

    /// The type of this name, if it is served.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// As it stands in ARNs.
    pub(super) fn arn_part(self) -> String {
        self.as_str().to_ascii_lowercase()
    }

    /// The first letter of its policies' ids, after `p-`.
    pub(super) fn letter(self) -> char {
        match self {
            Self::ServiceControl => 's',
            Self::ResourceControl => 'r',
            Self::Tag => 't',
            Self::AiServicesOptOut => 'a',
        }
    }

    /// The policy that AWS made, which is attached to everything from the start.
    #[must_use]
    pub fn full_access(self) -> Option<&'static str> {
        match self {
            Self::ServiceControl => Some("p-FullAWSAccess"),
            Self::ResourceControl => Some("p-RCPFullAWSAccess"),
            Self::Tag | Self::AiServicesOptOut => None,
        }
    }

    /// How many may be attached to one target: AWS's quotas.
    pub(super) fn attachments(self) -> usize {
        match self {
            Self::ServiceControl | Self::ResourceControl | Self::AiServicesOptOut => 5,
            Self::Tag => 10,
        }
    }

    /// The most characters one may have: AWS's quotas.
    fn limit(self) -> usize {
        match self {
            Self::ServiceControl => 10_240,
            Self::ResourceControl => 5120,
            Self::Tag => 10_000,
            Self::AiServicesOptOut => 2500,
        }
    }

    /// Whether single decisions are made with it.
    #[must_use]
    pub fn decides(self) -> bool {
        self.policy_kind().is_some()
    }

    /// How its documents are read.
    pub(super) fn policy_kind(self) -> Option<PolicyKind> {
        match self {
            Self::ServiceControl => Some(PolicyKind::ServiceControl),
            Self::ResourceControl => Some(PolicyKind::ResourceControl),
            Self::Tag | Self::AiServicesOptOut => None,
        }
    }

    /// Checks what a customer wrote.
    pub(super) fn check(self, content: &str) -> Result<(), ContentRefused> {
        if content.chars().count() > self.limit() {
            return Err(ContentRefused::TooLong);
        }
        let malformed = |why: String| ContentRefused::Malformed(why);
        match (self, self.policy_kind()) {
            (Self::Tag, _) => check_management("tags", content).map_err(|e| malformed(e.to_string())),
            (Self::AiServicesOptOut, _) => {
                check_management("services", content).map_err(|e| malformed(e.to_string()))
            }
            (Self::ServiceControl | Self::ResourceControl, kind) => {
                if let Some(kind) = kind {
                    PolicyDocument::parse(kind, content).map_err(|e| malformed(e.to_string()))?;
                }
                if self == Self::ResourceControl {
                    check_resource_control(content).map_err(|e| malformed(e.to_string()))?;
                }
                Ok(())
            }
        }
    }
}

/// Why a policy's content is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ContentRefused {
    TooLong,
    /// What is wrong, which may quote what was written: it goes to who wrote it.
    Malformed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name_and_a_letter_of_its_own() {
        for kind in PolicyType::ALL {
            assert_eq!(PolicyType::named(kind.as_str()), Some(kind));
            let letters = PolicyType::ALL
                .iter()
                .filter(|other| other.letter() == kind.letter());
            assert_eq!(letters.count(), 1);
        }
        assert_eq!(PolicyType::named("BACKUP_POLICY"), None);
    }

    #[test]
    fn content_is_checked_by_its_type() {
        let scp =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock:*","Resource":"*"}]}"#;
        let rcp = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:*","Resource":"*"}]}"#;
        let tags = r#"{"tags":{"a":{"tag_key":{"@@assign":"A"}}}}"#;
        let services = r#"{"services":{"default":{"opt_out_policy":{"@@assign":"optOut"}}}}"#;
        let all = [
            (PolicyType::ServiceControl, scp),
            (PolicyType::ResourceControl, rcp),
            (PolicyType::Tag, tags),
            (PolicyType::AiServicesOptOut, services),
        ];
        for (kind, own) in all {
            for (_, content) in all {
                assert_eq!(kind.check(content).is_ok(), content == own, "{kind:?} {content}");
            }
            let long = format!("{own}{}", " ".repeat(10_240));
            assert_eq!(kind.check(&long), Err(ContentRefused::TooLong));
        }
    }
}
