//! Policies within their limits, and what they let in; tags.

use super::*;

const LET_KEYS_IN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*"}]}"#;

#[test]
fn policies_are_attached_and_detached_within_their_limits() {
    let office = Office::open();
    let root = office.names.root.clone();
    let unit = office.unit(&root, "one").unwrap();
    let full = policy("p-FullAWSAccess");
    assert!(matches!(
        office.detach(&full, &unit),
        Err(OrganisationError::Constraint(Constraint::LastAttachment))
    ));
    assert!(matches!(
        office.detach(&policy("p-RCPFullAWSAccess"), &unit),
        Err(OrganisationError::InvalidInput(InvalidInput::NonDetachablePolicy))
    ));
    let made: Vec<PolicyId> = (0..5)
        .map(|n| {
            office
                .policy(PolicyType::ServiceControl, &format!("{n}"), DENY_BEDROCK)
                .unwrap()
        })
        .collect();
    for id in &made[..4] {
        office.attach(id, &unit).unwrap();
    }
    assert!(matches!(
        office.attach(&made[4], &unit),
        Err(OrganisationError::Constraint(Constraint::Attachments))
    ));
    assert!(matches!(
        office.attach(&made[0], &unit),
        Err(OrganisationError::DuplicatePolicyAttachment)
    ));
    office.detach(&full, &unit).unwrap();
    assert!(matches!(
        office.detach(&full, &unit),
        Err(OrganisationError::PolicyNotAttached)
    ));
    assert!(matches!(
        office.attach(&policy("p-s0000000000"), &unit),
        Err(OrganisationError::PolicyNotFound)
    ));
    assert!(matches!(
        office.attach(&made[4], &"r-zzzz".parse().unwrap()),
        Err(OrganisationError::TargetNotFound)
    ));
    let store = &office.house.store;
    let delete = |id: &PolicyId| store.delete_organisation_policy(&office.on_policy(id));
    assert!(matches!(delete(&made[0]), Err(OrganisationError::PolicyInUse)));
    assert!(matches!(
        delete(&full),
        Err(OrganisationError::InvalidInput(InvalidInput::ImmutablePolicy))
    ));
    delete(&made[4]).unwrap();
    assert!(matches!(
        office.policy(PolicyType::ServiceControl, "0", DENY_BEDROCK),
        Err(OrganisationError::DuplicatePolicy)
    ));
    assert!(matches!(
        office.policy(PolicyType::ServiceControl, "bad", "{}"),
        Err(OrganisationError::MalformedPolicyDocument(_))
    ));
}

#[test]
fn types_of_policies_are_used_once_they_are_enabled() {
    let office = Office::open();
    let (root, account) = (office.names.root.clone(), office.new_account("a@example.org"));
    let tags = r#"{"tags":{"a":{"tag_key":{"@@assign":"A"}}}}"#;
    let id = office.policy(PolicyType::Tag, "tags", tags).unwrap();
    assert!(matches!(
        office.attach(&id, &root),
        Err(OrganisationError::PolicyTypeNotEnabled)
    ));
    let store = &office.house.store;
    let enable = |kind| store.enable_policy_type(&office.on(&root), kind, office.now());
    enable(PolicyType::Tag).unwrap();
    assert!(matches!(
        enable(PolicyType::Tag),
        Err(OrganisationError::PolicyTypeAlreadyEnabled)
    ));
    office.attach(&id, &root).unwrap();
    let effective = |kind| {
        office
            .whole()
            .effective(&account.into(), kind)
            .map(|(text, _)| text)
    };
    assert_eq!(
        effective(PolicyType::Tag).unwrap(),
        r#"{"tags":{"a":{"tag_key":"A"}}}"#
    );
    assert_eq!(effective(PolicyType::AiServicesOptOut), None);
    let disable = |kind| store.disable_policy_type(&office.on(&root), kind);
    disable(PolicyType::Tag).unwrap();
    assert_eq!(effective(PolicyType::Tag), None);
    assert!(matches!(
        disable(PolicyType::Tag),
        Err(OrganisationError::PolicyTypeNotEnabled)
    ));
    disable(PolicyType::ServiceControl).unwrap();
    assert_eq!(office.scps(account), Vec::<Vec<String>>::new());
    enable(PolicyType::ServiceControl).unwrap();
    assert_eq!(office.scps(account), [["p-FullAWSAccess"], ["p-FullAWSAccess"]]);
}

#[test]
fn long_lived_credentials_exist_where_a_policy_on_the_way_names_them() {
    let office = Office::open();
    let (root, first) = (office.names.root.clone(), office.house.first.account);
    let account = office.new_account("a@example.org");
    let unit = office.unit(&root, "one").unwrap();
    let id = office
        .policy(PolicyType::ServiceControl, "keys", LET_KEYS_IN)
        .unwrap();
    let store = &office.house.store;
    let allowed = || store.accounts_with_long_lived_credentials().unwrap();
    assert_eq!(allowed(), []);
    office.attach(&id, &unit).unwrap();
    assert_eq!(allowed(), []);
    office.shift(account, &root, &unit).unwrap();
    assert_eq!(allowed(), [account]);
    assert!(store.long_lived_credentials_allowed(account).unwrap());
    assert!(!store.long_lived_credentials_allowed(first).unwrap());
    office.attach(&id, &first.into()).unwrap();
    assert!(
        store.long_lived_credentials_allowed(first).unwrap(),
        "the management account too"
    );
    store
        .close_account(&office.on(&account.into()), office.now())
        .unwrap();
    assert_eq!(allowed(), [first]);
    let change = PolicyChange {
        content: Some(DENY_BEDROCK.to_owned()),
        ..PolicyChange::default()
    };
    store
        .update_organisation_policy(&office.on_policy(&id), &change, office.now())
        .unwrap();
    assert_eq!(allowed(), []);
}

#[test]
fn tags_are_kept_within_their_limits() {
    let office = Office::open();
    let (root, store) = (office.names.root.clone(), &office.house.store);
    let tag = |tags: &Tags| store.tag_in_organisation(&office.on(&root), tags);
    let tags = |pairs: &[(&str, &str)]| -> Tags {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect()
    };
    tag(&tags(&[("a", "1"), ("b", "")])).unwrap();
    tag(&tags(&[("a", "2")])).unwrap();
    let told = || store.tags_in_organisation(&office.on(&root)).unwrap();
    assert_eq!(told(), tags(&[("a", "2"), ("b", "")]));
    store
        .untag_in_organisation(&office.on(&root), &["a".to_owned(), "absent".to_owned()])
        .unwrap();
    assert_eq!(told(), tags(&[("b", "")]));
    assert!(matches!(
        tag(&tags(&[("AWS:x", "")])),
        Err(OrganisationError::InvalidInput(InvalidInput::SystemTag))
    ));
    // Conditions could not tell them apart.
    for pairs in [&[("B", "1")][..], &[("k", "1"), ("K", "2")]] {
        assert!(matches!(
            tag(&tags(pairs)),
            Err(OrganisationError::InvalidInput(InvalidInput::DuplicateTagKey))
        ));
    }
    assert_eq!(told(), tags(&[("b", "")]));
    let many: Tags = (0..50).map(|n| (n.to_string(), String::new())).collect();
    assert!(matches!(
        tag(&many),
        Err(OrganisationError::Constraint(Constraint::Tags))
    ));
    assert_eq!(told(), tags(&[("b", "")]), "refused as a whole");
    let managed = policy("p-FullAWSAccess");
    assert!(matches!(
        store.tags_in_organisation(&office.on_policy(&managed)),
        Err(OrganisationError::TargetNotFound)
    ));
}
