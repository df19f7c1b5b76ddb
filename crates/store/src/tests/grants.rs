//! Grants: as they are made, in force until they are ended, and nobody else's.
#![expect(clippy::too_many_lines, reason = "each is the life of one thing")]

use std::collections::{BTreeMap, BTreeSet};

use moho_iam::authz::{GrantConstraint, GrantOperation, PolicySource as _};

use super::keys::id_of;
use super::*;
use crate::keys::{GrantFilter, KeyError, NewGrant};

#[test]
fn a_grant_holds_at_once_and_until_it_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let key = house.new_key(&admin);
    let describes = || house.ask::<kms::DescribeKey>(&developer, key.as_str()).is_ok();
    assert!(!describes());
    let new = house.to_role("Developer", 1, &[GrantOperation::DescribeKey]);
    let id = house.grant(&admin, &key, &new).unwrap();
    assert!(describes());
    assert_eq!(
        house
            .ask::<kms::DescribeKey>(&developer, key.as_str())
            .unwrap()
            .grants()[0]
            .id,
        id
    );
    let other = house.new_key(&admin);
    assert!(
        house.ask::<kms::DescribeKey>(&developer, other.as_str()).is_err(),
        "it is on one key"
    );
    let revoke = |id: &str| house.store.revoke_grant(&house.permit(&admin, &key), id);
    revoke(&id).unwrap();
    assert!(!describes());
    assert!(matches!(revoke(&id), Err(KeyError::GrantNotFound(_))));
}

#[test]
fn a_grant_comes_back_as_it_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let pairs = BTreeMap::from([
        ("\u{e9}\"".to_owned(), "1".to_owned()),
        ("b".to_owned(), String::new()),
    ]);
    let retiring = house.first.role(&"Admin".parse().unwrap()).unwrap();
    for (number, constraint) in [
        (1, None),
        (2, Some(GrantConstraint::Equals(pairs.clone()))),
        (3, Some(GrantConstraint::Subset(pairs))),
    ] {
        let new = NewGrant {
            constraint: constraint.clone(),
            retiring: Some(retiring.clone()),
            name: Some(format!("name-{number}")),
            ..house.to_role(
                "Developer",
                number,
                &[GrantOperation::Decrypt, GrantOperation::Sign],
            )
        };
        let id = house.grant(&admin, &key, &new).unwrap();
        let kept = house.store.grant(&id_of(&key), &id).unwrap().unwrap();
        assert_eq!(kept.constraint, constraint);
        assert_eq!((&kept.grantee, &kept.retiring), (&new.grantee, &new.retiring));
        assert_eq!((&kept.operations, &kept.name), (&new.operations, &new.name));
        assert!(kept.grantee_id.as_ref().unwrap().starts_with("AROA"));
        assert_eq!((kept.issuing_account, &kept.key), (house.first.account, &key));
        // Asked for again, it is the same.
        let again = NewGrant {
            id: format!("{:064x}", number + 100),
            ..new.clone()
        };
        assert_eq!(house.grant(&admin, &key, &again).unwrap(), id);
        assert_eq!(house.store.grant(&id_of(&key), &again.id).unwrap(), None);
        let differs = NewGrant {
            operations: BTreeSet::from([GrantOperation::Decrypt]),
            ..again
        };
        assert_eq!(
            house.grant(&admin, &key, &differs).unwrap(),
            differs.id,
            "it says something else"
        );
    }
    let list = |filter: &GrantFilter, after: Option<&str>, limit: usize| -> Vec<String> {
        let page = house
            .store
            .grants(&house.permit(&admin, &key), filter, after, limit)
            .unwrap();
        page.into_iter().map(|grant| grant.id).collect()
    };
    let all = list(&GrantFilter::default(), None, 100);
    assert_eq!(all.len(), 6);
    assert_eq!(list(&GrantFilter::default(), Some(&all[1]), 2), all[2..4]);
    let one = GrantFilter {
        id: Some(all[4].clone()),
        grantee: None,
    };
    assert_eq!(list(&one, None, 100), all[4..5]);
    let nobodys = GrantFilter {
        id: None,
        grantee: Some(retiring.clone()),
    };
    assert!(list(&nobodys, None, 100).is_empty());
    let retirable = |retiring: &Arn, after: Option<&str>| {
        let permit = house.permit(&admin, &house.kms_arn("*"));
        house.store.retirable_grants(&permit, retiring, after, 100)
    };
    assert_eq!(retirable(&retiring, None).unwrap().len(), 6);
    assert_eq!(retirable(&retiring, Some(&all[3])).unwrap().len(), 2);
    assert!(retirable(&"arn:aws:iam::111122223333:role/R".parse().unwrap(), None).is_err());
}

#[test]
fn whom_a_grant_names_must_be_there_and_nobody_inherits_it() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let key = house.new_key(&admin);
    let to = |number: u32, grantee: &str| {
        let new = NewGrant {
            grantee: grantee.parse().unwrap(),
            ..house.to_role("Developer", number, &[GrantOperation::DescribeKey])
        };
        house.grant(&admin, &key, &new)
    };
    let own = house.first.account;
    for refused in [
        format!("arn:aws:iam::{own}:role/Absent"),
        format!("arn:aws:iam::{own}:group/Developer"),
        format!("arn:aws:iam::{own}:role/*"),
        format!("arn:aws:s3:::{own}"),
        format!("arn:aws:sts::{own}:assumed-role/Absent/me"),
    ] {
        assert!(
            matches!(to(1, &refused), Err(KeyError::InvalidPrincipal(_))),
            "{refused}"
        );
    }
    to(2, &format!("arn:aws:iam::{own}:root")).unwrap();
    to(3, &format!("arn:aws:sts::{own}:assumed-role/Developer/other")).unwrap();
    // Of another account nothing is told.
    to(4, "arn:aws:iam::111122223333:role/Absent").unwrap();
    let describes = || house.ask::<kms::DescribeKey>(&developer, key.as_str()).is_ok();
    assert!(!describes());
    to(5, &format!("arn:aws:iam::{own}:role/Developer")).unwrap();
    assert!(describes());
    // As if the role had been deleted and made again.
    house.write(
        "UPDATE kms_grant SET grantee_id = 'AROAANOTHERANOTHER23' WHERE grantee LIKE '%role/Developer'",
    );
    assert!(
        House::open(directory.path())
            .ask::<kms::DescribeKey>(&developer, key.as_str())
            .is_err()
    );
}

