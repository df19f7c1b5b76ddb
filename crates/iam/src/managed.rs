//! AWS's managed policies and the services that have linked roles, under the names that AWS gives them.
//!
//! The documents are moho's own, written after what AWS says each is for, and they name what moho serves. Nobody can change
//! them; anybody can read and attach them, but for those that belong to service-linked roles.

use aws_lc_rs::digest;

/// When all of them were made, in seconds since 1970.
pub const MADE_AT: u64 = 1_793_491_200;

/// A managed policy of AWS's.
#[derive(Debug, PartialEq, Eq)]
pub struct AwsManaged {
    /// Its name.
    pub name: &'static str,
    /// Begins and ends with a slash.
    pub path: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it says: its one version.
    pub document: &'static str,
    /// Whether customers may attach it.
    pub attachable: bool,
}

impl AwsManaged {
    /// `arn:aws:iam::aws:policy/path/name`
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }

    /// `ANPA` and 17 letters and digits, always the same.
    #[must_use]
    pub fn id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digest = digest::digest(&digest::SHA256, self.arn().as_bytes());
        let letters = digest.as_ref().iter().take(17);
        let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
        "ANPA"
            .chars()
            .chain(letters.map(|letter| char::from(*letter)))
            .collect()
    }
}

/// A service that has a role of its own in each account that wants its help.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkedService {
    /// Its principal, such as `macie.amazonaws.com`.
    pub principal: &'static str,
    /// Its role's name.
    pub role: &'static str,
    /// The policy of its role.
    pub policy: &'static AwsManaged,
    /// What its role is for.
    pub description: &'static str,
}

impl LinkedService {
    /// Where its role is: `/aws-service-role/PRINCIPAL/`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/aws-service-role/{}/", self.principal)
    }

    /// Who may assume its role: the service alone.
    #[must_use]
    pub fn trust_policy(&self) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{}"}},"Action":"sts:AssumeRole"}}]}}"#,
            self.principal
        )
    }
}

macro_rules! attachable {
    ($name:literal, $description:literal) => {
        AwsManaged {
            name: $name,
            path: "/",
            description: $description,
            document: include_str!(concat!("../policies/aws/", $name, ".json")),
            attachable: true,
        }
    };
}

macro_rules! of_a_service {
    ($name:literal, $description:literal) => {
        AwsManaged {
            name: $name,
            path: "/aws-service-role/",
            description: $description,
            document: include_str!(concat!("../policies/aws/", $name, ".json")),
            attachable: false,
        }
    };
}

/// All of them.
pub static ALL: &[AwsManaged] = &[
    attachable!(
        "AdministratorAccess",
        "Provides full access to all services and resources."
    ),
    attachable!(
        "AmazonBedrockFullAccess",
        "Provides full access to Bedrock, and what it needs of keys, networks and roles."
    ),
    attachable!(
        "AmazonBedrockLimitedAccess",
        "Provides access to the models of Bedrock, without the right to change what others use."
    ),
    attachable!(
        "AmazonBedrockMantleFullAccess",
        "Provides full access to Bedrock Mantle."
    ),
    attachable!(
        "AmazonBedrockMantleInferenceAccess",
        "Provides access to inference by Bedrock Mantle, and read access to the rest of it."
    ),
    attachable!(
        "AmazonBedrockMantleReadOnly",
        "Provides read access to Bedrock Mantle."
    ),
    attachable!("AmazonBedrockReadOnly", "Provides read access to Bedrock."),
    attachable!("IAMFullAccess", "Provides full access to IAM."),
    attachable!("IAMReadOnlyAccess", "Provides read access to IAM."),
    attachable!(
        "PowerUserAccess",
        "Provides full access to services and resources, but not to users, groups, roles and the organization."
    ),
    attachable!(
        "ReadOnlyAccess",
        "Provides read access to services and resources."
    ),
    attachable!(
        "SecurityAudit",
        "Provides read access to what the security of an account depends on."
    ),
    of_a_service!(
        "AWSOrganizationsServiceTrustPolicy",
        "Lets Organizations make the service-linked roles of the services it works with."
    ),
    of_a_service!(
        "AccessAnalyzerServiceRolePolicy",
        "Lets Access Analyzer read what grants access."
    ),
    of_a_service!(
        "AmazonMacieServiceRolePolicy",
        "Lets Macie look for sensitive data in buckets."
    ),
    of_a_service!(
        "CloudTrailServiceRolePolicy",
        "Lets CloudTrail keep the trails of an organization."
    ),
    of_a_service!(
        "CloudWatchEventsServiceRolePolicy",
        "Lets EventBridge act on alarms and deliver events."
    ),
];

/// Every service that has a linked role: those whose work moho does.
pub static SERVICES: &[(&str, &str, &str, &str)] = &[
    (
        "access-analyzer.amazonaws.com",
        "AWSServiceRoleForAccessAnalyzer",
        "AccessAnalyzerServiceRolePolicy",
        "Lets Access Analyzer read what grants access.",
    ),
    (
        "cloudtrail.amazonaws.com",
        "AWSServiceRoleForCloudTrail",
        "CloudTrailServiceRolePolicy",
        "Lets CloudTrail keep the trails of an organization.",
    ),
    (
        "events.amazonaws.com",
        "AWSServiceRoleForCloudWatchEvents",
        "CloudWatchEventsServiceRolePolicy",
        "Lets EventBridge act on alarms and deliver events.",
    ),
    (
        "macie.amazonaws.com",
        "AWSServiceRoleForAmazonMacie",
        "AmazonMacieServiceRolePolicy",
        "Lets Macie look for sensitive data in buckets.",
    ),
    (
        "organizations.amazonaws.com",
        "AWSServiceRoleForOrganizations",
        "AWSOrganizationsServiceTrustPolicy",
        "Lets Organizations make the service-linked roles of the services it works with.",
    ),
];

/// The managed policy of AWS's that has this ARN.
#[must_use]
pub fn find(arn: &str) -> Option<&'static AwsManaged> {
    ALL.iter().find(|policy| policy.arn() == arn)
}

/// The service of this principal, if it has a linked role.
#[must_use]
pub fn linked_service(principal: &str) -> Option<LinkedService> {
    let (principal, role, policy, description) = *SERVICES.iter().find(|(known, ..)| *known == principal)?;
    Some(LinkedService {
        principal,
        role,
        policy: ALL.iter().find(|known| known.name == policy)?,
        description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{PolicyDocument, PolicyKind};

    #[test]
    fn every_document_is_a_policy_and_every_service_has_one() {
        for policy in ALL {
            let parsed = PolicyDocument::parse(PolicyKind::Identity, policy.document);
            assert!(parsed.is_ok(), "{}: {parsed:?}", policy.name);
            assert_eq!(find(&policy.arn()), Some(policy));
            assert_eq!(policy.id().len(), 21);
        }
        let mut ids: Vec<String> = ALL.iter().map(AwsManaged::id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
        assert_eq!(
            find("arn:aws:iam::aws:policy/AWSOrganizationsServiceTrustPolicy"),
            None
        );
        for (principal, ..) in SERVICES {
            let service = linked_service(principal).unwrap();
            assert!(!service.policy.attachable, "{principal}");
            let trust = PolicyDocument::parse(PolicyKind::Trust, &service.trust_policy());
            assert!(trust.is_ok(), "{principal}: {trust:?}");
        }
        assert_eq!(linked_service("bedrock.amazonaws.com"), None);
    }
}
