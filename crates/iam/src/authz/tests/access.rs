//! Who can use a key, and why, before anybody asks.

use std::collections::BTreeMap;

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/R";
const ID: &str = "AROARRRRRRRRRRRRRRRRR";
const ACTIONS: &[&str] = &["kms:Decrypt", "kms:PutKeyPolicy"];

/// The policy that a key begins with: its account's own policies decide.
fn of_account() -> Arc<PolicyDocument> {
    of_resource(PolicyKind::Key, "Allow", &aws(OWN))
}

/// A key policy of these statements.
fn key_policy(statements: &str) -> Arc<PolicyDocument> {
    document(PolicyKind::Key, statements)
}

fn told_of(given: &Given, arn: &str, id: &str) -> Vec<KeyAccess> {
    let policies = given.policies();
    let key = OWN_KEY.parse().unwrap();
    let arn = arn.parse().unwrap();
    let key = AccessibleKey {
        arn: &key,
        policies: &policies,
    };
    let who = Accessing {
        arn: &arn,
        unique_id: id,
        policies: &policies.principal,
    };
    key_access(key, who, ACTIONS)
}

/// The decision on `kms:Decrypt`: how, why, by what, under which conditions.
fn decrypt(given: &Given) -> (&'static str, &'static str, Vec<String>, Vec<String>) {
    let mut told = told_of(given, ROLE, ID);
    let at = told.iter().position(|told| told.actions.contains(&"kms:Decrypt"));
    let accessed = told.remove(at.unwrap()).accessed;
    let statements = accessed.statements.iter();
    let named = statements.map(|statement| format!("{:?} {}", statement.layer, statement.name()));
    (
        accessed.decision.as_str(),
        accessed.reason,
        named.collect(),
        accessed.conditions,
    )
}

fn expect(given: &Given, decision: &str, reason: &str, statements: &[&str], conditions: &[&str]) {
    let told = decrypt(given);
    let (by, under): (Vec<&str>, Vec<&str>) = (
        told.2.iter().map(String::as_str).collect(),
        told.3.iter().map(String::as_str).collect(),
    );
    assert_eq!(
        (told.0, told.1, by.as_slice(), under.as_slice()),
        (decision, reason, statements, conditions)
    );
}

fn base() -> Given {
    Given {
        identity: vec![allow(PolicyKind::Identity, "kms:*")],
        resource: Some(of_account()),
        ..Given::default()
    }
}

