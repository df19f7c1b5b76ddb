//! What is remembered of policies, and what must not be.

use moho_iam::PolicyRef;

use super::*;

fn administrators() -> &'static str {
    "arn:aws:iam::aws:policy/AdministratorAccess"
}

#[test]
fn a_principal_that_was_read_before_a_change_is_not_remembered_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let account = house.first.account;
    let role = house.arn("role/twice");
    let id = house
        .new_role(&admin, "role/twice", house.arn("root").as_str())
        .unwrap();
    house
        .store
        .attach_role_policy(&house.permit(&admin, &role), administrators())
        .unwrap();
    let narrowing = house.narrowing(&administrators().parse().unwrap()).unwrap();
    let managed = narrowing.managed();
    let before = house.store.narrowed(account, (&id, managed), || {
        let read = house.store.principal_of(account, &id);
        house
            .store
            .detach_role_policy(&house.permit(&admin, &role), administrators())
            .unwrap();
        read
    });
    assert_eq!(before.unwrap().identity.len(), 1);
    let after = house
        .store
        .narrowed(account, (&id, managed), || house.store.principal_of(account, &id));
    assert_eq!(after.unwrap().identity.len(), 0);
}

#[test]
fn lists_with_missing_policies_are_not_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let account = house.first.account;
    let role = house.arn("role/Admin");
    let id = house.store.role_facts(&role).unwrap().unwrap().id;
    let reads = |managed: &PolicyRef| {
        let (mut reads, managed) = (0, [managed.clone()]);
        for _ in 0..3 {
            let narrowed = house.store.narrowed(account, (&id, &managed), || {
                reads += 1;
                house.store.principal_of(account, &id)
            });
            assert_eq!(narrowed.unwrap().session_managed.len(), 1);
        }
        reads
    };
    let narrowing = house.narrowing(&administrators().parse().unwrap()).unwrap();
    let there = &narrowing.managed()[0];
    assert_eq!(reads(there), 1);
    let another = PolicyRef {
        id: "ANPAOTHER".to_owned(),
        ..there.clone()
    };
    assert_eq!(reads(&another), 3);
}

#[test]
fn what_callers_name_takes_a_bounded_room() {
    let cache = PolicyCache::default();
    let put = |name: String| {
        let account = "123456789012".parse().unwrap();
        let role = name.parse().unwrap();
        cache
            .get(
                (account, role),
                |cached| &mut cached.absent_roles,
                |cached| &cached.absent_roles,
                |_| Ok(Some(())),
            )
            .unwrap();
    };
    for number in 0..1000 {
        put(format!("r{number}"));
        assert_eq!(cache.absent_count(), number + 1);
    }
    put("more".to_owned());
    assert_eq!(cache.absent_count(), 1);
}

#[test]
fn that_there_is_no_such_role_is_remembered_until_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let role = house.arn("role/late");
    assert!(house.store.trusted_role(&role).unwrap().is_none());
    // Behind the store's back nothing is forgotten.
    let made = "INSERT INTO iam_role SELECT 'AROA00000000000000001', account_id, 'late', 'late', '/', trust_policy, NULL, 3600,
        NULL, NULL, 1 FROM iam_role LIMIT 1";
    house.write(made);
    assert!(house.store.trusted_role(&role).unwrap().is_none());
    house
        .new_role(&admin, "role/other", house.arn("root").as_str())
        .unwrap();
    assert!(house.store.trusted_role(&role).unwrap().is_some());
}

