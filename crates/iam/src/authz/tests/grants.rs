//! What grants give, to whom, and what they do not.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{asks_with, request};
use super::*;
use crate::action::{Action, kms};
use crate::authn::Authenticated;

const ROLE: &str = "arn:aws:iam::123456789012:role/R";
const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/R/me";

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn of(grants: &[Grant]) -> Given {
    Given {
        grants: grants.to_vec(),
        ..Given::default()
    }
}

/// What a session of the role is told and what is written down.
fn ask<A: Action>(given: &Given, resource: &str, context: &Context) -> (Result<Permit<A>, Refusal>, Entry) {
    let caller = Authenticated::through_the_door(session("R", None));
    let (told, entries) = asks_with(given.policies(), &caller, &request(), (resource, context));
    (told, entries.last().unwrap().clone())
}

fn may<A: Action>(given: &Given, context: &Context) -> bool {
    ask::<A>(given, OWN_KEY, context).0.is_ok()
}

#[test]
fn every_operation_is_an_action_and_no_other_action_is_one() {
    for action in action::ALL {
        let operation = GrantOperation::of_action(action);
        let named = operation.map(|operation| format!("kms:{operation}"));
        assert!(named.is_none_or(|named| named == *action));
    }
    for operation in GrantOperation::ALL {
        assert_eq!(operation.as_str().parse(), Ok(*operation));
        assert!(
            action::ALL.contains(&format!("kms:{operation}").as_str()),
            "{operation}"
        );
    }
    for other in [
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "s3:Decrypt",
        "Decrypt",
        "kms:decrypt",
    ] {
        assert_eq!(GrantOperation::of_action(other), None, "{other}");
    }
}

#[test]
fn a_grant_is_on_one_key_for_its_operations_and_its_grantee() {
    let own = grant(OWN_KEY, ROLE);
    let nothing = Context::new();
    assert!(may::<kms::Decrypt>(&of(std::slice::from_ref(&own)), &nothing));
    assert!(!may::<kms::PutKeyPolicy>(
        &of(std::slice::from_ref(&own)),
        &nothing
    ));
    let another = Grant {
        key: "arn:aws:kms:r:123456789012:key/2".parse().unwrap(),
        ..own.clone()
    };
    assert!(!may::<kms::Decrypt>(&of(&[another]), &nothing));
    let sign = Grant {
        operations: [GrantOperation::Sign].into(),
        ..own.clone()
    };
    assert!(may::<kms::Sign>(&of(std::slice::from_ref(&sign)), &nothing));
    assert!(!may::<kms::Decrypt>(&of(&[sign]), &nothing));
    let id = |id: &str| {
        of(&[Grant {
            grantee_id: Some(id.to_owned()),
            ..own.clone()
        }])
    };
    assert!(may::<kms::Decrypt>(&id("AROARAAAAAAAAAAAAAAAA"), &nothing));
    assert!(
        !may::<kms::Decrypt>(&id("AROARBBBBBBBBBBBBBBBB"), &nothing),
        "another role had this name"
    );
}

#[test]
fn a_constraint_is_compared_to_the_letter() {
    let with = |given: &[(&str, &str)]| Context::new().with_encryption_context(Arc::new(pairs(given)));
    let constrained = |constraint| {
        of(&[Grant {
            constraint: Some(constraint),
            ..grant(OWN_KEY, ROLE)
        }])
    };
    let equals = constrained(GrantConstraint::Equals(pairs(&[("a", "1")])));
    let subset = constrained(GrantConstraint::Subset(pairs(&[("a", "1")])));
    for (context, in_equals, in_subset) in [
        (with(&[("a", "1")]), true, true),
        (with(&[("a", "1"), ("b", "2")]), false, true),
        (with(&[("A", "1")]), false, false),
        (with(&[("a", "2")]), false, false),
        (with(&[("A", "1"), ("a", "2")]), false, false),
        (with(&[]), false, false),
        (Context::new(), false, false),
        // What only conditions see is no encryption context.
        (Context::new().with("kms:EncryptionContext:a", "1"), false, false),
    ] {
        assert_eq!(may::<kms::Decrypt>(&equals, &context), in_equals, "{context:?}");
        assert_eq!(may::<kms::Decrypt>(&subset, &context), in_subset, "{context:?}");
        // What has no encryption context is not bound by one.
        assert!(may::<kms::DescribeKey>(&equals, &context) && may::<kms::Sign>(&subset, &context));
    }
}

#[test]
fn conditions_see_the_encryption_context_too() {
    let asked =
        Context::new().with_encryption_context(Arc::new(pairs(&[("Case", "1"), ("case", "2"), ("b", "3")])));
    let values = |key: &str| asked.get(key).map(<[String]>::to_vec);
    let list = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
    assert_eq!(values("kms:EncryptionContext:CASE"), list(&["1", "2"]));
    assert_eq!(values("kms:EncryptionContext:b"), list(&["3"]));
    assert_eq!(values("kms:EncryptionContextKeys"), list(&["Case", "b", "case"]));
    let none = Context::new().with_encryption_context(Arc::default());
    assert_eq!(none.get("kms:EncryptionContextKeys"), None);
    assert_eq!(none.encryption_context(), Some(&BTreeMap::new()));
    let (permit, _) = ask::<kms::Decrypt>(&of(&[grant(OWN_KEY, ROLE)]), OWN_KEY, &asked);
    assert_eq!(permit.unwrap().context().encryption_context().unwrap().len(), 3);
}