#[test]
fn each_layer_decides_as_it_does_for_a_request() {
    use PolicyKind::{Boundary, Identity, ResourceControl, ServiceControl};
    expect(&base(), "allowed", "allowed", &["Resource #1", "Identity A"], &[]);
    let directly = Given {
        identity: vec![],
        resource: Some(of_resource(PolicyKind::Key, "Allow", &aws(ROLE))),
        ..base()
    };
    expect(&directly, "allowed", "allowed", &["Resource #1"], &[]);
    let nothing = Given {
        identity: vec![],
        ..base()
    };
    expect(&nothing, "denied", "not-allowed/identity", &[], &[]);
    let of_another = Given {
        resource: Some(of_resource(PolicyKind::Key, "Allow", &aws(FOREIGN))),
        ..base()
    };
    expect(&of_another, "denied", "not-allowed/resource", &[], &[]);
    let denied = Given {
        identity: vec![allow(Identity, "*"), deny(Identity, "kms:Decrypt")],
        ..base()
    };
    expect(&denied, "denied", "explicit-deny/identity", &["Identity D"], &[]);
    let bounded = Given {
        boundary: Some(allow(Boundary, "s3:*")),
        ..base()
    };
    expect(&bounded, "denied", "not-allowed/boundary", &[], &[]);
    let within = Given {
        boundary: Some(allow(Boundary, "kms:*")),
        ..base()
    };
    expect(&within, "allowed", "allowed", &["Resource #1", "Identity A"], &[]);
    let guarded = Given {
        service_control: vec![vec![allow(ServiceControl, "*"), deny(ServiceControl, "kms:*")]],
        ..base()
    };
    expect(&guarded, "denied", "explicit-deny/service-control", &[], &[]);
    let resources = Given {
        resource_control: vec![vec![of_resource(ResourceControl, "Deny", r#""*""#)]],
        ..base()
    };
    expect(&resources, "denied", "explicit-deny/resource-control", &[], &[]);
}

#[test]
fn what_only_a_request_says_is_a_condition() {
    let mfa = r#"{"Sid":"M","Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#;
    let with = |statements: &str| Given {
        identity: vec![document(PolicyKind::Identity, statements)],
        ..base()
    };
    let both = ["Resource #1", "Identity M"];
    expect(
        &with(mfa),
        "conditional",
        "allowed",
        &both,
        &["aws:MultiFactorAuthPresent"],
    );
    let elsewhere = r#"{"Sid":"N","Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#;
    let allowed = r#"{"Sid":"A","Effect":"Allow","Action":"kms:*","Resource":"*"}"#;
    let denied = with(&format!("{allowed},{elsewhere}"));
    expect(
        &denied,
        "conditional",
        "allowed",
        &["Resource #1", "Identity A"],
        &["aws:SourceIp"],
    );
    // Allowed without, too: nothing depends on it.
    let anyway = with(&format!("{allowed},{mfa}"));
    expect(&anyway, "allowed", "allowed", &["Resource #1", "Identity A"], &[]);
    let guard = document(PolicyKind::ServiceControl, &format!("{allowed},{elsewhere}"));
    let organisation = Given {
        service_control: vec![vec![guard]],
        ..base()
    };
    let untold = ["the organization's policies"];
    expect(
        &organisation,
        "conditional",
        "allowed",
        &["Resource #1", "Identity A"],
        &untold,
    );
}

#[test]
fn what_is_so_of_every_request_is_none() {
    let named = |key: &str, value: &str| {
        let condition = format!(r#"{{"StringLike":{{"{key}":"{value}"}}}}"#);
        Given {
            identity: vec![document(
                PolicyKind::Identity,
                &format!(
                    r#"{{"Sid":"C","Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{condition}}}"#
                ),
            )],
            ..base()
        }
    };
    for (key, value, decision) in [
        ("aws:PrincipalArn", ROLE, "allowed"),
        ("aws:PrincipalArn", "arn:aws:iam::123456789012:role/S", "denied"),
        ("aws:ResourceAccount", OWN, "allowed"),
        ("aws:ResourceTag/team", "a", "denied"),
        ("aws:username", "*", "denied"),
        ("aws:PrincipalTag/team", "a", "conditional"),
        ("kms:ViaService", "bedrock*", "conditional"),
        ("kms:KeyOrigin", "EXTERNAL", "denied"),
        ("kms:KeyAgreementAlgorithm", "ECDH", "conditional"),
    ] {
        assert_eq!(decrypt(&named(key, value)).0, decision, "{key} {value}");
    }
}

#[test]
fn a_grant_gives_what_policies_do_not() {
    let given = |grant: Grant| Given {
        identity: vec![],
        grants: vec![grant],
        ..base()
    };
    let own = Grant {
        name: Some("backup".to_owned()),
        ..grant(OWN_KEY, ROLE)
    };
    expect(
        &given(own.clone()),
        "allowed",
        "allowed",
        &["Resource backup"],
        &[],
    );
    let told = told_of(&given(own.clone()), ROLE, ID);
    assert!(
        told[0].accessed.statements[0]
            .source
            .as_str()
            .starts_with("grant/")
    );
    assert_eq!(told[1].actions, ["kms:PutKeyPolicy"], "no grant gives that");
    let only = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
    let bound = Grant {
        constraint: Some(GrantConstraint::Subset(only)),
        ..own.clone()
    };
    expect(
        &given(bound),
        "conditional",
        "allowed",
        &["Resource backup"],
        &["kms:EncryptionContext"],
    );
    let of_former = Grant {
        grantee_id: Some("AROASSSSSSSSSSSSSSSSS".to_owned()),
        ..own
    };
    expect(&given(of_former), "denied", "not-allowed/identity", &[], &[]);
}

#[test]
fn users_are_told_by_name_and_tags() {
    let mine = r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:username":"ann"}}}"#;
    let given = Given {
        identity: vec![document(PolicyKind::Identity, mine)],
        ..base()
    };
    let decision = |arn: &str| {
        let told = told_of(&given, arn, "AIDAEXAMPLEEXAMPLE234");
        assert_eq!(told[0].actions[0], "kms:Decrypt");
        told[0].accessed.decision
    };
    assert_eq!(
        decision("arn:aws:iam::123456789012:user/team/ann"),
        AccessDecision::Allowed
    );
    assert_eq!(
        decision("arn:aws:iam::123456789012:user/team/bob"),
        AccessDecision::Denied
    );
    assert!(told_of(&given, "arn:aws:iam::123456789012:group/g", "").is_empty());
}

#[test]
fn who_is_not_there_any_more_may_nothing() {
    let gone = Given { gone: true, ..base() };
    expect(&gone, "denied", "principal-gone", &[], &[]);
}

#[test]
fn whom_a_key_names_elsewhere_is_told() {
    let policy = key_policy(
        r#"{"Sid":"Own","Effect":"Allow","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:role/R"]},"Action":"kms:*","Resource":"*"},
           {"Sid":"Other","Effect":"Allow","Principal":{"AWS":["210987654321","arn:aws:sts::123456789012:assumed-role/R/me"]},"Action":"kms:Decrypt","Resource":"*"},
           {"Sid":"All","Effect":"Allow","Principal":"*","Action":"kms:Encrypt","Resource":"*"},
           {"Sid":"No","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::210987654321:role/X"},"Action":"kms:Encrypt","Resource":"*"}"#,
    );
    let given = Given {
        resource: Some(policy),
        grants: vec![
            grant(OWN_KEY, "arn:aws:iam::210987654321:role/G"),
            grant(OWN_KEY, ROLE),
        ],
        ..Given::default()
    };
    let policies = given.policies();
    let key = OWN_KEY.parse().unwrap();
    let named = named_on_key(AccessibleKey {
        arn: &key,
        policies: &policies,
    });
    let told: Vec<(&str, String)> = named
        .iter()
        .map(|named| (named.principal.as_str(), named.by.name()))
        .collect();
    let grant = named
        .iter()
        .find(|named| named.by.source.as_str().starts_with("grant/"));
    assert_eq!(grant.unwrap().principal, "arn:aws:iam::210987654321:role/G");
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.contains(&("*", "All".to_owned())));
    assert!(told.contains(&("arn:aws:iam::210987654321:root", "Other".to_owned())));
    assert!(told.contains(&("arn:aws:sts::123456789012:assumed-role/R/me", "Other".to_owned())));
}
