//! Fifty statements as an organisation has them, and what is asked of them.

use std::sync::Arc;

use anyhow::Result;
use moho_iam::Session;
use moho_iam::authz::{
    AccessRequest, Attached, Context, EndpointFacts, ModelAgreement, OrganisationFacts, Policies,
    PrincipalFacts, PrincipalPolicies,
};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{AccountId, Arn};

/// Guard policies, level by level.
type Levels = Vec<Vec<Attached>>;

/// What is asked: whether it is allowed, action and resource.
#[rustfmt::skip]
const ASKED: [(bool, &str, &str); 16] = [
    (true, "kms:Decrypt", "arn:aws:kms:moho-local-1:111122223333:key/1"),
    (true, "kms:GenerateDataKey", "arn:aws:kms:moho-local-1:111122223333:key/2"),
    (true, "kms:DescribeKey", "arn:aws:kms:moho-local-1:111122223333:key/3"),
    (false, "kms:ScheduleKeyDeletion", "arn:aws:kms:moho-local-1:111122223333:key/3"),
    (true, "bedrock:InvokeModel", "arn:aws:bedrock:moho-local-1::foundation-model/llama-3"),
    (false, "bedrock:InvokeModel", "arn:aws:bedrock:moho-local-1::foundation-model/qwen-3"),
    (true, "bedrock:InvokeModelWithResponseStream", "arn:aws:bedrock:moho-local-1::foundation-model/llama-3"),
    (true, "bedrock:ListFoundationModels", "arn:aws:bedrock:moho-local-1:111122223333:*"),
    (true, "logs:DescribeLogGroups", "arn:aws:logs:moho-local-1:111122223333:log-group:x"),
    (true, "logs:PutLogEvents", "arn:aws:logs:moho-local-1:111122223333:log-group/rocks/x"),
    (false, "logs:PutLogEvents", "arn:aws:logs:moho-local-1:111122223333:log-group/sand/x"),
    (false, "logs:DeleteLogGroup", "arn:aws:logs:moho-local-1:111122223333:log-group:x"),
    (true, "s3:GetObject", "arn:aws:s3:::bucket/rocks/a/b/c"),
    (false, "s3:DeleteObject", "arn:aws:s3:::bucket/rocks/a/b/c"),
    (false, "iam:CreateUser", "arn:aws:iam::111122223333:user/x"),
    (false, "events:ListRules", "arn:aws:events:moho-local-1:111122223333:rule/x"),
];

/// Stands for the account in all that is written here.
const ACCOUNT: &str = "111122223333";

/// What is asked, and what the answer is.
pub(crate) struct Case {
    pub(crate) allowed: bool,
    action: &'static str,
    resource: Arn,
    context: Context,
    endpoint: EndpointFacts,
}

impl Case {
    pub(crate) fn request<'a>(&'a self, principal: &'a Session) -> AccessRequest<'a> {
        AccessRequest {
            principal,
            action: self.action,
            resource: &self.resource,
            context: &self.context,
            endpoint: Some(&self.endpoint),
        }
    }
}

/// Policies of one account.
pub(crate) struct Written(pub(crate) AccountId);