#[test]
fn the_permit_and_the_journal_name_the_grants_only_if_it_takes_them() {
    let one = grant(OWN_KEY, ROLE);
    let two = Grant {
        name: Some("mine".to_owned()),
        ..grant(OWN_KEY, SESSION)
    };
    let both = [one, two.clone()];
    let (permit, entry) = ask::<kms::Decrypt>(&of(&both), OWN_KEY, &Context::new());
    let by: Vec<_> = permit
        .unwrap()
        .grants()
        .iter()
        .map(|grant| grant.id.clone())
        .collect();
    assert_eq!(by, std::slice::from_ref(&two.id), "the stronger one");
    assert_eq!(entry.policy, Some(format!("grant/{}", two.id)));
    assert_eq!(entry.statement.as_deref(), Some("mine"));
    let (permit, _) = ask::<kms::CreateGrant>(&of(&both), OWN_KEY, &Context::new());
    assert_eq!(
        permit.unwrap().grants().len(),
        2,
        "any of them may cover what is made"
    );
    let by_policy = Given {
        resource: Some(of_resource(PolicyKind::Key, "Allow", &aws(ROLE))),
        ..of(&both)
    };
    let (permit, entry) = ask::<kms::CreateGrant>(&by_policy, OWN_KEY, &Context::new());
    assert!(permit.unwrap().grants().is_empty());
    assert_eq!(entry.policy.as_deref(), Some("test"));
    let response = decided(&session("R", None), "kms:Decrypt", OWN_KEY, &of(&both));
    assert_eq!(
        response.diagnostics.determining[0].source.as_str(),
        format!("grant/{}", two.id)
    );
}

#[test]
fn a_grant_that_does_not_suffice_alone_covers_nothing() {
    // The account is named, but its own policies give the caller nothing.
    let account = grant(OWN_KEY, "arn:aws:iam::123456789012:root");
    let narrow = Grant {
        operations: [GrantOperation::CreateGrant].into(),
        ..grant(OWN_KEY, ROLE)
    };
    let (permit, _) = ask::<kms::CreateGrant>(&of(&[account, narrow.clone()]), OWN_KEY, &Context::new());
    let by: Vec<_> = permit
        .unwrap()
        .grants()
        .iter()
        .map(|grant| grant.id.clone())
        .collect();
    assert_eq!(by, [narrow.id]);
}

#[test]
fn a_grant_ends_by_whom_that_very_grant_names() {
    let retire = |given: &[Grant], context: &Context| may::<kms::RetireGrant>(&of(given), context);
    let of_others = grant(OWN_KEY, "arn:aws:iam::123456789012:role/S");
    let own = grant(OWN_KEY, ROLE);
    let both = [of_others.clone(), own.clone()];
    let about = |grant: &Grant| Context::new().about_grant(&grant.id);
    assert!(retire(&both, &about(&own)));
    assert!(
        !retire(&both, &about(&of_others)),
        "one's own grant says nothing of others"
    );
    assert!(!retire(&both, &Context::new()), "it has to be one of them");
    assert!(!retire(&both, &Context::new().about_grant("f")));
    let silent = Grant {
        operations: [GrantOperation::Decrypt].into(),
        ..own
    };
    assert!(!retire(std::slice::from_ref(&silent), &about(&silent)));
    let retiring = Grant {
        retiring: Some(SESSION.parse().unwrap()),
        ..of_others
    };
    assert!(retire(std::slice::from_ref(&retiring), &about(&retiring)));
    let (permit, _) = ask::<kms::Decrypt>(&of(&[retiring]), OWN_KEY, &Context::new());
    assert!(permit.is_err(), "who may end a grant may not use it");
}

#[test]
fn denies_and_guards_are_stronger_than_grants() {
    let base = of(&[grant(OWN_KEY, SESSION)]);
    assert!(may::<kms::Decrypt>(&base, &Context::new()));
    for denied in [
        Given {
            identity: vec![deny(PolicyKind::Identity, "kms:Decrypt")],
            ..base.clone()
        },
        Given {
            resource: Some(of_resource(PolicyKind::Key, "Deny", r#""*""#)),
            ..base.clone()
        },
        Given {
            service_control: vec![vec![]],
            ..base.clone()
        },
        Given { gone: true, ..base },
    ] {
        assert!(!may::<kms::Decrypt>(&denied, &Context::new()), "{denied:?}");
    }
}

#[test]
fn what_another_accounts_key_is_counts_for_whom_a_grant_on_it_names() {
    let conditional = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}}}"#;
    let decided = |grants: &[Grant]| {
        let given = Given {
            identity: vec![document(PolicyKind::Identity, conditional)],
            ..of(grants)
        };
        let mut policies = given.policies();
        policies.resource_conditions =
            Some(Arc::new(Context::new().with("kms:KeySpec", "SYMMETRIC_DEFAULT")));
        let caller = Authenticated::through_the_door(session("R", None));
        // What the request says of the key does not count against what it is.
        let asked = Context::new().with("kms:KeySpec", "other");
        let (told, _) = asks_with::<kms::Decrypt>(policies, &caller, &request(), (FOREIGN_KEY, &asked));
        told.map(|permit| permit.context().beginning_with("kms:KeySpec").count())
    };
    assert_eq!(decided(&[grant(FOREIGN_KEY, ROLE)]).unwrap(), 1);
    assert!(decided(&[]).is_err());
}

