//! Whence a call came and on what, from what the journal knows of it.

use moho_iam::authz::{EventOrigin, EventSubject};
use moho_terms::{AccountId, Arn, BucketName, ObjectKey};
use serde::{Deserialize, Serialize};

use super::{EventCategory, Record};

/// How a connection was secured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsDetails {
    /// Such as `TLSv1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<String>,
    /// Such as `TLS_AES_128_GCM_SHA256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<String>,
    /// The host that the client meant to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_provided_host_header: Option<String>,
}

/// What a call was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Such as `AWS::S3::Object`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which one.
    #[serde(rename = "ARN", default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Which ones, of a call that lists: all whose ARN begins so.
    #[serde(rename = "ARNPrefix", default, skip_serializing_if = "Option::is_none")]
    pub arn_prefix: Option<String>,
}

impl Record {
    /// Adds whence the call came. A local socket has no address, and is `AWS Internal`, as AWS's own calls are.
    #[must_use]
    pub fn from_origin(mut self, origin: &EventOrigin) -> Self {
        let address = origin.source_ip.map(|address| address.to_string());
        self.source_ip_address = Some(address.unwrap_or_else(|| "AWS Internal".to_owned()));
        self.vpc_endpoint_id.clone_from(&origin.endpoint);
        self.vpc_endpoint_account_id = origin.endpoint_account;
        self.tls_details = origin.tls.map(|version| TlsDetails {
            tls_version: Some(format!("TLSv{version}")),
            cipher_suite: origin.cipher_suite.map(str::to_owned),
            ..TlsDetails::default()
        });
        self
    }

    /// Adds on what the call was, for its category.
    #[must_use]
    pub fn on_subject(mut self, subject: &EventSubject) -> Self {
        self.resources = Resource::of_subject(subject, self.event_category, self.user_identity.account_id);
        self
    }
}

impl Resource {
    /// The thing of this kind with this ARN.
    #[must_use]
    pub fn of(arn: impl Into<String>, kind: &str) -> Self {
        Self {
            account_id: None,
            kind: Some(kind.to_owned()),
            arn: Some(arn.into()),
            arn_prefix: None,
        }
    }

    /// What a call was about, as S3's records say it: the object, or the beginning of all of a bucket's objects, then the bucket,
    /// then the same of what was copied. Anything else by its ARN.
    #[must_use]
    pub fn of_subject(
        subject: &EventSubject,
        category: EventCategory,
        caller: Option<AccountId>,
    ) -> Vec<Self> {
        let mut all = Vec::new();
        // Whose a bucket is that nothing was allowed on, the caller may not know.
        let known = |bucket: &BucketName, account: Option<AccountId>| {
            account.filter(|account| Some(*account) == caller || subject.allowed_on.contains(bucket))
        };
        if let Some(bucket) = &subject.bucket {
            match (&subject.key, category) {
                (Some(key), _) => all.push(Self::object(bucket, key)),
                (None, EventCategory::Data) => all.push(Self {
                    account_id: None,
                    kind: Some("AWS::S3::Object".to_owned()),
                    arn: None,
                    arn_prefix: Some(format!("arn:aws:s3:::{bucket}/")),
                }),
                (None, EventCategory::Management | EventCategory::NetworkActivity) => {}
            }
            all.push(Self {
                account_id: known(bucket, subject.bucket_account),
                ..Self::bucket(bucket)
            });
        }
        if let Some(source) = &subject.copy_source {
            all.push(Self::object(&source.bucket, &source.key));
            all.push(Self {
                account_id: known(&source.bucket, source.account),
                ..Self::bucket(&source.bucket)
            });
        }
        for arn in subject.resource.iter().chain(&subject.resources) {
            all.push(Self {
                account_id: arn.account().parse().ok(),
                kind: kind_of(arn).map(str::to_owned),
                arn: Some(arn.to_string()),
                arn_prefix: None,
            });
        }
        all
    }

    fn object(bucket: &BucketName, key: &ObjectKey) -> Self {
        Self::of(format!("arn:aws:s3:::{bucket}/{key}"), "AWS::S3::Object")
    }

    fn bucket(bucket: &BucketName) -> Self {
        Self::of(format!("arn:aws:s3:::{bucket}"), "AWS::S3::Bucket")
    }
}

/// CloudFormation's name of what an ARN is the ARN of, where there is one.
#[must_use]
fn kind_of(arn: &Arn) -> Option<&'static str> {
    const KINDS: [(&str, &str, &str); 22] = [
        ("bedrock", "guardrail/", "AWS::Bedrock::Guardrail"),
        ("bedrock", "prompt/", "AWS::Bedrock::Prompt"),
        ("bedrock", "foundation-model/", "AWS::Bedrock::FoundationModel"),
        ("bedrock", "custom-model/", "AWS::Bedrock::CustomModel"),
        ("bedrock", "inference-profile/", "AWS::Bedrock::InferenceProfile"),
        (
            "bedrock",
            "application-inference-profile/",
            "AWS::Bedrock::ApplicationInferenceProfile",
        ),
        ("cloudtrail", "trail/", "AWS::CloudTrail::Trail"),
        ("ec2", "vpc-endpoint/", "AWS::EC2::VPCEndpoint"),
        ("iam", "role/", "AWS::IAM::Role"),
        ("iam", "user/", "AWS::IAM::User"),
        ("iam", "group/", "AWS::IAM::Group"),
        ("iam", "policy/", "AWS::IAM::Policy"),
        ("iam", "oidc-provider/", "AWS::IAM::OIDCProvider"),
        ("iam", "saml-provider/", "AWS::IAM::SAMLProvider"),
        ("kms", "key/", "AWS::KMS::Key"),
        ("kms", "alias/", "AWS::KMS::Alias"),
        ("lambda", "function:", "AWS::Lambda::Function"),
        ("logs", "log-group:", "AWS::Logs::LogGroup"),
        ("organizations", "account/", "AWS::Organizations::Account"),
        ("organizations", "ou/", "AWS::Organizations::OrganizationalUnit"),
        ("organizations", "policy/", "AWS::Organizations::Policy"),
        ("s3", "", "AWS::S3::Bucket"),
    ];
    let fits = |(service, begins, _): &&(&str, &str, &str)| {
        *service == arn.service() && arn.resource().starts_with(*begins)
    };
    if arn.service() == "s3" && arn.resource().contains('/') {
        return Some("AWS::S3::Object");
    }
    KINDS.iter().find(fits).map(|(_, _, kind)| *kind)
}
