//! An account makes an endpoint for one service, in a network of its own.

use std::collections::{BTreeMap, BTreeSet};

use moho_iam::action::ec2;
use moho_iam::authz::{Context, Permit};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_store::{EndpointCreated, NewEndpoint};
use moho_terms::{EndpointId, Region, VpcId};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::ec2::{CreateVpcEndpoint, CreateVpcEndpointResult, TagSpecification};
use moho_wire::{Failure, Reply};

use super::describe::shown_endpoint;
use super::{blocking, no_service, shown, unless_dry, vpc_id, wrong};
use crate::endpoints::{EVERYTHING, SERVICES, service_name};
use crate::handlers::Asked;
use crate::road::from_store;

/// The most tags of one thing.
const MOST_TAGS: usize = 50;

/// A request that can be: what it says, before anything is looked up.
pub(crate) struct Creating {
    pub(crate) vpc: VpcId,
    service: String,
    policy: Option<PolicyDocument>,
    tags: BTreeMap<String, String>,
    client_token: Option<String>,
    dry_run: Option<bool>,
}

impl Creating {
    /// Understands a request.
    pub(crate) fn of(create: CreateVpcEndpoint, region: &Region) -> Result<Self, Failure> {
        let vpc = vpc_id(&create.vpc_id)?;
        let kind = create.vpc_endpoint_type.as_deref().unwrap_or("Gateway");
        if kind != "Interface" {
            let said =
                format!("Endpoint type ({kind}) does not match available service types ([Interface]).");
            return Err(wrong("InvalidParameter", said));
        }
        let service = create.service_name.ok_or_else(|| {
            wrong(
                "MissingParameter",
                "The request must contain the parameter ServiceName",
            )
        })?;
        let known = SERVICES.iter().chain([&EVERYTHING]);
        let mut known = known.map(|name| service_name(region, name));
        let here = create.service_region.is_none_or(|named| named == region.as_str());
        if !here || !known.any(|name| name == service) {
            return Err(no_service(&service));
        }
        served_by_name(create.private_dns_enabled)?;
        let client_token = create.client_token.filter(|token| !token.is_empty());
        if client_token
            .as_ref()
            .is_some_and(|token| token.len() > 64 || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            let said = "Value for parameter ClientToken is invalid. It has at most 64 ASCII characters.";
            return Err(wrong("InvalidParameterValue", said));
        }
        Ok(Self {
            vpc,
            service,
            policy: create.policy_document.as_deref().map(policy).transpose()?,
            tags: tags(create.tag_specifications.unwrap_or_default())?,
            client_token,
            dry_run: create.dry_run,
        })
    }

    /// Whether it tags what it makes.
    pub(crate) fn is_tagged(&self) -> bool {
        !self.tags.is_empty()
    }

    /// What conditions can ask about it.
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::new()
            .with("ec2:VpceServiceName", self.service.as_str())
            .with("ec2:CreateAction", "CreateVpcEndpoint");
        for (key, value) in &self.tags {
            context = context.with(&format!("aws:RequestTag/{key}"), value.as_str());
        }
        if self.is_tagged() {
            context.set("aws:TagKeys", self.tags.keys().cloned().collect());
        }
        context
    }
}

/// An endpoint is what its service's requests pass: that is what private DNS does at AWS.
pub(super) fn served_by_name(private_dns: Option<bool>) -> Result<(), Failure> {
    match private_dns {
        Some(false) => Err(wrong(
            "UnsupportedOperation",
            "PrivateDnsEnabled cannot be false: an endpoint is passed by all requests for its service that come in by its \
             network.",
        )),
        Some(true) | None => Ok(()),
    }
}

/// An endpoint's policy.
pub(super) fn policy(text: &str) -> Result<PolicyDocument, Failure> {
    PolicyDocument::parse(PolicyKind::Endpoint, text)
        .map_err(|error| wrong("InvalidPolicyDocument", error.to_string()))
}

