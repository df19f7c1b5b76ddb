//! Whatever administrators try, the organisation stays a tree, and every account has one parent.

use proptest::prelude::*;

use super::*;

/// Something that an administrator may try.
#[derive(Debug, Clone)]
enum Deed {
    Unit(usize),
    Delete(usize),
    Account,
    Shift(usize, usize),
    Attach(usize, usize),
    Detach(usize, usize),
    Close(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let at = 0..8_usize;
    prop_oneof![
        at.clone().prop_map(Deed::Unit),
        at.clone().prop_map(Deed::Delete),
        Just(Deed::Account),
        (at.clone(), at.clone()).prop_map(|(a, b)| Deed::Shift(a, b)),
        (at.clone(), at.clone()).prop_map(|(a, b)| Deed::Attach(a, b)),
        (at.clone(), at.clone()).prop_map(|(a, b)| Deed::Detach(a, b)),
        at.prop_map(Deed::Close),
    ]
}

/// Does it, if it may be done.
fn try_deed(office: &Office, number: usize, deed: &Deed) {
    let whole = office.whole();
    let accounts: Vec<AccountId> = whole.accounts().map(|account| account.id).collect();
    let mut holders = vec![office.names.root.clone()];
    let mut at = 0;
    while let Some(holder) = holders.get(at).cloned() {
        holders.extend(whole.units_of(&holder).map(|(id, _)| id.clone()));
        at += 1;
    }
    let mut nodes = holders.clone();
    nodes.extend(accounts.iter().map(|account| NodeId::from(*account)));
    let policies: Vec<PolicyId> = whole
        .policies(PolicyType::ServiceControl)
        .map(|policy| policy.id.clone())
        .collect();
    let store = &office.house.store;
    let _may_be_refused = match *deed {
        Deed::Unit(at) => office
            .unit(&holders[at % holders.len()], &format!("unit {number}"))
            .map(drop),
        Deed::Delete(at) => store.delete_unit(&office.on(&holders[at % holders.len()])),
        Deed::Account => {
            office.account(&format!("{number}@example.org"));
            Ok(())
        }
        Deed::Shift(account, to) => {
            let account = accounts[account % accounts.len()];
            let from = whole.parent(&account.into()).cloned().unwrap();
            office.shift(account, &from, &holders[to % holders.len()])
        }
        Deed::Attach(at, node) => office.attach(&policies[at % policies.len()], &nodes[node % nodes.len()]),
        Deed::Detach(at, node) => office.detach(&policies[at % policies.len()], &nodes[node % nodes.len()]),
        Deed::Close(account) => {
            let account = accounts[account % accounts.len()];
            store.close_account(&office.on(&account.into()), office.now())
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_it_stays_a_tree_and_every_account_has_one_parent(
        deeds in proptest::collection::vec(deed(), 1..14),
    ) {
        let office = Office::open();
        for name in ["one", "two"] {
            office.policy(PolicyType::ServiceControl, name, DENY_BEDROCK).unwrap();
        }
        for (number, deed) in deeds.iter().enumerate() {
            try_deed(&office, number, deed);
        }
        // Reading it anew refuses what goes in circles.
        office.house.store.organisation.forget();
        let whole = office.whole();
        let mut held = 0;
        let mut holders = vec![office.names.root.clone()];
        while let Some(holder) = holders.pop() {
            prop_assert!(whole.lineage(&holder).len() <= 6);
            prop_assert!(whole.attached(&holder, PolicyType::ServiceControl).count() >= 1);
            held += whole.accounts_of(&holder).count();
            holders.extend(whole.units_of(&holder).map(|(id, _)| id.clone()));
        }
        prop_assert_eq!(held, whole.accounts().count(), "each is found once, from the root down");
        for account in whole.accounts() {
            let node = NodeId::from(account.id);
            let lineage = whole.lineage(&node);
            prop_assert_eq!(lineage.first().copied(), Some(&office.names.root));
            let attached = whole.attached(&node, PolicyType::ServiceControl).count();
            prop_assert!((1..=5).contains(&attached));
            let levels = office.house.store.service_control(account.id).unwrap();
            let expected = match (account.state, account.id == office.names.management) {
                (AccountState::Suspended, _) => 1,
                (AccountState::Active, true) => 0,
                (AccountState::Active, false) => lineage.len(),
            };
            prop_assert_eq!(levels.len(), expected);
        }
    }
}