#[test]
fn what_was_made_anew_elsewhere_is_not_what_was_decided_on() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let root = house.arn("root");
    house.new_role(&admin, "role/now/moved", root.as_str()).unwrap();
    for before in ["role/then/moved", "role/now/Moved"] {
        let before = house.arn(before);
        assert_eq!(
            code(house.store.get_role(&house.permit(&admin, &before))),
            IamCode::NoSuchEntity
        );
        assert_eq!(
            code(house.store.delete_role(&house.permit(&admin, &before))),
            IamCode::NoSuchEntity
        );
    }
    let (now, then) = (
        house.arn("instance-profile/now/p"),
        house.arn("instance-profile/then/p"),
    );
    house
        .store
        .create_instance_profile(
            &house.permit(&admin, &now),
            "AIPA00000000000000001",
            &[],
            house.world.now(),
        )
        .unwrap();
    let deleted = house.store.delete_instance_profile(&house.permit(&admin, &then));
    assert_eq!(code(deleted), IamCode::NoSuchEntity);
    house
        .store
        .delete_instance_profile(&house.permit(&admin, &now))
        .unwrap();
    house
        .store
        .delete_role(&house.permit(&admin, &house.arn("role/now/moved")))
        .unwrap();
}

#[test]
fn conditions_see_tags_of_the_callers_own_account_only() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let foreign = house.another_account(&admin);
    let names = house.store.whole_organisation().unwrap().unwrap().names().clone();
    let put = "INSERT INTO iam_tag SELECT role_id, 'secret', 'secret', 'yes' FROM iam_role";
    house.write(put);
    house.store.policies.forget();
    let seen = |action: &str, role: &Arn| {
        let policies = house.store.policies(admin.session(), action, role).unwrap();
        policies.resource_facts.tags.contains_key("secret")
    };
    assert!(seen("iam:PassRole", &house.arn("role/Developer")));
    let role = Arn::of("iam", "", foreign.as_str(), "role/Access").unwrap();
    assert!(!seen("iam:PassRole", &role));
    assert!(seen("sts:AssumeRole", &role));
    let closing = house.permit(&admin, &names.node_arn(&foreign.into()).unwrap());
    house.store.close_account(&closing, house.world.now()).unwrap();
    assert!(!seen("sts:AssumeRole", &role));
}

#[test]
fn another_accounts_policy_has_no_tags_as_if_it_were_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let policy = house.new_policy(&admin, "policy/p", allow("iam:GetRole"));
    let tag = ("secret".to_owned(), "yes".to_owned());
    let tagging = house.permit(&admin, &policy);
    house
        .store
        .tag_policy(&tagging, std::slice::from_ref(&tag))
        .unwrap();
    let seen = |account| house.store.policy_tags(account, &policy).unwrap();
    assert_eq!(seen(house.first.account), [tag]);
    assert_eq!(seen("999999999999".parse().unwrap()), []);
}

#[test]
fn the_newest_thousand_removals_are_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
        INSERT INTO iam_role_deletion SELECT printf('task%d', i), (SELECT account_id FROM account), 1 FROM n";
    house.write(many);
    house
        .new_role(&admin, "role/linked", house.arn("root").as_str())
        .unwrap();
    house.write("UPDATE iam_role SET service = 'x.amazonaws.com' WHERE folded = 'linked'");
    let permit = house.permit::<iam::UpdateRole>(&admin, &house.arn("role/linked"));
    let changed = |description: Option<&str>, max_session_seconds| {
        let change = RoleChange {
            description: description.map(str::to_owned),
            max_session_seconds,
        };
        house.store.update_role(&permit, &change)
    };
    assert_eq!(
        changed(Some("ours"), None).unwrap().description.as_deref(),
        Some("ours")
    );
    assert_eq!(
        code(changed(Some("mine"), Some(7200))),
        IamCode::UnmodifiableEntity
    );
    let permit = house.permit(&admin, &house.arn("role/linked"));
    house
        .store
        .delete_service_linked_role(&permit, "newest", house.world.now())
        .unwrap();
    let there: u32 = behind(directory.path())
        .query_row("SELECT count(*) FROM iam_role_deletion", [], |row| row.get(0))
        .unwrap();
    assert_eq!(there, 1000);
    let permit = house.permit(&admin, &house.arn("role/*"));
    let deleted = |task: &str| house.store.service_linked_role_deleted(&permit, task);
    deleted("newest").unwrap();
    deleted("task1500").unwrap();
    assert_eq!(code(deleted("task501")), IamCode::NoSuchEntity);
    deleted("task502").unwrap();
}