#[test]
fn who_makes_grants_by_a_grant_gives_no_more_than_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let key = house.new_key(&admin);
    use GrantOperation::{CreateGrant, Encrypt, GenerateMac, RetireGrant};
    let parent = house.to_role("Developer", 1, &[CreateGrant, Encrypt]);
    house.grant(&admin, &key, &parent).unwrap();
    let given = |number: u32, operations: &[GrantOperation]| {
        house.grant(&developer, &key, &house.to_role("Admin", number, operations))
    };
    given(2, &[Encrypt]).unwrap();
    given(3, &[Encrypt, CreateGrant]).unwrap();
    assert!(matches!(
        given(4, &[Encrypt, GenerateMac]),
        Err(KeyError::NotCovered)
    ));
    // Who may retire it by the grant itself.
    let retired = NewGrant {
        retiring: Some(house.first.role(&"Developer".parse().unwrap()).unwrap()),
        ..house.to_role("Admin", 5, &[RetireGrant, Encrypt])
    };
    house.grant(&admin, &key, &retired).unwrap();
    let about = |id: &str| {
        let context = Context::new().about_grant(id);
        house
            .authorizer
            .authorize::<kms::RetireGrant>(&developer, &house.facts(), &key, &context)
    };
    assert!(about(&parent.id).is_err());
    house.store.retire_grant(&about(&retired.id).unwrap()).unwrap();
    assert!(about(&retired.id).is_err(), "it is gone");
    assert_eq!(house.store.grant(&id_of(&key), &retired.id).unwrap(), None);
}

#[test]
fn what_a_grant_allowed_is_not_done_after_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let key = house.new_key(&admin);
    use GrantOperation::{CreateGrant, Encrypt};
    for number in [1, 2] {
        let parent = house.to_role("Developer", number, &[CreateGrant, Encrypt]);
        house.grant(&admin, &key, &parent).unwrap();
    }
    let narrow = house.to_role("Developer", 3, &[CreateGrant]);
    house.grant(&admin, &key, &narrow).unwrap();
    let permit: Permit<kms::CreateGrant> = house.permit(&developer, &key);
    assert_eq!(permit.grants().len(), 3);
    let make = |number: u32| {
        let new = house.to_role("Admin", number, &[Encrypt]);
        house.store.create_grant(&permit, &new, house.world.now())
    };
    let revoke = |number: u32| {
        let permit = house.permit(&admin, &key);
        house
            .store
            .revoke_grant(&permit, &format!("{number:064x}"))
            .unwrap();
    };
    revoke(1);
    make(4).unwrap();
    revoke(2);
    assert!(matches!(make(5), Err(KeyError::NotCovered)));
    let made = house.store.grant(&id_of(&key), &format!("{:064x}", 5)).unwrap();
    assert_eq!(made, None);
}

#[test]
fn a_key_has_room_for_so_many_grants() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let filled = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 49999)
         INSERT INTO kms_grant SELECT '{}', printf('%064x', 1000000 + i), 'arn:aws:iam::111122223333:role/R' || i, NULL, NULL,
            NULL, '[\"Decrypt\"]', NULL, NULL, NULL, '111122223333', 1 FROM n",
        id_of(&key)
    );
    house.write(&filled);
    let new = |number| {
        house.grant(
            &admin,
            &key,
            &house.to_role("Developer", number, &[GrantOperation::DescribeKey]),
        )
    };
    new(1).unwrap();
    assert!(matches!(new(2), Err(KeyError::LimitExceeded(_))));
    let developer = house.session("Developer");
    assert!(house.ask::<kms::DescribeKey>(&developer, key.as_str()).is_ok());

    // Decisions read those that can matter only.
    let bearing = house
        .store
        .policies(developer.session(), "kms:DescribeKey", &key)
        .unwrap();
    assert_eq!(bearing.grants.unwrap().len(), 1);
    let store = &house.store;
    let read = |about: Option<&str>| {
        let grants = store
            .grants_to(id_of(&key).as_str(), developer.session(), about)
            .unwrap();
        let grants: Vec<String> = grants
            .iter()
            .flat_map(|grants| grants.iter())
            .map(|grant| grant.id.clone())
            .collect();
        grants
    };
    let own = format!("{:064x}", 1);
    let anothers = format!("{:064x}", 1_000_001);
    assert_eq!(read(None), [own.as_str()]);
    assert_eq!(read(Some(&own)), [own.as_str()]);
    assert_eq!(read(Some(&anothers)), [own.as_str()]);
    let retired = format!(
        "UPDATE kms_grant SET retiring = '{}' WHERE grant_id = '{anothers}'",
        house.first.role(&"Developer".parse().unwrap()).unwrap()
    );
    house.write(&retired);
    assert_eq!(read(Some(&anothers)), [anothers.as_str()]);
}
