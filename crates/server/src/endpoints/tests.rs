//! Which endpoint a request passes, and who may pass it, over a store of its own.

use moho_iam::action::{Action, sts};
use moho_iam::authz::{AccessRequest, Context, Decision, Policies, evaluate};
use moho_iam::bootstrap::{Attestation, Door};
use moho_terms::{Arn, ModelId};

use super::*;
use crate::config::{Config, Surroundings, Typed};
use crate::startup::{self, Started};

const SETTINGS: &str = "listen = []
[endpoints.vpce-0a1b2c3d]
listen = '127.0.0.1:0'
vpc = 'vpc-0a1b2c3d'
client_ca = '/nowhere/clients.pem'
[endpoints.vpce-1a1b2c3d]
listen = '127.0.0.1:0'
vpc = 'vpc-1a1b2c3d'
client_ca = '/nowhere/clients.pem'
accounts = ['999999999999', '888888888888']
";

fn opened(folder: &std::path::Path) -> Started {
    let surroundings = Surroundings {
        cores: 1,
        data_home: Some(folder.to_owned()),
    };
    let config = Config::resolve(&Typed::from_file(SETTINGS).unwrap(), &surroundings).unwrap();
    startup::open(&config, &mut |_, _, _| {}).unwrap()
}

#[tokio::test]
async fn a_listener_is_an_endpoint_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let Started { platform, .. } = opened(folder.path());
    assert_eq!(platform.attestation, Attestation::Development);
    let first: EndpointId = "vpce-0a1b2c3d".parse().unwrap();
    let second: EndpointId = "vpce-1a1b2c3d".parse().unwrap();
    let facts = platform.endpoints.facts(&first, "sts").unwrap();
    assert_eq!(
        (facts.id.as_str(), facts.vpc.as_str()),
        ("vpce-0a1b2c3d", "vpc-0a1b2c3d")
    );
    assert_eq!(
        facts.account, platform.account,
        "the first account's, unless told"
    );
    let source: Arn = facts.policy.source.as_str().parse().unwrap();
    assert_eq!(source.resource(), "vpc-endpoint/vpce-0a1b2c3d");
    let again = platform.endpoints.facts(&first, "sts").unwrap();
    assert!(Arc::ptr_eq(&facts, &again), "it is remembered");
    platform.endpoints.renew();
    let fresh = platform.endpoints.facts(&first, "sts").unwrap();
    assert!(!Arc::ptr_eq(&facts, &fresh), "until something changes");
    let others = platform.endpoints.facts(&second, "sts").unwrap();
    assert_eq!(others.account.as_str(), "999999999999");
    assert!(
        others
            .policy
            .document
            .as_str()
            .contains(r#"["999999999999","888888888888"]"#)
    );
    let absent: EndpointId = "vpce-2a1b2c3d".parse().unwrap();
    assert!(matches!(
        platform.endpoints.facts(&absent, "sts"),
        Err(EndpointError::Unknown(_))
    ));
    let vpc = |text: &str| text.parse::<VpcId>().unwrap();
    assert!(platform.endpoints.owns(platform.account, &vpc("vpc-0a1b2c3d")));
    assert!(!platform.endpoints.owns(platform.account, &vpc("vpc-1a1b2c3d")));
}

#[tokio::test]
async fn who_has_no_account_yet_passes_for_roles_of_the_allowed_accounts_only() {
    let folder = tempfile::tempdir().unwrap();
    let Started { platform, .. } = opened(folder.path());
    let facts = platform
        .endpoints
        .facts(&"vpce-1a1b2c3d".parse().unwrap(), "sts")
        .unwrap();
    let door = Door::open(platform.attestation, platform.store.identity_provider().unwrap()).unwrap();
    let own = platform.own_uid;
    let caller = door
        .admit(own, own, platform.account, platform.clock.now())
        .unwrap();
    let resource: Arn = "arn:aws:iam::888888888888:role/R".parse().unwrap();
    let passes = |keys: &[(&str, &str)]| {
        let mut context = Context::new();
        for (key, value) in keys {
            context = context.with(key, *value);
        }
        let request = AccessRequest {
            principal: caller.session(),
            // The one that nothing but an endpoint decides.
            action: sts::GetCallerIdentity::NAME,
            resource: &resource,
            context: &context,
            endpoint: Some(&*facts),
        };
        evaluate(&request, &Policies::default()).decision == Decision::Allow
    };
    let (principal, role) = ("aws:PrincipalAccount", "aws:ResourceAccount");
    assert!(passes(&[(role, "888888888888")]));
    assert!(!passes(&[(role, "777777777777")]), "a stranger's role");
    assert!(!passes(&[]), "no role at all");
    assert!(passes(&[(principal, "999999999999"), (role, "777777777777")]));
    assert!(!passes(&[(principal, "777777777777"), (role, "888888888888")]));
}

#[test]
fn requests_are_for_the_service_that_aws_would_call() {
    let service = |method: &str, path: &str, signed: Option<&str>| {
        let authorization = signed.map(|name| {
            format!(
                "AWS4-HMAC-SHA256 Credential=ASIAABCDEFGHIJKLMNOP/20261122/r/{name}/aws4_request, Signature=0"
            )
        });
        let route = moho_wire::route(&moho_wire::RequestHead {
            method,
            raw_path: path,
            raw_query: "",
            content_type: Some("application/x-www-form-urlencoded"),
            authorization: authorization.as_deref(),
            host: "localhost",
            of_aws: false,
        });
        of_request(route.ok().unwrap().target())
    };
    let model: ModelId = "a-model".parse().unwrap();
    let converse = format!("/model/{model}/converse");
    assert_eq!(service("POST", &converse, None), "bedrock-runtime");
    assert_eq!(service("POST", "/openai/v1/responses", None), "bedrock-runtime");
    assert_eq!(service("POST", "/v1/responses", None), "bedrock-mantle");
    assert_eq!(service("GET", "/foundation-models", None), "bedrock");
    assert_eq!(service("POST", "/inference-profiles", None), "bedrock");
    for name in [
        service("POST", &converse, None),
        service("GET", "/v1/models", None),
    ] {
        assert!(SERVICES.contains(&name), "an endpoint can be made for it");
    }
    for name in ["sts", "iam", "ec2"] {
        assert_eq!(service("POST", "/", Some(name)), name);
    }
    let region: Region = "us-east-1".parse().unwrap();
    assert_eq!(service_name(&region, EVERYTHING), "com.amazonaws.us-east-1.moho");
}