#[test]
fn who_would_lock_itself_out_is_known_before() {
    let caller = Authenticated::through_the_door(session("R", None));
    let given = Given {
        identity: vec![allow(PolicyKind::Identity, "*")],
        resource: Some(of_resource(PolicyKind::Key, "Allow", &aws(OWN))),
        ..of(&[grant(OWN_KEY, SESSION)])
    };
    let authorizer = keys::authorizer(given.policies());
    let resource = OWN_KEY.parse().unwrap();
    let with = |principal: &str| {
        let policy = of_resource(PolicyKind::Key, "Allow", &aws(principal));
        authorizer
            .would_allow_with::<kms::PutKeyPolicy>(&caller, &request(), &resource, &policy)
            .unwrap()
    };
    assert!(with(OWN) && with(ROLE) && with("*"));
    assert!(!with(FOREIGN) && !with("arn:aws:iam::123456789012:role/S"));
}

fn any_pairs() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[aAb]", "[12]", 0..3)
}

fn any_constraint() -> impl Strategy<Value = Option<GrantConstraint>> {
    proptest::option::of((any::<bool>(), any_pairs()).prop_map(|(equals, pairs)| {
        if equals {
            GrantConstraint::Equals(pairs)
        } else {
            GrantConstraint::Subset(pairs)
        }
    }))
}

fn any_operations() -> impl Strategy<Value = BTreeSet<GrantOperation>> {
    let some = vec![
        GrantOperation::Decrypt,
        GrantOperation::Encrypt,
        GrantOperation::Sign,
        GrantOperation::CreateGrant,
    ];
    proptest::sample::subsequence(some, 0..=4).prop_map(|list| list.into_iter().collect())
}

/// What AWS's documentation says a grant allows, as plainly as it can be written.
fn reads(grant: &Grant, operation: GrantOperation, context: &BTreeMap<String, String>) -> bool {
    let fits = match (&grant.constraint, operation) {
        (None, _) | (_, GrantOperation::Sign | GrantOperation::CreateGrant) => true,
        (Some(GrantConstraint::Equals(pairs)), _) => pairs.iter().eq(context.iter()),
        (Some(GrantConstraint::Subset(pairs)), _) => {
            pairs.iter().all(|pair| context.iter().any(|other| other == pair))
        }
    };
    fits && grant.operations.iter().any(|own| *own == operation)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn grants_decide_as_they_read(
        grants in proptest::collection::vec((any_operations(), any_constraint(), any::<bool>()), 0..4),
        operation in proptest::sample::select(vec![GrantOperation::Decrypt, GrantOperation::Encrypt, GrantOperation::Sign]),
        context in any_pairs(),
    ) {
        let grants: Vec<Grant> = (0..).zip(grants).map(|(number, (operations, constraint, own))| {
            let grantee = if own { ROLE } else { "arn:aws:iam::123456789012:role/S" };
            Grant { id: format!("{number:064x}"), operations, constraint, ..grant(OWN_KEY, grantee) }
        }).collect();
        let expected = grants.iter().any(|grant| grant.grantee.as_str() == ROLE && reads(grant, operation, &context));
        let policies = of(&grants).policies();
        let context = Context::new().with_encryption_context(Arc::new(context));
        let action = format!("kms:{operation}");
        let caller = session("R", None);
        let resource = OWN_KEY.parse().unwrap();
        let request = AccessRequest { principal: &caller, action: &action, resource: &resource, context: &context, endpoint: None };
        let verdict = decide(&request, &policies);
        prop_assert_eq!(verdict.decision == Decision::Allow, expected);
        prop_assert_eq!(verdict.grants().len(), usize::from(expected));
    }

    #[test]
    fn what_a_grant_covers_gives_nothing_that_it_does_not(
        parent in (any_operations(), any_constraint()), child in (any_operations(), any_constraint()),
        operation in proptest::sample::select(vec![GrantOperation::Decrypt, GrantOperation::Encrypt, GrantOperation::Sign]),
        context in any_pairs(),
    ) {
        let made = |(operations, constraint): (BTreeSet<GrantOperation>, Option<GrantConstraint>)| {
            Grant { operations, constraint, ..grant(OWN_KEY, ROLE) }
        };
        let (parent, child) = (made(parent), made(child));
        if parent.covers(&child.operations, child.constraint.as_ref()) {
            prop_assert!(reads(&parent, operation, &context) || !reads(&child, operation, &context));
        }
        prop_assert!(child.covers(&child.operations, child.constraint.as_ref()));
    }
}