fn tags(specifications: Vec<TagSpecification>) -> Result<BTreeMap<String, String>, Failure> {
    let (mut tags, mut folded) = (BTreeMap::new(), BTreeSet::new());
    for specification in specifications {
        if specification.resource_type.as_deref() != Some("vpc-endpoint") {
            let kind = specification.resource_type.unwrap_or_default();
            let said = format!(
                "'{}' is not a valid taggable resource type for this operation.",
                shown(&kind)
            );
            return Err(wrong("InvalidParameterValue", said));
        }
        for tag in specification.tags.unwrap_or_default() {
            let (key, value) = (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
            let invalid = |what: &str| Err(wrong("InvalidParameterValue", what));
            if key.is_empty() || key.chars().count() > 128 {
                return invalid("Tag key is invalid. It has 1 to 128 characters.");
            }
            if value.chars().count() > 256 {
                return invalid("Tag value exceeds the maximum length of 256 characters.");
            }
            if key.len() >= 4
                && key
                    .get(..4)
                    .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
            {
                return invalid("Tag keys starting with 'aws:' are reserved for internal use");
            }
            if !folded.insert(key.to_lowercase()) {
                return invalid(
                    "A tag key is specified twice: keys that differ in case only are the same key.",
                );
            }
            tags.insert(key, value);
        }
    }
    if tags.len() > MOST_TAGS {
        let said = format!("More than {MOST_TAGS} tags were specified.");
        return Err(wrong("TagLimitExceeded", said));
    }
    Ok(tags)
}

/// EC2 `CreateVpcEndpoint`. `_network` and `_tagging` are the leave to use the network, and to tag what is made.
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<ec2::CreateVpcEndpoint>,
    (_network, _tagging): (&Permit<ec2::CreateVpcEndpoint>, Option<&Permit<ec2::CreateTags>>),
    creating: Creating,
) -> Result<Reply, Failure> {
    let platform = std::sync::Arc::clone(&asked.platform);
    let account = permit.session().account();
    unless_dry(creating.dry_run)?;
    if !platform.endpoints.owns(account, &creating.vpc) {
        let said = format!("The Vpc Id {} does not exist", creating.vpc);
        return Err(wrong("InvalidVpcId.NotFound", said));
    }
    let conflict = wrong(
        "InvalidParameter",
        format!(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {} in the VPC {}",
            creating.service, creating.vpc
        ),
    );
    if creating.service == service_name(&platform.region, EVERYTHING) {
        return Err(conflict);
    }
    let id = EndpointId::random(&*platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let client_token = creating.client_token.clone();
    let new = NewEndpoint {
        id,
        vpc: creating.vpc,
        service: creating.service,
        policy: creating.policy,
        tags: creating.tags,
        client_token: creating.client_token,
    };
    let created = blocking(move || {
        let now = platform.clock.now();
        let created = platform.store.create_endpoint(&permit, &new, now);
        platform.endpoints.renew();
        created.map_err(|error| from_store(&error))
    })
    .await?;
    match created {
        EndpointCreated::Done(made) => CreateVpcEndpointResult {
            vpc_endpoint: Some(shown_endpoint(&asked.platform, made)),
            client_token,
        }
        .reply(Service::Ec2, "CreateVpcEndpoint", &asked.request),
        EndpointCreated::Conflict => Err(conflict),
        EndpointCreated::TokenReused => Err(wrong(
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous, but non-identical request.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use moho_wire::aws::ops::ec2::Tag;

    use super::*;

    fn specification(kind: &str, pairs: &[(&str, &str)]) -> Vec<TagSpecification> {
        let tag = |(key, value): &(&str, &str)| Tag {
            key: Some((*key).to_owned()),
            value: Some((*value).to_owned()),
        };
        vec![TagSpecification {
            resource_type: Some(kind.to_owned()),
            tags: Some(pairs.iter().map(tag).collect()),
        }]
    }

    fn code(refused: Result<impl Sized, Failure>) -> &'static str {
        match refused.err() {
            Some(Failure::Service { code, .. }) => code,
            _ => panic!("not refused"),
        }
    }

    fn request() -> CreateVpcEndpoint {
        CreateVpcEndpoint {
            dry_run: None,
            vpc_endpoint_type: Some("Interface".to_owned()),
            vpc_id: "vpc-0a1b2c3d".to_owned(),
            service_name: Some("com.amazonaws.us-east-1.sts".to_owned()),
            policy_document: None,
            route_table_ids: None,
            subnet_ids: None,
            security_group_ids: None,
            ip_address_type: None,
            dns_options: None,
            client_token: None,
            private_dns_enabled: None,
            tag_specifications: None,
            subnet_configurations: None,
            service_network_arn: None,
            resource_configuration_arn: None,
            service_region: None,
        }
    }

    #[test]
    fn requests_that_cannot_be_are_refused_in_ec2s_words() {
        let region: Region = "us-east-1".parse().unwrap();
        let refused = |change: &dyn Fn(&mut CreateVpcEndpoint)| {
            let mut create = request();
            change(&mut create);
            code(Creating::of(create, &region))
        };
        assert!(Creating::of(request(), &region).is_ok());
        assert_eq!(refused(&|c| c.vpc_id = "vpc-1".into()), "InvalidVpcId.Malformed");
        assert_eq!(refused(&|c| c.vpc_endpoint_type = None), "InvalidParameter");
        assert_eq!(refused(&|c| c.service_name = None), "MissingParameter");
        let foreign = "com.amazonaws.eu-west-1.sts";
        assert_eq!(
            refused(&|c| c.service_name = Some(foreign.into())),
            "InvalidServiceName"
        );
        assert_eq!(
            refused(&|c| c.service_region = Some("eu-west-1".into())),
            "InvalidServiceName"
        );
        assert_eq!(
            refused(&|c| c.private_dns_enabled = Some(false)),
            "UnsupportedOperation"
        );
        assert_eq!(
            refused(&|c| c.policy_document = Some("{".into())),
            "InvalidPolicyDocument"
        );
        assert_eq!(
            refused(&|c| c.client_token = Some("a b".into())),
            "InvalidParameterValue"
        );
    }

    #[test]
    fn tags_are_those_that_ec2_takes() {
        let of = |kind: &str, pairs: &[(&str, &str)]| tags(specification(kind, pairs));
        assert_eq!(
            of("vpc-endpoint", &[("a", "1"), ("b", "")]).ok().unwrap().len(),
            2
        );
        for pairs in [
            &[("", "1")][..],
            &[("AWS:x", "1")],
            &[("a", "1"), ("a", "2")],
            &[("a", "1"), ("A", "2")],
            &[(&*"k".repeat(129), "1")],
            &[("k", &*"v".repeat(257))],
        ] {
            assert_eq!(code(of("vpc-endpoint", pairs)), "InvalidParameterValue");
        }
        assert_eq!(code(of("vpc", &[("a", "1")])), "InvalidParameterValue");
        let names: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(code(of("vpc-endpoint", &many)), "TagLimitExceeded");
    }
}
