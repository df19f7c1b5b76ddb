//! Who may do what, as it is written down: every action, on what it is done on, here and elsewhere, by everybody.

use std::collections::BTreeMap;

use super::*;

/// Everybody there is.
const EVERYBODY: [&str; 9] = [
    "Admin",
    "Developer",
    "Nobody",
    "gone Admin",
    "user",
    "user session",
    "federated user",
    "web identity",
    "bootstrap",
];

/// What each action is done on.
fn done_on() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("../../../testdata/done_on.txt").lines();
    let pairs = lines.filter(|line| !line.starts_with('#'));
    pairs.map(|line| line.split_once(' ').unwrap()).collect()
}

#[test]
fn every_action_has_a_row_and_every_row_an_action() {
    let done_on = done_on();
    for action in action::ALL {
        assert!(
            done_on.contains_key(action),
            "`{action}` has no row: say in testdata/done_on.txt what it is done on"
        );
    }
    for action in done_on.keys() {
        assert!(action::ALL.contains(action), "there is no action `{action}`");
    }
    let rows = include_str!("../../../testdata/decisions.txt");
    for action in action::ALL {
        let row = |line: &str| line.starts_with(&format!("{action} | "));
        assert!(
            rows.lines().any(row),
            "testdata/decisions.txt has no row for `{action}`"
        );
    }
}

/// What everybody may do on each resource, as `testdata/decisions.txt` says it should be.
#[test]
fn who_may_do_what_is_as_written_down() {
    let done_on = done_on();
    let mut table = format!("# action | resource | {}\n", EVERYBODY.join(" | "));
    for action in action::ALL {
        let on = done_on.get(action).copied().unwrap_or_default();
        for (name, resource) in resources_for(on) {
            write!(table, "{action} | {name}").unwrap();
            for who in EVERYBODY {
                let given = given_for(who, action, &resource);
                let decision = decided(&caller(who), action, &resource, &given);
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

fn resources_for(on: &str) -> Vec<(&'static str, String)> {
    if on == "model" {
        let model = |name: &str| format!("arn:aws:bedrock:r::foundation-model/{name}");
        return vec![
            ("agreed model", model("agreed")),
            ("model without agreement", model("other")),
        ];
    }
    let mut parts = on.splitn(3, ':');
    let mut part = || parts.next().unwrap();
    let (service, region, resource) = (part(), part(), part());
    let arn = |account: &str| match service {
        "s3" => format!("arn:aws:s3:::{account}-{resource}"),
        _ => format!("arn:aws:{service}:{region}:{account}:{resource}"),
    };
    vec![("own", arn(OWN)), ("foreign", arn(FOREIGN))]
}

fn caller(who: &str) -> Session {
    let everything = allow(PolicyKind::Session, "*");
    match who {
        "user" => user(),
        "user session" => user_session(),
        "federated user" => federated_user(Some(&everything)),
        "web identity" => web_identity(),
        "bootstrap" => bootstrap(),
        role => session(role.trim_start_matches("gone "), None),
    }
}

/// The policies as a new account has them: trust and key policies name the account they are in, trust policies also the
/// account's identity provider. Users may do everything that there is.
fn given_for(who: &str, action: &str, resource: &str) -> Given {
    let identity = |text| {
        vec![Arc::new(
            PolicyDocument::parse(PolicyKind::Identity, text).unwrap(),
        )]
    };
    let owner = if resource.contains(FOREIGN) { FOREIGN } else { OWN };
    let root = format!("arn:aws:iam::{owner}:root");
    let trusted = format!(r#"{{"AWS":"{root}","Federated":"{PROVIDER}"}}"#);
    Given {
        owner: resource.starts_with("arn:aws:s3:").then_some(owner),
        gone: who.starts_with("gone"),
        identity: match who {
            "Developer" => identity(builtin::DEVELOPER),
            "Nobody" | "web identity" | "bootstrap" => vec![],
            _ => identity(builtin::ADMINISTRATOR),
        },
        resource: if resource.ends_with(":role/T") {
            let trust = of_resource(PolicyKind::Trust, "Allow", &trusted);
            Some(trust).filter(|_| action.starts_with("sts:"))
        } else if resource.contains(":key/") {
            Some(of_resource(PolicyKind::Key, "Allow", &aws(&root)))
        } else {
            None
        },
        model_agreement: match resource.split_once("foundation-model/") {
            Some((_, "agreed")) => ModelAgreement::Accepted,
            Some(_) => ModelAgreement::Missing,
            None => ModelAgreement::NotAModel,
        },
        ..Given::default()
    }
}