impl Written {
    fn attached(&self, kind: PolicyKind, name: &str, statements: &[String]) -> Result<Attached> {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        );
        let text = text.replace(ACCOUNT, self.0.as_str());
        Ok(Attached::new(name, Arc::new(PolicyDocument::parse(kind, &text)?)))
    }

    /// Five policies of six statements: services with literal and wild actions, resources with variables, conditions.
    fn identity(&self) -> Result<Vec<Attached>> {
        let services = ["s3", "logs", "kms", "bedrock", "events"];
        let policies = services.iter().map(|service| {
        let statements = [
            format!(
                r#"{{"Effect":"Allow","Action":["{service}:Get*","{service}:List*","{service}:Describe*"],"Resource":"*"}}"#
            ),
            format!(
                r#"{{"Effect":"Allow","Action":["{service}:PutObject","{service}:Encrypt","{service}:PutLogEvents"],
                    "Resource":"arn:aws:{service}:*:{ACCOUNT}:*/${{aws:PrincipalTag/team}}/*"}}"#
            ),
            format!(
                r#"{{"Effect":"Allow","Action":["{service}:Decrypt","{service}:GenerateDataKey*"],
                    "Resource":"arn:aws:{service}:*:{ACCOUNT}:key/*",
                    "Condition":{{"StringEquals":{{"kms:EncryptionContext:project":"${{aws:PrincipalTag/project}}"}}}}}}"#
            ),
            format!(
                r#"{{"Effect":"Allow","Action":"{service}:InvokeModel*","Resource":"arn:aws:{service}:*::foundation-model/llama*",
                    "Condition":{{"IpAddress":{{"aws:VpcSourceIp":["10.0.0.0/8","192.168.0.0/16"]}},"Bool":{{"aws:SecureTransport":"true"}}}}}}"#
            ),
            format!(
                r#"{{"Effect":"Deny","Action":"{service}:*","Resource":"*",
                    "Condition":{{"StringNotEqualsIfExists":{{"aws:RequestedRegion":["moho-local-1","moho-local-2"]}}}}}}"#
            ),
            format!(r#"{{"Effect":"Deny","Action":"{service}:Delete*","NotResource":"arn:aws:{service}:*:*:tmp/*"}}"#),
        ];
        self.attached(PolicyKind::Identity, service, &statements)
    });
        policies.collect()
    }

    /// A boundary of five, two levels of four guard statements each on principals, one on resources.
    fn guards(&self) -> Result<(Attached, Levels, Levels)> {
        let boundary: Vec<String> = ["s3", "logs", "kms", "bedrock", "bedrock-mantle"]
            .iter()
            .map(|service| format!(r#"{{"Effect":"Allow","Action":"{service}:*","Resource":"*"}}"#))
            .collect();
        let level = [
        r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#.to_owned(),
        r#"{"Effect":"Deny","Action":["organizations:LeaveOrganization","iam:CreateUser"],"Resource":"*"}"#.to_owned(),
        r#"{"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-example1234"}}}"#.to_owned(),
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Suspended*"}}}"#.to_owned(),
    ];
        let levels =
            ["root", "unit"].map(|name| Ok(vec![self.attached(PolicyKind::ServiceControl, name, &level)?]));
        let of_resource = [r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#.to_owned()];
        Ok((
            self.attached(PolicyKind::Boundary, "boundary", &boundary)?,
            levels.into_iter().collect::<Result<_>>()?,
            vec![vec![self.attached(
                PolicyKind::ResourceControl,
                "rcp",
                &of_resource,
            )?]],
        ))
    }

    /// All fifty but the endpoint's two.
    pub(crate) fn policies(&self) -> Result<Policies> {
        let (boundary, service_control, resource_control) = self.guards()?;
        let of_key = [
        format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"*","Resource":"*"}}"#),
        format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:role/Keeper"}},"Action":"kms:*","Resource":"*"}}"#),
        r#"{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"Null":{"kms:EncryptionContext:project":"true"}}}"#.to_owned(),
        r#"{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*","Condition":{"NumericLessThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}}"#.to_owned(),
    ];
        let organisation = OrganisationFacts {
            id: "o-example1234".to_owned(),
            path: "o-example1234/r-ab12/".to_owned(),
            management_account: "999999999999".parse()?,
        };
        let principal = PrincipalPolicies {
            identity: self.identity()?,
            boundary: Some(boundary),
            service_control,
            session_managed: Vec::new(),
            facts: PrincipalFacts {
                exists: true,
                organisation: Some(organisation),
                ..PrincipalFacts::default()
            },
        };
        Ok(Policies {
            principal: Arc::new(principal),
            resource: Some(self.attached(PolicyKind::Key, "key", &of_key)?),
            resource_control: Arc::new(resource_control),
            model_agreement: ModelAgreement::Accepted,
            ..Policies::default()
        })
    }

    /// The endpoint's two statements.
    pub(crate) fn endpoint(&self) -> Result<EndpointFacts> {
        let statements = [
        format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"*","Resource":"*"}}"#),
        r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-example1234"}}}"#.to_owned(),
    ];
        Ok(EndpointFacts {
            id: "vpce-0123456789abcdef0".to_owned(),
            vpc: "vpc-0123456789abcdef0".to_owned(),
            account: self.0,
            policy: self.attached(PolicyKind::Endpoint, "endpoint", &statements)?,
        })
    }

    /// As many keys as a real request has.
    fn context(&self, principal: &Session) -> Context {
        let mut context = Context::new();
        for (key, value) in [
            ("aws:PrincipalAccount", ACCOUNT),
            ("aws:PrincipalArn", principal.role_arn().as_str()),
            ("aws:PrincipalType", "AssumedRole"),
            ("aws:PrincipalOrgID", "o-example1234"),
            ("aws:PrincipalOrgPaths", "o-example1234/r-ab12/"),
            ("aws:PrincipalIsAWSService", "false"),
            ("aws:PrincipalTag/team", "rocks"),
            ("aws:PrincipalTag/project", "mantle"),
            ("aws:ViaAWSService", "false"),
            ("aws:userid", principal.user_id()),
            ("aws:TokenIssueTime", "2026-11-22T02:00:00Z"),
            ("aws:MultiFactorAuthPresent", "false"),
            ("aws:CurrentTime", "2026-11-22T03:00:00Z"),
            ("aws:EpochTime", "1795316400"),
            ("aws:SourceVpce", "vpce-0123456789abcdef0"),
            ("aws:SourceVpc", "vpc-0123456789abcdef0"),
            ("aws:VpcSourceIp", "10.1.2.3"),
            ("aws:SecureTransport", "true"),
            ("aws:UserAgent", "Boto3/1.44.5 md/Botocore#1.44.5"),
            ("aws:RequestedRegion", "moho-local-1"),
            ("aws:ResourceAccount", ACCOUNT),
            ("kms:CallerAccount", ACCOUNT),
            ("kms:EncryptionContext:project", "mantle"),
        ] {
            context.set(key, vec![value.replace(ACCOUNT, self.0.as_str())]);
        }
        context
    }

    /// What is asked: allowed and denied, by names, by patterns, by variables.
    pub(crate) fn cases(&self, principal: &Session) -> Result<Vec<Case>> {
        let endpoint = self.endpoint()?;
        let cases = ASKED.into_iter().map(|(allowed, action, resource)| {
            Ok(Case {
                allowed,
                action,
                resource: resource.replace(ACCOUNT, self.0.as_str()).parse()?,
                context: self.context(principal),
                endpoint: endpoint.clone(),
            })
        });
        cases.collect()
    }
}
