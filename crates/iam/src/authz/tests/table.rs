//! Who may do what, as it is written down.

use super::*;

/// What each role may do on each kind of resource, as `testdata/decisions.txt` says it should be.
#[test]
fn who_may_do_what_is_as_written_down() {
    let mut table = String::from("# action | resource | Admin | Developer | Nobody | bootstrap\n");
    for action in action::ALL {
        let resources = resources_for(action);
        assert!(
            !resources.is_empty(),
            "`{action}` has no row: say in resources_for what it is done on"
        );
        for (name, resource) in resources {
            write!(table, "{action} | {name}").unwrap();
            for role in ["Admin", "Developer", "Nobody", "bootstrap"] {
                let principal = if role == "bootstrap" {
                    bootstrap()
                } else {
                    session(role, None)
                };
                let decision = decide(
                    &principal,
                    action,
                    &resource,
                    &policies_for(role, action, &resource),
                );
                write!(table, " | {}", reason(&decision)).unwrap();
            }
            table.push('\n');
        }
    }
    let expected = include_str!("../../../testdata/decisions.txt");
    assert!(
        table == expected,
        "the decisions have changed; they are now:\n{table}"
    );
}

fn resources_for(action: &str) -> Vec<(&'static str, String)> {
    let both = |service: &str, region: &str, resource: &str| {
        let arn = |account: &str| format!("arn:aws:{service}:{region}:{account}:{resource}");
        vec![("own", arn(OWN)), ("foreign", arn(FOREIGN))]
    };
    let model = |name: &str| format!("arn:aws:bedrock:r::foundation-model/{name}");
    match action.split_once(':').unwrap() {
        (service, "CallWithBearerToken") => both(service, "r", "*"),
        ("bedrock-mantle", "GetInference" | "DeleteInference") => {
            both("bedrock-mantle", "r", "response/resp_1")
        }
        ("bedrock-mantle", "ListModels" | "GetUsage") => both("bedrock-mantle", "r", "project/default"),
        (
            "bedrock",
            "InvokeModel" | "InvokeModelWithResponseStream" | "CountTokens" | "GetFoundationModel",
        ) => {
            vec![
                ("agreed model", model("agreed")),
                ("model without agreement", model("other")),
            ]
        }
        ("bedrock", _) => both("bedrock", "r", "*"),
        ("bedrock-mantle", _) => {
            vec![
                ("agreed model", model("agreed")),
                ("model without agreement", model("other")),
            ]
        }
        ("kms", "CreateKey") => both("kms", "r", "*"),
        ("kms", _) => both("kms", "r", "key/1"),
        ("sts", _) => both("iam", "", "role/Admin"),
        ("iam", name) if name.contains("Provider") => both("iam", "", "oidc-provider/idp.example.com"),
        ("iam", _) => both("iam", "", "role/Admin"),
        ("organizations", _) => both("organizations", "", "account/o-example/111122223333"),
        ("ec2", _) => both("ec2", "r", "vpc-endpoint/vpce-0123456789abcdef0"),
        _ => vec![],
    }
}

/// The policies as a new account has them: trust and key policies name the account they are in.
fn policies_for(role: &str, action: &str, resource: &str) -> Given {
    let identity = |text| {
        vec![Arc::new(
            PolicyDocument::parse(PolicyKind::Identity, text).unwrap(),
        )]
    };
    let owner = if resource.contains(FOREIGN) { FOREIGN } else { OWN };
    let root = aws(&format!("arn:aws:iam::{owner}:root"));
    Given {
        identity: match role {
            "Admin" => identity(builtin::ADMINISTRATOR),
            "Developer" => identity(builtin::DEVELOPER),
            _ => vec![],
        },
        resource: match action {
            "sts:AssumeRole" => Some(of_resource(PolicyKind::Trust, "Allow", &root)),
            _ if resource.contains(":key/") => Some(of_resource(PolicyKind::Key, "Allow", &root)),
            _ => None,
        },
        model_agreement: match resource.split_once("foundation-model/") {
            Some((_, "agreed")) => ModelAgreement::Accepted,
            Some(_) => ModelAgreement::Missing,
            None => ModelAgreement::NotAModel,
        },
        ..Given::default()
    }
}
